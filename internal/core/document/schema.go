package document

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of a schema that somebody declares, and of what it costs to hold a document to it.
const (
	maxSchema        = 64 << 10 // bytes
	maxSchemaDepth   = 40
	maxPattern       = 500     // bytes
	maxPatternSteps  = 2000    // of a compiled one
	maxSchemaEffort  = 500_000 // schemas that are looked at for one document, and what else takes time
	patternStepsUnit = 128     // steps of a pattern times bytes of a text that count as one
)

// Schema is a JSON Schema that was declared by a document: of draft 2020-12 or 7, complete in itself. Holding a value to it
// takes bounded time, whatever the schema says. It is safe for concurrent use.
type Schema struct {
	mu       sync.Mutex // of left
	compiled *jsonschema.Schema
	left     int
}

// tooCostly ends a check from within; the library has no other way to end one.
type tooCostly struct{}

func (s *Schema) spend(n int) {
	if s.left -= n; s.left < 0 {
		panic(tooCostly{})
	}
}

const schemaName = "mem:///schema"

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside the schema", url)
}

// CompileSchema reads a schema at a path of a document. What is wrong comes back with its line.
func CompileSchema(d Document, schema map[string]any, path ...string) (*Schema, []fault.Detail) {
	at := func(message, hint string, below []string) fault.Detail {
		return d.At(message, hint, append(path[:len(path):len(path)], below...)...)
	}
	if n := len(canonical(schema)); n > maxSchema {
		return nil, []fault.Detail{at(fmt.Sprintf("it has %d bytes; at most %d are taken", n, maxSchema), "", nil)}
	}
	w := schemaWalk{schemas: map[string]map[string]any{}, refs: map[string][]string{}, prices: map[price]bool{}}
	w.visit(schema, nil)
	w.resolve(schema)
	if len(w.wrong) > 0 {
		var wrong []fault.Detail
		for _, p := range w.wrong[:min(len(w.wrong), maxDetails)] {
			wrong = append(wrong, at(p.message, p.hint, p.path))
		}
		return nil, wrong
	}
	s := &Schema{}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.AssertFormat()
	c.UseRegexpEngine(s.pattern)
	priced := w.priced(schema, nil)
	for price := range w.prices {
		c.RegisterFormat(&jsonschema.Format{Name: price.name(), Validate: func(v any) error {
			s.spend(price.once + price.each*entries(v))
			return nil
		}})
	}
	err := c.AddResource(schemaName, priced)
	if err == nil {
		s.left = maxSchemaEffort
		err = s.guarded(func() error {
			s.compiled, err = c.Compile(schemaName)
			return err
		})
	}
	if err == nil {
		return s, nil
	}
	var invalid *jsonschema.SchemaValidationError
	var cause *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &cause) {
		var wrong []fault.Detail
		for _, leaf := range leaves(cause, nil) {
			wrong = append(wrong, at("is not what JSON Schema allows here: "+inWords(leaf), "", leaf.InstanceLocation))
		}
		return nil, wrong[:min(len(wrong), maxDetails)]
	}
	return nil, []fault.Detail{at("is not a JSON Schema: "+strings.ReplaceAll(err.Error(), schemaName, ""), "", nil)}
}

// Check holds a value, which is at a path of a document, to the schema.
func (s *Schema) Check(d Document, value any, path ...string) []fault.Detail {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = maxSchemaEffort
	err := s.guarded(func() error { return s.compiled.Validate(value) })
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []fault.Detail{d.At(err.Error(), "", path...)}
	}
	type place struct{ field, message string }
	seen := map[place]bool{}
	var wrong []fault.Detail
	add := func(text, hint string, at []string) {
		p := place{strings.Join(at, "\x00"), text}
		if !seen[p] && len(wrong) < maxDetails {
			seen[p] = true
			wrong = append(wrong, d.At(text, hint, at...))
		}
	}
	for _, leaf := range leaves(invalid, nil) {
		at := append(path[:len(path):len(path)], leaf.InstanceLocation...)
		switch k := leaf.ErrorKind.(type) {
		case *kind.Required:
			for _, name := range k.Missing {
				add("is missing", "", append(at[:len(at):len(at)], name))
			}
		case *kind.AdditionalProperties:
			for _, name := range k.Properties {
				add("unknown field", "", append(at[:len(at):len(at)], name))
			}
		case *kind.Enum:
			add(inWords(leaf), didYouMean(fmt.Sprint(k.Got), texted(k.Want)), at)
		default:
			add(inWords(leaf), "", at)
		}
	}
	return wrong
}

