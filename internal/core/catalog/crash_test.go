package catalog_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestMain(m *testing.M) {
	if url := os.Getenv("CATALOG_TEST_CHILD"); url != "" {
		if err := child(url, os.Getenv("CATALOG_TEST_REPOSITORIES"), os.Getenv("CATALOG_TEST_LOCATION")); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child is a server that reads a location, until it is killed.
func child(url, dir, location string) error {
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(context.Background(), url, log)
	if err != nil {
		return err
	}
	l := ledger.New(db, time.Now, log)
	kinds := document.NewRegistry()
	rights := access.New(db, l, time.Now, log)
	for _, k := range access.Kinds(rights) {
		kinds.Register(k)
	}
	s := catalog.New(db, kinds, rights, l, queue.New(db, log), time.Now, log)
	program, err := git.New("", log)
	if err != nil {
		return err
	}
	repositories, err := repository.New(db, rights, l, program, dir, time.Now, log)
	if err != nil {
		return err
	}
	s.Read(repositories.Platform())
	s.Know(identity.New(db, rights, l, time.Now, log))
	_, _, err = s.RefreshLocation(system(), location)
	return err
}

// Whoever is killed while many entities are taken in has lost none, and none is taken in twice.
func TestKilledInTheMiddleOfManyEntities(t *testing.T) {
	t.Parallel()
	const files = 40
	crash := func(t *testing.T, url string) {
		b := setup(t, storetest.Open(t, url, rooms()...))
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/many")
		l := b.location(alice, "default", "team/many", "")
		commit := b.push(alice, "team/many", many(files))
		for _, enough := range []int{1, 700, 1800} {
			killedAt(t, b, url, l.ID, enough)
		}
		now, _, err := b.RefreshLocation(alice, l.ID)
		if err != nil || now.Error != "" || now.Commit != commit {
			t.Fatalf("%v: %+v", err, now)
		}
		var entities, versions, last int
		err = b.db.Read(t.Context(), func(tx *store.Tx) error {
			if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM entities WHERE kind = 'component'`).Scan(&entities); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), `SELECT COUNT(*), MAX(version) FROM entity_versions WHERE ref LIKE 'component:%'`).Scan(&versions, &last)
		})
		if err != nil || entities != files*100 || versions != files*100 || last != 1 {
			t.Errorf("%d entities with %d versions, the last is %d, %v", entities, versions, last, err)
		}
		told := 0
		for _, e := range b.told("entities.changed") {
			var data struct{ Created, Updated int }
			if err := json.Unmarshal(e.Data, &data); err != nil || data.Updated != 0 {
				t.Fatalf("%s, %v", e.Data, err)
			}
			told += data.Created
		}
		for _, e := range b.told("entity.created") {
			if e.Space == "default" && len(e.Subject) > 10 && e.Subject[:10] == "component:" {
				told++
			}
		}
		if told != files*100 {
			t.Errorf("the ledger tells of %d", told)
		}
		if list, err := b.List(system(), catalog.Query{Kinds: []string{"component"}}); err != nil || list.Total != files*100 {
			t.Errorf("the index has %d, %v", list.Total, err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		crash(t, "sqlite:"+filepath.Join(t.TempDir(), "roadbed.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		crash(t, storetest.PostgresURL(t))
	})
}

// killedAt has a child read a location, and kills it once so many entities are there.
func killedAt(t *testing.T, b *bench, url, location string, enough int) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "CATALOG_TEST_CHILD="+url, "CATALOG_TEST_REPOSITORIES="+b.dir, "CATALOG_TEST_LOCATION="+location)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait() // it was killed, or was quicker
		close(ended)
	}()
	for n := 0; n < enough; {
		select {
		case <-ended:
			return
		case <-time.After(time.Millisecond):
		}
		err := b.db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM entities WHERE kind = 'component'`).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Process.Kill() // it may have ended
	<-ended
}

// asked notes whether a location was looked at.
type asked struct {
	catalog.Repositories
	mu    sync.Mutex
	read  map[string]bool
	heads int
}

func (a *asked) Head(ctx context.Context, repository, branch string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heads++
	return a.Repositories.Head(ctx, repository, branch)
}

func (a *asked) SpaceOf(ctx context.Context, repository string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read[repository] = true
	return a.Repositories.SpaceOf(ctx, repository)
}

// The look at all locations has only those read whose head is another one.
func TestALookAtAllLocationsReadsWhatHasChanged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		for _, name := range []string{"team/one", "team/two"} {
			b.repository(alice, "default", name)
			b.push(alice, name, map[string]string{"catalog-info.yaml": component(name[5:], ""), "side.yaml": component("side", "")})
			b.location(alice, "default", name, "")
		}
		if _, err := b.repositories.CreateBranch(alice, "team/one", repository.NewRef{Name: "side", At: "main"}); err != nil {
			t.Fatal(err)
		}
		side, _, err := b.AddLocation(alice, "default", catalog.Target{Repository: "team/one", Path: "side.yaml", Branch: "side"})
		if err != nil {
			t.Fatal(err)
		}
		seen := &asked{Repositories: b.repositories.Platform(), read: map[string]bool{}}
		b.Read(seen)
		look := func() {
			t.Helper()
			err := b.db.Write(t.Context(), func(tx *store.Tx) error {
				return b.queue.Insert(t.Context(), tx, "catalog.sweep", struct{}{}, queue.InsertOptions{})
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.queue.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		look()
		if len(seen.read) != 0 {
			t.Errorf("%v was looked at, though nothing has changed", seen.read)
		}
		if seen.heads != 0 {
			t.Errorf("%d branches were asked for one by one", seen.heads)
		}

		// The server has another address since.
		b.Addresses("https://new.test")
		name := side.File().Generated("https://new.test")
		if _, err := b.GeneratedFrom(alice, name); !fault.Is(err, fault.NotFound) {
			t.Errorf("by an address that nobody knew: %v", err)
		}
		look()
		if l, err := b.GeneratedFrom(alice, name); err != nil || l.ID != side.ID {
			t.Errorf("by the new address: %+v, %v", l, err)
		}
		if _, err := b.GeneratedFrom(accesstest.As("carol"), name); !fault.Is(err, fault.NotFound) {
			t.Errorf("who may not see it: %v", err)
		}
		if len(seen.read) != 0 {
			t.Errorf("%v was read for its address", seen.read)
		}
		b.push(alice, "team/two", map[string]string{"catalog-info.yaml": component("three", "")})
		look()
		if len(seen.read) != 1 || !seen.read["team/two"] {
			t.Errorf("%v was looked at after a push to one", seen.read)
		}
		b.get("three")
		b.gone(system(), "two")
	})
}
