package definition

import (
	"slices"
	"strings"
)

// alternative is one of the types that a value may have. What a type of a value is, is a list of them.
type alternative struct {
	name string        // string (uuid), object, array, map, null, any, …
	refs []string      // the types with names that it is all of, which then tell it rather than name
	of   []alternative // what an array or a map holds
}

// maxAlternatives bounds those of one value.
const maxAlternatives = 100

// widened lists types of JSON Schema that hold every value of another. A type holds those of each of its formats besides.
var widened = map[string][]string{
	"integer":         {"number"},
	"integer (int32)": {"number", "integer (int64)"},
	"integer (int64)": {"number"},
	"number (float)":  {"number (double)"},
	"map":             {"object"},
}

// within tells whether every value of one alternative is one of the other.
func (a alternative) within(b alternative) bool {
	switch {
	case b.name == "any" && len(b.refs) == 0:
		return true
	case len(a.refs)+len(b.refs) > 0:
		return len(b.refs) > 0 && len(without(b.refs, a.refs)) == 0
	case a.name == b.name:
		return within(a.of, b.of)
	}
	base, _, _ := strings.Cut(a.name, " (")
	return b.name == base || slices.Contains(widened[a.name], b.name)
}

func within(a, b []alternative) bool {
	for _, x := range a {
		if !slices.ContainsFunc(b, x.within) {
			return false
		}
	}
	return true
}

// without gives what is in a list and not in another.
func without(list, other []string) (rest []string) {
	for _, x := range list {
		if !slices.Contains(other, x) && !slices.Contains(rest, x) {
			rest = append(rest, x)
		}
	}
	return rest
}

var null = alternative{name: "null"}

func notNull(shape []alternative) []alternative {
	return slices.DeleteFunc(slices.Clone(shape), func(a alternative) bool { return a.name == null.name })
}

func orNull(shape []alternative) []alternative {
	return append(notNull(shape), null)
}

// both gives what is a value of two types at once: allOf.
func both(a, b []alternative) (shape []alternative) {
	if a == nil || b == nil {
		return append(a, b...)
	}
	for _, x := range a {
		for _, y := range b {
			if len(shape) >= maxAlternatives {
				return shape
			}
			name := x.name
			if name == "any" || name == "" {
				name = y.name
			}
			shape = append(shape, alternative{name, append(slices.Clone(x.refs), without(y.refs, x.refs)...), append(slices.Clone(x.of), y.of...)})
		}
	}
	return shape
}

// single tells that a value has one type only, but for null, through all that it holds.
func single(shape []alternative) bool {
	shape = notNull(shape)
	return len(shape) == 0 || len(shape) == 1 && single(shape[0].of)
}

// unfolded puts what a type with a name is in place of its name.
func unfolded(shape []alternative, name string, is []alternative) (out []alternative) {
	for _, a := range shape {
		a.of = unfolded(a.of, name, is)
		if rest := without(a.refs, []string{name}); len(rest) < len(a.refs) {
			a.refs = rest
			out = append(out, both([]alternative{a}, is)...)
		} else {
			out = append(out, a)
		}
	}
	return out[:min(len(out), maxAlternatives)]
}
