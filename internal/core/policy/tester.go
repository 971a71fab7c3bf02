package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// FileTests says how the tests of files are run.
type FileTests struct {
	Run       string        // only tests whose name matches this regular expression
	Point     string        // at which the policies are to be asked; "" checks nothing of that
	Together  bool          // all files as one, as opa test has them
	Verbose   bool          // passed tests and traces of failed ones are told, too
	JSON      bool          // the results as JSON
	Coverage  bool          // what the tests have covered, as JSON, instead of the results
	Threshold float64       // percent that are to be covered
	Timeout   time.Duration // of one test; 0 means 5 s
	Out       io.Writer
}

const (
	maxTestFiles = 5000
	testTimeout  = 5 * time.Second
	testEnding   = "_test.rego"
)

// TestFiles runs the tests of Rego files and of all in folders, with what policies may use. Each NAME_test.rego is run
// with the NAME.rego beside it, and with files in other packages than that: policies that stand beside one another are
// asked apart, too. One that stands alone is run with all files. It needs no server, and tells how many tests failed.
func TestFiles(ctx context.Context, paths []string, o FileTests) (failed int, err error) {
	files, err := regoFiles(paths)
	if err != nil {
		return 0, err
	}
	modules := map[string]*ast.Module{}
	for _, file := range files {
		if modules[file], err = readModule(file); err != nil {
			return 0, err
		}
		if o.Point != "" && !strings.HasSuffix(file, testEnding) {
			if err := checkFile(ctx, o.Point, file); err != nil {
				return 0, err
			}
		}
	}
	units := apart(modules)
	if o.Together {
		units = []map[string]*ast.Module{modules}
	}
	return o.run(ctx, units, modules)
}

func readModule(file string) (*ast.Module, error) {
	source, err := readSource(file)
	if err != nil {
		return nil, err
	}
	module, err := parse(file, source)
	if err != nil {
		return nil, fault.Wrap(err, "read %s", file)
	}
	return module, nil
}

func readSource(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "read the tests: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	return string(data), fault.Wrap(err, "read %s", file)
}

func checkFile(ctx context.Context, at, file string) error {
	if _, known := points()[at]; !known {
		return fault.Errorf(fault.Invalid, "there is no policy point %q; known are %s", at, pointNames())
	}
	source, err := readSource(file)
	if err != nil {
		return err
	}
	if _, err := compile(ctx, at, source); err != nil {
		details := fault.Details(err)
		for i := range details {
			details[i].File = file
		}
		if len(details) == 0 {
			return fault.Wrap(err, "check %s", file)
		}
		return fault.At(fault.Message(err), details...)
	}
	return nil
}

// regoFiles gives the Rego files that are named or lie in named folders, sorted, each once.
func regoFiles(paths []string) ([]string, error) {
	found := map[string]bool{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "find the tests: %w", err)
		}
		if !info.IsDir() {
			found[filepath.Clean(path)] = true
			continue
		}
		err = filepath.WalkDir(path, func(file string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && file != path && strings.HasPrefix(e.Name(), "."):
				return filepath.SkipDir
			case !e.Type().IsRegular() || filepath.Ext(file) != ".rego":
				return nil
			}
			found[filepath.Clean(file)] = true
			if len(found) > maxTestFiles {
				return fault.Errorf(fault.TooLarge, "%s has more than %d files of Rego; name a folder within it", path, maxTestFiles)
			}
			return nil
		})
		if err != nil {
			return nil, fault.Wrap(err, "find the tests in %s", path)
		}
	}
	if len(found) == 0 {
		return nil, fault.Errorf(fault.Invalid, "there is no file of Rego in %s", strings.Join(paths, ", "))
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// apart gives what is compiled together.
func apart(modules map[string]*ast.Module) []map[string]*ast.Module {
	var units []map[string]*ast.Module
	whole := map[string]*ast.Module{}
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		test := modules[file]
		stem, isTest := strings.CutSuffix(file, testEnding)
		policy, paired := modules[stem+".rego"]
		switch {
		case isTest && paired:
			unit := map[string]*ast.Module{file: test, stem + ".rego": policy}
			for other, m := range modules {
				if !strings.HasSuffix(other, testEnding) && isHelp(m, policy) {
					unit[other] = m
				}
			}
			units = append(units, unit)
		case isTest:
			whole[file] = test
		case hasTests(test):
			units = append(units, map[string]*ast.Module{file: test})
		}
	}
	if len(whole) > 0 {
		for file, m := range modules {
			if !strings.HasSuffix(file, testEnding) {
				whole[file] = m
			}
		}
		units = append(units, whole)
	}
	return units
}

