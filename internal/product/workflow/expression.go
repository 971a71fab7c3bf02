package workflow

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	maxExpression      = 8 << 10 // bytes
	maxExpressionNodes = 500
)

// evaluate gives the value of an expression ({{=…}}, valueFrom.expression) in this scope.
func (s *scope) evaluate(text string) (v any, err error) {
	defer func() { // the library evaluates what strangers write; a defect there must not end a server
		if r := recover(); r != nil {
			err = fault.Errorf(fault.Invalid, "the expression %q can't be evaluated: %v", clip(text, 200), r)
		}
	}()
	program, err := compileExpression(text)
	if err != nil {
		return nil, err
	}
	env := s.environment()
	v, err = expr.Run(program, env)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the expression %q can't be evaluated: %s", clip(text, 200), firstLine(err.Error()))
	}
	if left(v, maxValue) < 0 {
		return nil, fault.Errorf(fault.Invalid, "the expression %q gives more than %d bytes", clip(text, 200), maxValue)
	}
	return v, nil
}

// nesting refuses a loop within a loop: an expression is evaluated inside a transaction, so its cost must stay in
// proportion to its input.
type nesting struct{ deepest int }

func (n *nesting) Visit(node *ast.Node) {
	if p, ok := (*node).(*ast.PredicateNode); ok {
		n.deepest = max(n.deepest, 1+loops(p.Node))
	}
}

// loops tells whether there is a loop below a node.
func loops(node ast.Node) int {
	found := &finder{}
	ast.Walk(&node, found)
	return found.n
}

type finder struct{ n int }

func (f *finder) Visit(node *ast.Node) {
	if _, ok := (*node).(*ast.PredicateNode); ok {
		f.n = 1
	}
}

func options() []expr.Option {
	return append(budgeted(),
		expr.AllowUndefinedVariables(),
		expr.MaxNodes(maxExpressionNodes),
		expr.DisableBuiltin("now"), // the same facts must give the same outcome
		expr.DisableBuiltin("repeat"),
		expr.Function("asInt", func(args ...any) (any, error) { return asInt(args[0]) }, new(func(any) int)),
		expr.Function("asFloat", func(args ...any) (any, error) { return asFloat(args[0]) }, new(func(any) float64)),
		expr.Function("jsonpath", func(args ...any) (any, error) {
			return jsonPath(fmt.Sprint(args[0]), fmt.Sprint(args[1]))
		}, new(func(any, any) any)),
	)
}

func compileExpression(text string) (program *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.Errorf(fault.Invalid, "the expression %q is wrong: %v", clip(text, 200), r)
		}
	}()
	if len(text) > maxExpression {
		return nil, fault.Errorf(fault.Invalid, "the expression is over %d bytes", maxExpression)
	}
	if strings.Contains(text, "sprig.") {
		return nil, fault.Errorf(fault.Invalid, "the expression %q uses sprig, which is not available; use what expr-lang brings, such as upper, trim, split, replace", clip(text, 200))
	}
	n := &nesting{}
	program, err = expr.Compile(text, append(options(), expr.Patch(n))...)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the expression %q is wrong: %s", clip(text, 200), firstLine(err.Error()))
	}
	if n.deepest > 1 {
		return nil, fault.Errorf(fault.Invalid, "the expression %q has a loop (filter, map, …) within a loop; do the inner one in a step of its own", clip(text, 200))
	}
	return program, nil
}

// environment gives the scope as nested maps.
func (s *scope) environment() map[string]any {
	env := map[string]any{"workflow": s.run.environment()}
	inputs := map[string]any{"parameters": s.inputs}
	if s.inputs == nil {
		inputs["parameters"] = map[string]string{}
	}
	if s.tmpl != nil {
		artifacts := map[string]any{}
		for _, a := range s.tmpl.Inputs.Artifacts {
			artifacts[a.Name] = map[string]any{"path": a.Path}
		}
		inputs["artifacts"] = artifacts
	}
	env["inputs"] = inputs
	if s.kind != "" {
		peers := map[string]any{"name": s.self}
		for name, p := range s.beside() {
			peers[name] = p.environment()
		}
		env[s.kind] = peers
	}
	if s.has {
		env["item"] = s.item
	}
	for name, value := range s.extra {
		head, rest, nested := strings.Cut(name, ".")
		if !nested {
			env[head] = value
			continue
		}
		m, _ := env[head].(map[string]any)
		if m == nil {
			m = map[string]any{}
			env[head] = m
		}
		m[rest] = value
	}
	return env
}

func (g *globals) environment() map[string]any {
	return map[string]any{
		"name": g.name, "namespace": g.space, "uid": g.id, "mainEntrypoint": g.entrypoint, "priority": g.priority,
		"parameters": g.parameters, "labels": g.labels, "annotations": g.annotations, "creationTimestamp": g.created.UTC(),
		"status": g.status, "failures": g.failures, "duration": g.duration,
	}
}

func (p *peer) environment() map[string]any {
	if p == nil {
		return map[string]any{"outputs": map[string]any{"parameters": map[string]any{}, "result": nil}}
	}
	outputs := map[string]any{"parameters": p.values.Parameters, "result": nil}
	if p.isGroup {
		outputs["parameters"] = looseJSON(p.allParameters())
	}
	if r, state := p.result(); state == present {
		outputs["result"] = r
	}
	return map[string]any{
		"id": p.key, "status": string(p.phase), "exitCode": p.values.ExitCode, "outputs": outputs,
		"startedAt": p.started.UTC(), "finishedAt": p.ended.UTC(),
	}
}

func asInt(v any) (int, error) {
	switch v := v.(type) {
	case int:
		return v, nil
	case float64:
		return int(v), nil
	case string:
		i, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", clip(v, 50))
		}
		return i, nil
	}
	return 0, fmt.Errorf("%v is not a whole number", v)
}

func asFloat(v any) (float64, error) {
	switch v := v.(type) {
	case int:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number", clip(v, 50))
		}
		return f, nil
	}
	return 0, fmt.Errorf("%v is not a number", v)
}

// expressionText writes a value as Argo puts it into a text.
func expressionText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	if reflect.ValueOf(v).Kind() == reflect.Func {
		return ""
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	return toJSON(v)
}

// jsonPath gives what a path such as $.a[0]['b'] finds in a JSON text.
func jsonPath(text, path string) (any, error) {
	v := looseJSON(text)
	rest, found := strings.CutPrefix(path, "$")
	if !found {
		return nil, fmt.Errorf("%q is not a path; start with $", clip(path, 50))
	}
	for rest != "" {
		var key string
		switch {
		case strings.HasPrefix(rest, "["):
			end := strings.Index(rest, "]")
			if end < 0 {
				return nil, fmt.Errorf("a bracket in %q is not closed", clip(path, 50))
			}
			key, rest = strings.Trim(rest[1:end], `'"`), rest[end+1:]
		case strings.HasPrefix(rest, "."):
			end := strings.IndexAny(rest[1:], ".[") + 1
			if end == 0 {
				end = len(rest)
			}
			key, rest = rest[1:end], rest[end:]
		default:
			return nil, fmt.Errorf("%q is not a path that is known here; write $.name, $[0] or $['name']", clip(path, 50))
		}
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return nil, fmt.Errorf("there is no item %q", clip(key, 50))
			}
			v = at[i]
		default:
			return nil, fmt.Errorf("there is nothing at %q", clip(path, 50))
		}
	}
	return v, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return clip(line, 200)
}
