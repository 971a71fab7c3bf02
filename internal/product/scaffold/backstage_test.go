package scaffold_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/document/backstagetest"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
)

// Backstage's schema of templates takes what Roadbed takes, and refuses what it refuses; what a template does is not its matter.
func TestBackstageAgreesOnTemplates(t *testing.T) {
	t.Parallel()
	templates := realTemplates(t)
	real := len(templates)
	seed := uint64(20261128)
	random := rand.New(rand.NewPCG(seed, seed))
	for range 4000 {
		e := backstagetest.Copy(templates[random.IntN(real)])
		for range 1 + random.IntN(2) {
			mutateTemplate(random, e)
		}
		templates = append(templates, e)
	}
	theirs := backstagetest.Judge(t, templates)
	kinds := document.NewRegistry()
	kinds.Register(scaffold.DocumentKind())
	taken, excused, told := 0, map[string]int{}, 0
	for i, e := range templates {
		why := refusal(kinds, e)
		if ours := why == ""; ours == theirs[i].Taken {
			if ours {
				taken++
			}
			continue
		}
		if reason := onPurpose(why, theirs[i].Why); reason != "" {
			excused[reason]++
			continue
		}
		if told++; told <= 20 {
			text, _ := json.Marshal(e)
			t.Errorf("%.2000s\nours: %s\nBackstage's: %t %s", text, why, theirs[i].Taken, theirs[i].Why)
		}
	}
	t.Logf("%d templates, %d of them from the corpus; both take %d, these differ on purpose: %v", len(templates), real, taken, excused)
	if told > 0 {
		t.Errorf("%d differ", told)
	}
	if taken < 800 || taken > len(templates)-800 {
		t.Errorf("of %d templates %d are taken: the mutations say little", len(templates), taken)
	}
}

// onPurpose says why Roadbed takes less or more than Backstage.
func onPurpose(ours, theirs string) string {
	for part, reason := range map[string]string{
		"must be a list with at least one step": "a template without steps is refused",
		"action: is missing":                    "so is a step with an empty action",
		"can't be an id":                        "an id of a step is written in expressions",
		"is that of step":                       "two steps of one id can't be told apart",
	} {
		if strings.Contains(ours+theirs, part) {
			return reason
		}
	}
	return ""
}

func refusal(kinds *document.Registry, e map[string]any) string {
	d, err := document.FromValue(e)
	if err != nil {
		return err.Error()
	}
	if _, wrong := kinds.Check(d); len(wrong) > 0 {
		return fmt.Sprint(wrong)
	}
	return ""
}

// realTemplates gives those of the corpus, and one with all that Backstage knows of a template.
func realTemplates(t *testing.T) []map[string]any {
	t.Helper()
	all := append(backstagetest.Corpus(t, "templates", "catalog"), backstagetest.Entities("whole.yaml", []byte(wholeTemplate))...)
	return slices.DeleteFunc(all, func(e map[string]any) bool {
		return e["kind"] != "Template" || e["apiVersion"] != scaffold.APIVersion
	})
}

const wholeTemplate = `
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: whole, title: Whole, description: All that there is, tags: [a]}
spec:
  type: service
  owner: group:default/team
  lifecycle: production
  parameters:
    - title: One
      when: ${{ parameters.a }}
      backstage:permissions: {tags: [a]}
      required: [name]
      properties: {name: {type: string, ui:field: EntityNamePicker}}
    - {}
  secrets: {schema: {type: object, properties: {token: {type: string}}}}
  presentation: {buttonLabels: {backButtonText: back, createButtonText: make, reviewButtonText: look}}
  EXPERIMENTAL_recovery: {EXPERIMENTAL_strategy: startOver}
  formDecorators: [{id: a, input: {b: c}}]
  EXPERIMENTAL_formDecorators: [{id: a, input: {b: c}}]
  steps:
    - {id: one, name: One, action: debug:log, input: {message: hello}, if: "${{ parameters.name }}", each: "${{ parameters.list }}"}
    - {action: debug:log, if: false}
  output:
    links: [{title: T, url: 'https://example.com', icon: web, if: true}, {title: U, entityRef: 'component:default/a'}]
    text: [{title: T, content: words, icon: web, if: '${{ parameters.a }}'}]
    more: ${{ steps.one.output.any }}
`

// mutateTemplate changes or takes away one thing.
func mutateTemplate(random *rand.Rand, e map[string]any) {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	some := func() any {
		return []any{"x", "", " ", 1.0, true, false, nil, []any{}, []any{"x"}, []any{1.0}, map[string]any{}, map[string]any{"a": "b"}, []any{map[string]any{}}, "${{ parameters.a }}"}[random.IntN(14)]
	}
	change := func(m map[string]any, key string) {
		if random.IntN(4) == 0 {
			delete(m, key)
			return
		}
		m[key] = some()
	}
	inside := func(m map[string]any, keys ...string) map[string]any {
		for _, key := range keys {
			next, ok := m[key].(map[string]any)
			if !ok {
				next = map[string]any{}
				m[key] = next
			}
			m = next
		}
		return m
	}
	one := func(m map[string]any, key string) map[string]any {
		list, _ := m[key].([]any)
		if len(list) > 0 {
			if item, ok := list[random.IntN(len(list))].(map[string]any); ok {
				return item
			}
		}
		item := map[string]any{}
		m[key] = append(list, item)
		return item
	}
	spec, ok := e["spec"].(map[string]any)
	if !ok {
		change(e, "spec")
		return
	}
	switch random.IntN(10) {
	case 0:
		change(spec, pick("type", "owner", "lifecycle", "parameters", "secrets", "presentation", "steps", "output", "EXPERIMENTAL_recovery", "formDecorators", "EXPERIMENTAL_formDecorators"))
	case 1, 2:
		change(one(spec, "steps"), pick("id", "name", "action", "input", "if", "backstage:permissions"))
	case 3:
		change(one(inside(spec, "output"), "links"), pick("title", "url", "entityRef", "icon", "if"))
	case 4:
		change(one(inside(spec, "output"), "text"), pick("title", "content", "icon", "if"))
	case 5:
		change(inside(spec, "output"), pick("links", "text", "other"))
	case 6:
		change(inside(spec, "presentation", "buttonLabels"), pick("backButtonText", "createButtonText", "reviewButtonText"))
	case 7:
		if _, list := spec["parameters"].([]any); list {
			change(one(spec, "parameters"), pick("when", "backstage:permissions"))
			return
		}
		change(inside(spec, "parameters"), "backstage:permissions")
	case 8:
		change(inside(spec, pick("secrets", "presentation", "EXPERIMENTAL_recovery")), pick("schema", "buttonLabels", "EXPERIMENTAL_strategy"))
	case 9:
		change(one(spec, pick("formDecorators", "EXPERIMENTAL_formDecorators")), pick("id", "input"))
	}
}
