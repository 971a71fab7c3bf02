package access

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ListSpaces gives the spaces that the principal of ctx may see (space:read), by name: all of them, they are in memory.
func (s *Service) ListSpaces(ctx context.Context) ([]Space, error) {
	visible, err := s.Spaces(ctx, "space:read")
	if err != nil {
		return nil, err
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var all []Space
	for name, space := range snap.spaces {
		if visible.Has(name) {
			all = append(all, space)
		}
	}
	slices.SortFunc(all, func(a, b Space) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// ListRoles gives the roles that can be bound in a space, by name. It needs space:read there.
func (s *Service) ListRoles(ctx context.Context, space string) ([]Role, error) {
	if err := s.ReadOrNotFound(ctx, "space:read", space, "space "+space); err != nil {
		return nil, err
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var all []Role
	for _, name := range snap.roleNames(space) {
		all = append(all, snap.roles[name])
	}
	return all, nil
}

// ListBindings gives the bindings that give rights in a space, those from above included. It needs space:read there.
func (s *Service) ListBindings(ctx context.Context, space string) ([]Binding, error) {
	if err := s.ReadOrNotFound(ctx, "space:read", space, "space "+space); err != nil {
		return nil, err
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var all []Binding
	up := snap.ancestors(space)
	for _, b := range snap.bindings {
		if slices.Contains(up, b.Space) {
			all = append(all, b)
		}
	}
	return all, nil
}

// Exists tells whether there is a space of that name; "" is the whole installation, which always exists. It asks for
// no right: callers authorize first.
func (s *Service) Exists(ctx context.Context, space string) (bool, error) {
	_, err := s.Ancestors(ctx, space)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
