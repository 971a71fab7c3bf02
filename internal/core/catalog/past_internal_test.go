package catalog

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// fillVersions makes entities of an hour ago, of which each hundredth changed just now.
func fillVersions(t *testing.T, db *store.DB, count int) {
	t.Helper()
	now := store.Micros(time.Now())
	err := db.Write(context.Background(), func(tx *store.Tx) error {
		for _, v := range []struct {
			version, every int
			time           int64
		}{{1, 1, now - 2*time.Hour.Microseconds()}, {2, 100, now - time.Minute.Microseconds()}} {
			_, err := tx.Exec(context.Background(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
INSERT INTO entity_versions (ref, version, uid, space, source, action, document, actor, time, entry)
SELECT 'component:default/c' || CAST(i AS TEXT), $2, 'uid' || CAST(i AS TEXT), 'lab', 'apply', 'updated', '{"kind":"Component"}', 'pri_a', $3, 'led_a' FROM n WHERE i % $4 = 0`,
				count, v.version, v.time, v.every)
			if err != nil {
				return err
			}
		}
		if db.Dialect() == store.Postgres {
			_, err := tx.Exec(context.Background(), `ANALYZE entity_versions`)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestThePastIsReadByItsIndexes has the databases say that no statement about the past reads every version.
func TestThePastIsReadByItsIndexes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fillVersions(t, db, 100_000)
		m := matcher{q: Query{At: time.Now()}, kinds: []string{"component"}}
		some := access.Set{Names: map[string]bool{"default": true, "lab": true}}
		for name, c := range map[string]struct {
			statement
			index string // the word that tells it
		}{
			"when some were made": {made([]storedVersion{{ref: ref.New("component", "default", "c1"), uid: "uid1"}, {ref: ref.New("component", "default", "c200"), uid: "uid200"}}), "entity_versions_pkey"},
			"one entity":          {statement{oneAt, []any{"component:default/shop", store.Micros(time.Now())}}, "entity_versions_pkey"},
			"a list":              {m.window("component:default/a", some), "entity_versions_pkey"},
			"what changed":        {m.changed(time.Now().Add(-time.Hour), time.Now(), nil, some), "entity_versions_time"},
			"and its second":      {m.changed(time.Now().Add(-time.Hour), time.Now(), &place{5, ref.New("component", "default", "a").String()}, access.Set{All: true}), "entity_versions_time"},
		} {
			explain, index := "EXPLAIN QUERY PLAN ", strings.ReplaceAll(c.index, "entity_versions_pkey", "sqlite_autoindex_entity_versions_1")
			if db.Dialect() == store.Postgres {
				explain, index = "EXPLAIN ", c.index
			}
			plan := ""
			err := db.Write(context.Background(), func(tx *store.Tx) error {
				rows, err := tx.Query(context.Background(), explain+c.sql, c.args...)
				_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
					var line string
					if db.Dialect() == store.Postgres {
						err := r.Scan(&line)
						plan += line + "\n"
						return struct{}{}, err
					}
					var a, b, d int
					err := r.Scan(&a, &b, &d, &line)
					plan += line + "\n"
					return struct{}{}, err
				})
				return err
			})
			if err != nil || !strings.Contains(plan, index) || strings.Contains(plan, "SCAN v\n") || strings.Contains(plan, "Seq Scan on entity_versions") || strings.Contains(plan, "B-TREE") {
				t.Errorf("%s is read so, %v:\n%s%s", name, err, c.sql, plan)
			}
		}
	}, Migrations())
}
