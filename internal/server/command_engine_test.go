package server

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain/toolchaintest"
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

// TestTheVerbEngineDownloadsTools from mirrors, once, with their checksums held to.
func TestTheVerbEngineDownloadsTools(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	site := toolchaintest.New(t, nil, nil)
	site.Tool(t, "kubectl", "1.31.2", "1.31.14", "1.37.1")
	site.Tool(t, "pulumi", "3.274.1")
	dir := t.TempDir()
	trusted := site.Trusted(t)
	ask := func(args string) (said, problem string, code int) {
		t.Helper()
		var out, problems bytes.Buffer
		c := exec.CommandContext(t.Context(), self)
		c.Args = append([]string{"roadbed", "engine"}, append(strings.Fields(args), "--data", dir)...)
		c.Env = append(os.Environ(), "PATH="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "HTTPS_PROXY=http://127.0.0.1:1", trusted,
			"ROADBED_KUBECTL_RELEASES="+site.Mirror("kubectl"), "ROADBED_PULUMI_RELEASES="+site.Mirror("pulumi"))
		c.Stdout, c.Stderr = &out, &problems
		_ = c.Run() // its exit code is given
		return out.String(), problems.String(), c.ProcessState.ExitCode()
	}
	at := func(name, version string) string { return filepath.Join(dir, "tools", "engines", name, version, name) }
	for _, x := range []struct {
		args, said, problem string
		code                int
	}{
		{"download kubectl 1.31", at("kubectl", "1.31.14"), "downloaded kubectl 1.31.14 from " + site.Mirror("kubectl"), 0},
		{"download kubectl 1.31.x", at("kubectl", "1.31.14"), "", 0},
		{"download pulumi latest", at("pulumi", "3.274.1"), "its checksum is right", 0},
		{"download kubectl 1.30", "", "there is no kubectl 1.30 here: this server has 1.31.14; to be downloaded are 1.37.1, 1.31.14", 5},
		{"download kubectl 1.31.3", "", "answers 404", 1},
		{"download helm 3.1.0", "", "is no program that is known here", 2},
		{"list", "pulumi   3.274.1  " + site.Mirror("pulumi"), "", 0},
		{"list --available", "kubectl to be downloaded: 1.37.1 1.31.14\n", "", 0},
	} {
		said, problem, code := ask(x.args)
		if code != x.code || !strings.Contains(said, x.said) || !strings.Contains(problem, x.problem) {
			t.Errorf("%s: %q, %q, %d", x.args, said, problem, code)
		}
	}
	if n := site.Asked.Load(); n != 2 {
		t.Errorf("%d were downloaded", n)
	}
	site.Release(t, "kubectl", "1.31.14", map[string][]byte{"kubectl": toolchaintest.Program("kubectl", "6.6.6")})
	if err := os.Remove(at("kubectl", "1.31.14")); err != nil {
		t.Fatal(err)
	}
	if said, problem, code := ask("download kubectl 1.31.14"); code != 1 || !strings.Contains(problem, "a release does not change, and nothing is taken") {
		t.Errorf("another program as the same release: %q, %q, %d", said, problem, code)
	}
}
