package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Two transactions lock two rows in opposite order; PostgreSQL ends one of them, and Write runs it again.
func TestDeadlockIsRetried(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t, things())
	ctx := context.Background()
	err := db.Write(ctx, func(tx *store.Tx) error {
		if err := insert(ctx, tx, "a"); err != nil {
			return err
		}
		return insert(ctx, tx, "b")
	})
	if err != nil {
		t.Fatal(err)
	}
	var meet, group sync.WaitGroup
	meet.Add(2)
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		group.Go(func() {
			first := true
			err := db.Write(ctx, func(tx *store.Tx) error {
				if _, err := tx.Exec(ctx, "UPDATE things SET made = made + 1 WHERE id = $1", order[0]); err != nil {
					return err
				}
				if first {
					first = false
					meet.Done()
					meet.Wait()
				}
				_, err := tx.Exec(ctx, "UPDATE things SET made = made + 1 WHERE id = $1", order[1])
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var sum int
	_ = db.Read(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, "SELECT SUM(made) FROM things").Scan(&sum) })
	if sum != 4 {
		t.Errorf("sum = %d, want 4: each transaction once", sum)
	}
	if db.Stats().Retries == 0 {
		t.Error("no retry was counted")
	}
}

// An error of a statement that the function forgets must not look like success.
func TestForgottenErrorIsNoSuccess(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t, things())
	ctx := context.Background()
	err := db.Write(ctx, func(tx *store.Tx) error {
		_ = insert(ctx, tx, "a")
		_ = insert(ctx, tx, "a")
		return nil
	})
	if !fault.Is(err, fault.Internal) {
		t.Errorf("error = %v", err)
	}
	if got := count(t, db); got != 0 {
		t.Errorf("%d rows, want none", got)
	}
}

// A second server on the same database is woken.
func TestNotifyReachesOtherServers(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	here, there := storetest.Open(t, url, things()), storetest.Open(t, url, things())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	wake, stop := there.Listen("things")
	defer stop()
	other, stopOther := there.Listen("others")
	defer stopOther()
	for woken := false; !woken; { // the first may come before the other server listens
		err := here.Write(ctx, func(tx *store.Tx) error {
			here.Notify(tx, "things")
			here.Notify(tx, "things")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-wake:
			woken = true
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the other server was not woken")
		}
	}
	drain(other) // connecting wakes everybody once
	if err := here.Write(ctx, func(tx *store.Tx) error { here.Notify(tx, "things"); return nil }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-wake:
	case <-ctx.Done():
		t.Fatal("the other server was not woken again")
	}
	select {
	case <-other:
		t.Error("a listener of another channel was woken")
	default:
	}
}

func drain(wake <-chan struct{}) {
	select {
	case <-wake:
	default:
	}
}
