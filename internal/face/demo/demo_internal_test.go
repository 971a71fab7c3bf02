package demo

import (
	"slices"
	"testing"
)

func TestLinesFitATerminal(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"ten chars!", []string{"ten chars!"}},
		{"ConfigMap  ", []string{"ConfigMap"}},
		{"one two three four", []string{"one two", "three four"}},
		{"a bee-in-bon net", []string{"a", "bee-in-bon", "net"}},
		{"a sha256:0123456789 ends", []string{"a sha256:0", "123456789", "ends"}},
		{"│ wörter│ zählen", []string{"│ wörter│", "zählen"}},
	} {
		if got := wrapped(c.text, 10); !slices.Equal(got, c.want) {
			t.Errorf("%q on lines of 10: %q, want %q", c.text, got, c.want)
		}
	}
}
