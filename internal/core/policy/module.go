package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	maxSource  = 256 << 10 // bytes of one policy
	maxNesting = 500       // of brackets in it
)

// answers is the variable of a policy's query.
const answers = "answers"

// compiled is one policy, ready to be asked; it is safe for concurrent use.
type compiled struct {
	rules []string               // those of its point that it has, in the point's order
	ask   rego.PreparedEvalQuery // gives an object of rule → list of its value; an empty one where it is undefined
}

func digestOf(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// compile reads a policy for a point. What is wrong with it is a fault.Invalid whose details have the lines of source.
func compile(ctx context.Context, at, source string) (*compiled, error) {
	module, err := parse("policy.rego", source)
	if err != nil {
		return nil, err
	}
	if err := checkPackage(module, at); err != nil {
		return nil, err
	}
	if err := checkNumbers(module); err != nil {
		return nil, err
	}
	compiler := newCompiler()
	modules := map[string]*ast.Module{"policy.rego": module}
	if at == "plan" {
		lend(modules)
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, wrong("the policy does not compile", compiler.Errors)
	}
	if err := checkValues(compiler.Modules["policy.rego"]); err != nil {
		return nil, err
	}
	c := &compiled{}
	has := ruleNames(module)
	var asks []string
	for _, rule := range rulesOf(at) {
		if slices.Contains(has, rule) {
			c.rules = append(c.rules, rule)
			asks = append(asks, fmt.Sprintf("%q: [v | v := %s.%s]", rule, module.Package.Path, rule))
		}
	}
	if len(c.rules) == 0 {
		return nil, fault.At("the policy decides nothing", fault.Detail{
			File: "policy.rego", Line: module.Package.Location.Row,
			Message: fmt.Sprintf("it has none of the rules that are asked at the point %s", at),
			Hint:    "known there: " + strings.Join(rulesOf(at), ", "),
		})
	}
	// All rules at once: beginning a query costs more than most rules do.
	query := rego.New(rego.Compiler(compiler), rego.Query(answers+" := {"+strings.Join(asks, ", ")+"}"), rego.GenerateJSON(written))
	if c.ask, err = query.PrepareForEval(ctx); err != nil {
		return nil, wrong("the policy does not compile", err)
	}
	return c, nil
}

func newCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities())
}

// parse reads a module in version 1 of Rego, else in version 0.
func parse(file, source string) (*ast.Module, error) {
	boundBuiltins() // before anything reads the table of functions
	if len(source) > maxSource {
		return nil, fault.Errorf(fault.TooLarge, "a policy has at most %d KiB", maxSource>>10)
	}
	if nesting(source) > maxNesting {
		return nil, fault.Errorf(fault.Invalid, "the policy nests brackets more than %d deep", maxNesting)
	}
	module, err := ast.ParseModuleWithOpts(file, source, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err == nil && module != nil {
		return module, nil
	}
	old, oldErr := ast.ParseModuleWithOpts(file, source, ast.ParserOptions{RegoVersion: ast.RegoV0})
	switch {
	case oldErr == nil && old != nil:
		return old, nil
	case err == nil && oldErr == nil:
		return nil, fault.Errorf(fault.Invalid, "the policy is empty; begin with a line such as: package roadbed.plan")
	case onlyOldSyntax(err):
		return nil, wrong("the policy can't be read", oldErr)
	}
	return nil, wrong("the policy can't be read", err)
}

// onlyOldSyntax tells whether a module failed as version 1 for nothing but the keywords that version 0 does without.
func onlyOldSyntax(err error) bool {
	var errs ast.Errors
	if !errors.As(err, &errs) {
		return false
	}
	for _, e := range errs {
		if !strings.Contains(e.Message, "`if` keyword is required") && !strings.Contains(e.Message, "`contains` keyword is required") {
			return false
		}
	}
	return len(errs) > 0
}

// nesting gives how deep brackets nest; those in strings and comments count, which only makes it stricter.
func nesting(source string) int {
	depth, deepest := 0, 0
	for _, c := range []byte(source) {
		switch c {
		case '(', '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
	}
	return deepest
}

func checkPackage(module *ast.Module, at string) error {
	name := strings.TrimPrefix(module.Package.Path.String(), "data.")
	if name == "roadbed" || name == "spacelift" || name == "roadbed."+at {
		return nil
	}
	return fault.At("the policy is in the wrong package", fault.Detail{
		File: "policy.rego", Line: module.Package.Location.Row, Column: module.Package.Location.Col,
		Message: fmt.Sprintf("package %s is not asked at the point %s", name, at),
		Hint:    fmt.Sprintf("write package roadbed.%s, or spacelift", at),
	})
}

// checkNumbers refuses literals with which one multiplication could run for minutes.
func checkNumbers(module *ast.Module) error {
	var found []fault.Detail
	ast.WalkTerms(module, func(t *ast.Term) bool {
		if n, ok := t.Value.(ast.Number); ok && huge(string(n)) && t.Location != nil {
			found = append(found, fault.Detail{File: t.Location.File, Line: t.Location.Row, Column: t.Location.Col, Message: "the number is too large"})
		}
		return false
	})
	if len(found) > 0 {
		return fault.At("the policy has numbers that are too large", found...)
	}
	return nil
}

// huge tells whether a number has more than 400 digits, written out.
func huge(number string) bool {
	digits, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	if len(digits) > 400 {
		return true
	}
	n, err := strconv.Atoi(exponent)
	return exponent != "" && (err != nil || n > 400 || n < -400)
}

// ruleNames gives the names of a module's rules, each once, in its order.
func ruleNames(module *ast.Module) []string {
	var names []string
	for _, rule := range module.Rules {
		head := rule.Head.Ref()
		if len(head) == 0 {
			continue
		}
		name, ok := head[0].Value.(ast.Var)
		if ok && !slices.Contains(names, string(name)) {
			names = append(names, string(name))
		}
	}
	return names
}
