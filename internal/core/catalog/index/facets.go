package index

import (
	"cmp"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Facets counts the values of keys, the most frequent first.
func (x *Index) Facets(q FacetQuery) map[string][]Count {
	x.mu.RLock()
	defer x.mu.RUnlock()
	v := x.view(q.Visible)
	var in *members
	if q.Filter == nil && q.Visible.All {
		in = &members{all: true, set: v.live}
	} else {
		found := v.eval(q.Filter)
		if !q.Visible.All {
			found = set{roaring.And(found.Bitmap, v.everything()), true}
		}
		in = &members{set: found.Bitmap, universe: x.docs.n}
	}
	facets := make(map[string][]Count, len(q.Keys))
	for _, name := range q.Keys {
		facets[name] = v.facet(v.source(name), in, q.Limit)
	}
	return facets
}

func (v *view) facet(s source, in *members, limit int) []Count {
	counts := []Count{}
	note := func(value string, n int) {
		if n > 0 {
			counts = append(counts, Count{value, n})
		}
	}
	switch {
	case len(s.inverse) > 0 || len(s.edges) > 1 || len(s.keys)+min(len(s.flags), 1) > 1:
		// The same value comes from several sides.
		sets := map[string][]uint32{}
		v.sides(s, func(value string, id uint32) {
			if in.has(id) {
				sets[value] = append(sets[value], id)
			}
		})
		for value, ids := range sets {
			slices.Sort(ids)
			note(value, len(slices.Compact(ids)))
		}
	case len(s.flags) > 0:
		set := roaring.New()
		for _, t := range s.flags {
			v.into(v.terms.at(t).post, set)
		}
		if !in.all {
			set.And(in.set)
		}
		note(yes, int(set.GetCardinality()))
	default:
		keys := s.keys
		for _, p := range s.edges {
			keys = append(slices.Clone(keys), p.keys[scalar])
		}
		for _, k := range keys {
			v.dictionary.all(k, func(t uint32, _ []byte) {
				if n := v.common(v.terms.at(t).post, in); n > 0 {
					note(string(v.rawOf(t)), n)
				}
			})
		}
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) })
	if limit > 0 && len(counts) > limit {
		counts = slices.Clone(counts[:limit])
	}
	return counts
}

// sides gives every value of a source with each who has it, the same maybe more than once.
func (v *view) sides(s source, fn func(value string, id uint32)) {
	each := func(value string, of posting) {
		for _, id := range v.docsOf(of) {
			fn(value, id)
		}
	}
	keys := slices.Clone(s.keys)
	for _, p := range s.edges {
		keys = append(keys, p.keys[scalar])
	}
	for _, k := range keys {
		v.dictionary.all(k, func(t uint32, _ []byte) { each(string(v.rawOf(t)), v.terms.at(t).post) })
	}
	for _, t := range s.flags {
		each(yes, v.terms.at(t).post)
	}
	for _, p := range s.inverse {
		v.dictionary.all(p.keys[scalar], func(t uint32, _ []byte) {
			target, ok := v.byRef[string(v.rawOf(t))]
			if !ok {
				return
			}
			for _, from := range v.docsOf(v.terms.at(t).post) {
				if v.sees(from) {
					fn(v.docs.at(from).ref, target)
				}
			}
		})
	}
}
