package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func component(name, spec string) string {
	return "---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: " + name + ", tags: [go]}, spec: {type: service, lifecycle: production, owner: team, " + spec + "}}\n"
}

func widget(name, spec string) string {
	return "---\n{apiVersion: test.dev/v1, kind: Widget, metadata: {name: " + name + "}, spec: {" + spec + "}}\n"
}

func TestAnApplyFromFirstToLast(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		if got := b.apply(alice, "default", "", component("shop", "system: store")+widget("w", "")); got != "created created" {
			t.Errorf("first: %s", got)
		}
		if got := b.apply(alice, "default", "", component("shop", "system: store")+widget("w", "a: 1")); got != "unchanged updated" {
			t.Errorf("second: %s", got)
		}
		e := b.get("shop")
		if e.Version != 1 || e.CreatedBy != "pri_alice" || e.Space != "default" || e.Source != "apply" || e.Type != "service" || e.Owner.String() != "group:default/team" {
			t.Errorf("got %+v", e)
		}
		in := catalog.Apply{Space: "default", Documents: parse(t, widget("w", "a: 2")+component("new", "")), DryRun: true, Prune: true}
		out, err := b.Apply(alice, in)
		if err != nil || actions(out) != "updated created deleted" {
			t.Errorf("dry run: %s, %v", actions(out), err)
		}
		b.gone(alice, "new")
		in.DryRun = false
		if out, err = b.Apply(alice, in); err != nil || actions(out) != "updated created deleted" {
			t.Errorf("prune: %s, %v", actions(out), err)
		}
		if diff := cmp.Diff([]document.Difference{{Path: "spec.a", Old: int64(1), New: int64(2)}}, out.Items[0].Diff); diff != "" {
			t.Error(diff)
		}
		b.gone(alice, "shop")
		b.apply(accesstest.As("bob"), "default", "", component("shop", ""))
		if e := b.get("shop"); e.Version != 3 || e.CreatedBy != "pri_bob" {
			t.Errorf("made again: %+v", e)
		}
		for kind, want := range map[string]int{"entity.created": 2, "entity.changed": 0, "entity.deleted": 1} {
			if got := b.entries(kind, "component:default/shop"); got != want {
				t.Errorf("%d entries %s, want %d", got, kind, want)
			}
		}
		history, err := b.History(alice, parseRef(t, "shop"), catalog.HistoryQuery{}, page.Request{})
		var told []string
		for _, v := range history.Items {
			told = append(told, fmt.Sprint(v.Number, " ", v.Action, " ", v.Actor))
		}
		if diff := cmp.Diff([]string{"3 created pri_bob", "2 deleted pri_alice", "1 created pri_alice"}, told); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if history, err = b.History(alice, parseRef(t, "widget:default/w"), catalog.HistoryQuery{}, page.Request{Cursor: "3", Limit: 1}); err != nil || len(history.Items) != 1 || len(history.Items[0].Diff) != 1 || history.Next != "2" {
			t.Errorf("history of the widget: %+v, %v", history, err)
		}
	})
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		_, err := b.try(alice, "default", "", component("good", "")+widget("bad", "refuse: true"))
		refused(t, err, fault.Invalid, "widgets like this are not made", "test.yaml:4:1: ")
		b.gone(alice, "good")
		_, err = b.try(alice, "default", "", `
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: bad}
spec:
  type: service
  owner: {a: b}
  dependsOn: [shop]
---
{apiVersion: backstage.io/v1alpha1, kind: Componnet, metadata: {name: x}}
`+component("twice", "")+component("twice", ""))
		refused(t, err, fault.Invalid, "test.yaml:5:1: spec.lifecycle", "test.yaml:7:3: spec.owner: a Component needs spec.owner, as text", "test.yaml:8:15: spec.dependsOn.0", "did you mean Component?", "is there twice")
		if len(b.seen) != 0 && b.seen[0].New != nil {
			t.Errorf("the projection saw %v", b.seen)
		}
	})
}

