package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) machineRoutes() {
	register(a, operation("listMachines", http.MethodGet, "/machines", "tokens", "Accounts for scripts and outside systems"), a.listMachines)
	op := operation("createMachine", http.MethodPost, "/machines", "tokens", "A new account for a script, which may do nothing until a RoleBinding names it")
	op.DefaultStatus = 201
	register(a, op, a.createMachine)
	register(a, operation("deleteMachine", http.MethodDelete, "/machines/{space}/{name}", "tokens", "End a machine with its tokens"), a.deleteMachine)
}

func wireMachine(p identity.Principal) Machine {
	return Machine{ID: p.ID, Ref: p.Ref.String(), Name: p.Name, Space: p.Space, Description: p.Description, Created: p.Created.UTC()}
}

func (a *API) listMachines(ctx context.Context, in *Paging) (*body[List[Machine]], error) {
	part, err := a.Identity.ListMachines(ctx, in.part())
	return listPart(part, wireMachine), err
}

type createMachineInput struct {
	Body struct {
		Name        string `json:"name" minLength:"1" maxLength:"63"`
		Space       string `json:"space,omitempty" maxLength:"63" doc:"The root space when absent."`
		Description string `json:"description,omitempty" maxLength:"1000"`
	}
}

func (a *API) createMachine(ctx context.Context, in *createMachineInput) (*body[Machine], error) {
	p, err := a.Identity.CreateMachine(ctx, identity.NewMachine{Space: in.Body.Space, Name: in.Body.Name, Description: in.Body.Description})
	if err != nil {
		return nil, err
	}
	return answer(wireMachine(p)), nil
}

type machineInput struct {
	Space string `path:"space" maxLength:"63"`
	Name  string `path:"name" maxLength:"63"`
}

func (a *API) deleteMachine(ctx context.Context, in *machineInput) (*struct{}, error) {
	return nil, a.Identity.DeleteMachine(ctx, ref.New("machine", in.Space, in.Name))
}
