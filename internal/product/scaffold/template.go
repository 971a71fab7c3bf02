package scaffold

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// APIVersion is that of the templates this room takes.
const APIVersion = "scaffolder.backstage.io/v1beta3"

// Bounds of one template.
const (
	maxSteps = 100
	maxPages = 50
)

// Template is a golden path as its document says it.
type Template struct {
	Ref          ref.Entity
	Title        string
	Description  string
	Type         string
	Owner        string
	Pages        []Page
	Secrets      map[string]any // JSON Schema of the secrets; nil for none
	Presentation map[string]any
	Steps        []Step
	Output       map[string]any
	Document     document.Document
}

// Page is one page of the form.
type Page struct {
	Title, Description string
	Schema             map[string]any
	path               []string // in the document
}

// Step is one step of a template.
type Step struct {
	ID     string
	Name   string
	Action string
	Input  map[string]any
	If     any // nil, a boolean, or a template
	Each   any // nil, a template, a list or a mapping

	Permissions bool // it is only for those whom Backstage's permissions allow it
}

// permissions is a field by which Backstage's permission framework leaves steps and fields of the form out for some people.
const permissions = "backstage:permissions"

// runsAfterFailure tells whether the step may run though an earlier one has failed: its condition asks for it.
func (s Step) runsAfterFailure() bool {
	text, ok := s.If.(string)
	return ok && statusCall.MatchString(text)
}

