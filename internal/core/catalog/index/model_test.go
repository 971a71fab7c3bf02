package index

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

// model answers the same queries by looking at every entity. It is what the index is held to.
type model struct {
	pairs    Pairs
	entities map[string]*modelEntity
	versions map[string]int
	pointing map[string][]*modelEntity // by target; nil after a change
}

type modelEntity struct {
	Entity
	values []pair
}

func newModel(pairs Pairs) *model {
	return &model{pairs: pairs, entities: map[string]*modelEntity{}, versions: map[string]int{}}
}

func (x *model) put(e Entity) {
	x.pointing = nil
	if x.versions[e.Ref] < e.Version {
		x.versions[e.Ref] = e.Version
		x.entities[e.Ref] = &modelEntity{e, modelValues(e)}
	}
}

func (x *model) remove(ref string, version int) {
	x.pointing = nil
	if x.versions[ref] < version {
		x.versions[ref] = version
		delete(x.entities, ref)
	}
}

func (x *model) find(q Query) (refs []string, total int, next, prev *Position) {
	v := modelView{x, q.Visible}
	var all []modelRanked
	for _, e := range x.entities {
		if q.Visible.Has(e.Space) && v.matches(q.Filter, e) {
			all = append(all, modelRanked{e, v.position(e, q.Order)})
		}
	}
	slices.SortFunc(all, func(a, b modelRanked) int { return modelCompare(q.Order, a.at, b.at) })
	total = len(all)
	var from, to int
	switch {
	case q.Before != nil:
		to, _ = slices.BinarySearchFunc(all, *q.Before, func(r modelRanked, p Position) int { return modelCompare(q.Order, r.at, p) })
		to = max(0, to-q.Offset)
		from = max(0, to-q.limit())
	default:
		if q.After != nil {
			var found bool
			from, found = slices.BinarySearchFunc(all, *q.After, func(r modelRanked, p Position) int { return modelCompare(q.Order, r.at, p) })
			if found {
				from++
			}
		}
		from = min(from+q.Offset, len(all))
		to = min(from+q.limit(), len(all))
	}
	for _, r := range all[from:to] {
		refs = append(refs, r.e.Ref)
	}
	if from < to && from > 0 {
		prev = &all[from].at
	}
	if from < to && to < len(all) {
		next = &all[to-1].at
	}
	return refs, total, next, prev
}

type modelRanked struct {
	e  *modelEntity
	at Position
}

func modelCompare(order []Order, a, b Position) int {
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
type modelView struct {
	*model
	visible access.Set
}

func (v modelView) position(e *modelEntity, order []Order) Position {
	p := Position{Ref: e.Ref, Values: make([]*string, len(order))}
	for i, o := range order {
		for _, one := range v.values(e, fold(o.Field)) {
			value := fold(one.value)
			if one.kind != absent && (p.Values[i] == nil || !o.Desc && value < *p.Values[i] || o.Desc && value > *p.Values[i]) {
				p.Values[i] = &value
			}
		}
	}
	return p
}

// values gives what stands under a key.
func (v modelView) values(e *modelEntity, key string) (found []pair) {
	for _, p := range e.values {
		if p.key == key {
			found = append(found, p)
		}
		if p.kind == item && units(p.key)+1+units(p.value) <= maxKey && p.key+"."+fold(p.value) == key {
			found = append(found, pair{key: key, value: "true"})
		}
	}
	if kind, ok := strings.CutPrefix(key, relations); ok {
		for _, r := range v.related(e) {
			if fold(r.Type) == kind {
				found = append(found, pair{key: key, value: r.Target})
			}
		}
	}
	return found
}

// related gives the relations of an entity in both directions.
func (v modelView) related(e *modelEntity) []Relation {
	return modelSorted(append(slices.Clone(e.Relations), v.inverse(e)...))
}

func (v modelView) inverse(e *modelEntity) (all []Relation) {
	if v.pointing == nil {
		v.pointing = map[string][]*modelEntity{}
		for _, other := range v.entities {
			for _, r := range other.Relations {
				v.pointing[r.Target] = append(v.pointing[r.Target], other)
			}
		}
	}
	for _, other := range v.pointing[e.Ref] {
		for _, r := range other.Relations {
			if back := v.pairs.Inverse(r.Type); r.Target == e.Ref && back != "" && v.visible.Has(other.Space) {
				all = append(all, Relation{back, other.Ref})
			}
		}
	}
	return modelSorted(all)
}

func modelSorted(all []Relation) []Relation {
	slices.SortFunc(all, func(a, b Relation) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Target, b.Target))
	})
	return slices.Compact(all)
}

