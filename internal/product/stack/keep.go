package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Of a tool that keeps no state at the platform's door, the platform keeps one: what it has to know for its next plan, its
// resources and its outputs, in the form of an engine's, so that versions, outputs, resources and dependencies are as they
// are for engines. A step before the plan takes up what is kept, and one after the apply, however that ended, keeps what is
// there then. Both are of a run that holds the stack, or changes nothing.

// keeper is what a tool keeps.
type keeper interface {
	// held gives what a tool is told of the state before it plans.
	held(f stateFile, raw []byte) ([]byte, error)
	// state gives the state after an apply. outputs is what the apply has left under that name; nil for nothing. An apply that
	// did not succeed may have done any part of its work. Nil keeps the state that is there.
	state(in Input, before stateFile, a applied) (*keptState, error)
}

// applied is what a keeper is told of an apply.
type applied struct {
	keep    []byte // of its plan
	left    []byte // the apply's artifact pulumiExport
	outputs []byte // and "outputs"
	done    bool
}

// keptState is a state as the platform writes it.
type keptState struct {
	Version   int              `json:"version"`
	Engine    string           `json:"terraform_version"`
	Serial    int64            `json:"serial"`
	Lineage   string           `json:"lineage"`
	Outputs   map[string]Value `json:"outputs"`
	Resources []keptResource   `json:"resources"`
	Vendor    string           `json:"roadbed_vendor"`
	Held      json.RawMessage  `json:"roadbed_held,omitempty"` // what the tool itself keeps
}

type keptResource struct {
	Module    string         `json:"module,omitempty"`
	Mode      string         `json:"mode"`
	Type      string         `json:"type"`
	Name      string         `json:"name"`
	Provider  string         `json:"provider"`
	Instances []keptInstance `json:"instances"`
}

type keptInstance struct {
	Deposed    string `json:"deposed,omitempty"`
	Attributes any    `json:"attributes"`
}

// Platform steps around a tool that keeps no state.
const (
	ActionRecall = "stack.recall"
	ActionKeep   = "stack.keep"
)

// RecallInput is what the first is told.
type RecallInput struct {
	Run string `json:"run"`
}

// recalled is what it gives.
type recalled struct {
	Held string `json:"held"` // digest, sealed
}

// KeepInput is what the second is told: digests of what is sealed.
type KeepInput struct {
	Run     string `json:"run"`
	Keep    string `json:"keep,omitempty"`
	Left    string `json:"left,omitempty"`
	Outputs string `json:"outputs,omitempty"`
	Done    bool   `json:"done"`
}

// afterRecall tells whether a run has what it needs of the state that the platform keeps for its tool.
func afterRecall(v *run.View, in Input, n int) (ready bool, err error) {
	if in.tool().keeper(in) == nil {
		return true, nil
	}
	switch step := v.Step(stepKey("state", n)); {
	case step == nil:
		input, _ := json.Marshal(RecallInput{v.Run.ID}) // a string always encodes
		v.Add(run.Step{
			Key: stepKey("state", n), Title: "Read the state", Group: "plan",
			Job: worker.Job{Kind: worker.KindPlatform, Action: ActionRecall, Input: input},
		})
		return false, nil
	case step.State == run.StepWaiting: // of a run that is retried
		v.Release(step)
		return false, nil
	case !step.State.Done():
		return false, nil
	case step.State != run.StepSucceeded:
		return false, end(v, in, failed, "reading the state: "+step.Reason)
	}
	return true, nil
}

// heldFor gives what was recalled for a round, and what the init of the round before has left.
func heldFor(v *run.View, n int) (m made) {
	var told recalled
	if step := v.Step(stepKey("state", n)); step != nil && json.Unmarshal(step.Result.Data, &told) == nil {
		m.held = told.Held
	}
	if plan := v.Step(stepKey("plan", n-1)); n > 1 && plan != nil && plan.State == run.StepSucceeded {
		m.init = initOf(plan) // of the very same files
	}
	return m
}

