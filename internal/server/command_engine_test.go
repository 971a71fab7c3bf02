package server

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// TestTheVerbEngineFindsOneOrSaysWhatToDo asks for the engine on a machine without a network: where there is none, what
// was built before, and what is configured.
func TestTheVerbEngineFindsOneOrSaysWhatToDo(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	verb := []string{"roadbed", "engine"}
	ask := func(configured string) (program, problem string, code int) {
		t.Helper()
		var out, problems bytes.Buffer
		c := exec.CommandContext(t.Context(), self)
		c.Args = verb // by this name, this binary is the whole program
		c.Env = append(os.Environ(), "PATH="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "HTTPS_PROXY=http://127.0.0.1:1", "ROADBED_ENGINE="+configured)
		c.Stdout, c.Stderr = &out, &problems
		_ = c.Run() // its exit code is given
		return strings.TrimSpace(out.String()), problems.String(), c.ProcessState.ExitCode()
	}
	if program, problem, code := ask(""); code != 1 || program != "" || !strings.Contains(problem, "run make tools or put tofu on the PATH") {
		t.Errorf("without any: %q, %q, %d", program, problem, code)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cache", "*", "*", "*", "[^.]*")); len(left) > 0 { // but for its lock
		t.Errorf("a download that failed left %v", left)
	}
	built := filepath.Join(dir, "cache", "roadbed", "tofu-"+stack.EngineVersion, "tofu")
	configured := filepath.Join(dir, "mine")
	for _, path := range []string{built, configured} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if program, problem, code := ask(""); code != 0 || program != built || problem != "" {
		t.Errorf("one that was built: %q, %q, %d", program, problem, code)
	}
	if program, problem, code := ask(configured); code != 0 || program != configured || problem != "" {
		t.Errorf("one that is configured: %q, %q, %d", program, problem, code)
	}
	if program, problem, code := ask(dir); code != 1 || program != "" || !strings.Contains(problem, "the configured engine can't be used") {
		t.Errorf("a folder that is configured: %q, %q, %d", program, problem, code)
	}
	// Versions that stacks may ask for are in the data folder.
	data := filepath.Join(dir, "data")
	carried := filepath.Join(data, "tools", "engines", "tofu", "1.11.5", "tofu")
	if err := os.MkdirAll(filepath.Dir(carried), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(carried, []byte("#!/bin/sh\necho OpenTofu v1.11.5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args          string
		said, problem string
		code          int
	}{
		{"list", carried, "", 0},
		{"list --available", "tofu: read which versions of OpenTofu there are", "", 0},
		{"download tofu 1.11.5", carried, "", 0},
		{"download opentofu ~>1.11.0", carried, "", 0},
		{"download tofu 1.11.4", "", "there is no OpenTofu 1.11.4 here: this server has 1.11.5", 5},
		{"download tofu newest", "", "no constraint of versions", 2},
	} {
		verb = append([]string{"roadbed", "engine"}, append(strings.Fields(x.args), "--data", data)...)
		if said, problem, code := ask(""); code != x.code || !strings.Contains(said, x.said) || !strings.Contains(problem, x.problem) {
			t.Errorf("%s: %q, %q, %d", x.args, said, problem, code)
		}
	}
}
