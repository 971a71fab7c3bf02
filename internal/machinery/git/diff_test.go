package git_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// Names, kinds and contents of all sorts come out of one command, each patch with its file.
func TestADiffOfManyKinds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	b.must("a", "switch", "-q", "--orphan", "main")
	long := strings.Repeat("x", 200_000)
	b.write("a/long.txt", long+"\n")
	b.write("a/crlf.txt", "one\r\ntwo\r\n")
	b.write("a/space.txt", "a b\n")
	b.write("a/latin.txt", "gr\xfc\xdfe\n")
	b.write("a/kind", "text\n")
	b.write("a/mode.sh", "echo\n")
	b.write("a/we\"ird\t\\.txt", "1\n")
	b.write("a/ein \xc3\xbc.txt", "1\n")
	b.write("a/late", strings.Repeat("line\n", 3000)+"a\x00b\n")
	b.write("a/big.txt", strings.Repeat("old\n", 20_000))
	b.must("a", "add", ".")
	b.must("a", "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module")
	b.must("a", "commit", "-qm", "base")
	b.write("a/long.txt", long+"y\n")
	b.write("a/crlf.txt", "one\r\nzwei\r\n")
	b.write("a/space.txt", "a  b\n")
	b.write("a/latin.txt", "gro\xdf\n")
	b.must("a", "rm", "-q", "kind")
	b.must("a", "update-index", "--add", "--cacheinfo", "120000,"+b.must("a", "hash-object", "-w", "mode.sh")+",kind")
	b.must("a", "update-index", "--chmod=+x", "mode.sh")
	b.write("a/we\"ird\t\\.txt", "2\n")
	b.write("a/ein \xc3\xbc.txt", "2\n")
	b.write("a/late", strings.Repeat("line\n", 3000)+"a\x00c\n")
	b.write("a/big.txt", strings.Repeat("new\n", 20_000))
	b.must("a", "update-index", "--cacheinfo", "160000,"+strings.Repeat("2", 40)+",module")
	b.must("a", "add", "long.txt", "crlf.txt", "space.txt", "latin.txt", "we\"ird\t\\.txt", "ein \xc3\xbc.txt", "late", "big.txt")
	b.must("a", "commit", "-qm", "change")
	b.must("a", "push", "-q", "origin", "main")
	first, second := b.must("a", "rev-parse", "HEAD~1"), b.must("a", "rev-parse", "HEAD")

	type seen struct {
		Path, Status string
		Folded       bool
		Patch        string
	}
	show := func(limits git.DiffLimits) (out []seen) {
		t.Helper()
		d, err := b.git.Diff(t.Context(), b.dir, first, second, limits)
		if err != nil || d.Truncated {
			t.Fatal(d.Truncated, err)
		}
		for _, f := range d.Files {
			patch := f.Patch
			if len(patch) > 200 {
				patch = fmt.Sprintf("%d bytes", len(patch))
			}
			out = append(out, seen{f.Path, f.Status, f.Folded, patch})
		}
		return out
	}
	all := show(git.DiffLimits{FileBytes: 100_000})
	want := []seen{
		{"big.txt", "modified", true, ""},
		{"crlf.txt", "modified", false, "@@ -1,2 +1,2 @@\n one\r\n-two\r\n+zwei\r\n"},
		{"ein ü.txt", "modified", false, "@@ -1 +1 @@\n-1\n+2\n"},
		{"kind", "type", false, ""},
		{"late", "modified", false, "@@ -2998,4 +2998,4 @@ line\n line\n line\n line\n-a\x00b\n+a\x00c\n"},
		{"latin.txt", "modified", false, "@@ -1 +1 @@\n-gr\uFFFDe\n+gro\uFFFD\n"},
		{"long.txt", "modified", true, ""},
		{"mode.sh", "modified", false, ""},
		{"module", "modified", false, "@@ -1 +1 @@\n-Subproject commit " + strings.Repeat("1", 40) + "\n+Subproject commit " + strings.Repeat("2", 40) + "\n"},
		{"space.txt", "modified", false, "@@ -1 +1 @@\n-a b\n+a  b\n"},
		{"we\"ird\t\\.txt", "modified", false, "@@ -1 +1 @@\n-1\n+2\n"},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]seen{{"long.txt", "modified", false, "400017 bytes"}, {"space.txt", "modified", false, "@@ -1 +1 @@\n-a b\n+a  b\n"}}, show(git.DiffLimits{Paths: []string{"space.txt", "long.txt", "*.txt"}})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]seen{{"crlf.txt", "modified", false, "@@ -2 +2 @@ one\n-two\r\n+zwei\r\n"}}, show(git.DiffLimits{Paths: []string{"space.txt", "crlf.txt"}, IgnoreSpace: true, Tight: true})); diff != "" {
		t.Error(diff)
	}
}

// What the author of a change did is told from what came with its new base.
func TestInterdiff(t *testing.T) {
	t.Parallel()
	b, main, feature := divided(t)
	b.must("a", "switch", "-q", "feature")
	b.must("a", "rebase", "-q", "main")
	b.write("a/new.txt", "newer\n")
	b.must("a", "commit", "-qam", "more")
	b.must("a", "push", "-q", "--force", "origin", "feature")
	now := b.must("a", "rev-parse", "HEAD")
	d, err := b.git.Interdiff(t.Context(), b.dir, main, feature, main, now, git.DiffLimits{})
	if err != nil || len(d.Files) != 1 || d.Files[0].Patch != "@@ -1 +1 @@\n-new\n+newer\n" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = b.git.Diff(t.Context(), b.dir, feature, now, git.DiffLimits{}); err != nil || len(d.Files) != 2 {
		t.Errorf("the plain difference is %+v, %v", d, err)
	}
	// Where the old change does not fit onto the new base, both sides show.
	b.must("a", "switch", "-q", "main")
	b.write("a/one.txt", "1\n2\ndrei\n4\n5\n6\n7\n8\nnine\n")
	b.must("a", "commit", "-qam", "in the way")
	b.must("a", "push", "-q", "origin", "main")
	other := b.must("a", "rev-parse", "HEAD")
	if d, err = b.git.Interdiff(t.Context(), b.dir, other, feature, other, other, git.DiffLimits{}); err != nil || len(d.Files) != 2 {
		t.Errorf("%+v, %v", d, err)
	}
}

// BenchmarkDiff500 opens a diff of 500 files.
func BenchmarkDiff500(b *testing.B) {
	w := setup(b)
	w.must("", "clone", "-q", w.url, "a")
	w.must("a", "switch", "-q", "--orphan", "main")
	for side := range 2 {
		for i := range 500 {
			var text strings.Builder
			for line := range 200 {
				fmt.Fprintf(&text, "line %d of file %d\n", line, i)
				if line%40 == 20 && side == 1 {
					fmt.Fprintf(&text, "another line %d\n", line)
				}
			}
			w.write(fmt.Sprintf("a/dir%d/file%d.txt", i%20, i), text.String())
		}
		w.must("a", "add", ".")
		w.must("a", "commit", "-qm", "side")
	}
	w.must("a", "push", "-q", "origin", "main")
	first, second := w.must("a", "rev-parse", "HEAD~1"), w.must("a", "rev-parse", "HEAD")
	for b.Loop() {
		d, err := w.git.Diff(b.Context(), w.dir, first, second, git.DiffLimits{FileBytes: 64 << 10})
		if err != nil || len(d.Files) != 500 || d.Truncated {
			b.Fatal(len(d.Files), d.Truncated, err)
		}
	}
}
