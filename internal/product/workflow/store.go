package workflow

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// This room has no tables: a plan is a run's input, what is known of its leaves is in the run's steps, and all else
// follows from the two.

// planOf reads a run's input.
func planOf(r *run.Run) (*Plan, error) {
	p := &Plan{}
	if err := json.Unmarshal(r.Input, p); err != nil {
		return nil, fault.Errorf(fault.Internal, "run %s: its input is not a plan: %w", r.ID, err)
	}
	return p, nil
}

// Output is what a run of a workflow gives.
type Output struct {
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Artifacts  map[string]string `json:"artifacts,omitempty"` // digest by name
}

// stepData is what a step keeps of its node.
type stepData struct {
	Type    string    `json:"type"`
	Until   time.Time `json:"until,omitzero"`    // of a suspend with a duration
	Verdict string    `json:"verdict,omitempty"` // of a suspend: approved or rejected
	By      string    `json:"by,omitempty"`      // principal
	Votes   []string  `json:"votes,omitempty"`   // principals who approved, which was not enough
	Broken  bool      `json:"broken,omitempty"`  // it could not start
	Stale   bool      `json:"stale,omitempty"`   // left over from before a retry
}

func dataOf(s *run.Step) stepData {
	var d stepData
	if json.Unmarshal(s.Data, &d) != nil {
		return stepData{}
	}
	return d
}

// generation separates a node's key from how often the node was begun anew by a retry of the run.
const generation = "#"

// nodeKey gives the key of the node that a step does.
func nodeKey(step string) string {
	key, _, _ := strings.Cut(step, generation)
	return key
}

// stepKey gives the key of the next step of a node.
func stepKey(v *run.View, node string) string {
	if v.Step(node) == nil {
		return node
	}
	for n := 2; ; n++ {
		if key := fmt.Sprintf("%s%s%d", node, generation, n); v.Step(key) == nil {
			return key
		}
	}
}

// current gives the step that counts for each node.
func current(steps []*run.Step) map[string]*run.Step {
	m := make(map[string]*run.Step, len(steps))
	for _, s := range steps { // in the order of their positions, so the newest wins
		if !dataOf(s).Stale {
			m[nodeKey(s.Key)] = s
		}
	}
	return m
}

func factsOf(r *run.Run, steps []*run.Step, now time.Time) Facts {
	f := Facts{Leaves: map[string]Leaf{}, Now: now, Created: r.Created, Started: r.Started}
	for key, s := range current(steps) {
		f.Leaves[key] = leafOf(s)
	}
	return f
}

// leafOf reads a step as Argo reads a pod: a command that failed is Failed; what could not be run is Error.
func leafOf(s *run.Step) Leaf {
	d := dataOf(s)
	l := Leaf{Values: values(s.Result), Started: s.Ready, Ended: s.Ended, Message: s.Reason}
	if l.Message == "" {
		l.Message = s.Result.Message
	}
	if l.Started.IsZero() {
		l.Started = s.Started
	}
	switch s.State {
	case run.StepWaiting:
		l.Phase, l.Suspended = Running, d.Until.IsZero()
	case run.StepLeased:
		l.Phase = Running
	case run.StepSucceeded:
		l.Phase = Succeeded
	case run.StepSkipped:
		l.Phase = Skipped
	case run.StepCanceled:
		l.Phase = Failed
		if l.Message == "" {
			l.Message = "canceled"
		}
	case run.StepFailed:
		l.Phase = Failed
		if d.Broken || d.Type == TypePod && unrunnable(s.Result) {
			l.Phase = Error
		}
		if l.Message == "" {
			l.Message = failure(s.Result)
		}
	default:
		l.Phase = Pending
	}
	if !s.State.Done() {
		l.Message = s.Reason
	}
	return l
}

// unrunnable tells a step that could not be run, or not to its end, from a command that failed.
func unrunnable(r worker.Result) bool {
	return r.Reason == worker.ReasonSetup || r.Reason == worker.ReasonOutput || r.Reason == "" && r.ExitCode == 0
}

func failure(r worker.Result) string {
	switch r.Reason {
	case "":
		return fmt.Sprintf("exit code %d", r.ExitCode)
	case "time":
		return "it took longer than its time limit"
	}
	return "stopped: " + r.Reason
}
