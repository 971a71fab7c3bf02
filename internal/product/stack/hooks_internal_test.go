package stack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shellWork is a workspace in which the scripts of steps run with an engine that only says what it is asked.
type shellWork struct {
	t   *testing.T
	dir string
}

const saysWhat = `#!/bin/sh
echo "engine $1 X=${X:-} $TF_VAR_spacelift_run_state"
case $1 in
init) mkdir -p "$TF_DATA_DIR"; printf '{\n"backend": {\n"type": "http",\n"config": {\n"address": null\n}\n}\n}\n' > "$TF_DATA_DIR/terraform.tfstate" ;;
plan) printf 'PK\nplan' > "$ROADBED_WORK/plan.bin"; exit "${PLAN_ENDS:-2}" ;;
apply) cat "$ROADBED_WORK/plan.bin" ;;
esac
`

func newShellWork(t *testing.T) shellWork {
	t.Helper()
	w := shellWork{t, t.TempDir()}
	if err := os.MkdirAll(filepath.Join(w.dir, "source"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("bin", saysWhat, 0o700)
	return w
}

func (w shellWork) write(name, content string, mode os.FileMode) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), mode); err != nil {
		w.t.Fatal(err)
	}
}

func (w shellWork) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(w.dir, name)) // what is missing is nothing
	return string(data)
}

// run runs a script and gives what it printed and whether it succeeded.
func (w shellWork) run(script string, env ...string) (string, bool) {
	w.t.Helper()
	sh := exec.CommandContext(w.t.Context(), "/bin/sh", "-c", script)
	sh.Dir = filepath.Join(w.dir, "source")
	sh.Env = append([]string{
		"PATH=/usr/bin:/bin", "ROADBED_ENGINE=" + filepath.Join(w.dir, "bin"), "ROADBED_WORK=" + w.dir, "ROADBED_TOKEN=t", "ROADBED_URL=u", "ROADBED_STATE=s",
		"ROADBED_PLAN_ARGS=", "ROADBED_ENGINE_MEMORY=1000000000", "ROADBED_ENGINE_IS=OpenTofu v1", "ROADBED_ALONE=",
		runState + "=PLANNING",
	}, env...)
	out, err := sh.CombinedOutput()
	return string(out), err == nil
}

func given(phases map[string][]string) Given {
	g := Given{Hooks: map[string][]Hook{}}
	for phase, commands := range phases {
		for _, c := range commands {
			g.Hooks[phase] = append(g.Hooks[phase], Hook{From: "the stack", Command: c})
		}
	}
	return g
}

// Hooks run around the phases in one shell: what they export lasts, and the folder is what it was.
func TestHooksRunAroundThePhases(t *testing.T) {
	t.Parallel()
	w := newShellWork(t)
	out, ok := w.run(given(map[string][]string{
		atBeforeInit: {"export X=1; cd /", "echo in $(basename $PWD)"}, atAfterInit: {"X=$((X+1))"}, atBeforePlan: {"echo \"it's $UNSET fine\"", "false; X=$((X+1))"},
		atAfterPlan: {"test -s $ROADBED_WORK/plan.bin && echo planned"},
	}).planning())
	want := []string{"the hook before init of the stack (1)", "in source", "engine init X=1", "after init", "it's  fine", "engine plan X=3", "after plan", "planned"}
	for _, line := range want {
		_, rest, found := strings.Cut(out, line)
		if !found {
			t.Fatalf("%q is missing in its place: %v\n%s", line, ok, out)
		}
		out = rest
	}
	if !ok || w.read("alone") != "yes\n" {
		t.Errorf("the script failed, or did not tell that the engine is alone: %s", w.read("why"))
	}
}

