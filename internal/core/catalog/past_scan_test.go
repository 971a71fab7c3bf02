package catalog_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// answers are what somebody is told of the catalog at a time; the zero time is the present.
func answers(t *testing.T, b *bench, who string, at time.Time) map[string]any {
	t.Helper()
	told, ctx := map[string]any{}, as(who)
	note := func(what string, answer any, err error) {
		if fault.Is(err, fault.NotFound) {
			answer, err = "not there", nil
		}
		if err != nil {
			t.Fatal(what, err)
		}
		told[what] = answer
	}
	fields := []string{"kind", "namespace", "space", "owner", "type", "source", "lifecycle", "system", "tag", "personal"}
	for name, q := range map[string]catalog.Query{
		"all": {}, "components": {Kinds: []string{"components"}}, "narrowed": {Kinds: []string{"component", "api"}, Owner: []string{"squad"}, Type: []string{"Service"}, Namespace: []string{"default"}},
		"in lab": {Space: []string{"lab"}, Tags: []string{"Pci"}}, "a system": {System: []string{"bank"}, Lifecycle: []string{"production"}}, "words": {Text: "squad"}, "mine": {Mine: true}, "a source": {Source: "company"}, "unknown": {Kinds: []string{"nothing"}},
	} {
		q.At = at
		for _, apart := range []bool{false, true} {
			counted, err := b.Facets(ctx, catalog.FacetQuery{Query: q, Fields: fields, Apart: apart})
			for field, list := range counted {
				note(fmt.Sprint(name, " ", field, " ", apart), fmt.Sprint(list), err)
			}
		}
		counted, err := b.Facets(ctx, catalog.FacetQuery{Query: q, Fields: []string{"owner"}, Contains: "SQ"})
		note(name+" found", fmt.Sprint(counted["owner"]), err)
	}
	for _, name := range []string{"resource:ledger", "web", "payer", "api:pay", "group:tribe", "group:squad", "user:wanda", "system:bank", "secret", "none"} {
		root := parseRef(t, name)
		for _, q := range []catalog.GraphQuery{
			{Depth: 1}, {Depth: 9}, {Depth: 9, Nodes: 3}, {Direction: index.Incoming, Depth: 2}, {Direction: index.Outgoing, Depth: 2}, {Types: []string{"apiConsumedBy", "dependsOn"}, Depth: 5},
			{View: catalog.Impact, Depth: 9}, {View: catalog.Needs, Depth: 9}, {View: catalog.Owned, Depth: 9},
		} {
			q.Root, q.At = root, at
			g, err := b.Graph(ctx, q)
			q.At = time.Time{}
			note(fmt.Sprintf("graph %+v", q), g, err)
		}
		get := b.Get
		if !at.IsZero() {
			get = func(ctx context.Context, r ref.Entity) (catalog.Entity, error) { return b.GetAt(ctx, r, at) }
		}
		e, err := get(ctx, root)
		note("relations of "+name, fmt.Sprint(e.Relations, e.Owner, e.Cut), err)
	}
	return told
}

