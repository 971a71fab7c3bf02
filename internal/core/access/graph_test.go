package access

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// world draws a tree of spaces with bindings, nested groups (circles included) and memberships, all declared by the root.
type world struct {
	spaces   []Space
	bindings []Binding
	groups   map[string]string
	nested   []membership
	direct   map[string][]membership
}

var actions = []string{"run:read", "run:confirm", "entity:write", "space:admin", "secret:write"}

func drawWorld(t *rapid.T) *world {
	w := &world{groups: map[string]string{}, direct: map[string][]membership{}}
	names := []string{Root}
	for i := range rapid.IntRange(0, 8).Draw(t, "spaces") {
		s := Space{Name: fmt.Sprintf("s%d", i), Parent: rapid.SampledFrom(names).Draw(t, "parent"), Declared: Root}
		w.spaces = append(w.spaces, s)
		names = append(names, s.Name)
	}
	groups := []string{"group:default/g0", "group:default/g1", "group:default/g2", "group:default/g3"}
	for _, g := range groups {
		w.groups[g] = rapid.SampledFrom(names).Draw(t, "space of group")
	}
	for range rapid.IntRange(0, 8).Draw(t, "nestings") {
		w.nested = append(w.nested, membership{rapid.SampledFrom(groups).Draw(t, "child"), rapid.SampledFrom(groups).Draw(t, "above"), Root})
	}
	for _, u := range []string{"user:default/a", "user:default/b"} {
		for range rapid.IntRange(0, 2).Draw(t, "memberships") {
			w.direct[u] = append(w.direct[u], membership{u, rapid.SampledFrom(groups).Draw(t, "group"), Root})
		}
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "bindings") {
		w.bindings = append(w.bindings, drawBinding(t, fmt.Sprint(i), names, groups))
	}
	return w
}

func drawBinding(t *rapid.T, name string, spaces, groups []string) Binding {
	return Binding{
		Ref: "rolebinding:default/" + name, Declared: Root,
		Role:     rapid.SampledFrom([]string{Admin, Developer, Reader}).Draw(t, "role"),
		Space:    rapid.SampledFrom(spaces).Draw(t, "space"),
		Subjects: []string{rapid.SampledFrom(append([]string{"user:default/a", "user:default/b"}, groups...)).Draw(t, "subject")},
	}
}

func (w *world) compile() *graph { return compile(w.spaces, nil, w.bindings, w.groups, w.nested) }

func (w *world) rights(g *graph, user string) rights {
	subject, err := ref.Parse(user, "user", "default")
	if err != nil {
		panic(err)
	}
	return g.rights(subject, g.closure(w.direct[user]))
}

func TestRightsFlowDownAndNowhereElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		g := w.compile()
		r := w.rights(g, "user:default/a")
		for _, action := range actions {
			for name, space := range g.spaces {
				allowed := g.allows(r, action, name)
				if name != Root && g.allows(r, action, space.Parent) && !allowed {
					t.Fatalf("%s holds in %s but not below in %s", action, space.Parent, name)
				}
				// Whoever may act here has a binding here or above: nothing comes from a sibling or from below.
				bound := false
				for _, s := range g.ancestors(name) {
					bound = bound || len(r.in[s]) > 0
				}
				if allowed && !bound {
					t.Fatalf("%s is allowed in %s without a binding there or above", action, name)
				}
				if allowed != g.spacesWith(r, action).Has(name) {
					t.Fatalf("the set of spaces with %s disagrees about %s", action, name)
				}
			}
		}
	})
}

func TestAnotherBindingTakesNothingAway(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		before := w.compile()
		names := []string{Root}
		for _, s := range w.spaces {
			names = append(names, s.Name)
		}
		more := *w
		more.bindings = append(slices.Clone(w.bindings), drawBinding(t, "more", names, []string{"group:default/g0"}))
		after := more.compile()
		added := more.bindings[len(more.bindings)-1]
		for _, user := range []string{"user:default/a", "user:default/b"} {
			old, now := w.rights(before, user), more.rights(after, user)
			for _, action := range actions {
				for name := range before.spaces {
					had, has := before.allows(old, action, name), after.allows(now, action, name)
					if had && !has {
						t.Fatalf("%s lost %s in %s by a further binding", user, action, name)
					}
					if !had && has && !after.within(name, added.Space) {
						t.Fatalf("a binding in %s gave %s in %s, which is not below it", added.Space, action, name)
					}
				}
			}
		}
	})
}

func TestNestedGroupsAreAClosure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		g := w.compile()
		in := g.closure(w.direct["user:default/a"])
		for _, m := range w.direct["user:default/a"] {
			if !slices.Contains(in, m.Group) {
				t.Fatalf("a direct membership of %s is missing", m.Group)
			}
		}
		for _, m := range w.nested {
			if slices.Contains(in, m.Member) && !slices.Contains(in, m.Group) {
				t.Fatalf("who is in %s must be in %s", m.Member, m.Group)
			}
		}
		if !slices.IsSorted(in) || len(slices.Compact(slices.Clone(in))) != len(in) {
			t.Fatalf("%v is not sorted, or names a group twice", in)
		}
	})
}

// Whatever sources of one space declare, nobody gets a right outside of that space and what is below it.
func TestASpacesSourcesReachNoFurther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		names := []string{Root}
		for _, s := range w.spaces {
			names = append(names, s.Name)
		}
		from := rapid.SampledFrom(names).Draw(t, "hostile space")
		shape := w.compile()
		for g, space := range w.groups { // binding a group of a lower space hands the right to that space on purpose
			if shape.within(space, from) {
				w.groups[g] = Root
			}
		}
		before := w.compile()
		hostile := *w
		groups := []string{"group:default/g0", "group:default/g1", "group:default/g2", "group:default/mine"}
		hostile.groups = map[string]string{"group:default/mine": from}
		for g, s := range w.groups {
			hostile.groups[g] = s
		}
		hostile.direct = map[string][]membership{}
		for u, m := range w.direct {
			hostile.direct[u] = slices.Clone(m)
		}
		for range rapid.IntRange(1, 6).Draw(t, "declarations") {
			m := membership{rapid.SampledFrom(groups).Draw(t, "member"), rapid.SampledFrom(groups).Draw(t, "into"), from}
			hostile.nested = append(slices.Clone(hostile.nested), m)
			own := membership{"user:default/a", rapid.SampledFrom(groups).Draw(t, "joins"), from}
			hostile.direct["user:default/a"] = append(hostile.direct["user:default/a"], own)
			b := drawBinding(t, "hostile", names, groups)
			b.Declared = from
			hostile.bindings = append(slices.Clone(hostile.bindings), b)
		}
		after := compile(hostile.spaces, []Role{{Name: "own", Space: from, Permissions: []string{"*"}}}, hostile.bindings, hostile.groups, hostile.nested)
		for _, user := range []string{"user:default/a", "user:default/b"} {
			old, now := w.rights(before, user), hostile.rights(after, user)
			for name := range after.spaces {
				for _, action := range actions {
					if !before.allows(old, action, name) && after.allows(now, action, name) && !after.within(name, from) {
						t.Fatalf("sources of %s gave %s the right %s in %s", from, user, action, name)
					}
				}
			}
		}
	})
}
