package catalog_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// fillPast makes components of an hour ago that depend on each other and have a hundred owners; each tenth changed since.
func fillPast(t testing.TB, db *store.DB, count int) {
	t.Helper()
	now := store.Micros(time.Now())
	err := db.Write(context.Background(), func(tx *store.Tx) error {
		for _, v := range []struct {
			version, every int
			time           int64
		}{{1, 1, now - 2*time.Hour.Microseconds()}, {2, 10, now - time.Minute.Microseconds()}} {
			_, err := tx.Exec(context.Background(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
INSERT INTO entity_versions (ref, version, uid, space, source, action, document, actor, time, entry)
SELECT 'component:default/part-' || CAST(i AS TEXT), $2, 'uid' || CAST(i AS TEXT), 'lab', 'apply', 'updated',
'{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"annotations":{"backstage.io/techdocs-ref":"dir:.","example.com/pager":"' || CAST(i AS TEXT) || '"},"description":"Does the work of one part for a team","name":"part-' || CAST(i AS TEXT) ||
'","tags":["billing","tier-' || CAST(i % 4 AS TEXT) || '"],"title":"A part"},"spec":{"dependsOn":["component:part-' || CAST(i * 7 % $1 + 1 AS TEXT) || '","resource:default/database-' || CAST(i % 50 AS TEXT) || '"],"lifecycle":"production","owner":"group:default/team-' || CAST(i % 100 AS TEXT) ||
'","system":"system-' || CAST(i / 20 AS TEXT) || '","type":"service"}}', 'pri_a', $3, 'led_a' FROM n WHERE i % $4 = 0`,
				count, v.version, v.time, v.every)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is asked of the past of 100,000 entities; "MB" is what its answer holds in memory at most, as far as that is seen.
func BenchmarkThePast(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...store.Migrations) *store.DB{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			db := open(b, rooms()...)
			c := setup(b, db)
			fillPast(b, db, 100_000)
			at, ctx := time.Now().Add(-time.Hour), as("carol")
			for name, ask := range map[string]func() (int, error){
				"Facets": func() (int, error) {
					counted, err := c.Facets(ctx, catalog.FacetQuery{Query: catalog.Query{At: at, Owner: []string{"team-3"}}, Fields: []string{"kind", "type", "owner", "lifecycle", "tag", "system", "namespace", "space", "personal"}, Apart: true})
					return len(counted["owner"]), err
				},
				"GetAt": func() (int, error) {
					e, err := c.GetAt(ctx, parseRef(b, "part-4711"), at)
					return len(e.Relations) - 3, err
				},
				"Graph": func() (int, error) {
					g, err := c.Graph(ctx, catalog.GraphQuery{Root: parseRef(b, "part-4711"), View: catalog.Impact, Depth: 100, At: at})
					return len(g.Nodes), err
				},
			} {
				b.Run(name, func(b *testing.B) {
					most := uint64(0)
					for b.Loop() {
						b.StopTimer()
						runtime.GC()
						var before, after runtime.MemStats
						runtime.ReadMemStats(&before)
						b.StartTimer()
						if n, err := ask(); err != nil || n < 1 {
							b.Fatal(n, err)
						}
						runtime.ReadMemStats(&after)
						most = max(most, after.HeapInuse-min(after.HeapInuse, before.HeapInuse))
					}
					b.ReportMetric(float64(most>>20), "MB")
				})
			}
		})
	}
}
