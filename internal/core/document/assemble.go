package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// problem is something wrong at a path of the document; its line is found later.
type problem struct {
	path          []string
	message, hint string
}

// assemble sorts the fields of the top level into a Document. It takes fields over.
func assemble(fields map[string]any, placeholders bool) (Document, []problem) {
	var d Document
	t := taker{placeholders: placeholders}
	d.APIVersion = t.required(fields, "apiVersion")
	d.Kind = t.required(fields, "kind")
	t.strict = strings.HasPrefix(d.APIVersion, "backstage.io/")
	switch m := fields["metadata"].(type) {
	case map[string]any:
		delete(fields, "metadata")
		d.Metadata = t.metadata(m)
	case nil: // absent or null: kept as it was written
	default:
		t.wrong(fmt.Sprintf("must be a mapping, not %s", typeName(m)), "", "metadata")
	}
	if spec, ok := fields["spec"].(map[string]any); ok {
		d.Spec = spec
		delete(fields, "spec")
	}
	if len(fields) > 0 {
		d.Rest = fields
	}
	return d, t.problems
}

// taker moves known fields out of a map and notes what is wrong with them.
type taker struct {
	strict       bool // as Backstage is, of its own kinds
	placeholders bool // stay where they are
	prefix       []string
	problems     []problem
}

func (t *taker) wrong(message, hint string, path ...string) {
	full := append(append([]string(nil), t.prefix...), path...)
	t.problems = append(t.problems, problem{full, message, hint})
}

// leaves tells whether a value is to stay as it is, since it stands for another one.
func (t *taker) leaves(v any) bool {
	if !t.placeholders {
		return false
	}
	_, _, is := Placeholder(v)
	return is
}

func (t *taker) required(m map[string]any, key string) string {
	text, _ := m[key].(string)
	if _, exists := m[key]; !exists || text == "" && m[key] == nil {
		t.wrong(key+" is missing", "every document starts with apiVersion and kind")
		return ""
	}
	if text == "" {
		t.wrong("must be text, not "+typeName(m[key]), "quote it", key)
	}
	delete(m, key)
	return text
}

// text takes a field that is text; an empty one, or null, stays in m so that it is written back as it came.
func (t *taker) text(m map[string]any, key string) string {
	switch v := m[key].(type) {
	case string:
		if v != "" {
			delete(m, key)
		}
		return v
	case nil:
	default:
		if !t.leaves(v) {
			t.wrong("must be text, not "+typeName(v), "quote it", key)
		}
	}
	return ""
}

func (t *taker) texts(m map[string]any, key string) map[string]string {
	switch v := m[key].(type) {
	case map[string]any:
		if t.leaves(v) {
			return nil
		}
		delete(m, key)
		texts := make(map[string]string, len(v))
		for name, value := range v {
			if value == nil || t.leaves(value) { // "key:" with nothing behind it is as good as absent
				if t.strict || value != nil { // and stays, for the check to refuse it
					rest, _ := m[key].(map[string]any)
					if rest == nil {
						rest = map[string]any{}
						m[key] = rest
					}
					rest[name] = value
				}
				continue
			}
			text, ok := value.(string)
			if !ok {
				t.wrong("must be text, not "+typeName(value), "quote it", key, name)
				continue
			}
			texts[name] = text
		}
		return texts
	case nil:
	default:
		t.wrong("must be a mapping of text, not "+typeName(v), "", key)
	}
	return nil
}

func (t *taker) metadata(m map[string]any) Metadata {
	t.prefix = []string{"metadata"}
	defer func() { t.prefix = nil }()
	meta := Metadata{
		Name: t.text(m, "name"), Namespace: t.text(m, "namespace"),
		Title: t.text(m, "title"), Description: t.text(m, "description"),
		Labels: t.texts(m, "labels"), Annotations: t.texts(m, "annotations"),
		Tags: t.tags(m), Links: t.links(m),
	}
	if len(m) > 0 {
		meta.Rest = m
	}
	return meta
}

func (t *taker) tags(m map[string]any) []string {
	list, ok := t.list(m, "tags")
	if !ok {
		return nil
	}
	tags := make([]string, 0, len(list))
	for i, value := range list {
		tag, ok := value.(string)
		if !ok {
			t.wrong("must be text, not "+typeName(value), "quote it", "tags", strconv.Itoa(i))
		}
		tags = append(tags, tag)
	}
	return tags
}

func (t *taker) links(m map[string]any) []Link {
	list, ok := t.list(m, "links")
	if !ok {
		return nil
	}
	links := make([]Link, 0, len(list))
	for i, value := range list {
		fields, ok := value.(map[string]any)
		if !ok {
			t.wrong("must be a mapping with url and title, not "+typeName(value), "", "links", strconv.Itoa(i))
			continue
		}
		outer := t.prefix
		t.prefix = []string{"metadata", "links", strconv.Itoa(i)}
		link := Link{URL: t.text(fields, "url"), Title: t.text(fields, "title"), Icon: t.text(fields, "icon"), Type: t.text(fields, "type")}
		t.prefix = outer
		if len(fields) > 0 {
			link.Rest = fields
		}
		links = append(links, link)
	}
	return links
}

func (t *taker) list(m map[string]any, key string) ([]any, bool) {
	switch v := m[key].(type) {
	case []any:
		if slices.ContainsFunc(v, t.leaves) {
			return nil, false
		}
		delete(m, key)
		return v, true
	case nil:
	default:
		if !t.leaves(v) {
			t.wrong("must be a list, not "+typeName(v), "", key)
		}
	}
	return nil, false
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case int64, uint64, float64:
		return fmt.Sprintf("the number %v", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return "something else"
}

// FromJSON reads one document from its JSON form, as storage holds it; it is far quicker than Parse and knows no
// lines. It trusts its input to be within limits.
func FromJSON(data []byte) (Document, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return Document{}, fault.Errorf(fault.Invalid, "read document: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Document{}, fault.Errorf(fault.Invalid, "read document: more follows after its end")
	}
	return FromValue(fields)
}

// FromValue gives the document that a map of JSON values says. The map is left as it was.
func FromValue(fields map[string]any) (Document, error) { return fromValue(fields, false) }

func fromValue(fields map[string]any, placeholders bool) (Document, error) {
	normal, ok := normalize(fields).(map[string]any)
	if !ok || normal == nil {
		return Document{}, fault.Errorf(fault.Invalid, "a document must be a mapping with apiVersion, kind and metadata")
	}
	d, wrong := assemble(normal, placeholders)
	if len(wrong) == 0 {
		return d, nil
	}
	details := make([]fault.Detail, 0, len(wrong))
	for _, w := range wrong {
		details = append(details, d.At(w.message, w.hint, w.path...))
	}
	return Document{}, fault.At("not a valid document", details...)
}

// normalize copies v with its numbers in the forms that this package promises.
func normalize(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = normalize(value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = normalize(value)
		}
		return list
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return normalFloat(f)
	case float64:
		return normalFloat(v)
	case int:
		return int64(v)
	}
	return v
}
