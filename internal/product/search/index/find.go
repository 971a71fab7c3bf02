package index

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// called gives how much more it is worth that a name or title is the query, or begins with it: more the less follows. Both
// are given without the signs between words, as bytes.
func called(query, name int) uint16 {
	if query == name {
		return 15
	}
	return uint16(2 + 6*query/name)
}

// enough is how many things are found before words with typos are not looked for.
const enough = 5

// scratch is what a search of a segment needs.
type scratch struct {
	total, word []uint16
	found, had  []uint32
}

// NewestFirst begins keys of which the greatest comes first among equals.
const NewestFirst = "!"

func compareKeys(a, b string) int {
	if strings.HasPrefix(a, NewestFirst) && strings.HasPrefix(b, NewestFirst) {
		return strings.Compare(b, a)
	}
	return strings.Compare(a, b)
}

// Find gives the best things. Where words find little, those that differ by a typo are taken, too.
func (x *Index) Find(q Query) Result {
	parts := x.current.Load().parts
	r, matching := x.find(parts, q, false)
	if matching >= enough || !slices.ContainsFunc(q.Words, func(w Word) bool { return !w.Exact && edits(w.Text) > 0 }) {
		return r
	}
	more, all := x.find(parts, q, true)
	if all == matching {
		return r
	}
	more.Typos = true
	return more
}

// find also gives how many things that are seen have the words, whatever else is asked of them.
func (x *Index) find(parts []part, q Query, typos bool) (Result, int) {
	c := collector{Query: q, counts: [facets]map[string]int{}}
	for f := range c.counts {
		c.counts[f] = map[string]int{}
	}
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.size(), a.size()) })
	s := x.scratch.Get().(*scratch)
	defer x.scratch.Put(s)
	for i := range parts {
		s.search(&parts[i], q.Words, typos)
		c.take(&parts[i], s, len(q.Words) == 0)
	}
	return c.result(), c.matching
}

// search leaves in total the scores of what has all words, and in found who has one.
func (s *scratch) search(p *part, words []Word, typos bool) {
	n := p.size()
	if cap(s.total) < n {
		s.total, s.word = make([]uint16, n), make([]uint16, n)
	}
	s.total, s.word, s.found = s.total[:n], s.word[:n], s.found[:0]
	for i, w := range words {
		s.had = s.had[:0]
		var scores [qualities][64]uint16
		for q := range scores {
			for mask := range scores[q] {
				scores[q][mask] = worth[q] * bestField(Field(mask))
			}
		}
		p.matches(w, typos, func(term int, q quality) {
			s.note(p.list(term), &scores[q], i > 0)
		})
		if i == 0 {
			s.total, s.word = s.word, s.total
			s.found, s.had = s.had, s.found
			continue
		}
		kept := s.found[:0]
		for _, doc := range s.found {
			if s.word[doc] == 0 {
				s.total[doc] = 0
				continue
			}
			s.total[doc] += s.word[doc]
			s.word[doc] = 0
			kept = append(kept, doc)
		}
		s.found = kept
	}
	if len(s.found) > 0 {
		s.called(p, words)
	}
}

// note gives the things of a list the best score for the word so far; with among, only those that have the words before.
func (s *scratch) note(l list, scores *[64]uint16, among bool) {
	total, word := s.total, s.word
	for doc, mask, ok := l.next(); ok; doc, mask, ok = l.next() {
		if among && total[doc] == 0 {
			continue
		}
		had := word[doc]
		if had == 0 {
			s.had = append(s.had, doc)
		}
		word[doc] = max(had, scores[mask&63])
	}
}

// called adds to the scores of what is called as the whole query.
func (s *scratch) called(p *part, words []Word) {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(w.Text)
	}
	name := []byte(whole + fold(b.String()))
	s.had = s.had[:0]
	c := p.terms.cursor()
	for ok := c.seek(name); ok && bytes.HasPrefix(c.text, name); ok = c.next() {
		more := called(len(name)-len(whole), len(c.text)-len(whole))
		p.each(c.i, func(doc uint32, mask Field) {
			if s.total[doc] == 0 {
				return
			}
			if s.word[doc] == 0 {
				s.had = append(s.had, doc)
			}
			s.word[doc] = max(s.word[doc], more*bestField(mask))
		})
	}
	for _, doc := range s.had {
		s.total[doc] += s.word[doc]
		s.word[doc] = 0
	}
}

// collector keeps the best of what is found, and counts.
type collector struct {
	Query
	best     []Hit // the worst first, as soon as there are more than wanted
	total    int
	matching int
	ins      [ins]int
	counts   [facets]map[string]int
}

// perPart is what a collector knows of a segment.
type perPart struct {
	sees    [ins][]int8 // of each place: 1 yes, -1 no, 0 not asked yet
	in      [ins]bool
	allowed [facets][]bool // of each value; nil for all
	counts  [facets][]int32
	lost    int // the greatest score with which one of this segment was not good enough; -1
}

