package server

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
)

// atTerminal is where say says verbs to a server.
func atTerminal(t *testing.T, url, token string) {
	t.Helper()
	t.Setenv("ROADBED_URL", url)
	t.Setenv("ROADBED_TOKEN", token)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
}

// say runs a verb, as a person does at a terminal.
func say(line string) (code int, out, problem string) { return sayWords(strings.Fields(line)) }

func sayWords(words []string) (code int, out, problem string) {
	var stdout, stderr bytes.Buffer
	root := cli.New("test")
	root.AddCommand(Commands("test")...)
	for _, group := range root.Commands() {
		group.AddCommand(Within()[group.Name()]...)
	}
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	return cli.Run(root, words), stdout.String(), stderr.String()
}

// said is one thing that a person says, and what is to come of it.
type said struct {
	line string
	code int
	says string
}

func sayAll(t *testing.T, all []said) {
	t.Helper()
	for _, c := range all {
		if code, out, problem := say(c.line); code != c.code || !strings.Contains(out+problem, c.says) {
			t.Errorf("roadbed %s = %d, want %d with %q:\n%s%s", c.line, code, c.code, c.says, out, problem)
		}
	}
}

// TestTheCommandLine says the verbs to a server, as a person does at a terminal, and looks at what they print and at
// their exit codes.
func TestTheCommandLine(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	people := file("people.yaml", townPeople)
	gate := file("gate.yaml", waiting)
	wrong := file("wrong.yaml", "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: shop}\nspec: {type: service, lifecycle: production, owner: [crew]}\n")
	sayAll(t, []said{
		{"health", 0, "ok"},
		{"health --url http://127.0.0.1:1", 1, "does not answer"},
		{"whoami", 0, "admin"},
		{"apply -f " + people, 0, "user:default/alice"},
		{"apply -f " + people, 0, "unchanged"},
		{"apply -f " + wrong, 1, "spec.owner"},
		{"get users", 0, "alice"},
		{"get component nothing", 4, "nothing"},
		{"run show run_00000000000000000000000000", 4, ""},
		{"run list -o json", 0, "[]"},
		{"workflow lint " + gate, 0, "ok"},
		{"workflow lint " + file("idle.yaml", strings.Replace(waiting, "spec:", "spec:\n  serviceAccountName: robot", 1)), 0, "serviceAccountName has no effect here"},
		{"template lint " + file("path.yaml", strings.Replace(secretPath, "input: {message", "input: {massage: x, message", 1)), 0, `debug:log has no input "massage"`},
		{"template lint " + file("broken.yaml", strings.Replace(secretPath, "debug:log", "debug:lug", 1)), 1, "broken.yaml:15"},
		{"workflow submit " + gate + " --wait", 10, "you can"},
		{"run list", 0, "waiting"},
		{"repo create crew/shop", 0, "crew/shop"},
		{"repo create crew/shop", 5, "taken"},
		{"get componnt", 4, "did you mean component?"},
		{"get user alise", 4, "did you mean user:default/alice?"},
		{"describe usr alice", 4, "did you mean user?"},
		{"get component -o json", 0, "[]"},
		{"graph user alice", 0, "memberOf group:default/"},
		{"graph user alice --depth 0", 2, "1 to 10"},
		{"graph user nobody", 4, "nobody"},
		{"what-changed", 0, "user:default/alice"},
		{"what-changed user alice --since 1h", 0, "user:default/alice"},
		{"what-changed --since 0s", 2, "--since"},
		{"version", 0, "test"},
		{"run shw", 2, "did you mean show?"},
	})
	_, out, _ := say("run list -o json")
	var runs []struct{ ID, State string }
	if err := json.Unmarshal([]byte(out), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("run list -o json gives %s (%v)", out, err)
	}
	if code, out, problem := say("run undo " + runs[0].ID); code != 1 || !strings.Contains(problem, "not of a golden path") {
		t.Errorf("a workflow is undone: %d %s%s", code, out, problem)
	}
	if code, out, problem := say("run approve --node nothing " + runs[0].ID); code == 0 || !strings.Contains(problem, "nothing") {
		t.Errorf("approve a node that there is not: %d %s%s", code, out, problem)
	}
	if code, out, problem := say("run approve " + runs[0].ID); code != 0 {
		t.Errorf("approve: %d %s%s", code, out, problem)
	}
	if code, out, problem := say("run wait " + runs[0].ID); code != 0 || !strings.Contains(out, "succeeded") {
		t.Errorf("wait: %d %s%s", code, out, problem)
	}
}

