package nunjucks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Session renders templates that trust each other, such as the files of one skeleton. It is for one goroutine.
// Errors about the template are fault.Invalid with its line and column; Detail.File is left to the caller.
type Session struct {
	engine *Engine
	style  Style
	js     *interpreter // started at the first template that needs it
	closed bool
}

// Close frees the session's place. It may be called twice.
func (s *Session) Close() {
	if !s.closed {
		s.closed = true
		<-s.engine.slots
	}
}

// Check parses the template and looks up its filters; it tells whether the whole text is one expression, which
// Value keeps the type of.
func (s *Session) Check(ctx context.Context, template string) (single bool, err error) {
	answer, err := s.run(ctx, template, func(in *interpreter) (goja.Value, error) {
		return in.check(goja.Undefined(), in.vm.ToValue(template))
	})
	if err != nil {
		return false, err
	}
	return answer.ToBoolean(), nil
}

// Render gives the text of the template. What is undefined renders as nothing.
func (s *Session) Render(ctx context.Context, template string, values map[string]any) (string, error) {
	encoded, err := s.encode(values)
	if err != nil {
		return "", err
	}
	answer, err := s.run(ctx, template, func(in *interpreter) (goja.Value, error) {
		return in.render(goja.Undefined(), in.vm.ToValue(template), in.vm.ToValue(encoded))
	})
	if err != nil {
		return "", err
	}
	return s.bounded(answer.String())
}

// Value is Render, but text that is one expression and nothing else keeps the type of its value, as in the
// inputs of a golden path's steps: "${{ parameters.count }}" gives a number. Undefined when there is no value.
func (s *Session) Value(ctx context.Context, template string, values map[string]any) (any, error) {
	if value, ok := s.lookUp(template, values); ok {
		return value, ctx.Err()
	}
	encoded, err := s.encode(values)
	if err != nil {
		return nil, err
	}
	answer, err := s.run(ctx, template, func(in *interpreter) (goja.Value, error) {
		return in.value(goja.Undefined(), in.vm.ToValue(template), in.vm.ToValue(encoded))
	})
	if err != nil {
		return nil, err
	}
	pair := answer.ToObject(s.js.vm)
	text, err := s.bounded(pair.Get("1").String())
	if err != nil || !pair.Get("0").ToBoolean() {
		return text, err
	}
	if text == "" {
		return Undefined, nil
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil, fmt.Errorf("read the value of a template: %w", err)
	}
	return value, nil
}

// A path of names is what most expressions are.
var namesOnly = regexp.MustCompile(`^\$\{\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\s*\}\}$`)

// lookUp gives the value of a path of names through mappings, which needs no interpreter.
func (s *Session) lookUp(template string, values map[string]any) (any, bool) {
	m := namesOnly.FindStringSubmatch(template)
	if m == nil || s.style.Cookiecutter || s.closed {
		return nil, false
	}
	var value any = values
	for i, name := range strings.Split(m[1], ".") {
		switch name {
		case "true", "false", "none", "null":
			return nil, false // not names, to nunjucks
		}
		here, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		next, found := here[name]
		switch {
		case !found && i == 0:
			return nil, false // may be a global
		case !found:
			return Undefined, strings.HasSuffix(m[1], "."+name) // what is below nothing is left to nunjucks
		}
		value = next
	}
	encoded, err := json.Marshal(value)
	if err != nil || len(encoded) > s.engine.options.Limits.Output {
		return nil, false
	}
	var plain any
	err = json.Unmarshal(encoded, &plain)
	return plain, err == nil
}

func (s *Session) encode(values map[string]any) (string, error) {
	if values == nil {
		return "{}", nil
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "encode the values of a template: %w", err)
	}
	if limit := s.engine.options.Limits.Values; len(encoded) > limit {
		return "", fault.Errorf(fault.TooLarge, "the values of a template have %d bytes; at most %d are allowed", len(encoded), limit)
	}
	return string(encoded), nil
}

