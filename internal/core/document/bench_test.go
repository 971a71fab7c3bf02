package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
)

// BenchmarkParse reads a file of a hundred services.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: service-%d\n  title: Service %d\n  description: Does work %d\n  annotations:\n    backstage.io/techdocs-ref: dir:.\n  tags:\n    - go\n    - tier-1\nspec:\n  type: service\n  lifecycle: production\n  owner: group:default/team\n  dependsOn:\n    - component:default/service-%d\n", i, i, i, i+1)
	}
	for name, data := range map[string]string{"plain": text.String(), "by_the_library": text.String() + "---\napiVersion: v1\nkind: X\na: >\n  b\n"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				documents, err := document.Parse("f.yaml", []byte(data), document.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				for _, d := range documents {
					d.JSON()
				}
			}
		})
	}
}
