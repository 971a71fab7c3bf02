package api

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Named is the path of an entity whose kind the route says.
type Named struct {
	Namespace string `path:"namespace" maxLength:"63"`
	Name      string `path:"name" maxLength:"63"`
}

func (n Named) ref(kind string) ref.Entity { return ref.New(kind, n.Namespace, n.Name) }

func (a *API) stackRoutes() {
	a.contextRoutes()
	register(a, operation("listStacks", http.MethodGet, "/stacks", "stacks", "Stacks, by reference"), a.listStacks)
	register(a, operation("getStack", http.MethodGet, "/stacks/{namespace}/{name}", "stacks", "One stack"), a.getStack)
	register(a, operation("listStates", http.MethodGet, "/stacks/{namespace}/{name}/states", "stacks", "Versions of a stack's state, newest first"), a.listStates)
	op := operation("startStackRun", http.MethodPost, "/stacks/{namespace}/{name}/runs", "stacks", "Start a run: tracked, proposed, destroy, drift or task")
	op.DefaultStatus = 201
	register(a, op, a.startStackRun)
	a.stackUploadRoutes()
	a.queueRoutes()
	register(a, operation("unlockStack", http.MethodPost, "/stacks/{namespace}/{name}/unlock", "stacks", "Free the lock of a stack's state, whoever holds it"), a.unlockStack)
	a.stateRoutes()
}

type listStacksInput struct {
	Paging
	Text    string `query:"text" maxLength:"1000" doc:"Each of its words is in the reference, the repository or the folder, in any case."`
	Space   string `query:"space" maxLength:"63"`
	State   string `query:"state" maxLength:"300" doc:"Of the newest run that is no preview, with commas for several; none for stacks that never ran."`
	Drifted bool   `query:"drifted" doc:"Only those that differ from what was applied."`
	Queued  bool   `query:"queued" doc:"Only those with runs that wait."`
	Set     string `query:"set" maxLength:"200" doc:"Only those of a StackSet: NAMESPACE/NAME."`
}

func (a *API) listStacks(ctx context.Context, in *listStacksInput) (*body[List[Stack]], error) {
	stacks, err := a.Stacks.List(ctx, stack.Query{
		Text: in.Text, Space: in.Space, States: words(in.State), Drifted: in.Drifted, Queued: in.Queued, Set: in.Set,
	}, in.part())
	if err != nil {
		return nil, err
	}
	items := make([]Stack, len(stacks.Items))
	for i, s := range stacks.Items {
		if items[i], err = a.wireStack(ctx, s); err != nil {
			return nil, err
		}
	}
	return list(items, stacks.Next), nil
}

func (a *API) getStack(ctx context.Context, in *Named) (*body[Stack], error) {
	o, err := a.Stacks.Get(ctx, in.ref("stack"))
	if err != nil {
		return nil, err
	}
	s, err := a.wireStack(ctx, o)
	if err != nil {
		return nil, err
	}
	set, err := a.Stacks.MembershipOf(ctx, o.Ref)
	if err != nil {
		return nil, err
	}
	s.Set = wireMembership(set)
	upstream, downstream, err := a.Stacks.Neighbours(ctx, o.Ref)
	s.DependsOn, s.Dependents = wireNeighbours(upstream), wireNeighbours(downstream)
	return answer(s), err
}

func wireNeighbours(all []stack.Neighbour) []StackNeighbour {
	out := make([]StackNeighbour, len(all))
	for i, n := range all {
		out[i] = StackNeighbour{Stack: n.Ref.String(), Always: n.Always, Unused: n.Unused, Outputs: make([]StackOutputUse, len(n.Outputs))}
		for k, use := range n.Outputs {
			out[i].Outputs[k] = StackOutputUse{Output: use.Output, As: use.As}
		}
	}
	return out
}

