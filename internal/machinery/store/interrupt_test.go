package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

const endless = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n`

func TestALongReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			name string
			of   func(outer, inner context.Context) context.Context // of the statement
		}{
			{"of the transaction", func(outer, _ context.Context) context.Context { return outer }},
			{"of one within", func(outer, _ context.Context) context.Context { return context.WithValue(outer, within{}, 1) }},
			{"of the statement alone", func(_, inner context.Context) context.Context { return inner }},
		} {
			outer, cancelOuter := context.WithCancel(t.Context())
			inner, cancelInner := context.WithCancel(outer)
			begun := make(chan struct{})
			go func() {
				<-begun
				if c.of(outer, inner) == inner {
					cancelInner()
				} else {
					cancelOuter()
				}
			}()
			err := db.Read(outer, func(tx *store.Tx) error {
				var n int
				if err := tx.QueryRow(outer, `SELECT 1`).Scan(&n); err != nil {
					return err
				}
				close(begun)
				return tx.QueryRow(c.of(outer, inner), endless).Scan(&n)
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error = %v", c.name, err)
			}
			cancelInner()
			cancelOuter()
		}
		late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err := db.Read(late, func(tx *store.Tx) error { var n int; return tx.QueryRow(late, endless).Scan(&n) })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error of a deadline = %v", err)
		}
		for range 20 { // more than there are connections: each can still be used
			err := db.Read(t.Context(), func(tx *store.Tx) error {
				var n int
				return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM things`).Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}, things())
}

type within struct{}
