package index

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// Index is the whole. It is safe for concurrent use.
type Index struct {
	mu      sync.Mutex // of who writes
	current atomic.Pointer[snapshot]
	scratch sync.Pool
	beside  int // see scratch
}

// snapshot is the index at a moment.
type snapshot struct{ parts []part }

// part is a segment, and what of it is struck out.
type part struct {
	*segment
	struck []uint64
	dead   int
}

func (p *part) isDead(doc uint32) bool {
	return p.struck != nil && p.struck[doc/64]&(1<<(doc%64)) != 0
}

// New gives an empty index.
func New() *Index {
	x := &Index{beside: 1 << 17}
	x.current.Store(&snapshot{})
	x.scratch.New = func() any { return &scratch{beside: x.beside} }
	return x
}

// Put makes the index know things, instead of what it knew under their keys.
func (x *Index) Put(docs ...Doc) {
	last := make(map[string]int, len(docs))
	for i, d := range docs {
		last[d.Key] = i
	}
	if len(last) < len(docs) {
		var unique []Doc
		for i, d := range docs {
			if last[d.Key] == i {
				unique = append(unique, d)
			}
		}
		docs = unique
	}
	if len(docs) == 0 {
		return
	}
	made := build(docs)
	x.mu.Lock()
	defer x.mu.Unlock()
	parts := x.strike(func(yield func(string) bool) {
		for _, d := range docs {
			if !yield(d.Key) {
				return
			}
		}
	})
	x.publish(append(parts, part{segment: made}))
}

// Delete has the index forget things.
func (x *Index) Delete(keys ...string) {
	if len(keys) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.publish(x.strike(slices.Values(keys)))
}

// strike gives the parts without what has some keys.
func (x *Index) strike(keys func(func(string) bool)) []part {
	parts := slices.Clone(x.current.Load().parts)
	own := make([]bool, len(parts)) // whose struck is ours to change
	for key := range keys {
		for i := range parts {
			p := &parts[i]
			d, found := p.keys.find([]byte(key))
			if !found || p.isDead(uint32(d)) {
				continue
			}
			if !own[i] {
				struck := make([]uint64, (p.size()+63)/64)
				copy(struck, p.struck)
				p.struck, own[i] = struck, true
			}
			p.struck[d/64] |= 1 << (d % 64)
			p.dead++
		}
	}
	return parts
}

const (
	sameSize = 4 // segments of about the same size are merged when they are so many
	deadPart = 3 // a segment is made anew when one of so many of its things is dead
)

func sizeClass(n int) int { return bits.Len(uint(n)) / 2 }

// publish merges what is to be merged, and has readers see the parts.
func (x *Index) publish(parts []part) {
	for {
		parts = slices.DeleteFunc(parts, func(p part) bool { return p.dead == p.size() })
		for i := range parts {
			if p := &parts[i]; p.dead > 0 && p.dead*deadPart >= p.size() {
				*p = part{segment: merge([]part{*p})}
			}
		}
		classes := map[int]int{}
		full := -1
		for i := range parts {
			c := sizeClass(parts[i].size() - parts[i].dead)
			if classes[c]++; classes[c] >= sameSize && (full < 0 || c < full) {
				full = c
			}
		}
		if full < 0 {
			break
		}
		var rest, merged []part
		for _, p := range parts {
			if sizeClass(p.size()-p.dead) <= full {
				merged = append(merged, p)
			} else {
				rest = append(rest, p)
			}
		}
		parts = append(rest, part{segment: merge(merged)})
	}
	x.current.Store(&snapshot{parts})
}

// Tidy makes one segment of all, which is quickest to search.
func (x *Index) Tidy() {
	x.mu.Lock()
	defer x.mu.Unlock()
	parts := x.current.Load().parts
	if len(parts) > 1 || len(parts) == 1 && parts[0].dead > 0 {
		x.current.Store(&snapshot{[]part{{segment: merge(parts)}}})
	}
}

// Reset has the index forget all.
func (x *Index) Reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.current.Store(&snapshot{})
}

// Stats tells how large the index is.
type Stats struct {
	Things, Terms, Segments, Bytes int
}

// Stats tells how large the index is now.
func (x *Index) Stats() (s Stats) {
	for _, p := range x.current.Load().parts {
		s.Things += p.size() - p.dead
		s.Terms += p.terms.n
		s.Bytes += p.bytes() + 8*len(p.struck)
		s.Segments++
	}
	return s
}

// Keys gives the keys that begin with a text, in order within each segment.
func (x *Index) Keys(prefix string) (keys []string) {
	for _, p := range x.current.Load().parts {
		c := p.keys.cursor()
		for ok := c.seek([]byte(prefix)); ok && len(c.text) >= len(prefix) && string(c.text[:len(prefix)]) == prefix; ok = c.next() {
			if !p.isDead(uint32(c.i)) {
				keys = append(keys, string(c.text))
			}
		}
	}
	return keys
}
