package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) stateRoutes() {
	const one = "/stacks/{namespace}/{name}"
	register(a, operation("getState", http.MethodGet, one+"/states/{id}", "stacks", "One version of a stack's state"), a.getState)
	register(a, operation("listStateResources", http.MethodGet, one+"/states/{id}/resources", "stacks", "What a version of a state holds, by address"), a.listStateResources)
	register(a, operation("getStateResource", http.MethodGet, one+"/states/{id}/resource", "stacks", "One resource in a version of a state"), a.getStateResource)
	register(a, operation("diffStates", http.MethodGet, one+"/states/{id}/diff", "stacks", "What differs between two versions of a state, by address"), a.diffStates)
	register(a, operation("rollbackState", http.MethodPost, one+"/states/{id}/rollback", "stacks", "Make the content of an earlier version the newest version"), a.rollbackState)
	register(a, operation("lockStack", http.MethodPost, one+"/lock", "stacks", "Take the lock of a stack's state as a person"), a.lockStack)
	register(a, operation("moveResources", http.MethodPost, one+"/move-resources", "stacks", "Move resources from the state of one stack to that of another"), a.moveResources)
	register(a, operation("listResources", http.MethodGet, "/resources", "stacks", "What is under management in the newest states of all stacks, by stack and address"), a.listResources)
}

// mayState tells what the caller may do with the state of a stack, whoever holds it.
func (a *API) mayState(ctx context.Context, space string) (can []string) {
	write := a.Access.May(ctx, "stack:state", space)
	if write {
		can = append(can, "state")
	}
	if write || a.Access.May(ctx, "stack:state-read", space) {
		can = append(can, "state-read")
	}
	return can
}

// StateInput is the path of a version of a stack's state.
type StateInput struct {
	Named
	ID string `path:"id" maxLength:"60" doc:"The id of a version, its serial, or latest."`
}

func (a *API) wireVersions(ctx context.Context, versions ...stack.StateVersion) ([]StateVersion, error) {
	var ids []string
	for _, v := range versions {
		ids = append(ids, v.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]StateVersion, len(versions))
	for i, v := range versions {
		out[i] = wireState(v, who)
	}
	return out, nil
}

func (a *API) answerVersion(ctx context.Context, v stack.StateVersion, err error) (*body[StateVersion], error) {
	if err != nil {
		return nil, err
	}
	all, err := a.wireVersions(ctx, v)
	if err != nil {
		return nil, err
	}
	return answer(all[0]), nil
}

func (a *API) getState(ctx context.Context, in *StateInput) (*body[StateVersion], error) {
	v, err := a.Stacks.Version(ctx, in.ref("stack"), in.ID)
	return a.answerVersion(ctx, v, err)
}

type listStateResourcesInput struct {
	StateInput
	Paging
	Text string `query:"text" maxLength:"300" doc:"In the address, or an identifying value."`
}

func (a *API) listStateResources(ctx context.Context, in *listStateResourcesInput) (*body[List[StateResource]], error) {
	found, err := a.Stacks.StateResources(ctx, in.ref("stack"), in.ID, in.Text, in.part())
	if err != nil {
		return nil, err
	}
	return listPart(found, func(r stack.StateResource) StateResource { return StateResource(r) }), nil
}

type getStateResourceInput struct {
	StateInput
	Address string `query:"address" required:"true" maxLength:"4000"`
}

func (a *API) getStateResource(ctx context.Context, in *getStateResourceInput) (*body[StateResource], error) {
	r, err := a.Stacks.StateResource(ctx, in.ref("stack"), in.ID, in.Address)
	if err != nil {
		return nil, err
	}
	return answer(StateResource(r)), nil
}

type diffStatesInput struct {
	StateInput
	Paging
	From   string `query:"from" maxLength:"60" doc:"The version to compare with, like id; when it is not given, the one before."`
	Action string `query:"action" enum:"create,update,delete"`
	Text   string `query:"text" maxLength:"300" doc:"In the address."`
}

func (a *API) diffStates(ctx context.Context, in *diffStatesInput) (*body[StateDiff], error) {
	d, err := a.Stacks.DiffStates(ctx, in.ref("stack"), in.From, in.ID, stack.DiffOptions{Action: in.Action, Text: in.Text}, in.part())
	if err != nil {
		return nil, err
	}
	versions, err := a.wireVersions(ctx, d.From, d.To)
	if err != nil {
		return nil, err
	}
	out := StateDiff{
		To: versions[1], Created: d.Created, Updated: d.Updated, Deleted: d.Deleted, Values: d.Values,
		Outputs: wireStateChanges(d.Outputs), Items: wireStateChanges(d.Changes.Items), Next: d.Changes.Next,
	}
	if d.From.ID != "" {
		out.From = &versions[0]
	}
	return answer(out), nil
}

func wireStateChanges(changes []stack.StateChange) []StateChange {
	out := make([]StateChange, len(changes))
	for i, c := range changes {
		out[i] = StateChange(c)
	}
	return out
}

type rollbackStateInput struct {
	StateInput
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"1000"`
	}
}

func (a *API) rollbackState(ctx context.Context, in *rollbackStateInput) (*body[StateVersion], error) {
	v, err := a.Stacks.Rollback(ctx, in.ref("stack"), in.ID, in.Body.Reason)
	return a.answerVersion(ctx, v, err)
}

type lockStackInput struct {
	Named
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"1000" doc:"Shown to whoever is held back by it."`
	}
}

func (a *API) lockStack(ctx context.Context, in *lockStackInput) (*struct{}, error) {
	return nil, a.Stacks.LockByHand(ctx, in.ref("stack"), in.Body.Reason)
}

type moveResourcesInput struct {
	Named
	Body struct {
		To        string   `json:"to" maxLength:"200" doc:"The other stack: NAMESPACE/NAME, or its reference."`
		Addresses []string `json:"addresses" minItems:"1" maxItems:"1000" doc:"Each is of an instance, of a resource with all its instances, or of a module with all in it."`
		Try       bool     `json:"try,omitempty" doc:"Tell what would move, and write nothing."`
	}
}

func (a *API) moveResources(ctx context.Context, in *moveResourcesInput) (*body[MovedResources], error) {
	to, err := ref.Parse(in.Body.To, "stack", ref.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	m, err := a.Stacks.MoveResources(ctx, in.ref("stack"), to, in.Body.Addresses, in.Body.Try)
	if err != nil {
		return nil, err
	}
	versions, err := a.wireVersions(ctx, m.From, m.To)
	if err != nil {
		return nil, err
	}
	out := MovedResources{Addresses: m.Addresses[:min(len(m.Addresses), 1000)], Count: len(m.Addresses), From: versions[0], Tried: in.Body.Try}
	if m.To.ID != "" {
		out.To = &versions[1]
	}
	return answer(out), nil
}
