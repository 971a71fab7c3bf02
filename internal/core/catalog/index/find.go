package index

import (
	"bytes"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// rankFrom is how many values are sorted for each query rather than kept in order.
const rankFrom = 512

// Find gives a part of what matches, in order.
func (x *Index) Find(q Query) Result {
	x.keepOrder(q.Order)
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := x.view(q.Visible)
	found := v.eval(q.Filter)
	if !q.Visible.All {
		found = set{roaring.And(found.Bitmap, v.everything()), true}
	}
	p := pager{view: v, of: found.Bitmap, order: make([]ordered, len(q.Order))}
	for i, o := range q.Order {
		p.order[i] = ordered{v.source(o.Field), o.Desc}
	}
	var r Result
	if !q.NoTotal {
		r.Total = found.size()
	}
	ids, more := p.part(q)
	if len(ids) == 0 {
		return r
	}
	r.Hits = make([]Hit, len(ids))
	for i, id := range ids {
		r.Hits[i] = x.hit(id)
	}
	first, last := p.position(ids[0]), p.position(ids[len(ids)-1])
	back := q.Before != nil
	if back && more || !back && (q.After != nil || q.Offset > 0) && p.any(first, true) {
		r.Prev = &first
	}
	if !back && more || back && p.any(last, false) {
		r.Next = &last
	}
	return r
}

// keepOrder has the terms of the fields, and the references, kept in order from now on, where they are many.
func (x *Index) keepOrder(order []Order) {
	x.mu.RLock()
	missing := x.refs == nil && len(x.byRef) > rankFrom
	for _, o := range order {
		p := x.paths[fold(o.Field)]
		missing = missing || p != nil && p.ranking == nil && p.many()
	}
	x.mu.RUnlock()
	if !missing {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.refs == nil {
		x.refs = x.rankRefs()
	}
	for _, o := range order {
		p := x.paths[fold(o.Field)]
		if p == nil || p.ranking != nil || !p.many() {
			continue
		}
		if len(x.ranking) == maxRanked {
			x.unrank(x.ranking[0])
		}
		p.ranking = x.rank(p)
		x.ranking = append(x.ranking, p)
	}
}

// Keep has the entities and the values of fields kept in order from now on, so that the first who asks need not wait for it.
func (x *Index) Keep(fields ...string) {
	order := make([]Order, len(fields))
	for i, field := range fields {
		order[i].Field = field
	}
	x.keepOrder(order)
}

func (x *Index) rankRefs() *ranking {
	type named struct {
		ref string
		id  uint32
	}
	all := make([]named, 0, len(x.byRef))
	for ref, id := range x.byRef {
		all = append(all, named{ref, id})
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.ref, b.ref) })
	ids := make([]uint32, len(all))
	for i, one := range all {
		ids[i] = one.id
	}
	return newRanking(ids, func(a, b uint32) int { return strings.Compare(x.docs.at(a).ref, x.docs.at(b).ref) })
}

// many tells whether a path has so many values that their order is kept.
func (p *path) many() bool {
	n := 0
	for _, k := range p.valued() {
		n += k.live
	}
	return n > rankFrom && p.relation == ""
}

type ordered struct {
	source
	desc bool
}

// pager walks a set in an order.
type pager struct {
	*view
	of    *roaring.Bitmap
	order []ordered

	back bool // from the end to the start
	skip int
	most int
	out  []uint32
}

// part gives the entities of a part, and whether more follow in the direction in which it was read.
func (p *pager) part(q Query) (ids []uint32, more bool) {
	p.back, p.skip, p.most = q.Before != nil, q.Offset, q.limit()+1
	from := q.After
	if p.back {
		from = q.Before
	}
	p.page(p.of, 0, from)
	if more = len(p.out) == p.most; more {
		p.out = p.out[:p.most-1]
	}
	if p.back {
		slices.Reverse(p.out)
	}
	return p.out, more
}

// any tells whether there is anything before or after a position.
func (p *pager) any(at Position, back bool) bool {
	other := pager{view: p.view, of: p.of, order: p.order, back: back, most: 1}
	other.page(p.of, 0, &at)
	return len(other.out) > 0
}

// take takes the next entity, and tells whether another one is wanted.
func (p *pager) take(id uint32) bool {
	if p.skip > 0 {
		p.skip--
		return true
	}
	p.out = append(p.out, id)
	return len(p.out) < p.most
}

