package definition

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
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
	c := comparison{format: before.Format, use: uses(before), before: byName(before), after: byName(after), known: map[string]bool{}}
	if before.Format != after.Format {
		c.tell("the definition", true, "its format was %s and is %s", before.Format, after.Format)
		return c.changes, false
	}
	if c.format == Protobuf && before.Title != after.Title {
		c.tell("the definition", true, "its package was %s and is %s", before.Title, after.Title)
	}
	pair(before.Servers, after.Servers, func(s string) string { address, _, _ := strings.Cut(s, " ("); return address },
		func(s string) { c.tell("server "+s, true, "is gone") },
		func(s string) { c.tell("server "+s, false, "is new") }, func(string, string) {})
	pair(before.Operations, after.Operations, c.key,
		func(o Operation) { c.tell(o.ID, true, "is gone") },
		func(o Operation) { c.tell(o.ID, false, "is new") }, c.operation)
	pair(before.Types, after.Types, func(t Type) string { return t.Name },
		func(t Type) { c.tell(t.Name, c.needed(t, len(before.Operations)), "is gone") },
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

func byName(d Definition) map[string]Type {
	all := make(map[string]Type, len(d.Types))
	for _, t := range d.Types {
		if _, twice := all[t.Name]; !twice {
			all[t.Name] = t
		}
	}
	return all
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

type comparison struct {
	format        string
	use           map[string]use // of the types before: nobody yet uses what is new
	before, after map[string]Type
	known         map[string]bool // types of different names that are compared already
	unfolded      int             // fields of such types
	changes       []Change
	more          bool
}

// overHTTP tells that the names of types are of the definition alone, and that values which are listed are all there will be.
func (c *comparison) overHTTP() bool { return c.format == OpenAPI || c.format == AsyncAPI }

func (c *comparison) tell(where string, breaking bool, format string, args ...any) {
	if len(c.changes) >= maxChanges {
		c.more = true
		return
	}
	c.changes = append(c.changes, Change{Where: where, Message: fmt.Sprintf(format, args...), Breaking: breaking})
}

// placeholder is a part of a path, whose own name nobody sends.
var placeholder = regexp.MustCompile(`\{[^{}/]*\}`)

// key is what two versions of an operation have in common.
func (c *comparison) key(o Operation) string {
	if c.overHTTP() {
		return placeholder.ReplaceAllString(o.ID, "{}")
	}
	return o.ID
}

// path gives where an operation is, and the same with the names of its parts left out.
func (c *comparison) path(o Operation) (path, bare string) {
	if path = o.Name; c.format == AsyncAPI {
		path = o.Group
	}
	return path, placeholder.ReplaceAllString(path, "{}")
}

func (c *comparison) operation(a, b Operation) {
	c.deprecated(a.ID, a.Deprecated, b.Deprecated)
	if shuts, opens := shut(a.Security, b.Security), shut(b.Security, a.Security); shuts || opens {
		c.tell(a.ID+": authentication", shuts, "was %s and is %s", ways(a.Security), ways(b.Security))
	}
	if c.overHTTP() {
		if a.Verb != b.Verb {
			c.tell(a.ID, true, "was of the kind %s and is of the kind %s", a.Verb, b.Verb)
			return
		}
		from, bareFrom := c.path(a)
		to, bareTo := c.path(b)
		if from != to {
			c.tell(a.ID, bareFrom != bareTo, "its path was %s and is %s", from, to)
		}
		if bareFrom == bareTo {
			b.Inputs, b.Outputs = renamed(b.Inputs, to, from), renamed(b.Outputs, to, from)
		}
	}
	c.fields(a.ID, a.Inputs, b.Inputs, given)
	c.fields(a.ID, a.Outputs, b.Outputs, got)
}

// renamed gives fields with those of one path called as they are in another, which is the same but for their names.
func renamed(fields []Field, from, to string) []Field {
	names := map[string]string{}
	new := placeholder.FindAllString(to, -1)
	for i, old := range placeholder.FindAllString(from, -1) {
		names[old] = strings.Trim(new[i], "{}")
	}
	fields = slices.Clone(fields)
	for i, f := range fields {
		if name, ok := names["{"+f.Name+"}"]; ok && f.In == "path" {
			fields[i].Name = name
		}
	}
	return fields
}

func (c *comparison) deprecated(where string, before, after bool) {
	switch {
	case !before && after:
		c.tell(where, false, "is deprecated")
	case before && !after:
		c.tell(where, false, "is no longer deprecated")
	}
}

// needed tells whether somebody misses a type that is gone. Over HTTP whoever used it sees that where it was used.
func (c *comparison) needed(t Type, operations int) bool {
	switch {
	case c.format == Protobuf, operations == 0, t.Kind == "directive":
		return true
	case c.overHTTP():
		return false
	}
	return c.use[t.Name] != 0
}

func (c *comparison) named(a, b Type) {
	u := c.use[a.Name]
	if u == 0 {
		u = given | got // used by those who know of it
	}
	c.deprecated(a.Name, a.Deprecated, b.Deprecated)
	if a.Kind != b.Kind && !c.overHTTP() {
		c.tell(a.Name, true, "was of the kind %s and is of the kind %s", a.Kind, b.Kind)
		return
	}
	same := func(s string) string { return s }
	pair(a.Implements, b.Implements, same, func(of string) { c.tell(a.Name, true, "is no longer a %s", of) },
		func(of string) { c.tell(a.Name, false, "is a %s now", of) }, func(string, string) {})
	if c.format == Protobuf {
		c.numbers(a, b)
	}
	if a.Kind == "union" { // queries name its members, and ask for nothing of those that they do not know
		pair(a.Values, b.Values, same, func(of string) { c.tell(a.Name, true, "%s is gone", of) },
			func(of string) { c.tell(a.Name, false, "%s is new", of) }, func(string, string) {})
		return
	}
	c.value(a.Name, a.field(), b.field(), u)
}

// field gives a type as that of a value.
func (t Type) field() Field {
	return Field{Type: t.Type, Refs: t.Refs, Limits: t.Limits, Values: t.Values, Fields: t.Fields, shape: t.shape}
}
