package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestTheEngineIsFoundInItsOrder: what is configured, then the PATH, then the folders in their order.
func TestTheEngineIsFoundInItsOrder(t *testing.T) {
	dir := t.TempDir()
	put := func(folder, name string) string {
		t.Helper()
		path := filepath.Join(dir, folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	configured, downloaded, built := put("configured", "engine"), put("downloaded", "tofu"), put("built", "tofu")
	folders := []string{filepath.Join(dir, "downloaded"), filepath.Join(dir, "built")}
	want := func(what, configured, want string) {
		t.Helper()
		if got, err := FindEngine(configured, folders...); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", what, got, err, want)
		}
	}
	t.Setenv("PATH", filepath.Join(dir, "path"))
	want("downloaded", "", downloaded)
	terraform := put("path", "terraform")
	want("terraform on the PATH", "", terraform)
	tofu := put("path", "tofu")
	want("tofu on the PATH", "", tofu)
	want("what is configured", configured, configured)
	if got, err := FindEngine(filepath.Join(dir, "missing")); !fault.Is(err, fault.Invalid) {
		t.Errorf("what is configured and missing: %q, %v", got, err)
	}
	if err := os.Remove(downloaded); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(dir, "nothing"))
	want("built", "", built)
	folders = nil
	want("none", "", "")
}
