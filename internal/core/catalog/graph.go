package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// View is a question to the graph.
type View string

// The views.
const (
	Around View = "around" // what an entity is related to, whichever way
	Impact View = "impact" // what depends on it: who needs it, consumes what it provides, or is a part of it
	Needs  View = "needs"  // what it depends on
	Owned  View = "owned"  // what a group owns, with the groups below it; of a user also what their groups own
)

// ways are the relations that a view follows, as the entity sees them where the walk is.
func (v View) ways() []string {
	switch v {
	case Impact:
		return []string{"dependencyOf", "apiConsumedBy", "providesApi", "hasPart"}
	case Needs:
		return []string{"dependsOn", "consumesApi", "apiProvidedBy", "partOf"}
	case Owned:
		return []string{"ownerOf", "parentOf"}
	}
	return nil
}

// GraphQuery asks for the graph around an entity.
type GraphQuery struct {
	Root      ref.Entity
	View      View            // Around when empty
	Types     []string        // of Around: relations, by either name; all when nil
	Direction index.Direction // of Around; both when 0
	Depth     int             // 1 when 0, at most index.MaxDepth
	Nodes     int             // 500 when 0, at most 2000
	At        time.Time       // as it was then; the zero time is the present
}

func (q GraphQuery) walk(visible access.Set) index.Walk {
	w := index.Walk{From: []string{q.Root.String()}, Types: q.Types, Direction: q.Direction, Follow: q.View.ways(), Depth: max(q.Depth, 1), Nodes: q.Nodes, Visible: visible}
	if w.Nodes <= 0 {
		w.Nodes = graphNodes
	}
	w.Nodes = min(w.Nodes, maxGraphNodes)
	return w
}

// GraphNode is an entity of a graph.
type GraphNode struct {
	index.Node
	Title, Kind, Type, Owner, System string // as its document has them; "" where it may not be seen
}

// Graph is a part of the graph. Cut says that a bound ended it: there is more to nodes with More.
type Graph struct {
	Nodes  []GraphNode
	Edges  []index.Edge
	Cycles []index.Cycle
	Cut    bool
}

const (
	graphNodes    = 500
	maxGraphNodes = 2000
	maxGraphTypes = 50
)

// Graph gives what is around an entity, as far as the reader may see (entity:read). It is fault.NotFound for a root that
// does not exist or may not be seen.
//
// With At it is what was there then, with rights of today in the space that each entity had; a Graph that is Cut may then
// also lack relations of what was not gone through.
func (s *Service) Graph(ctx context.Context, q GraphQuery) (Graph, error) {
	if len(q.Types) > maxGraphTypes {
		return Graph{}, fault.Errorf(fault.Invalid, "at most %d types of relations are taken", maxGraphTypes)
	}
	if !q.At.IsZero() {
		return s.graphAt(ctx, q)
	}
	x, visible, err := s.seen(ctx)
	if err != nil {
		return Graph{}, err
	}
	if x.Lookup([]string{q.Root.String()}, visible)[0].Ref == "" {
		return Graph{}, access.NotFound("entity " + q.Root.String())
	}
	w := q.walk(visible)
	if q.View == Owned && q.Root.Kind == userKind {
		w.From = append(w.From, groupsOf(x, visible, q.Root.String())...)
	}
	return described(x, visible, x.Walk(w)), nil
}

// groupsOf gives the groups that somebody is a member of.
func groupsOf(x *index.Index, visible access.Set, user string) (groups []string) {
	return groupsIn(x.Walk(index.Walk{From: []string{user}, Follow: []string{"memberOf"}, Depth: 1, Visible: visible}))
}

// groupsIn gives what a walk has met.
func groupsIn(walked index.Graph) (groups []string) {
	for _, n := range walked.Nodes {
		if n.Depth > 0 {
			groups = append(groups, n.Ref)
		}
	}
	return groups
}

// described adds what is shown of each node.
func described(x *index.Index, visible access.Set, walked index.Graph) Graph {
	g := Graph{Nodes: make([]GraphNode, len(walked.Nodes)), Edges: walked.Edges, Cycles: walked.Cycles}
	refs := make([]string, len(walked.Nodes))
	for i, n := range walked.Nodes {
		refs[i] = n.Ref
	}
	keys := []string{"metadata.title", "kind", "spec.type", index.KeyOwner, "spec.system"}
	for i, v := range x.Values(refs, keys, visible) {
		n := GraphNode{Node: walked.Nodes[i], Title: v[0], Kind: v[1], Type: v[2], Owner: v[3]}
		if v[4] != "" {
			if system, err := ref.Parse(v[4], "system", parseStored(n.Ref).Namespace); err == nil {
				n.System = system.String()
			}
		}
		if n.Kind == "" {
			n.Kind = parseStored(n.Ref).Kind
		}
		g.Nodes[i], g.Cut = n, g.Cut || n.More
	}
	return g
}

// Ownership is who owns an entity in the end.
type Ownership struct {
	Owners  []GraphNode // who is named, then the groups above them; By tells the relation that led there
	Members []GraphNode // users of the groups that are named, and of those below them
	Cut     bool        // there are more than are given
}

// Owners gives who owns an entity, as far as the reader may see; of a group or a user, the groups above and the members.
func (s *Service) Owners(ctx context.Context, r ref.Entity) (Ownership, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return Ownership{}, err
	}
	if x.Lookup([]string{r.String()}, visible)[0].Ref == "" {
		return Ownership{}, access.NotFound("entity " + r.String())
	}
	walk := func(from []string, ways ...string) Graph {
		return described(x, visible, x.Walk(index.Walk{From: from, Follow: ways, Depth: index.MaxDepth, Nodes: maxGraphNodes, Visible: visible}))
	}
	above := walk([]string{r.String()}, "ownedBy", "childOf")
	named := []string{r.String()}
	if r.Kind != "group" {
		named = nil
		for _, n := range above.Nodes {
			if n.Depth == 1 {
				named = append(named, n.Ref)
			}
		}
	}
	below := walk(named, "parentOf", "hasMember")
	out := Ownership{Cut: above.Cut || below.Cut}
	out.Owners = slices.DeleteFunc(above.Nodes, func(n GraphNode) bool { return n.Depth == 0 })
	out.Members = slices.DeleteFunc(below.Nodes, func(n GraphNode) bool { return !strings.HasPrefix(n.Ref, userKind+":") })
	return out, nil
}
