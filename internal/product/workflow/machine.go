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

// RunKind is the kind of a workflow's runs.
const RunKind = "workflow"

// States of a workflow's run.
const (
	statePending   = "pending" // waits for its lock, if it has one
	stateRunning   = "running"
	stateWaiting   = "waiting" // all that is open is suspended until a person resumes it
	stateSucceeded = "succeeded"
	stateFailed    = "failed" // a step failed
	stateError     = "error"  // a step could not be run as the document has it
	stateCanceled  = "canceled"
)

// Kind gives the run kind of workflows. It is a pure function of a run's plan and steps.
func Kind() run.Kind {
	ends := []string{stateSucceeded, stateFailed, stateError, stateCanceled}
	return run.Kind{
		Name: RunKind, Initial: statePending,
		States: map[string]run.State{
			statePending:   {WaitsLock: true, Next: append([]string{stateRunning}, ends...)},
			stateRunning:   {Next: append([]string{stateWaiting}, ends...)},
			stateWaiting:   {Waiting: true, Next: append([]string{stateRunning}, ends...)},
			stateSucceeded: {Terminal: true},
			stateFailed:    {Terminal: true},
			stateError:     {Terminal: true},
			stateCanceled:  {Terminal: true},
		},
		Advance: advance,
		Retry:   retryRun,
	}
}

