package repository_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

var nothing = short(repository.Zero)

func TestPushesAreInTheLedger(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		first := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD:side")
		b.must("a", "push", "-q", "origin", "main") // nothing new
		second := b.commit("a", "x", "2")
		b.must("a", "tag", "v1")
		b.must("a", "push", "-q", b.address("bob", "default/shop"), "main", "v1", ":side")
		for range 3 {
			if err := b.Settle(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
		b.same("pushes", b.pushes("default/shop"),
			"pri_alice refs/heads/main "+nothing+" "+short(first),
			"pri_alice refs/heads/side "+nothing+" "+short(first),
			"pri_bob refs/heads/main "+short(first)+" "+short(second),
			"pri_bob refs/heads/side "+short(first)+" "+nothing,
			"pri_bob refs/tags/v1 "+nothing+" "+short(second))
		entries := b.entries("default/shop")
		if e := entries[0]; e.Type != "repository.created" || e.Subject != "repository:default/shop" || e.Actor != "pri_alice" || e.Space != "default" {
			t.Errorf("the first entry is %+v", e)
		}
		got, err := b.Get(accesstest.As("rita"), "Default/Shop.git")
		if err != nil || got.Head != second || got.Pushed.IsZero() || got.CreatedBy != "pri_alice" {
			t.Errorf("the repository is %+v, %v", got, err)
		}
	})
}

func TestProtectedDefaultBranch(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		first := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD:side")
		second := b.commit("a", "x", "2")
		b.must("a", "push", "-q", "origin", "main", "HEAD:side")
		b.must("a", "reset", "-q", "--hard", first)
		third := b.commit("a", "x", "3")
		b.refused("main is the default branch of default/shop and protected: it can't be rewritten; pull, then push", "a", "push", "-f", "origin", "main")
		b.refused("it can't be deleted", "a", "push", "origin", ":main")
		b.refused("push branches, tags or notes", "a", "push", "origin", "HEAD:refs/pull/1/head")
		b.refused("can't be told from a commit", "a", "push", "origin", "HEAD:refs/heads/"+first)
		b.must("a", "push", "-q", "-f", "origin", "HEAD:side")
		no := false
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{Protected: &no}); err != nil {
			t.Fatal(err)
		}
		b.must("a", "push", "-q", "-f", "origin", "main")
		main := "side"
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{DefaultBranch: &main}); err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("rita", "default/shop"), "r")
		if got := b.must("r", "branch", "--show-current"); got != "side" {
			t.Errorf("a clone is on %s", got)
		}
		b.must("a", "push", "-q", "origin", ":main")
		b.same("pushes", b.pushes("default/shop")[2:],
			"pri_alice refs/heads/main "+short(first)+" "+short(second),
			"pri_alice refs/heads/side "+short(first)+" "+short(second),
			"pri_alice refs/heads/side "+short(second)+" "+short(third),
			"pri_alice refs/heads/main "+short(second)+" "+short(third),
			"pri_alice refs/heads/main "+short(third)+" "+nothing)
	})
}

// A repository takes only so many references.
func TestTooManyReferences(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		head := b.commits("main", "", 1)
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.must("a", "push", "-q", "origin", "HEAD:side")
		var refs strings.Builder
		refs.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
		for i := range 50_000 - 2 {
			fmt.Fprintf(&refs, "%s refs/notes/n%06d\n", head, i)
		}
		if err := os.WriteFile(filepath.Join(b.dir, r.ID+".git", "packed-refs"), []byte(refs.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		b.refused("delete some that are not needed", "a", "push", "origin", "HEAD:one-more")
		if _, err := b.Resolve(accesstest.As("alice"), "default/shop", "one-more"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}

// Many write at once; every change has its one entry, in an order in which each begins where the last one ended.
func TestConcurrentPushes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		head, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "x", ""))
		if err != nil {
			t.Fatal(err)
		}
		const writers, rounds = 3, 3
		var group sync.WaitGroup
		for w := range writers {
			clone := fmt.Sprintf("w%d", w)
			who := []string{"alice", "bob"}[w%2]
			b.must("", "clone", "-q", b.address(who, "default/shop"), clone)
			group.Go(func() {
				for i := range rounds {
					b.commit(clone, clone, fmt.Sprint(i))
					b.must(clone, "push", "-q", "origin", "HEAD:"+clone)
				}
			})
			group.Go(func() {
				parent := head
				for i := range rounds {
					request := files(parent, "y", fmt.Sprint(w, i))
					request.Branch = "main"
					_, err := b.CommitFiles(accesstest.As(who), "default/shop", request)
					if err != nil && !fault.Is(err, fault.Conflict) {
						t.Error(err)
					}
					if parent, err = b.Platform().Head(t.Context(), "default/shop", "main"); err != nil {
						t.Error(err)
					}
				}
			})
			group.Go(func() {
				for range rounds {
					if err := b.Settle(t.Context(), r.ID); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		b.chain("default/shop")
		if got := len(b.pushes("default/shop")); got < 1+writers*rounds {
			t.Errorf("there are only %d pushes", got)
		}
	})
}

// chain makes sure that the entries of each reference follow one another and end where git is.
func (b *bench) chain(name string) {
	b.t.Helper()
	at := map[string]string{}
	for _, line := range b.pushes(name) {
		f := strings.Fields(line)
		if old := at[f[1]]; old == "" && f[2] != nothing || old != "" && old != f[2] {
			b.t.Errorf("%s does not follow %q", line, old)
		}
		at[f[1]] = f[3]
		if f[3] == nothing {
			delete(at, f[1])
		}
	}
	refs, err := b.Refs(accesstest.As("adam"), name)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range refs {
		if at[r.Name] != short(r.Hash) {
			b.t.Errorf("%s is at %s, the ledger's last word is %q", r.Name, r.Hash, at[r.Name])
		}
		delete(at, r.Name)
	}
	if len(at) != 0 {
		b.t.Errorf("the ledger has %v, which is not there", at)
	}
}

// What somebody did to a folder past the server is recorded at the next start or push, as the platform's doing.
func TestChangesPastTheServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "x", "1"))
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(b.dir, r.ID+".git")
		b.must("", "--git-dir="+folder, "update-ref", "refs/heads/hand", first)
		second, err := b.CommitFiles(accesstest.As("bob"), "default/shop", files(first, "x", "2"))
		if err != nil {
			t.Fatal(err)
		}
		b.must("", "--git-dir="+folder, "update-ref", "-d", "refs/heads/hand")
		again := open(t, b.db, b.dir)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- again.Run(ctx) }()
		for len(again.pushes("default/shop")) < 4 {
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		again.same("pushes", again.pushes("default/shop"),
			"pri_alice refs/heads/main "+nothing+" "+short(first),
			"system refs/heads/hand "+nothing+" "+short(first),
			"pri_bob refs/heads/main "+short(first)+" "+short(second),
			"system refs/heads/hand "+short(first)+" "+nothing)
	})
}
