package index

import (
	"bytes"
	"cmp"
	"slices"
)

const gone = ^uint32(0)

// merge makes one segment of what is alive in several. No key is alive in two of them.
func merge(parts []part) *segment {
	var w writer
	places := make([][]uint32, len(parts)) // of the things of each part in the whole
	n := 0
	for i, p := range parts {
		places[i] = make([]uint32, p.size())
		for d := range places[i] {
			places[i][d] = gone
		}
		n += p.size() - p.dead
	}
	w.s.in, w.s.weight = make([]In, 0, n), make([]uint8, 0, n)
	w.place.list = make([]uint32, 0, n)
	for f := range w.columns {
		w.columns[f].list = make([]uint32, 0, n)
	}
	var postings, keys, terms, named int
	for _, p := range parts {
		postings, keys, terms, named = postings+len(p.postings), keys+len(p.keys.data), terms+len(p.terms.data), named+p.terms.n
	}
	w.s.postings, w.s.ends = make([]byte, 0, postings), make([]uint32, 0, named)
	w.keys.data, w.terms.data = make([]byte, 0, keys), make([]byte, 0, terms)
	values := make([]valueMaps, len(parts))
	for i, p := range parts {
		values[i].place = translate(&w.place, p.place.values)
		for f := range facets {
			values[i].columns[f] = translate(&w.columns[f], p.columns[f].values)
		}
	}
	mergeSorted(parts, func(p part) *sorted { return &p.keys }, func(key []byte, at []int) {
		for i, d := range at {
			if d < 0 || parts[i].isDead(uint32(d)) {
				continue
			}
			s, doc := parts[i].segment, uint32(d)
			places[i][d] = uint32(w.keys.n)
			w.keys.add(key)
			w.s.in = append(w.s.in, s.in[d])
			w.s.weight = append(w.s.weight, s.weight[d])
			w.place.list = append(w.place.list, values[i].place(s.place.at(doc)))
			for f := range facets {
				w.columns[f].list = append(w.columns[f].list, values[i].columns[f](s.columns[f].at(doc)))
			}
		}
	})
	var list []posting
	mergeSorted(parts, func(p part) *sorted { return &p.terms }, func(term []byte, at []int) {
		list = list[:0]
		several := 0
		for i, t := range at {
			if t < 0 {
				continue
			}
			several++
			parts[i].each(t, func(doc uint32, mask Field) {
				if to := places[i][doc]; to != gone {
					list = append(list, posting{to, mask})
				}
			})
		}
		if len(list) == 0 {
			return
		}
		if several > 1 {
			slices.SortFunc(list, func(a, b posting) int { return cmp.Compare(a.doc, b.doc) })
		}
		w.term(term, list)
	})
	return w.done()
}

// valueMaps give the values of a part's columns in the whole.
type valueMaps struct {
	place   func(uint32) uint32
	columns [facets]func(uint32) uint32
}

// translate gives the ids of values in a column that is being made. A value is taken into it once it is used.
func translate(w *columnWriter, values []string) func(uint32) uint32 {
	ids := make([]uint32, len(values))
	for i := range ids {
		ids[i] = gone
	}
	return func(id uint32) uint32 {
		if ids[id] == gone {
			ids[id] = w.id(values[id])
		}
		return ids[id]
	}
}

// mergeSorted walks lists together: fn gets each text with its places in those that have it, -1 in others.
func mergeSorted(parts []part, of func(part) *sorted, fn func(text []byte, at []int)) {
	cursors := make([]cursor, len(parts))
	live := make([]bool, len(parts))
	at := make([]int, len(parts))
	for i, p := range parts {
		cursors[i] = of(p).cursor()
		live[i] = cursors[i].next()
	}
	var text []byte
	for {
		least := -1
		for i := range cursors {
			if live[i] && (least < 0 || bytes.Compare(cursors[i].text, cursors[least].text) < 0) {
				least = i
			}
		}
		if least < 0 {
			return
		}
		text = append(text[:0], cursors[least].text...)
		for i := range cursors {
			at[i] = -1
			if live[i] && bytes.Equal(cursors[i].text, text) {
				at[i] = cursors[i].i
				live[i] = cursors[i].next()
			}
		}
		fn(text, at)
	}
}
