package directory

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestNamesOfEntities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, names, want string }{
		{"alice@example.com", FullNames, "alice_example.com"}, {"alice@example.com", LocalNames, "alice"}, {"Payments Team", FullNames, "payments-team"},
		{`CORP\José`, FullNames, "corp_jose"}, {"--a..b  & c--", FullNames, "a.b-c"}, {"漢字", FullNames, ""}, {"", FullNames, ""},
		{strings.Repeat("a", 63), FullNames, strings.Repeat("a", 63)},
	} {
		if got := entityName(c.text, c.names); got != c.want {
			t.Errorf("%q is called %q, want %q", c.text, got, c.want)
		}
	}
	a, b := entityName(strings.Repeat("a", 70), FullNames), entityName(strings.Repeat("a", 71), FullNames)
	if a == b || len(a) > mostName || !ref.ValidName(a) {
		t.Errorf("long names are %q and %q", a, b)
	}
}

func FuzzNamesOfEntities(f *testing.F) {
	for _, seed := range []string{"alice@example.com", "Payments Team", "漢字", "a__b", "-", "ﬃ", "İ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if name := entityName(text, FullNames); name != "" && (!ref.ValidName(name) || strings.ToLower(name) != name) {
			t.Errorf("%q gives %q, which is no name", text, name)
		}
	})
}
