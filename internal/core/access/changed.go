package access

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// tree reads the spaces and roles as tx sees them.
func tree(ctx context.Context, tx *store.Tx) (*graph, error) {
	spaces, err := readSpaces(ctx, tx)
	if err != nil {
		return nil, err
	}
	roles, err := readRoles(ctx, tx)
	if err != nil {
		return nil, err
	}
	return compile(spaces, roles, nil, nil, nil), nil
}

func (s *Service) spaceChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	name := c.Ref.Name
	// Two moves at once could close a circle that neither sees: all changes of the tree wait for each other.
	if err := raiseGeneration(ctx, tx); err != nil {
		return err
	}
	g, err := tree(ctx, tx)
	if err != nil {
		return err
	}
	if c.New == nil {
		if below := g.children(name); len(below) > 0 && name != Root {
			return fault.Errorf(fault.Conflict, "the spaces %s are below it; delete or move them first", strings.Join(below, ", "))
		}
		if err := keepFormer(ctx, tx, g.spaces[name]); err != nil {
			return err
		}
		return remove(ctx, tx, "access_spaces", "name", name)
	}
	var spec spaceSpec
	if err := document.Decode(*c.New, &spec); err != nil {
		return err
	}
	space := Space{Name: name, Parent: spec.Parent, Description: spec.Description, Declared: c.Space, Apart: spec.Inherit != nil && !*spec.Inherit}
	if space.Description == "" {
		space.Description = c.New.Metadata.Description
	}
	if name == Root {
		if c.Space != Root {
			return fault.Errorf(fault.Denied, "a source of space %s can't describe the root space", c.Space)
		}
		return saveSpace(ctx, tx, space)
	}
	if space.Parent == "" {
		space.Parent = Root
	}
	if err := g.checkParent(space); err != nil {
		return wrongAt(*c.New, err, "spec", "parent")
	}
	if c.Old == nil {
		if err := g.checkFormer(ctx, tx, space); err != nil {
			return err
		}
	}
	return saveSpace(ctx, tx, space)
}

// checkFormer refuses a space whose name an earlier one had elsewhere: secrets, repositories, states and runs of that
// one still bear the name, and are not for whoever takes it up.
func (g *graph) checkFormer(ctx context.Context, tx *store.Tx, s Space) error {
	parent, err := formerParent(ctx, tx, s.Name)
	if err != nil || parent == "" || s.Declared == Root || g.within(parent, s.Declared) {
		return err
	}
	return fault.Errorf(fault.Denied, "there was a space %s before, which was not below %s, and what was in it still bears its name; "+
		"choose another name, or have an administrator of a space above it make it again", s.Name, s.Declared)
}

// checkParent says why a space can't hang where it wants to.
func (g *graph) checkParent(s Space) error {
	up := g.ancestors(s.Parent)
	switch {
	case up == nil:
		return fault.Errorf(fault.Invalid, "there is no space %s; apply it first, or above this one in the file", s.Parent)
	case slices.Contains(up, s.Name):
		return fault.Errorf(fault.Invalid, "space %s is below %s: they would be each other's parents", s.Parent, s.Name)
	case !g.within(s.Parent, s.Declared):
		return fault.Errorf(fault.Denied, "a source of space %s may only hang spaces in or below %s, not in %s", s.Declared, s.Declared, s.Parent)
	case len(up)+g.height(s.Name) > maxDepth:
		return fault.Errorf(fault.Invalid, "spaces nest at most %d deep", maxDepth)
	}
	return nil
}

func (g *graph) children(name string) []string {
	var below []string
	for _, s := range g.spaces {
		if s.Parent == name {
			below = append(below, s.Name)
		}
	}
	slices.Sort(below)
	return below
}

// height gives the number of levels from a space down to its deepest descendant, itself included.
func (g *graph) height(name string) int {
	height := 1
	for other := range g.spaces {
		if i := slices.Index(g.ancestors(other), name); i >= height {
			height = i + 1
		}
	}
	return height
}

func (s *Service) roleChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		return remove(ctx, tx, "access_roles", "name", c.Ref.Name)
	}
	var spec roleSpec
	if err := document.Decode(*c.New, &spec); err != nil {
		return err
	}
	role := Role{Name: c.Ref.Name, Space: c.Space, Description: spec.Description, Permissions: spec.Permissions}
	if role.Description == "" {
		role.Description = c.New.Metadata.Description
	}
	return saveRole(ctx, tx, role)
}

