package api

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) graphRoutes() {
	register(a, operation("getEntityGraph", http.MethodGet, "/graph", "entities", "What an entity is related to, at any depth"), a.getEntityGraph)
	register(a, operation("getOwners", http.MethodGet, "/entities/{kind}/{namespace}/{name}/owners", "entities", "Who owns an entity in the end"), a.getOwners)
}

type entityGraphInput struct {
	Root      string `query:"root" required:"true" maxLength:"200" example:"component:default/shop"`
	View      string `query:"view" enum:"around,impact,needs,owned" default:"around" doc:"Impact is what depends on the root, needs what that depends on, owned what a group and those below it own."`
	Types     string `query:"types" maxLength:"1000" doc:"Of around: relations with commas, by either name; all when absent."`
	Direction string `query:"direction" enum:"both,out,in" default:"both" doc:"Of around: relations from the root (out), to it (in), or both."`
	Depth     int    `query:"depth" minimum:"1" maximum:"100" default:"1"`
	Nodes     int    `query:"nodes" minimum:"1" maximum:"2000" default:"500" doc:"How many at most."`

	AsOf time.Time `query:"asOf" doc:"As it was then, also what is gone by now. Of more than 200,000 entities not all relations are found, and the graph is cut."`
}

func (a *API) getEntityGraph(ctx context.Context, in *entityGraphInput) (*body[EntityGraph], error) {
	root, err := ref.Parse(in.Root, "component", ref.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	directions := map[string]index.Direction{"both": index.Both, "out": index.Outgoing, "in": index.Incoming}
	g, err := a.Catalog.Graph(ctx, catalog.GraphQuery{
		Root: root, View: catalog.View(in.View), Types: words(in.Types), Direction: directions[in.Direction], Depth: in.Depth, Nodes: in.Nodes, At: in.AsOf,
	})
	if err != nil {
		return nil, err
	}
	out := EntityGraph{Root: root.String(), Nodes: graphNodes(g.Nodes), Edges: []GraphEdge{}, Cycles: []Cycle{}, Cut: g.Cut}
	for _, e := range g.Edges {
		out.Edges = append(out.Edges, GraphEdge{Source: e.From, Type: e.Type, Target: e.To})
	}
	for _, c := range g.Cycles {
		out.Cycles = append(out.Cycles, Cycle(c))
	}
	return answer(out), nil
}

func graphNodes(nodes []catalog.GraphNode) []GraphNode {
	out := make([]GraphNode, len(nodes))
	for i, n := range nodes {
		out[i] = GraphNode{
			Ref: n.Ref, Kind: n.Kind, Title: n.Title, Type: n.Type, Owner: n.Owner, System: n.System, Depth: n.Depth, From: n.From, By: n.By,
			Exists: n.Exists, More: n.More,
		}
	}
	return out
}

func (a *API) getOwners(ctx context.Context, in *EntityInput) (*body[Ownership], error) {
	o, err := a.Catalog.Owners(ctx, in.ref())
	if err != nil {
		return nil, err
	}
	return answer(Ownership{Owners: graphNodes(o.Owners), Members: graphNodes(o.Members), Cut: o.Cut}), nil
}
