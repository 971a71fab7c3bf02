package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// divided makes a repository whose main and feature have each gone on from one commit, by a client.
func divided(t *testing.T) (b *bench, main, feature string) {
	t.Helper()
	b = setup(t)
	b.must("", "clone", "-q", b.url, "a")
	b.must("a", "switch", "-q", "--orphan", "main")
	b.write("a/one.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n")
	b.write("a/two.txt", "two\n")
	b.must("a", "add", ".")
	b.must("a", "commit", "-qm", "base")
	b.must("a", "switch", "-qc", "feature")
	b.write("a/one.txt", "1\n2\nthree\n4\n5\n6\n7\n8\n9\n")
	b.must("a", "commit", "-qam", "change the third line\n\nwith a reason")
	b.write("a/new.txt", "new\n")
	b.must("a", "add", ".")
	b.must("a", "commit", "-qm", "a new file")
	b.must("a", "switch", "-q", "main")
	b.write("a/one.txt", "1\n2\n3\n4\n5\n6\n7\n8\nnine\n")
	b.must("a", "commit", "-qam", "change the last line")
	b.must("a", "push", "-q", "origin", "main", "feature")
	refs := b.refs()
	return b, refs["refs/heads/main"], refs["refs/heads/feature"]
}

func merging(way, target, source string) git.MergeRequest {
	return git.MergeRequest{
		Way: way, Branch: "main", Target: target, Source: source, Message: "Bring it in\n\nas agreed",
		Author: git.Signature{Name: "Bob", Email: "bob@example.com", When: noon}, Committer: git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: noon.Add(time.Second)},
	}
}

// Each way gives the same files, and the history that its name promises.
func TestMerge(t *testing.T) {
	t.Parallel()
	for way, want := range map[string][]string{
		git.MergeCommit: {"Bring it in by Bob of Roadbed", "a new file by Alice of Alice", "change the last line by Alice of Alice", "change the third line by Alice of Alice", "base by Alice of Alice"},
		git.MergeSquash: {"Bring it in by Bob of Roadbed", "change the last line by Alice of Alice", "base by Alice of Alice"},
		git.MergeRebase: {"a new file by Alice of Roadbed", "change the third line by Alice of Roadbed", "change the last line by Alice of Alice", "base by Alice of Alice"},
	} {
		b, main, feature := divided(t)
		got, err := b.git.Merge(t.Context(), b.dir, merging(way, main, feature))
		if err != nil {
			t.Errorf("%s: %v", way, err)
			continue
		}
		if head := b.refs()["refs/heads/main"]; head != got {
			t.Errorf("%s: main is %s, not %s", way, head, got)
		}
		b.must("a", "pull", "-q", "--ff-only", "origin", "main")
		if text := b.read("a/one.txt") + b.read("a/two.txt") + b.read("a/new.txt"); text != "1\n2\nthree\n4\n5\n6\n7\n8\nnine\ntwo\nnew\n" {
			t.Errorf("%s gives the files %q", way, text)
		}
		log := strings.Split(b.must("a", "log", "--topo-order", "--format=%s by %an of %cn"), "\n")
		if way == git.MergeCommit { // git orders the two sides as it likes
			log = []string{log[0], "a new file by Alice of Alice", "change the last line by Alice of Alice", "change the third line by Alice of Alice", log[len(log)-1]}
			if parents := b.must("a", "log", "-1", "--format=%P"); parents != main+" "+feature {
				t.Errorf("its parents are %s", parents)
			}
		}
		if diff := cmp.Diff(want, log); diff != "" {
			t.Errorf("%s: %s", way, diff)
		}
		if message := b.must("a", "log", "--all", "--format=%B", "--grep=third line", "-1"); message != "change the third line\n\nwith a reason" {
			t.Errorf("%s: the message is %q", way, message)
		}
		b.must("a", "fsck", "--strict")
		b.whole()

		again, err := b.git.Merge(t.Context(), b.dir, merging(way, got, feature))
		if way == git.MergeCommit && !fault.Is(err, fault.Conflict) || way == git.MergeRebase && !fault.Is(err, fault.Conflict) {
			t.Errorf("%s again: %s, %v", way, again, err)
		}
	}
}

