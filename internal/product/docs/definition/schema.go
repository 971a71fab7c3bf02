package definition

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// tree is a document of OpenAPI or AsyncAPI: JSON or YAML, with references within itself.
type tree struct {
	bounds
	root  map[string]any
	types []string // where the types with names are: #/components/schemas/
}

func readTree(text string, d *Definition) (*tree, error) {
	value, err := document.ParseValue("definition", []byte(text), document.Limits{Bytes: MaxBytes})
	if err != nil {
		return nil, err
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "the definition is no mapping")
	}
	return &tree{bounds: bounds{d: d}, root: root}, nil
}

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func array(v any) []any           { l, _ := v.([]any); return l }

func str(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(v)
}

func truth(v any) bool { b, _ := v.(bool); return b }

func keys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// resolve follows references within the document to what they name; "" is the last name. One that leads elsewhere is not
// followed, and one that leads to nothing, or in a circle, gives nil.
func (t *tree) resolve(v any) (value map[string]any, name string) {
	const mostHops = 20
	m := object(v)
	for range mostHops {
		pointer, ok := m["$ref"].(string)
		if !ok {
			return m, name
		}
		if !strings.HasPrefix(pointer, "#/") {
			t.problem(fmt.Sprintf("%.200s is not part of it, and is not fetched", pointer))
			return nil, pointer
		}
		at := any(t.root)
		for _, part := range strings.Split(pointer[2:], "/") {
			part = token(part)
			at = object(at)[part]
			name = part
		}
		if m = object(at); m == nil {
			t.problem(fmt.Sprintf("%.200s leads to nothing", pointer))
			return nil, name
		}
	}
	t.problem("a reference leads in a circle")
	return nil, name
}

// token reads a step of a JSON pointer in a reference.
func token(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		part = plain
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
}

// named gives the name of the type that a reference is to, and "" for what is none.
func (t *tree) typeOf(schema map[string]any) string {
	pointer, _ := schema["$ref"].(string)
	for _, prefix := range t.types {
		if name, ok := strings.CutPrefix(pointer, prefix); ok && !strings.Contains(name, "/") {
			return token(name)
		}
	}
	return ""
}

// schema reads JSON Schema.
func (t *tree) schema(v any, depth int) Field {
	s := object(v)
	if s == nil {
		return Field{Type: "any", shape: []alternative{{name: "any"}}}
	}
	if name := t.typeOf(s); name != "" {
		return Field{Type: name, Refs: []string{name}, shape: []alternative{{refs: []string{name}}}, Description: str(s["description"])}
	}
	if _, is := s["$ref"]; is {
		to, name := t.resolve(s)
		if to == nil {
			return Field{Type: name}
		}
		s = to
	}
	if depth > maxDepth {
		t.problem("it has types within types more than 12 levels deep; what is below is left out")
		return Field{Type: "…"}
	}
	f := Field{Description: str(s["description"]), Deprecated: truth(s["deprecated"]), Default: str(s["default"]), Example: cutExample(s["example"]), Limits: limits(s)}
	for _, value := range array(s["enum"]) {
		f.Values = append(f.Values, str(value))
	}
	if value, ok := s["const"]; ok {
		f.Values = []string{str(value)}
	}
	t.shape(&f, s, depth)
	if truth(s["nullable"]) {
		f.Type, f.shape = f.Type+" | null", orNull(f.shape)
	}
	return f
}

// shape reads what kind of value a schema is of.
func (t *tree) shape(f *Field, s map[string]any, depth int) {
	for _, several := range [][2]string{{"oneOf", " | "}, {"anyOf", " | "}, {"allOf", " & "}} {
		parts := array(s[several[0]])
		if len(parts) == 0 {
			continue
		}
		var names, values []string
		free := false // to be more than the values that are told
		if len(parts) > maxAlternatives {
			t.problem("a type is of more than 100 others; the rest of them is left out")
		}
		for _, part := range parts[:min(len(parts), maxAlternatives)] {
			if !t.field() {
				break
			}
			p := t.schema(part, depth+1)
			names = append(names, p.Type)
			f.Refs = append(f.Refs, p.Refs...)
			f.Fields = append(f.Fields, p.Fields...)
			if several[0] == "allOf" {
				f.Limits, f.shape = append(f.Limits, p.Limits...), both(f.shape, p.shape)
				if f.Values == nil {
					f.Values = p.Values
				}
				continue
			}
			f.shape, values, free = append(f.shape, p.shape...), append(values, p.Values...), free || p.Values == nil
		}
		if !free && f.Values == nil {
			f.Values = values
		}
		f.Type, f.shape = strings.Join(names, several[1]), f.shape[:min(len(f.shape), maxAlternatives)]
		f.Fields = append(f.Fields, t.properties(s, depth)...)
		return
	}
	list := array(s["type"])
	if list == nil {
		list = []any{str(s["type"])}
	}
	var names []string
	for _, v := range list[:min(len(list), maxAlternatives)] {
		name := str(v)
		switch {
		case name == "" && s["properties"] != nil:
			name = "object"
		case name == "" && s["items"] != nil:
			name = "array"
		case name == "":
			name = "any"
		}
		a := alternative{name: name}
		switch name {
		case "array":
			item := t.schema(s["items"], depth+1)
			a.of = t.holds(f, item)
			name = "array of " + item.Type
			if f.Values == nil {
				f.Values = item.Values
			}
		case "object":
			f.Fields = append(f.Fields, t.properties(s, depth)...)
			if more := object(s["additionalProperties"]); more != nil && len(f.Fields) == 0 {
				value := t.schema(more, depth+1)
				a = alternative{name: "map", of: t.holds(f, value)}
				name = "map of " + value.Type
			}
		case "any", null.name:
		default:
			if format := str(s["format"]); format != "" {
				name += " (" + format + ")"
				a.name = name
			}
		}
		names, f.shape = append(names, name), append(f.shape, a)
	}
	f.Type = strings.Join(names, " | ")
}

// holds notes in a list or a map what it holds.
func (t *tree) holds(f *Field, inner Field) []alternative {
	f.Refs, f.Fields, f.Limits = inner.Refs, inner.Fields, append(f.Limits, inner.Limits.each()...)
	return inner.shape
}

func (t *tree) properties(s map[string]any, depth int) []Field {
	required := map[string]bool{}
	for _, name := range array(s["required"]) {
		required[str(name)] = true
	}
	var fields []Field
	all := object(s["properties"])
	for _, name := range keys(all) {
		if !t.field() {
			break
		}
		f := t.schema(all[name], depth+1)
		f.Name, f.Required = name, required[name]
		f.readOnly, f.writeOnly = truth(object(all[name])["readOnly"]), truth(object(all[name])["writeOnly"])
		fields = append(fields, f)
	}
	return fields
}

func cutExample(v any) string {
	const most = 2000
	text := str(v)
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// typesOf reads the types with names.
func (t *tree) typesOf(all map[string]any) {
	for _, name := range keys(all) {
		f := t.schema(all[name], 0)
		kind := f.Type
		switch {
		case len(f.Values) > 0:
			kind = "enum"
		case len(f.Fields) > 0:
			kind = "object"
		}
		t.named(Type{Name: name, Kind: kind, Type: f.Type, Refs: f.Refs, Description: f.Description, Deprecated: f.Deprecated, Limits: f.Limits, Values: f.Values, Fields: f.Fields, shape: f.shape})
	}
}
