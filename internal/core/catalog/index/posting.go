package index

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// posting is a set of entities: one, some, or many. Most values stand in one entity alone, and cost nothing beyond it.
type posting uint32

const (
	listed  posting = 1 << 31 // what follows is a place in lists, not an entity
	nothing posting = listed - 1
	fewMost         = 256 // beyond, a bitmap is smaller
)

// list is a posting of more than one.
type list struct {
	few  []uint32 // sorted; nil when there are many
	many *roaring.Bitmap
}

type postings struct{ lists pages[list] }

// add puts an entity into a posting and gives the posting after it.
func (p *postings) add(in posting, doc uint32) posting {
	if in == nothing {
		return posting(doc)
	}
	if in&listed == 0 {
		if uint32(in) == doc {
			return in
		}
		place := p.lists.take()
		p.lists.at(place).few = []uint32{min(uint32(in), doc), max(uint32(in), doc)}
		return listed | posting(place)
	}
	l := p.lists.at(uint32(in &^ listed))
	if l.many != nil {
		l.many.Add(doc)
		return in
	}
	at, found := slices.BinarySearch(l.few, doc)
	if found {
		return in
	}
	if len(l.few) >= fewMost {
		l.many = roaring.BitmapOf(l.few...)
		l.many.Add(doc)
		l.few = nil
		return in
	}
	l.few = slices.Insert(l.few, at, doc)
	return in
}

// remove takes an entity out of a posting and gives the posting after it.
func (p *postings) remove(from posting, doc uint32) posting {
	if from&listed == 0 {
		if uint32(from) == doc {
			return nothing
		}
		return from
	}
	place := uint32(from &^ listed)
	l := p.lists.at(place)
	if l.many != nil {
		l.many.Remove(doc)
		if l.many.GetCardinality() > fewMost/2 {
			return from
		}
		l.few, l.many = l.many.ToArray(), nil
	} else if at, found := slices.BinarySearch(l.few, doc); found {
		l.few = slices.Delete(l.few, at, at+1)
	}
	if len(l.few) > 1 {
		return from
	}
	last := nothing
	if len(l.few) == 1 {
		last = posting(l.few[0])
	}
	p.lists.give(place)
	return last
}

func (p *postings) size(of posting) int {
	switch {
	case of == nothing:
		return 0
	case of&listed == 0:
		return 1
	}
	l := p.lists.at(uint32(of &^ listed))
	if l.many != nil {
		return int(l.many.GetCardinality())
	}
	return len(l.few)
}

// bitmap gives a posting as a bitmap; it is the posting's own, and not to be changed, unless owned.
func (p *postings) bitmap(of posting) set {
	switch {
	case of == nothing:
		return set{roaring.New(), true}
	case of&listed == 0:
		return set{roaring.BitmapOf(uint32(of)), true}
	}
	l := p.lists.at(uint32(of &^ listed))
	if l.many != nil {
		return set{l.many, false}
	}
	return set{roaring.BitmapOf(l.few...), true}
}

// docsOf gives a posting as a list; it is not to be changed.
func (p *postings) docsOf(of posting) []uint32 {
	switch {
	case of == nothing:
		return nil
	case of&listed == 0:
		return []uint32{uint32(of)}
	}
	l := p.lists.at(uint32(of &^ listed))
	if l.many != nil {
		return l.many.ToArray()
	}
	return l.few
}

// into adds a posting to a bitmap.
func (p *postings) into(of posting, b *roaring.Bitmap) {
	switch {
	case of == nothing:
	case of&listed == 0:
		b.Add(uint32(of))
	default:
		l := p.lists.at(uint32(of &^ listed))
		if l.many != nil {
			b.Or(l.many)
		} else {
			b.AddMany(l.few)
		}
	}
}

// common gives how many of a posting are in a set.
func (p *postings) common(of posting, in *members) int {
	switch {
	case of == nothing:
		return 0
	case in.all:
		return p.size(of)
	case of&listed == 0:
		return in.one(uint32(of))
	}
	l := p.lists.at(uint32(of &^ listed))
	if l.many != nil {
		return int(l.many.AndCardinality(in.set))
	}
	n := 0
	for _, doc := range l.few {
		n += in.one(doc)
	}
	return n
}

// set is a set of entities that is being worked out.
type set struct {
	*roaring.Bitmap
	owned bool // it may be changed
}

func (s set) size() int { return int(s.GetCardinality()) }

// members is a set that is asked for single entities, maybe many times.
type members struct {
	all      bool
	set      *roaring.Bitmap
	universe uint32
	bits     []uint64 // made when it is first asked
}

func (m *members) one(doc uint32) int {
	if m.bits == nil {
		m.bits = make([]uint64, m.universe/64+1)
		it := m.set.ManyIterator()
		buffer := make([]uint32, 1024)
		for n := it.NextMany(buffer); n > 0; n = it.NextMany(buffer) {
			for _, doc := range buffer[:n] {
				m.bits[doc/64] |= 1 << (doc % 64)
			}
		}
	}
	return int(m.bits[doc/64] >> (doc % 64) & 1)
}

func (m *members) has(doc uint32) bool { return m.all || m.one(doc) == 1 }
