package stack

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opentofu/tofudl"
	"github.com/opentofu/tofudl/mockmirror"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestADownloadIsVerified downloads from a mirror on this machine: what is signed is taken, and nothing else is.
func TestADownloadIsVerified(t *testing.T) {
	t.Parallel()
	program := []byte("#!/bin/sh\necho the engine\n")
	mirror := mockmirror.NewFromBinary(t, program)
	at, err := url.Parse(mirror.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: at.Scheme, Host: at.Host})
	proxy.ModifyResponse = func(r *http.Response) error { // somebody in the middle changes the last byte of the archive
		if !strings.HasSuffix(r.Request.URL.Path, ".tar.gz") {
			return nil
		}
		data, err := io.ReadAll(r.Body)
		if err != nil || len(data) == 0 {
			return err
		}
		data[len(data)-1] ^= 1
		r.Body = io.NopCloser(bytes.NewReader(data))
		r.ContentLength = int64(len(data))
		r.Header.Set("Content-Length", strconv.Itoa(len(data)))
		return nil
	}
	middle := httptest.NewServer(proxy)
	t.Cleanup(middle.Close)
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	for name, c := range map[string]struct {
		base, key string
		taken     bool
	}{
		"as it was signed":        {at.Scheme + "://" + at.Host, mirror.GPGKey(), true},
		"signed by somebody else": {at.Scheme + "://" + at.Host, mockmirror.NewFromBinary(t, program).GPGKey(), false},
		"changed on the way":      {middle.URL, mirror.GPGKey(), false},
		"without a network":       {nobody.URL, mirror.GPGKey(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "tools")
			path, err := download(context.Background(), dir, "1.0.0", tofudl.ConfigGPGKey(c.key), tofudl.ConfigAPIURL(c.base+"/api.json"),
				tofudl.ConfigDownloadMirrorURLTemplate(c.base+"/v{{ .Version }}/{{ .Artifact }}"))
			if !c.taken {
				if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "make tools") {
					t.Errorf("got %q, %v", path, err)
				}
				if left, _ := os.ReadDir(dir); len(left) > 0 {
					t.Errorf("something is stored: %v", left)
				}
				return
			}
			got, readErr := os.ReadFile(path)
			if err != nil || readErr != nil || !bytes.Equal(got, program) {
				t.Fatalf("got %q, %v, %v", got, err, readErr)
			}
			found, err := FindEngine("", "", dir)
			if err != nil || executable(found) != nil {
				t.Errorf("it is found as %q, %v", found, err)
			}
		})
	}
}

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
