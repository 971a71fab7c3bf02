package scaffold

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Lint is what is to be said of a file of templates.
type Lint struct {
	Templates []Template
	Errors    []fault.Detail // the template can't be used
	Warnings  []fault.Detail
}

// LintOptions say how strict Lint is.
type LintOptions struct {
	AllowMissingActions bool // an action that isn't installed is a warning
}

// Lint checks a file of templates without using it. It needs no rights: it reads nothing but what it is given.
func (s *Service) Lint(ctx context.Context, file string, data []byte, o LintOptions) (Lint, error) {
	documents, err := document.Parse(file, data, document.Limits{Documents: 50})
	if fault.Is(err, fault.Invalid) {
		return Lint{Errors: fault.Details(err)}, nil
	}
	if err != nil {
		return Lint{}, err
	}
	var l Lint
	for _, d := range documents {
		if !strings.EqualFold(d.Kind, "Template") {
			continue
		}
		l.Errors = append(l.Errors, d.Check()...)
		if d.APIVersion != APIVersion {
			l.Errors = append(l.Errors, d.At(fmt.Sprintf("version %q is not known", d.APIVersion), "write "+APIVersion, "apiVersion"))
			continue
		}
		t, details := readTemplate(d)
		l.Errors = append(l.Errors, details...)
		l.Templates = append(l.Templates, t)
		errs, warnings, err := s.check(ctx, t, o)
		if err != nil {
			return Lint{}, err
		}
		l.Errors, l.Warnings = append(l.Errors, errs...), append(l.Warnings, warnings...)
	}
	if len(l.Templates) == 0 && len(l.Errors) == 0 {
		l.Errors = append(l.Errors, fault.Detail{File: file, Message: "there is no Template in the file", Hint: "a golden path has kind: Template"})
	}
	return l, nil
}

// usable reads a document as a template that can be used now, or tells all that is wrong with it.
func (s *Service) usable(ctx context.Context, d document.Document) (Template, error) {
	t, details := readTemplate(d)
	errs, _, err := s.check(ctx, t, LintOptions{})
	if err != nil {
		return t, err
	}
	if details = append(details, errs...); len(details) > 0 {
		return t, fault.At(fmt.Sprintf("the template %s can't be used as it is", t.Ref), details...)
	}
	return t, nil
}

// check looks at what a template says beyond its shape: its form, its actions, and every expression in it.
func (s *Service) check(ctx context.Context, t Template, o LintOptions) (errs, warnings []fault.Detail, err error) {
	for _, page := range t.Pages {
		if _, err := compileSchema(page.Schema); err != nil {
			errs = append(errs, t.schemaDetails(err, page.path)...)
		}
	}
	if t.Secrets != nil {
		if _, err := compileSchema(t.Secrets); err != nil {
			errs = append(errs, t.schemaDetails(err, []string{"spec", "secrets", "schema"})...)
		}
	}
	session, err := s.nunjucks.Open(ctx, nunjucks.Style{})
	if err != nil {
		return nil, nil, err
	}
	defer session.Close()
	c := &checker{t: t, session: session, parameters: t.parameterNames(), known: map[string]bool{}}
	for _, step := range t.Steps {
		c.known[step.ID] = false
	}
	for _, page := range t.Pages {
		if page.Schema[permissions] != nil {
			c.warn("everybody who may use the template sees these fields: permissions by tags are not known here", "say in a policy who may use it", append(slices.Clone(page.path), permissions)...)
		}
	}
	for i, step := range t.Steps {
		path := []string{"spec", "steps", index(i)}
		if step.Permissions {
			c.wrong("permissions by tags are not known here, and the step would run for everybody", "say in a policy who may use the template, and take this away", append(slices.Clone(path), permissions)...)
		}
		action, known := s.actions[step.Action]
		switch {
		case known:
			c.input(action, step, path)
		case o.AllowMissingActions:
			c.warn(fmt.Sprintf("action %q is not installed here", step.Action), "", append(path, "action")...)
		default:
			c.wrong(fmt.Sprintf("action %q is not installed here", step.Action), s.similar(step.Action), append(path, "action")...)
		}
		for name, value := range map[string]any{"if": step.If, "each": step.Each, "input": anyMap(step.Input), "name": step.Name} {
			c.walk(ctx, value, append(slices.Clone(path), name)...)
		}
		c.known[step.ID] = true
	}
	c.walk(ctx, anyMap(t.Output), "spec", "output")
	byPlace := func(a, b fault.Detail) int { return a.Line - b.Line }
	slices.SortStableFunc(c.errs, byPlace)
	return append(errs, c.errs...), c.warnings, ctx.Err()
}

