package ledger_test

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// A backup that was taken from PostgreSQL brings entries that its sealer had not come to; where there is one writer, they
// are told of, and sealed when the ledger runs.
func TestWhatWaitsInABackupIsSealedOnEveryDatabase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		appendAll(t, db, l, numbered(0, 3)...)
		sealed(t, l)
		err := db.Write(t.Context(), func(tx *store.Tx) error {
			for _, entry := range []string{`{"id":"led_a","time":1,"actor":"pri_a","type":"thing.changed","subject":"x","refs":["y"]}`, `{"id":"led_b","time":2,"actor":"pri_a","type":"thing.changed","data":"{\"n\":1}"}`} {
				if _, err := tx.Exec(t.Context(), `INSERT INTO ledger_pending (entry) VALUES ($1)`, entry); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ledger.Verify(t.Context(), db); err != nil || r.Broken != nil || r.Entries != 3 || r.Pending != 2 {
			t.Errorf("before: %+v, %v", r, err)
		}
		start(t, newLedger(t, db))
		if err := l.Wait(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		if r, err := ledger.Verify(t.Context(), db); err != nil || r.Broken != nil || r.Entries != 5 || r.Pending != 0 {
			t.Errorf("after: %+v, %v", r, err)
		}
		if about := list(t, db, l, ledger.Query{Ref: "y", Limit: 10}); len(about) != 1 || about[0].ID != "led_a" {
			t.Errorf("the history of y = %+v", about)
		}
	})
}
