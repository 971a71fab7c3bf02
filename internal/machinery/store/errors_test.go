package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestErrorsHaveKinds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		write := func(query string, args ...any) error {
			return db.Write(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, query, args...); return err })
		}
		if err := write("INSERT INTO things (id, name) VALUES ($1, $2)", "a", "x"); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			err  error
			kind fault.Kind
		}{
			"same id":        {write("INSERT INTO things (id, name) VALUES ($1, $2)", "a", "y"), fault.Conflict},
			"same name":      {write("INSERT INTO things (id, name) VALUES ($1, $2)", "b", "x"), fault.Conflict},
			"no such parent": {write("INSERT INTO things (id, name, parent) VALUES ($1, $2, $3)", "b", "y", "z"), fault.Conflict},
			"a NULL":         {write("INSERT INTO things (id) VALUES ($1)", "b"), fault.Internal},
			"no such table":  {write("DELETE FROM nothings"), fault.Internal},
			"not SQL":        {write("DELETE NOTHING"), fault.Internal},
		} {
			if c.err == nil || fault.KindOf(c.err) != c.kind {
				t.Errorf("%s: error = %v of kind %v, want %v", name, c.err, fault.KindOf(c.err), c.kind)
			}
			if strings.Contains(fault.Message(c.err), "things") {
				t.Errorf("%s: the message shows a table: %s", name, fault.Message(c.err))
			}
		}
		_ = db.Read(ctx, func(tx *store.Tx) error {
			row := tx.QueryRow(ctx, "SELECT name FROM things WHERE id = $1", "nobody")
			_, err := store.One(row, func(r store.Row) (s string, err error) { return s, r.Scan(&s) }, "thing %s", "nobody")
			if !fault.Is(err, fault.NotFound) || err.Error() != "thing nobody does not exist" {
				t.Errorf("a missing row: %v", err)
			}
			return nil
		})
	}, things())
}

func TestOneQueryAtATime(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		var kept *store.Tx
		err := db.Write(ctx, func(tx *store.Tx) error {
			kept = tx
			if err := insert(ctx, tx, "a"); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, "SELECT id FROM things")
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "DELETE FROM things"); !fault.Is(err, fault.Internal) {
				t.Errorf("a statement while rows are open: %v", err)
			}
			rows.Close()
			rows.Close()
			_, err = tx.Query(ctx, "SELECT id FROM things") // left open: the end of the function closes it
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kept.Exec(ctx, "DELETE FROM things"); !fault.Is(err, fault.Internal) {
			t.Errorf("a statement after the end: %v", err)
		}
		if got := count(t, db); got != 1 {
			t.Errorf("%d rows, want 1", got)
		}
	}, things())
}

func TestAddressesThatAreWrong(t *testing.T) {
	t.Parallel()
	for address, kind := range map[string]fault.Kind{
		"":                                  fault.Invalid,
		"mysql://x":                         fault.Invalid,
		"sqlite:":                           fault.Invalid,
		"sqlite::memory:":                   fault.Invalid,
		"sqlite:/tmp/x.db?mode=memory":      fault.Invalid,
		"postgres://%zz":                    fault.Invalid,
		"sqlite:/proc/nowhere/roadbed.db":   fault.Unavailable,
		"postgres://nobody@127.0.0.1:1/x":   fault.Unavailable,
		"postgres://x@/x?host=/nonexistent": fault.Unavailable,
	} {
		db, err := store.Open(context.Background(), address, storetest.Log(t))
		if db != nil || !fault.Is(err, kind) {
			t.Errorf("Open(%q): %v of kind %v, want %v", address, err, fault.KindOf(err), kind)
		}
	}
}

func TestPathsWithOddNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "100%.db", "ü#x.db", "deep/er/x.db"} {
		db := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), name), things())
		ctx := context.Background()
		if err := db.Write(ctx, func(tx *store.Tx) error { return insert(ctx, tx, "a") }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := count(t, db); got != 1 {
			t.Errorf("%s: %d rows", name, got)
		}
	}
}

// A full disk is what SQLite reports when the file may not grow.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, things())
	ctx := context.Background()
	limit := func(pages int) {
		t.Helper()
		err := db.Write(ctx, func(tx *store.Tx) error {
			var n int
			return tx.QueryRow(ctx, "PRAGMA max_page_count = "+map[bool]string{true: "1", false: "4294967294"}[pages == 1]).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(1)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			err := db.Write(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, "INSERT INTO things (id, name, data) VALUES ($1, $2, $3)", string(rune('a'+i)), string(rune('a'+i)), make([]byte, 100_000))
				return err
			})
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "disk of the database is full") {
				t.Errorf("error = %v, want that the disk is full", err)
			}
		})
	}
	group.Wait()
	limit(0)
	if err := db.Write(ctx, func(tx *store.Tx) error { return insert(ctx, tx, "after") }); err != nil {
		t.Errorf("once there is space again: %v", err)
	}
	if got := count(t, db); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

// A COMMIT that fails is told to everybody in it, and the next one works.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO late_rows (id, parent) VALUES ($1, $2)", "a", "nobody")
			tx.OnCommit(func() { t.Error("a hook ran after a failed commit") })
			return err
		})
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("error = %v, want a conflict", err)
		}
		if err := db.Write(ctx, func(tx *store.Tx) error { return insert(ctx, tx, "a") }); err != nil {
			t.Errorf("the next: %v", err)
		}
		if stats := db.Stats(); stats.CommitError != 1 || stats.Writes != 1 {
			t.Errorf("stats = %+v", stats)
		}
	}, things(), store.Migrations{Room: "late", FS: fstest.MapFS{"0001_late.sql": {Data: []byte(`-- +goose Up
CREATE TABLE late_rows (id TEXT PRIMARY KEY, parent TEXT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED);
`)}}})
}
