package git_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// started gives the commands that a trace of git tells of, without their arguments.
func started(t *testing.T, trace string) (commands []string) {
	t.Helper()
	content, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if _, command, ok := strings.Cut(line, "trace: built-in: git "); ok {
			name, _, _ := strings.Cut(strings.TrimSpace(command), " ")
			commands = append(commands, name)
		}
	}
	return commands
}

// A push of little starts no process of git but those that receive and check it.
func TestWhatAPushStarts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	trace := filepath.Join(t.TempDir(), "trace")
	b.git.SetEnv("GIT_TRACE=" + trace)
	b.serve(git.ServeOptions{Write: true, PreReceive: func(ctx context.Context, in git.Incoming) error {
		for _, u := range in.Updates {
			if u.Creates() {
				continue
			}
			if forward, err := in.IsAncestor(ctx, u.Old, u.New); err != nil || !forward {
				return cmp.Or(err, fmt.Errorf("%s does not go forward", u.Ref))
			}
		}
		return in.Files(ctx, func(string, int64) (bool, error) { return true, nil }, func(string, []byte) error { return nil })
	}})
	b.must("", "clone", "-q", b.url, "a")
	b.commit("a", "x", "1")
	b.must("a", "push", "-q", "origin", "HEAD:side")
	b.must("a", "push", "-q", "origin", "HEAD:main")
	b.commit("a", "x", "2")
	if err := os.Truncate(trace, 0); err != nil {
		t.Fatal(err)
	}
	b.must("a", "push", "-q", "origin", "HEAD:main")
	if got, want := started(t, trace), []string{"receive-pack", "receive-pack", "unpack-objects", "rev-list"}; !slices.Equal(got, want) {
		t.Errorf("a push starts git %q, want %q", got, want)
	}
	b.whole()
}

// What a push brings is told in the same way whether it stands in loose objects or in a pack.
func TestFilesOfAPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	noise := make([]byte, 300<<10)
	rand.Read(noise)
	contents := map[string]string{"empty": "", "text": "hello\n", "zeroes": strings.Repeat("\x00", 40<<20), "noise": string(noise)}
	for _, many := range []bool{false, true} {
		got, sizes := map[string]string{}, map[string]int64{}
		asked := 0
		b.serve(git.ServeOptions{Write: true, PreReceive: func(ctx context.Context, in git.Incoming) error {
			asked++
			if in.Loose(ctx) == many {
				t.Errorf("with many files %v it stands in loose objects: %v", many, !many)
			}
			return in.Files(ctx, func(hash string, size int64) (bool, error) {
				sizes[hash] = size
				return size < 1<<20, nil
			}, func(hash string, content []byte) error {
				got[hash] = string(content)
				return nil
			})
		}})
		clone := fmt.Sprint("many", many)
		b.must("", "init", "-q", clone)
		for name, content := range contents {
			b.write(filepath.Join(clone, name), content)
		}
		if many {
			for i := range 150 {
				b.write(filepath.Join(clone, "dir", fmt.Sprint(i)), fmt.Sprint(i))
			}
		}
		b.commit(clone, "last", "x")
		b.must(clone, "push", "-q", b.url, "HEAD:refs/heads/"+clone)
		for name, content := range contents {
			hash := b.must(clone, "rev-parse", "HEAD:"+name)
			if size, seen := sizes[hash]; !seen || size != int64(len(content)) {
				t.Errorf("with many files %v: %s has %d bytes, %v", many, name, size, seen)
			}
			read, ok := got[hash]
			if want := name != "zeroes"; ok != want || ok && read != content {
				t.Errorf("with many files %v: %s was read %v", many, name, ok)
			}
		}
		want := len(contents) + 1
		if many {
			want += 150
		}
		if len(sizes) != want || len(got) != want-1 || asked != 1 {
			t.Errorf("with many files %v: %d files were seen and %d read of %d, in %d pushes", many, len(sizes), len(got), want, asked)
		}
	}
	b.whole()
}

// Whether a push goes forward is told by the commits that it brings where they lead to the old one, and by git where not.
func TestThatAPushGoesForward(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var leads, forward bool
	b.serve(git.ServeOptions{Write: true, PreReceive: func(ctx context.Context, in git.Incoming) (err error) {
		u := in.Updates[0]
		leads = in.Leads(u.New, u.Old)
		if u.Creates() || u.Deletes() {
			forward = false
			return nil
		}
		forward, err = in.IsAncestor(ctx, u.Old, u.New)
		return err
	}})
	b.must("", "clone", "-q", b.url, "a")
	push := func(what, commit string, wantLeads, wantForward bool) {
		t.Helper()
		b.must("a", "push", "-q", "--force", "origin", commit+":refs/heads/main")
		if leads != wantLeads || forward != wantForward {
			t.Errorf("%s: the commits lead there %v, want %v; it goes forward %v, want %v", what, leads, wantLeads, forward, wantForward)
		}
	}
	first := b.commit("a", "x", "1")
	push("the first", first, false, false)
	for i := range 5 {
		b.commit("a", "x", fmt.Sprint("more", i))
	}
	push("five commits", "HEAD", true, true)
	b.must("a", "switch", "-q", "-c", "side", first)
	b.commit("a", "y", "1")
	b.must("a", "push", "-q", "origin", "HEAD:side")
	b.must("a", "switch", "-q", "-c", "joined", "side")
	b.must("a", "merge", "-q", "--no-edit", "origin/main")
	push("a merge whose second parent is the old one", "HEAD", true, true)
	joined := b.must("a", "rev-parse", "HEAD")
	b.must("a", "reset", "-q", "--hard", first)
	b.commit("a", "z", "1")
	push("another history", "HEAD", false, false)
	b.must("a", "push", "-q", "origin", joined+":refs/heads/joined")
	push("back to what is there", first, false, false)
	push("forward to what is there", joined, false, true)

	// Over commits that are there already git has to be asked: the new one is on top of the one that joined leads to.
	push("back again", first, false, false)
	b.must("a", "switch", "-q", "-C", "top", joined)
	b.commit("a", "z", "2")
	push("one commit on top of others that are there", "HEAD", false, true)

	// A replacement that is pushed along changes neither answer.
	top := b.must("a", "rev-parse", "HEAD")
	orphan := b.must("a", "commit-tree", "-m", "orphan", "HEAD^{tree}")
	next := b.commit("a", "z", "3")
	b.must("a", "replace", next, orphan)
	b.must("a", "push", "-q", "origin", "refs/replace/"+next)
	push("a commit that is replaced", next, true, true)
	push("what replaces it", orphan, false, false)
	push("and back", top, false, false)
	b.whole()
}
