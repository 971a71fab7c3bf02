package workflow

import (
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
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
