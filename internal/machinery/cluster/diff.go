package cluster

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	diffContext  = 3       // lines of context round a change
	maxDiffEdits = 1000    // more edits than this are shown as everything replaced
	maxDiffBytes = 256_000 // of one rendered diff
)

// Diff gives the unified diff of the YAML of two versions of an object, "" when they are equal. Either may be
// the zero Object. The status is left out, secret values are hidden, and what is over 256 KB is cut with a word.
func Diff(before, after Object) string {
	before, after = redactPair(before, after)
	a, b := lines(before), lines(after)
	key := after.Key()
	if after.Raw == nil {
		key = before.Key()
	}
	hunks := unified(a, b)
	if hunks == "" {
		return ""
	}
	out := fmt.Sprintf("--- %s\n+++ %s\n%s", name(before, key), name(after, key), hunks)
	if len(out) > maxDiffBytes {
		out = strings.ToValidUTF8(out[:maxDiffBytes], "") + "\n… the diff is longer than is shown\n"
	}
	return out
}

func name(o Object, key Key) string {
	if o.Raw == nil {
		return "/dev/null"
	}
	return key.String()
}

func lines(o Object) []string {
	if o.Raw == nil {
		return nil
	}
	shown := make(map[string]any, len(o.Raw))
	for k, v := range o.Raw {
		if k != "status" {
			shown[k] = v
		}
	}
	text, err := yaml.Marshal(shown)
	if err != nil {
		return []string{"(can't be shown: " + err.Error() + ")"}
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// edit is one line of a diff: ' ' kept, '-' removed, '+' added.
type edit struct {
	op   byte
	text string
}

// unified renders the edits between a and b with context; "" when there are none.
func unified(a, b []string) string {
	edits := editScript(a, b)
	var out strings.Builder
	atA, atB := 1, 1
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			i, atA, atB = i+1, atA+1, atB+1
			continue
		}
		start := max(0, i-diffContext)
		end := hunkEnd(edits, i)
		fromA, fromB := atA-(i-start), atB-(i-start)
		lenA, lenB := 0, 0
		for _, e := range edits[start:end] {
			if e.op != '+' {
				lenA++
			}
			if e.op != '-' {
				lenB++
			}
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(fromA, lenA), span(fromB, lenB))
		for _, e := range edits[start:end] {
			out.WriteByte(e.op)
			out.WriteString(e.text)
			out.WriteByte('\n')
		}
		atA, atB, i = fromA+lenA, fromB+lenB, end
	}
	return out.String()
}

// hunkEnd gives the end of the hunk whose first change is at i: changes less than two contexts apart join.
func hunkEnd(edits []edit, i int) int {
	last := i
	for j := i; j < len(edits) && j-last <= 2*diffContext; j++ {
		if edits[j].op != ' ' {
			last = j
		}
	}
	return min(len(edits), last+1+diffContext)
}

func span(from, length int) string {
	if length == 0 {
		from--
	}
	if length == 1 {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d,%d", from, length)
}

// editScript gives a shortest list of edits from a to b (Myers' greedy algorithm), or everything replaced when
// that would take more than maxDiffEdits.
func editScript(a, b []string) []edit {
	limit := min(len(a)+len(b), maxDiffEdits)
	zero := limit + 1 // where diagonal 0 is in v
	v := make([]int, 2*zero+1)
	var trace [][]int // of each step d, the diagonals -d-1…d+1 as they were before it
	for d := 0; d <= limit; d++ {
		trace = append(trace, append([]int(nil), v[zero-d-1:zero+d+2]...))
		for k := -d; k <= d; k += 2 {
			x := v[zero+k-1] + 1
			if k == -d || (k != d && v[zero+k-1] < v[zero+k+1]) {
				x = v[zero+k+1]
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			v[zero+k] = x
			if x >= len(a) && x-k >= len(b) {
				return backtrack(a, b, trace)
			}
		}
	}
	out := make([]edit, 0, len(a)+len(b))
	for _, line := range a {
		out = append(out, edit{'-', line})
	}
	for _, line := range b {
		out = append(out, edit{'+', line})
	}
	return out
}

func backtrack(a, b []string, trace [][]int) []edit {
	var out []edit
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		v, zero, k := trace[d], d+1, x-y
		from := k - 1
		if k == -d || (k != d && v[zero+k-1] < v[zero+k+1]) {
			from = k + 1
		}
		px := v[zero+from]
		if d == 0 {
			px = 0
		}
		for x > max(px, 0) && y > max(px-from, 0) {
			x, y = x-1, y-1
			out = append(out, edit{' ', a[x]})
		}
		if d == 0 {
			break
		}
		if from == k+1 {
			y--
			out = append(out, edit{'+', b[y]})
		} else {
			x--
			out = append(out, edit{'-', a[x]})
		}
	}
	slices.Reverse(out)
	return out
}
