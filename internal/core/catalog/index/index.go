package index

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

// Index holds what queries need of every entity. It is safe for concurrent use.
type Index struct {
	mu       sync.RWMutex
	pairs    Pairs
	entities map[string]*entry
	gone     map[string]int // versions of deleted entities
	revision uint64
}

type entry struct {
	Prepared
	revision uint64
}

// New gives an empty index.
func New(pairs Pairs) *Index {
	return &Index{pairs: pairs, entities: map[string]*entry{}, gone: map[string]int{}}
}

// Put makes the index know entities, save those of which it knows that version or a later one.
func (x *Index) Put(entities ...Prepared) {
	for _, e := range entities {
		x.put(&entry{Prepared: e})
	}
}

func (x *Index) put(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.version(e.Ref) >= e.Version {
		return
	}
	x.touch(x.entities[e.Ref])
	delete(x.gone, e.Ref)
	x.entities[e.Ref] = e
	x.touch(e)
}

func (x *Index) touch(e *entry) {
	x.revision++
	if e == nil {
		return
	}
	e.revision = x.revision
	for _, r := range e.Relations {
		if target := x.entities[r.Target]; target != nil {
			target.revision = x.revision
		}
	}
}

// Delete has the index forget an entity, unless it knows a later version. The deletion counts as a version itself.
func (x *Index) Delete(ref string, version int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.version(ref) >= version {
		return
	}
	x.touch(x.entities[ref])
	delete(x.entities, ref)
	x.gone[ref] = version
}

func (x *Index) version(ref string) int {
	if e := x.entities[ref]; e != nil {
		return e.Version
	}
	return x.gone[ref]
}

// Version gives the version that is known of a reference, a deleted one too; 0 for none.
func (x *Index) Version(ref string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.version(ref)
}

// Len gives the number of entities.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.entities)
}

func (e *entry) hit() Hit {
	return Hit{Ref: e.Ref, UID: e.UID, Version: e.Version, Revision: e.revision}
}

// Lookup gives the entities of references that are in visible spaces; the zero Hit where there is none.
func (x *Index) Lookup(refs []string, visible access.Set) []Hit {
	x.mu.RLock()
	defer x.mu.RUnlock()
	hits := make([]Hit, len(refs))
	for i, ref := range refs {
		if e := x.entities[ref]; e != nil && visible.Has(e.Space) {
			hits[i] = e.hit()
		}
	}
	return hits
}

// ByUID gives the entity of a uid.
func (x *Index) ByUID(uid string, visible access.Set) (Hit, bool) {
	found := x.Find(Query{Filter: Has{"metadata.uid", []string{uid}}, Limit: 1, Visible: visible})
	if len(found.Hits) == 0 {
		return Hit{}, false
	}
	return found.Hits[0], true
}

// Find gives a part of what matches, in order.
func (x *Index) Find(q Query) Result {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := view{x, q.Visible}
	var all []ranked
	for _, e := range x.entities {
		if q.Visible.Has(e.Space) && v.matches(q.Filter, e) {
			all = append(all, ranked{e, v.position(e, q.Order)})
		}
	}
	slices.SortFunc(all, func(a, b ranked) int { return compare(q.Order, a.at, b.at) })
	var result Result
	if !q.NoTotal {
		result.Total = len(all)
	}
	from, to := 0, len(all)
	switch {
	case q.Before != nil:
		to, _ = slices.BinarySearchFunc(all, *q.Before, func(r ranked, p Position) int { return compare(q.Order, r.at, p) })
		to = max(0, to-q.Offset)
		from = max(0, to-q.limit())
	default:
		if q.After != nil {
			var found bool
			from, found = slices.BinarySearchFunc(all, *q.After, func(r ranked, p Position) int { return compare(q.Order, r.at, p) })
			if found {
				from++
			}
		}
		from = min(from+q.Offset, len(all))
		to = min(from+q.limit(), len(all))
	}
	for _, r := range all[from:to] {
		result.Hits = append(result.Hits, r.e.hit())
	}
	if from < to && from > 0 {
		result.Prev = &all[from].at
	}
	if from < to && to < len(all) {
		result.Next = &all[to-1].at
	}
	return result
}

type ranked struct {
	e  *entry
	at Position
}