// edgesOf gives the edges at a reference, of which something that is visible declares each.
func (v modelView) declaredBy(ref string) []Edge {
	var edges []Edge
	if e := v.entities[ref]; e != nil && v.visible.Has(e.Space) {
		for _, r := range e.Relations {
			edges = append(edges, Forward(v.pairs, ref, r))
		}
	}
	slices.SortFunc(edges, CompareEdges)
	return slices.Compact(edges)
}

func (v modelView) edgesOf(ref string) []Edge {
	var edges []Edge
	for _, other := range v.entities {
		for _, r := range other.Relations {
			if (other.Ref == ref || r.Target == ref) && v.visible.Has(other.Space) {
				edges = append(edges, Forward(v.pairs, other.Ref, r))
			}
		}
	}
	slices.SortFunc(edges, CompareEdges)
	return slices.Compact(edges)
}

func (v modelView) matches(f Filter, e *modelEntity) bool {
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
			return p.kind != absent && slices.ContainsFunc(f.Values, func(s string) bool {
				return s == p.value || !strings.HasPrefix(f.Key, "@") && fold(s) == fold(p.value)
			})
		})
	case Exists:
		return some(f.Key, func(pair) bool { return true })
	case HasPrefix:
		return some(f.Key, func(p pair) bool { return p.kind != absent && strings.HasPrefix(fold(p.value), fold(f.Prefix)) })
	case InFolder:
		return some(f.Key, func(p pair) bool {
			return p.kind != absent && slices.ContainsFunc(f.Folders, func(folder string) bool {
				rest, inside := strings.CutPrefix(fold(p.value), fold(folder))
				return inside && !strings.Contains(rest, "/") && (folder == "" || strings.HasSuffix(folder, "/"))
			})
		})
	case Contains:
		part := func(p pair) bool { return p.kind != absent && strings.Contains(fold(p.value), fold(f.Term)) }
		for _, key := range f.Keys {
			if some(key, part) {
				return true
			}
		}
		return len(f.Keys) == 0 && slices.ContainsFunc(e.values, func(p pair) bool { return !strings.HasPrefix(p.key, "@") && part(p) })
	case Refs:
		return slices.Contains(f, e.Ref)
	}
	return false
}

// Facets counts the values of keys, the most frequent first.
func (x *model) facets(q FacetQuery) map[string][]Count {
	v := modelView{x, q.Visible}
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
		facets[key] = modelCounts(counts, q.Limit)
	}
	return facets
}

func modelCounts(counts map[string]int, limit int) []Count {
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

// own are the keys that the catalog fills in itself, whatever a document says there.
var modelOwn = map[string]bool{
	"attachments": true, "relations": true, "status": true,
	"metadata.name": true, "metadata.namespace": true, "metadata.uid": true, "metadata.etag": true,
}

func modelValues(e Entity) []pair {
	var document map[string]any
	if err := json.Unmarshal(e.Document, &document); err != nil {
		panic(err)
	}
	w := modelWalker{}
	w.visit("", document)
	metadata, _ := document["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	if namespace == "" {
		namespace = "default"
	}
	w.add("metadata.name", name, scalar)
	w.add("metadata.namespace", namespace, scalar)
	w.add("metadata.uid", e.UID, scalar)
	w.add(KeySpace, e.Space, scalar)
	w.add(KeySource, e.Source, scalar)
	if e.Owner != "" {
		w.add(KeyOwner, e.Owner, scalar)
	}
	if e.Created > 0 {
		w.add(KeyCreated, moment(e.Created), scalar)
	}
	if e.Updated > 0 {
		w.add(KeyUpdated, moment(e.Updated), scalar)
	}
	if text, _ := metadata["description"].(string); units(text) > maxValue {
		w.pairs = append(w.pairs, pair{key: KeyText, value: clip(text)})
	}
	return w.pairs
}

type modelWalker struct{ pairs []pair }

func (w *modelWalker) add(key, value string, kind valueKind) {
	key = fold(key)
	if units(key) > maxKey {
		return
	}
	if kind != absent && units(value) > maxValue {
		value, kind = "", absent
	}
	w.pairs = append(w.pairs, pair{key: key, value: value, kind: kind})
}

func (w *modelWalker) visit(path string, v any) {
	if modelOwn[fold(path)] || fold(path) == "kind" && path != "kind" || strings.HasPrefix(path, "@") || strings.HasPrefix(path, "\x00") {
		return
	}
	switch v := v.(type) {
	case nil:
		w.add(path, "", absent)
	case string:
		w.add(path, v, scalar)
	case bool, float64:
		text, _ := json.Marshal(v)
		w.add(path, string(text), scalar)
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				w.add(path, text, item)
			} else {
				w.visit(path, one)
			}
		}
	case map[string]any:
		for key, one := range v {
			if path != "" {
				key = path + "." + key
			}
			w.visit(key, one)
		}
	}
}
