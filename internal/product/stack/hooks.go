package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Phases at which hooks run, as documents name them. Those of init run wherever an engine is prepared: to plan, and once
// more to apply, which begins in a fresh folder.
const (
	atBeforeInit    = "beforeInit"
	atAfterInit     = "afterInit"
	atBeforePlan    = "beforePlan"
	atAfterPlan     = "afterPlan"
	atBeforeApply   = "beforeApply"
	atAfterApply    = "afterApply"
	atBeforePerform = "beforePerform"
	atAfterPerform  = "afterPerform"
	atBeforeDestroy = "beforeDestroy"
	atAfterDestroy  = "afterDestroy"
	atAfterRun      = "afterRun"
)

// Phases gives the phases in the order in which they come.
func Phases() []string {
	return []string{
		atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan, atBeforeApply, atAfterApply, atBeforeDestroy, atAfterDestroy,
		atBeforePerform, atAfterPerform, atAfterRun,
	}
}

// Hooks are commands that run around the phases of a run, in one shell with them.
type Hooks struct {
	BeforeInit    []string `json:"beforeInit,omitempty"`
	AfterInit     []string `json:"afterInit,omitempty"`
	BeforePlan    []string `json:"beforePlan,omitempty"`
	AfterPlan     []string `json:"afterPlan,omitempty"`
	BeforeApply   []string `json:"beforeApply,omitempty"`
	AfterApply    []string `json:"afterApply,omitempty"`
	BeforePerform []string `json:"beforePerform,omitempty"`
	AfterPerform  []string `json:"afterPerform,omitempty"`
	BeforeDestroy []string `json:"beforeDestroy,omitempty"`
	AfterDestroy  []string `json:"afterDestroy,omitempty"`
	AfterRun      []string `json:"afterRun,omitempty"`
}

// at gives the commands of a phase.
func (h *Hooks) at(phase string) *[]string {
	switch phase {
	case atBeforeInit:
		return &h.BeforeInit
	case atAfterInit:
		return &h.AfterInit
	case atBeforePlan:
		return &h.BeforePlan
	case atAfterPlan:
		return &h.AfterPlan
	case atBeforeApply:
		return &h.BeforeApply
	case atAfterApply:
		return &h.AfterApply
	case atBeforePerform:
		return &h.BeforePerform
	case atAfterPerform:
		return &h.AfterPerform
	case atBeforeDestroy:
		return &h.BeforeDestroy
	case atAfterDestroy:
		return &h.AfterDestroy
	}
	return &h.AfterRun
}

// Bounds of hooks. They are part of a step's command, of which a kernel takes 128 KiB.
const (
	mostHooks     = 50       // of one phase of one document
	mostHook      = 16 << 10 // bytes of one
	mostHookBytes = 64 << 10 // of all that run in one step, with their quotes
)

// check tells what is wrong with hooks, by phase and number.
func (h *Hooks) check(bad func(message, hint string, at ...string)) {
	for _, phase := range Phases() {
		commands := *h.at(phase)
		if len(commands) > mostHooks {
			bad(fmt.Sprintf("%d hooks are too many", len(commands)), fmt.Sprintf("write at most %d, or a script in the repository", mostHooks), phase)
			continue
		}
		for i, c := range commands {
			switch {
			case strings.TrimSpace(c) == "":
				bad("is empty", "write a command of the shell, or take it out", phase, fmt.Sprint(i))
			case len(c) > mostHook:
				bad(fmt.Sprintf("has %d bytes; a hook has at most %d", len(c), mostHook), "put it into a script of the repository or a mounted file", phase, fmt.Sprint(i))
			case strings.ContainsRune(c, 0):
				bad("has a zero byte in it", "write text", phase, fmt.Sprint(i))
			}
		}
	}
}

// Hook is one command of a run, and where it is from.
type Hook struct {
	From    string `json:"from"`
	Command string `json:"command"`
}

