// Package storetest gives a test databases of its own: on SQLite, and on PostgreSQL from
// ROADBED_TEST_POSTGRES or from a server that the tests of this machine start and share.
package storetest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// Each runs fn as the parallel subtests "sqlite" and "postgres", each with a fresh, migrated database.
// Without PostgreSQL that subtest is skipped; where CI is set it fails.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB), rooms ...store.Migrations) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, SQLite(t, rooms...))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, Postgres(t, rooms...))
	})
}

// SQLite gives a fresh SQLite database, for tests where the dialect can't matter.
func SQLite(t testing.TB, rooms ...store.Migrations) *store.DB {
	t.Helper()
	return Open(t, "sqlite:"+filepath.Join(t.TempDir(), "roadbed.db"), rooms...)
}

// Postgres gives a fresh PostgreSQL database; see Each for when there is none.
func Postgres(t testing.TB, rooms ...store.Migrations) *store.DB {
	t.Helper()
	return Open(t, PostgresURL(t, rooms...))
}

// Open opens the database at url and migrates it; it is closed at the end of the test. Tests of a restart
// open one address twice.
func Open(t testing.TB, url string, rooms ...store.Migrations) *store.DB {
	t.Helper()
	lacktest.Programs()
	ctx := context.Background()
	db, err := store.Open(ctx, url, Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if len(rooms) > 0 {
		if err := db.Migrate(ctx, rooms...); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// Log gives a logger that writes warnings and errors to the output of the test binary.
func Log(testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
