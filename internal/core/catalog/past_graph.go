package catalog

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// maxThenEdges are those that are kept of the past while one graph is made.
const maxThenEdges = 1_000_000

// graphAt is Graph at q.At: the catalog of then is gone through once, and walked along what is kept of its relations.
func (s *Service) graphAt(ctx context.Context, q GraphQuery) (g Graph, err error) {
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return g, err
	}
	if err := s.wasThere(ctx, q.Root, q.At, visible); err != nil {
		return g, err
	}
	ways := q.View.ways()
	if q.View == Owned {
		ways = append(ways, "memberOf") // by which a user's groups are found
	}
	w, err := s.webAt(ctx, q.At, visible, append(ways, q.Types...))
	if err != nil {
		return g, err
	}
	walk := q.walk(visible)
	if q.View == Owned && q.Root.Kind == userKind {
		of := index.Walk{From: walk.From, Follow: []string{"memberOf"}, Depth: 1}
		walk.From = append(walk.From, groupsIn(index.Follow(s.registry, w, of))...)
	}
	return s.describedAt(ctx, index.Follow(s.registry, w, walk), q.At, visible, w.cut)
}

// wasThere is fault.NotFound for what was not there then, or may not be seen.
func (s *Service) wasThere(ctx context.Context, r ref.Entity, at time.Time, visible access.Set) error {
	return s.db.Read(ctx, func(tx *store.Tx) error {
		v, err := versionAt(ctx, tx, r, at)
		if err == nil && (v == nil || v.document == nil || !visible.Has(v.space)) {
			err = notThen(r, at)
		}
		return err
	})
}

func notThen(r ref.Entity, at time.Time) error {
	return access.NotFound("entity " + r.String() + " at " + at.UTC().Format(time.RFC3339))
}

// web is what was related to what at a time. References and types are kept once each, and edges as their places.
type web struct {
	names map[string]uint32
	refs  []string
	there []bool // by reference
	types []string
	kinds map[string]uint32 // place of a type
	edges []thread
	at    []uint32 // by reference: where its ends begin in ends; one more at the end
	ends  []uint32 // edges, by reference
	cut   bool
}

// thread is an edge in its forward direction.
type thread struct{ from, to, kind uint32 }

// webAt keeps the relations of then, of some types by either name; of all when there are none.
func (s *Service) webAt(ctx context.Context, at time.Time, visible access.Set, types []string) (*web, error) {
	w := &web{names: map[string]uint32{}, kinds: map[string]uint32{}}
	wanted := map[string]bool{}
	for _, t := range types {
		wanted[t], wanted[s.registry.Inverse(t)] = true, true
	}
	m := matcher{s: s, q: Query{At: at}}
	cut, err := s.scan(ctx, m.then(visible, ""), func(v *storedVersion) error {
		from := v.ref.String()
		w.there[w.name(from)] = true
		relations, _ := v.related(s)
		for _, r := range relations {
			e := index.Forward(s.registry, from, index.Relation{Type: r.Type, Target: r.Target.String()})
			if len(wanted) > 0 && !wanted[e.Type] {
				continue
			}
			if len(w.edges) == maxThenEdges {
				return errEnough
			}
			w.edges = append(w.edges, thread{w.name(e.From), w.name(e.To), w.kind(e.Type)})
		}
		return nil
	})
	w.cut = cut
	w.tie()
	return w, fault.Wrap(err, "read the graph as it was")
}

func (w *web) name(text string) uint32 {
	n, known := w.names[text]
	if !known {
		n = uint32(len(w.refs))
		w.names[text] = n
		w.refs, w.there = append(w.refs, text), append(w.there, false)
	}
	return n
}

func (w *web) kind(text string) uint32 {
	n, known := w.kinds[text]
	if !known {
		n = uint32(len(w.types))
		w.kinds[text], w.types = n, append(w.types, text)
	}
	return n
}

// tie sorts the ends of the edges by reference.
func (w *web) tie() {
	w.at = make([]uint32, len(w.refs)+1)
	each := func(fn func(name, edge uint32)) {
		for i, e := range w.edges {
			if fn(e.from, uint32(i)); e.to != e.from {
				fn(e.to, uint32(i))
			}
		}
	}
	each(func(name, _ uint32) { w.at[name+1]++ })
	for i := range w.refs {
		w.at[i+1] += w.at[i]
	}
	w.ends = make([]uint32, w.at[len(w.refs)])
	next := slices.Clone(w.at)
	each(func(name, edge uint32) {
		w.ends[next[name]] = edge
		next[name]++
	})
}

// Exists tells whether an entity was there.
func (w *web) Exists(ref string) bool {
	n, known := w.names[ref]
	return known && w.there[n]
}

// Edges gives those at a reference, wanted or not.
func (w *web) Edges(ref string, _ func(relation string) bool) []index.Edge {
	n, known := w.names[ref]
	if !known {
		return nil
	}
	var edges []index.Edge
	for _, i := range w.ends[w.at[n]:w.at[n+1]] {
		e := w.edges[i]
		edges = append(edges, index.Edge{From: w.refs[e.from], Type: w.types[e.kind], To: w.refs[e.to]})
	}
	slices.SortFunc(edges, index.CompareEdges)
	return slices.Compact(edges)
}

// describedAt adds what is shown of each node. Whether it was there is asked again, since the web may be cut.
func (s *Service) describedAt(ctx context.Context, walked index.Graph, at time.Time, visible access.Set, cut bool) (Graph, error) {
	g := Graph{Nodes: make([]GraphNode, len(walked.Nodes)), Edges: walked.Edges, Cycles: walked.Cycles, Cut: cut}
	place := make(map[string]int, len(walked.Nodes))
	names := make([]string, len(walked.Nodes))
	for i, n := range walked.Nodes {
		n.Exists = false
		g.Nodes[i] = GraphNode{Node: n, Kind: parseStored(n.Ref).Kind}
		place[n.Ref], names[i], g.Cut = i, n.Ref, g.Cut || n.More
	}
	for some := range slices.Chunk(names, maxRefs) {
		_, err := s.scan(ctx, thenOf(some, at, visible), func(v *storedVersion) error {
			n, d := &g.Nodes[place[v.ref.String()]], v.document
			_, owner := v.related(s)
			kind, _ := d.Spec["type"].(string)
			n.Exists, n.Title, n.Kind, n.Type, n.Owner = true, d.Metadata.Title, cmp.Or(d.Kind, n.Kind), kind, owner.String()
			if text, _ := d.Spec["system"].(string); text != "" {
				if system, err := ref.Parse(text, "system", v.ref.Namespace); err == nil {
					n.System = system.String()
				}
			}
			return nil
		})
		if err != nil {
			return Graph{}, err
		}
	}
	return g, nil
}

// thenOf gives the versions of references that were the last ones at a time.
func thenOf(names []string, at time.Time, visible access.Set) statement {
	var c conditions
	c.add("v.time <= $%d", store.Micros(at))
	c.parts = append(c.parts, c.among("v.ref", names), latestAt+"$1)", "v.action <> 'deleted'", "v.document <> ''")
	c.visible("v.space", visible)
	return statement{scanColumns + strings.Join(c.parts, " AND "), c.args}
}