func (a *API) wireStack(ctx context.Context, o stack.Overview) (Stack, error) {
	s := Stack{
		Ref: o.Ref.String(), Namespace: o.Ref.Namespace, Name: o.Ref.Name, Space: o.Space, Owner: o.Spec.Owner, Component: o.Spec.Component,
		Repository: o.Repository, Branch: o.Branch, Path: o.Path, Vendor: o.Spec.Vendor.Word(), Autodeploy: o.Spec.Autodeploy, WorkerPool: o.Spec.WorkerPool, Message: o.Message, Lock: o.Lock,
		Can: []string{}, Queued: o.Queued,
	}
	for _, begin := range []struct{ can, kind string }{{"plan", stack.Proposed}, {"apply", stack.Tracked}, {"destroy", stack.Destroy}, {"task", stack.Task}} {
		if a.Access.May(ctx, stack.Right(begin.kind), o.Space) {
			s.Can = append(s.Can, begin.can)
		}
	}
	s.Can = append(s.Can, a.mayState(ctx, o.Space)...)
	if o.Lock != "" && a.Access.May(ctx, "stack:state", o.Space) && a.Access.May(ctx, "stack:unlock", o.Space) {
		s.Can = append(s.Can, "unlock")
	}
	var ids []string
	if o.Last != nil {
		ids = append(ids, o.Last.Actor)
	}
	if o.State != nil {
		ids = append(ids, o.State.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return s, err
	}
	if o.Last != nil && a.Access.May(ctx, "run:read", o.Space) {
		r := a.wireRun(ctx, *o.Last, who)
		s.LastRun = &r
	}
	if o.State != nil {
		v := wireState(*o.State, who)
		s.State = &v
	}
	if !o.Drift.Checked.IsZero() {
		s.Drift = &StackDrift{Checked: o.Drift.Checked.UTC(), Found: o.Drift.Found, Run: o.Drift.Run, Summary: o.Drift.Summary}
	}
	if !o.Next.IsZero() {
		next := o.Next.UTC()
		s.Next = &next
	}
	return s, nil
}

func wireState(v stack.StateVersion, who func(string) Actor) StateVersion {
	return StateVersion{
		ID: v.ID, Serial: v.Serial, Lineage: v.Lineage, Resources: v.Resources, Size: v.Size, Run: v.Run, Actor: who(v.Actor), Outputs: wireOutputs(v.Outputs),
		Created: time.UnixMicro(v.Created).UTC(),
	}
}

func wireOutputs(outputs map[string]stack.Value) map[string]Value {
	out := make(map[string]Value, len(outputs))
	for name, v := range outputs {
		out[name] = Value(v)
	}
	return out
}

type listStatesInput struct {
	Named
	Paging
}

func (a *API) listStates(ctx context.Context, in *listStatesInput) (*body[List[StateVersion]], error) {
	states, err := a.Stacks.States(ctx, in.ref("stack"), in.part())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, v := range states.Items {
		ids = append(ids, v.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	return listPart(states, func(v stack.StateVersion) StateVersion { return wireState(v, who) }), nil
}

type startStackRunInput struct {
	Named
	Body struct {
		Type   string `json:"type,omitempty" enum:"tracked,proposed,destroy,drift,task" default:"tracked"`
		Commit string `json:"commit,omitempty" maxLength:"64" doc:"Empty for the head of the stack's branch."`

		Command       string `json:"command,omitempty" maxLength:"8192" doc:"Of a task: what is run beside the configuration, by sh."`
		SkipInit      bool   `json:"skipInit,omitempty" doc:"Of a task of OpenTofu, Terraform or Terragrunt: the engine's init is left out, with its hooks, so that the state is not at hand."`
		Reconcile     bool   `json:"reconcile,omitempty" doc:"Of drift: what is found is followed by a tracked run, which takes stack:apply."`
		Dependents    bool   `json:"dependents,omitempty" doc:"Of a destroy run: destroy what depends on the stack first, each by a run of its own. The newest of these is given."`
		Configuration string `json:"configuration,omitempty" maxLength:"64" doc:"Of an uploaded folder, instead of a commit."`
	}
}

func (a *API) startStackRun(ctx context.Context, in *startStackRunInput) (*tagged[RunDetail], error) {
	if in.Body.Dependents && (in.Body.Type != stack.Destroy || in.Body.Commit != "" || in.Body.Configuration != "") {
		return nil, fault.Errorf(fault.Invalid, "dependents go with a destroy run at the head of the branch; leave them out, or write type destroy and no commit")
	}
	var r run.Run
	var err error
	switch {
	case in.Body.Dependents:
		r, err = a.Stacks.DestroyAll(ctx, in.ref("stack"))
	case in.Body.Configuration != "" && (in.Body.Command != "" || in.Body.Reconcile || in.Body.SkipInit):
		err = fault.Errorf(fault.Invalid, "a command and skipInit go with a task and reconcile with drift, and none with an uploaded folder; leave them out")
	case in.Body.Configuration != "":
		r, err = a.Stacks.StartUpload(ctx, in.ref("stack"), stack.UploadRun{Type: in.Body.Type, Configuration: in.Body.Configuration, Commit: in.Body.Commit})
	default:
		r, err = a.Stacks.Begin(ctx, in.ref("stack"), stack.Order{Type: in.Body.Type, Commit: in.Body.Commit, Command: in.Body.Command, Reconcile: in.Body.Reconcile, SkipInit: in.Body.SkipInit})
	}
	if err != nil {
		return nil, err
	}
	return a.getRun(ctx, &RunInput{r.ID})
}

type unlockStackInput struct {
	Named
	Mine bool `query:"mine" doc:"Only a lock that the caller took."`
}

func (a *API) unlockStack(ctx context.Context, in *unlockStackInput) (*struct{}, error) {
	if in.Mine {
		return nil, a.Stacks.UnlockOwn(ctx, in.ref("stack"))
	}
	return nil, a.Stacks.Unlock(ctx, in.ref("stack"), nil, true)
}

func (a *API) getPlan(ctx context.Context, in *RunInput) (*body[Plan], error) {
	p, err := a.Stacks.ReadPlan(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := Plan{
		Vendor: p.Vendor, Summary: Summary(p.Summary), Changes: wireChanges(p.Changes), Outputs: wireChanges(p.Outputs), Refresh: p.Refresh,
		Outside: wireChanges(p.Outside[:min(len(p.Outside), mostOutside)]), Cost: wireCost(p.Cost),
	}
	out.OutsideMore = len(p.Outside) - len(out.Outside)
	return answer(out), nil
}

// mostOutside bounds what a plan tells of what was changed outside.
const mostOutside = 500

func wireChanges(changes []stack.Change) []PlanChange {
	out := make([]PlanChange, len(changes))
	for i, c := range changes {
		out[i] = PlanChange{Address: c.Address, PreviousAddress: c.PreviousAddr, Type: c.Type, Name: c.Name, Module: c.Module, Action: c.Action, Reason: c.Reason, Before: c.Before, After: c.After, AfterUnknown: c.AfterUnknown, Sensitive: c.Sensitive, ReplacePaths: c.Replaces}
	}
	return out
}