var (
	statusCall = regexp.MustCompile(`\b(always|failure)\s*\(`)
	stepID     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$`)
)

// readTemplate reads a document's shape. The details say all that is wrong with it.
func readTemplate(d document.Document) (Template, []fault.Detail) {
	r := &reader{d: d}
	t := Template{Ref: d.Ref(), Title: d.Metadata.Title, Description: d.Metadata.Description, Document: d}
	if t.Title == "" {
		t.Title = d.Metadata.Name
	}
	spec, _ := normal(d.Spec).(map[string]any)
	if spec == nil {
		r.wrong("is missing", "a template has type, parameters and steps", "spec")
		return t, r.details
	}
	r.known(spec, []string{
		"type", "owner", "system", "lifecycle", "parameters", "secrets", "presentation", "steps", "output",
		"EXPERIMENTAL_recovery", "EXPERIMENTAL_formDecorators", "formDecorators",
	}, "spec")
	t.Type = r.text(spec, "type", true, "spec")
	t.Owner = r.text(spec, "owner", false, "spec")
	t.Presentation = r.mapping(spec, "presentation", "spec")
	t.Output = r.mapping(spec, "output", "spec")
	if secrets := r.mapping(spec, "secrets", "spec"); secrets != nil {
		t.Secrets = r.mapping(secrets, "schema", "spec", "secrets")
	}
	t.Pages = r.pages(spec["parameters"])
	t.Steps = r.steps(spec["steps"])
	r.shaped(spec, specShape(), "spec")
	return t, r.details
}

type reader struct {
	d       document.Document
	details []fault.Detail
	told    map[string]bool // by path
}

func (r *reader) wrong(message, hint string, path ...string) {
	if r.told == nil {
		r.told = map[string]bool{}
	}
	r.told[strings.Join(path, "\x00")] = true
	r.details = append(r.details, r.d.At(message, hint, path...))
}

func (r *reader) toldOf(path []string) bool { return r.told[strings.Join(path, "\x00")] }

func (r *reader) known(m map[string]any, names []string, path ...string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(names, key) {
			r.wrong(fmt.Sprintf("%q is not a field here", key), "known are "+strings.Join(names, ", "), append(slices.Clone(path), key)...)
		}
	}
}

func (r *reader) text(m map[string]any, key string, required bool, path ...string) string {
	path = append(slices.Clone(path), key)
	switch value := m[key].(type) {
	case string:
		if value != "" || !required {
			return value
		}
	case nil:
		if !required {
			return ""
		}
	default:
		r.wrong("must be text", "", path...)
		return ""
	}
	r.wrong("is missing", "", path...)
	return ""
}

func (r *reader) mapping(m map[string]any, key string, path ...string) map[string]any {
	value, ok := m[key].(map[string]any)
	if m[key] != nil && !ok {
		r.wrong("must be a mapping", "", append(slices.Clone(path), key)...)
	}
	return value
}

// pages takes one schema or a list of them, as Backstage does.
func (r *reader) pages(value any) []Page {
	path := []string{"spec", "parameters"}
	switch value := value.(type) {
	case nil:
		return nil
	case map[string]any:
		return []Page{r.page(value, path)}
	case []any:
		if len(value) > maxPages {
			r.wrong(fmt.Sprintf("has %d pages; at most %d are shown", len(value), maxPages), "", path...)
			return nil
		}
		var pages []Page
		for i, item := range value {
			at := append(slices.Clone(path), strconv.Itoa(i))
			if schema, ok := item.(map[string]any); ok {
				pages = append(pages, r.page(schema, at))
			} else {
				r.wrong("must be a mapping: a JSON Schema with title and properties", "", at...)
			}
		}
		return pages
	}
	r.wrong("must be a JSON Schema or a list of them", "", path...)
	return nil
}

func (r *reader) page(schema map[string]any, path []string) Page {
	return Page{
		Title: r.text(schema, "title", false, path...), Description: r.text(schema, "description", false, path...),
		Schema: schema, path: path,
	}
}

func (r *reader) steps(value any) []Step {
	list, ok := value.([]any)
	switch {
	case !ok || len(list) == 0:
		r.wrong("must be a list with at least one step", "", "spec", "steps")
		return nil
	case len(list) > maxSteps:
		r.wrong(fmt.Sprintf("has %d steps; at most %d are run", len(list), maxSteps), "split the template", "spec", "steps")
		return nil
	}
	var steps []Step
	first := map[string]int{}
	for i, item := range list {
		path := []string{"spec", "steps", strconv.Itoa(i)}
		m, ok := item.(map[string]any)
		if !ok {
			r.wrong("must be a mapping with an action", "", path...)
			continue
		}
		step := r.step(m, i, path)
		if before, twice := first[step.ID]; twice {
			r.wrong(fmt.Sprintf("id %q is that of step %d already", step.ID, before+1), "choose another", append(slices.Clone(path), "id")...)
		}
		first[step.ID] = i
		steps = append(steps, step)
	}
	return steps
}

func (r *reader) step(m map[string]any, i int, path []string) Step {
	r.known(m, []string{"id", "name", "action", "input", "if", "each", permissions}, path...)
	s := Step{
		ID: r.text(m, "id", false, path...), Name: r.text(m, "name", false, path...), Action: r.text(m, "action", true, path...),
		Input: r.mapping(m, "input", path...), If: m["if"], Each: m["each"], Permissions: m[permissions] != nil,
	}
	if s.ID == "" {
		s.ID = fmt.Sprintf("step-%d", i+1) // Backstage: a step's id defaults to this
	} else if !stepID.MatchString(s.ID) {
		r.wrong(fmt.Sprintf("%q can't be an id", s.ID), "use letters, digits, _ and -", append(slices.Clone(path), "id")...)
	}
	if s.Name == "" {
		s.Name = s.ID
	}
	switch s.If.(type) {
	case nil, bool, string:
	default:
		r.wrong("must be true, false or an expression", "write ${{ … }}", append(slices.Clone(path), "if")...)
	}
	switch s.Each.(type) {
	case nil, string, []any, map[string]any:
	default:
		r.wrong("must be an expression, a list or a mapping", "write ${{ … }}", append(slices.Clone(path), "each")...)
	}
	return s
}

// normal gives a value in the types of encoding/json, apart from its source.
func normal(value any) any {
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil // a document holds only what JSON can say
	}
	var plain any
	if json.Unmarshal(encoded, &plain) != nil {
		return nil
	}
	return plain
}
