package workflow

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What an expression makes is bounded, however little text asks for how much: it is evaluated in a transaction.
func TestExpressionsMakeNoMoreThanTheirBudget(t *testing.T) {
	t.Parallel()
	grow := func(first, step, last string) string {
		var b strings.Builder
		b.WriteString("let v0 = " + first + "; ")
		for i := range 20 {
			name, before := string(rune('a'+i))+"x", "v0"
			if i > 0 {
				before = string(rune('a'+i-1)) + "x"
			}
			b.WriteString("let " + name + " = " + strings.ReplaceAll(step, "V", before) + "; ")
		}
		b.WriteString(strings.ReplaceAll(last, "V", string(rune('a'+19))+"x"))
		return b.String()
	}
	s := &scope{run: &globals{name: "w", parameters: map[string]string{"x": "xxxxxxxx"}}}
	for name, text := range map[string]string{
		"plus":                grow("'xxxxxxxx'", "V+V+V+V", "V"),
		"plus of a parameter": grow("workflow.parameters.x", "V+V+V+V", "V"),
		"reduce":              "reduce(1..100, #acc + #acc, 'xxxxxxxx')",
		"replace":             grow("'xxxxxxxx'", "replace(V, '', V)", "V"),
		"join":                grow("'xxxxxxxx'", "join([V,V,V,V], V)", "V"),
		"concat":              grow("['x']", "concat(V,V,V,V)", "V"),
		"lists of lists":      grow("['x']", "[V,V,V,V]", "V"),
		"flatten":             grow("['x']", "[V,V,V,V]", "flatten(V)"),
		"string":              grow("['x']", "[V,V,V,V]", "string(V)"),
		"toJSON":              grow("['x']", "[V,V,V,V]", "toJSON(V)"),
		"toJson":              grow("['x']", "[V,V,V,V]", "toJson(V)"),
		"maps":                grow("{'a': 'x'}", "{'a': V, 'b': V}", "toJSON(V)"),
	} {
		if _, err := s.evaluate(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]any{
		"'a' + 'b'": "ab", "1 + 2": 3, "1 + 0.5": 1.5, "join(['a', 'b'], '-')": "a-b", "join(['a', 'b'])": "ab", "replace('aba', 'a', 'c')": "cbc",
		"replace('aba', 'a', 'c', 1)": "cba", "len(concat([1], [2, 3]))": 3, "len(flatten([[1], [2, [3]]]))": 3, "string(7)": "7", "toJson({'a': 1})": `{"a":1}`,
	} {
		if got, err := s.evaluate(text); err != nil || got != want {
			t.Errorf("%s = %v (%T), %v; want %v", text, got, got, err, want)
		}
	}
	if _, err := s.evaluate("'a' + 1"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a text plus a number: %v", err)
	}
}

func TestSequencesAreBoundedBeforeTheyAreMade(t *testing.T) {
	t.Parallel()
	s := &scope{run: &globals{name: "w"}}
	for _, q := range []Sequence{
		{Start: "9223372036854775807", End: "-2"}, {Start: "-9223372036854775808", End: "9223372036854775807"},
		{Count: "9223372036854775807"}, {Start: "1", Count: "2000"}, {Start: "0", End: "1000000000"}, {Start: "1000000000", End: "0"},
	} {
		if items, err := s.sequence(&q); err == nil {
			t.Errorf("%+v gives %d items", q, len(items))
		}
	}
	if items, err := s.sequence(&Sequence{Start: "3", End: "1"}); err != nil || len(items) != 3 {
		t.Errorf("3 to 1 gives %v, %v", items, err)
	}
}
