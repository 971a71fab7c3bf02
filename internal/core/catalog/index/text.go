package index

import (
	"bytes"
	"slices"
)

const (
	blockSize  = 8 << 10 // bytes of text after which a block takes no more
	none       = ^uint32(0)
	slicesOf   = 1 << 14 // hashes of three bytes
	columns    = 512     // blocks of one signature
	columnWord = columns / 64
)

// block is a run of values, folded and back to back, so that a look for a part of them reads memory in order.
type block struct {
	owner *key // nil where keys with few values share it
	text  []byte
	ends  []uint16 // where each value ends
	ids   []uint32 // the term of each; none where it is gone
	raw   []byte   // the values as written; nil while all are the same as folded
	rawE  []uint16
	dead  int // bytes of text
}

// texts are all blocks, and for each what it may hold: a bit for every hash of three bytes in a row. The bits of one hash for
// many blocks stand together, so that a look for a text passes over the blocks that can't have it in a few words each.
type texts struct {
	blocks     pages[block]
	signatures []*[slicesOf][columnWord]uint64 // of columns blocks each
}

func trigram(a, b, c byte) uint32 {
	h := (uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9E3779B1
	return h >> (32 - 14)
}

// take gives an empty block.
func (t *texts) take() uint32 {
	b := t.blocks.take()
	for int(b/columns) >= len(t.signatures) {
		t.signatures = append(t.signatures, new([slicesOf][columnWord]uint64))
	}
	return b
}

// give frees a block.
func (t *texts) give(b uint32) {
	t.blocks.give(b)
	signature, word, bit := t.signatures[b/columns], b%columns/64, uint64(1)<<(b%64)
	for h := range signature {
		signature[h][word] &^= bit
	}
}

func (t *texts) full(b uint32) bool { return len(t.blocks.at(b).text) >= blockSize }

// add appends a value to a block and gives its slot.
func (t *texts) add(b uint32, term uint32, folded, raw string) uint16 {
	block := t.blocks.at(b)
	if raw != folded && block.raw == nil {
		block.raw, block.rawE = slices.Clone(block.text), slices.Clone(block.ends)
		if block.raw == nil {
			block.raw = []byte{}
		}
	}
	block.text = append(block.text, folded...)
	block.ends = append(block.ends, uint16(len(block.text)))
	block.ids = append(block.ids, term)
	if block.raw != nil {
		block.raw = append(block.raw, raw...)
		block.rawE = append(block.rawE, uint16(len(block.raw)))
	}
	signature, word, bit := t.signatures[b/columns], b%columns/64, uint64(1)<<(b%64)
	for i := 2; i < len(folded); i++ {
		signature[trigram(folded[i-2], folded[i-1], folded[i])][word] |= bit
	}
	return uint16(len(block.ids) - 1)
}

// folded gives a value. It is good while the index is held.
func (t *texts) folded(b uint32, slot uint16) []byte {
	block := t.blocks.at(b)
	from := uint16(0)
	if slot > 0 {
		from = block.ends[slot-1]
	}
	return block.text[from:block.ends[slot]]
}

// raw gives a value as its author wrote it. It is good while the index is held.
func (t *texts) raw(b uint32, slot uint16) []byte {
	block := t.blocks.at(b)
	if block.raw == nil {
		return t.folded(b, slot)
	}
	from := uint16(0)
	if slot > 0 {
		from = block.rawE[slot-1]
	}
	return block.raw[from:block.rawE[slot]]
}

// needle is a text that is looked for.
type needle struct {
	text   []byte // folded
	hashes []uint32
}

func newNeedle(folded string) needle {
	n := needle{text: []byte(folded)}
	for i := 2; i < len(folded); i++ {
		n.hashes = append(n.hashes, trigram(folded[i-2], folded[i-1], folded[i]))
	}
	slices.Sort(n.hashes)
	n.hashes = slices.Compact(n.hashes)
	const most = 24 // more of them pass over hardly more
	if len(n.hashes) > most {
		for i := range most { // spread over all
			n.hashes[i] = n.hashes[i*len(n.hashes)/most]
		}
		n.hashes = n.hashes[:most]
	}
	return n
}

// may gives, for each block, whether it may hold the text: a bit in words.
func (t *texts) may(n needle) []uint64 {
	words := make([]uint64, len(t.signatures)*columnWord)
	for s, signature := range t.signatures {
		var have [columnWord]uint64
		for i := range have {
			have[i] = ^uint64(0)
		}
		for _, h := range n.hashes {
			column := &signature[h]
			for i := range have {
				have[i] &= column[i]
			}
		}
		copy(words[s*columnWord:], have[:])
	}
	return words
}

// scan gives the terms of a block whose value has the text.
func (t *texts) scan(b uint32, n needle, found func(term uint32)) {
	block := t.blocks.at(b)
	at, slot := 0, 0
	for {
		i := bytes.Index(block.text[at:], n.text)
		if i < 0 {
			return
		}
		at += i
		if at >= int(block.ends[slot]) {
			slot = after(block.ends, slot, at)
		}
		end := int(block.ends[slot])
		if at+len(n.text) > end { // it spans two values
			at++
			continue
		}
		if id := block.ids[slot]; id != none {
			found(id)
		}
		if at = end; at >= len(block.text) {
			return
		}
	}
}

// after gives the slot that holds a byte; it is past the given one.
func after(ends []uint16, slot, at int) int {
	for n := 0; n < 8; n++ {
		if slot++; at < int(ends[slot]) {
			return slot
		}
	}
	more, _ := slices.BinarySearchFunc(ends[slot:], at, func(end uint16, at int) int { return before(int(end) > at) })
	return slot + more
}