// hooking runs commands in this shell, so that what they export lasts. As in a row joined by &&, one that fails ends the
// step; where it stopped is told. What the platform has set stays as it is, and so does the folder.
const hooking = `
roadbed_now=
roadbed_at=$PWD
roadbed_end() {
  roadbed_code=$?
  [ -z "${roadbed_home:-}" ] || roadbed_leave
  if [ -n "$roadbed_now" ]; then
    [ "$roadbed_code" != 0 ] && roadbed_said="failed with exit status $roadbed_code" || roadbed_said="ended the step before its work was done"
    echo "roadbed: $roadbed_now $roadbed_said" >&2
    printf '%s' "$roadbed_now $roadbed_said" > "$ROADBED_WORK/why"
    exit 93
  fi
}
trap roadbed_end EXIT
readonly roadbed_at ROADBED_ENGINE ROADBED_WORK ROADBED_PLAN_ARGS ROADBED_STATE ROADBED_TOKEN TF_DATA_DIR TF_CLI_CONFIG_FILE
readonly TF_HTTP_ADDRESS TF_HTTP_LOCK_ADDRESS TF_HTTP_UNLOCK_ADDRESS TF_HTTP_USERNAME TF_HTTP_PASSWORD
roadbed_hook() {
  roadbed_now=$1
  echo "roadbed: $1"
  set +eu
  eval "$2"
  roadbed_code=$?
  set -eu
  [ "$roadbed_code" = 0 ] || exit "$roadbed_code"
  cd "$roadbed_at"
  roadbed_now=
}
`

// guard keeps the plan that was reviewed from being another one after hooks.
const guard = `
roadbed_sum=$(command -v sha256sum) || { echo "hooks of an apply need the program sha256sum on this pool" >&2; exit 94; }
roadbed_had=$("$roadbed_sum" < "$ROADBED_WORK/plan.bin")
readonly roadbed_sum roadbed_had
`

const guarded = `
case $("$roadbed_sum" < "$ROADBED_WORK/plan.bin") in
"$roadbed_had") ;;
*)
  echo "a hook has changed the plan that was reviewed; nothing is applied" >&2
  printf 'a hook has changed the plan that was reviewed; nothing is applied' > "$ROADBED_WORK/why"
  exit 94
  ;;
esac
`

// phaseWord gives a phase for people.
func phaseWord(phase string) string {
	for _, p := range []struct{ from, to string }{{"before", "before "}, {"after", "after "}} {
		if rest, ok := strings.CutPrefix(phase, p.from); ok {
			return p.to + strings.ToLower(rest)
		}
	}
	return phase
}

// around gives what of a script runs the hooks of a phase; "" for none.
func (g Given) around(phase string) string {
	var b strings.Builder
	if len(g.Hooks[phase]) > 0 {
		fmt.Fprintf(&b, "roadbed_phase %s\n", quoted("hooks "+phaseWord(phase)))
	}
	for i, h := range g.Hooks[phase] {
		name := fmt.Sprintf("the hook %s of %s", phaseWord(phase), h.From)
		if i > 0 && g.Hooks[phase][i-1].From == h.From || i+1 < len(g.Hooks[phase]) && g.Hooks[phase][i+1].From == h.From {
			name += fmt.Sprintf(" (%d)", g.number(phase, i))
		}
		fmt.Fprintf(&b, "roadbed_hook %s %s\n", quoted(name), quoted(h.Command))
	}
	return b.String()
}

// number counts the hooks of one source.
func (g Given) number(phase string, i int) int {
	n := 0
	for _, h := range g.Hooks[phase][:i+1] {
		if h.From == g.Hooks[phase][i].From {
			n++
		}
	}
	return n
}

// quoted gives a text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// hooked tells whether a step with these phases has hooks.
func (g Given) hooked(phases ...string) bool {
	return slices.ContainsFunc(phases, func(p string) bool { return len(g.Hooks[p]) > 0 })
}

// planning gives what a plan step runs.
func (g Given) planning() string {
	if !g.hooked(atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan) {
		return planScript
	}
	return begin + backend + hooking + g.around(atBeforeInit) + prepare + g.around(atAfterInit) + g.around(atBeforePlan) + ours +
		planAlone + planIt + g.around(atAfterPlan) + planMark + phaseDone
}

// runState is what hooks of an apply see of its state, and its engine as the plan has it: OpenTofu refuses another value.
const runState = "TF_VAR_spacelift_run_state"

// applying gives what an apply step runs; the hooks around it are those of before and after.
func (g Given) applying(before, after string) string {
	if !g.hooked(atBeforeInit, atAfterInit, before, after) {
		return applyScript
	}
	state := "APPLYING"
	if before == atBeforeDestroy {
		state = "DESTROYING"
	}
	return applyBegin + begin + backend + guard + hooking + "roadbed_planned=$" + runState + "\n" + runState + "=" + state + "\n" +
		g.around(atBeforeInit) + prepare + g.around(atAfterInit) + g.around(before) +
		guarded + runState + "=$roadbed_planned\n" + applyIt + runState + "=" + state + "\n" + g.around(after) + "echo yes > \"$ROADBED_WORK/applied\"\n" + phaseDone
}

