package git_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestCommitWithoutWorkTree(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first, err := b.git.Commit(ctx, b.dir, request("",
		git.FileChange{Path: "README.md", Content: []byte("hello\n")},
		git.FileChange{Path: `dir/a "ü.txt`, Content: nil},
		git.FileChange{Path: "run.sh", Content: []byte("#!/bin/sh\n"), Mode: "100755"},
		git.FileChange{Path: "old/x", Content: []byte("x")},
		git.FileChange{Path: "link", Content: []byte("README.md"), Mode: "120000"}))
	if err != nil {
		t.Fatal(err)
	}
	again := setup(t)
	same, err := again.git.Commit(ctx, again.dir, request("",
		git.FileChange{Path: "link", Content: []byte("README.md"), Mode: "120000"},
		git.FileChange{Path: "old/x", Content: []byte("x")},
		git.FileChange{Path: "run.sh", Content: []byte("#!/bin/sh\n"), Mode: "100755"},
		git.FileChange{Path: `dir/a "ü.txt`, Content: nil},
		git.FileChange{Path: "README.md", Content: []byte("hello\n")}))
	if err != nil || same != first {
		t.Errorf("the same request gives %s, %v and %s", same, err, first)
	}
	second, err := b.git.Commit(ctx, b.dir, request(first,
		git.FileChange{Path: "README.md", Content: []byte("hello again\n")},
		git.FileChange{Path: "old", Delete: true}, git.FileChange{Path: "never/was", Delete: true}))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := b.git.Commit(ctx, b.dir, request(second, git.FileChange{Path: "README.md", Content: []byte("hello again\n")})); err != nil || same != second {
		t.Errorf("a change of nothing gives %s, %v", same, err)
	}
	for name, stale := range map[string]git.CommitRequest{
		"moved on": request(first, git.FileChange{Path: "x", Content: []byte("x")}),
		"exists":   request("", git.FileChange{Path: "x", Content: []byte("x")}),
		"unknown":  request("1234567890123456789012345678901234567890", git.FileChange{Path: "x"}),
		"nothing":  request(first, git.FileChange{Path: "README.md", Content: []byte("hello\n")}),
	} {
		if c, err := b.git.Commit(ctx, b.dir, stale); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %q, %v", name, c, err)
		}
	}
	if refs := b.refs(); len(refs) != 1 || refs["refs/heads/main"] != second {
		t.Errorf("there are %v", refs)
	}
	b.must("", "clone", "-q", b.url, "a")
	if got := b.must("a", "ls-tree", "-r", "--name-only", "HEAD"); got != "README.md\n\"dir/a \\\"\\303\\274.txt\"\nlink\nrun.sh" {
		t.Errorf("the clone has %s", got)
	}
	if got := b.must("a", "log", "-1", "--format=%an %ae %cn %cI %s"); got != "Roadbed roadbed@localhost Roadbed 2026-05-04T12:00:00+00:00 change things" {
		t.Errorf("the clone's head is %s", got)
	}
	b.whole()
}

func TestCommitRefusesBadRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := request("", git.FileChange{Path: "x"})
	for _, path := range []string{
		"", ".", "..", "/x", "a/../b", "a//b", "./a", "a/", ".git/config", "a/.GIT", ".git.", ".git ", ".git::$INDEX_ALLOCATION",
		"GIT~1/x", ".g\u200cit/x", "a\nb", `a\b`, "a\x00b", string([]byte{0xff}),
	} {
		r := good
		r.Changes = []git.FileChange{{Path: path}}
		if _, err := b.git.Commit(t.Context(), b.dir, r); !fault.Is(err, fault.Invalid) {
			t.Errorf("path %q: %v", path, err)
		}
	}
	for name, spoil := range map[string]func(*git.CommitRequest){
		"branch":  func(r *git.CommitRequest) { r.Branch = "../x" },
		"parent":  func(r *git.CommitRequest) { r.Parent = "main" },
		"message": func(r *git.CommitRequest) { r.Message = " \n" },
		"author":  func(r *git.CommitRequest) { r.Author.Name = "" },
		"time":    func(r *git.CommitRequest) { r.Author.When = time.Time{} },
		"mode":    func(r *git.CommitRequest) { r.Changes = []git.FileChange{{Path: "x", Mode: "160000"}} },
		"modules": func(r *git.CommitRequest) { r.Changes = []git.FileChange{{Path: "a/.GitModules ", Mode: "120000"}} },
	} {
		r := good
		spoil(&r)
		if _, err := b.git.Commit(t.Context(), b.dir, r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := good
	r.Author.Name = "Eve <evil>\nparent 123\n"
	r.Message = "a message\ndata 3\n"
	if _, err := b.git.Commit(t.Context(), b.dir, r); err != nil {
		t.Error(err)
	}
	b.whole()
}

// Of many commits on the same head one wins, the others are told.
// A commit of the server brings no submodule that a push could not.
func TestSubmodulesAreJudgedAsThoseOfAPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	for content, good := range map[string]bool{
		"[submodule \"x\"]\n\tpath = x\n\turl = https://example.com/x.git\n\tupdate = none\n": true,
		"":                                      true,
		"[submodule \"x\"]\nurl = \"-u./evil\"": false,
		"[Submodule \"x\"]\nURL = --upload-pack=evil":                false,
		"[submodule \"../../hooks\"]\nurl = https://example.com":     false,
		"[submodule \"x\"]\npath = -evil":                            false,
		"[submodule \"x\"]\nupdate = !evil":                          false,
		"[submodule \"x\"]\nurl = https://example.com/%0Ahost=x/":    false,
		"[submodule \"x\"]\nurl = \"https://example.com/\\nhost=x\"": false,
	} {
		_, err := b.git.Commit(t.Context(), b.dir, git.CommitRequest{Branch: "b" + fmt.Sprint(len(content)), Message: "m", Author: request("").Author,
			Changes: []git.FileChange{{Path: ".gitmodules", Content: []byte(content)}}})
		if good != (err == nil) || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is committed: %v", content, err)
		}
		b.commit("a", ".gitmodules", content+"\n")
		if out, err := b.client("a", "push", "--force", "origin", "HEAD:main"); good != (err == nil) {
			t.Errorf("%q is pushed: %v\n%s", content, err, out)
		}
		b.must("a", "update-ref", "-d", "HEAD")
	}
	b.whole()
}

func TestCommitsRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	head, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	results := make(chan error, 8)
	for i := range cap(results) {
		group.Go(func() {
			_, err := b.git.Commit(t.Context(), b.dir, request(head, git.FileChange{Path: fmt.Sprint(i)}))
			results <- err
		})
	}
	group.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d commits won", won)
	}
	b.whole()
}

