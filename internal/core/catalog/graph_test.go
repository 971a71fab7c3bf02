package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const company = `
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: tribe}, spec: {type: tribe, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: squad, title: The Squad}, spec: {type: squad, parent: tribe, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: wanda}, spec: {memberOf: [squad]}}
---
{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: bank}, spec: {owner: tribe}}
---
{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: pay}, spec: {type: openapi, lifecycle: production, owner: squad, system: bank, definition: x}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: payer}, spec: {type: service, lifecycle: production, owner: squad, system: bank, providesApis: [pay], dependsOn: ['resource:ledger']}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: web}, spec: {type: website, lifecycle: production, owner: tribe, consumesApis: [pay]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: ledger}, spec: {type: database, owner: squad}}
`

func graphed(nodes []catalog.GraphNode) string {
	var all []string
	for _, n := range nodes {
		r := strings.TrimPrefix(strings.Replace(n.Ref, "default/", "", 1), "component:")
		if n.By != "" {
			r += fmt.Sprintf("/%d/%s", n.Depth, n.By)
		}
		all = append(all, r)
	}
	return strings.Join(all, " ")
}

func TestTheGraphTellsImpactAndOwnership(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(system(), "lab", "company", company)
		b.apply(as("olga"), "ops", "hidden", strings.ReplaceAll(strings.ReplaceAll(hidden, "resource:default/db", "component:default/web"), "owner: team", "owner: squad"))
		for _, c := range []struct {
			who, want string
			q         catalog.GraphQuery
		}{
			{"carol", "component:none", catalog.GraphQuery{Root: parseRef(t, "none")}},
			{"carol", "resource:ledger payer/1/dependencyOf api:pay/2/providesApi web/3/apiConsumedBy", catalog.GraphQuery{Root: parseRef(t, "resource:ledger"), View: catalog.Impact, Depth: 9}},
			{"olga", "", catalog.GraphQuery{Root: parseRef(t, "resource:ledger"), View: catalog.Impact, Depth: 9}},
			{"adam", "resource:ledger payer/1/dependencyOf api:pay/2/providesApi web/3/apiConsumedBy secret/4/dependencyOf", catalog.GraphQuery{Root: parseRef(t, "resource:ledger"), View: catalog.Impact, Depth: 9}},
			{"carol", "web api:pay/1/consumesApi payer/2/apiProvidedBy system:bank/2/partOf resource:ledger/3/dependsOn", catalog.GraphQuery{Root: parseRef(t, "web"), View: catalog.Needs, Depth: 9}},
			{"carol", "group:tribe web/1/ownerOf group:squad/1/parentOf system:bank/1/ownerOf api:pay/2/ownerOf payer/2/ownerOf resource:ledger/2/ownerOf", catalog.GraphQuery{Root: parseRef(t, "group:tribe"), View: catalog.Owned, Depth: 9}},
			{"carol", "group:squad user:wanda api:pay/1/ownerOf payer/1/ownerOf resource:ledger/1/ownerOf", catalog.GraphQuery{Root: parseRef(t, "user:wanda"), View: catalog.Owned, Depth: 9}},
			{"carol", "web api:pay/1/consumesApi", catalog.GraphQuery{Root: parseRef(t, "web"), Types: []string{"apiConsumedBy"}, Depth: 1}},
		} {
			g, err := b.Graph(as(c.who), c.q)
			if c.want == "" || c.want == "component:none" {
				if !fault.Is(err, fault.NotFound) {
					t.Errorf("%s: %v, %v", c.who, g, err)
				}
				continue
			}
			if got := graphed(g.Nodes); err != nil || got != c.want {
				t.Errorf("%s, %s of %s: %s, %v\nwant %s", c.who, c.q.View, c.q.Root, got, err, c.want)
			}
		}
		g, err := b.Graph(as("carol"), catalog.GraphQuery{Root: parseRef(t, "resource:ledger"), View: catalog.Impact, Depth: 1})
		if err != nil || !g.Cut || len(g.Nodes) != 2 || !g.Nodes[1].More {
			t.Errorf("a graph that ends at its depth: %+v, %v", g, err)
		}
		if n := g.Nodes[1]; n.Kind != "Component" || n.Owner != "group:default/squad" || n.System != "system:default/bank" || n.Type != "service" {
			t.Errorf("a node is told as %+v", n)
		}
		if g, err := b.Graph(as("carol"), catalog.GraphQuery{Root: parseRef(t, "group:squad"), Nodes: 3, Depth: 2}); err != nil || !g.Cut || len(g.Nodes) != 3 {
			t.Errorf("a graph of three nodes: %s, %v", graphed(g.Nodes), err)
		}
		o, err := b.Owners(as("carol"), parseRef(t, "payer"))
		if got := graphed(o.Owners) + "; " + graphed(o.Members); err != nil || o.Cut || got != "group:squad/1/ownedBy group:tribe/2/childOf; user:wanda/1/hasMember" {
			t.Errorf("the owners are %s, %v, %v", got, o.Cut, err)
		}
		o, err = b.Owners(as("carol"), parseRef(t, "web"))
		if got := graphed(o.Owners) + "; " + graphed(o.Members); err != nil || got != "group:tribe/1/ownedBy; user:wanda/2/hasMember" {
			t.Errorf("the owners are %s, %v", got, err)
		}
		if _, err := b.Owners(as("carol"), parseRef(t, "secret")); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}