// applyPhases gives the phases around the apply of a run.
func applyPhases(in Input) (before, after string) {
	if in.Type == Destroy {
		return atBeforeDestroy, atAfterDestroy
	}
	return atBeforeApply, atAfterApply
}

// hookOutputs are what a step with hooks tells besides.
func (g Given) hookOutputs(phases ...string) []worker.Output {
	if !g.hooked(phases...) {
		return nil
	}
	out := []worker.Output{{Name: outputWhy, Path: "/work/why", Kind: worker.OutputText, MaxBytes: mostWhy, Optional: true}}
	if slices.Contains(phases, atBeforeApply) || slices.Contains(phases, atBeforeDestroy) { // a hook that ends the shell has applied nothing
		out = append(out, worker.Output{Name: "applied", Path: "/work/applied", Kind: worker.OutputText, MaxBytes: 16})
	}
	return out
}

// outputWhy is where a step tells which hook ended it, or what else did.
const outputWhy = "why"

// reason gives why a step did not succeed, in its own words where it has any.
func reason(step *run.Step) string {
	if why := strings.TrimSpace(step.Result.Outputs[outputWhy]); why != "" && step.State == run.StepFailed {
		return why
	}
	return step.Reason
}

// tooMuch tells which step's hooks are more than a command takes.
func (g Given) tooMuch() error {
	for _, phases := range [][]string{
		{atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan}, {atBeforeInit, atAfterInit, atBeforeApply, atAfterApply},
		{atBeforeInit, atAfterInit, atBeforeDestroy, atAfterDestroy}, {atBeforeInit, atAfterInit, atBeforePerform, atAfterPerform}, {atAfterRun},
	} {
		n := 0
		for _, p := range phases {
			n += len(g.around(p))
		}
		if n > mostHookBytes {
			return fault.Errorf(fault.Invalid, "the hooks of one step have %d bytes together; at most %d are taken, so put longer ones into scripts of the repository", n, mostHookBytes)
		}
	}
	return nil
}

// end moves a run to its end. Before that the hooks afterRun run, once for each end, whatever the outcome; that they
// fail is told, and changes nothing. What ends without a worker, by a person who discards or cancels, has no such hooks.
func end(v *run.View, in Input, state, why string) error {
	if len(in.Given.Hooks[atAfterRun]) == 0 {
		return v.To(state, why)
	}
	step, n := lastAfter(v)
	switch {
	case step == nil || goneOn(v, step):
		v.Add(afterStep(v.Run, in, state, n+1))
		return nil
	case !step.State.Done():
		return nil
	case step.State != run.StepSucceeded:
		v.Warn("after the run: " + reason(step))
	}
	return v.To(state, why)
}

// lastAfter gives the newest step with hooks of an end, and how many there are.
func lastAfter(v *run.View) (last *run.Step, n int) {
	for step := v.Step("after"); step != nil; step = v.Step(stepKey("after", n+1)) {
		last, n = step, n+1
	}
	return last, n
}

// goneOn tells whether a run has done something since a step of it ended, as after a retry.
func goneOn(v *run.View, since *run.Step) bool {
	return since.State.Done() && slices.ContainsFunc(v.Steps, func(s *run.Step) bool {
		return s.Position > since.Position || s.Ended.After(since.Ended)
	})
}

// afterScript needs no engine.
const afterScript = phasing + `set -eu
trap : TERM
`

// afterStep has no door: nothing of it reads or writes a state.
func afterStep(r *run.Run, in Input, state string, n int) run.Step {
	job := engineJob(r, in, afterScript+hooking+in.Given.around(atAfterRun))
	job.Door, job.Scopes = false, nil
	delete(job.Env, "ROADBED_MIRROR")
	job.Env["ROADBED_FINAL_STATE"] = state
	job.Env["TF_VAR_spacelift_final_run_state"] = strings.ToUpper(state)
	job.Outputs = in.Given.hookOutputs(atAfterRun)
	return run.Step{Key: stepKey("after", n), Title: "After the run", Group: "after", Pool: in.Pool, Job: job}
}

// All gives the commands of a document by phase.
func (h *Hooks) All() map[string][]Hook {
	out := map[string][]Hook{}
	for _, phase := range Phases() {
		for _, c := range *h.at(phase) {
			out[phase] = append(out[phase], Hook{Command: c})
		}
	}
	return out
}
