package proposal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

func TestSuggestionsInAText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"no":                            nil,
		"a\n```suggestion\nb\nc\n```\n": {"b\nc\n"},
		"```suggestion\r\nb\r\n```":     {"b\n"},
		"```suggestion\n```":            {""},
		"~~~ suggestion \n```\n~~~":     {"```\n"},
		"````suggestion\n```go\nx\n```\n````\nand\n```suggestion\ny\n```": {"```go\nx\n```\n", "y\n"},
		"```go\n```suggestion\n```":                                       {},
		"> ```suggestion\n> x\n> ```":                                     nil,
		"```suggestion\nnever closed":                                     {"never closed\n"},
		"    ```suggestion\n    x\n    ```":                               nil,
		"<!--\n```suggestion\nx\n```\n-->":                                nil,
		"a `` ```suggestion `` b\n":                                       nil,
		"```suggestion more\nx\n```":                                      nil,
		"```suggestion\nx\n  ```\n\n```suggestion":                        {"x\n", ""},
	} {
		if diff := cmp.Diff(want, suggestions(text)); diff != "" && len(want)+len(suggestions(text)) > 0 {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestWhereLinesAreAfterAChange(t *testing.T) {
	t.Parallel()
	const patch = "@@ -3,2 +3,3 @@ x\n-a\n-b\n+c\n+d\n+e\n@@ -10,0 +12,2 @@\n+f\n+g\n@@ -20 +23,0 @@\n-h\n"
	for span, want := range map[Span]Span{
		{1, 2}: {1, 2}, {2, 3}: {}, {4, 4}: {}, {5, 5}: {6, 6}, {5, 10}: {6, 11}, {10, 11}: {}, {11, 11}: {14, 14}, {11, 19}: {14, 22}, {20, 20}: {}, {21, 21}: {23, 23},
	} {
		if got := span.after(git.FileDiff{Status: "modified", Patch: patch}); got != want {
			t.Errorf("%v is at %v, want %v", span, got, want)
		}
	}
	for _, f := range []git.FileDiff{{Status: "deleted"}, {Status: "modified", Folded: true}, {Status: "modified", Binary: true}} {
		if got := (Span{1, 1}).after(f); got != (Span{}) {
			t.Errorf("after %+v it is at %v", f, got)
		}
	}
}

func TestASuggestionEndsAsItsLines(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{{"a\nb\n", "x\r\ny\r\n", "a\r\nb\r\n"}, {"a\n", "x\ny", "a"}, {"a\n", "x\r\ny", "a"}, {"", "x\n", ""}, {"a\n", "x\n", "a\n"}} {
		if got := endedAs(c[0], splitLines(c[1])); got != c[2] {
			t.Errorf("%q for %q is %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func FuzzLinesOf(f *testing.F) {
	for _, seed := range []string{"```suggestion\nx\n```", "> a\n/merge", "~~~\n~~~~", "<!-- -->", "/merge squash"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if lines := linesOf(text); len(lines) != strings.Count(strings.ReplaceAll(text, "\r\n", "\n"), "\n")+1 {
			t.Errorf("%q has %d lines", text, len(lines))
		}
		for _, s := range suggestions(text) {
			if s != "" && !strings.HasSuffix(s, "\n") {
				t.Errorf("%q suggests %q", text, s)
			}
		}
	})
}
