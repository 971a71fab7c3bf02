package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What the entities of an answer take, beyond finding them.
func BenchmarkAnswers(b *testing.B) {
	const n = 4000
	c := setup(b, storetest.SQLite(b, rooms()...))
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: part-%d, title: Part %d, description: Does the work of part %d, tags: [go, tier-%d], annotations: {example.com/pager: "%d", backstage.io/techdocs-ref: 'dir:.'}}
spec: {type: service, lifecycle: production, owner: team, system: system-%d, dependsOn: ['component:default/part-%d', 'component:default/part-%d']}
`, i, i, i, i%4, i, i/20, i*7%n, i*11%n)
	}
	documents, err := document.Parse("bench.yaml", []byte(text.String()), document.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := c.Apply(system(), catalog.Apply{Space: "default", Source: "bench", Documents: documents}); err != nil {
		b.Fatal(err)
	}
	ctx := as("alice")
	b.Run("Get", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := c.Get(ctx, ref.New("component", "", fmt.Sprint("part-", i*997%n))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("List", func(b *testing.B) {
		for b.Loop() {
			if page, err := c.List(ctx, catalog.Query{Kinds: []string{"component"}, Type: []string{"service"}, Limit: 20}); err != nil || len(page.Items) != 20 {
				b.Fatal(err)
			}
		}
	})
	b.Run("ByRefs", func(b *testing.B) {
		refs := make([]ref.Entity, 100)
		for i := 0; b.Loop(); i++ {
			for j := range refs {
				refs[j] = ref.New("component", "", fmt.Sprint("part-", (i*100+j*7)%n))
			}
			if list, err := c.ByRefs(ctx, refs); err != nil || list[0] == nil {
				b.Fatal(err)
			}
		}
	})
}
