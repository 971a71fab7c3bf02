package index

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// In is the kind of thing that is found.
type In uint8

// The kinds of things.
const (
	Entities In = iota
	APIs
	Docs
	Runs
	ins // how many there are
)

// String gives the name of a kind of thing.
func (in In) String() string { return [...]string{"entities", "apis", "docs", "runs"}[in] }

// ParseIn gives the kind of thing of a name.
func ParseIn(name string) (In, bool) {
	for in := range ins {
		if in.String() == name {
			return in, true
		}
	}
	return 0, false
}

// Facet is what things are counted and chosen by, beside what kind of thing they are.
type Facet uint8

// The facets.
const (
	Kind Facet = iota
	Type
	Owner
	Lifecycle
	Space
	Namespace
	facets
)

// String gives the name of a facet.
func (f Facet) String() string {
	return [...]string{"kind", "type", "owner", "lifecycle", "space", "namespace"}[f]
}

// ParseFacet gives the facet of a name.
func ParseFacet(name string) (Facet, bool) {
	for f := range facets {
		if f.String() == name {
			return f, true
		}
	}
	return 0, false
}

// Field is where a word stands in a thing.
type Field uint8

// The fields.
const (
	Name Field = 1 << iota
	Title
	Tag
	Heading
	Fact // what it is of: its type, its owner
	Body
)

// weights of the fields.
var weights = [...]uint16{100, 80, 50, 40, 30, 10}

// Doc is a thing as it is put.
type Doc struct {
	Key    string
	In     In
	Weight uint8  // up to 9: of two that match alike, which comes first
	Place  string // what tells who may see it
	Facets [facets]string
	terms  map[string]Field
}

// whole is in front of a name without the signs between its words. No word begins with it.
const whole = "\x01"

// mostTerms is how many different words of a thing are known.
const mostTerms = 2000

// Add notes the words of a text under a field.
func (d *Doc) Add(f Field, text string) {
	if d.terms == nil {
		d.terms = make(map[string]Field, 16)
	}
	words := 0
	eachWord(text, true, func(_, _ int, word string) {
		words++
		d.note(word, f)
	})
	if f&(Name|Title) != 0 && words > 0 {
		d.note(whole+joined(text), f)
	}
}

func (d *Doc) note(term string, f Field) {
	if had, known := d.terms[term]; known || len(d.terms) < mostTerms {
		d.terms[term] = had | f
	}
}

// posting is a thing that has a term, and where.
type posting struct {
	doc  uint32
	mask Field
}

// segment is a part of the index that never changes.
type segment struct {
	keys     sorted
	terms    sorted
	ends     []uint32 // where the postings of each term end
	postings []byte

	in      []In
	weight  []uint8
	place   column
	columns [facets]column
}

func (s *segment) size() int { return s.keys.n }

// bytes is the memory that it takes.
func (s *segment) bytes() int {
	n := len(s.keys.data) + 4*len(s.keys.blocks) + len(s.terms.data) + 4*len(s.terms.blocks) + 4*len(s.ends) + len(s.postings) + len(s.in) + len(s.weight)
	n += s.place.bytes()
	for i := range s.columns {
		n += s.columns[i].bytes()
	}
	return n
}

// column has a value of each thing.
type column struct {
	values []string
	small  []uint16
	large  []uint32 // instead of small, where there are too many values for it
}

func (c *column) at(doc uint32) uint32 {
	if c.small != nil {
		return uint32(c.small[doc])
	}
	return c.large[doc]
}

// count adds to the counts of the values that some things have.
func (c *column) count(docs []uint32, counts []int32) {
	if c.small != nil {
		for _, doc := range docs {
			counts[c.small[doc]]++
		}
		return
	}
	for _, doc := range docs {
		counts[c.large[doc]]++
	}
}

func (c *column) bytes() int {
	n := 2*len(c.small) + 4*len(c.large)
	for _, v := range c.values {
		n += len(v) + 16
	}
	return n
}

type columnWriter struct {
	ids    map[string]uint32
	values []string
	list   []uint32
}

func (w *columnWriter) id(value string) uint32 {
	id, known := w.ids[value]
	if !known {
		if w.ids == nil {
			w.ids = map[string]uint32{}
		}
		id = uint32(len(w.values))
		w.values = append(w.values, value)
		w.ids[value] = id
	}
	return id
}

