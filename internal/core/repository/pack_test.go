package repository_test

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// folder gives where a repository is on disk.
func (b *bench) folder(r repository.Repository) string { return filepath.Join(b.dir, r.ID+".git") }

// age makes everything that a repository holds so old that packing drops what no reference leads to.
func (b *bench) age(r repository.Repository) {
	b.t.Helper()
	old := time.Now().Add(-100 * 24 * time.Hour)
	_ = filepath.WalkDir(filepath.Join(b.folder(r), "objects"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "tmp_") {
			return filepath.SkipDir // is being received
		}
		if err == nil && !d.IsDir() {
			_ = os.Chtimes(path, old, old) // it may go meanwhile
		}
		return nil
	})
}

// commits makes commits on a branch, each a pack of its own, and gives the last.
func (b *bench) commits(branch, parent string, n int) string {
	b.t.Helper()
	for i := range n {
		var err error
		if parent, err = b.CommitFiles(accesstest.As("alice"), "default/shop", git.CommitRequest{Branch: branch, Parent: parent, Message: "more",
			Changes: []git.FileChange{{Path: branch, Content: fmt.Appendf(nil, "%s %d", branch, i)}}}); err != nil {
			b.t.Error(err)
			break
		}
	}
	return parent
}

// sound makes sure that nothing is missing in a repository.
func (b *bench) sound(r repository.Repository) {
	b.t.Helper()
	if out := b.must("", "--git-dir="+b.folder(r), "fsck", "--full", "--strict", "--connectivity-only"); strings.Contains(out, "missing") {
		b.t.Errorf("fsck says %s", out)
	}
	b.must("", "--git-dir="+b.folder(r), "fsck", "--full", "--strict")
	b.must("", "clone", "-q", "--mirror", b.address("alice", r.FullName()), b.t.TempDir()+"/whole")
}

// writes takes the writer's lock of a repository as another process would.
func (b *bench) writes(r repository.Repository) (release func()) {
	b.t.Helper()
	file, err := os.OpenFile(filepath.Join(b.folder(r), "roadbed-writer"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		b.t.Fatal(err)
	}
	return func() { file.Close() }
}

// queue gives what starts something that writes a repository and waits until it is in the queue for that.
func (b *bench) queue(group *sync.WaitGroup, r repository.Repository) func(what func()) {
	return func(what func()) {
		at := b.Waiting(r.ID)
		group.Go(what)
		for b.Waiting(r.ID) == at {
		}
	}
}

// A push that has been checked, and waits to move its references, may build on a branch that is deleted before its turn
// comes. Packing in between leaves what it builds on.
func TestPackingLeavesWhatAPushBuildsOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		b.commits("main", "", 1)
		b.commits("side", "", 31) // more packs than are left alone
		b.must("", "clone", "-q", "-b", "side", b.address("alice", "default/shop"), "a")
		last := b.commit("a", "x", "on top of side")
		b.age(r)

		release := b.writes(r)
		var group sync.WaitGroup
		queue := b.queue(&group, r)
		var packed bool
		queue(func() { b.must("a", "push", "-q", "origin", ":side") })
		queue(func() {
			var err error
			if packed, err = b.Pack(t.Context(), r.ID); err != nil {
				t.Error(err)
			}
		})
		queue(func() { b.must("a", "push", "-q", "origin", "HEAD:top") })
		release()
		group.Wait()
		if packed {
			t.Error("it was packed while something was received")
		}
		b.sound(r)
		b.age(r)
		if packed, err := b.Pack(t.Context(), r.ID); err != nil || !packed {
			t.Errorf("afterwards it is packed: %v, %v", packed, err)
		}
		if packs, _ := filepath.Glob(filepath.Join(b.folder(r), "objects", "pack", "*.pack")); len(packs) > 2 {
			t.Errorf("there are still %d packs", len(packs))
		}
		b.sound(r)
		if head, err := b.Resolve(accesstest.As("alice"), "default/shop", "top"); err != nil || head != last {
			t.Errorf("top is at %s, %v", head, err)
		}
	})
}