func TestRecoverRemovesLocks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	head, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"refs/heads/main.lock", "packed-refs.lock", "objects/incoming-abc/pack/x", "objects/pack/tmp_pack_x", "objects/pack/.tmp-1-pack-x.pack", "objects/pack/pack-x.keep", "fast_import_crash_7", "gc.pid"} {
		path := filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	indexes, _ := filepath.Glob(filepath.Join(b.dir, "objects/pack/pack-*.idx"))
	if len(indexes) != 1 {
		t.Fatalf("a commit made the packs %v", indexes)
	}
	own := strings.TrimSuffix(indexes[0], ".idx") + ".keep"
	if err := os.WriteFile(own, []byte("for the audit"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.git.Recover(b.dir, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "packed-refs.lock")); err != nil {
		t.Error("a lock that is younger than the server was removed")
	}
	if err := b.git.Recover(b.dir, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error("what somebody marked to be kept is not any more")
	}
	if err := os.WriteFile(own, []byte("receive-pack 7 on host"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.git.Recover(b.dir, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(own); err == nil {
		t.Error("the mark of a killed command is still there")
	}
	if _, err := b.git.Commit(t.Context(), b.dir, request(head, git.FileChange{Path: "y"})); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"objects/incoming-abc", "objects/pack/.tmp-1-pack-x.pack", "objects/pack/pack-x.keep", "fast_import_crash_7", "gc.pid"} {
		if _, err := os.Stat(filepath.Join(b.dir, name)); err == nil {
			t.Errorf("%s of a killed git is still there", name)
		}
	}
	if err := b.git.Maintain(t.Context(), b.dir); err != nil {
		t.Error(err)
	}
	b.whole()
}

// An import that is killed between its pack and its index marks the pack; the same commit makes the same pack again.
func TestAKilledImportIsRepeated(t *testing.T) {
	t.Parallel()
	killed := func() *bench {
		t.Helper()
		b := setup(t)
		if _, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "x"})); err != nil {
			t.Fatal(err)
		}
		indexes, _ := filepath.Glob(filepath.Join(b.dir, "objects/pack/pack-*.idx"))
		if len(indexes) != 1 {
			t.Fatalf("a commit made the packs %v", indexes)
		}
		if err := os.Rename(indexes[0], strings.TrimSuffix(indexes[0], ".idx")+".keep"); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(b.dir, "refs/heads/main")); err != nil {
			t.Fatal(err)
		}
		return b
	}
	again := func(b *bench) error {
		t.Helper()
		_, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "x"}))
		return err
	}

	b := killed()
	if err := b.git.Recover(b.dir, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := again(b); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	b.whole()

	b = killed()
	first := again(b) // git minds the mark
	if err := again(b); err != nil {
		t.Errorf("after %v: %v", first, err)
	}
	b.whole()
}

// Packing keeps what makes clones fast: few packs with a bitmap over them, and a graph of the commits; and what no
// reference leads to goes in time, though the packs never get too many.
func TestMaintainKeepsClonesFast(t *testing.T) {
	t.Parallel()
	b := setup(t)
	parent, all := "", ""
	commits := func(n int) {
		t.Helper()
		for i := range n {
			var err error
			if parent, err = b.git.Commit(t.Context(), b.dir, request(parent, git.FileChange{Path: "x", Content: fmt.Append(nil, i, parent)})); err != nil {
				t.Fatal(err)
			}
		}
	}
	maintain := func() (packs int) {
		t.Helper()
		if err := b.git.Maintain(t.Context(), b.dir); err != nil {
			t.Fatal(err)
		}
		found, _ := filepath.Glob(filepath.Join(b.dir, "objects/pack/pack-*.pack"))
		all = b.must("", "--git-dir="+b.dir, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
		return len(found)
	}
	commits(5)
	if n := maintain(); n != 5 || b.git.Untidy(b.dir) {
		t.Errorf("five small packs became %d", n)
	}
	for range 3 {
		commits(11)
		if n := maintain(); n > 5 || b.git.Untidy(b.dir) {
			t.Errorf("many small packs became %d", n)
		}
	}
	for _, pattern := range []string{"objects/pack/multi-pack-index*.bitmap", "objects/info/commit-graphs/*.graph"} {
		if found, _ := filepath.Glob(filepath.Join(b.dir, pattern)); len(found) == 0 {
			t.Errorf("there is no %s", pattern)
		}
	}
	b.whole()

	// What no reference leads to, all of it long ago.
	lost := b.must("", "--git-dir="+b.dir, "commit-tree", "-m", "lost", parent+"^{tree}")
	old := time.Now().Add(-100 * 24 * time.Hour)
	age := func() {
		_ = filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				_ = os.Chtimes(path, old, old)
			}
			return nil
		})
	}
	for range 2 { // packed ones are taken out of their pack first
		age()
		maintain()
	}
	if strings.Contains(all, lost) {
		t.Error("a lost commit stays")
	}
	b.must("", "clone", "-q", b.url, "a")
	if got := b.must("a", "rev-list", "--count", "HEAD"); got != "38" {
		t.Errorf("a clone has %s commits", got)
	}
	b.whole()
}
