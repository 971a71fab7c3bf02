package index

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
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

func newCollector(q Query) *collector {
	c := &collector{Query: q}
	for f := range c.counts {
		c.counts[f] = map[string]int{}
	}
	return c
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

// take looks at what was found in a segment, and leaves its scores at nothing.
func (c *collector) take(p *part, s *scratch, everything bool) {
	n := uint32(p.size())
	switch {
	case !everything && !s.dense && len(s.found) <= p.size()/16:
		slices.Sort(s.found)
		k := c.prepare(p)
		for _, doc := range s.found {
			c.one(p, k, s, doc)
		}
		c.done(p, k, s)
	case p.size() >= s.beside/2 && runtime.GOMAXPROCS(0) > 1:
		c.takeByTwo(p, s, everything)
	default:
		c.scan(p, s, everything, 0, n)
	}
}

// takeByTwo has the second half of the things looked at beside the first.
func (c *collector) takeByTwo(p *part, s *scratch, everything bool) {
	n := uint32(p.size())
	if s.second == nil {
		s.second = &scratch{}
	}
	s.second.total = s.total
	other := newCollector(c.Query)
	var failed any
	var beside sync.WaitGroup
	beside.Go(func() {
		defer func() { failed = recover() }()
		other.scan(p, s.second, everything, n/2, n)
	})
	c.scan(p, s, everything, 0, n/2)
	beside.Wait()
	if failed != nil {
		panic(failed)
	}
	c.add(other)
}

// scan looks at the things of a segment from one to another that have a score, or at each.
func (c *collector) scan(p *part, s *scratch, everything bool, from, to uint32) {
	k := c.prepare(p)
	for doc := from; doc < to; doc++ {
		if everything || s.total[doc] > 0 {
			c.one(p, k, s, doc)
		}
	}
	c.done(p, k, s)
}

func (c *collector) one(p *part, k *perPart, s *scratch, doc uint32) {
	if s.block = append(s.block, doc); len(s.block) == blockSize {
		c.flush(p, k, s)
	}
}

func (c *collector) done(p *part, k *perPart, s *scratch) {
	c.flush(p, k, s)
	for f := range facets {
		for i, n := range k.counts[f] {
			if n > 0 {
				c.counts[f][p.columns[f].values[i]] += int(n)
			}
		}
	}
}

// add takes over what another one has found of other things.
func (c *collector) add(other *collector) {
	c.total += other.total
	c.matching += other.matching
	for in, n := range other.ins {
		c.ins[in] += n
	}
	for f := range facets {
		for value, n := range other.counts[f] {
			c.counts[f][value] += n
		}
	}
	c.best = append(c.best, other.best...)
	slices.SortFunc(c.best, func(a, b Hit) int { return compareHits(b.Position, a.Position) })
	c.best = c.best[max(0, len(c.best)-c.Limit-1):]
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
		if score, in := int(s.total[doc])+int(p.weight[doc]), p.in[doc]; score > k.lost || in == Runs {
			c.offer(p, k, doc, in, score)
		}
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
	if c.After != nil && score > c.After.Score {
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
