package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const narrowed = `
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: staff}, spec: {type: team, children: [deep]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: deep}, spec: {type: team, parent: staff, children: [], members: [bob]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: void}, spec: {type: team, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: bob}, spec: {memberOf: []}}
`

const listed = `
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: a, title: Zebra, tags: [go, web], description: It is A}, spec: {type: Service, lifecycle: production, owner: staff, system: shop}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: b, tags: [go]}, spec: {type: website, lifecycle: Production, owner: void, system: shop}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: c, title: Ant}, spec: {type: service, lifecycle: experimental, owner: 'user:default/bob'}}
---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: d, tags: [web]}, spec: {type: database, owner: ghost, system: 'system:other/shop'}}
---
{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: shop}, spec: {owner: deep}}
`

// member is somebody in groups, as who signs in is.
func member(name string, groups ...string) context.Context {
	p := actor.From(as(name))
	p.Ref, p.Groups = ref.New("user", "", name), groups
	return actor.With(context.Background(), p)
}

func TestListsAreNarrowedAndSorted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("adam"), "default", "people", narrowed)
		b.apply(as("alice"), "default", "one", listed)
		b.apply(as("alice"), "default", "two", `{apiVersion: test.dev/v1, kind: Widget, metadata: {name: w}, spec: {}}`)
		b.apply(as("alice"), "default", "one", strings.ReplaceAll(listed, "It is A", "It was A"))
		bob := member("bob", "group:default/deep", "group:default/staff")
		all := func(q catalog.Query) catalog.Query {
			q.Kinds = []string{"component", "resource", "system"}
			return q
		}
		for _, c := range []struct {
			q    catalog.Query
			want string
		}{
			{all(catalog.Query{}), "a b c d shop"},
			{all(catalog.Query{Lifecycle: []string{"PRODUCTION"}}), "a b"},
			{all(catalog.Query{Lifecycle: []string{"production", "experimental"}}), "a b c"},
			{all(catalog.Query{Type: []string{"service", "database"}}), "a c d"},
			{all(catalog.Query{System: []string{"shop"}}), "a b"},
			{all(catalog.Query{System: []string{"shop", "other/shop"}}), "a b d"},
			{all(catalog.Query{Tags: []string{"go"}}), "a b"},
			{all(catalog.Query{Tags: []string{"go", "WEB"}}), "a"},
			{all(catalog.Query{Owner: []string{"void", "ghost"}}), "b d"},
			{all(catalog.Query{Owner: []string{"staff"}}), "a"},
			{all(catalog.Query{Owner: []string{"staff"}, Below: true}), "a shop"},
			{all(catalog.Query{Owner: []string{"deep", "ghost", "user:bob"}, Below: true}), "c d shop"},
			{all(catalog.Query{Below: true}), "a b c d shop"},
			{all(catalog.Query{Mine: true}), "a c shop"},
			{all(catalog.Query{Gaps: []catalog.Gap{catalog.UnknownOwner}}), "d"},
			{all(catalog.Query{Gaps: []catalog.Gap{catalog.EmptyOwner}}), "b"},
			{all(catalog.Query{Gaps: []catalog.Gap{catalog.EmptyOwner, catalog.UnknownOwner}}), "b d"},
			{all(catalog.Query{Gaps: []catalog.Gap{catalog.NoSystem}}), "c"},
			{all(catalog.Query{Gaps: []catalog.Gap{catalog.NoLifecycle}}), ""},
			{all(catalog.Query{Gaps: []catalog.Gap{catalog.NoDescription}}), "b c d shop"},
			{catalog.Query{Gaps: []catalog.Gap{catalog.NoOwner}}, ""}, // no widget has one
			{all(catalog.Query{Sort: "name"}), "a b c d shop"},
			{all(catalog.Query{Sort: "-name"}), "shop d c b a"},
			{all(catalog.Query{Sort: "title"}), "c a b d shop"},
			{all(catalog.Query{Sort: "-title"}), "a c shop d b"},
			{all(catalog.Query{Sort: "owner"}), "shop d a b c"},
			{all(catalog.Query{Sort: "-updated"}), "a shop d c b"},
			{all(catalog.Query{Sort: "updated"}), "b c d shop a"},
			{catalog.Query{Kinds: []string{"component", "widget"}, Sort: "-created"}, "w c b a"},
			{all(catalog.Query{Text: "WAS"}), "a"},
			{all(catalog.Query{Orphan: true}), ""},
		} {
			for _, limit := range []int{1, 3, 50} {
				var got []string
				for cursor, parts := "", 0; parts == 0 || cursor != ""; parts++ {
					c.q.Limit, c.q.Cursor = limit, cursor
					part, err := b.List(bob, c.q)
					if err != nil || parts > 9 {
						t.Fatalf("%+v: %v", c.q, err)
					}
					for _, e := range part.Items {
						got = append(got, e.Ref.Name)
					}
					cursor = part.Next
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%+v by %d lists %v; want %s", c.q, limit, got, c.want)
				}
			}
		}
		for _, q := range []catalog.Query{{Sort: "spec.type"}, {Sort: "-"}, {Gaps: []catalog.Gap{"none"}}, {System: []string{":"}}} {
			if _, err := b.List(bob, q); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v is taken: %v", q, err)
			}
		}
		counted, err := b.Facets(bob, catalog.FacetQuery{Query: all(catalog.Query{Owner: []string{"staff"}, Below: true}), Fields: []string{"kind"}})
		if got := fmt.Sprint(counted["kind"]); err != nil || got != "[{component 1} {system 1}]" {
			t.Errorf("the kinds of a group and those below it are %s, %v", got, err)
		}
		if counted, err = b.Facets(bob, catalog.FacetQuery{Query: all(catalog.Query{Owner: []string{"staff"}, Below: true}), Fields: []string{"owner", "kind", "gap"}, Apart: true}); err != nil || fmt.Sprint(counted["kind"]) != "[{component 1} {system 1}]" || len(counted["owner"]) != 5 {
			t.Errorf("apart they are %v, %v", counted, err)
		}
		part, err := b.List(bob, all(catalog.Query{Sort: "name", Limit: 1}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.List(bob, catalog.Query{Owner: []string{"staff"}, Below: true, At: part.Items[0].Updated}); !fault.Is(err, fault.Invalid) {
			t.Error("the groups below one are known of the past", err)
		}
		if _, err := b.List(bob, all(catalog.Query{Sort: "-name", Limit: 1, Cursor: part.Next})); !fault.Is(err, fault.Invalid) {
			t.Error("a cursor of another order is taken", err)
		}
		if got, err := b.List(bob, catalog.Query{At: part.Items[0].Updated, Tags: []string{"GO"}, System: []string{"shop"}, Lifecycle: []string{"production"}, Mine: true}); err != nil || names(got) != "a" {
			t.Error(names(got), err)
		}
		if _, err := b.List(bob, catalog.Query{At: part.Items[0].Updated, Gaps: []catalog.Gap{catalog.NoOwner}}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

// TestAGroupThatIsHiddenHasNothingBelow for who may not see it: neither what it owns is told as owned below, nor what the groups
// that it alone names own.
func TestAGroupThatIsHiddenHasNothingBelow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("adam"), "lab", "people", narrowed+`---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: cellar}, spec: {type: team, children: []}}
`)
		b.apply(as("adam"), "ops", "hidden", `{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: secret}, spec: {type: team, parent: staff, children: [cellar]}}`)
		b.apply(as("adam"), "lab", "one", listed+`---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}, spec: {type: service, lifecycle: production, owner: secret}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: y}, spec: {type: service, lifecycle: production, owner: cellar}}
`)
		for who, want := range map[string]string{"carol": "a", "adam": "a x y"} {
			got, err := b.List(as(who), catalog.Query{Kinds: []string{"component"}, Owner: []string{"staff"}, Below: true})
			if err != nil || names(got) != want {
				t.Errorf("%s is given %s, %v; want %s", who, names(got), err, want)
			}
		}
	})
}

