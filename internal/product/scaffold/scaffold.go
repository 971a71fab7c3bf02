package scaffold

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// RunKind is the kind of the runs of golden paths.
const RunKind = "scaffold"

// Actions of the platform's worker.
const (
	StepAction = "scaffold.step"
	UndoAction = "scaffold.undo"
)

// Keys of the steps that are not the template's; a template's ids have no dot.
const (
	outcomeKey = "scaffold.outcome"
	undoKey    = "scaffold.undo"
)

// Input is the input of a run, as its page shows it.
type Input struct {
	Template   string         `json:"template"`
	Repository string         `json:"repository,omitempty"`
	Commit     string         `json:"commit,omitempty"`
	Values     map[string]any `json:"values"` // without secrets
	Steps      []PlannedStep  `json:"steps"`
}

// PlannedStep is a step of the template as the run needs to know it.
type PlannedStep struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Action string `json:"action"`
	Always bool   `json:"always,omitempty"` // it may run though an earlier step has failed
}

// stepInput is the input of a platform step.
type stepInput struct {
	Index   int  `json:"index"`
	Outcome bool `json:"outcome,omitempty"`
}

// stepData is what a step of a run leaves, as Result.Data.
type stepData struct {
	Output    map[string]any `json:"output,omitempty"` // without secrets
	Sealed    []byte         `json:"sealed,omitempty"` // the output with its secrets, for later steps; none when it has none
	Skipped   bool           `json:"skipped,omitempty"`
	Workspace string         `json:"workspace,omitempty"` // digest of the workspace after the step; "" when it didn't change
	Made      []Made         `json:"made,omitempty"`      // all that the run has made by now
}

// kind gives the table of a golden path's run.
func (s *Service) kind() run.Kind {
	return run.Kind{
		Name: RunKind, Initial: "running",
		States: map[string]run.State{
			"running":  {Next: []string{"finished", "failed", "canceled", "undoing"}},
			"undoing":  {Next: []string{"undone", "failed"}},
			"finished": {Terminal: true},
			"failed":   {Terminal: true},
			"canceled": {Terminal: true},
			"undone":   {Terminal: true},
		},
		Advance: advance,
		Cancel: func(v *run.View) error {
			if v.Run.State == "undoing" {
				return fault.Errorf(fault.Conflict, "run %s is being undone, which can't be stopped half way", v.Run.ID)
			}
			return nil
		},
		Retry:   retry,
		Retrier: s.retrier,
		Ended:   s.ended,
	}
}

func advance(v *run.View) error {
	var in Input
	if err := json.Unmarshal(v.Run.Input, &in); err != nil {
		return fmt.Errorf("read the input of run %s: %w", v.Run.ID, err)
	}
	plan(v, in)
	output(v)
	if v.Run.State == "undoing" {
		return advanceUndo(v)
	}
	if v.Run.CancelRequested {
		v.CancelOpenSteps("canceled")
		if v.Open() > 0 {
			return nil
		}
		return v.To("canceled", "canceled"+madeSoFar(v))
	}
	var failed *run.Step
	for i, planned := range in.Steps {
		step := v.Step(planned.ID)
		switch step.State {
		case run.StepReady, run.StepLeased:
			return nil
		case run.StepFailed, run.StepCanceled:
			if failed == nil {
				failed = step
			}
		case run.StepWaiting:
			if failed == nil || in.Steps[i].Always {
				v.Release(step)
				return nil
			}
		}
	}
	if failed != nil {
		return v.To("failed", fmt.Sprintf("step %q failed: %s%s", failed.Title, failed.Reason, madeSoFar(v)))
	}
	outcome := v.Step(outcomeKey)
	switch outcome.State {
	case run.StepWaiting:
		v.Release(outcome)
	case run.StepSucceeded:
		return v.To("finished", "")
	case run.StepFailed, run.StepCanceled, run.StepSkipped:
		return v.To("failed", "the outcome can't be told: "+outcome.Reason+madeSoFar(v))
	}
	return nil
}

