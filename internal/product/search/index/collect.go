package index

import (
	"cmp"
	"slices"
	"strings"
)

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
		if c.Counted[f] {
			k.counts[f] = make([]int32, len(values))
		}
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

// blockSize is how many things are looked at together: column by column, so that each stays in the processor's cache.
const blockSize = 2048

// take looks at what was found in a segment, in order, and leaves its scores at nothing.
func (c *collector) take(p *part, s *scratch, everything bool) {
	k := c.prepare(p)
	switch {
	case everything:
		for doc := range uint32(p.size()) {
			s.block = append(s.block, doc)
			c.full(p, k, s)
		}
	case s.dense || len(s.found) > p.size()/16:
		for doc, score := range s.total {
			if score > 0 {
				s.block = append(s.block, uint32(doc))
				c.full(p, k, s)
			}
		}
	default:
		slices.Sort(s.found)
		for _, doc := range s.found {
			s.block = append(s.block, doc)
			c.full(p, k, s)
		}
	}
	c.flush(p, k, s)
	for f := range facets {
		for i, n := range k.counts[f] {
			if n > 0 {
				c.counts[f][p.columns[f].values[i]] += int(n)
			}
		}
	}
}

func (c *collector) full(p *part, k *perPart, s *scratch) {
	if len(s.block) == blockSize {
		c.flush(p, k, s)
	}
}

// flush looks at the things of a block.
func (c *collector) flush(p *part, k *perPart, s *scratch) {
	docs := c.seen(p, k, s)
	c.matching += len(docs)
	if c.narrows() {
		docs = c.narrow(p, k, docs)
	} else {
		docs = c.within(p, k, docs)
	}
	for f := range facets {
		if c.Counted[f] {
			p.columns[f].count(docs, k.counts[f])
		}
	}
	c.total += len(docs)
	for _, doc := range docs {
		c.offer(p, k, doc, p.in[doc], int(s.total[doc])+int(p.weight[doc]))
	}
	for _, doc := range s.block {
		s.total[doc] = 0
	}
	s.block = s.block[:0]
}

// seen gives those of some things that are not dead, and that may be seen.
func (c *collector) seen(p *part, k *perPart, s *scratch) []uint32 {
	kept := s.kept[:0]
	for _, doc := range s.block {
		if p.isDead(doc) || c.Sees != nil && !c.sees(p, k, p.in[doc], p.place.at(doc)) {
			continue
		}
		kept = append(kept, doc)
	}
	s.kept = kept
	return kept
}

func (c *collector) sees(p *part, k *perPart, in In, place uint32) bool {
	known := &k.sees[in][place]
	if *known == 0 {
		*known = -1
		if c.Sees(in, p.place.values[place]) {
			*known = 1
		}
	}
	return *known > 0
}

// within gives those of some things that are of the kinds that are asked for.
func (c *collector) within(p *part, k *perPart, docs []uint32) []uint32 {
	kept := docs[:0]
	for _, doc := range docs {
		in := p.in[doc]
		c.ins[in]++
		if k.in[in] {
			kept = append(kept, doc)
		}
	}
	return kept
}

// narrow is within, and gives those that pass all filters. What fails one filter alone counts for that filter's facet.
func (c *collector) narrow(p *part, k *perPart, docs []uint32) []uint32 {
	kept := docs[:0]
	for _, doc := range docs {
		in := p.in[doc]
		failed, which := 0, facets
		for f := range facets {
			if k.allowed[f] != nil && !k.allowed[f][p.columns[f].at(doc)] && !c.Aside[in][f] {
				failed++
				which = f
			}
		}
		if failed == 0 {
			c.ins[in]++
		}
		switch {
		case !k.in[in] || failed > 1:
		case failed == 0:
			kept = append(kept, doc)
		case c.Counted[which]:
			k.counts[which][p.columns[which].at(doc)]++
		}
	}
	return kept
}

// narrows tells whether anything is asked of facets.
func (c *collector) narrows() bool {
	return slices.ContainsFunc(c.Where[:], func(values []string) bool { return values != nil })
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
		r.Counts[f] = frequent(c.counts[f])
	}
	return r
}

// frequent gives the most frequent values, in order.
func frequent(counts map[string]int) (best []Count) {
	compare := func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) }
	for value, n := range counts {
		one := Count{value, n}
		if value == "" || len(best) == MostCounts && compare(one, best[MostCounts-1]) > 0 {
			continue
		}
		if len(best) == MostCounts {
			best = best[:MostCounts-1]
		}
		at, _ := slices.BinarySearchFunc(best, one, compare)
		best = slices.Insert(best, at, one)
	}
	return best
}
