package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// each runs fn on both databases with the tables of the ledger.
func each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	storetest.Each(t, fn, ledger.Migrations())
}

// start runs l until the test, or the function that it gives, ends it.
func start(t testing.TB, l *ledger.Ledger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		group.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func newLedger(t testing.TB, db *store.DB) *ledger.Ledger {
	return ledger.New(db, time.Now, storetest.Log(t))
}

func appendAll(t testing.TB, db *store.DB, l *ledger.Ledger, entries ...ledger.Entry) {
	t.Helper()
	ctx := context.Background()
	err := db.Write(ctx, func(tx *store.Tx) error {
		for _, e := range entries {
			if _, err := l.Append(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sealed has everything sealed that was appended.
func sealed(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	for {
		n, err := l.Seal(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func list(t testing.TB, db *store.DB, l *ledger.Ledger, q ledger.Query) []ledger.Entry {
	t.Helper()
	ctx := context.Background()
	var entries []ledger.Entry
	err := db.Read(ctx, func(tx *store.Tx) (err error) {
		entries, err = l.List(ctx, tx, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func numbered(from, count int) []ledger.Entry {
	entries := make([]ledger.Entry, count)
	for i := range entries {
		entries[i] = ledger.Entry{Type: "thing.changed", Subject: fmt.Sprintf("component:default/thing-%d", from+i),
			Refs: []string{"group:default/team"}, Data: json.RawMessage(fmt.Sprintf(`{"n": %d}`, from+i))}
	}
	return entries
}
