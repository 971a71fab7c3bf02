package scaffold

import (
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
)

func TestAFormKeepsTheOrderOfItsFile(t *testing.T) {
	t.Parallel()
	documents, err := document.Parse("template.yaml", []byte(`apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: x}
spec:
  type: service
  parameters:
    - title: One
      properties:
        zebra: {type: string}
        apple:
          type: object
          properties: {pip: {type: string}, core: {type: string}}
        middle: {type: array, items: {type: object, properties: {b: {type: string}, a: {type: string}}}}
      dependencies:
        zebra: {oneOf: [{properties: {zebra: {enum: [x]}, more: {type: string}}}]}
    - title: Two
      ui:order: [n, m]
      properties: {m: {type: string}, n: {type: string}}
    - title: Three
      properties: {only: {type: string}}
  steps: [{id: a, name: A, action: "debug:log"}]
`), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(documents[0].Spec)
	d := keepOrder(documents[0])
	if after := fmt.Sprint(documents[0].Spec); after != before {
		t.Fatalf("the author's document was written to: %s", after)
	}
	at := func(path ...any) any {
		v := d.Spec["parameters"]
		for _, step := range path {
			switch step := step.(type) {
			case int:
				v = v.([]any)[step]
			case string:
				v = v.(map[string]any)[step]
			}
		}
		return v
	}
	for _, c := range []struct {
		want string
		path []any
	}{
		{"[zebra apple middle *]", []any{0, "ui:order"}},
		{"[pip core *]", []any{0, "properties", "apple", "ui:order"}},
		{"[b a *]", []any{0, "properties", "middle", "items", "ui:order"}},
		{"[zebra more *]", []any{0, "dependencies", "zebra", "oneOf", 0, "ui:order"}},
		{"[n m]", []any{1, "ui:order"}},
		{"<nil>", []any{2, "ui:order"}},
	} {
		if got := fmt.Sprint(at(c.path...)); got != c.want {
			t.Errorf("%v is %s, not %s", c.path, got, c.want)
		}
	}
}
