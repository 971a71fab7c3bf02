package index

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

// TestOwnersAreManyAndDeep has more groups with somebody in them, and more of them above one another, than a result or a walk has room for.
func TestOwnersAreManyAndDeep(t *testing.T) {
	t.Parallel()
	const n = MaxNodes + 100
	x := New(pairsOf{"childOf": "parentOf", "memberOf": "hasMember"})
	var all []Prepared
	put := func(ref, owner, space string, relations ...Relation) {
		kind, _, _ := strings.Cut(ref, ":")
		p, err := Prepare(Entity{Ref: ref, Version: 1, Space: space, Owner: owner, Document: fmt.Appendf(nil, `{"kind":%q}`, kind), Relations: relations})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	flat := func(i int) string { return fmt.Sprintf("group:default/flat-%d", i) }
	deep := func(i int) string { return fmt.Sprintf("group:default/deep-%d", i) }
	for i := range n {
		put(flat(i), "", "a", Relation{"hasMember", "user:default/bob"})
		if i%2 == 1 { // of each pair the parent tells, between them the child
			put(deep(i), "", "a", Relation{"childOf", deep(i + 1)}, Relation{"parentOf", deep(i - 1)})
		} else {
			put(deep(i), "", "a")
		}
	}
	put("user:default/bob", "", "a", Relation{"memberOf", deep(0)})
	put("group:default/void", "", "a")
	put("group:default/round", "", "a", Relation{"childOf", "group:default/round"})
	put("group:default/hidden", "", "b")
	for name, owner := range map[string]string{
		"flat": flat(n - 1), "first": flat(0), "deep": deep(n - 1), "void": "group:default/void", "round": "group:default/round", "ghost": "group:default/ghost",
		"bob": "user:default/bob", "hidden": "group:default/hidden", "none": "",
	} {
		put("component:default/"+name, owner, "a")
	}
	x.Put(all...)
	for _, c := range []struct {
		filter  Filter
		visible access.Set
		want    string
	}{
		{EmptyOwner{}, access.Set{All: true}, "hidden round void"},
		{UnknownOwner{}, access.Set{All: true}, "ghost"},
		{EmptyOwner{}, access.Set{Names: map[string]bool{"a": true}}, "round void"},
		{UnknownOwner{}, access.Set{Names: map[string]bool{"a": true}}, "ghost hidden"},
		{UnknownOwner{}, access.Set{Names: map[string]bool{"b": true}}, ""},
	} {
		var got []string
		for _, hit := range x.Find(Query{Filter: c.filter, Visible: c.visible}).Hits {
			got = append(got, hit.Entity().Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%T of %v chooses %v; want %s", c.filter, c.visible.Names, got, c.want)
		}
	}
}

// askedPairs counts how often it is asked.
type askedPairs struct {
	pairsOf
	times int
}

func (p *askedPairs) Inverse(relation string) string {
	p.times++
	return p.pairsOf.Inverse(relation)
}

// TestAWalkPassesOverWhatItDoesNotFollow, however much of it points at an entity.
func TestAWalkPassesOverWhatItDoesNotFollow(t *testing.T) {
	t.Parallel()
	asked := &askedPairs{pairsOf: pairsOf{"childOf": "parentOf", "ownedBy": "ownerOf"}}
	x := New(asked)
	put := func(ref string, relations ...Relation) {
		p, err := Prepare(Entity{Ref: ref, Version: 1, Space: "a", Document: []byte(`{"kind":"any"}`), Relations: relations})
		if err != nil {
			t.Fatal(err)
		}
		x.Put(p)
	}
	const top = "group:default/top"
	put(top)
	put("group:default/one", Relation{"childOf", top})
	for i := range 5000 {
		put(fmt.Sprintf("component:default/c-%d", i), Relation{"ownedBy", top})
	}
	all := access.Set{All: true}
	asked.times = 0
	if g := x.Walk(Walk{From: []string{top}, Follow: []string{"parentOf"}, Depth: MaxDepth, Visible: all}); len(g.Nodes) != 2 || len(g.Edges) != 1 || asked.times > 100 {
		t.Errorf("it meets %v, and asks %d times what an inverse is", g.Nodes, asked.times)
	}
	if g := x.Walk(Walk{From: []string{top}, Types: []string{"ownerOf"}, Depth: 1, Visible: all}); len(g.Nodes) != 5001 {
		t.Errorf("by what is owned it meets %d", len(g.Nodes))
	}
}

// TestMatchingTellsByReference what a filter chooses among what is seen, as it was when it was asked for.
func TestMatchingTellsByReference(t *testing.T) {
	t.Parallel()
	x := New(pairsOf{})
	put := func(name, space, of string, version int) {
		p, err := Prepare(Entity{Ref: "component:default/" + name, Version: version, Space: space, Document: fmt.Appendf(nil, `{"kind":"Component","spec":{"type":%q}}`, of)})
		if err != nil {
			t.Fatal(err)
		}
		x.Put(p)
	}
	for name, of := range map[string]string{"a": "Service", "b": "website", "c": "service", "d": "library", "gone": "service"} {
		put(name, "a", of, 1)
	}
	put("hidden", "b", "service", 1)
	matches := x.Matching(All{Has{Key: "spec.type", Values: []string{"service", "library"}}}, access.Set{Names: map[string]bool{"a": true}})
	put("c", "a", "website", 2)
	x.Delete("component:default/gone", 2)
	put("new", "a", "service", 1) // in the place of what is gone
	for name, want := range map[string]bool{"a": true, "b": false, "c": false, "d": true, "hidden": false, "gone": false, "new": false, "none": false} {
		if got := matches("component:default/" + name); got != want {
			t.Errorf("%s matches: %v", name, got)
		}
	}
}