// A hook that fails, ends the shell, or touches what is the platform's ends the step with a clear word, and what comes after
// it does not run.
func TestAHookThatFailsEndsThePhase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ hook, why string }{
		"fails":                  {"echo a; false", "the hook before plan of the stack (1) failed with exit status 1"},
		"is not there":           {"no-such-program", "the hook before plan of the stack (1) failed with exit status 127"},
		"ends the shell":         {"exit 7", "the hook before plan of the stack (1) failed with exit status 7"},
		"ends it well":           {"exit 0", "the hook before plan of the stack (1) ended the step before its work was done"},
		"is no shell":            {"echo 'a", "the hook before plan of the stack (1) failed with exit status 2"},
		"names another engine":   {"ROADBED_ENGINE=/bin/true", "the hook before plan of the stack (1) failed with exit status 2"},
		"names another state":    {"export TF_HTTP_ADDRESS=http://elsewhere", "the hook before plan of the stack (1) failed with exit status 2"},
		"names another backend":  {"printf '\"type\": \"local\"\\n' > $TF_DATA_DIR/terraform.tfstate", ""},
		"forgets what was there": {"unset ROADBED_WORK", "the hook before plan of the stack (1) failed with exit status 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newShellWork(t)
			out, ok := w.run(given(map[string][]string{atBeforePlan: {c.hook, "echo second"}, atAfterPlan: {"echo third"}}).planning())
			if ok || strings.Contains(out, "engine plan") || strings.Contains(out, "third") || w.read("why") != c.why || w.read("plan.bin") != "" {
				t.Errorf("%t, %q, want %q:\n%s", ok, w.read("why"), c.why, out)
			}
			if c.why != "" && (strings.Contains(out, "second\n") || !strings.Contains(out, "roadbed: "+c.why)) {
				t.Errorf("the log is\n%s", out)
			}
		})
	}
	w := newShellWork(t)
	out, ok := w.run(given(map[string][]string{atBeforePlan: {"true"}, atAfterPlan: {"echo third"}}).planning(), "PLAN_ENDS=1")
	if ok || strings.Contains(out, "third") || w.read("why") != "" {
		t.Errorf("a plan that fails: %t, %q\n%s", ok, w.read("why"), out)
	}
}

// No hook of an apply has another plan applied, and none that ends the shell passes for an apply.
func TestAHookAppliesNoOtherPlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hook string
		ok   bool
	}{
		"leaves it":              {"cat $ROADBED_WORK/plan.bin > /dev/null", true},
		"writes another":         {"echo other > $ROADBED_WORK/plan.bin", false},
		"puts another there":     {"echo other > $ROADBED_WORK/other; mv $ROADBED_WORK/other $ROADBED_WORK/plan.bin", false},
		"takes it away":          {"rm $ROADBED_WORK/plan.bin", false},
		"has another sum":        {"sha256sum() { echo \"$roadbed_had\"; }; echo other > $ROADBED_WORK/plan.bin", false},
		"has another idea of it": {"roadbed_had=x", false},
		"ends the shell":         {"exit 0", false},
		"ends it unseen":         {"trap - EXIT; exit 0", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newShellWork(t)
			w.write("plan.bin", "reviewed\n", 0o600)
			out, ok := w.run(given(map[string][]string{atBeforeApply: {c.hook}, atAfterApply: {"echo after it"}}).applying(atBeforeApply, atAfterApply))
			applied := strings.Contains(out, "engine apply")
			if ok != c.ok || strings.Contains(out, "other\n") || applied != (w.read("applied") != "") || applied != (name == "leaves it") {
				t.Errorf("%t, applied %t, says %q:\n%s", ok, applied, w.read("applied"), out)
			}
		})
	}
}

// Hooks of an apply see the state of their run, and the engine the one that its plan has.
func TestTheEngineHasTheValuesOfItsPlan(t *testing.T) {
	t.Parallel()
	w := newShellWork(t)
	w.write("plan.bin", "reviewed\n", 0o600)
	const says = "echo hook $" + runState
	out, ok := w.run(given(map[string][]string{atBeforeDestroy: {says}, atAfterDestroy: {says}}).applying(atBeforeDestroy, atAfterDestroy))
	if _, rest, found := strings.Cut(out, "hook DESTROYING"); !ok || !found || !strings.Contains(rest, "engine apply X= PLANNING") || !strings.Contains(rest[strings.Index(rest, "engine apply"):], "hook DESTROYING\n") {
		t.Errorf("%t:\n%s", ok, out)
	}
}

// Any text is one word of the shell, and runs as it is.
func TestHooksAreQuoted(t *testing.T) {
	t.Parallel()
	w := newShellWork(t)
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringMatching(`[a-z'"\\$(){};&|<>\n* ]{1,30}`).Draw(r, "text")
		out, ok := w.run("printf '%s' " + quoted(text))
		if !ok || out != text {
			r.Fatalf("%q came out as %q", text, out)
		}
	})
}
