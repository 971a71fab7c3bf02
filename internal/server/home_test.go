package server

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestOneServerAFolderAndADatabase starts a second server beside one: on its folder, and with another folder on its
// database. Neither may touch what the first one holds.
func TestOneServerAFolderAndADatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database = database
		log := slog.New(slog.DiscardHandler)
		first, err := Open(t.Context(), o, "test", log)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), o, "test", log); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "another server uses the data folder") {
			t.Errorf("a second server on the folder: %v", err)
		}
		other := options(t)
		other.Database = database
		if _, err := Open(t.Context(), other, "test", log); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), first.name) {
			t.Errorf("a second server on the database: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Open(t.Context(), o, "test", log)
		if err != nil {
			t.Fatalf("the same server, started anew: %v", err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	})
}
