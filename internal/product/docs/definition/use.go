package definition

import "slices"

// use tells whether a value is given to the API, got from it, or both.
type use int

const (
	given use = 1 << iota
	got
)

// uses tells of each type with a name how it is used, by the operations that lead to it.
func uses(d Definition) map[string]use {
	types := byName(d)
	implementers := map[string][]string{}
	for _, t := range d.Types {
		for _, of := range t.Implements {
			implementers[of] = append(implementers[of], t.Name)
		}
	}
	found := map[string]use{}
	type step struct {
		name string
		use  use
	}
	var queue []step
	var see func(f Field, u use)
	see = func(f Field, u use) {
		for _, name := range f.Refs {
			queue = append(queue, step{name, u})
		}
		for _, inner := range f.Fields {
			see(inner, inner.used(u))
		}
	}
	for _, o := range d.Operations {
		for _, f := range o.Inputs {
			see(f, given)
		}
		for _, f := range o.Outputs {
			see(f, got)
		}
	}
	for len(queue) > 0 {
		s := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		t, ok := types[s.name]
		if !ok || found[s.name]|s.use == found[s.name] {
			continue
		}
		found[s.name] |= s.use
		if s.use&got != 0 {
			see(Field{Refs: slices.Concat(implementers[s.name], t.Implements)}, got) // both stand in queries
		}
		see(Field{Refs: t.Refs, Fields: t.Fields}, s.use)
	}
	return found
}