// isHelp tells whether a module is no policy of its own, but may be imported by one.
func isHelp(m, policy *ast.Module) bool {
	name := strings.TrimPrefix(m.Package.Path.String(), "data.")
	return !m.Package.Path.Equal(policy.Package.Path) && name != "spacelift" && name != "roadbed" && points()[strings.TrimPrefix(name, "roadbed.")].about == ""
}

func hasTests(m *ast.Module) bool {
	return slices.ContainsFunc(ruleNames(m), func(name string) bool { return strings.HasPrefix(name, "test_") })
}

func (o FileTests) run(ctx context.Context, units []map[string]*ast.Module, modules map[string]*ast.Module) (failed int, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	covered := cover.New()
	results, told := make(chan *tester.Result), make(chan error, 1)
	var ran int
	var once sync.Once
	finish := func() error {
		once.Do(func() { close(results) })
		return <-told
	}
	go func() { told <- o.report(results) }()
	for _, unit := range units {
		n, bad, err := o.runUnit(ctx, unit, covered, results)
		ran, failed = ran+n, failed+bad
		if err != nil {
			_ = finish() // the first error is what is told
			return failed, err
		}
	}
	if err := finish(); err != nil {
		return failed, fault.Wrap(err, "tell the results")
	}
	if ran == 0 {
		return 0, fault.Errorf(fault.Invalid, "there are no tests; a test is a rule whose name begins with test_, in a file that ends in _test.rego")
	}
	if !o.Coverage && o.Threshold == 0 {
		return failed, nil
	}
	return failed, o.tellCoverage(covered.Report(modules), failed)
}

func (o FileTests) runUnit(ctx context.Context, unit map[string]*ast.Module, covered *cover.Cover, results chan<- *tester.Result) (ran, failed int, err error) {
	unit = maps.Clone(unit)
	lend(unit)
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = testTimeout
	}
	runner := tester.NewRunner().SetCompiler(newCompiler().WithEnablePrintStatements(true)).CapturePrintOutput(true).
		EnableTracing(o.Verbose).SetModules(unit).SetTimeout(timeout).Filter(o.Run)
	if o.Coverage || o.Threshold > 0 {
		runner.SetCoverageQueryTracer(covered)
	}
	done, err := runner.RunTests(ctx, nil)
	if err != nil {
		return 0, 0, wrong("the policies or their tests do not compile", err)
	}
	var all []*tester.Result
	for r := range done {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *tester.Result) int {
		if c := strings.Compare(a.Location.File, b.Location.File); c != 0 {
			return c
		}
		return a.Location.Row - b.Location.Row
	})
	for _, r := range all {
		if !r.Pass() && !r.Skip {
			failed++
		}
		results <- r
	}
	return len(all), failed, nil
}

func (o FileTests) report(results chan *tester.Result) error {
	switch {
	case o.Coverage:
		for r := range results {
			if !r.Pass() && !r.Skip {
				fmt.Fprintf(o.Out, "%s\n", r)
			}
		}
		return nil
	case o.JSON:
		return tester.JSONReporter{Output: o.Out}.Report(results)
	}
	return tester.PrettyReporter{Output: o.Out, Verbose: o.Verbose, FailureLine: true}.Report(results)
}

func (o FileTests) tellCoverage(r cover.Report, failed int) error {
	if o.Coverage && failed == 0 {
		out := json.NewEncoder(o.Out)
		out.SetIndent("", "  ")
		if err := out.Encode(r); err != nil {
			return fault.Wrap(err, "tell the coverage")
		}
	}
	if r.Coverage < o.Threshold {
		return fault.Errorf(fault.Conflict, "the tests cover %.2f %%, and %.2f %% are asked for; --coverage tells which lines they miss", r.Coverage, o.Threshold)
	}
	return nil
}
