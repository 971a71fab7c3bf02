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
