package index

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// sorted is a list of texts in order, of which each leaves out what it has in common with the one before. The first of each
// block is whole.
type sorted struct {
	data   []byte
	blocks []uint32 // where each begins
	n      int
}

const perBlock = 16

// sortedWriter makes a list; texts are added in order.
type sortedWriter struct {
	sorted
	last []byte
}

func (w *sortedWriter) add(text []byte) {
	common := 0
	if w.n%perBlock == 0 {
		w.blocks = append(w.blocks, uint32(len(w.data)))
	} else {
		common = commonPrefix(w.last, text)
	}
	w.data = binary.AppendUvarint(w.data, uint64(common))
	w.data = binary.AppendUvarint(w.data, uint64(len(text)-common))
	w.data = append(w.data, text[common:]...)
	w.last = append(w.last[:0], text...)
	w.n++
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// done gives the list in no more memory than it needs.
func (w *sortedWriter) done() sorted {
	return sorted{bytes.Clone(w.data), append([]uint32(nil), w.blocks...), w.n}
}

// cursor walks a list. It is before the first text, or at one.
type cursor struct {
	of   *sorted
	i    int // of the text; -1 before the first
	pos  int
	text []byte // good until the next step
}

func (s *sorted) cursor() cursor { return cursor{of: s, i: -1} }

func (c *cursor) next() bool {
	if c.i+1 >= c.of.n {
		c.i = c.of.n
		return false
	}
	c.i++
	common := c.number()
	size := c.number()
	c.text = append(c.text[:common], c.of.data[c.pos:c.pos+size]...)
	c.pos += size
	return true
}

func (c *cursor) number() int {
	if b := c.of.data[c.pos]; b < 0x80 {
		c.pos++
		return int(b)
	}
	n, size := binary.Uvarint(c.of.data[c.pos:])
	c.pos += size
	return int(n)
}

// seek goes to the first text that is not before another, and tells whether there is one.
func (c *cursor) seek(text []byte) bool {
	s := c.of
	block := sort.Search(len(s.blocks), func(b int) bool { return bytes.Compare(s.first(b), text) > 0 }) - 1
	c.block(max(block, 0))
	for c.next() {
		if bytes.Compare(c.text, text) >= 0 {
			return true
		}
	}
	return false
}

// block goes before the first text of a block.
func (c *cursor) block(b int) {
	c.i = b*perBlock - 1
	c.pos = len(c.of.data)
	if b < len(c.of.blocks) {
		c.pos = int(c.of.blocks[b])
	}
	c.text = c.text[:0]
}

// first gives the first text of a block.
func (s *sorted) first(b int) []byte {
	at := s.blocks[b]
	size, n := binary.Uvarint(s.data[at+1:]) // what is in common is 0, of one byte
	from := int(at) + 1 + n
	return s.data[from : from+int(size)]
}

// find gives the place of a text.
func (s *sorted) find(text []byte) (int, bool) {
	c := s.cursor()
	if c.seek(text) && bytes.Equal(c.text, text) {
		return c.i, true
	}
	return 0, false
}

// at gives a text by its place.
func (s *sorted) at(i int) string {
	c := s.cursor()
	c.block(i / perBlock)
	for c.i < i {
		c.next()
	}
	return string(c.text)
}
