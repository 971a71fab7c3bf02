package index

import (
	"bytes"
	"unicode/utf8"
)

// joinedFrom is from how many bytes on a word is also looked for among names without their signs.
const joinedFrom = 3

// matches gives the terms of a segment that a word matches, and how. A term is given once, as it matches best.
func (s *segment) matches(w Word, typos bool, fn func(term int, q quality)) {
	s.beginningWith(w, "", fn)
	if len(w.Text) >= joinedFrom {
		s.beginningWith(w, whole, fn)
	}
	if typos && !w.Exact && edits(w.Text) > 0 {
		s.near(w, fn)
	}
}

func (s *segment) beginningWith(w Word, before string, fn func(term int, q quality)) {
	sought := []byte(before + w.Text)
	c := s.terms.cursor()
	for ok := c.seek(sought); ok && bytes.HasPrefix(c.text, sought); ok = c.next() {
		switch {
		case len(c.text) == len(sought):
			fn(c.i, exact)
		case w.Exact:
			return
		default:
			fn(c.i, beginning)
		}
	}
}

// near gives the terms that a word matches with typos, and not without.
func (s *segment) near(w Word, fn func(term int, q quality)) {
	d := newDistance(w.Text)
	var path []byte // of the letters that were pushed
	var ends []int  // of each letter in path
	var dead []byte // what begins with it does not match, or only as
	as := noMatch   // this
	c := s.terms.cursor()
	for ok := c.next(); ok; {
		text := c.text
		shift := 0
		if text[0] == whole[0] {
			shift = 1
		}
		if len(dead) > 0 && bytes.HasPrefix(text, dead) {
			if as == noMatch {
				ok = c.beyond(dead)
				continue
			}
			if !bytes.HasPrefix(text[shift:], []byte(w.Text)) {
				fn(c.i, as)
			}
			ok = c.next()
			continue
		}
		dead = dead[:0]
		same := commonPrefix(path, text)
		keep := len(ends)
		for keep > 0 && ends[keep-1] > same {
			keep--
		}
		ends, d.runes = ends[:keep], d.runes[:keep]
		at := shift
		if keep > 0 {
			at = ends[keep-1]
		}
		path = append(path[:0], text[:at]...)
		alive := true
		for at < len(text) {
			r, size := utf8.DecodeRune(text[at:])
			if alive = d.push(r); !alive {
				dead = append(dead[:0], text[:at+size]...)
				break
			}
			at += size
			ends = append(ends, at)
			path = append(path, text[at-size:at]...)
		}
		as = d.quality(alive)
		if as != noMatch && !bytes.HasPrefix(text[shift:], []byte(w.Text)) {
			fn(c.i, as)
		}
		ok = c.next()
	}
}

// beyond goes to the first text after those that begin with a prefix.
func (c *cursor) beyond(prefix []byte) bool {
	// The next few are usually all; where a whole block is passed over, the place is looked up.
	for c.next() {
		if !bytes.HasPrefix(c.text, prefix) {
			return true
		}
		if c.i%perBlock == 0 && c.i/perBlock+1 < len(c.of.blocks) && bytes.HasPrefix(c.of.first(c.i/perBlock+1), prefix) {
			after := bytes.Clone(prefix)
			for len(after) > 0 && after[len(after)-1] == 0xff {
				after = after[:len(after)-1]
			}
			if len(after) == 0 {
				return false
			}
			after[len(after)-1]++
			return c.seek(after)
		}
	}
	return false
}
