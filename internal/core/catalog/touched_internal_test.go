package catalog

import (
	"slices"
	"testing"
)

func TestTouched(t *testing.T) {
	t.Parallel()
	mono := []Declared{
		{Ref: "system:default/all", Path: "catalog-info.yaml"}, {Ref: "component:default/a", Path: "services/a/catalog-info.yaml"},
		{Ref: "api:default/a", Path: "services/a/catalog-info.yaml"}, {Ref: "component:default/b", Path: "services/b/catalog-info.yaml"},
	}
	for _, c := range []struct {
		name  string
		all   []Declared
		files []string
		want  []string
	}{
		{"nothing is declared", nil, []string{"a"}, nil},
		{"a file deep in a service", mono, []string{"services/a/cmd/main.go", "services/a/go.mod"}, []string{"api:default/a", "component:default/a"}},
		{"two services", mono, []string{"services/b/x", "services/a/y"}, []string{"api:default/a", "component:default/a", "component:default/b"}},
		{"a file of none of them", mono, []string{"docs/index.md", "README.md"}, []string{"system:default/all"}},
		{"a service of nobody", mono[1:], []string{"services/c/main.go"}, nil},
		{"one at the root has all", mono[:1], []string{"services/c/main.go", "x"}, []string{"system:default/all"}},
	} {
		if got := touched(c.all, c.files); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