// What was told of the catalog when it was so is told of it as of then, whoever asks, after everything has changed: values
// and how many have them, what was around an entity, and who pointed at it.
func TestThePastIsToldAsThePresentWas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		start := time.Now()
		b.apply(system(), "lab", "company", company)
		b.apply(system(), "default", "more", `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: till, title: Of the Squad, tags: [pci, pci, go]}, spec: {type: Service, lifecycle: Production, owner: user:wanda, subcomponentOf: payer, system: bank, dependsOn: ['resource:ledger', 'component:till', 'component:away']}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: others, namespace: far}, spec: {type: team, parent: default/tribe, children: [], members: [default/wanda]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: alices, tags: [pci]}, spec: {type: service, lifecycle: production, owner: 'user:alice'}}`)
		b.apply(as("olga"), "ops", "hidden", strings.ReplaceAll(strings.ReplaceAll(hidden, "resource:default/db", "component:default/web"), "owner: team", "owner: squad"))
		people := []string{"alice", "carol", "olga", "adam"}
		then, want := time.Now(), map[string]map[string]any{}
		for _, who := range people {
			want[who] = answers(t, b, who, time.Time{})
		}
		if got := want["alice"]["all personal false"]; got != "[{mine 1}]" {
			t.Fatal("alice owns", got)
		}

		b.apply(as("carol"), "lab", "later", `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: late}, spec: {type: service, lifecycle: production, owner: squad, dependsOn: ['resource:ledger', 'component:web']}}`)
		b.apply(system(), "lab", "company", strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(company, "owner: squad", "owner: tribe"), "consumesApis: [pay], ", ""), ", dependsOn: ['resource:ledger']", ""))
		for _, name := range []string{"till", "payer", "system:bank", "secret", "group:far/others", "alices"} {
			if err := b.Delete(system(), parseRef(t, name), ""); err != nil {
				t.Fatal(name, err)
			}
		}
		for _, who := range people {
			got := answers(t, b, who, then)
			for what, answer := range want[who] {
				if !reflect.DeepEqual(got[what], answer) {
					t.Errorf("%s is told of %s:\n%+v\nand was told\n%+v", who, what, got[what], answer)
				}
			}
			if len(got) != len(want[who]) {
				t.Errorf("%s has %d answers, and had %d", who, len(got), len(want[who]))
			}
		}
		if counted, err := b.Facets(as("carol"), catalog.FacetQuery{Query: catalog.Query{At: start, Kinds: []string{"component"}}, Fields: []string{"kind"}}); err != nil || len(counted["kind"]) != 0 {
			t.Error("before everything there was", counted, err)
		}
		for name, in := range map[string]catalog.FacetQuery{
			"state": {Fields: []string{"state"}}, "gap": {Fields: []string{"kind", "gap"}}, "stars": {Query: catalog.Query{Starred: true}, Fields: []string{"kind"}}, "what is no field": {Fields: []string{"size"}},
		} {
			in.At = then
			if _, err := b.Facets(as("carol"), in); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s is counted of the past: %v", name, err)
			}
		}
	})
}

// A bound that ends a look at the past is told of.
func TestAPastThatIsTooLargeSaysSo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(system(), "lab", "company", company)
		at := time.Now()
		whole, err := b.GetAt(as("carol"), parseRef(t, "resource:ledger"), at)
		if err != nil || whole.Cut || len(whole.Relations) != 2 {
			t.Fatal(whole.Relations, whole.Cut, err)
		}
		if g, err := b.Graph(as("carol"), catalog.GraphQuery{Root: parseRef(t, "group:squad"), Depth: 100, At: at}); err != nil || g.Cut {
			t.Fatal(g, err)
		}
		b.GoThrough(1)
		e, err := b.GetAt(as("carol"), parseRef(t, "group:squad"), at)
		if err != nil || !e.Cut || e.Ref.Name != "squad" {
			t.Error(e.Relations, e.Cut, err)
		}
		g, err := b.Graph(as("carol"), catalog.GraphQuery{Root: parseRef(t, "group:squad"), Depth: 100, At: at})
		if err != nil || !g.Cut || len(g.Nodes) == 0 || !g.Nodes[0].Exists {
			t.Error(g, err)
		}
		_, err = b.Facets(as("carol"), catalog.FacetQuery{Query: catalog.Query{At: at}, Fields: []string{"kind"}})
		refused(t, err, fault.TooLarge, "at most 1 entities", "name a kind or a space")
		counted, err := b.Facets(as("carol"), catalog.FacetQuery{Query: catalog.Query{At: at, Kinds: []string{"resource"}}, Fields: []string{"owner"}})
		if err != nil || fmt.Sprint(counted) != "map[owner:[{group:default/squad 1}]]" {
			t.Error("what is narrowed enough is counted as", counted, err)
		}
	})
}
