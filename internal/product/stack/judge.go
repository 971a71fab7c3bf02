package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// ActionJudge names the platform step that asks the plan policies.
const ActionJudge = "stack.judge"

// JudgeInput is what that step is told.
type JudgeInput struct {
	Run  string `json:"run"`
	Plan string `json:"plan"` // digest of the plan as JSON
	// Third is what other programs say of the plan, such as infracost: name → digest of its JSON.
	Third map[string]string `json:"third,omitempty"`
	// Init is what the plan's init has left for the next run, if it had one of its own.
	Init     *Init `json:"init,omitempty"`
	InitKept bool  `json:"initKept,omitempty"`
}

// Handlers gives the platform steps of this room.
func (s *Service) Handlers() map[string]worker.Handler {
	return map[string]worker.Handler{ActionJudge: s.judge, ActionApprove: s.askApproval, ActionAdopt: s.adopt, ActionInputs: s.inputs, ActionRecall: s.recall, ActionKeep: s.keepAfter}
}

// judge asks the plan policies about a plan. Doing it twice only records the decision twice.
func (s *Service) judge(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var in JudgeInput
	if err := json.Unmarshal(l.Job.Input, &in); err != nil {
		return worker.Result{}, fault.Wrap(err, "read the step's input")
	}
	data, err := s.readBlob(ctx, in.Plan)
	if err != nil {
		return worker.Result{}, fault.Wrap(err, "read the plan")
	}
	r, told, err := s.runOf(ctx, in.Run)
	if err != nil {
		return worker.Result{}, err
	}
	var v Verdict
	if data, err = s.put(ctx, told, data, &v); err != nil {
		return worker.Result{}, err
	}
	plan, err := ReadPlan(data)
	if err != nil {
		return worker.Result{}, err
	}
	stack, err := s.standing(ctx, r.Subject, r.Space)
	if err != nil {
		return worker.Result{}, err
	}
	cost, said, err := s.costs(ctx, r.Space, plan, in.Third[ByInfracost], log)
	if err != nil {
		return worker.Result{}, err
	}
	about, err := s.planInput(ctx, r, stack, cmp.Or(v.Plan, in.Plan), plan)
	if err != nil {
		return worker.Result{}, err
	}
	if err := cost.shown(about, stackID(stack.Ref.String()), said, log); err != nil {
		return worker.Result{}, err
	}
	d, err := s.Policy.Decide(ctx, "plan", r.Space, about, policy.Refs{Run: r.ID, Subject: r.Subject, Labels: stack.Spec.Labels})
	if err != nil {
		return worker.Result{}, fault.Wrap(err, "ask the plan policies")
	}
	v.Summary, v.Deny, v.Warn = plan.Summary, d.Outcome["deny"], d.Outcome["warn"]
	if told.Type == Drift {
		v.Drifted = plan.drifted()
	}
	if v.Cost, err = s.keepCost(ctx, cost); err != nil {
		return worker.Result{}, err
	}
	say(log, plan, d, v)
	if told.unreviewed(1) != "" && len(v.Deny) == 0 {
		if r.Output, err = json.Marshal(Output{Plan: cmp.Or(v.Plan, in.Plan)}); err != nil { // they see what it would do
			return worker.Result{}, err
		}
		err := s.approved(ctx, r, stack, nil)
		if err != nil && !fault.Is(err, fault.Denied) {
			return worker.Result{}, err
		}
		if v.Approved = err == nil; !v.Approved {
			fmt.Fprintf(log, "not applied without review: %s\n", fault.Message(err))
		}
		if v.Overtaken, err = s.overtaken(ctx, stack, r); err != nil {
			return worker.Result{}, err
		}
	}
	if told.Type == Proposed && len(v.Warn) > 0 && len(v.Deny) == 0 {
		if v.Review, err = s.Policy.Attached(ctx, "approval", r.Space, policy.Refs{Run: r.ID, Subject: r.Subject, Labels: stack.Spec.Labels}); err != nil {
			return worker.Result{}, fault.Wrap(err, "look for approval policies")
		}
	}
	out, err := json.Marshal(v)
	if err == nil {
		err = s.keepInit(ctx, told, stack, in)
	}
	return worker.Result{Data: out, Message: plan.Summary.String()}, err
}

