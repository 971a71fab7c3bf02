package ledger_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// An entry that no subscriber wants is not looked for by each of them, and one that comes after it is taken all the same.
func TestUnwantedEntriesCostNoQuestions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		const subscribers, unwanted = 20, 30
		l := newLedger(t, db)
		taken := make(chan int64, subscribers)
		for i := range subscribers {
			l.Subscribe(fmt.Sprintf("s%d", i), []string{"wanted."}, func(_ context.Context, tx *store.Tx, e ledger.Entry) error {
				tx.OnCommit(func() { taken <- e.Position })
				return nil
			})
		}
		start(t, l)
		all := func() {
			for range subscribers {
				<-taken
			}
		}
		appendAll(t, db, l, ledger.Entry{Type: "wanted.first"})
		all()
		before := db.Stats().Reads
		for i := range unwanted {
			appendAll(t, db, l, numbered(i, 1)...)
			if err := l.Wait(ctx, int64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		looked := db.Stats().Reads - before
		if most := int64(unwanted * subscribers / 2); looked > most {
			t.Errorf("%d reads for %d entries that none of %d subscribers wants; at most %d", looked, unwanted, subscribers, most)
		}
		appendAll(t, db, l, ledger.Entry{Type: "wanted.last"})
		all()
	})
}
