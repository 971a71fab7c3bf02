package index

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
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
	total, word, other []uint16 // scores of things: of the words so far, of the next word, and of the half of its terms that is read beside
	terms              []match  // of the next word
	dense              bool     // so much is found that it is in total alone
	found, had         []uint32 // what has the words so far, and what has the next
	beside             int      // from how many bytes on the lists of a word are read by two at once; things are looked at so from half as many on
	block, kept        []uint32 // things that are looked at together, and those of them that count
	second             *scratch // of who looks beside
}

// match is a term that a word matches, and how.
type match struct {
	term int
	q    quality
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
	if sees := q.Sees; sees != nil {
		var mu sync.Mutex // two may look
		q.Sees = func(in In, place string) bool {
			mu.Lock()
			defer mu.Unlock()
			return sees(in, place)
		}
	}
	c := newCollector(q)
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.size(), a.size()) })
	s := x.scratch.Get().(*scratch)
	for i := range parts {
		s.search(&parts[i], q.Words, typos)
		c.take(&parts[i], s, len(q.Words) == 0)
	}
	x.scratch.Put(s) // not after a panic, which leaves scores in it
	return c.result(), c.matching
}

// search leaves in total the scores of what has all words, and in found who has one unless it is dense.
func (s *scratch) search(p *part, words []Word, typos bool) {
	n := p.size()
	if cap(s.total) < n {
		s.total, s.word, s.other = make([]uint16, n), make([]uint16, n), make([]uint16, n)
	}
	s.total, s.word, s.other = s.total[:n], s.word[:n], s.other[:n]
	s.found, s.dense = s.found[:0], false
	for i, w := range words {
		s.terms = s.terms[:0]
		size := 0
		p.matches(w, typos, func(term int, q quality) {
			s.terms = append(s.terms, match{term, q})
			size += p.listSize(term)
		})
		if size > n/4 {
			s.noteMany(p, size)
		} else {
			s.noteFew(p, i > 0)
		}
		s.combine(i == 0, size > n/4)
		if !s.dense && len(s.found) == 0 {
			return
		}
	}
	if s.dense || len(s.found) > 0 {
		s.called(p, words)
	}
}

// noteFew leaves the best scores of the next word in word, and who has it in had; with among, only of those that have the words
// before.
func (s *scratch) noteFew(p *part, among bool) {
	s.had = s.had[:0]
	for _, m := range s.terms {
		scores := &scores[m.q]
		for l := p.list(m.term); ; {
			doc, mask, ok := l.next()
			if !ok {
				break
			}
			if among && s.total[doc] == 0 {
				continue
			}
			if s.word[doc] == 0 {
				s.had = append(s.had, doc)
			}
			s.word[doc] = max(s.word[doc], scores[mask&63])
		}
	}
}

// noteMany leaves the best scores of the next word in word and, of some of its terms, in other. size is that of all lists.
func (s *scratch) noteMany(p *part, size int) {
	half := len(s.terms)
	if size >= s.beside && runtime.GOMAXPROCS(0) > 1 {
		rest := size
		for half = 0; half < len(s.terms)-1 && rest > size/2; half++ {
			rest -= p.listSize(s.terms[half].term)
		}
	}
	var beside sync.WaitGroup
	if half < len(s.terms) {
		beside.Go(func() { p.note(s.terms[half:], s.other) })
	}
	p.note(s.terms[:half], s.word)
	beside.Wait()
}

// note gives things the best score that some terms have for them. It reads the lists itself, since most of a long search's
// time goes here.
func (s *segment) note(terms []match, best []uint16) {
	for _, m := range terms {
		l := s.list(m.term)
		data, doc, same, scores := l.data, uint32(0), l.same, &scores[m.q]
		score, i := scores[l.mask&63], 0
		for left := l.left; left > 0; left-- {
			b := data[i]
			i++
			delta := uint32(b & 0x7f)
			for shift := 7; b >= 0x80; shift += 7 {
				b = data[i]
				i++
				delta |= uint32(b&0x7f) << shift
			}
			doc += delta
			if !same {
				score = scores[data[i]&63]
				i++
			}
			best[doc] = max(best[doc], score)
		}
	}
}

// combine puts the scores of the next word to those of the words so far, and strikes out what has it not. many tells that
// noteMany has noted them.
func (s *scratch) combine(first, many bool) {
	switch {
	case first:
		s.total, s.word = s.word, s.total
		s.found, s.had, s.dense = s.had, s.found, many
		if many {
			for doc, score := range s.other {
				s.total[doc] = max(s.total[doc], score)
			}
			clear(s.other)
		}
	case many && s.dense:
		other, word := s.other[:len(s.total)], s.word[:len(s.total)]
		for doc, total := range s.total {
			score := max(word[doc], other[doc])
			if total == 0 || score == 0 {
				score, total = 0, 0
			}
			s.total[doc] = total + score
		}
		clear(s.word)
		clear(s.other)
	case many:
		s.among(func(doc uint32) uint16 { return max(s.word[doc], s.other[doc]) })
		clear(s.word)
		clear(s.other)
	case s.dense:
		for _, doc := range s.had {
			s.word[doc] += s.total[doc]
		}
		clear(s.total)
		s.total, s.word = s.word, s.total
		s.found, s.had, s.dense = s.had, s.found, false
	default:
		s.among(func(doc uint32) uint16 { return s.word[doc] })
		for _, doc := range s.had {
			s.word[doc] = 0
		}
	}
}

// among adds to the scores of what is found, and strikes out what has no more.
func (s *scratch) among(more func(doc uint32) uint16) {
	kept := s.found[:0]
	for _, doc := range s.found {
		score := more(doc)
		if score == 0 {
			s.total[doc] = 0
			continue
		}
		s.total[doc] += score
		kept = append(kept, doc)
	}
	s.found = kept
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
