package index

import (
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

// Pairs tells which relations are each other's inverse.
type Pairs interface {
	Inverse(relation string) string // "" when it has none
	Forward(relation string) bool   // tells whether it is the one of its pair by which the pair is named: dependsOn, not dependencyOf
}

// Edge is a relation in its forward direction, whichever end declares it. An end need not exist.
type Edge struct{ From, Type, To string }

// Direction says which way edges are followed.
type Direction uint8

// The directions.
const (
	Outgoing Direction = 1 << iota // from From to To: what it needs, who owns it
	Incoming                       // what needs it, what it owns
	Both     = Outgoing | Incoming
)

// Walk asks for what is around entities.
type Walk struct {
	From      []string
	Types     []string // of edges, in either direction; all when nil
	Direction Direction
	Follow    []string // relations as an entity sees them, such as dependencyOf; in place of Types and Direction
	Depth     int      // at most MaxDepth
	Nodes     int      // at most MaxNodes, the default
	Visible   access.Set
}

// Bounds of a walk.
const (
	MaxDepth = 100
	MaxNodes = 10_000
	MaxEdges = 100_000
)

// Node is what a walk met.
type Node struct {
	Ref    string
	Depth  int  // steps from where the walk began
	Exists bool // false too where it may not be seen
	More   bool // it has edges that were not followed, for the bounds
	// From is the entity that led here, on a shortest way, and By the relation as that one sees it; "" where the walk began.
	From, By string
}

// Cycle is a set of entities of which each reaches each other along edges of one type.
type Cycle struct {
	Type string
	Refs []string
}

// Graph is what a walk met.
type Graph struct {
	Nodes  []Node // by depth, then reference
	Edges  []Edge // between nodes
	Cycles []Cycle
}

// Web is what a walk goes along.
type Web interface {
	Exists(ref string) bool // as far as it may be seen
	// Edges gives those that have the reference at an end, each once, in order. Those that others declare by a relation that is
	// not wanted may be left out; nil wants all.
	Edges(ref string, wanted func(relation string) bool) []Edge
}

// Forward gives an edge in its forward direction.
func Forward(pairs Pairs, from string, r Relation) Edge {
	if back := pairs.Inverse(r.Type); back != "" && !pairs.Forward(r.Type) {
		return Edge{r.Target, back, from}
	}
	return Edge{from, r.Type, r.Target}
}

// Walk follows edges breadth first.
func (x *Index) Walk(w Walk) Graph {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return Follow(x.pairs, x.view(w.Visible), w)
}

// Follow is a walk along any web, which has what may be seen alone.
func Follow(pairs Pairs, web Web, w Walk) Graph {
	walk := walking{pairs: pairs, web: web, Walk: w, met: map[string]int{}, edges: map[Edge]bool{}}
	walk.Depth = min(max(w.Depth, 0), MaxDepth)
	if walk.Nodes <= 0 || walk.Nodes > MaxNodes {
		walk.Nodes = MaxNodes
	}
	if len(w.Types) > 0 {
		walk.types = map[string]bool{}
		for _, t := range w.Types {
			walk.types[t] = true
			walk.types[pairs.Inverse(t)] = true
		}
	}
	if len(w.Follow) > 0 {
		walk.ways = map[string]bool{}
		for _, t := range w.Follow {
			walk.ways[t] = true
		}
	}
	return walk.run()
}

type walking struct {
	pairs Pairs
	web   Web
	Walk
	types map[string]bool // nil for all
	ways  map[string]bool // as an entity sees them; nil for types and the direction
	met   map[string]int  // place in nodes
	nodes []Node
	edges map[Edge]bool
}

func (w *walking) run() Graph {
	for _, ref := range w.From {
		w.meet(ref, 0, "", "")
	}
	for i := 0; i < len(w.nodes); i++ {
		w.follow(i)
	}
	g := Graph{Nodes: w.nodes}
	for e := range w.edges {
		g.Edges = append(g.Edges, e)
	}
	slices.SortFunc(g.Edges, CompareEdges)
	slices.SortStableFunc(g.Nodes, func(a, b Node) int {
		if a.Depth != b.Depth {
			return a.Depth - b.Depth
		}
		return strings.Compare(a.Ref, b.Ref)
	})
	g.Cycles = cycles(g.Edges)
	return g
}

// CompareEdges orders edges.
func CompareEdges(a, b Edge) int {
	for _, pair := range [][2]string{{a.From, b.From}, {a.Type, b.Type}} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return strings.Compare(a.To, b.To)
}

// meet adds a node; false when there is no room.
func (w *walking) meet(ref string, depth int, from, by string) bool {
	if _, known := w.met[ref]; known {
		return true
	}
	if len(w.nodes) >= w.Nodes {
		return false
	}
	w.met[ref] = len(w.nodes)
	w.nodes = append(w.nodes, Node{Ref: ref, Depth: depth, Exists: w.web.Exists(ref), From: from, By: by})
	return true
}

func (w *walking) follow(i int) {
	n := w.nodes[i]
	for _, e := range w.web.Edges(n.Ref, w.wants) {
		other, by, way := e.To, e.Type, Outgoing
		if e.From != n.Ref {
			other, by, way = e.From, w.pairs.Inverse(e.Type), Incoming
		}
		if !w.follows(e.Type, by, way) {
			continue
		}
		_, known := w.met[other]
		switch {
		case known:
		case n.Depth >= w.Depth || len(w.edges) >= MaxEdges || !w.meet(other, n.Depth+1, n.Ref, by):
			w.nodes[i].More = true
			continue
		}
		if len(w.edges) < MaxEdges {
			w.edges[e] = true
		}
	}
}

// wants tells whether the edge is followed that another declares, by a relation, to where the walk is.
func (w *walking) wants(relation string) bool {
	const here, other = "here", "other"
	e := Forward(w.pairs, other, Relation{relation, here})
	if e.From == here {
		return w.follows(e.Type, e.Type, Outgoing)
	}
	return w.follows(e.Type, w.pairs.Inverse(e.Type), Incoming)
}

// follows tells whether an edge is followed, which the entity where the walk is sees as by.
func (w *walking) follows(relation, by string, way Direction) bool {
	if w.ways != nil {
		return w.ways[by]
	}
	return (w.types == nil || w.types[relation]) && (w.Direction == 0 || w.Direction&way != 0)
}

// Values gives what stands under keys of the documents of entities, in the case of its author: "" where there is nothing,
// more than one value, or the entity may not be seen.
func (x *Index) Values(refs, keys []string, visible access.Set) [][]string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := x.view(visible)
	at := make(map[string]int, len(keys))
	for i, k := range keys {
		at[fold(k)] = i
	}
	all := make([][]string, len(refs))
	for i, ref := range refs {
		all[i] = make([]string, len(keys))
		id, ok := v.find(ref)
		if !ok {
			continue
		}
		for _, t := range v.docs.at(id).terms {
			k := v.terms.at(t).key
			if place, wanted := at[k.path.name]; wanted && k.kind == scalar && k.path.relation == "" {
				all[i][place] = string(v.rawOf(t))
			}
		}
	}
	return all
}

