package workflow

import (
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// depends is a parsed `depends`: an expression over the results of tasks.
type depends struct {
	op     string // "&&", "||", "!", "is", or "" for one that always holds
	terms  []*depends
	task   string
	result string // of "is": Succeeded, …; "" is what a bare name means
}

// results that a task may be asked for.
var results = []string{"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"}

var dependsToken = regexp.MustCompile(`^(&&|\|\||[!()]|[a-zA-Z0-9][-_a-zA-Z0-9]*(\.[a-zA-Z]+)?)`)

// parseDepends reads an expression such as `A && (B.Succeeded || C.Failed)`.
func parseDepends(text string) (*depends, error) {
	p := &dependsParser{}
	for rest := strings.TrimSpace(text); rest != ""; {
		token := dependsToken.FindString(rest)
		if token == "" {
			return nil, fault.Errorf(fault.Invalid, "unexpected %q in depends; write task names joined by && and ||, such as A && (B.Failed || C.Skipped)", clip(rest, 30))
		}
		p.tokens = append(p.tokens, token)
		rest = strings.TrimLeft(rest[len(token):], " \t\r\n")
		if len(p.tokens) > 10_000 {
			return nil, fault.Errorf(fault.Invalid, "depends is too long")
		}
	}
	d, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, fault.Errorf(fault.Invalid, "unexpected %q in depends", p.tokens[0])
	}
	return d, nil
}

type dependsParser struct{ tokens []string }

func (p *dependsParser) accept(token string) bool {
	if len(p.tokens) > 0 && p.tokens[0] == token {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *dependsParser) or(depth int) (*depends, error) {
	return p.join("||", depth, func() (*depends, error) {
		return p.join("&&", depth, func() (*depends, error) { return p.term(depth) })
	})
}

func (p *dependsParser) join(op string, depth int, term func() (*depends, error)) (*depends, error) {
	first, err := term()
	if err != nil {
		return nil, err
	}
	terms := []*depends{first}
	for p.accept(op) {
		next, err := term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, next)
	}
	if len(terms) == 1 {
		return first, nil
	}
	return &depends{op: op, terms: terms}, nil
}

func (p *dependsParser) term(depth int) (*depends, error) {
	if depth > maxNesting {
		return nil, fault.Errorf(fault.Invalid, "depends is nested too deep")
	}
	switch {
	case len(p.tokens) == 0:
		return nil, fault.Errorf(fault.Invalid, "depends ends too early")
	case p.accept("!"):
		t, err := p.term(depth + 1)
		return &depends{op: "!", terms: []*depends{t}}, err
	case p.accept("("):
		d, err := p.or(depth + 1)
		if err == nil && !p.accept(")") {
			err = fault.Errorf(fault.Invalid, "a bracket in depends is not closed")
		}
		return d, err
	}
	token := p.tokens[0]
	if token == ")" || token == "&&" || token == "||" {
		return nil, fault.Errorf(fault.Invalid, "unexpected %q in depends", token)
	}
	p.tokens = p.tokens[1:]
	task, result, has := strings.Cut(token, ".")
	if has && !slices.Contains(results, result) {
		return nil, fault.Errorf(fault.Invalid, "%q is no result of a task; write one of %s", result, strings.Join(results, ", "))
	}
	return &depends{op: "is", task: task, result: result}, nil
}

// dependsOf gives what a task waits for; `dependencies: [A, B]` is `A && B`.
func dependsOf(t *Task) (*depends, error) {
	if t.Depends != "" {
		return parseDepends(t.Depends)
	}
	all := &depends{op: "&&"}
	for _, name := range t.Dependencies {
		all.terms = append(all.terms, &depends{op: "is", task: name})
	}
	return all, nil
}

// tasks gives the names that d mentions, each once, in order.
func (d *depends) tasks() []string {
	var names []string
	var walk func(*depends)
	walk = func(d *depends) {
		if d.op == "is" && !slices.Contains(names, d.task) {
			names = append(names, d.task)
		}
		for _, t := range d.terms {
			walk(t)
		}
	}
	walk(d)
	return names
}

// taskResult is what depends may ask of a task that is fulfilled.
type taskResult struct {
	phase        Phase
	continueOn   ContinueOn
	anySucceeded bool // of items
	allFailed    bool
}

// holds evaluates d once all its tasks are fulfilled. Argo: a bare name holds when the task succeeded or was skipped,
// or ended in a way that its continueOn names.
func (d *depends) holds(of func(task string) taskResult) bool {
	switch d.op {
	case "&&":
		for _, t := range d.terms {
			if !t.holds(of) {
				return false
			}
		}
		return true
	case "||":
		for _, t := range d.terms {
			if t.holds(of) {
				return true
			}
		}
		return false
	case "!":
		return !d.terms[0].holds(of)
	}
	r := of(d.task)
	switch d.result {
	case "":
		return r.phase == Succeeded || r.phase == Skipped || r.continueOn.on(r.phase)
	case "Errored":
		return r.phase == Error
	case "AnySucceeded":
		return r.anySucceeded
	case "AllFailed":
		return r.allFailed
	case "Daemoned":
		return false
	}
	return string(r.phase) == d.result
}
