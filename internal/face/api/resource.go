package api

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

type listResourcesInput struct {
	Paging
	Text     string `query:"text" maxLength:"300" doc:"Words, each in the address or an identifying value such as an id, an ARN or a name, in any case."`
	Stack    string `query:"stack" maxLength:"200" doc:"NAMESPACE/NAME, or its reference."`
	Type     string `query:"type" maxLength:"200" example:"aws_s3_bucket"`
	Provider string `query:"provider" maxLength:"200" doc:"hashicorp/aws, or its last part."`
	Owner    string `query:"owner" maxLength:"200" doc:"Of the stack, such as group:default/payments."`
	Space    string `query:"space" maxLength:"63"`
	Orphan   bool   `query:"orphan" doc:"Only of stacks whose document is deleted."`
	Drifted  bool   `query:"drifted" doc:"Only what the newest look for drift found to differ from what was applied."`
}

func (a *API) listResources(ctx context.Context, in *listResourcesInput) (*body[List[Resource]], error) {
	found, err := a.Stacks.Resources(ctx, stack.ResourceQuery{
		Text: in.Text, Stack: in.Stack, Type: in.Type, Provider: in.Provider, Owner: in.Owner, Space: in.Space, Orphan: in.Orphan,
		Drifted: in.Drifted,
	}, in.part())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range found.Items {
		ids = append(ids, r.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	return listPart(found, func(r stack.Resource) Resource {
		return Resource{
			Stack: r.Stack.String(), Space: r.Space, Owner: r.Owner, Orphan: r.Orphan, Address: r.Address, Type: r.Type, Name: r.Name, Module: r.Module,
			Provider: r.Provider, Identity: r.Identity, FirstSeen: r.Seen.UTC(), Changed: r.Changed.UTC(), Run: r.Run, Actor: who(r.Actor),
			Drift: r.Drift, Looked: r.Looked,
		}
	}), nil
}
