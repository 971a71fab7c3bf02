package document

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Form is what a field holds.
type Form int

const (
	Any      Form = iota
	Text          // not empty
	Texts         // a list of those
	Mapping       // with Fields of its own
	Mappings      // a list of those
)

// Field is one field that a kind knows. Others beside it are kept as they are.
type Field struct {
	Name     string
	Form     Form
	Required bool
	Values   []string // that a Text may be; none: any
	Most     int      // characters of a Text, entries of a list; 0: any
	Least    int      // entries of a list
	Fields   []Field  // of a Mapping

	Relation string // to the entities that it names; "" when it names none
	Kind     string // of a reference that names none; "": it must
}

// CheckFields holds spec to what a kind knows of it. What is wrong comes back with its line.
func CheckFields(d Document, fields []Field) []fault.Detail {
	c := checker{d: d}
	if d.Spec == nil {
		return []fault.Detail{d.At(one(d.Kind)+" needs a spec", "", "spec")}
	}
	c.mapping(d.Spec, fields, []string{"spec"})
	return c.wrong
}

type checker struct {
	d     Document
	wrong []fault.Detail
}

func (c *checker) add(message, hint string, path []string) {
	if len(c.wrong) < maxDetails {
		c.wrong = append(c.wrong, c.d.At(message, hint, path...))
	}
}

func (c *checker) needs(f *Field, path []string) {
	c.add(fmt.Sprintf("%s needs %s, as %s", one(c.d.Kind), strings.Join(path, "."), [...]string{"a value", "text", "a list", "a mapping", "a list"}[f.Form]), "", path)
}

// one gives a kind with its article.
func one(kind string) string {
	if kind != "" && strings.ContainsRune("AEIO", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

func (c *checker) mapping(m map[string]any, fields []Field, path []string) {
	for i := range fields {
		f := &fields[i]
		v, exists := m[f.Name]
		if !exists {
			if f.Required {
				c.needs(f, append(path[:len(path):len(path)], f.Name))
			}
			continue
		}
		if c.fits(f, v) { // the common case: no path is made
			continue
		}
		c.field(f, v, append(path[:len(path):len(path)], f.Name))
	}
}

// fits tells whether a field is right, when that is quickly told.
func (c *checker) fits(f *Field, v any) bool {
	if f.Values != nil || f.Most > 0 || f.Least > 0 {
		return false
	}
	switch f.Form {
	case Text:
		text, ok := v.(string)
		return ok && text != "" && (f.Relation == "" || related(f, v))
	case Texts:
		list, ok := v.([]any)
		if !ok {
			return false
		}
		for _, item := range list {
			text, ok := item.(string)
			if !ok || text == "" || f.Relation != "" && !related(f, text) {
				return false
			}
		}
		return true
	case Any:
		return f.Relation == ""
	}
	return false
}

// related tells whether a value names an entity, as far as Backstage asks.
func related(f *Field, v any) bool {
	text, ok := v.(string)
	if !ok {
		return false
	}
	_, ok = ref.Loose(text, f.Kind, ref.DefaultNamespace)
	return ok
}

func (c *checker) field(f *Field, v any, path []string) {
	switch f.Form {
	case Any:
		c.relation(f, v, path)
	case Text:
		c.text(f, v, path)
	case Mapping:
		m, ok := v.(map[string]any)
		if !ok {
			c.add("must be a mapping, not "+typeName(v), "", path)
			return
		}
		c.mapping(m, f.Fields, path)
	case Texts, Mappings:
		list, ok := v.([]any)
		switch {
		case !ok && f.Required:
			c.needs(f, path)
			return
		case !ok:
			c.add("must be a list, not "+typeName(v), "start each item with a dash", path)
			return
		case len(list) < f.Least:
			c.add(fmt.Sprintf("needs at least %d entries", f.Least), "", path)
		case f.Most > 0 && len(list) > f.Most:
			c.add(fmt.Sprintf("takes at most %d entries", f.Most), "", path)
		}
		entry := *f
		entry.Form, entry.Most, entry.Required = Text, 0, false
		if f.Form == Mappings {
			entry.Form = Mapping
		}
		for i, item := range list {
			c.field(&entry, item, append(path[:len(path):len(path)], strconv.Itoa(i)))
		}
	}
}

func (c *checker) text(f *Field, v any, path []string) {
	text, ok := v.(string)
	switch {
	case f.Required && text == "":
		c.needs(f, path)
	case !ok:
		c.add("must be text, not "+typeName(v), "quote it", path)
	case text == "":
		c.add("must not be empty", "leave it out, or fill it in", path)
	case f.Values != nil && !slices.Contains(f.Values, text):
		c.add(fmt.Sprintf("%q is none of %v", text, f.Values), didYouMean(text, f.Values), path)
	case f.Most > 0 && len([]rune(text)) > f.Most:
		c.add(fmt.Sprintf("must have at most %d characters", f.Most), "", path)
	case f.Relation != "":
		c.relation(f, v, path)
	}
}

// relation holds a field to what its relation needs: text that names an entity, or a list of those.
func (c *checker) relation(f *Field, v any, path []string) {
	list, many := v.([]any)
	if !many {
		if f.Form == Any && falsy(v) {
			return
		}
		list = []any{v}
	}
	for i, item := range list {
		at := path
		if many {
			at = append(path[:len(path):len(path)], strconv.Itoa(i))
		}
		text, ok := item.(string)
		switch {
		case !ok:
			c.add("must be text, not "+typeName(item), "write kind:namespace/name", at)
		case related(f, text):
		case f.Kind == "":
			c.add(fmt.Sprintf("%q does not say of which kind it is", text), "write kind:namespace/name, such as component:default/shop", at)
		default:
			c.add(fmt.Sprintf("%q names no entity", text), "write kind:namespace/name, where kind and namespace may be left out", at)
		}
	}
}

// falsy tells what JavaScript takes for nothing.
func falsy(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case int64:
		return v == 0
	case float64:
		return v == 0
	}
	return false
}

// Related gives the edges that the fields of spec declare. A reference without a namespace is in the document's own.
func Related(d Document, fields []Field) []Relation {
	namespace := d.Metadata.Namespace
	if namespace == "" {
		namespace = ref.DefaultNamespace
	}
	var all []Relation
	for i := range fields {
		f := &fields[i]
		if f.Relation == "" {
			continue
		}
		switch v := d.Spec[f.Name].(type) {
		case string:
			all = relate(all, f, v, namespace)
		case []any:
			for _, item := range v {
				if text, ok := item.(string); ok {
					all = relate(all, f, text, namespace)
				}
			}
		}
	}
	return all
}

func relate(all []Relation, f *Field, text, namespace string) []Relation {
	if target, ok := ref.Loose(text, f.Kind, namespace); ok {
		all = append(all, Relation{Type: f.Relation, Target: target})
	}
	return all
}
