package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The files in which a module says its version and its tests, in its folder or else in the repository's root. The first that is
// there is read. They are Spacelift's in form, and a repository's stacks read them too.
func configurationFiles(folder string) []string {
	names := []string{".roadbed/config.yml", ".spacelift/config.yml"}
	if folder == "" {
		return names
	}
	return []string{path.Join(folder, names[0]), path.Join(folder, names[1])}
}

// Bounds of a configuration.
const (
	mostConfiguration = 64 << 10 // bytes
	mostTests         = 50
	mostEnvironment   = 100
	mostValue         = 4096 // bytes of a variable
)

// configuration is what such a file says of a module.
type configuration struct {
	ModuleVersion string
	Tests         []TestSpec
	Warnings      []string // of what is not read
	found         bool
}

// written is the file as it is.
type written struct {
	Version       any           `json:"version"`
	ModuleVersion any           `json:"module_version"`
	TestDefaults  writtenTest   `json:"test_defaults"`
	Tests         []writtenTest `json:"tests"`
}

type writtenTest struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Negative    *bool          `json:"negative"`
	ProjectRoot *string        `json:"project_root"`
	Environment map[string]any `json:"environment"`
	DependsOn   []string       `json:"depends_on"`
}

var (
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	testPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
)

// reserved are the beginnings of names that the platform sets in a step's environment.
var reserved = []string{"ROADBED_", "TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_IN_AUTOMATION", "TF_TOKEN_", "LD_", "PATH"}

// configured reads what a repository says of a module at a commit.
func (s *Service) configured(ctx context.Context, m Module, commit string) (configuration, error) {
	files := configurationFiles(m.Spec.Source.Path)
	found, err := s.Repositories.ReadFiles(ctx, m.Spec.Source.Repository, commit, files, mostConfiguration)
	if fault.Is(err, fault.TooLarge) {
		return configuration{}, fault.Errorf(fault.Invalid, "%s has more than %d bytes", strings.Join(files, " or "), mostConfiguration)
	}
	if err != nil {
		return configuration{}, fault.Wrap(err, "read the configuration of the module")
	}
	for _, file := range files {
		if data, ok := found[file]; ok {
			return parseConfiguration(file, data)
		}
	}
	return configuration{}, nil
}

func parseConfiguration(file string, data []byte) (c configuration, err error) {
	value, err := document.ParseValue(file, data, document.Limits{Bytes: mostConfiguration, Depth: 20, Keys: 1000, Values: 20_000})
	if err != nil {
		return c, wrongIn(file, err)
	}
	c.found = true
	spec, ok := value.(map[string]any)
	if !ok {
		if value == nil {
			return c, nil
		}
		return c, fault.Errorf(fault.Invalid, "%s is not a mapping; it has module_version and tests", file)
	}
	var w written
	d := document.Document{Kind: "File", Metadata: document.Metadata{Name: file}, Spec: spec}
	if err := document.DecodeLoose(d, &w); err != nil {
		return c, wrongIn(file, err)
	}
	if w.ModuleVersion != nil {
		c.ModuleVersion = strings.TrimPrefix(fmt.Sprint(w.ModuleVersion), "v")
		if !ValidVersion(c.ModuleVersion) {
			return c, fault.Errorf(fault.Invalid, "%s: module_version %.80q is no version; write it like 1.2.0, in quotes", file, c.ModuleVersion)
		}
	}
	if len(w.Tests) > mostTests {
		return c, fault.Errorf(fault.Invalid, "%s has %d tests; at most %d are run", file, len(w.Tests), mostTests)
	}
	for i, t := range w.Tests {
		test, err := t.over(w.TestDefaults, i)
		if err != nil {
			return c, fault.Errorf(fault.Invalid, "%s: test %d: %s", file, i+1, fault.Message(err))
		}
		c.Tests = append(c.Tests, test)
	}
	c.Warnings = ignored(spec)
	return c, ordered(file, c.Tests)
}

// ignored tells of what Spacelift knows and is not read here.
func ignored(spec map[string]any) (names []string) {
	seen := map[string]bool{}
	look := func(v any) {
		m, _ := v.(map[string]any)
		for name := range m {
			if name == "runner_image" || strings.HasSuffix(name, "_version") || strings.HasPrefix(name, "before_") || strings.HasPrefix(name, "after_") {
				seen[name] = true
			}
		}
	}
	look(spec["test_defaults"])
	list, _ := spec["tests"].([]any)
	for _, t := range list {
		look(t)
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		names = append(names, name+" of tests is not read")
	}
	return names
}

