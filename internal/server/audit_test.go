package server

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestTheLedgerOfAStoppedServerIsVerified runs the command on a folder that no server uses, as it was left and after
// somebody wrote into the database.
func TestTheLedgerOfAStoppedServerIsVerified(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database = database
		h, err := Open(t.Context(), o, "test", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.SetUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		for { // as far as a server that runs would have come
			n, err := h.Ledger.Seal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		audit := func(args ...string) (string, error) {
			return typed(t, auditCommand("test"), append(args, "--data", o.Data, "--database", database)...)
		}
		verify := func() (string, error) { return audit("verify") }
		file := filepath.Join(t.TempDir(), "ledger.jsonl")
		export := func() string {
			out, err := audit("export")
			if err != nil {
				t.Error(err)
			}
			write(t, file, out)
			of, err := audit("verify", "--file", file)
			if err != nil {
				return err.Error()
			}
			return of
		}
		if out, err := verify(); err != nil || !strings.Contains(out, "the ledger is whole: ") || strings.Contains(out, "wait to be sealed") {
			t.Errorf("as it was left: %s, %v", out, err)
		} else if of := export(); of != out {
			t.Errorf("an export verifies as %s, the database as %s", of, out)
		}
		db, err := store.Open(t.Context(), database, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE ledger_entries SET actor = 'pri_other' WHERE position = 2`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := verify(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "broken at position 2") {
			t.Errorf("after it was written to: %s, %v", out, err)
		}
		if of := export(); !strings.Contains(of, "broken at position 2") {
			t.Errorf("an export after it was written to: %s", of)
		}
	})
}
