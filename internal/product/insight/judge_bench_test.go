package insight

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// BenchmarkJudge has everything judged again by rules that ask for different things, with nothing to write: its figure is per entity.
func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct{ name, expression string }{
		{"document", `size(entity.metadata.name) > 200`},
		{"relations", `relations.exists(r, r.type == "none")`},
		{"targets", `relations.exists(r, r.to.lifecycle == "none")`},
	} {
		b.Run(c.name, func(b *testing.B) {
			db := storetest.SQLite(b, rooms()...)
			bench := setup(b, db)
			const entities = 2000
			var all strings.Builder
			for i := range entities {
				all.WriteString(component(fmt.Sprint("c", i), "crew", fmt.Sprintf("component:default/c%d", i/2), fmt.Sprintf("component:default/c%d", i/3), "resource:default/db"))
			}
			bench.apply("default", "all", all.String())
			bench.apply("default", "cards", fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: Scorecard, metadata: {name: ready}, spec: {filter: {kinds: [component]}, levels: [{name: gold}], rules: [{id: rule, level: gold, expression: '%s'}]}}", c.expression))
			bench.judged()
			for b.Loop() {
				if err := db.Write(system(), func(tx *store.Tx) error {
					_, err := tx.Exec(system(), `UPDATE insight_scorecards SET phase=1`)
					return err
				}); err != nil {
					b.Fatal(err)
				}
				if err := bench.judgeDue(system()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/entities, "µs/entity")
		})
	}
}