func (c *collector) prepare(p *part) *perPart {
	k := &perPart{lost: -1}
	for in := range ins {
		k.in[in] = c.In == nil || slices.Contains(c.In, in)
		k.sees[in] = make([]int8, len(p.place.values))
	}
	for f := range facets {
		values := p.columns[f].values
		k.counts[f] = make([]int32, len(values))
		if c.Where[f] == nil {
			continue
		}
		k.allowed[f] = make([]bool, len(values))
		for i, v := range values {
			k.allowed[f][i] = slices.Contains(c.Where[f], v)
		}
	}
	return k
}

// take looks at what was found in a segment, in order, and leaves its scores at nothing.
func (c *collector) take(p *part, s *scratch, everything bool) {
	k := c.prepare(p)
	switch {
	case everything:
		for doc := range uint32(p.size()) {
			c.one(p, k, doc, 0)
		}
	case len(s.found) > p.size()/16:
		for doc, score := range s.total {
			if score > 0 {
				c.one(p, k, uint32(doc), int(score))
				s.total[doc] = 0
			}
		}
	default:
		slices.Sort(s.found)
		for _, doc := range s.found {
			c.one(p, k, doc, int(s.total[doc]))
			s.total[doc] = 0
		}
	}
	for f := range facets {
		for i, n := range k.counts[f] {
			if n > 0 {
				c.counts[f][p.columns[f].values[i]] += int(n)
			}
		}
	}
}

func (c *collector) one(p *part, k *perPart, doc uint32, score int) {
	if p.isDead(doc) {
		return
	}
	in, place := p.in[doc], p.place.at(doc)
	if c.Sees != nil {
		known := &k.sees[in][place]
		if *known == 0 {
			*known = -1
			if c.Sees(in, p.place.values[place]) {
				*known = 1
			}
		}
		if *known < 0 {
			return
		}
	}
	c.matching++
	// What fails one filter alone counts for that filter's facet.
	failed, which := 0, facets
	var values [facets]uint32
	for f := range facets {
		values[f] = p.columns[f].at(doc)
		if k.allowed[f] != nil && !k.allowed[f][values[f]] && !c.Aside[in][f] {
			failed++
			which = f
		}
	}
	if failed == 0 {
		c.ins[in]++
	}
	if !k.in[in] {
		return
	}
	switch {
	case failed > 1:
		return
	case failed == 1:
		k.counts[which][values[which]]++
		return
	}
	for f := range facets {
		k.counts[f][values[f]]++
	}
	c.total++
	c.offer(p, k, doc, in, score+int(p.weight[doc]))
}

// offer keeps a thing if it is among the best so far: one more than wanted, so that it is known whether there is more.
func (c *collector) offer(p *part, k *perPart, doc uint32, in In, score int) {
	if score <= k.lost && in != Runs || c.After != nil && score > c.After.Score {
		return
	}
	full := len(c.best) > c.Limit
	if full && score < c.best[0].Score {
		k.lost = max(k.lost, score)
		return
	}
	hit := Hit{Position: Position{score, p.keys.at(int(doc))}, In: in, Place: p.place.values[p.place.at(doc)]}
	if c.After != nil && compareHits(hit.Position, *c.After) <= 0 {
		return
	}
	if full {
		if compareHits(hit.Position, c.best[0].Position) > 0 {
			k.lost = max(k.lost, score)
			return
		}
		c.best[0] = hit
		c.sink(0)
		return
	}
	c.best = append(c.best, hit)
	for i := len(c.best) - 1; i > 0 && compareHits(c.best[i].Position, c.best[(i-1)/2].Position) > 0; i = (i - 1) / 2 {
		c.best[i], c.best[(i-1)/2] = c.best[(i-1)/2], c.best[i]
	}
}

// sink restores the order of the heap below a place.
func (c *collector) sink(i int) {
	for {
		worst := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < len(c.best) && compareHits(c.best[child].Position, c.best[worst].Position) > 0 {
				worst = child
			}
		}
		if worst == i {
			return
		}
		c.best[i], c.best[worst] = c.best[worst], c.best[i]
		i = worst
	}
}

// compareHits puts the better one first.
func compareHits(a, b Position) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), compareKeys(a.Key, b.Key))
}

func (c *collector) result() Result {
	r := Result{Hits: c.best, Total: c.total, In: c.ins}
	slices.SortFunc(r.Hits, func(a, b Hit) int { return compareHits(a.Position, b.Position) })
	if len(r.Hits) > c.Limit {
		r.Hits, r.More = r.Hits[:c.Limit], true
	}
	for f := range facets {
		for value, n := range c.counts[f] {
			if value != "" {
				r.Counts[f] = append(r.Counts[f], Count{value, n})
			}
		}
		slices.SortFunc(r.Counts[f], func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) })
	}
	return r
}
