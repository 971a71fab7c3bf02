package stack

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var phaseLine = regexp.MustCompile(`(?m)^── (.+?)(?:, at \d+\.\d s)? ──$`)

func phasesOf(log string) (names []string) {
	for _, m := range phaseLine.FindAllStringSubmatch(log, -1) {
		names = append(names, m[1])
	}
	return names
}

// A step's log tells where each phase begins, and that the last is over; one that failed is the last it tells of.
func TestALogTellsItsPhases(t *testing.T) {
	t.Parallel()
	hooks := given(map[string][]string{
		atBeforeInit: {"echo a", "IFS=0123456789; set -f"}, atAfterInit: {"true"}, atBeforePlan: {"true"}, atAfterPlan: {"true"},
		atBeforeApply: {"true"}, atAfterApply: {"true"}, atBeforePerform: {"true"}, atAfterPerform: {"true"}, atAfterRun: {"true"},
	})
	fails := given(map[string][]string{atBeforePlan: {"false"}, atAfterPlan: {"true"}})
	for name, c := range map[string]struct {
		script string
		want   []string
		env    string
	}{
		"a plan":                  {Given{}.planning(), []string{"init", "plan", "done"}, ""},
		"a plan that fails":       {Given{}.planning(), []string{"init", "plan"}, "PLAN_ENDS=1"},
		"a plan with hooks":       {hooks.planning(), []string{"hooks before init", "init", "hooks after init", "hooks before plan", "plan", "hooks after plan", "done"}, ""},
		"a hook that fails":       {fails.planning(), []string{"init", "hooks before plan"}, ""},
		"an apply":                {Given{}.applying(atBeforeApply, atAfterApply), []string{"init", "apply", "done"}, ""},
		"an apply, already ready": {Given{}.applying(atBeforeApply, atAfterApply), []string{"apply", "done"}, "ROADBED_ALONE=yes"},
		"an apply with hooks":     {hooks.applying(atBeforeApply, atAfterApply), []string{"hooks before init", "init", "hooks after init", "hooks before apply", "apply", "hooks after apply", "done"}, ""},
		"a task":                  {hooks.performing(false), []string{"hooks before init", "init", "hooks after init", "hooks before perform", "command", "hooks after perform", "done"}, "ROADBED_TASK=echo hello"},
		"a task that fails":       {Given{}.performing(false), []string{"init", "command"}, "ROADBED_TASK=set +e; false"},
		"a tool's task":           {Given{}.laid(parts{begin: "set -eu\n", do: performTask}, atBeforePerform, atAfterPerform), []string{"command", "done"}, "ROADBED_TASK=set +eu; false; true"},
		"a tool's that fails":     {Given{}.laid(parts{begin: "set -eu\n", do: performTask}, atBeforePerform, atAfterPerform), []string{"command"}, "ROADBED_TASK=set +e; false"},
		"a show":                  {Input{}.showing(showScript), []string{"init", "show", "done"}, ""},
		"another tool":            {Given{}.laid(parts{begin: "set -eu\n", do: "echo work\n"}, atBeforePlan, atAfterPlan), []string{"plan", "done"}, ""},
		"another tool with hooks": {hooks.laid(parts{begin: "set -eu\n", initialize: "echo ready\n", do: "echo work\n"}, atBeforeDestroy, atAfterDestroy), []string{"hooks before init", "init", "hooks after init", "apply", "done"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newShellWork(t)
			w.write("plan.bin", "PK\nreviewed\n", 0o600)
			var env []string
			if c.env != "" {
				env = append(env, c.env)
			}
			out, ok := w.run(c.script, env...)
			if got := phasesOf(out); !slices.Equal(got, c.want) || ok != (c.want[len(c.want)-1] == "done") {
				t.Errorf("%t, the phases are %q, want %q:\n%s", ok, got, c.want, out)
			}
			if strings.Contains(c.script, "$(date") {
				t.Error("a clock takes a process")
			}
		})
	}
}
