package scaffold

import (
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// hidden is what of a form is kept sealed.
type hidden struct {
	Secrets map[string]any `json:"secrets,omitempty"` // as templates read them: secrets.NAME
	Fields  []secretField  `json:"fields,omitempty"`  // of the form, by their places in its values
}

// secretField is the value of a field that the form shows as a secret.
type secretField struct {
	Path  []string `json:"path"`
	Value any      `json:"value"`
}

func (h hidden) empty() bool { return len(h.Secrets) == 0 && len(h.Fields) == 0 }

// into gives the values with the secret fields back in their places.
func (h hidden) into(values map[string]any) map[string]any {
	if len(h.Fields) == 0 {
		return values
	}
	whole, _ := normal(values).(map[string]any)
	for _, field := range h.Fields {
		put(whole, field.Path, field.Value)
	}
	return whole
}

func put(value any, path []string, leaf any) any {
	if len(path) == 0 {
		return leaf
	}
	switch value := value.(type) {
	case map[string]any:
		value[path[0]] = put(value[path[0]], path[1:], leaf)
	case []any:
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(value) {
			value[i] = put(value[i], path[1:], leaf)
		}
	}
	return value
}

// redact hides the secrets in what people see, also when they are encoded there.
func (h hidden) redact(text string) string { return worker.Masked(text, h.texts()) }

// masking gives a log without the secrets; Close it.
func (h hidden) masking(log io.Writer) io.WriteCloser { return worker.NewMasker(log, h.texts()) }

// redactValue hides the secrets in a value before it is encoded, whatever encoding that will be.
func (h hidden) redactValue(value any) any {
	if h.empty() {
		return value
	}
	texts := h.texts()
	return mapTexts(normal(value), func(text string) string { return worker.Masked(text, texts) })
}

// mapTexts gives a plain value with other texts; a number stays one when its text does.
func mapTexts(value any, fn func(string) string) any {
	switch value := value.(type) {
	case string:
		return fn(value)
	case float64:
		if text := numeral(value); fn(text) != text {
			return fn(text)
		}
	case []any:
		for i := range value {
			value[i] = mapTexts(value[i], fn)
		}
	case map[string]any:
		changed := make(map[string]any, len(value))
		for key, item := range value {
			changed[fn(key)] = mapTexts(item, fn)
		}
		return changed
	}
	return value
}

func numeral(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// texts gives the texts of all secrets.
func (h hidden) texts() []string {
	var found []string
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case string:
			found = append(found, value)
		case float64:
			found = append(found, numeral(value))
		case []any:
			for i := range value {
				walk(value[i])
			}
		case map[string]any:
			for _, item := range value {
				walk(item)
			}
		}
	}
	for _, field := range h.Fields {
		walk(normal(field.Value))
	}
	walk(normal(h.Secrets))
	slices.Sort(found)
	return slices.Compact(found)
}

// split parts the values of the fields that the form treats as secret from the others, wherever in the form they are.
// Those of Backstage's own field Secret are also given by the names by which templates read them: secrets.NAME.
func (t Template) split(values map[string]any) (open map[string]any, fields []secretField, secrets map[string]any) {
	open, _ = normal(values).(map[string]any)
	m := marker{marks: map[string]bool{}, seen: map[visit]bool{}}
	for _, page := range t.Pages {
		m.root = page.Schema
		m.walk(page.Schema, open, nil)
	}
	secrets = map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(open)) {
		if m.cut(open, name, []string{name}, &fields, secrets) {
			delete(open, name)
		}
	}
	return open, fields, secrets
}

// marker finds the places of secrets in the values of a form. A place is secret when any schema that may be its own
// says so, whether or not that schema's condition holds: what is hidden needlessly does no harm.
type marker struct {
	root  map[string]any  // the page, in which references are looked up
	marks map[string]bool // places of secrets, and whether the field is Backstage's Secret
	seen  map[visit]bool
}

type visit struct {
	schema uintptr
	place  string
}

func placeOf(path []string) string { return strings.Join(path, "\x00") }

func (m *marker) mark(path []string, named bool) {
	m.marks[placeOf(path)] = m.marks[placeOf(path)] || named
}

// Keywords of JSON Schema by what lies below them.
var (
	sameValue = []string{"allOf", "anyOf", "oneOf", "if", "then", "else", "not"}
	sameNamed = []string{"dependencies", "dependentSchemas"}
	ofLists   = []string{"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"}
	pointers  = []string{"$ref", "$dynamicRef", "$recursiveRef"}
)

