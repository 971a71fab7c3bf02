package repository_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestCreateNamesAndLists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, adam := accesstest.As("alice"), accesstest.As("adam")
		for _, bad := range []string{"", ".", "..", "-a", "a/b", "a b", "a..", "x.git", "x.lock", "ä", "a%2e", strings.Repeat("a", 64), "a\x00"} {
			_, err := b.Create(alice, repository.NewRepository{Name: bad})
			if bad == "x.git" { // the ending of the address is taken off
				if err != nil {
					t.Error(err)
				}
				continue
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("name %q: %v", bad, err)
			}
		}
		for _, n := range []repository.NewRepository{
			{Name: "a", DefaultBranch: "../x"}, {Name: "a", Namespace: "../x"}, {Name: "a", Description: strings.Repeat("x", 2000)},
		} {
			if _, err := b.Create(alice, n); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", n, err)
			}
		}
		if _, err := b.Create(adam, repository.NewRepository{Name: "a", Space: "nowhere"}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if _, err := b.Create(alice, repository.NewRepository{Name: "X"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a name that differs in case: %v", err)
		}
		for i := range 5 {
			if _, err := b.Create(adam, repository.NewRepository{Namespace: "lab", Name: fmt.Sprintf("r%d", i), Space: "lab", Description: "Tools of the lab"}); err != nil {
				t.Fatal(err)
			}
		}
		list := func(ctx context.Context, q repository.Query) string {
			var names []string
			for {
				page, err := b.List(ctx, q)
				if err != nil {
					return err.Error()
				}
				for _, r := range page.Items {
					names = append(names, r.FullName())
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					return strings.Join(names, " ")
				}
			}
		}
		all, lab := "default/x lab/r0 lab/r1 lab/r2 lab/r3 lab/r4", "lab/r0 lab/r1 lab/r2 lab/r3 lab/r4"
		for what, c := range map[string][2]string{
			"adam":            {list(adam, repository.Query{Limit: 2}), all},
			"carol":           {list(accesstest.As("carol"), repository.Query{}), lab},
			"namespace":       {list(adam, repository.Query{Namespace: "LAB", Limit: 5}), lab},
			"space":           {list(adam, repository.Query{Space: "default"}), "default/x"},
			"name":            {list(adam, repository.Query{Text: "b/R3"}), "lab/r3"},
			"description":     {list(adam, repository.Query{Text: "tools OF"}), lab},
			"wildcard":        {list(adam, repository.Query{Text: "%"}), ""},
			"scope":           {list(accesstest.As("adam", "repository:read=lab/r1", "repository:read=no/no"), repository.Query{}), "lab/r1"},
			"scope of others": {list(accesstest.As("carol", "repository:read=default/x"), repository.Query{}), ""},
		} {
			if c[0] != c[1] {
				t.Errorf("%s: %s, want %s", what, c[0], c[1])
			}
		}
		if _, err := b.List(context.Background(), repository.Query{}); !fault.Is(err, fault.Unauthenticated) {
			t.Error(err)
		}
		if _, err := b.List(adam, repository.Query{Cursor: "x"}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

func TestRenameTransferDelete(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam := accesstest.As("adam")
		r := b.create("default/shop")
		b.create("default/taken")
		head, err := b.CommitFiles(adam, "default/shop", files("", "x", "y"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Rename(adam, "default/shop", "default/taken"); !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
		if moved, err := b.Rename(adam, "default/shop", "team/store"); err != nil || moved.ID != r.ID || moved.Head != head {
			t.Error(moved, err)
		}
		if _, err := b.Get(adam, "default/shop"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if _, err := b.Transfer(adam, "team/store", "nowhere"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if moved, err := b.Transfer(adam, "team/store", "lab"); err != nil || moved.Space != "lab" {
			t.Error(moved, err)
		}
		b.must("", "clone", "-q", b.address("carol", "team/store"), "c")
		second := b.commit("c", "x", "z")
		b.must("c", "push", "-q")
		b.same("pushes", b.pushes("team/store"), "pri_carol refs/heads/main "+short(head)+" "+short(second))
		if err := b.Purge(adam, "team/store"); err != nil {
			t.Fatal(err)
		}
		b.refused("there is no repository", "c", "fetch")
		if left, _ := os.ReadDir(b.dir); len(left) != 1 {
			t.Errorf("there is left %v", left)
		}
		types := ""
		for _, e := range b.entries("team/store") {
			types += e.Type + " " + e.Space + ", "
		}
		if types != "repository.renamed default, repository.transferred lab, repository.pushed lab, repository.deleted lab, repository.purged lab, " {
			t.Error(types)
		}
		if history := b.entries("default/shop"); history[len(history)-1].Type != "repository.renamed" {
			t.Error("the old name's history does not end with the renaming")
		}
		again := b.create("default/shop")
		if again.Head != "" || again.ID == r.ID {
			t.Errorf("the new repository is %+v", again)
		}
	})
}

// What means a repository by its name (images, locations, stacks) must not come to mean a stranger's.
func TestANameThatBecameFreeIsNoStrangers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, bob, carol, adam := accesstest.As("alice"), accesstest.As("bob"), accesstest.As("carol"), accesstest.As("adam")
		create := func(ctx context.Context, space string) error {
			_, err := b.Create(ctx, repository.NewRepository{Namespace: "team", Name: "pay", Space: space})
			return err
		}
		if err := create(alice, "default"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Rename(adam, "team/pay", "team/other"); err != nil {
			t.Fatal(err)
		}
		for who, try := range map[string]func() error{
			"bob, of its space":          func() error { return create(bob, "default") },
			"carol, in another space":    func() error { return create(carol, "lab") },
			"adam, in another space":     func() error { return create(adam, "lab") },
			"carol, by another's rename": func() error { _, err := b.Rename(accesstest.As("bob"), "team/other", "team/pay"); return err },
		} {
			if err := try(); !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Denied) {
				t.Errorf("%s takes the name: %v", who, err)
			}
		}
		for _, who := range []context.Context{alice, adam} {
			if err := create(who, "default"); err != nil {
				t.Fatal(err)
			}
			if err := b.Purge(adam, "team/pay"); err != nil {
				t.Fatal(err)
			}
		}
		if err := create(alice, "default"); !fault.Is(err, fault.Conflict) {
			t.Errorf("alice takes the name of adam's: %v", err)
		}
	})
}

// Whoever chose a repository's id can make it again after a crash, wherever that came.
func TestARepositoryWithAChosenIDIsMadeAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		n := repository.NewRepository{ID: repository.NewID(time.Now()), Namespace: "team", Name: "pay", Space: "default"}
		for _, left := range []string{"draft-" + n.ID, n.ID + ".git"} { // what a kill leaves before the row is written
			if err := os.MkdirAll(filepath.Join(b.dir, left, "objects", "half"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		made, err := b.Create(alice, n)
		if err != nil || made.ID != n.ID {
			t.Fatalf("made %+v, %v", made, err)
		}
		if _, err := b.Create(alice, n); !fault.Is(err, fault.Conflict) {
			t.Errorf("made twice: %v", err)
		}
		n.Name = "other"
		if _, err := b.Create(alice, n); !fault.Is(err, fault.Conflict) {
			t.Errorf("the id of another one is taken: %v", err)
		}
		b.must("", "clone", "-q", b.address("alice", "team/pay"), "a")
		n.ID = "rep_x"
		if _, err := b.Create(alice, n); !fault.Is(err, fault.Invalid) {
			t.Errorf("a wrong id: %v", err)
		}
	})
}

// A copy that is made while pushes go on is a whole repository, and serves as one.
func TestCopyWhileInUse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		gone := b.create("default/gone")
		if err := os.RemoveAll(filepath.Join(b.dir, gone.ID+".git")); err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "x", "0")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 5 {
				b.commit("a", "x", fmt.Sprint("more", i))
				b.must("a", "push", "-q", "origin", "HEAD:main")
			}
		}()
		target := filepath.Join(t.TempDir(), "copy")
		if err := b.Copy(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		<-done
		copied := filepath.Join(target, r.ID+".git")
		b.must("", "--git-dir="+copied, "fsck", "--full", "--strict")
		head := b.must("", "--git-dir="+copied, "rev-parse", "main")
		b.must("a", "merge-base", "--is-ancestor", head, "main")
		if err := b.Copy(t.Context(), target); !fault.Is(err, fault.Conflict) {
			t.Errorf("a copy over a copy: %v", err)
		}
	})
}

// Folders of repositories that never came to be are removed, others are not.
func TestOrphansAreRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		kept := b.create("default/shop")
		old := time.Now().Add(-3 * time.Hour)
		orphan, draft, young, strange := ref.NewID("rep", old)+".git", "draft-"+ref.NewID("rep", old), ref.NewID("rep", time.Now())+".git", "strange"
		for _, name := range []string{orphan, draft, young, strange} {
			if err := os.MkdirAll(filepath.Join(b.dir, name, "objects"), 0o700); err != nil {
				t.Fatal(err)
			}
			if name != young {
				if err := os.Chtimes(filepath.Join(b.dir, name), old, old); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.Chtimes(filepath.Join(b.dir, kept.ID+".git"), old, old); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		for {
			if _, err := os.Stat(filepath.Join(b.dir, draft)); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
		for {
			if _, err := os.Stat(filepath.Join(b.dir, orphan)); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, name := range []string{kept.ID + ".git", young, strange} {
			if _, err := os.Stat(filepath.Join(b.dir, name)); err != nil {
				t.Error(err)
			}
		}
	})
}