func TestARefBelongsToItsFirstSource(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, carol := accesstest.As("alice"), accesstest.As("carol")
		b.apply(alice, "default", "one", component("shop", ""))
		for _, c := range []struct {
			ctx           context.Context
			space, source string
			why           string
		}{
			{alice, "default", "two", "it belongs to the source one in space default"}, {alice, "lab", "one", "it belongs to the source one in space default"},
			{carol, "lab", "one", "the name is taken"},
		} {
			_, err := b.try(c.ctx, c.space, c.source, component("own", "")+component("shop", "x: stolen"))
			refused(t, err, fault.Conflict, "test.yaml:4", "component:default/shop: "+c.why)
			b.gone(alice, "own")
		}
		out, err := b.Apply(carol, catalog.Apply{Space: "lab", Documents: parse(t, component("shop", "")), DryRun: true})
		if err != nil || actions(out) != "conflict" {
			t.Errorf("dry run: %s, %v", actions(out), err)
		}
		for _, source := range []string{"location:loc_1", "roadbed:set-up", "a b", ""} {
			_, err := b.Apply(alice, catalog.Apply{Space: "default", Source: source, Documents: parse(t, component("x", ""))})
			if source == "" {
				if err != nil {
					t.Error(err)
				}
				continue
			}
			refused(t, err, fault.Invalid)
		}
	})
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.apply(alice, "default", "", component("shop", ""))
		old := b.get("shop").Etag
		in := catalog.Apply{Space: "default", Documents: parse(t, component("shop", "x: 1")), IfMatch: old}
		if _, err := b.Apply(alice, in); err != nil {
			t.Fatal(err)
		}
		_, err := b.Apply(alice, in)
		refused(t, err, fault.Stale)
		refused(t, b.Delete(alice, parseRef(t, "shop"), old), fault.Stale)
		if err := b.Delete(alice, parseRef(t, "shop"), b.get("shop").Etag); err != nil {
			t.Error(err)
		}
		b.gone(alice, "shop")
		refused(t, b.Delete(alice, parseRef(t, "shop"), ""), fault.NotFound)
	})
}

// TestWhatIsNewIsNotThereYet: an apply of what is new changes nothing that is there, as it is or whoever brought it.
func TestWhatIsNewIsNotThereYet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		in := catalog.Apply{Space: "default", Documents: parse(t, component("shop", "x: 1")), New: true}
		if out, err := b.Apply(alice, in); err != nil || actions(out) != "created" {
			t.Fatalf("%s, %v", actions(out), err)
		}
		for _, source := range []string{"", "other"} {
			in.Source = source
			if _, err := b.Apply(alice, in); !errors.Is(err, catalog.ErrThere) || !fault.Is(err, fault.Stale) {
				t.Errorf("it is made again by %q: %v", source, err)
			}
		}
		if e := b.get("shop"); e.Version != 1 {
			t.Errorf("it is %+v", e)
		}
	})
}

