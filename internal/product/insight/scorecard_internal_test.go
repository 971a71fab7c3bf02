package insight

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func parsed(t *testing.T, text string) document.Document {
	t.Helper()
	docs, err := document.Parse("card.yaml", []byte(text), document.Limits{})
	if err != nil || len(docs) != 1 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	return docs[0]
}

func example(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func judges() *Service { return &Service{env: newEnvironment()} }

func TestLevels(t *testing.T) {
	t.Parallel()
	spec := Spec{
		Levels: []Level{{Name: "bronze"}, {Name: "silver"}, {Name: "gold"}},
		Rules:  []Rule{{ID: "a", Level: "bronze"}, {ID: "b", Level: "silver"}, {ID: "c", Level: "silver"}, {ID: "d", Level: "gold"}},
	}
	for _, c := range []struct {
		failed               string
		level, next, missing string
	}{
		{"", "gold", "", ""}, {"d", "silver", "gold", "d"}, {"c", "bronze", "silver", "c"}, {"b c d", "bronze", "silver", "b c"}, {"a", "", "bronze", "a"}, {"a d", "", "bronze", "a"},
	} {
		failed := strings.Fields(c.failed)
		v := spec.verdict(func(rule string) bool { return slices.Contains(failed, rule) })
		var missing []string
		for _, r := range spec.missing(v.Level, v.Failed) {
			missing = append(missing, r.ID)
		}
		if v.Level != c.level || spec.next(v.Level) != c.next || strings.Join(missing, " ") != c.missing || strings.Join(v.Failed, " ") != c.failed {
			t.Errorf("failing %q is at %q, next %q, missing %v", c.failed, v.Level, spec.next(v.Level), missing)
		}
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	t.Parallel()
	if _, rules, wrong := judges().read(parsed(t, example(t, "production.yaml"))); len(wrong) > 0 || len(rules) != 5 {
		t.Errorf("%d rules, %v", len(rules), wrong)
	}
	if spec, wrong := readRadar(parsed(t, example(t, "radar.yaml"))); len(wrong) > 0 || len(spec.Entries) != 5 {
		t.Errorf("%d entries, %v", len(spec.Entries), wrong)
	}
}

// What is wrong with a scorecard is told with its place: the line of the document, and the column of the expression.
func TestMistakesOfAScorecardHaveTheirPlace(t *testing.T) {
	t.Parallel()
	d := parsed(t, `apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: wrong}
spec:
  levels:
    - {name: bronze}
    - {name: bronze}
    - {name: none, color: mauve}
  rules:
    - id: broken
      level: bronze
      expression: owner !=
    - id: unknown
      level: platinum
      expression: size(metrik) > 0
    - id: text
      level: bronze
      expression: owner
    - id: broken
      level: bronze
      expression: "true"
`)
	_, _, wrong := judges().read(d)
	var lines []string
	for _, w := range wrong {
		lines = append(lines, w.String())
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		`card.yaml:7:8: spec.levels.1.name: "bronze" is there twice`, `"none" is what has no level`, `"mauve" is not a colour`,
		"card.yaml:12:7: spec.rules.0.expression: rule broken, column", "card.yaml:15:7: spec.rules.1.expression: rule unknown, column 6: undeclared reference to 'metrik'",
		`spec.rules.1.level: "platinum" is none of the levels`, "rule text, column 1: gives string; write what is true or false", `spec.rules.3.id: "broken" is there twice`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in\n%s", want, all)
		}
	}
}

// An expression that costs too much, or errs, is a rule that is not passed, with the reason.
func TestExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	d := parsed(t, `apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: costly}
spec:
  levels: [{name: bronze}]
  rules:
    - {id: costly, level: bronze, expression: "entity.list.all(a, entity.list.all(b, entity.list.all(c, a + b + c >= 0)))"}
    - {id: errs, level: bronze, expression: "entity.spec.nothing == 'x'"}
    - {id: odd, level: bronze, expression: "entity.metadata.name"}
    - {id: fine, level: bronze, expression: "entity.metadata.name == 'a'"}
`)
	spec, rules, wrong := judges().read(d)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	list := make([]any, 1000)
	for i := range list {
		list[i] = int64(i)
	}
	f := &facts{known: map[string]any{"entity": map[string]any{"metadata": map[string]any{"name": "a"}, "spec": map[string]any{}, "list": list}, "now": time.Now()}}
	v := judge(context.Background(), spec, rules, f, func(string) bool { return false })
	if strings.Join(v.Failed, " ") != "costly errs odd" || v.Level != "" || len(v.Unread) != 0 {
		t.Fatalf("%+v", v)
	}
	if !strings.Contains(v.Errors["costly"], "cost limit") || !strings.Contains(v.Errors["errs"], "no such key: nothing") || !strings.Contains(v.Errors["odd"], "neither true nor false") || v.Errors["fine"] != "" {
		t.Errorf("reasons: %v", v.Errors)
	}
}