// put gives what a tool has told of a plan in the form of an engine's, and keeps that.
func (s *Service) put(ctx context.Context, in Input, told []byte, v *Verdict) ([]byte, error) {
	is, err := in.tool().read(in, told)
	if err != nil || is == nil {
		return told, err
	}
	data, err := is.plan.encode()
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		data []byte
		into *string
	}{{data, &v.Plan}, {is.delete, &v.Delete}, {is.keep, &v.Keep}} {
		if *part.into, err = s.sealed(ctx, part.data); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// standsIn fails for a stack whose document is deleted, or is another one by now in another space: nothing is done in its
// name by runs of the one before.
func (s Stack) standsIn(space string) error {
	if s.Deleted || s.Space != space {
		return fault.Errorf(fault.Conflict, "the document of %s is deleted; apply it again first, and start a new run", s.Ref)
	}
	return nil
}

// standing gives the stack of a run; Conflict for one that is deleted, or another by now.
func (s *Service) standing(ctx context.Context, subject, space string) (stack Stack, err error) {
	r, err := ref.Parse(subject, "stack", ref.DefaultNamespace)
	if err != nil {
		return stack, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if stack, err = getStack(ctx, tx, r, ""); err != nil {
			return err
		}
		return stack.standsIn(space)
	})
	return stack, err
}

// planInput is Spacelift's shape of a plan policy's input, without the values that the plan calls sensitive. What is
// beside it, input.run, is the platform's own.
func (s *Service) planInput(ctx context.Context, r run.Run, stack Stack, digest string, p Plan) (map[string]any, error) {
	outputs := map[string]any{}
	for _, o := range p.Outputs {
		outputs[o.Address] = map[string]any{"actions": o.Actions}
	}
	in := inputOf(r)
	var last *run.Run
	if err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		last, err = s.previous(ctx, tx, r.Subject, r.Space, r.ID)
		return err
	}); err != nil {
		return nil, err
	}
	now := s.runBrief(ctx, r)
	now["commit"] = s.commitInput(ctx, r.Source.Repository, branchOf(r.Source.Ref), r.Source.Commit, s.committer(ctx, r))
	var err error
	if now["changes"], err = s.briefOf(digest, p); err != nil {
		return nil, err
	}
	about, err := s.stackSeen(ctx, stack, &r)
	if err != nil {
		return nil, err
	}
	version := p.Engine
	if p.Vendor != vendorEngine {
		version = "" // it is another program's
	}
	about["terraform_version"], about["project_root"] = orNull(version), in.Path
	spacelift := map[string]any{
		"run": now, "stack": about, "request": map[string]any{"timestamp_ns": r.Created.UnixNano()},
		"commit": now["commit"],
	}
	if last != nil {
		if spacelift["previous_run"], err = s.runInput(ctx, *last); err != nil {
			return nil, err
		}
	}
	all := map[string]any{
		"run":       map[string]any{"id": r.ID, "type": in.Type, "state": r.State, "author": r.Actor, "authors": in.authorsOf(r)},
		"spacelift": spacelift, "third_party_metadata": map[string]any{},
		"terraform": map[string]any{"resource_changes": resourceInput(p.listed()), "resource_drift": resourceInput(p.byOthers()), "output_changes": outputs, "terraform_version": version},
	}
	maps.Copy(all, p.beside())
	return all, nil
}

// resourceInput gives changes as engines write them.
func resourceInput(all []Change) []any {
	out := make([]any, 0, len(all))
	for _, c := range all {
		change := map[string]any{"actions": c.Actions, "before": c.Before, "after": c.After, "after_unknown": c.AfterUnknown}
		if c.Importing != nil {
			change["importing"] = c.Importing
		}
		one := map[string]any{
			"address": c.Address, "type": c.Type, "name": c.Name, "module_address": c.Module, "action_reason": c.Reason,
			"mode": c.Mode, "provider_name": c.Provider, "change": change,
		}
		if c.PreviousAddr != "" {
			one["previous_address"] = c.PreviousAddr
		}
		out = append(out, one)
	}
	return out
}

func say(log io.Writer, p Plan, d policy.Decision, v Verdict) {
	fmt.Fprintf(log, "plan: %s\n", p.Summary)
	for _, name := range d.Policies {
		fmt.Fprintf(log, "asked: %s\n", name)
	}
	if len(d.Policies) == 0 {
		fmt.Fprintln(log, "no plan policy is attached to this space")
	}
	for _, w := range v.Warn {
		fmt.Fprintf(log, "warning: %s\n", w)
	}
	for _, w := range v.Deny {
		fmt.Fprintf(log, "denied: %s\n", w)
	}
}
