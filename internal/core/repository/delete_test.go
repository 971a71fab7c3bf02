package repository_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// kinds gives the entries of a repository by type, in their order.
func (b *bench) kinds(name string) string {
	b.t.Helper()
	var kinds []string
	for _, e := range b.entries(name) {
		kinds = append(kinds, strings.TrimPrefix(e.Type, "repository."))
	}
	return strings.Join(kinds, " ")
}

// rows counts what is kept of repositories.
func (b *bench) rows() (n int) {
	b.t.Helper()
	err := b.db.Read(b.t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(b.t.Context(), `SELECT (SELECT COUNT(*) FROM repositories) + (SELECT COUNT(*) FROM repository_refs)`).Scan(&n)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// A deleted repository is hidden at once and from everybody, keeps its name, and comes back as it was.
func TestADeletedRepositoryIsHiddenAndComesBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, bob, adam, rita := accesstest.As("alice"), accesstest.As("bob"), accesstest.As("adam"), accesstest.As("rita")
		r := b.create("default/shop")
		if _, err := b.Rename(adam, "default/shop", "default/store"); err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("alice", "default/store"), "a")
		head := b.commit("a", "x", "1")
		b.must("a", "push", "-q", b.address("alice", "default/store"), "HEAD:main")
		if err := b.Delete(bob, "default/store"); !fault.Is(err, fault.Denied) {
			t.Errorf("bob, who neither made nor administers it, deletes it: %v", err)
		}
		if err := b.Delete(alice, "default/store"); err != nil {
			t.Fatal(err)
		}
		b.refused("there is no repository", "a", "fetch", b.address("alice", "default/store"))
		b.refused("there is no repository", "a", "push", b.address("alice", "default/store"), "HEAD:side")
		for what, err := range map[string]error{
			"get":         second(b.Get(adam, "default/store")),
			"id":          second(b.Platform().ByID(adam, r.ID)),
			"former name": second(b.Moved(adam, "default/shop")),
			"commit":      second(b.CommitFiles(adam, "default/store", files(head, "x", "2"))),
			"settings":    second(b.Rename(adam, "default/store", "default/other")),
			"again":       b.Delete(adam, "default/store"),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if exists, err := b.Platform().Exists(adam, r.ID); err != nil || !exists {
			t.Errorf("its images would go: %v, %v", exists, err)
		}
		ids := []string{r.ID}
		for i := range 1100 {
			ids = append(ids, fmt.Sprint("rep_", i))
		}
		slices.Reverse(ids)
		if there, err := b.Platform().Existing(adam, append(ids, "rep_x")); err != nil || !maps.Equal(there, map[string]bool{r.ID: true}) {
			t.Errorf("of many there are %v, %v", there, err)
		}
		for who, hint := range map[string]bool{"adam": true, "alice": true, "bob": false} {
			_, err := b.Create(accesstest.As(who), repository.NewRepository{Name: "store"})
			if !fault.Is(err, fault.Conflict) || strings.Contains(fault.Message(err), "repo restore") != hint {
				t.Errorf("%s takes its name: %v", who, err)
			}
		}
		list := func(ctx context.Context, deleted bool) string {
			page, err := b.List(ctx, repository.Query{Deleted: deleted})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range page.Items {
				names = append(names, r.FullName())
				if deleted && (r.Deleted.IsZero() || r.DeletedBy != "pri_alice" || r.Purge.Sub(r.Deleted) != repository.DefaultGrace) {
					t.Errorf("it says %+v", r)
				}
			}
			return strings.Join(names, " ")
		}
		b.same("lists", []string{list(adam, false), list(rita, false), list(adam, true), list(alice, true), list(bob, true), list(rita, true)},
			"", "", "default/store", "default/store", "", "")
		for _, who := range []string{"bob", "rita"} {
			if _, err := b.Restore(accesstest.As(who), "default/store"); !fault.Is(err, fault.Denied) {
				t.Errorf("%s restores it: %v", who, err)
			}
		}
		if _, err := b.Restore(accesstest.As("carol"), "default/store"); !fault.Is(err, fault.NotFound) {
			t.Errorf("carol learns of it: %v", err)
		}
		back, err := b.Restore(adam, "default/store")
		if err != nil || back.ID != r.ID || back.Head != head || !back.Deleted.IsZero() {
			t.Fatalf("restored %+v, %v", back, err)
		}
		if _, err := b.Restore(adam, "default/store"); !fault.Is(err, fault.NotFound) {
			t.Errorf("restored twice: %v", err)
		}
		if now, err := b.Moved(adam, "default/shop"); err != nil || now != "default/store" {
			t.Errorf("the former name leads to %q, %v", now, err)
		}
		b.must("a", "push", "-q", b.address("alice", "default/store"), "HEAD:side")
		b.same("entries", []string{b.kinds("default/store")}, "renamed pushed deleted restored pushed")
		b.must("", "--git-dir="+filepath.Join(b.dir, r.ID+".git"), "fsck", "--full", "--strict")
	})
}

func second[T any](_ T, err error) error { return err }