func TestFiltersChoose(t *testing.T) {
	t.Parallel()
	d := parsed(t, `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shop, tags: [go, grpc], labels: {tier: one}}, spec: {type: service, lifecycle: production, owner: crew, system: store}}`)
	e := catalog.Entity{Ref: d.Ref(), Document: d, Type: "service", Owner: ref.New("group", "default", "crew")}
	for _, c := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true}, {Filter{Kinds: []string{"API", "component"}}, true}, {Filter{Kinds: []string{"API"}}, false}, {Filter{Types: []string{"Service"}}, true},
		{Filter{Lifecycles: []string{"experimental"}}, false}, {Filter{Owners: []string{"crew"}}, true}, {Filter{Owners: []string{"user:crew"}}, false},
		{Filter{Systems: []string{"system:default/store"}}, true}, {Filter{Systems: []string{"other"}}, false}, {Filter{Namespaces: []string{"other"}}, false},
		{Filter{Tags: []string{"go", "grpc"}}, true}, {Filter{Tags: []string{"go", "java"}}, false}, {Filter{Labels: map[string]string{"tier": "one"}}, true}, {Filter{Labels: map[string]string{"tier": "two"}}, false},
	} {
		if got := c.f.chooses(e, "default"); got != c.want {
			t.Errorf("%+v chooses: %t", c.f, got)
		}
	}
}

func TestMistakesOfARadarHaveTheirPlace(t *testing.T) {
	t.Parallel()
	text := strings.Replace(example(t, "radar.yaml"), "ring: hold, moved: out", "ring: nowhere, moved: away", 1)
	text = strings.Replace(text, `"https://go.dev"`, `"javascript:alert(1)"`, 1)
	text = strings.Replace(text, "    - {id: practices, title: Practices}\n", "", 1)
	_, wrong := readRadar(parsed(t, text))
	var all []string
	for _, w := range wrong {
		all = append(all, w.Field+" "+w.Message)
	}
	for _, want := range []string{"spec.quadrants needs 4 quadrants", `spec.entries.4.ring "nowhere" is none of the rings`, `spec.entries.4.moved "away" is no way to move`,
		`spec.entries.0.links.0.url "javascript:alert(1)" is not an address`, `spec.entries.3.quadrant "practices" is none of the quadrants`} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is not in %q", want, all)
		}
	}
}

// A day without a change counts what the day before did.
func TestTrendsHoldUntilTheNextChange(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	rows := []placed{
		{space: "default", owner: "group:default/a", day: "2026-04-01", Counts: counted("gold", nil)},
		{space: "default", owner: "group:default/b", day: "2026-05-03", Counts: counted("", []string{"x"})},
		{space: "default", owner: "group:default/a", day: "2026-05-04", Counts: counted("silver", []string{"y"})},
	}
	days := trend(rows, from, from.AddDate(0, 0, 4))
	var got []string
	for _, d := range days {
		got = append(got, d.Day+" "+strings.Repeat("g", d.Counts.Levels["gold"])+strings.Repeat("s", d.Counts.Levels["silver"])+strings.Repeat("-", d.Counts.Levels[""]))
	}
	if want := "2026-05-01 g, 2026-05-02 g, 2026-05-03 g-, 2026-05-04 s-, 2026-05-05 s-"; strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}
