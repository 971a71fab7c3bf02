package catalog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const fleet = `
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: Cart, title: The Cart, tags: [java, web]}, spec: {type: Service, lifecycle: production, owner: team, system: shop, dependsOn: ['resource:default/db']}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: search, tags: [go]}, spec: {type: service, lifecycle: experimental, owner: team, system: shop, dependsOn: ['component:default/cart']}}
---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: db, title: Orders}, spec: {type: database, owner: team}}
---
{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: shop}, spec: {owner: team}}
`

const hidden = `
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: secret, tags: [java]}, spec: {type: service, lifecycle: production, owner: team, dependsOn: ['resource:default/db']}}
`

var as = accesstest.As

func found(f catalog.Found) string {
	var names []string
	for _, e := range f.Items {
		names = append(names, e.Ref.Name)
	}
	return fmt.Sprint(strings.Join(names, " "), " of ", f.Total)
}

func TestFindAnswersFromTheIndex(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("carol"), "lab", "fleet", fleet)
		b.apply(as("olga"), "ops", "hidden", hidden)
		components := index.Has{Key: "kind", Values: []string{"component"}}
		for _, c := range []struct {
			who  string
			q    index.Query
			want string
		}{
			{"adam", index.Query{Filter: components}, "cart search secret of 3"},
			{"carol", index.Query{Filter: components}, "cart search of 2"},
			{"nobody", index.Query{Filter: components}, " of 0"},
			{"carol", index.Query{Filter: index.All{components, index.Has{Key: "spec.TYPE", Values: []string{"SERVICE"}}}, Order: []index.Order{{Field: "metadata.name", Desc: true}}}, "search cart of 2"},
			{"carol", index.Query{Filter: index.Has{Key: "metadata.tags.java", Values: []string{"true"}}}, "cart of 1"},
			{"carol", index.Query{Filter: index.Exists{Key: "metadata.title"}, Order: []index.Order{{Field: "metadata.title"}}}, "db cart of 2"},
			{"carol", index.Query{Filter: index.Has{Key: "relations.hasPart", Values: []string{"component:default/cart"}}}, "shop of 1"},
			{"adam", index.Query{Filter: index.Has{Key: "relations.dependencyOf", Values: []string{"component:default/secret"}}}, "db of 1"},
			{"carol", index.Query{Filter: index.Has{Key: "relations.dependencyOf", Values: []string{"component:default/secret"}}}, " of 0"},
			{"carol", index.Query{Filter: index.Contains{Keys: []string{"metadata.title"}, Term: "ORD"}}, "db of 1"},
		} {
			got, err := b.Find(as(c.who), c.q)
			if err != nil || found(got) != c.want {
				t.Errorf("%s finds %s, %v; want %s: %+v", c.who, found(got), err, c.want, c.q)
			}
		}
		counts, err := b.Counts(as("carol"), index.FacetQuery{Keys: []string{"spec.type", "kind"}, Filter: components})
		if got := fmt.Sprint(counts, err); got != "map[kind:[{Component 2}] spec.type:[{Service 1} {service 1}]] <nil>" {
			t.Error(got)
		}
	})
}

func TestPagesGoBothWays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("carol"), "lab", "fleet", fleet)
		q := index.Query{Filter: index.Exists{Key: "spec.owner"}, Order: []index.Order{{Field: "metadata.title"}}, Limit: 3}
		first, err := b.Find(as("carol"), q)
		if err != nil || found(first) != "db cart search of 4" || first.Prev != nil || first.Next == nil {
			t.Fatal(found(first), first.Prev, first.Next, err)
		}
		q.After = first.Next
		second, err := b.Find(as("carol"), q)
		if err != nil || found(second) != "shop of 4" || second.Prev == nil || second.Next != nil {
			t.Fatal(found(second), second.Prev, second.Next, err)
		}
		q.After, q.Before = nil, second.Prev
		if again, err := b.Find(as("carol"), q); err != nil || found(again) != found(first) {
			t.Fatal(found(again), err)
		}
		q.After = second.Prev
		if _, err := b.Find(as("carol"), q); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

