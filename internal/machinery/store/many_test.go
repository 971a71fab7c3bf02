package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// TestInsertMany writes any number of rows at once, the same on both databases.
func TestInsertMany(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		write := func(fn func(ctx context.Context, tx *store.Tx) error) error {
			return db.Write(t.Context(), func(tx *store.Tx) error { return fn(t.Context(), tx) })
		}
		if err := write(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, `CREATE TABLE things (name TEXT PRIMARY KEY, number BIGINT NOT NULL, flag BIGINT NOT NULL)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		const head = `INSERT INTO things (name, number, flag)`
		for _, n := range []int{0, 1, 2, 63, 64, 65, 200} {
			rows := make([][]any, n)
			for i := range rows {
				rows[i] = []any{fmt.Sprintf("'%d' of %d", i, n), i, i%2 == 1}
			}
			if err := write(func(ctx context.Context, tx *store.Tx) error {
				if changed, err := store.InsertMany(ctx, tx, head, "", rows); err != nil || changed != int64(n) {
					return fmt.Errorf("%d rows: %d are written: %w", n, changed, err)
				}
				changed, err := store.InsertMany(ctx, tx, head, "ON CONFLICT DO NOTHING", rows)
				if err != nil || changed != 0 {
					return fmt.Errorf("%d rows again: %d are written: %w", n, changed, err)
				}
				var count, numbers, flags int
				if err := tx.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(number), 0), COALESCE(SUM(flag), 0) FROM things WHERE name LIKE $1`, fmt.Sprintf("%% of %d", n)).Scan(&count, &numbers, &flags); err != nil {
					return err
				}
				if count != n || numbers != n*(n-1)/2 || flags != n/2 {
					return fmt.Errorf("of %d rows there are %d, with %d and %d", n, count, numbers, flags)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := write(func(ctx context.Context, tx *store.Tx) error {
			_, err := store.InsertMany(ctx, tx, head, "", [][]any{{"fresh", 1, 1}, {"'0' of 1", 1, 1}})
			return err
		}); err == nil {
			t.Error("a row that is there already is written")
		}
	})
}
