package cluster

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEditScriptRebuildsBothSides(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		a, b := rapid.SliceOfN(line, 0, 30).Draw(t, "a"), rapid.SliceOfN(line, 0, 30).Draw(t, "b")
		var left, right []string
		changes := 0
		for _, e := range editScript(a, b) {
			if e.op != '+' {
				left = append(left, e.text)
			}
			if e.op != '-' {
				right = append(right, e.text)
			}
			if e.op != ' ' {
				changes++
			}
		}
		if !slices.Equal(left, a) || !slices.Equal(right, b) {
			t.Fatalf("edits of %v and %v give %v and %v", a, b, left, right)
		}
		if want := len(a) + len(b) - 2*common(a, b); changes != want {
			t.Fatalf("%d changes, the shortest has %d", changes, want)
		}
		if (unified(a, b) == "") != slices.Equal(a, b) {
			t.Fatalf("diff %q of %v and %v", unified(a, b), a, b)
		}
	})
}

// common gives the length of the longest common subsequence, the slow and plain way.
func common(a, b []string) int {
	best := make([][]int, len(a)+1)
	for i := range best {
		best[i] = make([]int, len(b)+1)
	}
	for i := range a {
		for j := range b {
			best[i+1][j+1] = max(best[i][j+1], best[i+1][j])
			if a[i] == b[j] {
				best[i+1][j+1] = best[i][j] + 1
			}
		}
	}
	return best[len(a)][len(b)]
}

func TestDiffOfTooManyEditsReplacesEverything(t *testing.T) {
	t.Parallel()
	edits := editScript(strings.Fields(strings.Repeat("a ", maxDiffEdits)), strings.Fields(strings.Repeat("b ", maxDiffEdits)))
	if len(edits) != 2*maxDiffEdits || edits[0].op != '-' || edits[len(edits)-1].op != '+' {
		t.Errorf("%d edits from %c to %c", len(edits), edits[0].op, edits[len(edits)-1].op)
	}
}