func (s *Session) bounded(text string) (string, error) {
	if limit := s.engine.options.Limits.Output; len(text) > limit {
		return "", fault.Errorf(fault.TooLarge, "the template gives %d bytes; at most %d are allowed", len(text), limit)
	}
	return text, nil
}

// run calls into the interpreter under the limits of time and size.
func (s *Session) run(ctx context.Context, template string, fn func(*interpreter) (goja.Value, error)) (_ goja.Value, err error) {
	if s.closed {
		return nil, errors.New("render a template: the session is closed")
	}
	if limit := s.engine.options.Limits.Template; len(template) > limit {
		return nil, fault.Errorf(fault.TooLarge, "the template has %d bytes; at most %d are allowed", len(template), limit)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.js == nil {
		if s.js, err = s.engine.start(s.style); err != nil {
			return nil, err
		}
	}
	stop := s.interruptWhen(ctx)
	defer stop()
	answer, err := fn(s.js)
	if err == nil {
		return answer, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, s.explain(err)
}

// interruptWhen stops the interpreter at the time limit or when ctx ends. The function that it gives ends the
// watch and clears an interrupt that came too late, so that the session can be used again.
func (s *Session) interruptWhen(ctx context.Context) func() {
	timer := time.AfterFunc(s.engine.options.Limits.Time, func() { s.js.vm.Interrupt(errTime) })
	unwatch := context.AfterFunc(ctx, func() { s.js.vm.Interrupt(ctx.Err()) })
	return func() {
		timer.Stop()
		unwatch()
		s.js.vm.ClearInterrupt()
	}
}

var errTime = errors.New("out of time")

// nunjucks puts the template's name and the place before its messages.
var place = regexp.MustCompile(`^\(unknown path\)( \[Line \d+(, Column \d+)?\])?\s*`)

func (s *Session) explain(err error) error {
	var interrupted *goja.InterruptedError
	var deep *goja.StackOverflowError
	var thrown *goja.Exception
	switch {
	case errors.As(err, &interrupted):
		return fault.Errorf(fault.Invalid, "the template runs longer than %s; make its loops smaller", s.engine.options.Limits.Time)
	case errors.As(err, &deep):
		return fault.Errorf(fault.Invalid, "the template nests or calls itself too deeply")
	case !errors.As(err, &thrown):
		return fmt.Errorf("render a template: %w", err)
	}
	object, ok := thrown.Value().(*goja.Object)
	if !ok {
		return fault.Errorf(fault.Invalid, "the template fails: %s", thrown.Value().String())
	}
	detail := fault.Detail{Message: message(object)}
	if at, ok := object.Get("place").(*goja.Object); ok {
		detail.Line, detail.Column = int(at.Get("0").ToInteger()), int(at.Get("1").ToInteger())
	} else if line := object.Get("lineno"); line != nil && !goja.IsUndefined(line) {
		detail.Line = int(line.ToInteger())
		if column := object.Get("colno"); column != nil && !goja.IsUndefined(column) {
			detail.Column = int(column.ToInteger())
		}
	}
	return fault.At("the template can't be rendered", detail)
}

func message(object *goja.Object) string {
	text := ""
	if value := object.Get("message"); value != nil {
		text = value.String()
	}
	text = place.ReplaceAllString(text, "")
	text = strings.TrimPrefix(text, "Error: ")
	text = strings.TrimPrefix(text, "GoError: ")
	if len(text) > 500 {
		text = text[:500] + "…"
	}
	return strings.TrimSpace(text)
}

// checkPattern allows the regular expressions that run in linear time.
func checkPattern(pattern string) error {
	for _, tag := range []string{"raw", "verbatim"} { // nunjucks' own, for {% raw %}
		if pattern == `([\s\S]*?){%\s*(`+tag+`|end`+tag+`)\s*(?=%})%}` {
			return nil
		}
	}
	if len(pattern) > 1000 {
		return errors.New("the regular expression is longer than 1000 characters")
	}
	if _, err := parser.TransformRegExp(pattern, false, false); err != nil {
		return fmt.Errorf("the regular expression %q can't be used; look-around and back-references are not allowed", pattern)
	}
	return nil
}