func TestRights(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, carol, nobody := accesstest.As("alice"), accesstest.As("carol"), context.Background()
		b.apply(accesstest.As("adam"), "ops", "", component("vault", "dependsOn: ['component:lab-tool']")+component("lab-tool-user", ""))
		b.apply(carol, "lab", "", component("lab-tool", ""))
		b.apply(alice, "default", "", component("shop", ""))

		_, err := b.try(carol, "default", "", component("x", ""))
		refused(t, err, fault.Denied, "entity:write in space default")
		_, err = b.try(nobody, "default", "", component("x", ""))
		refused(t, err, fault.Unauthenticated)
		_, err = b.try(system(), "nowhere", "", component("x", ""))
		refused(t, err, fault.NotFound)
		group := "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: mine}, spec: {type: team, children: [], members: [alice]}}"
		binding := "{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mine}, spec: {role: admin, subjects: ['user:default/alice']}}"
		for _, text := range []string{group, binding} {
			_, err = b.try(alice, "default", "", component("x", "")+"---\n"+text)
			refused(t, err, fault.Denied, "administrator of the space")
		}
		b.gone(system(), "x")
		refused(t, b.Delete(alice, parseRef(t, "group:default/team"), ""), fault.Denied, "administrator")
		refused(t, b.Delete(carol, parseRef(t, "vault"), ""), fault.NotFound, "or you may not see it")

		// Carol sees lab alone, and what points into it from ops is not hers to see.
		b.gone(carol, "vault")
		_, err = b.History(carol, parseRef(t, "vault"), catalog.HistoryQuery{}, page.Request{})
		refused(t, err, fault.NotFound)
		page, err := b.List(carol, catalog.Query{Limit: 1})
		if err != nil || names(page) != "lab-tool" || page.Total != 1 || page.Next != "" {
			t.Errorf("carol's list: %s of %d, %v", names(page), page.Total, err)
		}
		facets, err := b.Facets(carol, catalog.FacetQuery{Fields: []string{"space", "kind"}})
		if diff := cmp.Diff(map[string][]catalog.Facet{"space": {{"lab", 1}}, "kind": {{"component", 1}}}, facets); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if e, err := b.Get(carol, parseRef(t, "lab-tool")); err != nil || fmt.Sprint(e.Relations) != "[{ownedBy group:default/team}]" {
			t.Errorf("carol's relations: %v, %v", e.Relations, err)
		}
		if got := fmt.Sprint(b.get("lab-tool").Relations); !strings.Contains(got, "{dependencyOf component:default/vault}") {
			t.Errorf("the platform's relations: %s", got)
		}
		if page, err := b.List(carol, catalog.Query{Space: []string{"ops"}}); err != nil || page.Total != 0 {
			t.Errorf("carol's list of ops: %+v, %v", page, err)
		}
		_, err = b.List(nobody, catalog.Query{})
		refused(t, err, fault.Unauthenticated)
	})
}

func TestRelationsGoBothWays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(accesstest.As("alice"), "default", "", component("shop", "system: store, providesApis: [orders], dependsOn: ['resource:db', 'component:other/x']")+
			component("part", "subcomponentOf: shop")+`---
{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: orders}, spec: {type: openapi, lifecycle: production, owner: team, definition: "openapi: 3.1.0"}}
---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: db}, spec: {type: database, owner: 'user:alice'}}
---
{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: store}, spec: {owner: team, domain: retail}}
---
{apiVersion: backstage.io/v1alpha1, kind: Domain, metadata: {name: retail}, spec: {owner: team, subdomainOf: all}}
`)
		for name, want := range map[string]string{
			"shop": "[{dependsOn component:other/x} {dependsOn resource:default/db} {hasPart component:default/part} {ownedBy group:default/team} " +
				"{partOf system:default/store} {providesApi api:default/orders}]",
			"api:orders":   "[{apiProvidedBy component:default/shop} {ownedBy group:default/team}]",
			"resource:db":  "[{dependencyOf component:default/shop} {ownedBy user:default/alice}]",
			"system:store": "[{hasPart component:default/shop} {ownedBy group:default/team} {partOf domain:default/retail}]",
		} {
			if got := fmt.Sprint(b.get(name).Relations); got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
		}
		b.apply(accesstest.As("alice"), "default", "", component("shop", ""))
		if got := fmt.Sprint(b.get("api:orders").Relations); got != "[{ownedBy group:default/team}]" {
			t.Errorf("after the change: %s", got)
		}
	})
}

func TestProjectionsSeeEveryChangeInItsTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.apply(alice, "lab", "", widget("w", "a: 1"))
		b.apply(alice, "lab", "", widget("w", "a: 2"))
		if err := b.Delete(alice, parseRef(t, "widget:default/w"), ""); err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, c := range b.seen {
			text := func(d *document.Document) string {
				if d == nil {
					return "none"
				}
				return fmt.Sprint(d.Spec["a"])
			}
			told = append(told, fmt.Sprintf("%s %s: %s to %s, entry %t", c.Space, c.Ref, text(c.Old), text(c.New), c.Entry != ""))
		}
		want := []string{
			"lab widget:default/w: none to 1, entry true", "lab widget:default/w: 1 to 2, entry true", "lab widget:default/w: 2 to none, entry true",
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
	})
}