// stepData is what a step keeps of its node.
type stepData struct {
	Type    string    `json:"type"`
	Until   time.Time `json:"until,omitzero"`    // of a suspend with a duration
	Verdict string    `json:"verdict,omitempty"` // of a suspend: approved or rejected
	By      string    `json:"by,omitempty"`      // principal
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

// Output is what a run of a workflow gives.
type Output struct {
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Artifacts  map[string]string `json:"artifacts,omitempty"` // digest by name
}

// planOf reads a run's input.
func planOf(r *run.Run) (*Plan, error) {
	p := &Plan{}
	if err := json.Unmarshal(r.Input, p); err != nil {
		return nil, fault.Errorf(fault.Internal, "run %s: its input is not a plan: %w", r.ID, err)
	}
	return p, nil
}

// advance is the run kind's transition function.
func advance(v *run.View) error {
	if v.Run.CancelRequested {
		v.CancelOpenSteps("canceled")
		if v.Open() == 0 {
			return v.To(stateCanceled, "canceled")
		}
		return nil
	}
	if !v.Locked {
		return nil
	}
	p, err := planOf(v.Run)
	if err != nil {
		return err
	}
	if v.Run.State == statePending {
		if err := v.To(stateRunning, ""); err != nil {
			return err
		}
	}
	wake := resume(v)
	if f := factsOf(v.Run, v.Steps, v.Now); Expired(p, f) {
		v.CancelOpenSteps("the workflow is over its activeDeadlineSeconds")
	}
	var out Outcome
	for {
		out = Next(p, v.Run.ID, factsOf(v.Run, v.Steps, v.Now))
		again := false
		for _, s := range out.Starts {
			again = start(v, p, s, &wake) || s.Type == TypeSuspend || again
		}
		if !again {
			break
		}
	}
	return conclude(v, out, wake)
}

// resume ends suspended steps whose time has come or of which a person has decided, and gives the next such time.
func resume(v *run.View) (wake time.Time) {
	for _, s := range v.Steps {
		if s.State != run.StepWaiting {
			continue
		}
		d := dataOf(s)
		switch {
		case d.Verdict == verdictRejected:
			v.End(s, run.StepFailed, "rejected")
		case d.Verdict != "" || !d.Until.IsZero() && !v.Now.Before(d.Until):
			v.End(s, run.StepSucceeded, "")
		default:
			wake = earlier(wake, d.Until)
		}
	}
	return wake
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// start adds the step of a leaf. It tells whether the step has ended already, because it can't be run as it is.
func start(v *run.View, p *Plan, s Start, wake *time.Time) (ended bool) {
	data := stepData{Type: s.Type}
	step, err := run.Step{Key: s.Key, Title: s.Name, Group: s.Group}, s.Err
	switch {
	case err != nil:
	case s.Type == TypeSuspend:
		step.State, step.Pool = run.StepWaiting, run.ServerPool
		step.Ready = v.Now
		if text := string(s.Template.Suspend.Duration); text != "" {
			var wait time.Duration
			if wait, err = parseDuration(text); err == nil {
				data.Until = v.Now.Add(wait)
				*wake = earlier(*wake, data.Until)
			}
		}
	default:
		step, err = s.step(v.Run, p)
	}
	step.Key = stepKey(v, s.Key)
	if err != nil {
		data.Broken = true
		step.State, step.Job, step.Ready = run.StepFailed, worker.Job{}, v.Now
		step.Reason = fault.Message(err)
	}
	raw, err := json.Marshal(data)
	if err == nil {
		step.Data = raw
	}
	v.Add(step)
	return data.Broken
}

// conclude moves the run where the outcome says.
func conclude(v *run.View, out Outcome, wake time.Time) error {
	if !out.Phase.Fulfilled() {
		v.WakeAt(earlier(wake, out.Wake))
		if out.Waiting {
			return v.To(stateWaiting, "suspended until somebody resumes it")
		}
		return v.To(stateRunning, "")
	}
	o := Output{Phase: out.Phase, Message: clip(out.Message, 2000), Parameters: out.Outputs.Parameters}
	for name, a := range out.Outputs.Artifacts {
		if o.Artifacts == nil {
			o.Artifacts = map[string]string{}
		}
		o.Artifacts[name] = a.Digest
	}
	if err := v.Output(o); err != nil {
		return err
	}
	switch out.Phase {
	case Failed:
		return v.To(stateFailed, o.Message)
	case Error:
		return v.To(stateError, o.Message)
	}
	return v.To(stateSucceeded, "")
}

// retryRun sets a run that ended badly back: what failed is done again, and what came after it is begun anew.
// Argo: nodes that succeeded before the failure stay.
func retryRun(v *run.View) error {
	if v.Run.State == stateSucceeded {
		return fault.Errorf(fault.Conflict, "run %s has succeeded; submit it again instead", v.Run.ID)
	}
	p, err := planOf(v.Run)
	if err != nil {
		return err
	}
	f := factsOf(v.Run, v.Steps, v.Now)
	redo := failedNodes(p, f, v.Run.ID)
	if len(redo) == 0 {
		return fault.Errorf(fault.Conflict, "no step of run %s failed, so there is nothing to do again; correct the document and submit it", v.Run.ID)
	}
	for key, s := range current(v.Steps) {
		again, found := redo[key]
		if !found {
			continue
		}
		d := dataOf(s)
		if again && !d.Broken && d.Type != TypeSuspend {
			v.Again(s)
			continue
		}
		d.Stale = true
		v.SetData(s, d)
	}
	v.Run.Started = time.Time{} // its deadline counts anew from the next lease
	v.Run.Output = nil
	return v.Reopen(statePending, "retried")
}

// failedNodes gives the leaves that a retry touches: true for one that is done again in its place, false for one that
// belongs to what came after a failure.
func failedNodes(p *Plan, f Facts, runID string) map[string]bool {
	out := Next(p, runID, f)
	nodes := map[string]*Node{}
	after := map[string][]string{} // nodes by what they depend on
	inside := map[string][]string{}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		nodes[n.Key] = n
		for _, d := range n.Depends {
			after[d] = append(after[d], n.Key)
		}
		inside[n.Parent] = append(inside[n.Parent], n.Key)
	}
	redo := map[string]bool{}
	var drop func(key string)
	drop = func(key string) {
		if again, seen := redo[key]; seen && !again {
			return
		}
		redo[key] = false
		for _, k := range append(after[key], inside[key]...) {
			drop(k)
		}
	}
	superseded := func(n *Node) bool { // an attempt that another followed
		for _, k := range after[n.Key] {
			if next := nodes[k]; next.Parent == n.Parent && nodes[n.Parent] != nil && nodes[n.Parent].Type == TypeRetry {
				return true
			}
		}
		return false
	}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		if !n.Phase.Bad() || n.Step == "" || superseded(n) {
			continue
		}
		if _, dropped := redo[n.Key]; !dropped {
			redo[n.Key] = true
		}
		for at := n; at != nil; at = nodes[at.Parent] {
			for _, k := range after[at.Key] {
				drop(k)
			}
		}
	}
	exit := p.Spec.Entrypoint + exitSuffix
	for key, again := range redo {
		if again && !strings.HasPrefix(key, exit) && nodes[exit] != nil { // the exit handler speaks of the whole
			drop(exit)
			break
		}
	}
	return redo
}
