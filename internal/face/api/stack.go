package api

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Named is the path of an entity whose kind the route says.
type Named struct {
	Namespace string `path:"namespace" maxLength:"63"`
	Name      string `path:"name" maxLength:"63"`
}

func (n Named) ref(kind string) ref.Entity { return ref.New(kind, n.Namespace, n.Name) }

func (a *API) stackRoutes() {
	register(a, operation("listStacks", http.MethodGet, "/stacks", "stacks", "Stacks, by reference"), a.listStacks)
	register(a, operation("getStack", http.MethodGet, "/stacks/{namespace}/{name}", "stacks", "One stack"), a.getStack)
	register(a, operation("listStates", http.MethodGet, "/stacks/{namespace}/{name}/states", "stacks", "Versions of a stack's state, newest first"), a.listStates)
	op := operation("startStackRun", http.MethodPost, "/stacks/{namespace}/{name}/runs", "stacks", "Start a run: tracked, proposed or destroy")
	op.DefaultStatus = 201
	register(a, op, a.startStackRun)
	a.stackUploadRoutes()
	register(a, operation("unlockStack", http.MethodPost, "/stacks/{namespace}/{name}/unlock", "stacks", "Free the lock of a stack's state, whoever holds it"), a.unlockStack)
}

func (a *API) listStacks(ctx context.Context, in *Paging) (*body[List[Stack]], error) {
	stacks, err := a.Stacks.List(ctx, in.part())
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
	return answer(s), err
}

func (a *API) wireStack(ctx context.Context, o stack.Overview) (Stack, error) {
	s := Stack{
		Ref: o.Ref.String(), Namespace: o.Ref.Namespace, Name: o.Ref.Name, Space: o.Space, Owner: o.Spec.Owner, Component: o.Spec.Component,
		Repository: o.Repository, Branch: o.Branch, Path: o.Path, Autodeploy: o.Spec.Autodeploy, Message: o.Message, Lock: o.Lock,
		Can: []string{},
	}
	for _, begin := range []struct{ can, kind string }{{"plan", stack.Proposed}, {"apply", stack.Tracked}, {"destroy", stack.Destroy}} {
		if a.Access.May(ctx, stack.Right(begin.kind), o.Space) {
			s.Can = append(s.Can, begin.can)
		}
	}
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
	return s, nil
}

func wireState(v stack.StateVersion, who func(string) Actor) StateVersion {
	return StateVersion{
		ID: v.ID, Serial: v.Serial, Resources: v.Resources, Size: v.Size, Run: v.Run, Actor: who(v.Actor), Outputs: wireOutputs(v.Outputs),
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
		Type   string `json:"type,omitempty" enum:"tracked,proposed,destroy" default:"tracked"`
		Commit string `json:"commit,omitempty" maxLength:"64" doc:"Empty for the head of the stack's branch."`

		Configuration string `json:"configuration,omitempty" maxLength:"64" doc:"Of an uploaded folder, instead of a commit."`
	}
}

func (a *API) startStackRun(ctx context.Context, in *startStackRunInput) (*tagged[RunDetail], error) {
	var r run.Run
	var err error
	if in.Body.Configuration == "" {
		r, err = a.Stacks.Start(ctx, in.ref("stack"), in.Body.Type, in.Body.Commit)
	} else {
		r, err = a.Stacks.StartUpload(ctx, in.ref("stack"), stack.UploadRun{Type: in.Body.Type, Configuration: in.Body.Configuration, Commit: in.Body.Commit})
	}
	if err != nil {
		return nil, err
	}
	return a.getRun(ctx, &RunInput{r.ID})
}

func (a *API) unlockStack(ctx context.Context, in *Named) (*struct{}, error) {
	return nil, a.Stacks.Unlock(ctx, in.ref("stack"), nil, true)
}

func (a *API) getPlan(ctx context.Context, in *RunInput) (*body[Plan], error) {
	p, err := a.Stacks.ReadPlan(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(Plan{Summary: Summary(p.Summary), Changes: wireChanges(p.Changes), Outputs: wireChanges(p.Outputs)}), nil
}

func wireChanges(changes []stack.Change) []PlanChange {
	out := make([]PlanChange, len(changes))
	for i, c := range changes {
		out[i] = PlanChange{Address: c.Address, PreviousAddress: c.PreviousAddr, Type: c.Type, Name: c.Name, Module: c.Module, Action: c.Action, Reason: c.Reason, Before: c.Before, After: c.After, AfterUnknown: c.AfterUnknown, Sensitive: c.Sensitive}
	}
	return out
}
