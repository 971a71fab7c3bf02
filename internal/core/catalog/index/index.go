package index

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

// Index holds what queries need of every entity. It is safe for concurrent use.
type Index struct {
	pairs Pairs

	mu sync.RWMutex
	content
	changed time.Time // last
	sorting int       // what it takes to sort one entity, in steps of a walk along an order
}

type content struct {
	dictionary
	docs     pages[doc]
	byRef    map[string]uint32
	live     *roaring.Bitmap
	refs     *ranking // docs by reference; nil until there are many
	gone     tombs
	revision uint64
	stamp    uint64
}

func newContent() content {
	return content{dictionary: newDictionary(), byRef: map[string]uint32{}, live: roaring.New(), gone: tombs{versions: map[string]int{}}}
}

// doc is an entity, or nothing where ref is "".
type doc struct {
	ref      string
	terms    []uint32 // sorted
	uid      uint32   // terms, among the others
	space    uint32
	version  int
	revision uint64
}

// New gives an empty index.
func New(pairs Pairs) *Index {
	return &Index{pairs: pairs, content: newContent(), sorting: 50}
}

// tombs remembers the versions of what was deleted, so that older news of it, which come late, don't bring it back.
type tombs struct {
	versions map[string]int
	order    []string
}

const maxTombs = 100_000

func (t *tombs) add(ref string, version int) {
	if _, known := t.versions[ref]; !known {
		t.order = append(t.order, ref)
	}
	t.versions[ref] = version
	for len(t.versions) > maxTombs {
		delete(t.versions, t.order[0])
		t.order = t.order[1:]
	}
}

// atOnce is how many entities are put while readers wait.
const atOnce = 64

// Put makes the index know entities, save those of which it knows that version or a later one.
func (x *Index) Put(entities ...Prepared) {
	for part := range slices.Chunk(entities, atOnce) {
		x.mu.Lock()
		x.changed = time.Now()
		for i := range part {
			x.put(&part[i])
		}
		x.mu.Unlock()
	}
}

// Changed is when the index was told something last. What it tells was committed by then.
func (x *Index) Changed() time.Time {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.changed
}

// Revision counts what was put, deleted and touched.
func (x *Index) Revision() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.revision
}

func (x *Index) put(e *Prepared) {
	id, known := x.byRef[e.Ref]
	if x.version(e.Ref) >= e.Version {
		return
	}
	if !known {
		id = x.docs.take()
		x.byRef[e.Ref] = id
		d := x.docs.at(id)
		d.ref = e.Ref
		x.live.Add(id)
		if x.refs != nil {
			x.refs.insert(id)
		}
	}
	d := x.docs.at(id)
	x.revision++
	d.version, d.revision = e.Version, x.revision
	terms := make([]uint32, 0, len(e.pairs))
	for _, p := range e.pairs {
		k := x.keyOf(p.key, p.kind)
		if p.many {
			k.path.multi = true
		}
		t := x.intern(k, p.folded, p.value)
		terms = append(terms, t)
		switch p.key {
		case keyUID:
			d.uid = t
		case KeySpace:
			if known && d.space != t {
				x.touchAll(d.terms)
			}
			d.space = t
		}
	}
	slices.Sort(terms)
	x.replace(id, slices.Compact(terms))
}

// replace gives an entity other terms.
func (x *Index) replace(id uint32, terms []uint32) {
	d := x.docs.at(id)
	had := d.terms
	d.terms = terms
	added, removed := difference(had, terms)
	if len(added)+len(removed) == 0 {
		return
	}
	// The keys first, since a key goes with the last of its terms.
	x.stamp++
	for _, t := range had {
		x.terms.at(t).key.seen[0] = x.stamp
	}
	for _, t := range terms {
		k := x.terms.at(t).key
		if k.seen[1] != x.stamp && k.seen[0] != x.stamp {
			k.docs = x.add(k.docs, id)
		}
		k.seen[1] = x.stamp
	}
	for _, t := range had {
		k := x.terms.at(t).key
		if k.seen[1] != x.stamp {
			k.docs = x.remove(k.docs, id)
			k.seen[1] = x.stamp
		}
	}
	for _, t := range added {
		at := x.terms.at(t)
		at.post = x.add(at.post, id)
		x.touch(t)
	}
	for _, t := range removed {
		x.touch(t)
		at := x.terms.at(t)
		if at.post = x.remove(at.post, id); at.post == nothing {
			x.forget(t)
		}
	}
}

// difference compares sorted lists.
func difference(had, has []uint32) (added, removed []uint32) {
	for len(had) > 0 && len(has) > 0 {
		switch {
		case had[0] == has[0]:
			had, has = had[1:], has[1:]
		case had[0] < has[0]:
			removed, had = append(removed, had[0]), had[1:]
		default:
			added, has = append(added, has[0]), has[1:]
		}
	}
	return append(added, has...), append(removed, had...)
}