// cycles gives the strongly connected parts of the edges of each type.
func cycles(edges []Edge) (found []Cycle) {
	byType := map[string]map[string][]string{}
	var types []string
	for _, e := range edges {
		if byType[e.Type] == nil {
			byType[e.Type] = map[string][]string{}
			types = append(types, e.Type)
		}
		byType[e.Type][e.From] = append(byType[e.Type][e.From], e.To)
	}
	slices.Sort(types)
	for _, t := range types {
		for _, refs := range components(byType[t]) {
			found = append(found, Cycle{t, refs})
		}
	}
	return found
}

// components is Tarjan's algorithm without recursion: the parts with more than one node, or with an edge to itself.
func components(next map[string][]string) (found [][]string) {
	type state struct {
		index, low int
		on         bool
	}
	type frame struct {
		ref string
		at  int
	}
	states := map[string]*state{}
	var stack []string
	var froms []string
	for from := range next {
		froms = append(froms, from)
	}
	slices.Sort(froms)
	for _, root := range froms {
		if states[root] != nil {
			continue
		}
		frames := []frame{{ref: root}}
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			s := states[f.ref]
			if s == nil {
				s = &state{index: len(states), low: len(states), on: true}
				states[f.ref] = s
				stack = append(stack, f.ref)
			}
			if f.at < len(next[f.ref]) {
				to := next[f.ref][f.at]
				f.at++
				switch t := states[to]; {
				case t == nil:
					frames = append(frames, frame{ref: to})
				case t.on:
					s.low = min(s.low, t.index)
				}
				continue
			}
			if s.low == s.index {
				at := slices.Index(stack, f.ref)
				part := slices.Clone(stack[at:])
				stack = stack[:at]
				for _, ref := range part {
					states[ref].on = false
				}
				if len(part) > 1 || slices.Contains(next[f.ref], f.ref) {
					slices.Sort(part)
					found = append(found, part)
				}
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				parent := states[frames[len(frames)-1].ref]
				parent.low = min(parent.low, s.low)
			}
		}
	}
	return found
}
