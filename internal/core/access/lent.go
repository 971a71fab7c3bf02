package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Admission is what the login policies say of a session.
type Admission struct {
	Decision string       // its id; "" where no policy was asked
	Lent     []actor.Lent // what the session has beside what the person has
	Beyond   []string     // what was given and counts for nothing, each with why
	Held     bool         // to HeldTo: no administrator's rights, whoever gives them
}

// HeldTo gives the scopes of a session that may do nothing for which it takes an administrator.
func HeldTo() []string { return slices.Clone(builtin()[Developer].Permissions) }

// Lendable gives what of all counts, with roles by the names that they have here, and says why the rest does not: a
// policy gives nothing outside the space that it holds in, as a binding of a source gives nothing outside the source's.
// It asks for no right.
func (s *Service) Lendable(ctx context.Context, all []actor.Lent) (lent []actor.Lent, beyond []string, err error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range all {
		if _, known := snap.roles[l.Role]; !known && l.Group == "" {
			l.Role = spaceliftRole(l.Role)
		}
		switch why := snap.beyond(l); {
		case why != "":
			beyond = append(beyond, why)
		case !slices.Contains(lent, l):
			lent = append(lent, l)
		}
	}
	return lent, beyond, nil
}

// spaceliftRole gives the built-in role that stands for one of Spacelift's own.
func spaceliftRole(name string) string {
	switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
	case "space-admin":
		return Admin
	case "space-writer":
		return Developer
	case "space-reader":
		return Reader
	}
	return name
}

// beyond says why something that is lent does not count; "" when it does.
func (g *graph) beyond(l actor.Lent) string {
	if l.Group != "" {
		space, known := g.groupSpace[l.Group]
		switch {
		case !known:
			return fmt.Sprintf("there is no %.200s", l.Group)
		case !g.within(space, l.Within):
			return fmt.Sprintf("%.200s belongs to space %s, and the policy holds in %s and below", l.Group, space, l.Within)
		}
		return ""
	}
	role, known := g.roles[l.Role]
	switch {
	case !known:
		return fmt.Sprintf("there is no role %.100q", l.Role)
	case g.ancestors(l.Space) == nil:
		return fmt.Sprintf("there is no space %.100q", l.Space)
	case !g.within(l.Space, l.Within):
		return fmt.Sprintf("the role %s in space %s: the policy holds in %s and below", l.Role, l.Space, l.Within)
	case !g.within(l.Space, role.Space):
		return fmt.Sprintf("the role %s belongs to space %s and counts there and below, not in %s", l.Role, role.Space, l.Space)
	}
	return ""
}

// lend gives what a principal has with what a session of theirs is lent, as far as that counts now.
func (g *graph) lend(own *known, all []actor.Lent) *known {
	var into []membership
	in := maps.Clone(own.rights.in)
	give := func(space, role string) {
		in[space] = append(slices.Clip(in[space]), g.roles[role].Permissions...)
	}
	for _, l := range all {
		switch {
		case g.beyond(l) != "":
		case l.Group != "":
			into = append(into, membership{Group: l.Group, Declared: l.Within})
		default:
			give(l.Space, l.Role)
		}
	}
	groups := slices.Clone(own.groups)
	for _, group := range g.closure(into) {
		if slices.Contains(own.groups, group) {
			continue
		}
		groups = append(groups, group)
		for _, b := range g.bySubject[group] {
			give(b.Space, b.Role)
		}
	}
	slices.Sort(groups)
	return &known{groups: groups, rights: rights{in: in, home: own.rights.home}}
}

// holding gives the groups and rights of whoever acts: their own, and what their session is lent.
func (s *Service) holding(ctx context.Context, snap *snapshot, p actor.Principal) (*known, error) {
	own, err := s.known(ctx, snap, p.Ref)
	if err != nil || len(p.Lent) == 0 || p.Kind != actor.User || !ref.IsID(p.Token, ref.Session) {
		return own, err
	}
	if k, ok := snap.sessions.Load(p.Token); ok { // what a session is lent never changes
		return k.(*known), nil
	}
	k := snap.lend(own, p.Lent)
	snap.sessions.Store(p.Token, k)
	return k, nil
}

// GroupsIn gives the groups that whoever acts counts in: Groups, and those that their session is lent.
func (s *Service) GroupsIn(ctx context.Context, p actor.Principal) ([]string, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.holding(ctx, snap, p)
	if err != nil {
		return nil, err
	}
	return slices.Clone(k.groups), nil
}
