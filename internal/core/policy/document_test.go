package policy_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

func TestDocumentsAreRefusedWithThePlace(t *testing.T) {
	t.Parallel()
	b := one(t)
	for _, c := range []struct {
		name, rego, message string
		line                int
	}{
		{"syntax", "package roadbed.plan\n\ndeny contains \"x\" if {\n  input.x ==\n}", "unexpected", 7 + 5},
		{"an unsafe variable", "package roadbed.plan\n\ndeny contains x if input.y", "unsafe", 7 + 3},
		{"old syntax that is wrong", "package spacelift\n\ndeny[x] { input.y }", "unsafe", 7 + 3},
		{"http", "package roadbed.plan\ndeny contains \"x\" if http.send({\"url\": \"http://x\", \"method\": \"get\"}).status_code == 1", "http.send", 7 + 2},
		{"the clock", "package roadbed.plan\nwarn contains \"x\"\ndeny contains \"x\" if time.now_ns() > 1", "time.now_ns", 7 + 3},
		{"the environment", "package roadbed.plan\ndeny contains \"x\" if opa.runtime().env.HOME", "opa.runtime", 7 + 2},
		{"the resolver", "package roadbed.plan\ndeny contains \"x\" if net.lookup_ip_addr(\"x\")", "net.lookup_ip_addr", 7 + 2},
		{"the parser", "package roadbed.plan\ndeny contains \"x\" if rego.parse_module(\"x\", \"package x\")", "rego.parse_module", 7 + 2},
		{"tracing", "package roadbed.plan\ndeny contains \"x\" if trace(\"x\")", "trace", 7 + 2},
		{"dice", "package roadbed.plan\ndeny contains \"x\" if rand.intn(\"x\", 5) == 1", "rand.intn", 7 + 2},
		{"a huge shift", "package roadbed.plan\ndeny contains \"x\" if bits.lsh(1, 99999999999) == 1", "bits.lsh", 7 + 2},
		{"all paths of a graph", "package roadbed.plan\ndeny contains \"x\" if count(graph.reachable_paths({}, {\"a\"})) == 1", "graph.reachable_paths", 7 + 2},
		{"values that multiply", "package roadbed.plan\ndeny contains \"x\" if { " + doubled("[%[1]s, %[1]s]", "[1]", 60) + "; v60 == input.x }", "values within values", 7 + 2},
		{"a huge number", "package roadbed.plan\ndeny contains \"x\" if 1e500 * 2 == 1", "too large", 7 + 2},
		{"another package", "package main\ndeny contains \"x\"", "package main is not asked", 7 + 1},
		{"another point's package", "package roadbed.push\ndeny contains \"x\"", "package roadbed.push is not asked", 7 + 1},
		{"no rule that is asked", "package roadbed.plan\ndenied contains \"x\"", "none of the rules", 7 + 1},
		{"deep nesting", "package roadbed.plan\ndeny contains " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "deep", 7},
	} {
		text := "apiVersion: roadbed.dev/v1\nkind: Policy\nmetadata:\n  name: x\nspec:\n  point: plan\n  rego: |\n    " + strings.ReplaceAll(c.rego, "\n", "\n    ") + "\n"
		docs, err := document.Parse("policies/x.yaml", []byte(text), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		wrong := b.kind.Validate(docs[0])
		if len(wrong) == 0 {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		if d := wrong[0]; d.File != "policies/x.yaml" || d.Line != c.line || !strings.Contains(d.Message, c.message) {
			t.Errorf("%s: %s; want line %d and %q", c.name, d, c.line, c.message)
		}
	}
	for name, spec := range map[string]map[string]any{
		"no point":         {"rego": "package roadbed.plan"},
		"no rego":          {"point": "plan"},
		"an unknown field": {"point": "plan", "rego": "package roadbed.plan\ndeny if false", "regex": "x"},
		"an empty module":  {"point": "plan", "rego": "# nothing"},
		"too long":         {"point": "plan", "rego": "package roadbed.plan\n# " + strings.Repeat("x", 300<<10)},
	} {
		if wrong := b.kind.Validate(document.Document{Kind: "Policy", Metadata: document.Metadata{Name: "x"}, Spec: spec}); len(wrong) == 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		"package roadbed.plan\ndeny contains \"no\" if input.x == 1", "package spacelift\ndeny[\"no\"] { input.x }", "package roadbed.plan\nimport rego.v1\ndefault deny := {}",
		"package roadbed.plan\ndeny contains {\"a\": [1, {2}]}", "package x\n[[[[", "package roadbed.plan\n# METADATA\n# scope: rule\ndeny := 1e5",
	} {
		f.Add(seed)
	}
	kind := policy.Kinds(policy.New(nil, nil, nil, nil, time.Now, slog.New(slog.DiscardHandler)))[0]
	f.Fuzz(func(t *testing.T, rego string) {
		d := document.Document{Kind: "Policy", Metadata: document.Metadata{Name: "x"}, Spec: map[string]any{"point": "plan", "rego": rego}}
		for _, wrong := range kind.Validate(d) {
			if wrong.Message == "" {
				t.Errorf("%q is refused without a reason", rego)
			}
		}
	})
}
