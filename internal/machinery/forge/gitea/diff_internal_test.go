package gitea

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
)

// Diffs are read as git writes them, whatever the paths and the lines are.
func TestDiffsAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "core.quotepath=false"}, args...)...)
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := c.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	write := func(path, text string) {
		t.Helper()
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "--quiet")
	write("a.txt", "one\n-- two\n++ three\n\nfour")
	write("b b.txt", "b\n")
	write("gone \"é\".txt", "g\n")
	write("moved", "1\n2\n3\n4\n5\n6\n7\n8\n")
	write("old\tname", "1\n2\n3\n4\n5\n6\n7\n8\n9\n")
	write("mode a/b", "x\n")
	write("binary", "\x00\x01")
	write("windows.txt", "a\r\n\r\nb\r\n")
	git("add", "--all")
	git("commit", "--quiet", "--message", "first")
	write("a.txt", "one\n--- a/two\n+++ b/three\n\nfour\n")
	write("b b.txt", "c\n")
	write("new/é\t.txt", "n\n")
	write("binary", "\x00\x02")
	write("empty", "")
	write("windows.txt", "a\r\n\r\nc\r\n")
	git("rm", "--quiet", "gone \"é\".txt")
	git("mv", "moved", "to here")
	git("mv", "old\tname", "new\nname")
	git("add", "--all")
	git("update-index", "--chmod=+x", "mode a/b")
	git("commit", "--quiet", "--message", "second")

	got := map[string]forge.Changed{}
	for _, c := range parseDiff(git("diff", "HEAD~1...HEAD")) {
		got[c.Path] = c
	}
	want := map[string]forge.Changed{
		"a.txt":          {Way: forge.Modified, Additions: 3, Deleted: 3, Patch: "@@ -1,5 +1,5 @@\n one\n--- two\n-++ three\n+--- a/two\n++++ b/three\n \n-four\n\\ No newline at end of file\n+four"},
		"b b.txt":        {Way: forge.Modified, Additions: 1, Deleted: 1, Patch: "@@ -1 +1 @@\n-b\n+c"},
		"gone \"é\".txt": {Way: forge.Removed, Deleted: 1, Patch: "@@ -1 +0,0 @@\n-g"},
		"to here":        {Way: forge.Renamed, OldPath: "moved"},
		"new\nname":      {Way: forge.Renamed, OldPath: "old\tname"},
		"mode a/b":       {Way: forge.Modified},
		"binary":         {Way: forge.Modified},
		"empty":          {Way: forge.Added},
		"new/é\t.txt":    {Way: forge.Added, Additions: 1, Patch: "@@ -0,0 +1 @@\n+n"},
		"windows.txt":    {Way: forge.Modified, Additions: 1, Deleted: 1, Patch: "@@ -1,3 +1,3 @@\n a\r\n \r\n-b\r\n+c\r"},
	}
	for path, w := range want {
		w.Path = path
		if got[path] != w {
			t.Errorf("%q is\n%#v, want\n%#v", path, got[path], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d files, want %d", len(got), len(want))
	}
	for _, odd := range []string{"", "x", "diff --git ", "diff --git \"a", "@@ -1 +1 @@\n+x\n", "diff --git a/x b/x\n@@", "diff --git a/x b/x\n@@ -1,9999999999999999999 +1 @@\n", "diff --git a/x b/x\n@@ -1,3 +1,3 @@\n\n+x\n\\\n"} {
		parseDiff(odd)
	}
	if out := parseDiff("diff --git a/x b/x\n@@ -1 +1 @@\n-a\n+b\n"); !slices.Equal(out, []forge.Changed{{Path: "x", Way: forge.Modified, Additions: 1, Deleted: 1, Patch: "@@ -1 +1 @@\n-a\n+b"}}) {
		t.Errorf("%+v", out)
	}
}
