package run

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// What is asked at each change of a run reads neither all open runs nor all of its subject.
func TestOpenRunsOfASubjectAreFoundByIt(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, Migrations())
	ctx := context.Background()
	for _, c := range []struct {
		q     Query
		index string
	}{
		{Query{Kinds: []string{"stack"}, Spaces: []string{"default"}, Subject: "stack:default/a", Open: true, States: []string{"queued", "ready"}}, "runs_subject_open"},
		{Query{Kinds: []string{"stack"}, Spaces: []string{"default"}, Subject: "stack:default/a"}, "runs_subject"},
		{Query{Kinds: []string{"stack"}, Open: true}, "runs_open"},
	} {
		w := &store.Where{}
		c.q.narrow(w)
		var plan []string
		err := db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM runs"+w.String(), w.Args...)
			plan, err = store.Collect(rows, err, func(row store.Row) (step string, err error) {
				var id, parent, unused int
				return step, row.Scan(&id, &parent, &unused, &step)
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "\n"); !strings.Contains(text+" ", " INDEX "+c.index+" ") {
			t.Errorf("%+v is read by %s, want %s", c.q, text, c.index)
		}
	}
}
