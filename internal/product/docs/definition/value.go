package definition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// value compares two types of a value.
func (c *comparison) value(where string, a, b Field, u use) {
	was, is := a.Type, b.Type
	if c.overHTTP() {
		a, b = c.unfold(a, b, u)
	}
	c.limits(where, a.Limits, b.Limits, u)
	c.values(where, a.Values, b.Values, u)
	if a.shape == nil || b.shape == nil {
		bareWas, bareIs := strings.TrimPrefix(was, "optional "), strings.TrimPrefix(is, "optional ")
		if bareWas != bareIs || was != is && a.Required == b.Required {
			// protobuf's "optional" adds that what is absent can be told from what is empty, which only its loss breaks
			c.tell(where, was != bareIs, "was %s and is %s", was, is)
		}
	} else {
		x, y := a.shape, b.shape
		if c.format == GraphQL && a.Required != b.Required { // which says the same
			x, y = notNull(x), notNull(y)
		}
		narrower, wider := !within(x, y), !within(y, x)
		if narrower || wider {
			c.tell(where, narrower && u&given != 0 || wider && u&got != 0, "was %s and is %s", was, is)
		}
		x, y = notNull(x), notNull(y)
		if !within(x, y) || !within(y, x) {
			return // of fields it would only tell that all are others
		}
	}
	c.fields(where, a.Fields, b.Fields, u)
}

// limits that are narrower break those who give a value, and ranges that are wider those who get it.
func (c *comparison) limits(where string, before, after Limits, u use) {
	if before.String() == after.String() {
		return
	}
	tight, loose := tightened(before, after)
	c.tell(where, tight && u&given != 0 || loose && u&got != 0, "its limits were %q and are %q", before, after)
}

// values that are gone break who gives them, and new ones who gets them where the list says that there are no others: queries
// and calls must expect more.
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
	pair(before, after, same, func(v string) { c.tell(where, u&given != 0, "the value %.100s is gone", v) },
		func(v string) { c.tell(where, u&got != 0 && c.overHTTP(), "the value %.100s is new", v) }, func(string, string) {})
}

func (c *comparison) fields(where string, before, after []Field, u use) {
	key := func(f Field) string { return f.In + "\x00" + f.Name }
	if c.format == Protobuf {
		key = func(f Field) string { return f.Name }
	}
	pair(before, after, key,
		func(f Field) {
			if f.Type != nothing || !slices.ContainsFunc(after, func(o Field) bool { return o.In == f.In && status(o) == status(f) }) {
				c.tell(part(where, f), missed(f, after, f.used(u)), "is gone")
			}
		},
		func(f Field) {
			switch use := f.used(u); {
			case f.In == "message" && use == got && slices.ContainsFunc(before, func(o Field) bool { return o.In == f.In }):
				c.tell(part(where, f), true, "is new, and may come")
			case asked(f, before, use):
				c.tell(part(where, f), true, "is new, and must be given")
			default:
				c.tell(part(where, f), false, "is new")
			}
		},
		func(a, b Field) { c.field(part(where, b), a, b, a.used(u)) })
}

// used tells how a field is used of a value that is used somehow.
func (f Field) used(u use) use {
	switch {
	case f.In == "argument":
		return given
	case f.readOnly:
		return u &^ given
	case f.writeOnly:
		return u &^ got
	}
	return u
}

// status gives of the body of an answer by which status it comes.
func status(f Field) string { s, _, _ := strings.Cut(f.Name, " "); return s }

// missed tells whether somebody misses a field that is gone. An error that does not happen any more is missed by nobody.
func missed(f Field, after []Field, u use) bool {
	if f.In == "answer" && u == got && (f.Name[0] == '4' || f.Name[0] == '5') {
		return slices.ContainsFunc(after, func(o Field) bool { return o.In == f.In && status(o) == status(f) })
	}
	return u != 0
}

// asked tells whether a field that is new must be given. Of bodies and messages one is chosen.
func asked(f Field, before []Field, u use) bool {
	switch {
	case !f.Required || u&given == 0, f.In == "answer", f.In == "message":
		return false
	}
	return f.In != "body" || !slices.ContainsFunc(before, func(o Field) bool { return o.In == f.In })
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
	c.deprecated(where, a.Deprecated, b.Deprecated)
	if a.In != b.In {
		c.tell(where, true, "was in %s and is in %s", cmp.Or(a.In, "no oneof"), cmp.Or(b.In, "no oneof"))
	}
	if a.Number != b.Number {
		c.tell(where, true, "had the number %d and has %d", a.Number, b.Number)
	}
	if was, is := cmp.Or(a.JSON, inJSON(a.Name)), cmp.Or(b.JSON, inJSON(b.Name)); c.format == Protobuf && was != is {
		c.tell(where, true, "its name in JSON was %s and is %s", was, is)
	}
	switch {
	case !a.Required && b.Required:
		c.tell(where, u&given != 0, "must be there")
	case a.Required && !b.Required:
		c.tell(where, u&got != 0, "may be absent")
	}
	if a.Default != b.Default {
		c.tell(where, false, "its default was %q and is %q", a.Default, b.Default)
	}
	c.value(where, a, b, u)
}

// mostUnfolded bounds how many fields are compared that types of other names have.
const mostUnfolded = 1_000_000

// unfold puts what types are in place of their names where the two have not the same ones: nobody who sends or reads a value sees
// what its type is called.
func (c *comparison) unfold(a, b Field, u use) (Field, Field) {
	for range maxDepth {
		var ofA, ofB []string
		if single(a.shape) {
			ofA = without(a.Refs, b.Refs)
		}
		if single(b.shape) {
			ofB = without(b.Refs, a.Refs)
		}
		if len(ofA)+len(ofB) == 0 || c.unfolded > mostUnfolded {
			break
		}
		pairing := fmt.Sprintf("%q %q %d", ofA, ofB, u)
		again := c.known[pairing] && len(ofA) > 0 && len(ofB) > 0
		c.known[pairing] = true
		a, b = a.unfold(ofA, c.before, again), b.unfold(ofB, c.after, again)
		c.unfolded += 1 + len(a.Fields) + len(b.Fields)
	}
	return a, b
}

// unfold gives a field with types in place of their names; with those that are told already nothing is left of them.
func (f Field) unfold(names []string, types map[string]Type, told bool) Field {
	for _, name := range names {
		t, ok := types[name]
		if !ok {
			continue
		}
		if told {
			t = Type{shape: []alternative{{name: "object"}}}
		}
		limits := t.Limits
		if len(f.shape) > 0 && f.shape[0].of != nil {
			limits = limits.each()
		}
		f.Refs = append(without(f.Refs, []string{name}), t.Refs...)
		f.Limits, f.Fields = slices.Concat(f.Limits, limits), slices.Concat(f.Fields, t.Fields)
		if f.Values == nil {
			f.Values = t.Values
		}
		f.shape = unfolded(f.shape, name, t.shape)
	}
	return f
}