// A source that goes on from the target is taken as it is by a rebase; one with merges in it is made straight.
func TestRebase(t *testing.T) {
	t.Parallel()
	b, main, feature := divided(t)
	b.must("a", "switch", "-q", "feature")
	b.must("a", "merge", "-q", "--no-ff", "-m", "main into feature", "main")
	b.write("a/last.txt", "last\n")
	b.must("a", "add", ".")
	b.must("a", "commit", "-qm", "after the merge")
	b.must("a", "push", "-q", "origin", "feature")
	merged := b.refs()["refs/heads/feature"]
	straight, err := b.git.Merge(t.Context(), b.dir, merging(git.MergeRebase, main, merged))
	if err != nil {
		t.Fatal(err)
	}
	b.must("a", "fetch", "-q")
	if log := b.must("a", "log", "--format=%s", "--reverse", straight); log != "base\nchange the last line\nchange the third line\na new file\nafter the merge" {
		t.Errorf("the history is\n%s", log)
	}
	b.must("a", "switch", "-qc", "on", "origin/main")
	b.write("a/on.txt", "on\n")
	b.must("a", "add", ".")
	b.must("a", "commit", "-qm", "on")
	b.must("a", "push", "-q", "origin", "on")
	on := b.refs()["refs/heads/on"]
	if got, err := b.git.Merge(t.Context(), b.dir, merging(git.MergeRebase, straight, on)); err != nil || got != on {
		t.Errorf("what goes on from main is %s, %v; want %s", got, err, on)
	}
	if _, err := b.git.Merge(t.Context(), b.dir, merging(git.MergeRebase, on, feature)); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "all of this already") {
		t.Errorf("what was repeated before: %v", err)
	}
}

// What can't be brought together names the paths and changes nothing.
func TestMergeConflicts(t *testing.T) {
	t.Parallel()
	b, main, feature := divided(t)
	s, err := b.git.Standing(t.Context(), b.dir, main, feature)
	base := b.must("a", "merge-base", "main", "feature")
	if diff := cmp.Diff(git.Standing{Base: base, Ahead: 2, Behind: 1}, s); diff != "" || err != nil {
		t.Error(diff, err)
	}
	b.must("a", "switch", "-q", "main")
	b.write("a/one.txt", "1\n2\ndrei\n4\n5\n6\n7\n8\nnine\n")
	b.write("a/new.txt", "other\n")
	b.must("a", "add", ".")
	b.must("a", "commit", "-qm", "in the way")
	b.must("a", "push", "-q", "origin", "main")
	now := b.refs()["refs/heads/main"]
	before := b.objects()
	if s, err = b.git.Standing(t.Context(), b.dir, now, feature); err != nil || !cmp.Equal(s.Conflicts, []string{"new.txt", "one.txt"}) {
		t.Errorf("it stands %+v, %v", s, err)
	}
	if after := b.objects(); after != before {
		t.Errorf("to compare has written %d objects", after-before)
	}
	for _, way := range []string{git.MergeCommit, git.MergeSquash, git.MergeRebase} {
		_, err := b.git.Merge(t.Context(), b.dir, merging(way, now, feature))
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "one.txt") {
			t.Errorf("%s: %v", way, err)
		}
		if _, err = b.git.Merge(t.Context(), b.dir, merging(way, main, feature)); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "moved on") {
			t.Errorf("%s into what was: %v", way, err)
		}
	}
	if refs := b.refs(); refs["refs/heads/main"] != now {
		t.Errorf("main is %s", refs["refs/heads/main"])
	}
	none := strings.Repeat("1", 40)
	for what, r := range map[string]git.MergeRequest{
		"nothing known":    merging(git.MergeCommit, now, none),
		"no hash":          merging(git.MergeCommit, now, "feature"),
		"an option":        merging(git.MergeCommit, now, "--all"),
		"another way":      merging("octopus", now, feature),
		"no message":       {Way: git.MergeSquash, Branch: "main", Target: now, Source: feature, Author: git.Signature{Name: "x", When: noon}},
		"nobody":           {Way: git.MergeSquash, Branch: "main", Target: now, Source: feature, Message: "x"},
		"a bad branch":     {Way: git.MergeSquash, Branch: "../x", Target: now, Source: feature, Message: "x", Author: git.Signature{Name: "x", When: noon}},
		"a branch of none": {Way: git.MergeSquash, Branch: "none", Target: now, Source: feature, Message: "x", Author: git.Signature{Name: "x", When: noon}},
	} {
		if got, err := b.git.Merge(t.Context(), b.dir, r); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %s, %v", what, got, err)
		}
	}
	// Histories that have nothing in common.
	b.must("a", "switch", "-q", "--orphan", "alien")
	b.write("a/alien.txt", "x\n")
	b.must("a", "add", ".")
	b.must("a", "commit", "-qm", "alien")
	b.must("a", "push", "-q", "origin", "alien")
	alien := b.refs()["refs/heads/alien"]
	if s, err = b.git.Standing(t.Context(), b.dir, now, alien); err != nil || s.Base != "" || s.Ahead != 1 {
		t.Errorf("an alien stands %+v, %v", s, err)
	}
	if _, err = b.git.Merge(t.Context(), b.dir, merging(git.MergeCommit, now, alien)); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "in common") {
		t.Errorf("an alien: %v", err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	content, err := os.ReadFile(filepath.Join(b.home, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(content)
}

// objects counts what the repository has of them, loose and packed.
func (b *bench) objects() int {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "git", "cat-file", "--batch-all-objects", "--batch-check")
	cmd.Dir = b.dir
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Count(string(out), "\n")
}