// TestTooManyGroupsBelow tells the bound that they go beyond.
func TestTooManyGroupsBelow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		var text strings.Builder
		for i := range index.MaxDepth + 2 {
			fmt.Fprintf(&text, "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: level-%d}, spec: {type: team, children: [level-%d]}}\n---\n", i, i+1)
		}
		b.apply(as("adam"), "default", "deep", text.String())
		_, err := b.List(as("adam"), catalog.Query{Owner: []string{"level-0"}, Below: true})
		refused(t, err, fault.TooLarge, "100 levels of groups below group:default/level-0", "level-100")
		if _, err := b.List(as("adam"), catalog.Query{Owner: []string{"level-2"}, Below: true}); err != nil {
			t.Error(err)
		}
	})
}

func TestFacetsAreCountedApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("adam"), "default", "people", narrowed)
		b.apply(as("alice"), "default", "one", listed)
		q := catalog.Query{Kinds: []string{"component"}, Lifecycle: []string{"production"}}
		fields := []string{"kind", "lifecycle", "system", "tag", "gap", "personal", "state"}
		bob := member("bob", "group:default/deep", "group:default/staff")
		got, err := b.Facets(bob, catalog.FacetQuery{Query: q, Fields: fields, Apart: true})
		want := "map[gap:[{empty-owner 1} {no-description 1}] kind:[{component 2}] lifecycle:[{production 2} {experimental 1}] personal:[{mine 1}] state:[] system:[{system:default/shop 2}] tag:[{go 2} {web 1}]]"
		if fmt.Sprint(got) != want || err != nil {
			t.Errorf("%v, %v\nwant %s", got, err, want)
		}
		if got, err = b.Facets(bob, catalog.FacetQuery{Query: q, Fields: fields[:2]}); fmt.Sprint(got) != "map[kind:[{component 2}] lifecycle:[{production 2}]]" || err != nil {
			t.Error(got, err)
		}
		if got, err = b.Facets(as("carol"), catalog.FacetQuery{Fields: []string{"owner", "gap"}, Apart: true}); fmt.Sprint(got) != "map[gap:[] owner:[]]" || err != nil {
			t.Error("who may not see anything counts", got, err)
		}
		if _, err := b.Facets(bob, catalog.FacetQuery{Query: q, Fields: []string{"spec.type"}, Apart: true}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

// TestAnOwnerBeyondTheMostFrequentIsFound of many, by a part of the name.
func TestAnOwnerBeyondTheMostFrequentIsFound(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		const component = "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: %s%d}, spec: {type: service, lifecycle: production, owner: %s}}\n---\n"
		var text strings.Builder
		for i := range 210 {
			fmt.Fprintf(&text, component, "a", i, fmt.Sprintf("team-%d", i))
			fmt.Fprintf(&text, component, "b", i, fmt.Sprintf("team-%d", i))
		}
		fmt.Fprintf(&text, component, "c", 0, "user:payments/Zoe")
		b.apply(as("adam"), "default", "many", text.String())
		b.apply(as("olga"), "ops", "hidden", fmt.Sprintf(component, "d", 0, "zoefield"))
		for _, c := range []struct{ who, contains, want string }{
			{"adam", " ZOE ", "[{group:default/zoefield 1} {user:payments/zoe 1}]"},
			{"adam", "payments/z", "[{user:payments/zoe 1}]"},
			{"adam", "team-209", "[{group:default/team-209 2}]"},
			{"adam", "group:default/team-209", "[{group:default/team-209 2}]"},
			{"adam", "default", "[]"},
			{"adam", "group", "[]"},
			{"olga", "zoe", "[{group:default/zoefield 1}]"},
		} {
			got, err := b.Facets(as(c.who), catalog.FacetQuery{Fields: []string{"owner"}, Contains: c.contains})
			if fmt.Sprint(got["owner"]) != c.want || err != nil {
				t.Errorf("%s finds %v by %q, %v; want %s", c.who, got["owner"], c.contains, err, c.want)
			}
		}
		got, err := b.Facets(as("adam"), catalog.FacetQuery{Fields: []string{"owner", "type"}})
		if err != nil || len(got["owner"]) != 200 || got["owner"][199].Count != 2 || len(got["type"]) == 0 {
			t.Errorf("%d owners are given, %v, %v", len(got["owner"]), got["type"], err)
		}
		if _, err := b.Facets(as("adam"), catalog.FacetQuery{Fields: []string{"owner"}, Contains: strings.Repeat("a", 201)}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}