func anyMap(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

// similar names actions of the same family, which is what a mistaken name usually misses.
func (s *Service) similar(action string) string {
	family, _, _ := strings.Cut(action, ":")
	var near []string
	for id := range s.actions {
		if strings.HasPrefix(id, family+":") {
			near = append(near, id)
		}
	}
	if slices.Sort(near); len(near) > 0 {
		return "there are " + strings.Join(near, ", ")
	}
	return "roadbed template actions lists what is installed"
}

type checker struct {
	t              Template
	session        *nunjucks.Session
	parameters     map[string]bool
	known          map[string]bool // ids of steps: false while they come later
	errs, warnings []fault.Detail
}

func (c *checker) wrong(message, hint string, path ...string) {
	c.errs = append(c.errs, c.t.Document.At(message, hint, path...))
}

func (c *checker) warn(message, hint string, path ...string) {
	c.warnings = append(c.warnings, c.t.Document.At(message, hint, path...))
}

// input checks what can be known of an input before it is rendered.
func (c *checker) input(a Action, step Step, path []string) {
	at := append(slices.Clone(path), "input")
	required, _ := a.Input["required"].([]any)
	for _, name := range required {
		if _, given := step.Input[name.(string)]; !given {
			c.wrong(fmt.Sprintf("%s needs the input %q", a.ID, name), "", at...)
		}
	}
	properties, _ := a.Input["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(step.Input)) {
		schema, known := properties[name].(map[string]any)
		value := step.Input[name]
		switch {
		case !known:
			c.warn(fmt.Sprintf("%s has no input %q", a.ID, name), "it has "+strings.Join(slices.Sorted(maps.Keys(properties)), ", "), append(slices.Clone(at), name)...)
		case !hasExpression(value):
			found, err := checkAgainst(schema, value, name, hidden{})
			if err != nil {
				continue // the schemas of actions are our own, and tested
			}
			for _, d := range found {
				c.wrong(d.Message, "", append(slices.Clone(at), strings.Split(d.Field, ".")...)...)
			}
		}
	}
}

func hasExpression(value any) bool {
	switch value := value.(type) {
	case string:
		return mayRender(value)
	case []any:
		return slices.ContainsFunc(value, hasExpression)
	case map[string]any:
		for _, item := range value {
			if hasExpression(item) {
				return true
			}
		}
	}
	return false
}

func (c *checker) walk(ctx context.Context, value any, path ...string) {
	switch value := value.(type) {
	case string:
		c.expression(ctx, value, path)
	case []any:
		for i, item := range value {
			c.walk(ctx, item, append(slices.Clip(path), index(i))...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			c.walk(ctx, value[key], append(slices.Clip(path), key)...)
		}
	}
}

var (
	stepOutput = regexp.MustCompile(`\bsteps(?:\.([A-Za-z0-9_]+)|\[\s*['"]([^'"]+)['"]\s*\])\.output\b`)
	parameter  = regexp.MustCompile(`\bparameters\.([A-Za-z_][A-Za-z0-9_]*)`)
	inBraces   = regexp.MustCompile(`(?s)\$\{\{.*?\}\}|\{%.*?%\}`)
)

func (c *checker) expression(ctx context.Context, text string, path []string) {
	if !mayRender(text) {
		return
	}
	if _, err := c.session.Check(ctx, text); err != nil {
		for _, d := range fault.Details(err) {
			c.wrong(d.Message, "the expression is "+clip(text, 120), path...)
		}
		if len(fault.Details(err)) == 0 && ctx.Err() == nil {
			c.wrong(fault.Message(err), "", path...)
		}
		return
	}
	for _, part := range inBraces.FindAllString(text, -1) {
		for _, m := range stepOutput.FindAllStringSubmatch(part, -1) {
			id := m[1] + m[2]
			switch done, exists := c.known[id]; {
			case !exists && path[1] == "output": // it renders as nothing, which Backstage doesn't mind
				c.warn(fmt.Sprintf("there is no step %q", id), "the expression is "+clip(text, 120), path...)
			case !exists:
				c.wrong(fmt.Sprintf("there is no step %q", id), "the expression is "+clip(text, 120), path...)
			case !done:
				c.wrong(fmt.Sprintf("step %q has not run by then", id), "only outputs of earlier steps are known", path...)
			}
		}
		for _, m := range parameter.FindAllStringSubmatch(part, -1) {
			if len(c.parameters) > 0 && !c.parameters[m[1]] {
				c.warn(fmt.Sprintf("the form has no field %q", m[1]), "it renders as nothing", path...)
			}
		}
	}
}