// over gives a test with what the defaults say where it says nothing.
func (t writtenTest) over(defaults writtenTest, position int) (TestSpec, error) {
	spec := TestSpec{ID: cmp.Or(t.ID, fmt.Sprintf("test-%d", position+1)), DependsOn: t.DependsOn, Environment: map[string]string{}}
	spec.Name = cmp.Or(t.Name, spec.ID)
	if !testPattern.MatchString(spec.ID) || len(spec.Name) > 200 {
		return spec, fault.Errorf(fault.Invalid, "its id has letters, digits, dots and dashes, at most 63, and its name at most 200 characters")
	}
	root := t.ProjectRoot
	if root == nil {
		root = defaults.ProjectRoot
	}
	if root != nil {
		clean, ok := folder(*root)
		if !ok {
			return spec, fault.Errorf(fault.Invalid, "project_root %.100q leaves the module", *root)
		}
		spec.Root = clean
	}
	switch {
	case t.Negative != nil:
		spec.Negative = *t.Negative
	case defaults.Negative != nil:
		spec.Negative = *defaults.Negative
	}
	for _, from := range []map[string]any{defaults.Environment, t.Environment} {
		for name, value := range from {
			switch value.(type) {
			case map[string]any, []any, nil:
				return spec, fault.Errorf(fault.Invalid, "%s of its environment is no text; write lists and mappings as JSON in quotes", name)
			}
			text := fmt.Sprint(value)
			if !variablePattern.MatchString(name) || isReserved(name) || len(text) > mostValue || strings.ContainsRune(text, 0) {
				return spec, fault.Errorf(fault.Invalid, "%.100q can't be set in its environment", name)
			}
			spec.Environment[name] = text
		}
	}
	if len(spec.Environment) > mostEnvironment {
		return spec, fault.Errorf(fault.Invalid, "its environment has more than %d variables", mostEnvironment)
	}
	return spec, nil
}

func isReserved(name string) bool {
	return slices.ContainsFunc(reserved, func(r string) bool { return strings.HasPrefix(name, r) })
}

// ordered refuses tests whose ids are not their own, or that wait for one that is not there or for each other.
func ordered(file string, tests []TestSpec) error {
	known := map[string]bool{}
	for _, t := range tests {
		if known[t.ID] {
			return fault.Errorf(fault.Invalid, "%s: two tests have the id %s", file, t.ID)
		}
		known[t.ID] = true
	}
	done := map[string]bool{}
	for range tests {
		for _, t := range tests {
			ready := true
			for _, before := range t.DependsOn {
				if !known[before] {
					return fault.Errorf(fault.Invalid, "%s: test %s depends on %.80q, which is none", file, t.ID, before)
				}
				ready = ready && done[before]
			}
			done[t.ID] = done[t.ID] || ready
		}
	}
	for _, t := range tests {
		if !done[t.ID] {
			return fault.Errorf(fault.Invalid, "%s: test %s depends on itself, by others", file, t.ID)
		}
	}
	return nil
}

func wrongIn(file string, err error) error {
	for _, d := range fault.Details(err) {
		return fault.Errorf(fault.Invalid, "%s can't be read: %s", file, strings.ReplaceAll(d.String(), "spec.", ""))
	}
	return fault.Errorf(fault.Invalid, "%s can't be read: %s", file, fault.Message(err))
}

// examples gives the tests of a module whose configuration names none: each folder below examples and tests that has a
// configuration of its own.
func examples(folders []string) (tests []TestSpec) {
	for _, f := range folders {
		parts := strings.Split(f, "/")
		if len(parts) != 2 || parts[0] != "examples" && parts[0] != "tests" || len(tests) == mostTests {
			continue
		}
		tests = append(tests, TestSpec{ID: parts[0] + "-" + idOf(parts[1]), Name: f, Root: f})
	}
	for i := range tests { // two folders may have one id
		if slices.ContainsFunc(tests[:i], func(t TestSpec) bool { return t.ID == tests[i].ID }) {
			tests[i].ID = fmt.Sprintf("%.50s-%d", tests[i].ID, i+1)
		}
	}
	return tests
}

var notID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func idOf(name string) string {
	id := notID.ReplaceAllString(name, "-")
	return id[:min(len(id), 50)]
}
