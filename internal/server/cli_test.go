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

// TestTheCommandLine says the verbs to a server, as a person does at a terminal, and looks at what they print and at
// their exit codes.
func TestTheCommandLine(t *testing.T) {
	h, server := open(t)
	t.Setenv("ROADBED_URL", server.URL)
	t.Setenv("ROADBED_TOKEN", h.Options.AdminToken)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	say := func(args ...string) (code int, out, problem string) {
		var stdout, stderr bytes.Buffer
		root := cli.New("test")
		root.SetOut(&stdout)
		root.SetErr(&stderr)
		return cli.Run(root, args), stdout.String(), stderr.String()
	}
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
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"whoami", 0, "admin"},
		{"apply -f " + people, 0, "user:default/alice"},
		{"apply -f " + people, 0, "unchanged"},
		{"apply -f " + wrong, 1, "spec.owner"},
		{"get users", 0, "alice"},
		{"get component nothing", 4, "nothing"},
		{"run show run_00000000000000000000000000", 4, ""},
		{"run list -o json", 0, "[]"},
		{"workflow lint " + gate, 0, ""},
		{"workflow submit " + gate + " --wait", 10, "you can"},
		{"run list", 0, "waiting"},
		{"repo create crew/shop", 0, "crew/shop"},
		{"repo create crew/shop", 5, "taken"},
		{"nonsense", 2, "nonsense"},
		{"run show", 2, ""},
	} {
		code, out, problem := say(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out+problem, c.says) {
			t.Errorf("roadbed %s = %d, want %d with %q:\n%s%s", c.args, code, c.code, c.says, out, problem)
		}
	}
	_, out, _ := say("run", "list", "-o", "json")
	var runs []struct{ ID, State string }
	if err := json.Unmarshal([]byte(out), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("run list -o json gives %s (%v)", out, err)
	}
	if code, out, problem := say("run", "undo", runs[0].ID); code != 1 || !strings.Contains(problem, "not of a golden path") {
		t.Errorf("a workflow is undone: %d %s%s", code, out, problem)
	}
	if code, out, problem := say("run", "approve", runs[0].ID); code != 0 {
		t.Errorf("approve: %d %s%s", code, out, problem)
	}
	if code, out, problem := say("run", "wait", runs[0].ID); code != 0 || !strings.Contains(out, "succeeded") {
		t.Errorf("wait: %d %s%s", code, out, problem)
	}
}
