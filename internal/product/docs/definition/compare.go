package definition

import (
	"fmt"
	"slices"
)

// Change is something that is different in the newer of two definitions.
type Change struct {
	Where    string // an operation or a type, and what of it: "GET /pets: query limit"
	Message  string
	Breaking bool
}

// maxChanges bounds what is told.
const maxChanges = 2000

// Compare tells what changed between two versions of a definition, what breaks first; more tells that there is more.
func Compare(before, after Definition) (changes []Change, more bool) {
	c := comparison{oldUse: uses(before), newUse: uses(after)}
	if before.Format != after.Format {
		c.tell("the definition", true, "its format was %s and is %s", before.Format, after.Format)
		return c.changes, false
	}
	pair(before.Operations, after.Operations, func(o Operation) string { return o.ID },
		func(o Operation) { c.tell(o.ID, true, "is gone") },
		func(o Operation) { c.tell(o.ID, false, "is new") }, c.operation)
	pair(before.Types, after.Types, func(t Type) string { return t.Name },
		func(t Type) { c.tell(t.Name, c.oldUse[t.Name] != 0, "is gone") },
		func(t Type) { c.tell(t.Name, false, "is new") }, c.named)
	slices.SortStableFunc(c.changes, func(a, b Change) int {
		switch {
		case a.Breaking == b.Breaking:
			return 0
		case a.Breaking:
			return -1
		}
		return 1
	})
	return c.changes, c.more
}

// pair goes over two lists by the key of their items.
func pair[T any](before, after []T, key func(T) string, gone, added func(T), both func(a, b T)) {
	now := make(map[string]T, len(after))
	for _, x := range after {
		if _, twice := now[key(x)]; !twice {
			now[key(x)] = x
		}
	}
	had := make(map[string]bool, len(before))
	for _, x := range before {
		if had[key(x)] {
			continue
		}
		had[key(x)] = true
		if y, there := now[key(x)]; there {
			both(x, y)
		} else {
			gone(x)
		}
	}
	for _, x := range after {
		if !had[key(x)] {
			had[key(x)] = true
			added(x)
		}
	}
}

// use tells whether a value is given to the API, got from it, or both.
type use int

const (
	given use = 1 << iota
	got
)

// uses tells of each type with a name how it is used, by the operations that lead to it.
func uses(d Definition) map[string]use {
	types := map[string]Type{}
	for _, t := range d.Types {
		types[t.Name] = t
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
			if inner.In == "argument" {
				see(inner, given)
			} else {
				see(inner, u)
			}
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
		if !ok || found[s.name]&s.use != 0 {
			continue
		}
		found[s.name] |= s.use
		see(Field{Refs: t.Refs, Fields: t.Fields}, s.use)
	}
	return found
}

type comparison struct {
	oldUse, newUse map[string]use
	changes        []Change
	more           bool
}

func (c *comparison) tell(where string, breaking bool, format string, args ...any) {
	if len(c.changes) >= maxChanges {
		c.more = true
		return
	}
	c.changes = append(c.changes, Change{Where: where, Message: fmt.Sprintf(format, args...), Breaking: breaking})
}

func (c *comparison) operation(a, b Operation) {
	c.deprecated(a.ID, a.Deprecated, b.Deprecated)
	c.fields(a.ID, a.Inputs, b.Inputs, given)
	c.fields(a.ID, a.Outputs, b.Outputs, got)
}

func (c *comparison) deprecated(where string, before, after bool) {
	switch {
	case !before && after:
		c.tell(where, false, "is deprecated")
	case before && !after:
		c.tell(where, false, "is no longer deprecated")
	}
}

func (c *comparison) named(a, b Type) {
	u := c.oldUse[a.Name] | c.newUse[a.Name]
	if u == 0 {
		u = given | got // used by those who know of it
	}
	c.deprecated(a.Name, a.Deprecated, b.Deprecated)
	if a.Kind != b.Kind {
		c.tell(a.Name, true, "was of the kind %s and is of the kind %s", a.Kind, b.Kind)
		return
	}
	if a.Type != b.Type && len(a.Fields) == 0 && a.Kind != "union" {
		c.tell(a.Name, true, "was %s and is %s", a.Type, b.Type)
	}
	c.limits(a.Name, a.Limits, b.Limits, u)
	c.values(a.Name, a.Values, b.Values, u)
	c.fields(a.Name, a.Fields, b.Fields, u)
}

// limits that are narrower break those who give a value, and ranges that are wider those who get it.
func (c *comparison) limits(where string, before, after Limits, u use) {
	if before.String() == after.String() {
		return
	}
	tight, loose := tightened(before, after)
	c.tell(where, tight && u&given != 0 || loose && u&got != 0, "its limits were %q and are %q", before, after)
}

func (c *comparison) values(where string, before, after []string, u use) {
	switch {
	case len(before) == 0 && len(after) > 0:
		c.tell(where, u&given != 0, "may only be one of %d values", len(after))
		return
	case len(before) > 0 && len(after) == 0:
		c.tell(where, u&got != 0, "may be any value")
		return
	}
	same := func(s string) string { return s }
	pair(before, after, same, func(v string) { c.tell(where, true, "the value %.100s is gone", v) },
		func(v string) { c.tell(where, false, "the value %.100s is new", v) }, func(string, string) {})
}

func (c *comparison) fields(where string, before, after []Field, u use) {
	key := func(f Field) string { return f.In + "\x00" + f.Name }
	pair(before, after, key,
		func(f Field) { c.tell(part(where, f), true, "is gone") },
		func(f Field) {
			switch needed := f.Required && (u&given != 0 || f.In == "argument") && f.In != "answer"; {
			case needed:
				c.tell(part(where, f), true, "is new, and must be given")
			default:
				c.tell(part(where, f), false, "is new")
			}
		},
		func(a, b Field) { c.field(part(where, b), a, b, u) })
}

// part names a field for people.
func part(where string, f Field) string {
	switch f.In {
	case "path", "query", "header", "cookie", "argument", "answer":
		return where + ": " + f.In + " " + f.Name
	}
	return where + ": " + f.Name
}

func (c *comparison) field(where string, a, b Field, u use) {
	if a.In == "argument" {
		u = given
	}
	c.deprecated(where, a.Deprecated, b.Deprecated)
	if a.Type != b.Type {
		c.tell(where, true, "was %s and is %s", a.Type, b.Type)
	}
	if a.Number != b.Number {
		c.tell(where, true, "had the number %d and has %d", a.Number, b.Number)
	}
	switch {
	case !a.Required && b.Required:
		c.tell(where, u&given != 0, "must be there")
	case a.Required && !b.Required:
		c.tell(where, u&got != 0, "may be absent")
	}
	c.limits(where, a.Limits, b.Limits, u)
	if a.Default != b.Default {
		c.tell(where, false, "its default was %q and is %q", a.Default, b.Default)
	}
	c.values(where, a.Values, b.Values, u)
	c.fields(where, a.Fields, b.Fields, u)
}