// page takes entities of a set, in the order of the fields from the given one on, beyond a position. It tells whether more
// are wanted.
func (p *pager) page(of *roaring.Bitmap, field int, beyond *Position) bool {
	size := int(of.GetCardinality())
	if size == 0 {
		return true
	}
	if beyond == nil && p.skip >= size {
		p.skip -= size
		return true
	}
	wanted := p.skip + p.most - len(p.out)
	if size == 1 || p.refs == nil || size*size/wanted*p.sorting <= len(p.byRef) {
		return p.sorted(of, field, beyond)
	}
	if field == len(p.order) {
		return p.byReference(of, beyond)
	}
	o := p.order[field]
	if !o.plain() {
		return p.sorted(of, field, beyond)
	}
	var value *string
	if beyond != nil {
		value = beyond.Values[field]
	}
	first, second := func() bool { return p.byValue(of, field, beyond, value) }, func() bool { return p.without(of, field, beyond, value) }
	if p.back {
		first, second = second, first
	}
	return first() && second()
}

// without takes those that have no value in a field.
func (p *pager) without(of *roaring.Bitmap, field int, beyond *Position, value *string) bool {
	if beyond != nil && value != nil {
		if p.back {
			return true // they come after the position
		}
		beyond = nil
	}
	rest := of.Clone()
	for _, k := range p.order[field].keys {
		rest.AndNot(p.bitmap(k.docs).Bitmap)
	}
	return p.page(rest, field+1, beyond)
}

// byValue takes those that have a value in a field.
func (p *pager) byValue(of *roaring.Bitmap, field int, beyond *Position, value *string) bool {
	if beyond != nil && value == nil {
		if !p.back {
			return true // they come before the position
		}
		beyond = nil
	}
	o := p.order[field]
	path := o.path()
	if path == nil {
		return true
	}
	r := path.ranking
	if r == nil {
		r = p.rank(path)
	}
	backwards := o.desc != p.back
	piece, at := 0, 0
	switch {
	case beyond != nil && backwards:
		piece, at = r.place(func(t uint32) bool { return string(p.foldedOf(t)) > *value })
	case beyond != nil:
		piece, at = r.place(func(t uint32) bool { return string(p.foldedOf(t)) >= *value })
	case backwards:
		piece = len(r.pieces)
	}
	g := group{pager: p, of: of, field: field, multi: path.multi, beyond: beyond}
	more := true
	r.walk(piece, at, backwards, func(t uint32) bool {
		more = g.add(t)
		return more
	})
	return more && g.flush()
}

// byReference takes what is equal in all fields.
func (p *pager) byReference(of *roaring.Bitmap, beyond *Position) bool {
	piece, at := 0, 0
	switch {
	case beyond != nil && p.back:
		piece, at = p.refs.place(func(id uint32) bool { return p.docs.at(id).ref >= beyond.Ref })
	case beyond != nil:
		piece, at = p.refs.place(func(id uint32) bool { return p.docs.at(id).ref > beyond.Ref })
	case p.back:
		piece = len(p.refs.pieces)
	}
	more, missed, leap := true, 0, ""
	for {
		p.refs.walk(piece, at, p.back, func(id uint32) bool {
			if of.Contains(id) {
				missed, more = 0, p.take(id)
				return more
			}
			if missed++; missed%leapFrom == 0 {
				leap = p.idle(of, p.docs.at(id).ref)
			}
			return leap == ""
		})
		if leap == "" {
			return more
		}
		piece, at = p.refs.place(func(id uint32) bool { return p.docs.at(id).ref >= leap })
		leap = ""
	}
}

// leapFrom is after how many references that are not wanted a walk asks whether any of their kind is.
const leapFrom = 128

// idle gives where the references of another kind begin, or those of this one when they are read backwards, if none of a
// reference's kind is wanted.
func (p *pager) idle(of *roaring.Bitmap, name string) string {
	kind, _, _ := strings.Cut(name, ":")
	if of.Intersects(p.eval(Has{Key: "kind", Values: []string{kind}}).Bitmap) {
		return ""
	}
	if p.back {
		return kind + ":"
	}
	return kind + ";" // the byte that follows
}

// group gathers the terms of one value, which may differ in case.
type group struct {
	*pager
	of     *roaring.Bitmap
	field  int
	multi  bool
	beyond *Position
	terms  []uint32
}

func (g *group) add(t uint32) bool {
	if len(g.terms) > 0 && string(g.foldedOf(g.terms[0])) != string(g.foldedOf(t)) && !g.flush() {
		return false
	}
	g.terms = append(g.terms, t)
	return true
}

