package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Locks of PostgreSQL by what they keep others from.
const (
	FromWriting = "EXCLUSIVE"
	FromReading = "ACCESS EXCLUSIVE" // and from writing
)

// Hold keeps everybody else from a table of the PostgreSQL database at url, until release is called or the server stops.
// waiting returns when somebody waits for it; one that reads has its snapshot by then.
func Hold(t testing.TB, url, table, from string) (waiting, release func()) {
	t.Helper()
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	hold, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	release = func() { _ = hold.Rollback(ctx) } // it may be broken by then
	t.Cleanup(release)
	if _, err := hold.Exec(ctx, "LOCK TABLE "+table+" IN "+from+" MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		for deadline, waits := time.Now().Add(time.Minute), false; !waits; time.Sleep(10 * time.Millisecond) {
			err := hold.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = $1::regclass)", table).Scan(&waits)
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("nobody waits for %s: %v", table, err)
			}
		}
	}, release
}
