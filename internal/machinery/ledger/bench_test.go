package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

func benchRows() store.Migrations {
	return store.Migrations{Room: "bench", FS: fstest.MapFS{"0001_bench.sql": {Data: []byte(
		"-- +goose Up\nCREATE TABLE bench_rows (id TEXT PRIMARY KEY, state TEXT NOT NULL, changed BIGINT NOT NULL);\n")}}}
}

// benchmarkAppend measures small transactions of so many callers at a time: one row of a room and one ledger entry.
func benchmarkAppend(b *testing.B, db *store.DB, callers int) {
	l := newLedger(b, db)
	ctx := context.Background()
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range callers {
		group.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				err := db.Write(ctx, func(tx *store.Tx) error {
					id := fmt.Sprintf("row-%d", n)
					if _, err := tx.Exec(ctx, `INSERT INTO bench_rows (id, state, changed) VALUES ($1, $2, $3)
						ON CONFLICT (id) DO UPDATE SET state = excluded.state, changed = excluded.changed`, id, "queued", n); err != nil {
						return err
					}
					_, err := l.Append(ctx, tx, ledger.Entry{Type: "row.changed", Subject: id, Space: "default", Actor: "system",
						Refs: []string{"component:default/shop"}, Data: []byte(`{"state":"queued"}`)})
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
	stats := db.Stats()
	b.ReportMetric(float64(stats.Writes)/float64(max(1, stats.Commits)), "tx/commit")
}

func BenchmarkAppendSQLite(b *testing.B) {
	benchmarkAppend(b, storetest.SQLite(b, ledger.Migrations(), benchRows()), 64)
}

func BenchmarkAppendSQLiteOneCaller(b *testing.B) {
	benchmarkAppend(b, storetest.SQLite(b, ledger.Migrations(), benchRows()), 1)
}

func BenchmarkAppendPostgres(b *testing.B) {
	benchmarkAppend(b, storetest.Postgres(b, ledger.Migrations(), benchRows()), 64)
}
