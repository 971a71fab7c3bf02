package access

import (
	"slices"
	"sort"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// maxDepth bounds how deep spaces nest; a deeper chain can't be declared.
const maxDepth = 32

// Space is a place that rights attach to.
type Space struct {
	Name        string
	Parent      string // "" for the root alone
	Description string
	Declared    string // the space of the source that brought it
	Apart       bool   // what is in the spaces above can't be used in it, nor below it
}

// Binding gives a role in a space to subjects: references of users, groups and machines.
type Binding struct {
	Ref      string // of the document
	Role     string
	Space    string
	Subjects []string
	Declared string // the space of the source that brought it
}

// membership says that a member (user, machine or group) is in a group, as declared by a source's document in a space.
type membership struct {
	Member, Group, Declared string
}

// graph is one immutable state of all spaces, roles, bindings and nested groups, compiled for questions.
type graph struct {
	spaces     map[string]Space
	roles      map[string]Role
	bySubject  map[string][]Binding
	bindings   []Binding
	groupSpace map[string]string   // group → space of its document
	above      map[string][]string // group → groups that it is in
}

// compile builds the graph and leaves out what reaches further than its source may.
func compile(spaces []Space, roles []Role, bindings []Binding, groups map[string]string, nested []membership) *graph {
	g := &graph{
		spaces: map[string]Space{Root: {Name: Root}}, roles: builtin(),
		bySubject: map[string][]Binding{}, groupSpace: groups, above: map[string][]string{},
	}
	for _, s := range spaces {
		if s.Name == Root {
			s.Parent = ""
		}
		g.spaces[s.Name] = s
	}
	for _, r := range roles {
		if _, taken := g.roles[r.Name]; !taken {
			g.roles[r.Name] = r
		}
	}
	for _, b := range bindings {
		role, known := g.roles[b.Role]
		if !known || !g.within(b.Space, b.Declared) || !g.within(b.Space, role.Space) {
			continue
		}
		g.bindings = append(g.bindings, b)
		for _, subject := range b.Subjects {
			g.bySubject[subject] = append(g.bySubject[subject], b)
		}
	}
	for _, m := range nested {
		if g.counts(m) {
			g.above[m.Member] = append(g.above[m.Member], m.Group)
		}
	}
	return g
}

// counts tells whether a membership was declared in or above the space of its group. A group without a document is the
// root's.
func (g *graph) counts(m membership) bool {
	space, known := g.groupSpace[m.Group]
	if !known {
		space = Root
	}
	return g.within(space, m.Declared)
}

// ancestors gives the space itself and those above it up to the root; nil when the space or one above is unknown.
func (g *graph) ancestors(space string) []string {
	var up []string
	for range maxDepth + 1 {
		s, known := g.spaces[space]
		if !known {
			return nil
		}
		up = append(up, space)
		if space == Root {
			return up
		}
		space = s.Parent
	}
	return nil
}

// inherited gives the space itself and those above it whose things may be used in it: up to the first that stands apart.
func (g *graph) inherited(space string) []string {
	up := g.ancestors(space)
	for i, name := range up {
		if g.spaces[name].Apart {
			return up[:i+1]
		}
	}
	return up
}

// within tells whether a space is root or below it.
func (g *graph) within(space, root string) bool {
	return slices.Contains(g.ancestors(space), root)
}

// closure gives the groups that someone is in, given those they are in directly: nested ones included, sorted, each
// once; circles are harmless.
func (g *graph) closure(direct []membership) []string {
	seen := map[string]bool{}
	var next []string
	for _, m := range direct {
		if g.counts(m) {
			next = append(next, m.Group)
		}
	}
	for len(next) > 0 {
		group := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen[group] {
			seen[group] = true
			next = append(next, g.above[group]...)
		}
	}
	groups := make([]string, 0, len(seen))
	for group := range seen {
		groups = append(groups, group)
	}
	sort.Strings(groups)
	return groups
}

// rights is what one principal may do.
type rights struct {
	in   map[string][]string // the permissions bound directly in each space
	home string              // a machine acts only in its space and below; "" for a user
}

func (g *graph) rights(subject ref.Entity, groups []string) rights {
	r := rights{in: map[string][]string{}, home: homeOf(subject)}
	add := func(subject string) {
		for _, b := range g.bySubject[subject] {
			r.in[b.Space] = append(r.in[b.Space], g.roles[b.Role].Permissions...)
		}
	}
	add(subject.String())
	for _, group := range groups {
		add(group)
	}
	return r
}

// homeOf gives the space that a machine is held to, so that whoever may make tokens for it, an administrator of that
// space, gains nothing elsewhere.
func homeOf(subject ref.Entity) string {
	if subject.Kind == "machine" {
		return subject.Namespace
	}
	return ""
}

// allows tells whether the rights contain an action in a space, directly or from above.
func (g *graph) allows(r rights, action, space string) bool {
	up := g.ancestors(space)
	if r.home != "" && !slices.Contains(up, r.home) {
		return false
	}
	for _, s := range up {
		if anyCovers(r.in[s], action) {
			return true
		}
	}
	return false
}

// spacesWith gives every space in which the rights contain an action.
func (g *graph) spacesWith(r rights, action string) Set {
	if g.allows(r, action, Root) {
		return Set{All: true}
	}
	set := Set{Names: map[string]bool{}}
	for name := range g.spaces {
		if g.allows(r, action, name) {
			set.Names[name] = true
		}
	}
	return set
}

// Set is a set of spaces.
type Set struct {
	All   bool // every space, and what belongs to no space
	Names map[string]bool
}

// Has tells whether a space is in the set. "" stands for the whole installation.
func (s Set) Has(space string) bool { return s.All || s.Names[space] }

// Empty tells whether no space is in the set.
func (s Set) Empty() bool { return !s.All && len(s.Names) == 0 }

// List gives the names, sorted; nil when the set holds all spaces, so ask All first.
func (s Set) List() []string {
	if s.All {
		return nil
	}
	names := make([]string, 0, len(s.Names))
	for name := range s.Names {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
