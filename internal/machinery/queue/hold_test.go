package queue

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// An attempt whose lease another server has taken ends, and what nobody here works at is not held for ever.
func TestOnlyWhatIsInWorkIsHeld(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		q := New(db, slog.New(slog.DiscardHandler))
		started := make(chan struct{})
		Handle(q, "long", HandleOptions{}, func(ctx context.Context, _ struct{}) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		})
		write := func(fn func(tx *store.Tx) error) {
			t.Helper()
			if err := db.Write(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *store.Tx) error { return q.Insert(ctx, tx, "long", struct{}{}, InsertOptions{}) })
		write(func(tx *store.Tx) error { // what became of it could not be written
			_, err := tx.Exec(ctx, `INSERT INTO jobs (id, kind, unique_key, args, state, run_at, created, lease, lease_until, attempt)
VALUES ('forgotten', 'other', '', '{}', 1, 0, 0, $1, $2, 1)`, q.lease, store.Micros(q.now().Add(leaseTime)))
			return err
		})
		ended := make(chan error, 1)
		go func() {
			_, err := q.Work(ctx)
			ended <- err
		}()
		<-started
		read := func(column, where string) (n int64) {
			t.Helper()
			err := db.Read(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(ctx, `SELECT `+column+` FROM jobs WHERE `+where).Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		held, forgotten := read("lease_until", "kind = 'long'"), read("lease_until", "id = 'forgotten'")
		if err := q.holdLeases(ctx); err != nil {
			t.Fatal(err)
		}
		if read("lease_until", "kind = 'long'") <= held || read("lease_until", "id = 'forgotten'") != forgotten {
			t.Error("what is in work is not held longer, or what nobody works at is")
		}
		write(func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE jobs SET lease = 'another/life' WHERE kind = 'long'`)
			return err
		})
		if err := q.holdLeases(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the attempt goes on without its lease")
		}
		if read("COUNT(*)", "kind = 'long' AND state = 1 AND lease = 'another/life'") != 1 {
			t.Error("the attempt that lost its lease has touched the job")
		}
	}, Migrations())
}
