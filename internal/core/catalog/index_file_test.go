package catalog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// A start reads the index that the last stop has kept, and what has changed since; it reads all entities where that is not
// of this database or damaged.
func TestTheIndexIsKeptOverAStop(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		path := filepath.Join(t.TempDir(), "cache", "catalog.index")
		// life gives what a server that has its index at a path, if any, answers from its start to its stop.
		life := func(b *bench, at string) string {
			t.Helper()
			s := b.another()
			if at != "" {
				s.KeepIndex(at)
			}
			away, leave := context.WithCancel(system())
			leave()
			if _, err := s.Counts(away, index.FacetQuery{Keys: []string{"kind"}}); err == nil {
				t.Error("who has left is answered")
			}
			ctx, stop := context.WithCancel(system())
			var running sync.WaitGroup
			running.Go(func() {
				if err := s.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			counts, err := s.Counts(system(), index.FacetQuery{Keys: []string{"kind", "metadata.name", "metadata.title", "spec.type", "relations.dependsOn", "metadata.tags", index.KeySpace}})
			if err != nil {
				t.Fatal(err)
			}
			stop()
			running.Wait()
			s.SaveIndex(system())
			return fmt.Sprint(counts)
		}
		same := func(b *bench, why string) {
			t.Helper()
			b.sealed()
			if got, want := life(b, path), life(b, ""); got != want {
				t.Errorf("%s: with the kept index\n%s\nwithout\n%s", why, got, want)
			}
		}
		b.apply(as("alice"), "default", "fleet", fleet)
		same(b, "the first start")
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("nothing is kept: %v, %v", info, err)
		}
		same(b, "nothing has changed")

		b.apply(as("alice"), "default", "fleet", strings.Replace(fleet, "The Cart", "Cart", 1))
		b.apply(as("olga"), "ops", "hidden", hidden)
		if err := b.Delete(system(), parseRef(t, "component:default/search"), ""); err != nil {
			t.Fatal(err)
		}
		same(b, "one is new, one other, one gone")

		taken := func(ref string) {
			t.Helper()
			err := b.db.Write(system(), func(tx *store.Tx) error { // which the ledger does not tell
				_, err := tx.Exec(system(), `DELETE FROM entities WHERE ref = $1`, ref)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		taken("resource:default/db")
		if kept, read := life(b, path), life(b, ""); kept == read || !strings.Contains(kept, "{db 1}") {
			t.Errorf("the kept index is not what answers:\n%s", kept)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text[:len(text)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		same(b, "a torn file")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		other := setup(t, storetest.SQLite(t, rooms()...))
		other.apply(as("alice"), "default", "fleet", fleet)
		for i := range 20 { // so that its ledger is as long
			other.apply(as("alice"), "default", "more", fmt.Sprintf("{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: more-%d}, spec: {type: service, lifecycle: test, owner: team}}", i))
		}
		same(other, "another database")
	})
}

// A server that is killed leaves the index as it was kept some time before, while it was answering.
func TestTheIndexIsKeptForAfterAKill(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		path := filepath.Join(t.TempDir(), "cache", "catalog.index")
		counts := func(s *catalog.Service) string {
			t.Helper()
			counts, err := s.Counts(system(), index.FacetQuery{Keys: []string{"kind", "metadata.name", "metadata.title", "relations.dependsOn", index.KeySpace}})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(counts)
		}
		b.apply(as("alice"), "default", "fleet", fleet)
		b.sealed()
		killed := b.another()
		killed.KeepIndex(path)
		counts(killed)
		if err := killed.KeepTwice(system(), func() {}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("nothing is kept: %v, %v", info, err)
		}
		b.apply(as("alice"), "default", "fleet", strings.Replace(fleet, "The Cart", "Cart", 1))
		b.apply(as("olga"), "ops", "hidden", hidden)
		if err := b.Delete(system(), parseRef(t, "component:default/search"), ""); err != nil {
			t.Fatal(err)
		}
		b.sealed()
		want := counts(b.another())
		err = b.db.Write(system(), func(tx *store.Tx) error { // which the ledger does not tell
			_, err := tx.Exec(system(), `DELETE FROM entities WHERE ref = $1`, "resource:default/db")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may be killed again before it has kept anything
			again := b.another()
			again.KeepIndex(path)
			if got := counts(again); got != want {
				t.Errorf("after a kill there is\n%s\nand there was\n%s", got, want)
			}
		}
	})
}

// A database that goes back to before the index was kept, if not to before what it was asked of then, is read.
func TestAnIndexThatKnowsOfAnotherFutureIsNotUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file, copied := filepath.Join(dir, "catalog.index"), filepath.Join(dir, "now.db"), filepath.Join(dir, "then.db")
	b := setup(t, storetest.Open(t, "sqlite:"+file, rooms()...))
	b.apply(as("alice"), "default", "fleet", fleet)
	b.sealed()
	titles := func(s *catalog.Service) string {
		t.Helper()
		counts, err := s.Counts(system(), index.FacetQuery{Keys: []string{"metadata.title"}})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(counts)
	}
	killed := b.another()
	killed.KeepIndex(path)
	before := titles(killed)
	err := killed.KeepTwice(system(), func() {
		for _, part := range []string{"", "-wal"} {
			text, err := os.ReadFile(file + part)
			if err == nil {
				err = os.WriteFile(copied+part, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		b.apply(as("alice"), "default", "fleet", strings.Replace(fleet, "The Cart", "Cart", 1))
		b.sealed()
		if titles(killed) == before {
			t.Error("the title has not changed")
		}
	})
	if _, there := os.Stat(path); err != nil || there != nil {
		t.Fatalf("nothing is kept: %v, %v", err, there)
	}
	then := (&bench{t: t, db: storetest.Open(t, "sqlite:"+copied, rooms()...)}).another()
	then.KeepIndex(path)
	if got := titles(then); got != before {
		t.Errorf("there is %s, and there was %s", got, before)
	}
}
