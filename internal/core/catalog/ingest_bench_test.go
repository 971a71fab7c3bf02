package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// many gives files of a hundred services each, and one that names them.
func many(files int) map[string]string {
	all := map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec: {targets: [./parts/*.yaml]}\n"}
	for f := range files {
		var b strings.Builder
		for i := range 100 {
			n := f*100 + i
			fmt.Fprintf(&b, `---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: service-%06d
  title: Service %d
  description: Does the work of part %d for team %d
  annotations:
    backstage.io/techdocs-ref: dir:.
    example.com/pager: "%d"
  tags:
    - billing
    - tier-%d
spec:
  type: service
  lifecycle: production
  owner: group:default/group-%04d
  system: system-%d
  dependsOn:
    - component:default/service-%06d
    - resource:default/database-%d
`, n, n, n, n%100, n*7919%100_000, n%4, n%200, n/20, n*7%(files*100), n%50)
		}
		all[fmt.Sprintf("parts/%04d.yaml", f)] = b.String()
	}
	return all
}

func BenchmarkIngest(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms()...))
	alice := accesstest.As("alice")
	bench.repository(alice, "default", "team/many")
	bench.push(alice, "team/many", many(100))
	for b.Loop() {
		l := bench.location(alice, "default", "team/many", "")
		if l.Error != "" {
			b.Fatal(l.Error)
		}
		b.StopTimer()
		if page, err := bench.List(system(), catalog.Query{Kinds: []string{"component"}}); err != nil || page.Total != 10_000 {
			b.Fatal(page.Total, err)
		}
		if err := bench.RemoveLocation(system(), l.ID, ""); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "entities/s")
}
