package stack

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxCommand bounds the command of a task, in bytes.
const maxCommand = 8 << 10

// performing gives what a task runs: a command beside the configuration, with the stack's state at hand unless the init is
// skipped.
func (g Given) performing(skipInit bool) string {
	initial := g.around(atBeforeInit) + prepare + g.around(atAfterInit)
	if skipInit {
		initial = "\necho 'roadbed: the init is skipped, with its hooks'\n"
	}
	return "roadbed_into=$ROADBED_WORK\n" + leaving + begin + backend + hooking + initial + g.around(atBeforePerform) + performIt + g.around(atAfterPerform) + phaseDone
}

const performIt = `
roadbed_phase command
tofu() { roadbed_engine "$@"; }
terraform() { roadbed_engine "$@"; }
` + nothingLeft + performTask

// taskStep has one attempt, as an apply: a command may change anything.
func taskStep(r *run.Run, in Input, n int) run.Step {
	job := engineJob(r, in, in.Given.performing(in.SkipInit))
	in.give(r, &job, true)
	job.Env["ROADBED_TASK"] = in.Command
	job.Outputs = append(append(leftIn(execute.WorkDir), engineSaid), in.Given.hookOutputs(atBeforeInit, atAfterInit, atBeforePerform, atAfterPerform)...)
	return run.Step{Key: stepKey("task", n), Title: "Run the command", Group: "task", Pool: in.Pool, MaxAttempts: 1, Job: job}
}

// check holds an order to its form.
func (o Order) check() error {
	switch {
	case o.Reconcile && o.Type != Drift:
		return fault.Errorf(fault.Invalid, "only drift is reconciled; leave reconcile out, or write type drift")
	case o.Type != Task && o.Command != "":
		return fault.Errorf(fault.Invalid, "a command goes with a task; leave it out, or write type task")
	case o.Type != Task && o.SkipInit:
		return fault.Errorf(fault.Invalid, "only a task goes without an init; leave skipInit out, or write type task")
	case o.Type != Task:
		return nil
	case strings.TrimSpace(o.Command) == "":
		return fault.Errorf(fault.Invalid, "a task needs a command, such as tofu state list")
	case len(o.Command) > maxCommand || strings.ContainsRune(o.Command, 0):
		return fault.Errorf(fault.Invalid, "the command of a task is at most %d bytes, without NUL; put a longer one into a script of the repository", maxCommand)
	}
	return nil
}

func afterTask(v *run.View, in Input, n int) error {
	step := v.Step(stepKey("task", n))
	if !step.State.Done() {
		return nil
	}
	if kept, err := afterKeep(v, in, step, n); err != nil || !kept {
		return err
	}
	done, whole, more := takeUp(v, step, n)
	switch {
	case !done:
		return nil
	case step.State != run.StepSucceeded:
		return end(v, in, failed, "the command: "+reason(step)+more)
	}
	return end(v, in, endOf(whole), "the command is done"+more)
}
