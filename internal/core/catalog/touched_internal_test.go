package catalog

import (
	"slices"
	"testing"
)

func TestTouched(t *testing.T) {
	t.Parallel()
	root, a, b := declaring{"loc", "catalog-info.yaml"}, declaring{"loc", "services/a/catalog-info.yaml"}, declaring{"loc", "services/b/catalog-info.yaml"}
	again := declaring{"other", "services/a/api.yaml"}
	mono := []declaring{root, a, b, again}
	for _, c := range []struct {
		name  string
		all   []declaring
		files []string
		want  []declaring
	}{
		{"nothing is declared", nil, []string{"a"}, nil},
		{"a file deep in a service", mono, []string{"services/a/cmd/main.go", "services/a/go.mod"}, []declaring{a, again}},
		{"two services", mono, []string{"services/b/x", "services/a/y"}, []declaring{b, a, again}},
		{"a file of none of them", mono, []string{"docs/index.md", "README.md"}, []declaring{root}},
		{"a service of nobody", mono[1:], []string{"services/c/main.go"}, nil},
		{"one at the root has all", mono[:1], []string{"services/c/main.go", "x"}, []declaring{root}},
	} {
		if got := touched(c.all, c.files); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