// plan puts all steps on the run's page from the start.
func plan(v *run.View, in Input) {
	for i, step := range in.Steps {
		v.Add(platformStep(step.ID, step.Name, StepAction, stepInput{Index: i}, map[string]string{"action": step.Action}))
	}
	v.Add(platformStep(outcomeKey, "Outcome", StepAction, stepInput{Index: len(in.Steps), Outcome: true}, nil))
}

func platformStep(key, title, action string, input, data any) run.Step {
	step := run.Step{Key: key, Title: title, State: run.StepWaiting, Job: worker.Job{Kind: "platform", Action: action}}
	step.Job.Input, _ = json.Marshal(input) // plain structs and maps always encode
	if data != nil {
		step.Data, _ = json.Marshal(data)
	}
	return step
}

func advanceUndo(v *run.View) error {
	undo := v.Step(undoKey)
	if undo == nil {
		v.CancelOpenSteps("the run is being undone")
		if v.Open() > 0 {
			return nil
		}
		step := platformStep(undoKey, "Undo what was made", UndoAction, struct{}{}, nil)
		step.State = run.StepReady
		v.Add(step)
		return nil
	}
	switch undo.State {
	case run.StepSucceeded:
		return v.To("undone", "what the run made was deleted")
	case run.StepFailed, run.StepCanceled:
		return v.To("failed", "it could not be undone: "+undo.Reason+madeSoFar(v))
	}
	return nil
}

// output keeps the run's output in step with what its steps have told: the outcome of the template, and what was made.
func output(v *run.View) {
	out := map[string]any{}
	if data, ok := dataOf(v.Step(outcomeKey)); ok {
		for key, value := range data.Output {
			out[key] = value
		}
	}
	if made := lastMade(v); len(made) > 0 {
		out["made"] = made
	}
	if len(out) > 0 {
		_ = v.Output(out) // it came from JSON, so it encodes
	}
}

func dataOf(step *run.Step) (data stepData, ok bool) {
	if step == nil || len(step.Result.Data) == 0 || json.Unmarshal(step.Result.Data, &data) != nil {
		return data, false
	}
	return data, true
}

// lastMade is what the newest report of a step says the run has made.
func lastMade(v *run.View) []Made {
	var newest *run.Step
	var made []Made
	for _, step := range v.Steps {
		data, ok := dataOf(step)
		if !ok || (newest != nil && step.Ended.Before(newest.Ended)) {
			continue
		}
		newest, made = step, data.Made
	}
	return made
}

// madeSoFar tells people what is there, and what they can do now.
func madeSoFar(v *run.View) string {
	var names []string
	for _, m := range lastMade(v) {
		if m.State != stateUndone {
			names = append(names, m.Kind+" "+m.Name)
		}
	}
	if len(names) == 0 {
		return "; nothing was made"
	}
	return "; made so far: " + strings.Join(names, ", ") + ". Retry to continue, or undo to delete it"
}

// retry continues at the step that failed.
func retry(v *run.View) error {
	if v.Run.State != "failed" && v.Run.State != "canceled" {
		return fault.Errorf(fault.Conflict, "run %s is %s; only a failed or canceled golden path can be continued", v.Run.ID, v.Run.State)
	}
	if v.Step(undoKey) != nil {
		return fault.Errorf(fault.Conflict, "run %s was undone in part; undo it again, and start anew", v.Run.ID)
	}
	again := false
	for _, step := range v.Steps { // from the first that did not succeed on
		if again = again || step.State != run.StepSucceeded; !again {
			continue
		}
		tried := !step.Started.IsZero()
		v.Again(step)
		if !tried {
			step.Attempt, step.MaxAttempts = step.Attempt-1, step.MaxAttempts-1
		}
		step.State = run.StepWaiting
	}
	return v.Reopen("running", "continued")
}