// afterKeep tells whether what an apply, or a task, has left is kept; it ends the run where it can't be.
func afterKeep(v *run.View, in Input, step *run.Step, n int) (done bool, err error) {
	if in.tool().keeper(in) == nil {
		return true, nil
	}
	switch keep := v.Step(stepKey("keep", n)); {
	case keep == nil:
		told := KeepInput{
			Run: v.Run.ID, Left: step.Result.Artifacts[pulumiExport].Digest, Outputs: step.Result.Artifacts["outputs"].Digest,
			Done: step.State == run.StepSucceeded,
		}
		if verdict, err := verdictOf(v, n); err == nil {
			told.Keep = verdict.Keep
		}
		input, _ := json.Marshal(told) // texts always encode
		v.Add(run.Step{
			Key: stepKey("keep", n), Title: "Keep the state", Group: step.Group,
			Job: worker.Job{Kind: worker.KindPlatform, Action: ActionKeep, Input: input},
		})
		return false, nil
	case !keep.State.Done():
		return false, nil
	case keep.State != run.StepSucceeded:
		why := "keeping what was applied: " + keep.Reason
		if step.State != run.StepSucceeded {
			why = "applying: " + reason(step) + "; " + why
		}
		return false, end(v, in, failed, why+"; retry the run once that is mended: that is tried again before it plans")
	}
	return true, nil
}

// notKept comes before why what an apply has left could not be kept.
const notKept = "what the last apply has left could not be kept; a retry tries that again before it plans: "

// unkept gives the step that was to keep what the newest apply, or task, has left, where it has not.
func unkept(v *run.View) *run.Step {
	if keep := v.Step(stepKey("keep", max(round(v), 1))); keep != nil && keep.State != run.StepSucceeded {
		return keep
	}
	return nil
}

// verdictOf reads what was judged in a round.
func verdictOf(v *run.View, n int) (verdict Verdict, err error) {
	step := v.Step(stepKey("judge", n))
	if step == nil {
		return verdict, fault.Errorf(fault.NotFound, "nothing was judged")
	}
	return verdict, json.Unmarshal(step.Result.Data, &verdict)
}

// recall gives a tool what the platform keeps for it. What changes something needs the lock of the state to be free.
func (s *Service) recall(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var told RecallInput
	if err := json.Unmarshal(l.Job.Input, &told); err != nil {
		return worker.Result{}, fault.Wrap(err, "read the step's input")
	}
	r, in, err := s.runOf(ctx, told.Run)
	if err != nil {
		return worker.Result{}, err
	}
	stack, err := s.standing(ctx, r.Subject, r.Space)
	if err != nil {
		return worker.Result{}, err
	}
	if !onlyPlans(in.Type) {
		err := s.DB.Read(ctx, func(tx *store.Tx) error { return s.heldBy(ctx, tx, stack.Ref, "") })
		if held := (*LockedError)(nil); errors.As(err, &held) {
			return worker.Result{}, fault.Errorf(fault.Conflict, "somebody holds the lock of the state: %s", held.Info)
		} else if err != nil {
			return worker.Result{}, err
		}
	}
	v, f, raw, err := s.keptOf(ctx, stack, in)
	if err != nil {
		return worker.Result{}, err
	}
	held, err := in.tool().keeper(in).held(f, raw)
	if err != nil {
		return worker.Result{}, err
	}
	var out recalled
	if out.Held, err = s.sealed(ctx, held); err != nil {
		return worker.Result{}, err
	}
	fmt.Fprintf(log, "the state has serial %d and %d resources\n", v.Serial, v.Resources)
	data, err := json.Marshal(out)
	return worker.Result{Data: data, Message: fmt.Sprintf("serial %d", v.Serial)}, err
}

// keptOf reads the newest state of a stack, which is to be of its vendor; zero values where there is none.
func (s *Service) keptOf(ctx context.Context, stack Stack, in Input) (v StateVersion, f stateFile, raw []byte, err error) {
	if v, err = s.newest(ctx, stack.Ref); err != nil || v.ID == "" {
		return v, f, nil, err
	}
	if raw, err = s.openState(ctx, v); err != nil {
		return v, f, nil, err
	}
	if f, err = readState(raw); err != nil {
		return v, f, nil, err
	}
	var of struct {
		Vendor string `json:"roadbed_vendor"`
	}
	if err := json.Unmarshal(raw, &of); err != nil {
		return v, f, nil, err
	}
	if word := in.Vendor.Word(); of.Vendor != word && len(f.Resources) > 0 {
		if of.Vendor == "" {
			of.Vendor = "an engine"
		}
		return v, f, nil, fault.Errorf(fault.Conflict, "the state of %s is %s's, and the stack is %s's by now; destroy what is there with that first, or declare the stack under another name", stack.Ref, of.Vendor, word)
	}
	return v, f, raw, nil
}

// sealed keeps bytes as steps are given them.
func (s *Service) sealed(ctx context.Context, data []byte) (string, error) {
	if data == nil {
		return "", nil
	}
	sealed := s.Seal.Sealing(bytes.NewReader(data))
	defer sealed.Close()
	digest, _, err := s.Blob.Put(ctx, sealed, 2*StateLimit)
	return digest, fault.Wrap(err, "keep %d bytes", len(data))
}

