package scaffold_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
)

const head = "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: t}\nspec:\n  type: service\n"

func TestLintNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := one(t)
	ok := "  steps: [{action: debug:log, input: {message: hi}}]\n"
	for _, c := range []struct{ name, text, want string }{
		{"not YAML", "a: [", "t.yaml:"},
		{"no template", "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: x}\n", "there is no Template in the file"},
		{"old version", strings.Replace(head, "v1beta3", "v1beta2", 1) + ok, `t.yaml:1:1: apiVersion: version "scaffolder.backstage.io/v1beta2" is not known`},
		{"no steps", head, "spec.steps: must be a list with at least one step"},
		{"unknown field", head + "  stepz: []\n" + ok, `t.yaml:6:3: spec.stepz: "stepz" is not a field here`},
		{"no action", head + "  steps:\n  - id: a\n", "t.yaml:7:5: spec.steps.0.action: is missing"},
		{"two ids", head + "  steps:\n  - {id: a, action: debug:log}\n  - {id: a, action: debug:log}\n", `id "a" is that of step 1 already`},
		{"bad id", head + "  steps:\n  - {id: a b, action: debug:log}\n", `"a b" can't be an id`},
		{"unknown action", head + "  steps:\n  - {action: publish:github}\n", `action "publish:github" is not installed here (there are publish:roadbed)`},
		{"unknown filter", head + "  steps:\n  - {action: debug:log, input: {message: '${{ 1 | nosuch }}'}}\n", "filter not found: nosuch"},
		{"later step", head + "  steps:\n  - {id: a, action: debug:log, input: {message: '${{ steps.b.output.x }}'}}\n  - {id: b, action: debug:log}\n", `step "b" has not run by then`},
		{"no such step", head + "  steps:\n  - {action: debug:log, input: {message: '${{ steps[''c-d''].output.x }}'}}\n", `there is no step "c-d"`},
		{"needed input", head + "  steps:\n  - {action: fetch:plain, input: {}}\n", `fetch:plain needs the input "url"`},
		{"wrong input", head + "  steps:\n  - {action: fs:delete, input: {files: x}}\n", "t.yaml:7:33: spec.steps.0.input.files: got string, want array"},
		{"bad schema", head + "  parameters: {properties: {a: {type: strin}}}\n" + ok, "spec.parameters.properties.a.type: is not what JSON Schema allows here"},
		{"schema elsewhere", head + "  parameters: {$ref: 'http://example.test/s.json'}\n" + ok, "is outside the schema"},
		{"bad condition", head + "  steps:\n  - {action: debug:log, if: [1]}\n", "must be true, false or an expression"},
		{"hostile", head + "  steps:\n  - {action: debug:log, input: {message: '${{ a\";evil }}'}}\n", "is not a name"},
	} {
		lint, err := b.Lint(context.Background(), "t.yaml", []byte(c.text), scaffold.LintOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var all []string
		for _, d := range lint.Errors {
			all = append(all, d.String())
		}
		if text := strings.Join(all, "\n"); !strings.Contains(text, c.want) {
			t.Errorf("%s: the errors do not say %q:\n%s", c.name, c.want, text)
		}
	}
}

func TestLintWarns(t *testing.T) {
	t.Parallel()
	b := one(t)
	text := head + "  parameters: {properties: {name: {type: string}}}\n  steps:\n" +
		"  - {action: debug:log, input: {message: '${{ parameters.nam }}', colour: red}}\n  - {action: publish:github}\n"
	lint, err := b.Lint(context.Background(), "t.yaml", []byte(text), scaffold.LintOptions{AllowMissingActions: true})
	if err != nil || len(lint.Errors) > 0 {
		t.Fatal(lint.Errors, err)
	}
	var all []string
	for _, d := range lint.Warnings {
		all = append(all, d.String())
	}
	for _, want := range []string{`the form has no field "nam"`, `debug:log has no input "colour"`, `action "publish:github" is not installed here`} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("the warnings do not say %q: %v", want, all)
		}
	}
}

// Real templates are taken: their shape, their forms and every expression. Which of their actions are there is another matter.
func TestRealTemplatesAreRead(t *testing.T) {
	t.Parallel()
	root := lacktest.Corpus(t, "templates")
	list, err := os.ReadFile(filepath.Join(root, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	b := one(t)
	read, refused := 0, map[string]string{}
	for line := range strings.Lines(string(list)) {
		name, _, _ := strings.Cut(line, "\t")
		if name == "file" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := document.Parse(name, data, document.Limits{}); err != nil {
			continue // not YAML before its installer has filled it in; the corpus says so
		}
		lint, err := b.Lint(context.Background(), name, data, scaffold.LintOptions{AllowMissingActions: true})
		if err != nil {
			t.Fatal(err)
		}
		read++
		for _, d := range lint.Errors {
			refused[name] += d.String() + "\n"
		}
	}
	if read < 40 {
		t.Errorf("only %d templates were read", read)
	}
	for name, why := range refused {
		t.Logf("%s\n%s", name, why)
	}
	if len(refused) > 0 {
		t.Errorf("%d of %d real templates are refused", len(refused), read)
	}
}