func TestByRefsAndByUID(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("carol"), "lab", "fleet", fleet)
		b.apply(as("olga"), "ops", "hidden", hidden)
		refs := []ref.Entity{parseRef(t, "component:default/secret"), parseRef(t, "resource:default/db"), parseRef(t, "component:default/none"), parseRef(t, "component:default/cart")}
		list, err := b.ByRefs(as("carol"), refs)
		if err != nil || len(list) != 4 || list[0] != nil || list[1].Ref != refs[1] || list[2] != nil || list[3].Ref != refs[3] {
			t.Fatal(list, err)
		}
		for _, r := range list[1].Relations {
			if r.Target == refs[0] {
				t.Error("carol sees who depends on the database in a space that she may not read")
			}
		}
		if e, err := b.ByUID(as("carol"), list[1].UID); err != nil || e.Ref != refs[1] {
			t.Error(e.Ref, err)
		}
		if _, err := b.ByUID(as("carol"), b.get("component:default/secret").UID); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}

func TestWalkTellsWhatDependsOnAnEntity(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("carol"), "lab", "fleet", fleet)
		b.apply(as("olga"), "ops", "hidden", hidden)
		for who, want := range map[string]string{
			"carol": "resource:default/db component:default/cart component:default/search",
			"adam":  "resource:default/db component:default/cart component:default/secret component:default/search",
		} {
			g, err := b.Walk(as(who), index.Walk{From: []string{"resource:default/db"}, Types: []string{"dependsOn"}, Direction: index.Incoming, Depth: 5})
			var refs []string
			for _, n := range g.Nodes {
				refs = append(refs, n.Ref)
			}
			if got := strings.Join(refs, " "); err != nil || got != want || len(g.Cycles) != 0 {
				t.Errorf("%s: %s, %v, %v; want %s", who, got, g.Cycles, err, want)
			}
		}
		b.apply(as("carol"), "lab", "more", `{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: disk}, spec: {type: disk, owner: team, dependencyOf: ['resource:default/db'], dependsOn: ['component:default/search']}}`)
		g, err := b.Walk(as("carol"), index.Walk{From: []string{"resource:default/db"}, Types: []string{"dependencyOf"}, Depth: 9})
		if err != nil || len(g.Cycles) != 1 || strings.Join(g.Cycles[0].Refs, " ") != "component:default/cart component:default/search resource:default/db resource:default/disk" {
			t.Fatal(g.Cycles, err)
		}
	})
}

// What was read before is not shown again after something has changed, with a version or without, or was undone.
func TestWhatIsKeptIsNeverStale(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("alice"), "default", "fleet", fleet)
		cart := parseRef(t, "component:default/cart")
		holds := func(condition, title string) {
			t.Helper()
			for range 2 {
				if e := b.get("cart"); e.Condition != condition || e.Document.Metadata.Title != title {
					t.Errorf("the cart is %q and %q, not %q and %q", e.Condition, e.Document.Metadata.Title, condition, title)
				}
			}
		}
		holds("", "The Cart")
		set := func(condition string, after error) error {
			return b.db.Write(system(), func(tx *store.Tx) error {
				if err := b.SetStatus(system(), tx, cart, map[string]string{}, condition); err != nil {
					return err
				}
				if e, err := b.Get(system(), cart); err != nil || e.Condition != condition {
					t.Errorf("inside, the cart is %q: %v", e.Condition, err)
				}
				return after
			})
		}
		if err := set("Healthy", nil); err != nil {
			t.Fatal(err)
		}
		holds("Healthy", "The Cart")
		if err := set("Broken", errors.New("undone")); err == nil {
			t.Fatal("it was not undone")
		}
		holds("Healthy", "The Cart")
		b.apply(as("alice"), "default", "fleet", strings.Replace(fleet, "The Cart", "Cart", 1))
		holds("Healthy", "Cart")
		if _, err := b.Apply(as("alice"), catalog.Apply{Source: "fleet", Prune: true}); err != nil {
			t.Fatal(err)
		}
		b.gone(system(), "cart")
		b.apply(as("alice"), "default", "fleet", fleet)
		holds("", "The Cart")
	})
}

