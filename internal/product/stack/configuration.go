package stack

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The files in which a repository says how its stacks run, at the commit of a run. Where the first is, the second is not
// read.
const (
	ourConfiguration   = ".roadbed/config.yml"
	theirConfiguration = ".spacelift/config.yml"
)

const mostConfiguration = 64 << 10 // bytes

// configuration is what such a file says. The fields are Spacelift's, so that a repository that comes from it is read as
// it is.
type configuration struct {
	Version       any                 `json:"version"` // 1 or 2
	StackDefaults settings            `json:"stack_defaults"`
	Stacks        map[string]settings `json:"stacks"` // by NAME, or NAMESPACE/NAME

	// Of modules, which are no stacks.
	ModuleVersion any `json:"module_version"`
	TestDefaults  any `json:"test_defaults"`
	Tests         any `json:"tests"`

	file string
}

// settings are those of one stack. A list or a mapping that is there replaces the one that it overrides.
type settings struct {
	BeforeInit    []string `json:"before_init"`
	AfterInit     []string `json:"after_init"`
	BeforePlan    []string `json:"before_plan"`
	AfterPlan     []string `json:"after_plan"`
	BeforeApply   []string `json:"before_apply"`
	AfterApply    []string `json:"after_apply"`
	BeforePerform []string `json:"before_perform"`
	AfterPerform  []string `json:"after_perform"`
	BeforeDestroy []string `json:"before_destroy"`
	AfterDestroy  []string `json:"after_destroy"`
	AfterRun      []string `json:"after_run"`

	Environment map[string]any `json:"environment"`
	ProjectRoot *string        `json:"project_root"`
	RunnerImage string         `json:"runner_image"` // where the pool has containers

	// Of the engine; see engineAsked.
	TerraformVersion any `json:"terraform_version"`
	OpenTofuVersion  any `json:"opentofu_version"`
	WorkflowTool     any `json:"terraform_workflow_tool"` // OPEN_TOFU or TERRAFORM_FOSS
}

func (s *settings) hooks() *Hooks {
	return &Hooks{
		BeforeInit: s.BeforeInit, AfterInit: s.AfterInit, BeforePlan: s.BeforePlan, AfterPlan: s.AfterPlan,
		BeforeApply: s.BeforeApply, AfterApply: s.AfterApply, BeforePerform: s.BeforePerform, AfterPerform: s.AfterPerform,
		BeforeDestroy: s.BeforeDestroy, AfterDestroy: s.AfterDestroy, AfterRun: s.AfterRun,
	}
}

// unread gives the fields that are there and not read.
func (s *settings) unread() (names []string) {
	if s.WorkflowTool != nil && workflowTools[fmt.Sprint(s.WorkflowTool)] == "" {
		names = append(names, "terraform_workflow_tool")
	}
	return names
}

// readConfiguration gives what a repository says at a commit of how it is run, and the files that have a say in the
// engine of what is in a folder; the zero value when it says nothing. What is wrong with a file is Invalid.
func (s *Service) readConfiguration(ctx context.Context, repository, commit, folder string) (configuration, map[string][]byte, error) {
	files := []string{ourConfiguration, theirConfiguration}
	found, err := s.Repositories.ReadFiles(ctx, repository, commit, append(engineFiles(folder), files...), mostCode)
	if fault.Is(err, fault.TooLarge) { // one of code, perhaps: then it has no say
		found, err = s.Repositories.ReadFiles(ctx, repository, commit, files, mostCode)
	}
	tooLong := fault.Is(err, fault.TooLarge)
	if err != nil && !tooLong {
		return configuration{}, nil, fault.Wrap(err, "read how the repository has its stacks run")
	}
	for _, file := range files {
		data, ok := found[file]
		if tooLong || len(data) > mostConfiguration {
			return configuration{}, found, fault.Errorf(fault.Invalid, "%s has more than %d bytes; put what is long into scripts", strings.Join(files, " or "), mostConfiguration)
		}
		if ok {
			c, err := parseConfiguration(file, data)
			return c, found, err
		}
	}
	return configuration{}, found, nil
}

