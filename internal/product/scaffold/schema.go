package scaffold

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// compileSchema reads a JSON Schema (draft 7 unless it says otherwise) that may point at nothing outside itself.
func compileSchema(schema map[string]any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(schemaName, lenient(schema)); err != nil {
		return nil, err
	}
	return c.Compile(schemaName)
}

// lenient gives a schema without two slips that real templates have and Backstage doesn't mind: a name that is required
// twice, and `required: true` beside a field's type, as in older drafts.
func lenient(value any) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = lenient(value[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(value))
		for key, item := range value {
			if key == "default" || key == "const" || key == "enum" || key == "examples" || strings.HasPrefix(key, "ui:") {
				m[key] = item
				continue
			}
			if names, ok := item.([]any); ok && key == "required" {
				m[key] = unique(names)
				continue
			}
			if _, flag := item.(bool); flag && key == "required" {
				continue
			}
			m[key] = lenient(item)
		}
		return m
	}
	return value
}

func unique(names []any) []any {
	var list []any
	for _, name := range names {
		if !slices.ContainsFunc(list, func(have any) bool { return fmt.Sprint(have) == fmt.Sprint(name) }) {
			list = append(list, name)
		}
	}
	if list == nil {
		return []any{}
	}
	return list
}

const schemaName = "mem:///schema"

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside the schema; write what it says into the schema", url)
}

// compilePattern takes the patterns of JavaScript. Those that Go's engine can't run are bounded in time.
func compilePattern(pattern string) (jsonschema.Regexp, error) {
	if re, err := regexp.Compile(pattern); err == nil {
		return re, nil
	}
	re, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = 100 * time.Millisecond
	return slowPattern{re}, nil
}

type slowPattern struct{ *regexp2.Regexp }

func (p slowPattern) MatchString(s string) bool {
	ok, err := p.Regexp.MatchString(s)
	return ok && err == nil
}

// schemaDetails tells what is wrong with a schema, at its place in the document.
func (t Template) schemaDetails(err error, path []string) []fault.Detail {
	var invalid *jsonschema.SchemaValidationError
	var cause *jsonschema.ValidationError
	if !errors.As(err, &invalid) || !errors.As(invalid.Err, &cause) {
		return []fault.Detail{t.Document.At("is not a JSON Schema: "+strings.ReplaceAll(err.Error(), schemaName, ""), "", path...)}
	}
	var details []fault.Detail
	for _, leaf := range leaves(cause) {
		at := append(slices.Clone(path), leaf.InstanceLocation...)
		details = append(details, t.Document.At("is not what JSON Schema allows here: "+words(leaf, hidden{}), "", at...))
	}
	return details
}

// checkValues tells what is wrong with the values of a form; each page sees all of them, as in Backstage.
func (t Template) checkValues(values map[string]any, h hidden) ([]fault.Detail, error) {
	var details []fault.Detail
	for _, page := range t.Pages {
		found, err := checkAgainst(page.Schema, values, "parameters", h)
		if err != nil {
			return nil, fault.At("the form of "+t.Ref.String()+" is wrong", t.schemaDetails(err, page.path)...)
		}
		details = append(details, found...)
	}
	return details, nil
}

// checkAgainst gives what is wrong with a value, named by its path below prefix; err is about the schema. What
// it says of a value is without secrets.
func checkAgainst(schema map[string]any, value any, prefix string, h hidden) ([]fault.Detail, error) {
	compiled, err := compileSchema(schema)
	if err != nil {
		return nil, err
	}
	err = compiled.Validate(normal(value))
	var invalid *jsonschema.ValidationError
	if err == nil || !errors.As(err, &invalid) {
		return nil, err
	}
	var details []fault.Detail
	for _, leaf := range leaves(invalid) {
		field := strings.Join(append([]string{prefix}, leaf.InstanceLocation...), ".")
		if missing, ok := leaf.ErrorKind.(*kind.Required); ok {
			for _, name := range missing.Missing {
				details = append(details, fault.Detail{Field: field + "." + name, Message: "is missing"})
			}
			continue
		}
		details = append(details, fault.Detail{Field: field, Message: h.redact(words(leaf, h))})
	}
	slices.SortStableFunc(details, func(a, b fault.Detail) int { return strings.Compare(a.Field, b.Field) })
	return slices.Compact(details), nil
}

// leaves gives the errors that have no finer ones below them.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// words says what is wrong; a value that it cites is without secrets before it is put in quotes.
func words(e *jsonschema.ValidationError, h hidden) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Pattern:
		e.ErrorKind = &kind.Pattern{Got: h.redact(k.Got), Want: k.Want}
	case *kind.Format:
		e.ErrorKind = &kind.Format{Got: h.redactValue(k.Got), Want: k.Want, Err: k.Err}
	}
	return e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
}

// withDefaults gives the values with what the form's fields have as default, where nothing is given.
func (t Template) withDefaults(values map[string]any) map[string]any {
	values = maps.Clone(values)
	if values == nil {
		values = map[string]any{}
	}
	for _, page := range t.Pages {
		fillDefaults(page.Schema, values, 0)
	}
	return values
}

func fillDefaults(schema, values map[string]any, depth int) {
	properties, _ := schema["properties"].(map[string]any)
	if depth > 20 {
		return
	}
	for name, raw := range properties {
		property, ok := raw.(map[string]any)
		if !ok {
			continue
		}
		if _, given := values[name]; !given {
			if fallback, has := property["default"]; has {
				values[name] = normal(fallback)
			}
		}
		if nested, ok := values[name].(map[string]any); ok {
			nested = maps.Clone(nested)
			fillDefaults(property, nested, depth+1)
			values[name] = nested
		}
	}
	all, _ := schema["allOf"].([]any)
	for _, part := range all {
		if part, ok := part.(map[string]any); ok {
			fillDefaults(part, values, depth+1)
		}
	}
}

// parameterNames gives the names of all fields, wherever in the pages they are declared.
func (t Template) parameterNames() map[string]bool {
	names := map[string]bool{}
	for _, page := range t.Pages {
		collectProperties(page.Schema, names, 0)
	}
	return names
}

func collectProperties(value any, names map[string]bool, depth int) {
	if depth > 50 {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		if properties, ok := value["properties"].(map[string]any); ok {
			for name := range properties {
				names[name] = true
			}
		}
		for _, part := range value {
			collectProperties(part, names, depth+1)
		}
	case []any:
		for i := range value {
			collectProperties(value[i], names, depth+1)
		}
	}
}

func index(i int) string { return strconv.Itoa(i) }