// touch notes that the relations of what a term points at have changed.
func (x *Index) touch(t uint32) {
	if x.terms.at(t).key.path.relation == "" {
		return
	}
	if id, ok := x.byRef[string(x.rawOf(t))]; ok {
		x.docs.at(id).revision = x.revision
	}
}

func (x *Index) touchAll(terms []uint32) {
	for _, t := range terms {
		x.touch(t)
	}
}

// Delete has the index forget an entity, unless it knows a later version. The deletion counts as a version itself.
func (x *Index) Delete(ref string, version int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changed = time.Now()
	if x.version(ref) >= version {
		return
	}
	if id, ok := x.byRef[ref]; ok {
		x.revision++
		if x.refs != nil {
			x.refs.remove(id)
		}
		x.replace(id, nil)
		delete(x.byRef, ref)
		x.live.Remove(id)
		x.docs.give(id)
	}
	x.gone.add(ref, version)
}

func (x *Index) version(ref string) int {
	if id, ok := x.byRef[ref]; ok {
		return x.docs.at(id).version
	}
	return x.gone.versions[ref]
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
	return len(x.byRef)
}

func (x *Index) hit(id uint32) Hit {
	d := x.docs.at(id)
	return Hit{Ref: d.ref, UID: string(x.rawOf(d.uid)), Version: d.version, Revision: d.revision}
}

// Lookup gives the entities of references that are in visible spaces; the zero Hit where there is none.
func (x *Index) Lookup(refs []string, visible access.Set) []Hit {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := x.view(visible)
	hits := make([]Hit, len(refs))
	for i, ref := range refs {
		if id, ok := v.find(ref); ok {
			hits[i] = x.hit(id)
		}
	}
	return hits
}

// ByUID gives the entity of a uid.
func (x *Index) ByUID(uid string, visible access.Set) (Hit, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := x.view(visible)
	hit, found := Hit{}, false
	x.each(v.keyAt(keyUID, scalar), fold(uid), func(t uint32) {
		for _, id := range x.docsOf(x.terms.at(t).post) {
			if v.sees(id) && x.docs.at(id).uid == t && string(x.rawOf(t)) == uid {
				hit, found = x.hit(id), true
			}
		}
	})
	return hit, found
}

// view is the index as somebody may see it, while it is held.
type view struct {
	*Index
	visible access.Set
	seen    *roaring.Bitmap // nil for all
	spaces  map[uint32]bool // terms
}

func (x *Index) view(visible access.Set) *view {
	v := &view{Index: x, visible: visible}
	if visible.All {
		return v
	}
	v.spaces = map[uint32]bool{}
	k := v.keyAt(KeySpace, scalar)
	for name := range visible.Names {
		x.each(k, fold(name), func(t uint32) {
			if string(x.rawOf(t)) == name {
				v.spaces[t] = true
			}
		})
	}
	return v
}

// all gives everything that may be seen; it is not to be changed.
func (v *view) everything() *roaring.Bitmap {
	if v.visible.All {
		return v.live
	}
	if v.seen == nil {
		v.seen = roaring.New()
		for t := range v.spaces {
			v.into(v.terms.at(t).post, v.seen)
		}
	}
	return v.seen
}

func (v *view) sees(id uint32) bool { return v.visible.All || v.spaces[v.docs.at(id).space] }

// find gives the entity of a reference that may be seen.
func (v *view) find(ref string) (uint32, bool) {
	id, ok := v.byRef[ref]
	return id, ok && v.sees(id)
}

func (v *view) keyAt(name string, kind valueKind) *key {
	if p := v.paths[name]; p != nil {
		return p.keys[kind]
	}
	return nil
}

const (
	keyUID    = "metadata.uid"
	relations = "relations."
)

// Inverse gives the relations that others declare to entities, seen from these, as far as both are visible: of each entity
// so many of each type at most, by type and then reference.
func (x *Index) Inverse(refs []string, visible access.Set, most int) [][]Relation {
	x.keepOrder(nil)
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := x.view(visible)
	all := make([][]Relation, len(refs))
	found := make([]Relation, 0, 4*len(refs))
	var room [64]uint32
	ids := room[:0]
	for i, ref := range refs {
		if _, ok := v.find(ref); ok {
			from := len(found)
			found, ids = v.backOf(ref, most, found, ids)
			all[i] = slices.Clip(found[from:])
		}
	}
	return all
}

