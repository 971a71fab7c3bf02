package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// What is held goes with the next commit.
func TestHeldUntilTheNextCommit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var held store.Held[string, int]
		reads := 0
		ask := func(err error) (int, error) {
			return held.Of(ctx, db, "key", func() (int, error) { reads++; return reads, err })
		}
		wrong := errors.New("wrong")
		if _, err := ask(wrong); !errors.Is(err, wrong) {
			t.Fatalf("an error is not given: %v", err)
		}
		for held := false; !held; { // on PostgreSQL other tests commit in other databases of the server
			before := reads
			for range 3 {
				if _, err := ask(nil); err != nil {
					t.Fatal(err)
				}
			}
			held = reads < before+3
		}
		err := db.Write(ctx, func(tx *store.Tx) error {
			if _, err := ask(nil); err != nil { // within a transaction it is asked anew
				return err
			}
			_, err := tx.Exec(ctx, `CREATE TABLE held_test (n INTEGER)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		before := reads
		if got, err := ask(nil); err != nil || got != before+1 {
			t.Errorf("after a commit it is still %d, %v", got, err)
		}
	})
}

// Whoever asks after a commit gets what it has written, by whichever server, and however many ask at once.
func TestNothingHeldIsOlderThanTheQuestion(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	run := func(t *testing.T, db *store.DB, writers ...*store.DB) {
		t.Helper()
		exec := func(db *store.DB, statement string) {
			err := db.Write(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, statement)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		exec(db, `CREATE TABLE held_count (n BIGINT NOT NULL)`)
		exec(db, `INSERT INTO held_count (n) VALUES (0)`)
		var held store.Held[string, int64]
		var committed, reads atomic.Int64
		read := func() (n int64, err error) {
			reads.Add(1)
			err = db.Read(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, `SELECT n FROM held_count`).Scan(&n) })
			return n, err
		}
		ended := make(chan struct{})
		var asking, writing sync.WaitGroup
		var asked atomic.Int64
		for range 4 {
			asking.Go(func() {
				for {
					select {
					case <-ended:
						return
					default:
					}
					least := committed.Load()
					n, err := held.Of(ctx, db, "n", read)
					if err != nil || n < least {
						t.Errorf("%d, %v, after %d was committed", n, err, least)
						return
					}
					asked.Add(1)
				}
			})
		}
		for _, w := range writers {
			writing.Go(func() {
				for range 50 {
					exec(w, `UPDATE held_count SET n = n + 1`)
					committed.Add(1)
				}
			})
		}
		writing.Wait()
		for before := asked.Load(); asked.Load() < before+100 && !t.Failed(); {
			if _, err := held.Of(ctx, db, "n", read); err != nil {
				t.Fatal(err)
			}
		}
		close(ended)
		asking.Wait()
		if reads.Load() >= asked.Load() {
			t.Errorf("%d reads for %d questions: nothing was held", reads.Load(), asked.Load())
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		db := storetest.SQLite(t)
		run(t, db, db)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := storetest.PostgresURL(t)
		db := storetest.Open(t, url)
		run(t, db, db, storetest.Open(t, url))
	})
}
