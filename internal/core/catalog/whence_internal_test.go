package catalog

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// TestTheLocationOfARowIsReadByItsKey has the databases say so; PostgreSQL where it is told to avoid reading all of a table, which
// of an empty one is what it likes best.
func TestTheLocationOfARowIsReadByItsKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		explain, index := "EXPLAIN QUERY PLAN ", "SEARCH l USING INDEX sqlite_autoindex_locations_1 (id=?)"
		if db.Dialect() == store.Postgres {
			explain, index = "EXPLAIN ", "Index Scan using locations_pkey on locations l"
		}
		for _, question := range []string{
			`SELECT l.repository FROM entities e LEFT JOIN locations l ON ` + ofLocation("e") + ` WHERE e.ref = 'component:default/shop'`,
			`SELECT l.repository FROM entity_versions v JOIN locations l ON ` + ofLocation("v") + ` WHERE v.ref = 'component:default/shop'`,
		} {
			var plan []string
			err := db.Write(context.Background(), func(tx *store.Tx) error {
				if db.Dialect() == store.Postgres {
					for _, way := range []string{"seqscan", "bitmapscan", "hashjoin", "mergejoin"} {
						if _, err := tx.Exec(context.Background(), "SET LOCAL enable_"+way+" = off"); err != nil {
							return err
						}
					}
				}
				rows, err := tx.Query(context.Background(), explain+question)
				plan, err = store.Collect(rows, err, func(r store.Row) (line string, err error) {
					if db.Dialect() == store.Postgres {
						err = r.Scan(&line)
						return line, err
					}
					var a, b, c int
					err = r.Scan(&a, &b, &c, &line)
					return line, err
				})
				return err
			})
			if says := strings.Join(plan, "\n"); err != nil || !strings.Contains(says, index) || strings.Contains(says, "SCAN l") {
				t.Errorf("%s is read so, %v:\n%s", question, err, says)
			}
		}
	}, Migrations())
}
