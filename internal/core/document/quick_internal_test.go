package document

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// agree holds the quick reader to the library's: what it reads, that reads alike, and knows the same places.
func agree(t rapid.TB, data []byte, limits Limits) (read bool) {
	t.Helper()
	limits = limits.orDefault()
	got, ok := quick("f.yaml", data, limits)
	if !ok {
		return false
	}
	want, err := slow("f.yaml", data, limits)
	if err != nil {
		t.Fatalf("the library refuses what was read quickly: %v\n%s", err, data)
	}
	if len(got) != len(want) {
		t.Fatalf("%d documents were read quickly, %d by the library:\n%s", len(got), len(want), data)
	}
	for i := range got {
		g, w := got[i], want[i]
		if !bytes.Equal(g.JSON(), w.JSON()) {
			t.Fatalf("quick: %s\nslow:  %s\n%s", g.JSON(), w.JSON(), data)
		}
		if g.Origin != w.Origin {
			t.Fatalf("quick: %+v, slow: %+v\n%s", g.Origin, w.Origin, data)
		}
		for _, path := range [][]string{{"kind"}, {"metadata", "name"}, {"spec", "a", "0"}} {
			if a, b := g.At("", "", path...), w.At("", "", path...); a != b {
				t.Fatalf("quick: %v, slow: %v\n%s", a, b, data)
			}
		}
	}
	return true
}

// plainSeeds are read quickly, oddSeeds by the library alone.
var plainSeeds = []string{
	"apiVersion: v1\nkind: X\nmetadata:\n  name: a\nspec:\n  a:\n    - 1\n    - x\n",
	"---\n---\n# c\napiVersion: v1\nkind: X\n\nspec:\n  a:\n  - b: c # d\n    e: |\n      f\n\n      g: h\n  - - \n",
	"{apiVersion: v1, kind: X, spec: {a: [1, 'b c', \"d\", {}], e: []}}\n---\napiVersion: v1\nkind: X\nmetadata: {name: b, size: 1.0, title: null}\n",
	"apiVersion: v1\nkind: X\nspec:\n  a: ~\n  b: true\n  c: 0x1F\n  d: 2024-01-01\n  e: 1000\n  f: http://x:80/#a\n  g: group:default/x\n  h: é\n  i: .5\n  j: 1e3\n  k: |-\n   text\n  l:\n",
	"apiVersion: v1\nkind: X\ndata: |\n  a\n   b\n\n\nlast: |-\n  c\n",
}

var oddSeeds = []string{
	"a: &a [*a]\n", "a: >\n  b\n  c\n", "a: b\n  c\n", "a: \"b\\n\"\n", "? a\n: b\n", "%YAML 1.2\n---\na: b\n", "a: b\n...\n", "--- {a: b}\n", "a:\tb\n", "a: 'b''c'\n", "a: |2\n   b\n",
	"a: [b\n  ]\n", "a: {b, c}\n", "a: - b\n", "a: b: c\n", "- a\n", "a:\n - b\n   c\n", "a: !!str 1\n", "a: b", "\ufeffa: b\n", "a: |\n  b\n c\n", "a: |\n   \n  b\n", "a: 1\na: 2\n", "a: 'b'#c\n", "a: [b]#c\n", "a: 1_000\n", "a: 0644\n",
}

func TestTheQuickReaderAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	for _, text := range plainSeeds {
		if strings.Contains(text, "- - ") {
			agree(t, []byte(text), Limits{})
			continue
		}
		if !agree(t, []byte(text), Limits{}) {
			t.Errorf("is left to the library:\n%s", text)
		}
	}
	for _, text := range oddSeeds {
		if agree(t, []byte("apiVersion: v1\nkind: X\n"+text), Limits{}) {
			t.Errorf("is read quickly:\n%s", text)
		}
	}
}

// Lines of all sorts are put together at random.
func TestTheQuickReaderAgreesOnAnyLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "b c", "1", "1.5", "-1", "0o7", "0b1", "1_0", "true", "no", "~", "null", "'x'", "\"y\"", "'it''s'", "\"\\t\"", "[a, b]", "[1, {c: d}]", "{e: f}", "{}", "[]", "[a,b]", "{a:b}", "{a: b, a: c}",
			"|", "|-", "|+", ">", "", "# c", "x # y", "x#y", "a: b", "a:", ":a", "-a", "- a", "?", "*a", "&a b", "!t b", "%a", "@a", "`a", "é", "\u00a0", "2024-01-01", "http://a:1/b?c", "a,b", "[a: b]", "['a', \"b\"] # c", "=", "<<", ".inf", "+1", "0x1f", "1:30", "[a ]", "{ a: 1 }",
		}), 0, 12)
		values := text.Draw(t, "values")
		heads := rapid.SliceOfN(rapid.SampledFrom([]string{"a:", "b: ", "c:  ", "- ", "-", "- d: ", "- e:", "  ", "", "---", "spec: ", "metadata:", "f.g/h: ", "'q': "}), len(values), len(values)).Draw(t, "heads")
		indents := rapid.SliceOfN(rapid.IntRange(0, 3), len(values), len(values)).Draw(t, "indents")
		var b strings.Builder
		b.WriteString("apiVersion: v1\nkind: X\n")
		for i, v := range values {
			fmt.Fprintf(&b, "%s%s%s\n", strings.Repeat("  ", indents[i]), heads[i], v)
		}
		agree(t, []byte(b.String()), Limits{Depth: 6, Keys: 6, Values: 40, Expanded: 200})
	})
}

func FuzzQuick(f *testing.F) {
	for _, seed := range append(plainSeeds, oddSeeds...) {
		f.Add([]byte(seed))
		f.Add([]byte("apiVersion: v1\nkind: X\n" + seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		agree(t, data, Limits{Bytes: 64 << 10, Values: 2000, Expanded: 16 << 10, Depth: 20})
	})
}