func texted(values []any) []string {
	list := make([]string, 0, len(values))
	for _, v := range values {
		if text, ok := v.(string); ok {
			list = append(list, text)
		}
	}
	return list
}

// guarded runs what may spend more than there is.
func (s *Schema) guarded(fn func() error) (err error) {
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case tooCostly:
			err = errors.New("it takes too long to hold it to its kind's schema; simplify the schema, or make the document smaller")
		default:
			panic(r)
		}
	}()
	return fn()
}

// leaves gives the errors that have no finer ones below them.
func leaves(e *jsonschema.ValidationError, all []*jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return append(all, e)
	}
	for _, cause := range e.Causes {
		if len(all) < 10*maxDetails {
			all = leaves(cause, all)
		}
	}
	return all
}

func inWords(e *jsonschema.ValidationError) string {
	text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}

func entries(v any) int {
	switch v := v.(type) {
	case map[string]any:
		return len(v)
	case []any:
		return len(v)
	}
	return 0
}

// pricedPattern is a pattern whose cost is known.
type pricedPattern struct {
	*regexp.Regexp
	s     *Schema
	steps int
}

func (p pricedPattern) MatchString(text string) bool {
	p.s.spend(1 + len(text)*p.steps/patternStepsUnit)
	return p.Regexp.MatchString(text)
}

// pattern takes those patterns that run in time linear to the text.
func (s *Schema) pattern(text string) (jsonschema.Regexp, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("a pattern has at most %d bytes", maxPattern)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxPatternSteps {
		return nil, fmt.Errorf("the pattern repeats too much")
	}
	return pricedPattern{re, s, len(program.Inst)}, nil
}

// within gives the schemas that stand directly in one, with their paths. each tells those that are asked once for each
// entry of a value.
func within(m map[string]any, path []string, fn func(v any, path []string, each bool)) {
	for _, key := range sortedKeys(m) {
		below := append(path[:len(path):len(path)], key)
		each := false
		switch key {
		case "items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "contains", "propertyNames":
			if list, many := m[key].([]any); many && key == "items" {
				listed(list, below, fn)
				continue
			}
			fn(m[key], below, true)
		case "not", "if", "then", "else":
			fn(m[key], below, false)
		case "allOf", "anyOf", "oneOf", "prefixItems":
			list, _ := m[key].([]any)
			listed(list, below, fn)
		case "patternProperties":
			each = true
			fallthrough
		case "properties", "$defs", "definitions", "dependentSchemas", "dependencies":
			named, _ := m[key].(map[string]any)
			for _, name := range sortedKeys(named) {
				fn(named[name], append(below[:len(below):len(below)], name), each)
			}
		}
	}
}

func listed(list []any, path []string, fn func(any, []string, bool)) {
	for i, item := range list {
		fn(item, append(path[:len(path):len(path)], strconv.Itoa(i)), false)
	}
}

// price is what it takes to look at a value by a schema, without what the schemas within it spend themselves: once, and
// for each entry of the value.
type price struct{ once, each int }

func (p price) name() string { return fmt.Sprintf("roadbed-price-%d-%d", p.once, p.each) }

// schemaWalk looks at all schemas of a schema, and puts a price into each. It stands where a format does: that is looked at
// before all but the type and the enum, and says nothing of a value otherwise.
type schemaWalk struct {
	schemas map[string]map[string]any // by pointer
	refs    map[string][]string       // pointer → where it is used
	prices  map[price]bool
	wrong   []problem
}

func (w *schemaWalk) fail(path []string, message, hint string) {
	if len(w.wrong) < maxDetails {
		w.wrong = append(w.wrong, problem{slices.Clone(path), message, hint})
	}
}