// flush takes the entities of the value.
func (g *group) flush() bool {
	if len(g.terms) == 0 {
		return true
	}
	terms := g.terms
	g.terms = g.terms[:0]
	post := g.pager.terms.at(terms[0]).post
	beyond := g.beyond
	if beyond != nil && *beyond.Values[g.field] != string(g.foldedOf(terms[0])) {
		beyond = nil
	}
	if len(terms) == 1 && post&listed == 0 && beyond == nil && !g.multi {
		return !g.of.Contains(uint32(post)) || g.take(uint32(post))
	}
	var in set
	if len(terms) == 1 {
		in = set{roaring.And(g.of, g.bitmap(post).Bitmap), true}
	} else {
		in = set{roaring.New(), true}
		for _, t := range terms {
			g.into(g.pager.terms.at(t).post, in.Bitmap)
		}
		in.And(g.of)
	}
	if g.multi { // those whose value it is by which they are ordered
		o, value := g.order[g.field], string(g.foldedOf(terms[0]))
		for _, id := range in.ToArray() {
			if best, _ := g.best(id, o); string(best) != value {
				in.Remove(id)
			}
		}
	}
	return g.page(in.Bitmap, g.field+1, beyond)
}

// best gives the value by which an entity is ordered: of several the first one in the direction.
func (v *view) best(id uint32, o ordered) (best []byte, ok bool) {
	v.values(id, o.source, func(folded []byte) {
		if folded == nil {
			folded = []byte{} // a value, if an empty one
		}
		if c := bytes.Compare(folded, best); !ok || !o.desc && c < 0 || o.desc && c > 0 {
			best, ok = folded, true
		}
	})
	return best, ok
}

// position gives the place of an entity.
func (p *pager) position(id uint32) Position {
	at := Position{Ref: p.docs.at(id).ref, Values: make([]*string, len(p.order))}
	for i, o := range p.order {
		if best, ok := p.best(id, o); ok {
			text := string(best)
			at.Values[i] = &text
		}
	}
	return at
}

// placed is an entity with the values by which it is ordered; nil where it has none.
type placed struct {
	id     uint32
	ref    string
	values [][]byte
}

// pickMost is how many entities are picked out of more, one by one, rather than all sorted.
const pickMost = 256

// sorted takes a set that is small, or has an order that is not kept.
func (p *pager) sorted(of *roaring.Bitmap, field int, beyond *Position) bool {
	order := p.order[field:]
	size := int(of.GetCardinality())
	values := make([][]byte, size*len(order))
	var edge *placed
	if beyond != nil {
		edge = &placed{ref: beyond.Ref, values: make([][]byte, len(order))}
		for i := range order {
			if text := beyond.Values[field+i]; text != nil {
				edge.values[i] = append([]byte{}, *text...)
			}
		}
	}
	wanted := p.skip + p.most - len(p.out)
	list := make([]placed, 0, min(size, pickMost))
	for it := of.Iterator(); it.HasNext(); {
		one := placed{id: it.Next(), values: values[:len(order):len(order)]}
		values = values[len(order):]
		one.ref = p.docs.at(one.id).ref
		for i, o := range order {
			one.values[i], _ = p.best(one.id, o)
		}
		switch {
		case edge != nil && p.compare(one, *edge, order) <= 0:
		case wanted > pickMost:
			list = append(list, one)
		case len(list) < wanted || p.compare(one, list[len(list)-1], order) < 0:
			at, _ := slices.BinarySearchFunc(list, one, func(a, b placed) int { return p.compare(a, b, order) })
			list = slices.Insert(list, at, one)
			list = list[:min(len(list), wanted)]
		}
	}
	if wanted > pickMost {
		slices.SortFunc(list, func(a, b placed) int { return p.compare(a, b, order) })
	}
	for _, one := range list {
		if !p.take(one.id) {
			return false
		}
	}
	return true
}

// compare tells which entity comes first in the direction of the walk.
func (p *pager) compare(a, b placed, order []ordered) int {
	c := compare(a, b, order)
	if p.back {
		return -c
	}
	return c
}

func compare(a, b placed, order []ordered) int {
	for i, o := range order {
		x, y := a.values[i], b.values[i]
		switch {
		case x == nil && y == nil:
		case x == nil:
			return 1
		case y == nil:
			return -1
		default:
			c := bytes.Compare(x, y)
			if o.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
	}
	return strings.Compare(a.ref, b.ref)
}
