package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGitSignsInWithTheLogin has plain git clone and push after roadbed login, and ask nobody else.
func TestGitSignsInWithTheLogin(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	g.push("alice", "crew/shop", map[string]string{"a.txt": "one\n"})
	home, config := t.TempDir(), t.TempDir()
	for name, value := range map[string]string{"HOME": home, "XDG_CONFIG_HOME": config, "ROADBED_URL": "", "ROADBED_TOKEN": g.alice.Token, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"} {
		t.Setenv(name, value)
	}
	if code, _, problem := say("git-credential setup"); code == 0 || !strings.Contains(problem, "roadbed login") {
		t.Errorf("without a login: %d %s", code, problem)
	}
	if code, out, problem := say("login " + server.URL); code != 0 {
		t.Fatal(out, problem)
	}
	t.Setenv("ROADBED_TOKEN", "")
	if code, out, problem := say("git-credential setup"); code != 0 || !strings.Contains(out, "git signs in to "+server.URL) {
		t.Fatal(code, out, problem)
	}
	run := func(dir string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	key := "credential." + server.URL + ".helper"
	out, err := run(home, "config", "--global", "--get-all", key)
	if lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n"); err != nil || len(lines) != 2 || lines[0] != "" || !strings.HasPrefix(lines[1], "!'/") || !strings.HasSuffix(lines[1], "' git-credential") {
		t.Fatalf("git was told %q, %v", out, err)
	}
	// This program as git finds it, under its own name.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(t.TempDir(), "roadbed")
	if err := os.Symlink(self, tool); err != nil {
		t.Fatal(err)
	}
	if out, err := run(home, "config", "--global", "--replace-all", key, "!'"+tool+"' git-credential"); err != nil {
		t.Fatal(out, err)
	}
	if out, err := run(home, "clone", "--quiet", server.URL+"/git/crew/shop.git", "shop"); err != nil {
		t.Fatalf("clone: %s", out)
	}
	for _, args := range [][]string{
		{"-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "--message", "by hand"}, {"push", "--quiet", "origin", "HEAD"},
	} {
		if out, err := run(filepath.Join(home, "shop"), args...); err != nil {
			t.Fatalf("git %s: %s", strings.Join(args, " "), out)
		}
	}
	other := "protocol=https\nhost=github.com\n\n"
	for input, want := range map[string]string{
		"protocol=http\nhost=" + strings.TrimPrefix(server.URL, "http://") + "\n\n": "username=roadbed\npassword=" + g.alice.Token + "\n",
		other: "", "": "", "host=\nprotocol=\n": "", strings.Repeat("x", 1<<20): "",
	} {
		cmd := exec.CommandContext(t.Context(), tool, "git-credential", "get")
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.Output(); err != nil || string(out) != want {
			t.Errorf("asked with %.60q it says %q, %v", input, out, err)
		}
	}
	if code, _, _ := say("git-credential what"); code != 2 {
		t.Errorf("another word ends with %d", code)
	}
}