func compare(order []Order, a, b Position) int {
	for i, o := range order {
		x, y := a.Values[i], b.Values[i]
		switch {
		case x == nil && y == nil:
		case x == nil:
			return 1
		case y == nil:
			return -1
		default:
			c := strings.Compare(*x, *y)
			if o.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
	}
	return strings.Compare(a.Ref, b.Ref)
}

// view is the index as somebody may see it.
type view struct {
	*Index
	visible access.Set
}

func (v view) position(e *entry, order []Order) Position {
	p := Position{Ref: e.Ref, Values: make([]*string, len(order))}
	for i, o := range order {
		for _, one := range v.values(e, fold(o.Field)) {
			value := fold(one.value)
			if one.kind != absent && (p.Values[i] == nil || value < *p.Values[i]) {
				p.Values[i] = &value
			}
		}
	}
	return p
}

// values gives what stands under a key.
func (v view) values(e *entry, key string) (found []pair) {
	for _, p := range e.pairs {
		if p.key == key {
			found = append(found, p)
		}
		if p.kind == item && units(p.key)+1+units(p.value) <= maxKey && p.key+"."+fold(p.value) == key {
			found = append(found, pair{key, "true", scalar})
		}
	}
	if kind, ok := strings.CutPrefix(key, relations); ok {
		for _, r := range v.related(e) {
			if fold(r.Type) == kind {
				found = append(found, pair{key, r.Target, scalar})
			}
		}
	}
	return found
}

const relations = "relations."

// related gives the relations of an entity in both directions.
func (v view) related(e *entry) []Relation {
	all := slices.Clone(e.Relations)
	for _, other := range v.entities {
		for _, r := range other.Relations {
			if back := v.pairs.Inverse(r.Type); r.Target == e.Ref && back != "" && v.visible.Has(other.Space) {
				all = append(all, Relation{back, other.Ref})
			}
		}
	}
	slices.SortFunc(all, func(a, b Relation) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Target, b.Target))
	})
	return slices.Compact(all)
}

// Related gives the relations of entities in both directions, of others only the visible ones.
func (x *Index) Related(refs []string, visible access.Set) [][]Relation {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([][]Relation, len(refs))
	for i, ref := range refs {
		if e := x.entities[ref]; e != nil && visible.Has(e.Space) {
			all[i] = view{x, visible}.related(e)
		}
	}
	return all
}

func (v view) sees(ref string) bool {
	e := v.entities[ref]
	return e != nil && v.visible.Has(e.Space)
}

// edgesOf gives the edges at a reference, of which something that is visible declares each.
func (v view) edgesOf(ref string) []Edge {
	var edges []Edge
	for _, other := range v.entities {
		for _, r := range other.Relations {
			if (other.Ref == ref || r.Target == ref) && v.visible.Has(other.Space) {
				edges = append(edges, forward(v.pairs, other.Ref, r))
			}
		}
	}
	slices.SortFunc(edges, compareEdges)
	return slices.Compact(edges)
}

func (v view) matches(f Filter, e *entry) bool {
	some := func(key string, ok func(pair) bool) bool { return slices.ContainsFunc(v.values(e, fold(key)), ok) }
	switch f := f.(type) {
	case nil:
		return true
	case All:
		return !slices.ContainsFunc(f, func(f Filter) bool { return !v.matches(f, e) })
	case Any:
		return slices.ContainsFunc(f, func(f Filter) bool { return v.matches(f, e) })
	case Not:
		return !v.matches(f.Filter, e)
	case Has:
		return some(f.Key, func(p pair) bool {
			return p.kind != absent && slices.ContainsFunc(f.Values, func(s string) bool { return fold(s) == fold(p.value) })
		})
	case Exists:
		return some(f.Key, func(pair) bool { return true })
	case HasPrefix:
		return some(f.Key, func(p pair) bool { return p.kind != absent && strings.HasPrefix(fold(p.value), fold(f.Prefix)) })
	case Contains:
		part := func(p pair) bool { return p.kind != absent && strings.Contains(fold(p.value), fold(f.Term)) }
		for _, key := range f.Keys {
			if some(key, part) {
				return true
			}
		}
		return len(f.Keys) == 0 && slices.ContainsFunc(e.pairs, func(p pair) bool { return !strings.HasPrefix(p.key, "@") && part(p) })
	case Refs:
		return slices.Contains(f, e.Ref)
	}
	return false
}

// Facets counts the values of keys, the most frequent first.
func (x *Index) Facets(q FacetQuery) map[string][]Count {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := view{x, q.Visible}
	facets := map[string][]Count{}
	for _, key := range q.Keys {
		counts := map[string]int{}
		for _, e := range x.entities {
			if !q.Visible.Has(e.Space) || !v.matches(q.Filter, e) {
				continue
			}
			seen := map[string]bool{}
			for _, p := range v.values(e, fold(key)) {
				if p.kind != absent && !seen[p.value] {
					seen[p.value] = true
					counts[p.value]++
				}
			}
		}
		facets[key] = ordered(counts, q.Limit)
	}
	return facets
}

func ordered(counts map[string]int, limit int) []Count {
	list := make([]Count, 0, len(counts))
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, Count{value, counts[value]})
	}
	slices.SortStableFunc(list, func(a, b Count) int { return cmp.Compare(b.Count, a.Count) })
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}