// walk looks at a value with one of the schemas that may be its own.
func (m *marker) walk(schema, value any, path []string) {
	if list, ok := schema.([]any); ok {
		for _, item := range list {
			m.walk(item, value, path)
		}
		return
	}
	s, _ := schema.(map[string]any)
	v := visit{reflect.ValueOf(s).Pointer(), placeOf(path)}
	if s == nil || m.seen[v] {
		return
	}
	m.seen[v] = true
	if len(path) > 0 && isSecretField(s) {
		m.mark(path, isBackstageSecret(s))
	}
	for _, key := range pointers {
		if pointer, ok := s[key].(string); ok {
			if target, found := resolve(m.root, pointer); found {
				m.walk(target, value, path)
			} else if len(path) > 0 { // nobody knows what it would say
				m.mark(path, false)
			}
		}
	}
	for _, key := range sameValue {
		m.walk(s[key], value, path)
	}
	for _, key := range sameNamed {
		named, _ := s[key].(map[string]any)
		for _, below := range named {
			m.walk(below, value, path)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	patterns, _ := s["patternProperties"].(map[string]any)
	switch value := value.(type) {
	case map[string]any:
		for name, item := range value {
			at := append(slices.Clip(path), name)
			below, known := properties[name]
			m.walk(below, item, at)
			for pattern, below := range patterns {
				if re, err := compilePattern(pattern); err != nil || re.MatchString(name) {
					known = true
					m.walk(below, item, at)
				}
			}
			if !known {
				m.walk(s["additionalProperties"], item, at)
			}
			m.walk(s["unevaluatedProperties"], item, at)
		}
	case []any:
		for i, item := range value {
			for _, key := range ofLists {
				m.walk(s[key], item, append(slices.Clip(path), index(i)))
			}
		}
	}
}

// cut takes the secrets out of a value and tells whether it is one itself. In a list, null takes the place of one.
func (m *marker) cut(parent any, name string, path []string, fields *[]secretField, secrets map[string]any) bool {
	var value any
	switch parent := parent.(type) {
	case map[string]any:
		value = parent[name]
	case []any:
		i, _ := strconv.Atoi(name)
		value = parent[i]
	}
	named, secret := m.marks[placeOf(path)]
	if _, ofObject := parent.(map[string]any); ofObject && named {
		if _, known := secrets[name]; !known {
			secrets[name] = value
		}
	}
	below := fields
	if secret {
		*fields = append(*fields, secretField{path, value})
		value, below = normal(value), new([]secretField) // it goes as a whole; only the names inside are of interest
	}
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if m.cut(value, key, append(slices.Clip(path), key), below, secrets) {
				delete(value, key)
			}
		}
	case []any:
		for i := range value {
			if m.cut(value, index(i), append(slices.Clip(path), index(i)), below, secrets) {
				value[i] = nil
			}
		}
	}
	return secret
}

// resolve gives the schema that a reference inside a page means.
func resolve(root map[string]any, reference string) (any, bool) {
	pointer, ok := strings.CutPrefix(reference, "#")
	if !ok {
		return nil, false
	}
	var at any = root
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = pointerEscapes.Replace(part)
		switch here := at.(type) {
		case map[string]any:
			at, ok = here[part]
		case []any:
			i, err := strconv.Atoi(part)
			if ok = err == nil && i >= 0 && i < len(here); ok {
				at = here[i]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	return at, pointer == "" || strings.HasPrefix(pointer, "/")
}

var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~", "%25", "%")

// isSecretField tells whether a form shows a field as a secret, in any of the ways that templates say it.
func isSecretField(property map[string]any) bool {
	widget := hint(property, "widget")
	return isBackstageSecret(property) || widget == "password" || widget == "secret" ||
		property["format"] == "password" || property["writeOnly"] == true
}

// isBackstageSecret tells whether it is Backstage's own field for secrets.
func isBackstageSecret(property map[string]any) bool { return hint(property, "field") == "Secret" }

// hint gives what a field says to the form, in either of the ways that rjsf knows.
func hint(property map[string]any, name string) any {
	if value, ok := property["ui:"+name]; ok {
		return value
	}
	options, _ := property["ui:options"].(map[string]any)
	return options[name]
}

// seal encrypts what a form hides; nil when there is nothing.
func (h hidden) seal(s Sealer) ([]byte, error) {
	if h.empty() {
		return nil, nil
	}
	plain, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return s.Seal(plain)
}
