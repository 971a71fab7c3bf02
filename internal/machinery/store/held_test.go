package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// What is held goes with the next commit; where others may commit too nothing is held.
func TestHeldUntilTheNextCommit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var held store.Held[string, int]
		reads := 0
		ask := func(err error) (int, error) {
			return held.Of(db, "key", func() (int, error) { reads++; return reads, err })
		}
		wrong := errors.New("wrong")
		if _, err := ask(wrong); !errors.Is(err, wrong) {
			t.Fatalf("an error is not given: %v", err)
		}
		for range 3 {
			if _, err := ask(nil); err != nil {
				t.Fatal(err)
			}
		}
		want := 2
		if db.Dialect() == store.Postgres {
			want = 4
		}
		if reads != want {
			t.Errorf("read %d times, not %d", reads, want)
		}
		err := db.Write(context.Background(), func(tx *store.Tx) error {
			if _, err := ask(nil); err != nil { // within a transaction it is asked anew
				return err
			}
			_, err := tx.Exec(context.Background(), `CREATE TABLE held_test (n INTEGER)`)
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
