package catalog

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// TestTheLocationOfARowIsReadByItsKey has SQLite, whose plans don't depend on how many rows there are, say so.
func TestTheLocationOfARowIsReadByItsKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if db.Dialect() != store.SQLite {
			t.Skip("the plans of PostgreSQL follow the number of rows")
		}
		for _, question := range []string{
			`SELECT l.repository FROM entities e LEFT JOIN locations l ON ` + ofLocation("e") + ` WHERE e.ref = 'component:default/shop'`,
			`SELECT l.repository FROM entity_versions v JOIN locations l ON ` + ofLocation("v") + ` WHERE v.ref = 'component:default/shop'`,
		} {
			var plan []string
			err := db.Read(context.Background(), func(tx *store.Tx) error {
				rows, err := tx.Query(context.Background(), "EXPLAIN QUERY PLAN "+question)
				plan, err = store.Collect(rows, err, func(r store.Row) (line string, err error) {
					var a, b, c int
					return line, r.Scan(&a, &b, &c, &line)
				})
				return err
			})
			if says := strings.Join(plan, "\n"); err != nil || !strings.Contains(says, "SEARCH l USING INDEX sqlite_autoindex_locations_1 (id=?)") {
				t.Errorf("%s is read so, %v:\n%s", question, err, says)
			}
		}
	}, Migrations())
}