func parseConfiguration(file string, data []byte) (configuration, error) {
	value, err := document.ParseValue(file, data, document.Limits{Bytes: mostConfiguration, Depth: 20, Keys: 1000, Values: 20_000})
	if err != nil {
		return configuration{}, invalid(file, err)
	}
	if value == nil {
		return configuration{file: file}, nil
	}
	spec, ok := value.(map[string]any)
	if !ok {
		return configuration{}, fault.Errorf(fault.Invalid, "%s is not a mapping; it has version, stack_defaults and stacks", file)
	}
	c := configuration{file: file}
	d := document.Document{Kind: "File", Metadata: document.Metadata{Name: file}, Spec: spec}
	if err := document.Decode(d, &c); err != nil {
		return configuration{}, invalid(file, err)
	}
	if _, err := c.version(); err != nil {
		return configuration{}, err
	}
	all := maps.Clone(c.Stacks)
	if all == nil {
		all = map[string]settings{}
	}
	all["stack_defaults"] = c.StackDefaults // a stack of this name is checked as itself
	for _, name := range slices.Sorted(maps.Keys(all)) {
		each := all[name]
		if err := each.check(file, name); err != nil {
			return configuration{}, err
		}
		if own, ok := c.Stacks[name]; ok {
			if err := own.check(file, name); err != nil {
				return configuration{}, err
			}
		}
	}
	return c, nil
}

// invalid gives the first thing that is wrong with a file, as one line.
func invalid(file string, err error) error {
	for _, d := range fault.Details(err) {
		return fault.Errorf(fault.Invalid, "%s can't be read: %s", file, strings.ReplaceAll(d.String(), "spec.", ""))
	}
	return fault.Errorf(fault.Invalid, "%s can't be read: %s", file, fault.Message(err))
}

// version says which values win; see precedence.
func (c *configuration) version() (int, error) {
	switch text := fmt.Sprint(c.Version); {
	case c.Version == nil && c.file == theirConfiguration, text == "1":
		return 1, nil
	case c.Version == nil, text == "2":
		return 2, nil
	default:
		return 0, fault.Errorf(fault.Invalid, "%s: version %s is unknown; write \"1\" or \"2\"", c.file, text)
	}
}

func (s *settings) check(file, name string) (err error) {
	bad := func(message, _ string, at ...string) {
		if err == nil {
			err = fault.Errorf(fault.Invalid, "%s: %s: %s %s", file, name, strings.Join(at, "."), message)
		}
	}
	s.hooks().check(bad)
	s.checkEngine(bad)
	if _, wrong := s.variables(); wrong != nil {
		bad(wrong.Error(), "", "environment")
	}
	if root := s.ProjectRoot; root != nil {
		clean := path.Clean(*root)
		if path.IsAbs(*root) || clean == ".." || strings.HasPrefix(clean, "../") || len(*root) > 500 {
			bad(fmt.Sprintf("%q leaves the repository", *root), "", "project_root")
		}
	}
	return err
}

// variables gives the environment, sorted. A value that is no text counts as it is written: true, 5.
func (s *settings) variables() ([]Variable, error) {
	out := make([]Variable, 0, len(s.Environment))
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		value := s.Environment[name]
		switch value.(type) {
		case map[string]any, []any, nil:
			return nil, fmt.Errorf("%s is no text; write lists and mappings as JSON in quotes", name)
		}
		out = append(out, Variable{Name: name, Value: fmt.Sprint(value)})
	}
	var err error
	bad := func(message, hint string, _ ...string) {
		if err == nil {
			err = fmt.Errorf("%s (%s)", message, hint)
		}
	}
	checkVariables(out, bad)
	checkOwn(out, bad)
	return out, err
}

// layers gives the settings for a stack: those that come before the stack's own document, which overrides them, and those
// that come after it. By version 2 both defaults and the stack's settings come after; by version 1 the defaults come before.
func (c *configuration) layers(stack Stack) (before, after []settings) {
	own, ok := c.Stacks[stack.Ref.Namespace+"/"+stack.Ref.Name]
	if !ok {
		own, ok = c.Stacks[stack.Ref.Name]
	}
	if version, _ := c.version(); version == 1 { // it was checked
		before = append(before, c.StackDefaults)
	} else {
		after = append(after, c.StackDefaults)
	}
	if ok {
		after = append(after, own)
	}
	return before, after
}
