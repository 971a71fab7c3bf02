package insight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of an expression.
const (
	maxCost     = 20_000      // of one evaluation, in CEL's units: about one for each step, and for ten characters that are looked at
	maxTime     = time.Second // of the rules of a scorecard for one entity
	maxReason   = 300         // characters of why an evaluation failed
	checkEach   = 100         // steps of a loop between looks at the time
	parserDepth = 50
)

// variables are what expressions can name.
func variables() []cel.EnvOption {
	object := cel.MapType(cel.StringType, cel.DynType)
	objects := cel.ListType(object)
	return []cel.EnvOption{
		cel.Variable("entity", object),                                 // the document
		cel.Variable("ref", cel.StringType),                            // kind:namespace/name
		cel.Variable("owner", cel.StringType),                          // reference; "" for none
		cel.Variable("space", cel.StringType),                          // of the entity
		cel.Variable("relations", objects),                             // type, target, to: kind, namespace, name, exists, type, owner, lifecycle
		cel.Variable("runs", objects),                                  // kind, state, title, ended, created, finished: the newest first
		cel.Variable("docs", cel.MapType(cel.StringType, cel.IntType)), // pages, broken
		cel.Variable("metrics", cel.MapType(cel.StringType, object)),   // by name: value, unit, at
		cel.Variable("findings", objects),                              // source, id, severity, title, at: the most severe first
		cel.Variable("now", cel.TimestampType),
	}
}

func newEnvironment() *cel.Env {
	env, err := cel.NewEnv(append(variables(), cel.OptionalTypes(), cel.ParserRecursionLimit(parserDepth), cel.ParserExpressionSizeLimit(maxExpression))...)
	if err != nil {
		panic(err) // it is the same each time
	}
	return env
}

// compiled is a rule that can be asked.
type compiled struct {
	rule    string
	program cel.Program
	targets bool // it asks for what relations lead to
}

// compile makes the rules of a scorecard ready. What is wrong with an expression comes with its rule and place.
func compile(env *cel.Env, d document.Document, spec Spec) (rules []compiled, wrong []fault.Detail) {
	for i, r := range spec.Rules {
		ready, problems := compileOne(env, r.Expression)
		ready.rule = r.ID
		for _, p := range problems {
			const hint = "the variables are entity, ref, owner, space, relations, runs, docs, metrics, findings and now"
			wrong = append(wrong, d.At(fmt.Sprintf("rule %s, %s", r.ID, p), hint, "spec", "rules", strconv.Itoa(i), "expression"))
		}
		rules = append(rules, ready)
	}
	return rules, wrong
}

// compileOne gives a rule, or what is wrong with its text, each with its line and column.
func compileOne(env *cel.Env, expression string) (compiled, []string) {
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		var problems []string
		for _, e := range issues.Errors() {
			place := fmt.Sprintf("column %d", e.Location.Column()+1)
			if e.Location.Line() > 1 {
				place = fmt.Sprintf("line %d, %s", e.Location.Line(), place)
			}
			const most = 5
			if problems = append(problems, place+": "+clipped(e.Message)); len(problems) == most {
				break
			}
		}
		return compiled{}, problems
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return compiled{}, []string{fmt.Sprintf("column 1: gives %s; write what is true or false", t)}
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEach), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return compiled{}, []string{"column 1: " + clipped(err.Error())}
	}
	return compiled{program: program, targets: namesTarget(checked)}, nil
}

// target is the field of a relation that has what is known of where it leads. Rules that don't name it are not judged again when
// that changes.
const target = "to"

func namesTarget(a *cel.Ast) (yes bool) {
	ast.PreOrderVisit(a.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			yes = yes || e.AsSelect().FieldName() == target
		case ast.LiteralKind:
			yes = yes || e.AsLiteral().Value() == target // r["to"], r.?to
		default:
		}
	}))
	return yes
}

func clipped(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if runes := []rune(text); len(runes) > maxReason {
		return string(runes[:maxReason]) + "…"
	}
	return text
}

// facts are what is known of an entity. What takes a query is asked for when an expression first names it.
type facts struct {
	known  map[string]any
	ask    map[string]func() (any, error)
	unread map[string]error // by variable: why it can't be read now
	missed bool             // one of them was asked for

	space   string // of the scorecard that asks
	targets bool   // the rule that asks names what relations lead to
}

// withTargets stands for relations with what they lead to.
const withTargets = "relations." + target

// seenFrom begins with what a scorecard of a space may tell of.
func (f *facts) seenFrom(space string) {
	f.space = space
	delete(f.known, withTargets)
}

// ResolveName gives a variable to an expression.
func (f *facts) ResolveName(name string) (any, bool) {
	if name == "relations" && f.targets {
		name = withTargets
	}
	if v, ok := f.known[name]; ok {
		return v, true
	}
	ask, ok := f.ask[name]
	if !ok {
		return nil, false
	}
	err := f.unread[name]
	var v any
	if err == nil {
		v, err = ask()
	}
	if err != nil {
		if f.unread == nil {
			f.unread = map[string]error{}
		}
		f.unread[name], f.missed = err, true
		return types.NewErr("%s can't be read now; it is tried again", name), true
	}
	f.known[name] = v
	return v, true
}

// why tells what could not be read.
func (f *facts) why() error {
	var all []error
	for _, name := range slices.Sorted(maps.Keys(f.unread)) {
		all = append(all, fault.Wrap(f.unread[name], "read %s", name))
	}
	return errors.Join(all...)
}

// Parent gives none: there are no others around these.
func (f *facts) Parent() cel.Activation { return nil }

// judge asks the rules of a scorecard about an entity. A rule for which a fact can't be read is passed or not as it was; was tells
// whether it failed, or was not asked.
func judge(ctx context.Context, spec Spec, rules []compiled, f *facts, was func(rule string) bool) Verdict {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	failed, reasons := map[string]bool{}, map[string]string{}
	var unread []string
	for _, r := range rules {
		f.missed, f.targets = false, r.targets
		passed, err := ask(ctx, r.program, f)
		failed[r.rule] = !passed
		if err == nil {
			continue
		}
		reasons[r.rule] = clipped(err.Error())
		if f.missed {
			failed[r.rule], unread = was(r.rule), append(unread, r.rule)
		}
	}
	v := spec.verdict(func(rule string) bool { return failed[rule] })
	v.Errors, v.Unread = reasons, unread
	return v
}

func ask(ctx context.Context, program cel.Program, f *facts) (bool, error) {
	value, _, err := program.ContextEval(ctx, f)
	if err != nil {
		return false, err
	}
	passed, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("it gives %s, which is neither true nor false", value.Type().TypeName())
	}
	return passed, nil
}

// object gives a document as expressions see it.
func object(d document.Document) (map[string]any, error) {
	var fields map[string]any
	err := json.Unmarshal(d.JSON(), &fields)
	return fields, err
}
