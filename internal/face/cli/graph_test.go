package cli

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// Of two relations between the same two, the one that was not walked is told once more, and none is told twice.
func TestATreeTellsEveryRelationOnce(t *testing.T) {
	t.Parallel()
	const shop, db, all = "component:default/shop", "resource:default/db", "system:default/all"
	g := client.EntityGraph{
		Root: shop,
		Nodes: []client.GraphNode{
			{Ref: shop, Exists: true},
			{Ref: db, Depth: 1, From: shop, By: "hasBackup", Exists: true},
			{Ref: all, Depth: 1, From: shop, By: "partOf", Exists: true},
		},
		Edges: []client.GraphEdge{
			{Source: db, Type: "backs", Target: shop}, {Source: db, Type: "copies", Target: shop},
			{Source: all, Type: "hasPart", Target: shop}, {Source: shop, Type: "consumes", Target: all}, {Source: shop, Type: "partOf", Target: all},
		},
	}
	var b strings.Builder
	writeTree(&b, g)
	want := `component:default/shop
  hasBackup resource:default/db
  partOf system:default/all
also: resource:default/db backs component:default/shop
also: resource:default/db copies component:default/shop
also: system:default/all hasPart component:default/shop
also: component:default/shop consumes system:default/all
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	g.Nodes, g.Edges = g.Nodes[:2], g.Edges[:1]
	if writeTree(&b, g); strings.Contains(b.String(), "also") {
		t.Errorf("the only relation between two is told twice:\n%s", b.String())
	}
}