// Packing, pushes, commits, fetches and deletions of branches at the same time lose nothing.
func TestPackingWhileInUse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		b.commits("main", "", 1)
		var writing, reading sync.WaitGroup
		heads := make([]string, 4) // the last is the platform's
		for w := range 3 {
			clone := fmt.Sprintf("w%d", w)
			b.must("", "clone", "-q", b.address("alice", "default/shop"), clone)
			writing.Go(func() {
				for i := range 4 {
					heads[w] = b.commit(clone, clone, fmt.Sprint(i))
					b.must(clone, "push", "-q", "origin", "HEAD:"+clone, "HEAD:passing-"+clone)
					b.must(clone, "push", "-q", "origin", ":passing-"+clone)
				}
			})
		}
		writing.Go(func() { heads[3] = b.commits("platform", "", 35) })
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
			b.must("", "clone", "-q", "--bare", b.address("rita", "default/shop"), fmt.Sprintf("read%d", i))
		})
		repeat(func(int) {
			b.age(r)
			if _, err := b.Pack(t.Context(), r.ID); err != nil {
				t.Error(err)
			}
		})
		writing.Wait()
		close(done)
		reading.Wait()
		b.age(r)
		if packed, err := b.Pack(t.Context(), r.ID); err != nil || !packed {
			t.Errorf("at the end it is packed: %v, %v", packed, err)
		}
		b.sound(r)
		for i, branch := range []string{"w0", "w1", "w2", "platform"} {
			if head, err := b.Resolve(accesstest.As("alice"), "default/shop", branch); err != nil || head != heads[i] {
				t.Errorf("%s is at %s, want %s: %v", branch, head, heads[i], err)
			}
		}
		b.chain("default/shop")
	})
}

// A repository that is deleted while it is pushed to is gone, with its folder; what is being received ends.
func TestDeletedWhilePushedTo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for i := range 4 {
			r := b.create("default/shop")
			clone := fmt.Sprintf("c%d", i)
			b.must("", "clone", "-q", b.address("alice", "default/shop"), clone)
			b.commit(clone, "x", fmt.Sprint(i))

			slow, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer slow.Close()
			fmt.Fprint(slow, "POST /git/default/shop.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDphbGljZQ==\r\n"+
				"Expect: 100-continue\r\nConnection: close\r\nContent-Type: application/x-git-receive-pack-request\r\nContent-Length: 1000\r\n\r\n")
			answer := make([]byte, 12)
			if _, err := io.ReadFull(slow, answer); err != nil || string(answer) != "HTTP/1.1 100" { // it is being received
				t.Fatalf("%q, %v", answer, err)
			}
			var pushed sync.WaitGroup
			pushed.Go(func() {
				for n := 0; ; n++ {
					if _, err := b.client(clone, "push", "-q", "origin", fmt.Sprintf("HEAD:b%d", n)); err != nil {
						return
					}
				}
			})
			for { // until the pushes are under way
				if refs, err := b.Refs(accesstest.As("alice"), "default/shop"); err != nil || len(refs) > i {
					break
				}
			}
			if err := b.Purge(accesstest.As("adam"), "default/shop"); err != nil {
				t.Fatal(err)
			}
			pushed.Wait()
			if rest, err := io.ReadAll(slow); err != nil || !strings.Contains(string(rest), "deleted meanwhile") {
				t.Errorf("the push that was under way was answered %q, %v", rest, err)
			}
			if _, err := b.Get(accesstest.As("adam"), "default/shop"); !fault.Is(err, fault.NotFound) {
				t.Errorf("it is still there: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(b.dir, "*"+r.ID+"*")); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
		}
	})
}

// What changed while a change waited for its turn holds for it: rights, the space and the name.
func TestChangesMeanwhileHold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r, err := b.Create(accesstest.As("carol"), repository.NewRepository{Space: "lab", Name: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("carol", "default/shop"), "a")
		b.commit("a", "x", "1")
		release := b.writes(r)
		var group sync.WaitGroup
		queue := b.queue(&group, r)
		queue(func() {
			if _, err := b.Transfer(accesstest.As("adam"), "default/shop", "default"); err != nil {
				t.Error(err)
			}
		})
		queue(func() {
			b.refused("repository:write in space default is missing", "a", "push", "-q", "origin", "HEAD:main")
		})
		queue(func() {
			if _, err := b.Rename(accesstest.As("adam"), "default/shop", "default/store"); err != nil {
				t.Error(err)
			}
		})
		queue(func() {
			if err := b.Delete(accesstest.As("adam"), "default/shop"); !fault.Is(err, fault.NotFound) {
				t.Errorf("a repository is deleted by a name that it has no more: %v", err)
			}
		})
		release()
		group.Wait()
		if r, err := b.Get(accesstest.As("adam"), "default/store"); err != nil || r.Space != "default" || r.Head != "" {
			t.Errorf("in the end it is %+v, %v", r, err)
		}
	})
}
