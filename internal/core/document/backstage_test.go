package document_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/document/backstagetest"
)

// hardScalars are texts that versions and libraries of YAML read in different ways.
var hardScalars = []string{
	"0644", "0o644", "0o8", "08", "-0644", "+12", "-12", "0x1F", "-0x1F", "0X1F", "0b101", "1_000", "0x1_0", "1_0.5", "_1", "190:20:30", "12:30", "1,000",
	"1.", ".5", "-.5", "+.5", "1.10", "1.0", "1e3", "1E3", "1e+3", "1.5e-3", "1e", "e3", ".e3", "-0", "0.0", "00", "0.1.2", "1.2.3", "v1.0", "0o", "0x", "--1", "+-1",
	"9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616", "123456789012345678901234567890", "-9223372036854775809", "1e400",
	"yes", "no", "Yes", "NO", "on", "off", "On", "y", "n", "Y", "true", "True", "TRUE", "tRue", "false", "False", "FALSE", "null", "Null", "NULL", "nULL", "~", "",
	".inf", "-.INF", ".nan", ".Inf", "inf", "nan", "NaN", "Infinity",
	"2024-01-02", "2024-01-02T03:04:05Z", "2024-01-02 03:04:05", "2024-1-2", "<<", "=", "!!str 5", "!!int 5", "!!int '5'", "!!float 1.5", "!!str 0644", "!!str", "!!bool yes", "!!null ''",
	"'0644'", "\"yes\"", "'~'", "a: b", "a:b", "a #b", "a#b", "a  b", "@a", "`a`", "%a", "&a b", "&a 0644", "*a", "!a b", "? a", "- a", "-a", "-", "|", ">", "|-\n    a\n    b", ">-\n    a\n    b",
	"a\n    b", "\"a\\nb\"", "\"\\x41\\u00e9\"", "'it''s'", "\"a\\\n    b\"", "[a, 0644, yes, 1_000]", "{a: 0644, b: ~, c: }", "[a, [b]]", "{a}", "[a,]", "{a: b,}", "[a:b, c]", "{ a: 1, <<: {b: 2} }",
	"{<<: {a: 1}, a: 2}", "{<<: [{a: 1}, {a: 2, b: 3}]}", "{<<: 5}", "{a: 1, a: 2}", "\n    a: &x {b: 1}\n    c: *x", "\n    a: &x {b: 1}\n    c: {<<: *x, d: 2}", "\n    a: 1\n    a: 2", "\n  - a\n  - 0644",
	"𝄞", "\"\\U0001D11E\"", "a\\nb", "0.30000000000000004", "1e21", "123456789.123456789",
}

// TestBackstageReadsTheSame holds the values that are read of a text to those that Backstage's catalog reads of it, by the package
// and the options that it has. Where one of both refuses the text there is nothing to compare.
func TestBackstageReadsTheSame(t *testing.T) {
	t.Parallel()
	texts := []string{}
	for _, scalar := range hardScalars {
		const head = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: a\nspec:\n"
		texts = append(texts, head+"  value: "+scalar+"\n", head+"  value: "+scalar+" # said\n  more: [x, "+strings.ReplaceAll(scalar, "\n", " ")+"]\n",
			"---\n# said\n"+head+"  list:\n    - "+scalar+"\n---\n")
	}
	for _, block := range []string{"|", "|-", "|+", ">", ">-"} {
		texts = append(texts, "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: a\n  description: "+block+"\n    said\n    more") // without an end of the line
	}
	hard := len(texts)
	for _, file := range backstagetest.Files(t, "catalog", "templates") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	type answer struct {
		Values []map[string]any `json:"values"`
		Why    string           `json:"why"`
	}
	compared, ofHard := 0, 0
	for i, theirs := range backstagetest.Ask[answer](t, "parse.cjs", texts) {
		documents, err := document.Parse("a.yaml", []byte(texts[i]), document.Limits{})
		if err != nil || theirs.Why != "" {
			continue
		}
		if slices.ContainsFunc(documents, func(d document.Document) bool { return !strings.Contains(d.APIVersion, "backstage.io/") }) {
			continue // whose other tools read numbers as YAML 1.1 has them
		}
		var ours []map[string]any
		for _, d := range documents {
			ours = append(ours, backstagetest.Copy(d.Value()))
		}
		if compared++; i < hard {
			ofHard++
		}
		if diff := cmp.Diff(theirs.Values, ours); diff != "" {
			t.Errorf("%.400s\n(-Backstage's +ours): %s", texts[i], diff)
		}
	}
	t.Logf("%d texts are read by both, %d of them made to be hard", compared, ofHard)
	if ofHard < len(hardScalars) || compared < 400 {
		t.Errorf("only %d texts were compared, %d of them made to be hard", compared, ofHard)
	}
}

// TestNumbersOfOthers are read as their own tools read them, which know YAML 1.1: the mode of a volume is octal.
func TestNumbersOfOthers(t *testing.T) {
	t.Parallel()
	for apiVersion, want := range map[string]string{
		"argoproj.io/v1alpha1": `{"mode":420,"size":1000}`, "v1": `{"mode":420,"size":1000}`, "cert-manager.io/v1": `{"mode":420,"size":1000}`,
		"backstage.io/v1alpha1": `{"mode":644,"size":"1_000"}`, "scaffolder.backstage.io/v1beta3": `{"mode":644,"size":"1_000"}`,
	} {
		for _, order := range []string{"apiVersion: %\nkind: A\nmetadata: {name: a}\nspec: {mode: 0644, size: 1_000}\n", "spec:\n  mode: 0644\n  size: 1_000\nmetadata: {name: a}\nkind: A\napiVersion: %\n"} {
			documents, err := document.Parse("a.yaml", []byte(strings.Replace(order, "%", apiVersion, 1)), document.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if text, err := json.Marshal(documents[0].Spec); string(text) != want || err != nil {
				t.Errorf("of %s: %s, %v; want %s", apiVersion, text, err, want)
			}
		}
	}
	if value, err := document.ParseValue("a.yaml", []byte("[0644, 0o644, 1_000, 0b1]"), document.Limits{}); err != nil || !cmp.Equal(value, any([]any{int64(644), int64(420), "1_000", "0b1"})) {
		t.Errorf("a value is read as %v, %v", value, err)
	}
}