func (w *columnWriter) add(value string) { w.list = append(w.list, w.id(value)) }

func (w *columnWriter) done() column {
	c := column{values: slices.Clip(w.values)}
	if len(w.values) > 1<<16 {
		c.large = slices.Clip(w.list)
		return c
	}
	c.small = make([]uint16, len(w.list))
	for i, id := range w.list {
		c.small[i] = uint16(id)
	}
	return c
}

// writer makes a segment: its things in order of their keys, then its terms in order.
type writer struct {
	s       segment
	keys    sortedWriter
	terms   sortedWriter
	place   columnWriter
	columns [facets]columnWriter
}

func (w *writer) term(text []byte, list []posting) {
	w.terms.add(text)
	w.s.postings = appendPostings(w.s.postings, list)
	w.s.ends = append(w.s.ends, uint32(len(w.s.postings)))
}

func (w *writer) done() *segment {
	s := &w.s
	s.keys, s.terms, s.ends, s.postings, s.place = w.keys.done(), w.terms.done(), slices.Clone(s.ends), slices.Clone(s.postings), w.place.done()
	for i := range s.columns {
		s.columns[i] = w.columns[i].done()
	}
	return s
}

// appendPostings writes a list: its length, whether all have the same fields, and the things by their differences.
func appendPostings(to []byte, list []posting) []byte {
	same := uint64(1)
	for _, p := range list {
		if p.mask != list[0].mask {
			same = 0
			break
		}
	}
	to = binary.AppendUvarint(to, uint64(len(list))<<1|same)
	if same == 1 {
		to = append(to, byte(list[0].mask))
	}
	last := uint32(0)
	for _, p := range list {
		to = binary.AppendUvarint(to, uint64(p.doc-last))
		if same == 0 {
			to = append(to, byte(p.mask))
		}
		last = p.doc
	}
	return to
}

// list is the postings of a term, as they are read.
type list struct {
	data []byte
	left uint64
	same bool
	mask Field
	doc  uint32
}

// listSize is the bytes of a term's list.
func (s *segment) listSize(term int) int { return int(s.ends[term] - s.begins(term)) }

func (s *segment) begins(term int) uint32 {
	if term == 0 {
		return 0
	}
	return s.ends[term-1]
}

func (s *segment) list(term int) list {
	l := list{data: s.postings[s.begins(term):s.ends[term]]}
	head, n := binary.Uvarint(l.data)
	l.data, l.left, l.same = l.data[n:], head>>1, head&1 == 1
	if l.same {
		l.mask, l.data = Field(l.data[0]), l.data[1:]
	}
	return l
}

func (l *list) next() (doc uint32, mask Field, ok bool) {
	if l.left == 0 {
		return 0, 0, false
	}
	l.left--
	if b := l.data[0]; b < 0x80 {
		l.doc += uint32(b)
		l.data = l.data[1:]
	} else {
		delta, n := binary.Uvarint(l.data)
		l.doc += uint32(delta)
		l.data = l.data[n:]
	}
	if !l.same {
		l.mask, l.data = Field(l.data[0]), l.data[1:]
	}
	return l.doc, l.mask, true
}

// each gives the postings of a term.
func (s *segment) each(term int, fn func(doc uint32, mask Field)) {
	l := s.list(term)
	for doc, mask, ok := l.next(); ok; doc, mask, ok = l.next() {
		fn(doc, mask)
	}
}

// build makes a segment of things with different keys.
func build(docs []Doc) *segment {
	docs = slices.Clone(docs)
	slices.SortFunc(docs, func(a, b Doc) int { return cmp.Compare(a.Key, b.Key) })
	var w writer
	byTerm := map[string][]posting{}
	for i := range docs {
		d := &docs[i]
		w.keys.add([]byte(d.Key))
		w.s.in = append(w.s.in, d.In)
		w.s.weight = append(w.s.weight, d.Weight)
		w.place.add(d.Place)
		for f := range facets {
			w.columns[f].add(d.Facets[f])
		}
		for term, mask := range d.terms {
			byTerm[term] = append(byTerm[term], posting{uint32(i), mask})
		}
	}
	terms := make([]string, 0, len(byTerm))
	for term := range byTerm {
		terms = append(terms, term)
	}
	slices.Sort(terms)
	for _, term := range terms {
		w.term([]byte(term), byTerm[term])
	}
	return w.done()
}