// secretPath is a golden path that writes down what it was told, without telling it.
const secretPath = `apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: login}
spec:
  type: service
  secrets: {schema: {type: object, required: [npm], properties: {npm: {type: string, title: Token of npm}}}}
  parameters:
    required: [name, password]
    properties:
      name: {type: string}
      password: {type: string, ui:field: Secret}
      db: {type: object, properties: {password: {type: string, ui:widget: password}}}
  steps:
    - id: log
      action: debug:log
      input: {message: "${{ 'right' if secrets.password == 'hush-1' and secrets.npm == 'hush-2' and parameters.db.password == 'hush-3' else 'wrong' }} ${{ secrets.npm }}"}
`

// TestSecretsOfAGoldenPathComeFromFilesAndVariables uses a golden path as a script does, which nobody can be asked by.
func TestSecretsOfAGoldenPathComeFromFilesAndVariables(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	t.Setenv("LOGIN_PASSWORD", "hush-1")
	dir := t.TempDir()
	for name, text := range map[string]string{"path.yaml": secretPath, "npm": "hush-2\n", "values.yaml": "db: {password: hush-3}\n"} {
		write(t, filepath.Join(dir, name), text)
	}
	const all = "new login --no-input -p name=shop --values DIR/values.yaml"
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"apply -f DIR/path.yaml", 0, "login"},
		{all, 1, "--secret password=file:PATH"},
		{all + " -p password=hush-1", 2, "--secret password=env:VARIABLE"},
		{all + " --secret password=hush-1", 2, "is not name=file:PATH"},
		{all + " --secret password=env:NO_SUCH_VARIABLE", 1, "which is not set"},
		{all + " --secret password=env:LOGIN_PASSWORD", 1, "--secret npm=file:PATH"},
		{all + " --secret password=env:LOGIN_PASSWORD --secret npm=file:DIR/npm", 0, "finished"},
	} {
		code, out, problem := say(strings.ReplaceAll(c.line, "DIR", dir))
		out += problem
		if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, "hush") {
			t.Errorf("roadbed %s = %d, want %d with %q:\n%s", c.line, code, c.code, c.says, out)
		}
	}
	_, out, _ := say("run list -o json")
	var runs []struct{ ID string }
	if err := json.Unmarshal([]byte(out), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("run list -o json gives %s (%v)", out, err)
	}
	if _, out, _ := say("run logs " + runs[0].ID); !strings.Contains(out, "right ***") {
		t.Errorf("the log is %s", out)
	}
}

// inTurn is a workflow whose second step begins when the first has ended.
const inTurn = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: turn-}
spec:
  entrypoint: all
  templates:
    - name: all
      steps:
        - [{name: first, template: say, arguments: {parameters: [{name: word, value: one}]}}]
        - [{name: second, template: say, arguments: {parameters: [{name: word, value: two}]}}]
    - name: say
      inputs: {parameters: [{name: word}]}
      container: {image: busybox, command: [sh, -c], args: ["echo it says {{inputs.parameters.word}}"]}
`

func TestLogsFollowARunToItsEnd(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	file := filepath.Join(t.TempDir(), "turn.yaml")
	write(t, file, inTurn)
	if code, out, problem := say("workflow submit " + file); code != 0 {
		t.Fatalf("submit gives %d: %s%s", code, out, problem)
	}
	_, out, _ := say("run list -o json")
	var runs []struct{ ID string }
	if err := json.Unmarshal([]byte(out), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("run list -o json gives %s (%v)", out, err)
	}
	code, out, problem := say("run logs " + runs[0].ID)
	if code != 0 || !strings.Contains(out, "it says one") || !strings.Contains(out, "it says two") || strings.Count(problem, "==>") != 2 {
		t.Errorf("run logs gives %d: %s%s", code, out, problem)
	}
	if code, out, _ := say("run logs " + runs[0].ID + " --step nothing"); code != 4 {
		t.Errorf("the log of no step gives %d: %s", code, out)
	}
}
