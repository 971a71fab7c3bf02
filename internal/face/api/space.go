package api

import (
	"context"
	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"net/http"
)

func (a *API) spaceRoutes() {
	register(a, operation("listSpaces", http.MethodGet, "/spaces", "spaces", "Spaces that the caller may see"), a.listSpaces)
	register(a, operation("getRights", http.MethodGet, "/spaces/{space}/rights", "spaces", "Who may do what in a space"), a.getRights)
}

func (a *API) listSpaces(ctx context.Context, in *Paging) (*body[List[Space]], error) {
	spaces, err := a.Access.ListSpaces(ctx)
	part := page.From(spaces, in.part(), func(s access.Space) string { return s.Name })
	return listPart(part, func(s access.Space) Space {
		return Space{Name: s.Name, Parent: s.Parent, Description: s.Description, Inherit: !s.Apart}
	}), err
}

// SpaceInput names a space.
type SpaceInput struct {
	Space string `path:"space" maxLength:"63"`
}

func (a *API) getRights(ctx context.Context, in *SpaceInput) (*body[SpaceRights], error) {
	roles, err := a.Access.ListRoles(ctx, in.Space)
	if err != nil {
		return nil, err
	}
	bindings, err := a.Access.ListBindings(ctx, in.Space)
	if err != nil {
		return nil, err
	}
	out := SpaceRights{Roles: []Role{}, Bindings: []Binding{}}
	for _, r := range roles {
		out.Roles = append(out.Roles, Role{Name: r.Name, Description: r.Description, Permissions: r.Permissions, Builtin: r.Builtin})
	}
	for _, b := range bindings {
		out.Bindings = append(out.Bindings, Binding{Ref: b.Ref, Role: b.Role, Space: b.Space, Subjects: b.Subjects})
	}
	return answer(out), nil
}