func (s *Service) bindingChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		return remove(ctx, tx, "access_bindings", "ref", c.Ref.String())
	}
	var spec bindingSpec
	if err := document.Decode(*c.New, &spec); err != nil {
		return err
	}
	b := Binding{Ref: c.Ref.String(), Role: spec.Role, Space: spec.Space, Declared: c.Space}
	if b.Space == "" {
		b.Space = c.Space
	}
	for _, text := range spec.Subjects {
		who, err := subject(text)
		if err != nil {
			return err
		}
		b.Subjects = append(b.Subjects, who.String())
	}
	if err := raiseGeneration(ctx, tx); err != nil { // groups that are being declared wait
		return err
	}
	g, err := tree(ctx, tx)
	if err != nil {
		return err
	}
	if err := g.checkBinding(b); err != nil {
		return wrongAt(*c.New, err, "spec")
	}
	return saveBinding(ctx, tx, b)
}

// checkBinding says why a binding can't count.
func (g *graph) checkBinding(b Binding) error {
	role, known := g.roles[b.Role]
	switch {
	case !known:
		return fault.Errorf(fault.Invalid, "there is no role %s; known are %s", b.Role, strings.Join(g.roleNames(b.Space), ", "))
	case g.ancestors(b.Space) == nil:
		return fault.Errorf(fault.Invalid, "there is no space %s; apply it first, or above this one in the file", b.Space)
	case !g.within(b.Space, b.Declared):
		return fault.Errorf(fault.Denied, "a source of space %s may only give rights in %s and below, not in %s", b.Declared, b.Declared, b.Space)
	case g.awayFromHome(b) != "":
		return fault.Errorf(fault.Invalid, "%s acts only in its space and below, not in %s; make the machine in a higher space", g.awayFromHome(b), b.Space)
	case !g.within(b.Space, role.Space):
		return fault.Errorf(fault.Denied, "the role %s belongs to space %s and can be bound there and below, not in %s", b.Role, role.Space, b.Space)
	}
	return nil
}

// awayFromHome gives the first machine among the subjects that can't act where the binding binds.
func (g *graph) awayFromHome(b Binding) string {
	for _, text := range b.Subjects {
		who, err := subject(text)
		if home := homeOf(who); err == nil && home != "" && !g.within(b.Space, home) {
			return text
		}
	}
	return ""
}

func (g *graph) roleNames(space string) []string {
	var names []string
	for name, role := range g.roles {
		if g.within(space, role.Space) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wrongAt keeps the kind of err and points at the field.
func wrongAt(d document.Document, err error, path ...string) error {
	return &fault.Error{Kind: fault.KindOf(err), Message: fault.Message(err), Err: err,
		Details: []fault.Detail{d.At(fault.Message(err), "", path...)}}
}

func (s *Service) userChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	source := c.Ref.String()
	if c.New == nil {
		return saveMemberships(ctx, tx, source, nil)
	}
	var spec userSpec
	if err := document.DecodeLoose(*c.New, &spec); err != nil {
		return err
	}
	groups := refs(*c.New, spec.MemberOf, "group")
	return saveMemberships(ctx, tx, source, memberships([]ref.Entity{c.Ref}, groups, c.Space))
}

func (s *Service) groupChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	source := c.Ref.String()
	if c.New == nil {
		if err := remove(ctx, tx, "access_groups", "ref", source); err != nil {
			return err
		}
		return saveMemberships(ctx, tx, source, nil)
	}
	var spec groupSpec
	if err := document.DecodeLoose(*c.New, &spec); err != nil {
		return err
	}
	if c.Old == nil {
		if err := checkGroup(ctx, tx, c); err != nil {
			return err
		}
	}
	self := []ref.Entity{c.Ref}
	members := refs(*c.New, spec.Members, "user")
	children := refs(*c.New, spec.Children, "group")
	all := memberships(append(members, children...), self, c.Space)
	if spec.Parent != "" {
		parent := refs(*c.New, []string{spec.Parent}, "group")
		all = append(all, memberships(self, parent, c.Space)...)
	}
	if err := saveGroup(ctx, tx, source, c.Space); err != nil {
		return err
	}
	return saveMemberships(ctx, tx, source, all)
}

// checkGroup refuses a group that was given rights before it was declared, where they reach further than its source may:
// whoever declares a group says who is in it.
func checkGroup(ctx context.Context, tx *store.Tx, c document.Change) error {
	if err := raiseGeneration(ctx, tx); err != nil { // bindings that are being made wait
		return err
	}
	g, err := tree(ctx, tx)
	if err != nil {
		return err
	}
	bindings, err := readBindings(ctx, tx)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if slices.Contains(b.Subjects, c.Ref.String()) && !g.within(b.Space, c.Space) {
			return fault.Errorf(fault.Denied, "the group %s was given rights in space %s before it was declared, so a source of space %s can't say who is in it; "+
				"choose another name, or have it declared in %s or above", c.Ref, b.Space, c.Space, b.Space)
		}
	}
	return nil
}

func memberships(members, groups []ref.Entity, declared string) []membership {
	all := make([]membership, 0, len(members)*len(groups))
	for _, m := range members {
		for _, g := range groups {
			all = append(all, membership{Member: m.String(), Group: g.String(), Declared: declared})
		}
	}
	return all
}