func (s *Service) unsealed(ctx context.Context, digest string) ([]byte, error) {
	if digest == "" {
		return nil, nil
	}
	return s.readBlob(ctx, digest)
}

// keepAfter writes the state that an apply has left. Doing it twice changes nothing.
func (s *Service) keepAfter(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var told KeepInput
	if err := json.Unmarshal(l.Job.Input, &told); err != nil {
		return worker.Result{}, fault.Wrap(err, "read the step's input")
	}
	r, in, err := s.runOf(ctx, told.Run)
	if err != nil {
		return worker.Result{}, err
	}
	stack, err := s.standing(ctx, r.Subject, r.Space)
	if err != nil {
		return worker.Result{}, err
	}
	a := applied{done: told.Done}
	for _, part := range []struct {
		digest string
		into   *[]byte
	}{{told.Keep, &a.keep}, {told.Left, &a.left}, {told.Outputs, &a.outputs}} {
		if *part.into, err = s.unsealed(ctx, part.digest); err != nil {
			return worker.Result{}, fault.Wrap(err, "read what the apply has left")
		}
	}
	last, before, raw, err := s.keptOf(ctx, stack, in)
	if err != nil {
		return worker.Result{}, err
	}
	next, err := in.tool().keeper(in).state(in, before, a)
	if err != nil {
		return worker.Result{}, err
	}
	if next == nil {
		fmt.Fprintln(log, "there is nothing to keep")
		return worker.Result{Message: "nothing to keep"}, nil
	}
	next.Version, next.Serial, next.Lineage, next.Vendor = 4, last.inside, last.Lineage, in.Vendor.Word()
	if next.Lineage == "" {
		next.Lineage = rand.Text()
	}
	if next.Outputs == nil {
		next.Outputs = map[string]Value{}
	}
	data, err := json.Marshal(next)
	if err != nil {
		return worker.Result{}, err
	}
	if bytes.Equal(data, raw) { // it is what is there, as where this step was done before
		return worker.Result{Message: fmt.Sprintf("serial %d, as before", last.Serial)}, nil
	}
	next.Serial = last.next()
	if data, err = json.Marshal(next); err != nil {
		return worker.Result{}, err
	}
	v, err := s.keep(ctx, stack.Ref, data)
	if err != nil {
		return worker.Result{}, err
	}
	v.Run, v.Actor = r.ID, "system"
	err = s.DB.Write(long(ctx, v.delta), func(tx *store.Tx) error {
		now, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate())
		if err != nil {
			return err
		}
		if err := now.standsIn(r.Space); err != nil {
			return err
		}
		newest, err := currentState(ctx, tx, stack.Ref)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if newest.ID != last.ID {
			return fault.Errorf(fault.Conflict, "somebody has written a state with serial %d since", newest.Serial)
		}
		return s.addState(ctx, tx, now, "", v, data)
	})
	if held := (*LockedError)(nil); errors.As(err, &held) {
		return worker.Result{}, fault.Errorf(fault.Unavailable, "somebody else holds the lock of the state: %s", held.Info)
	}
	if err != nil {
		return worker.Result{}, err
	}
	fmt.Fprintf(log, "the state with serial %d and %d resources is kept\n", v.Serial, v.Resources)
	return worker.Result{Message: fmt.Sprintf("serial %d", v.Serial)}, nil
}

// mostOutputs bounds the outputs that a tool's own file may give.
const mostOutputs = 1000

// plainOutputs reads outputs from an object of values: each as it is, or as engines write one, with value and sensitive.
func plainOutputs(data []byte) (map[string]Value, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the outputs are not an object of JSON: %w", err)
	}
	return outputsOf(all)
}

func outputsOf(all map[string]json.RawMessage) (map[string]Value, error) {
	if len(all) > mostOutputs {
		return nil, fault.Errorf(fault.Invalid, "%d outputs are too many; at most %d are kept", len(all), mostOutputs)
	}
	out := map[string]Value{}
	for name, raw := range all {
		if !outputName.MatchString(name) {
			return nil, fault.Errorf(fault.Invalid, "%q is not the name of an output; use letters, digits, _ and -", cut(name, 100))
		}
		var whole struct {
			Value     json.RawMessage `json:"value"`
			Type      json.RawMessage `json:"type"`
			Sensitive bool            `json:"sensitive"`
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) && d.Decode(&whole) == nil && whole.Value != nil {
			out[name] = Value{Value: whole.Value, Sensitive: whole.Sensitive}
			continue
		}
		out[name] = Value{Value: raw}
	}
	return out, nil
}