func pointer(path []string) string {
	text := "#"
	for _, part := range path {
		text += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
	}
	return text
}

func (w *schemaWalk) visit(v any, path []string) {
	m, ok := v.(map[string]any)
	if !ok {
		return // a boolean, or a mistake that the compiler names
	}
	if len(path) > 2*maxSchemaDepth {
		w.fail(path, fmt.Sprintf("schemas nest at most %d deep", maxSchemaDepth), "name parts of it under $defs")
		return
	}
	w.schemas[pointer(path)] = m
	w.keywords(m, path)
	within(m, path, func(v any, path []string, _ bool) { w.visit(v, path) })
}

// keywords refuses what reaches out of the schema, or to where no price is.
func (w *schemaWalk) keywords(m map[string]any, path []string) {
	at := func(key string) []string { return append(path[:len(path):len(path)], key) }
	for _, key := range []string{"$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor", "$vocabulary"} {
		if _, has := m[key]; has {
			w.fail(at(key), key+" is not taken", "name a part under $defs, and point at it with $ref: '#/$defs/NAME'")
		}
	}
	if draft, has := m["$schema"]; has {
		switch {
		case len(path) > 0:
			w.fail(at("$schema"), "$schema stands at the top", "leave it out here")
		case !isDraft7(draft) && !isDraft(draft, "draft/2020-12"):
			w.fail(at("$schema"), "draft 2020-12 and draft 7 are taken", "leave it out for 2020-12")
		}
	}
	if to, has := m["$ref"]; has {
		text, _ := to.(string)
		if text != "#" && !strings.HasPrefix(text, "#/") || strings.Contains(text, "%") {
			w.fail(at("$ref"), "a $ref points within the schema", "write it like #/$defs/NAME, and bring what it names along")
			return
		}
		w.refs[text] = at("$ref")
	}
}

func isDraft(v any, name string) bool {
	text, _ := v.(string)
	_, rest, _ := strings.Cut(strings.TrimSuffix(text, "#"), "://")
	return rest == "json-schema.org/"+name+"/schema"
}

func isDraft7(v any) bool { return isDraft(v, "draft-07") }

// resolve refuses a $ref to what is no schema; in draft 7 also one to another, which has no price there.
func (w *schemaWalk) resolve(root map[string]any) {
	for _, to := range sortedKeys(w.refs) {
		target, there := w.schemas[to]
		switch {
		case !there:
			w.fail(w.refs[to], fmt.Sprintf("there is no schema at %q", to), "write it like #/$defs/NAME")
		case isDraft7(root["$schema"]) && target["$ref"] != nil:
			w.fail(w.refs[to], fmt.Sprintf("%q only points further", to), "name what that names")
		}
	}
}

// early is what a schema takes before its own price is asked for.
func (w *schemaWalk) early(v any) int {
	m, _ := v.(map[string]any)
	enum, _ := m["enum"].([]any)
	cost := 1 + len(enum)
	if to, ok := m["$ref"].(string); ok {
		target, _ := w.schemas[to]["enum"].([]any)
		cost += 1 + len(target)
	}
	return cost
}

// priced copies a schema with the prices in it.
func (w *schemaWalk) priced(v any, path []string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	copied, _ := cloneValue(m).(map[string]any)
	p := price{once: w.early(m)}
	if required, ok := m["required"].([]any); ok {
		p.once += len(required)
	}
	within(m, path, func(inner any, at []string, each bool) {
		set(copied, at[len(path):], w.priced(inner, at))
		if each {
			p.each += w.early(inner)
		} else {
			p.once += w.early(inner)
		}
	})
	w.prices[p] = true
	copied["format"] = p.name()
	return copied
}

// set puts a value at a path that is there.
func set(m map[string]any, path []string, v any) {
	var at any = m
	for i, part := range path {
		last := i == len(path)-1
		switch in := at.(type) {
		case map[string]any:
			if last {
				in[part] = v
			}
			at = in[part]
		case []any:
			n, _ := strconv.Atoi(part)
			if last {
				in[n] = v
			}
			at = in[n]
		}
	}
}