// When its time is over, a deleted repository goes for good, once, and its name is as one that became free.
func TestADeletedRepositoryGoesWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, adam := accesstest.As("alice"), accesstest.As("adam")
		r := b.create("default/shop")
		kept := b.create("default/kept")
		if _, err := b.CommitFiles(alice, "default/shop", files("", "x", "y")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"default/shop", "default/kept"} {
			if err := b.Delete(alice, name); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Restore(alice, "default/kept"); err != nil {
			t.Fatal(err)
		}
		b.purged(time.Now()) // too early
		if n := b.rows(); n != 3 {
			t.Fatalf("%d rows are left before its time is over", n)
		}
		later := time.Now().Add(repository.DefaultGrace + time.Minute)
		for range 2 {
			b.purged(later)
		}
		if n := b.rows(); n != 1 {
			t.Errorf("%d rows are left", n)
		}
		if there, err := b.Platform().Existing(adam, []string{r.ID, kept.ID}); err != nil || !maps.Equal(there, map[string]bool{kept.ID: true}) {
			t.Errorf("there are %v, %v", there, err)
		}
		if _, err := os.Stat(filepath.Join(b.dir, r.ID+".git")); !os.IsNotExist(err) {
			t.Errorf("its folder: %v", err)
		}
		if _, err := b.Get(alice, kept.FullName()); err != nil {
			t.Errorf("the restored one: %v", err)
		}
		b.same("entries", []string{b.kinds("default/shop")}, "created pushed deleted purged")
		if _, err := b.Restore(adam, "default/shop"); !fault.Is(err, fault.NotFound) {
			t.Errorf("restored after its end: %v", err)
		}
		if _, err := b.Create(accesstest.As("bob"), repository.NewRepository{Name: "shop"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("bob takes the name: %v", err)
		}
		b.create("default/shop")
	})
}

// purged does once, at a time, what the service does now and then.
func (b *bench) purged(at time.Time) {
	b.t.Helper()
	b.Service.At(func() time.Time { return at }).PurgeDue(b.t.Context())
}

// For good at once is for administrators, also of what was deleted before.
func TestPurgedByHand(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, adam := accesstest.As("alice"), accesstest.As("adam")
		b.create("default/one")
		b.create("default/two")
		if err := b.Purge(alice, "default/one"); !fault.Is(err, fault.Denied) {
			t.Errorf("who made it: %v", err)
		}
		if err := b.Delete(alice, "default/two"); err != nil {
			t.Fatal(err)
		}
		if err := b.Purge(alice, "default/two"); !fault.Is(err, fault.Denied) {
			t.Errorf("who made and deleted it: %v", err)
		}
		if err := b.Purge(accesstest.As("carol"), "default/two"); !fault.Is(err, fault.NotFound) {
			t.Errorf("who may not see it: %v", err)
		}
		for _, name := range []string{"default/one", "default/two"} {
			if err := b.Purge(adam, name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			b.same("entries", []string{b.kinds(name)}, "created deleted purged")
		}
		if left, _ := os.ReadDir(b.dir); len(left) != 0 || b.rows() != 0 {
			t.Errorf("there is left %v", left)
		}
		b.Grace(0)
		b.create("default/one")
		if err := b.Delete(adam, "default/one"); err != nil || b.rows() != 0 {
			t.Errorf("without a grace: %v, %d rows", err, b.rows())
		}
	})
}

// What was pushed and not recorded when a repository is deleted is told before its end.
func TestAPushIsToldBeforeTheEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		if _, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "x", "y")); err != nil {
			t.Fatal(err)
		}
		b.must("", "--git-dir="+filepath.Join(b.dir, r.ID+".git"), "branch", "past-the-server", "main")
		if err := b.Delete(accesstest.As("alice"), "default/shop"); err != nil {
			t.Fatal(err)
		}
		b.same("entries", []string{b.kinds("default/shop")}, "created pushed pushed deleted")
	})
}

// Settings, space and name change together or not at all.
func TestAChangeIsWhole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam := accesstest.As("adam")
		r := b.create("default/shop")
		b.create("default/taken")
		text, lab, trunk, yes := "Sells things", "lab", "trunk", true
		change := func(name string) error {
			_, err := b.Update(adam, "default/shop", repository.Change{Description: &text, DefaultBranch: &trunk, Archived: &yes, Space: &lab, Name: &name})
			return err
		}
		if err := change("default/taken"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a name that is taken: %v", err)
		}
		if err := change("../x"); !fault.Is(err, fault.Invalid) {
			t.Errorf("no name: %v", err)
		}
		if now, err := b.Get(adam, "default/shop"); err != nil || now.Description != "" || now.Space != "default" || now.DefaultBranch != "main" || now.Archived {
			t.Errorf("half of it is done: %+v, %v", now, err)
		}
		b.same("entries", []string{b.kinds("default/shop")}, "created")
		if err := change("Team/Store"); err != nil {
			t.Fatal(err)
		}
		now, err := b.Get(adam, "team/store")
		if err != nil || now.Description != text || now.Space != lab || now.DefaultBranch != trunk || !now.Archived || now.ID != r.ID {
			t.Errorf("it is %+v, %v", now, err)
		}
		b.same("entries", []string{b.kinds("default/shop"), b.kinds("team/store")}, "created changed transferred renamed", "renamed")
		if head := b.must("", "--git-dir="+filepath.Join(b.dir, r.ID+".git"), "symbolic-ref", "HEAD"); head != "refs/heads/trunk" {
			t.Errorf("HEAD is %s", head)
		}
		if same, err := b.Update(adam, "team/store", repository.Change{Space: &lab}); err != nil || same.Space != lab {
			t.Error(err)
		}
		b.same("entries", []string{b.kinds("team/store")}, "renamed")
	})
}
