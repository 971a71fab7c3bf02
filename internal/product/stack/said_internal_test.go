package stack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
)

// sh runs a script where there are files of a step, and gives what it has told as its reason.
func sh(t *testing.T, script, path string, files map[string]string, env ...string) (why, all string, code int) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	p.Dir, p.Env = dir, append([]string{"PATH=" + path, "ROADBED_WORK=" + dir, "beside=" + dir}, env...)
	out, err := p.CombinedOutput()
	if p.ProcessState == nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(filepath.Join(dir, "why"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(told), string(out), p.ProcessState.ExitCode()
}

// TestAProgramThatIsNotThereIsNamed runs the steps of all tools where there is no program at all, as in an image without it.
func TestAProgramThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	for word, v := range all() {
		r, in := vendorRun(v)
		m := made{plan: "sha256:p"}
		steps := []run.Step{in.tool().planStep(r, in, m, 1), in.tool().applyStep(r, in, m, 1), in.tool().taskStep(r, in, m, 1)}
		if v.Kubernetes != nil {
			steps = append(steps, *in.tool().showStep(r, in, m, 1))
		}
		for _, step := range steps {
			told := false
			for _, o := range step.Job.Outputs {
				told = told || o.Name == outputWhy
			}
			why, all, code := sh(t, step.Job.Argv[2], t.TempDir(), nil, "ROADBED_ENGINE=/bin/sh", "ROADBED_TOKEN=", "ROADBED_URL=", "ROADBED_STATE=", "ROADBED_ENGINE_IS=OpenTofu v1.12.6")
			if program := map[string]string{vendorAnsible: "ansible-playbook", vendorKubernetes: "kubectl"}[word]; code != 90 || !told || !strings.HasPrefix(why, "no ") || !strings.Contains(why, "this pool has ") || !strings.Contains(why, program) {
				t.Errorf("without its program %s of %s ends with %d, and its reason is %q, told %v:\n%s", step.Key, word, code, why, told, all)
			}
		}
	}
}

// TestWhatAProgramSaysFirstIsTheReason has programs say what they are known to say.
func TestWhatAProgramSaysFirstIsTheReason(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"The Service \"more\" is invalid: \n* spec.ports[0].port: Invalid value: 80000: must be small\n* spec.type: no\n": `The Service "more" is invalid: spec.ports[0].port: Invalid value: 80000: must be small`,
		"Warning: v1 is going\nE1130 03:02:11.1234   77 memcache.go:287] no\n\nError from server: no\nagain\n":            "Error from server: no",
		"Error: two  blanks\tstay\n":                 "Error: two  blanks\tstay",
		"Error: " + strings.Repeat("ü", 1000) + "\n": "Error: " + strings.Repeat("ü", 996) + "…",
		"":           "",
		"one line: ": "one line:",
	} {
		if _, got, code := sh(t, kubernetesAsk+`first "$beside/said"`, os.Getenv("PATH"), map[string]string{"said": said}); code != 0 || strings.TrimSuffix(got, "\n") != want {
			t.Errorf("of %q the first is %q, want %q", said, got, want)
		}
	}
	for said, want := range map[string]string{
		"Updating (prod):\n +  shelf:index:Item fourth creating (0s) error: no\nDiagnostics:\n  pulumi:pulumi:Stack (shop-prod):\n    error: update failed\n\n  shelf:index:Item (fourth):\n    error: the shelf says 409\n    error: later\n\nResources:\n    1 error\n": "shelf:index:Item (fourth): the shelf says 409",
		"  shelf:index:Item (a):\n    warning: old\nerror: no such stack\n": "no such stack",
		"error: x" + strings.Repeat("ü", 2000) + "\n":                       "x" + strings.Repeat("ü", 999) + "…",
		"nothing of that\n": "",
	} {
		why, all, code := sh(t, failing+pulumiFails+"pulumi_fails 255", os.Getenv("PATH"), map[string]string{"said": said})
		if code != 255 || why != want {
			t.Errorf("%q ends with %d and the reason %q, want %q\n%s", said, code, why, want, all)
		}
	}
}

// TestAProgramIsHeard: what a program says is passed on, kept, and followed by its exit status.
func TestAProgramIsHeard(t *testing.T) {
	t.Parallel()
	_, all, code := sh(t, "set -eu\n"+failing+hearing+`
says() { echo out; echo err >&2; return 3; }
code=0
heard says || code=$?
echo "kept: $(cat "$beside/said")"
heard says || roadbed_fail "$?" "it says \no"
`, os.Getenv("PATH"), nil)
	if want := "out\nerr\nkept: out\nerr\nout\nerr\nit says \\no\n"; all != want || code != 3 {
		t.Errorf("it ends with %d and says %q, want %q", code, all, want)
	}
}

// TestWhatAProgramLeavesIsNotWaitedFor has a program leave one that holds what it says to.
func TestWhatAProgramLeavesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	_, all, code := sh(t, "set -eu\n"+failing+hearing+`
leaves() { sleep 30 & echo "$!" > "$beside/left"; echo out; return 3; }
code=0
heard leaves || code=$?
kill "$(cat "$beside/left")"
echo "kept: $(cat "$beside/said")"
exit "$code"
`, os.Getenv("PATH"), nil)
	if want := "out\nkept: out\n"; all != want || code != 3 || time.Since(begun) > 20*time.Second {
		t.Errorf("after %v it ends with %d and says %q, want %q", time.Since(begun), code, all, want)
	}
}

// TestValuesOfSecretsAreNotPassedOn: a server that refuses a manifest quotes the value of a field that has another type.
func TestValuesOfSecretsAreNotPassedOn(t *testing.T) {
	t.Parallel()
	said := "Error from server: failed to create typed patch object (default/s; /v1, Kind=Secret): errors:\n" +
		"  .data.b: expected string, got &value.valueUnstructured{Value:map[string]interface {}{\"c\":\"a-word\"}}\n" +
		"  .data.l: expected string, got &value.valueUnstructured{Value:98765}\n  .stringData: expected map, got &{a-word\na-word}\n"
	_, all, code := sh(t, `said="$beside/said" stopped=`+kubernetesAsk+`passes_on; first "$said"`, os.Getenv("PATH"), map[string]string{"said": said})
	if code != 0 || strings.Contains(all, "a-word") || strings.Contains(all, "98765") || strings.Count(all, ".data.b: expected string, got something else") != 2 {
		t.Errorf("it ends with %d and says\n%s", code, all)
	}
}
