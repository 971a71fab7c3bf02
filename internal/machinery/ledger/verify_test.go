package ledger_test

import (
	"context"
	"errors"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// Whoever can write to the database can't change history without Verify telling.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		statements []string
		position   int64 // of the break
	}{
		"nothing":           {nil, 0},
		"changed data":      {[]string{`UPDATE ledger_entries SET data = '{"n":99}' WHERE position = 1200`}, 1200},
		"changed actor":     {[]string{`UPDATE ledger_entries SET actor = 'pri_other' WHERE position = 1`}, 1},
		"changed time":      {[]string{`UPDATE ledger_entries SET time = time + 1 WHERE position = 7`}, 7},
		"changed refs":      {[]string{`UPDATE ledger_entries SET refs = '[]' WHERE position = 7`}, 7},
		"moved text":        {[]string{`UPDATE ledger_entries SET actor = actor || 'x', space = 'y' WHERE position = 9`}, 9},
		"removed":           {[]string{`DELETE FROM ledger_entries WHERE position = 5`}, 5},
		"removed first":     {[]string{`DELETE FROM ledger_entries WHERE position = 1`}, 1},
		"removed last":      {[]string{`DELETE FROM ledger_entries WHERE position = 1500`}, 1500},
		"removed many":      {[]string{`DELETE FROM ledger_entries WHERE position > 400`}, 401},
		"removed and moved": {[]string{`DELETE FROM ledger_entries WHERE position = 5`, `UPDATE ledger_entries SET position = 5 WHERE position = 6`}, 5},
		"swapped": {[]string{`UPDATE ledger_entries SET position = 0 WHERE position = 5`, `UPDATE ledger_entries SET position = 5 WHERE position = 6`,
			`UPDATE ledger_entries SET position = 6 WHERE position = 0`}, 5},
		"hash and content":      {[]string{`UPDATE ledger_entries SET subject = 'x', hash = previous WHERE position = 8`}, 8},
		"hidden from a history": {[]string{`DELETE FROM ledger_refs WHERE position = 3 AND ref = 'group:default/team'`}, 3},
		"added to a history":    {[]string{`INSERT INTO ledger_refs (ref, position) VALUES ('component:default/innocent', 3)`}, 1500},
		"added behind":          {[]string{`INSERT INTO ledger_refs (ref, position) VALUES ('component:default/innocent', 1501)`}, 1500},
		"last ones cut off and the head with them": {[]string{
			`INSERT INTO ledger_cursors (name, position, updated) VALUES ('reader', 1500, 0)`,
			`DELETE FROM ledger_entries WHERE position > 1000`, `DELETE FROM ledger_refs WHERE position > 1000`,
			`UPDATE ledger_head SET position = 1000, hash = (SELECT hash FROM ledger_entries WHERE position = 1000)`}, 1001},
	}
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		for i := range 15 {
			appendAll(t, db, l, numbered(100*i, 100)...)
		}
		sealed(t, l)
		for name, c := range cases {
			report, err := tamperedWith(db, c.statements)
			switch {
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case c.position == 0 && (report.Broken != nil || report.Entries != 1500 || report.Head != 1500 || len(report.HeadHash) != 32):
				t.Errorf("%s: %+v, broken %+v", name, report, report.Broken)
			case c.position != 0 && (report.Broken == nil || report.Broken.Position != c.position):
				t.Errorf("%s: broken = %+v, want at %d", name, report.Broken, c.position)
			}
		}
	})
}

// tamperedWith verifies inside a transaction that is undone again: Verify's Read joins it.
func tamperedWith(db *store.DB, statements []string) (report ledger.Report, err error) {
	ctx, undo := context.Background(), errors.New("undo")
	end := db.Write(ctx, func(tx *store.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		if report, err = ledger.Verify(ctx, db); err != nil {
			return err
		}
		return undo
	})
	if errors.Is(end, undo) {
		return report, nil
	}
	return report, end
}

// Verify may run while entries are appended.
func TestVerifyWhileAppending(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		start(t, l)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 30 {
				appendAll(t, db, l, numbered(i*10, 10)...)
			}
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			report, err := ledger.Verify(context.Background(), db)
			if err != nil || report.Broken != nil {
				t.Fatalf("verify: %+v %v", report.Broken, err)
			}
		}
	})
}