// backOf puts the relations of an entity that others declare behind all; ids is room.
func (v *view) backOf(ref string, most int, all []Relation, ids []uint32) ([]Relation, []uint32) {
	type seen struct { // a relation as it is seen from the other side
		relation string
		post     posting
	}
	var room [16]seen
	back := room[:0]
	h := v.hashOf(ref)
	for _, paths := range v.byType {
		for _, p := range paths {
			v.eachHashed(p.keys[scalar], h, ref, func(t uint32) {
				if relation := v.pairs.Inverse(p.relation); relation != "" {
					back = append(back, seen{relation, v.terms.at(t).post})
				}
			})
		}
	}
	slices.SortFunc(back, func(a, b seen) int { return strings.Compare(a.relation, b.relation) })
	var few [4]posting
	posts := few[:0]
	for i, one := range back {
		posts = append(posts, one.post)
		if i+1 < len(back) && back[i+1].relation == one.relation {
			continue
		}
		ids = v.first(posts, most, ids[:0])
		for _, id := range ids {
			all = append(all, Relation{one.relation, v.docs.at(id).ref})
		}
		posts = posts[:0]
	}
	return all, ids
}

// first gives the first visible entities of postings, by reference; ids is room.
func (v *view) first(of []posting, most int, ids []uint32) []uint32 {
	if len(of) == 1 && v.size(of[0]) <= fewMost {
		ids = append(ids, v.docsOf(of[0])...)
	} else {
		all := roaring.New()
		for _, p := range of {
			v.into(p, all)
		}
		if size := int(all.GetCardinality()); size > fewMost && size > most && v.refs != nil {
			p := pager{view: v, most: most}
			all.And(v.everything())
			p.byReference(all, nil)
			return p.out
		}
		ids = all.ToArray()
	}
	ids = slices.DeleteFunc(ids, func(id uint32) bool { return !v.sees(id) })
	slices.SortFunc(ids, func(a, b uint32) int { return strings.Compare(v.docs.at(a).ref, v.docs.at(b).ref) })
	return ids[:min(len(ids), most)]
}

// pointing gives those visible entities that declare a relation to a reference, of those that are wanted; nil wants all.
func (v *view) pointing(ref string, wanted func(relation string) bool, fn func(p *path, from uint32)) {
	for _, paths := range v.byType {
		for _, p := range paths {
			if wanted != nil && !wanted(p.relation) {
				continue
			}
			v.each(p.keys[scalar], ref, func(t uint32) {
				for _, from := range v.docsOf(v.terms.at(t).post) {
					if v.sees(from) {
						fn(p, from)
					}
				}
			})
		}
	}
}

// Pointing gives those visible entities that declare a relation to one of some references, which need not exist: by reference;
// where there are more than most, any of them.
func (x *Index) Pointing(refs []string, visible access.Set, most int) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := x.view(visible)
	found := roaring.New()
	for _, ref := range refs {
		for _, paths := range v.byType {
			for _, p := range paths {
				v.each(p.keys[scalar], ref, func(t uint32) { v.into(v.terms.at(t).post, found) })
			}
		}
	}
	found.And(v.everything())
	names := make([]string, 0, min(most, int(found.GetCardinality())))
	for each := found.Iterator(); each.HasNext() && len(names) < most; {
		names = append(names, v.docs.at(each.Next()).ref)
	}
	slices.Sort(names)
	return names
}

// Exists tells whether an entity is there and may be seen.
func (v *view) Exists(ref string) bool {
	_, ok := v.find(ref)
	return ok
}

// Edges gives the edges at a reference, of which something that is visible declares each: of others only those that they declare by
// a relation that is wanted; nil wants all.
func (v *view) Edges(ref string, wanted func(relation string) bool) []Edge {
	var edges []Edge
	if id, ok := v.find(ref); ok {
		for _, t := range v.docs.at(id).terms {
			if p := v.terms.at(t).key.path; p.relation != "" {
				edges = append(edges, Forward(v.pairs, ref, Relation{p.relation, string(v.rawOf(t))}))
			}
		}
	}
	v.pointing(ref, wanted, func(p *path, from uint32) {
		edges = append(edges, Forward(v.pairs, v.docs.at(from).ref, Relation{p.relation, ref}))
	})
	slices.SortFunc(edges, CompareEdges)
	return slices.Compact(edges)
}

// Some goes through the entities from a place on until fn has wanted so many of them, and gives the place to go on from, and
// whether there may be more. It misses none that is there all the time.
func (x *Index) Some(from uint32, most int, fn func(Hit) bool) (next uint32, more bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	const looked = 10_000 // while writers wait
	for end := from + looked; from < x.docs.n; from++ {
		if most == 0 || from == end {
			return from, true
		}
		if x.docs.at(from).ref != "" && fn(x.hit(from)) {
			most--
		}
	}
	return from, false
}
