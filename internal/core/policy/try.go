package policy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Tested is the result of one test.
type Tested struct {
	Name   string // package.rule
	Line   int    // of the rule in its file
	Passed bool
	Error  string // why it could not be run; empty when it ran
}

const (
	maxTests   = 500
	maxTesting = 30 * time.Second
)

// Check says what is wrong with a policy for a point; nil when it can be used. It asks for policy:simulate in any space.
func (s *Service) Check(ctx context.Context, at, source string) error {
	if _, err := s.simulates(ctx); err != nil {
		return err
	}
	if _, known := points()[at]; !known {
		return fault.Errorf(fault.Invalid, "there is no policy point %q; known are %s", at, pointNames())
	}
	_, err := s.cache.get(at, digestOf(source), source)
	return err
}

// Test runs the rules named test_… of a policy and of modules with tests, each with the limits of a policy. A test
// passes when its rule is neither undefined nor false. It asks for policy:simulate in any space; errors of the source
// are fault.Invalid with file and line, the policy's file being policy.rego and the tests' test_1.rego and so on.
func (s *Service) Test(ctx context.Context, source string, tests ...string) ([]Tested, error) {
	if _, err := s.simulates(ctx); err != nil {
		return nil, err
	}
	modules := map[string]*ast.Module{}
	names := []string{"policy.rego"}
	for i, text := range append([]string{source}, tests...) {
		if i > 0 {
			names = append(names, fmt.Sprintf("test_%d.rego", i))
		}
		if i > 50 {
			return nil, fault.Errorf(fault.TooLarge, "at most 50 modules of tests are taken at once")
		}
		module, err := parse(names[i], text)
		if err != nil {
			return nil, err
		}
		if err := checkNumbers(module); err != nil {
			return nil, err
		}
		modules[names[i]] = module
	}
	compiler := newCompiler()
	if compiler.Compile(modules); compiler.Failed() {
		return nil, wrong("the policy or its tests do not compile", compiler.Errors)
	}
	return s.runTests(ctx, compiler, modules, names)
}

func (s *Service) runTests(ctx context.Context, compiler *ast.Compiler, modules map[string]*ast.Module, names []string) ([]Tested, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, maxTesting)
	defer cancel()
	var results []Tested
	for _, file := range names {
		module := modules[file]
		for _, name := range ruleNames(module) {
			if !strings.HasPrefix(name, "test_") {
				continue
			}
			if len(results) == maxTests {
				return results, fault.Errorf(fault.TooLarge, "at most %d tests are run at once", maxTests)
			}
			result := Tested{Name: strings.TrimPrefix(module.Package.Path.String(), "data.") + "." + name, Line: lineOf(module, name)}
			result.Passed, result.Error = runTest(ctx, compiler, module.Package.Path.String()+"."+name)
			results = append(results, result)
		}
	}
	if len(results) == 0 {
		return nil, fault.Errorf(fault.Invalid, "there are no tests; a test is a rule whose name begins with test_")
	}
	return results, nil
}

func runTest(ctx context.Context, compiler *ast.Compiler, query string) (passed bool, failure string) {
	limited, stop := bounded(ctx, maxTime)
	defer stop()
	results, err := rego.New(rego.Compiler(compiler), rego.Query(query)).Eval(limited)
	if err != nil {
		return false, why(limited, err)
	}
	return len(results) > 0 && results[0].Expressions[0].Value != false, ""
}

func lineOf(module *ast.Module, name string) int {
	for _, rule := range module.Rules {
		if head := rule.Head.Ref(); len(head) > 0 && head[0].Value.Compare(ast.Var(name)) == 0 {
			return rule.Location.Row
		}
	}
	return 0
}