// The ledger is for ever, so it knows people by ids; what a person's document said goes with it.
func TestAPersonWhoGoesIsInNoRecord(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		user := func(mail string) string {
			return "---\n{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: dana}, spec: {memberOf: [team], profile: {email: " + mail + "}}}\n"
		}
		const owned = "---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: tool}, spec: {type: service, lifecycle: production, owner: 'user:default/dana'}}\n"
		group := func(members string) string {
			return "---\n{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: tools}, spec: {type: team, children: [], members: " + members + "}}\n"
		}
		binding := func(subjects string) string {
			return "---\n{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: tools}, spec: {role: reader, subjects: " + subjects + "}}\n"
		}
		b.apply(system(), "default", "teams", group(`["bob", "Dana"]`)+binding(`["user:default/bob", "user:default/dana.x", "user:other/dana"]`))
		b.apply(system(), "default", "teams", group(`["dana"]`)+binding(`["user:default/dana", "user:default/dana-y"]`))
		b.apply(system(), "default", "early", strings.Replace(owned, "tool", "older", 1)) // of nobody yet
		b.apply(system(), "default", "tools", user("dana@one.test"))
		b.apply(system(), "default", "tools", user("dana@two.test")+owned)
		dana := parseRef(t, "user:default/dana")
		var id string
		var told []ledger.Entry
		look := func() {
			if b.db.Dialect() == store.Postgres {
				b.sealed()
			}
			err := b.db.Read(t.Context(), func(tx *store.Tx) (err error) {
				told, err = b.ledger.List(t.Context(), tx, ledger.Query{Types: []string{"entity."}, Limit: 1000})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		look()
		for _, e := range told {
			if e.Subject == "component:default/tool" && len(e.Refs) > 0 {
				id = e.Refs[0]
			}
		}
		if !ref.IsID(id, ref.Principal) {
			t.Fatalf("the owner is called %q", id)
		}
		if got := b.entries("entity.created", id) + b.entries("entity.changed", id); got != 3 { // herself twice, and what she owns
			t.Errorf("%d entries are about her", got)
		}
		if err := b.Delete(system(), dana, ""); err != nil {
			t.Fatal(err)
		}
		if b.entries("entity.deleted", id) != 1 {
			t.Error("no entry tells that she has gone")
		}
		look()
		for _, e := range told {
			if text := fmt.Sprint(e.Subject, e.Refs, string(e.Data)); strings.Contains(text, "dana") {
				t.Errorf("the ledger names her: %s", text)
			}
		}
		versions, err := b.History(system(), dana, catalog.HistoryQuery{}, page.Request{})
		if err != nil || len(versions.Items) != 3 {
			t.Errorf("%d versions, %v", len(versions.Items), err)
		}
		for _, v := range versions.Items {
			if text := fmt.Sprint(v.Diff); strings.Contains(text, "test") {
				t.Errorf("version %d still tells of her: %s", v.Number, text)
			}
		}

		// What was declared of others names her no more, now or when it changes.
		if _, err := b.queue.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.apply(system(), "default", "teams", group(`["bob"]`)+binding(`["user:default/bob", "user:default/dana.x", "user:other/dana"]`))
		for _, name := range []string{"group:default/tools", "rolebinding:default/tools", "component:default/tool", "component:default/older"} {
			versions, err := b.History(system(), parseRef(t, name), catalog.HistoryQuery{}, page.Request{})
			if err != nil || len(versions.Items) == 0 {
				t.Fatal(err)
			}
			text := ""
			for _, v := range versions.Items {
				text += fmt.Sprint(v.Diff)
			}
			text = strings.NewReplacer("user:default/dana.x", "", "user:default/dana-y", "", "user:other/dana", "").Replace(text)
			if named := strings.Contains(strings.ToLower(text), "dana"); named || !strings.Contains(text, id) && strings.HasSuffix(name, "/tools") {
				t.Errorf("the history of %s says %s", name, text)
			}
		}
		if versions, err := b.History(system(), parseRef(t, "rolebinding:default/tools"), catalog.HistoryQuery{}, page.Request{}); err != nil || !strings.Contains(fmt.Sprint(versions.Items[1].Diff), "user:default/dana.x") || !strings.Contains(fmt.Sprint(versions.Items[1].Diff), "user:other/dana") {
			t.Errorf("others lost their names: %+v, %v", versions, err)
		}
		b.apply(system(), "default", "tools", user("dana@three.test")+owned)
		if got := b.entries("entity.created", id); got != 2 {
			t.Errorf("another of her name is taken for her: %d", got)
		}
	})
}

func TestStatusTellsOnlyChangedConditions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(accesstest.As("alice"), "default", "", component("shop", ""))
		set := func(name string, status any, condition string) error {
			return b.db.Write(t.Context(), func(tx *store.Tx) error { return b.SetStatus(system(), tx, parseRef(t, name), status, condition) })
		}
		for i, condition := range []string{"Progressing", "Progressing", "Healthy", "Healthy"} {
			if err := set("shop", map[string]int{"replicas": i}, condition); err != nil {
				t.Fatal(err)
			}
		}
		var status struct{ Replicas int }
		e := b.get("shop")
		if err := json.Unmarshal(e.Status, &status); err != nil || status.Replicas != 3 || e.Condition != "Healthy" || e.Version != 1 {
			t.Errorf("got %s %s, version %d, %v", e.Status, e.Condition, e.Version, err)
		}
		if got := b.entries("entity.condition-changed", "component:default/shop"); got != 2 {
			t.Errorf("%d entries", got)
		}
		refused(t, set("nothing", 1, "x"), fault.NotFound)
		refused(t, set("shop", strings.Repeat("x", 70_000), "x"), fault.TooLarge)
	})
}

func TestListFindsAndPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		var text strings.Builder
		for i := range 25 {
			text.WriteString(component(fmt.Sprintf("c%02d", i), ""))
		}
		text.WriteString(`---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: odd, title: "100%_Ünique", namespace: other, description: Keeps orders}, spec: {type: Database, owner: 'user:default/bob'}}
`)
		b.apply(alice, "default", "many", text.String())
		var got []string
		q := catalog.Query{Kinds: []string{"Components"}, Limit: 10}
		for range 4 {
			page, err := b.List(alice, q)
			if err != nil || page.Total != 25 {
				t.Fatal(page.Total, err)
			}
			got = append(got, names(page))
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(got) != 3 || !strings.HasPrefix(got[1], "c10 c11") || got[2] != "c20 c21 c22 c23 c24" {
			t.Errorf("pages: %q", got)
		}
		for name, c := range map[string]struct {
			q    catalog.Query
			want string
		}{
			"text":            {catalog.Query{Text: "KEEPS unique"}, ""},
			"words":           {catalog.Query{Text: "ünique orders"}, "odd"},
			"wild cards":      {catalog.Query{Text: "100%_"}, "odd"},
			"no wild cards":   {catalog.Query{Text: "1%0"}, ""},
			"owner":           {catalog.Query{Owner: []string{"user:bob"}}, "odd"},
			"type":            {catalog.Query{Type: []string{"DATABASE"}}, "odd"},
			"namespace":       {catalog.Query{Namespace: []string{"Other"}}, "odd"},
			"source and kind": {catalog.Query{Source: "many", Kinds: []string{"resource", "system"}}, "odd"},
			"unknown kind":    {catalog.Query{Kinds: []string{"nothing"}}, ""},
		} {
			if page, err := b.List(alice, c.q); err != nil || names(page) != c.want {
				t.Errorf("%s: %q, %v; want %q", name, names(page), err, c.want)
			}
		}
		page, err := b.List(alice, catalog.Query{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, cursor := range []string{"x", page.Next + "x", "eyJhIjoiYiJ9"} {
			_, err := b.List(alice, catalog.Query{Cursor: cursor})
			refused(t, err, fault.Invalid, "cursor")
		}
		_, err = b.List(alice, catalog.Query{Cursor: page.Next, Text: "other"})
		refused(t, err, fault.Invalid, "cursor")
		facets, err := b.Facets(alice, catalog.FacetQuery{Query: catalog.Query{Source: "many"}, Fields: []string{"kind", "type", "owner"}})
		want := map[string][]catalog.Facet{
			"kind": {{"component", 25}, {"resource", 1}}, "type": {{"service", 25}, {"database", 1}}, "owner": {{"group:default/team", 25}, {"user:default/bob", 1}},
		}
		if diff := cmp.Diff(want, facets); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}