// A server that starts reads what the one before it was told.
func TestARestartAnswersTheSame(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("alice"), "default", "fleet", fleet)
		b.apply(as("olga"), "ops", "hidden", hidden)
		b.apply(as("alice"), "default", "fleet", strings.Replace(fleet, "The Cart", "Cart", 1))
		if err := b.Delete(system(), parseRef(t, "component:default/search"), ""); err != nil {
			t.Fatal(err)
		}
		live, again := b.Service, b.another()
		for _, f := range []index.Filter{nil, index.Has{Key: "kind", Values: []string{"component"}}, index.Contains{Term: "cart"}, index.Exists{Key: "relations.ownerof"}} {
			for _, who := range []string{"adam", "carol"} {
				q := index.Query{Filter: f, Order: []index.Order{{Field: "metadata.title"}}}
				one, err := live.Find(as(who), q)
				if err != nil {
					t.Fatal(err)
				}
				other, err := again.Find(as(who), q)
				if err != nil || found(one) != found(other) || len(one.Items) == 0 && who == "adam" {
					t.Errorf("%s was told %s, and is told %s of %+v (%v)", who, found(one), found(other), f, err)
				}
				facets := index.FacetQuery{Keys: []string{"kind", "spec.type", "relations.dependsOn", "metadata.tags"}, Filter: f}
				counts, err := live.Counts(as(who), facets)
				if err != nil {
					t.Fatal(err)
				}
				if now, err := again.Counts(as(who), facets); err != nil || fmt.Sprint(counts) != fmt.Sprint(now) {
					t.Errorf("%s counted %v, and counts %v (%v)", who, counts, now, err)
				}
			}
		}
		counts, err := live.Counts(as("carol"), index.FacetQuery{Keys: []string{"kind", "metadata.tags", index.KeySpace}})
		if got := fmt.Sprint(counts, err); strings.Contains(got, "java") || strings.Contains(got, "ops") || strings.Contains(got, "Component") {
			t.Errorf("carol counts what she may not see: %s", got)
		}
	})
}

// another is a server that starts on the same database.
func (b *bench) another() *catalog.Service {
	log := storetest.Log(b.t)
	kinds := document.NewRegistry()
	entries := ledger.New(b.db, time.Now, log)
	rights := access.New(b.db, entries, time.Now, log)
	for _, k := range access.Kinds(rights) {
		kinds.Register(k)
	}
	return catalog.New(b.db, kinds, rights, entries, queue.New(b.db, log), time.Now, log)
}

// Another server on the same database hears of changes by the ledger.
func TestServersAgree(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		other := b.another()
		q := index.Query{Filter: index.Has{Key: "kind", Values: []string{"component"}}}
		same := func(want string) {
			t.Helper()
			b.sealed()
			for _, s := range []*catalog.Service{b.Service, other} {
				if got, err := s.Find(system(), q); err != nil || found(got) != want {
					t.Errorf("%s, %v; want %s", found(got), err, want)
				}
			}
		}
		same(" of 0")
		b.apply(as("carol"), "lab", "fleet", fleet)
		same("cart search of 2")
		if err := b.Delete(system(), parseRef(t, "component:default/cart"), ""); err != nil {
			t.Fatal(err)
		}
		same("search of 1")
		b.apply(as("carol"), "lab", "fleet", fleet)
		same("cart search of 2")
	})
}

// Of one entity more relations of others are shown than of each in a list, and it is told where there are more.
func TestManyRelationsOfOthers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		const many = 2001
		var text strings.Builder
		text.WriteString("{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: whole}, spec: {owner: crew}}\n")
		for i := range many {
			fmt.Fprintf(&text, "---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: part-%d}, spec: {type: service, lifecycle: production, owner: crew, system: whole}}\n", i)
		}
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": text.String()})
		b.location(alice, "default", "team/shop", "")
		parts := func(e catalog.Entity) (n int) {
			for _, r := range e.Relations {
				if r.Type == "hasPart" {
					n++
				}
			}
			return n
		}
		whole := b.get("system:whole")
		if n := parts(whole); n != many || whole.Cut {
			t.Errorf("alone it shows %d parts, cut: %v", n, whole.Cut)
		}
		found, err := b.Find(alice, index.Query{Filter: index.Has{Key: "kind", Values: []string{"system", "component"}}, Order: []index.Order{{Field: "kind", Desc: true}}, Limit: 20})
		if err != nil || len(found.Items) != 20 {
			t.Fatal(len(found.Items), err)
		}
		if e := found.Items[0]; e.Ref.Name != "whole" || parts(e) != many-1 || !e.Cut || found.Items[1].Cut {
			t.Errorf("in a list %s shows %d parts, cut: %v", e.Ref, parts(e), e.Cut)
		}
	})
}
