package document

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestAReferenceNamesAFileAndAWayInIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		file string
		way  []string
	}{
		"":                           {"", nil},
		"#":                          {"", nil},
		"#/":                         {"", nil},
		"a.yaml":                     {"a.yaml", nil},
		"../my%20pets/a.yaml#/":      {"../my pets/a.yaml", nil},
		"#/a/0":                      {"", []string{"a", "0"}},
		"a.yaml#/paths/~1pets~1%7B1": {"a.yaml", []string{"paths", "/pets/{1"}},
		"#/~01/~10//":                {"", []string{"~1", "/0", "", ""}},
		"#/%2F":                      {"", []string{"/"}},
		"https://a.test/%20#/x":      {"https://a.test/%20", []string{"x"}},
	} {
		file, way, err := split(text)
		if err != nil || file != want.file || !slices.Equal(way, want.way) {
			t.Errorf("%q names %q in %q, %v; want %q in %q", text, way, file, err, want.way, want.file)
		}
	}
	for _, text := range []string{"a.yaml#b", "#b/c", "%zz.yaml", "#/%zz"} {
		if file, way, err := split(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q names %q in %q, %v", text, way, file, err)
		}
	}
}

func TestAWayThatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.StringOf(rapid.SampledFrom([]rune("a0~/%#{} é"))), 1, 5).Draw(t, "tokens")
		if len(tokens) == 1 && tokens[0] == "" {
			t.Skip("#/ names the whole file, as it is often meant")
		}
		cut := rapid.IntRange(0, len(tokens)-1).Draw(t, "cut")
		var w *way
		for _, token := range tokens[:cut] {
			w = &way{w, token}
		}
		var rest strings.Builder
		for _, token := range tokens[cut:] {
			rest.WriteString("/" + escapeToken(token))
		}
		pointer, err := w.pointer(rest.String())
		if err != nil {
			t.Fatal(err)
		}
		if file, again, err := split("#" + pointer); err != nil || file != "" || !slices.Equal(again, tokens) {
			t.Errorf("%q is written %s, which is read %q in %q, %v", tokens, pointer, again, file, err)
		}
	})
}
