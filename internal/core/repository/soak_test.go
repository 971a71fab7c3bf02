package repository_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Two push to one branch and each to many of their own, others clone, whole and shallow, while it is packed, and others
// still are cloned while they are deleted: every push that was taken is there, nothing is damaged, and nothing is left,
// neither a process nor a file that stands for something half done.
func TestAllAtOnceLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		const rounds = 6
		r := b.create("default/shop")
		b.commits("main", "", 31) // more packs than are left alone
		var writing, reading sync.WaitGroup
		taken := map[string][]string{} // commits, by who pushed them to the branch of both
		var mu sync.Mutex
		for _, who := range []string{"alice", "bob"} {
			b.must("", "clone", "-q", b.address(who, "default/shop"), who)
			b.must(who, "switch", "-q", "-c", "both")
			writing.Go(func() {
				for i := range rounds {
					for b.commit(who, who, fmt.Sprint(i)); ; {
						if _, err := b.client(who, "push", "-q", "--atomic", "origin", "HEAD:both", fmt.Sprintf("HEAD:%s-%d", who, i)); err == nil {
							break
						}
						// The other was first: of two pushes to one branch one is refused, and builds on the other's.
						b.must(who, "fetch", "-q", "origin", "both")
						b.must(who, "rebase", "-q", "FETCH_HEAD")
					}
					mu.Lock()
					taken[who] = append(taken[who], b.must(who, "rev-parse", "HEAD"))
					mu.Unlock()
				}
			})
		}
		done := make(chan struct{})
		repeat := func(what func(i int)) {
			reading.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					default:
						what(i)
					}
				}
			})
		}
		repeat(func(i int) {
			b.must("", "clone", "-q", "--bare", b.address("rita", "default/shop"), fmt.Sprintf("whole%d", i))
			b.must("", "clone", "-q", "--bare", "--depth", "1", b.address("rita", "default/shop"), fmt.Sprintf("shallow%d", i))
		})
		repeat(func(int) {
			if _, err := b.Pack(t.Context(), r.ID); err != nil {
				t.Error(err)
			}
		})
		writing.Go(func() {
			for i := range rounds {
				b.deletedWhileCloned(fmt.Sprintf("passing%d", i))
			}
		})
		writing.Wait()
		close(done)
		reading.Wait()
		b.sound(r)
		b.chain("default/shop")
		for who, commits := range taken {
			for i, commit := range commits {
				if head, err := b.Resolve(accesstest.As("alice"), "default/shop", fmt.Sprintf("%s-%d", who, i)); err != nil || head != commit {
					t.Errorf("%s-%d is at %s, want %s: %v", who, i, head, commit, err)
				}
				if in, err := b.Platform().IsAncestor(t.Context(), "default/shop", commit, b.must("", "--git-dir="+b.folder(r), "rev-parse", "both")); err != nil || !in {
					t.Errorf("the push of %s by %s is lost: %v", commit, who, err)
				}
			}
		}
		b.nothingLeft()
	})
}

// deletedWhileCloned deletes a repository that somebody clones again and again: a clone is whole or refused.
func (b *bench) deletedWhileCloned(name string) {
	r := b.create("default/" + name)
	if _, err := b.CommitFiles(accesstest.As("alice"), r.FullName(), git.CommitRequest{Branch: "main", Message: "large", Changes: []git.FileChange{
		{Path: "a", Content: []byte(strings.Repeat("some line\n", 50_000))},
	}}); err != nil {
		b.t.Error(err)
		return
	}
	cloned := make(chan bool)
	var cloning sync.WaitGroup
	cloning.Go(func() {
		for i := 0; ; i++ {
			copied := fmt.Sprintf("%s-%d", name, i)
			out, err := b.client("", "clone", "-q", "--bare", b.address("rita", r.FullName()), copied)
			if i == 0 {
				close(cloned)
			}
			if err != nil {
				if i == 0 {
					b.t.Errorf("the first clone of %s: %v\n%s", name, err, out)
				}
				return
			}
			b.must("", "--git-dir="+copied, "fsck", "--full", "--strict")
		}
	})
	<-cloned
	if err := b.Purge(accesstest.As("adam"), r.FullName()); err != nil {
		b.t.Error(err)
	}
	cloning.Wait()
	if _, err := b.Get(accesstest.As("adam"), r.FullName()); !fault.Is(err, fault.NotFound) {
		b.t.Errorf("%s is still there: %v", name, err)
	}
}

// nothingLeft makes sure that no process works in the folder of repositories, and no file of something half done is in it.
func (b *bench) nothingLeft() {
	b.t.Helper()
	for _, cwd := range glob("/proc/[0-9]*/cwd") { // none where there is no /proc
		if at, err := os.Readlink(cwd); err == nil && strings.HasPrefix(at, b.dir) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(cwd), "cmdline")) // it may have ended
			if len(command) > 0 {
				b.t.Errorf("%s works in %s still", strings.ReplaceAll(string(command), "\x00", " "), at)
			}
		}
	}
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		for _, half := range []string{"tmp_", ".tmp-", "incoming-", "draft-", "gc.pid"} {
			if strings.HasPrefix(name, half) {
				b.t.Errorf("%s is left", path)
			}
		}
		if strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".new") {
			b.t.Errorf("%s is left", path)
		}
		return nil
	})
	if err != nil {
		b.t.Error(err)
	}
}

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern) // the pattern is sound
	return found
}
