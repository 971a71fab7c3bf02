package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"time"
)

// What is saved begins with this; it ends with the checksum of all before it.
const savedAs = "roadbed catalog index 2\n"

var checksums = crc32.MakeTable(crc32.Castagnoli)

// longestText is more than any value has: folding makes it no four times as long.
const longestText = 4 * maxText

// atFirst is how many things room is made for before they are seen.
const atFirst = 8 << 20

var errSaved = errors.New("it is no saved index, or is damaged")

// What a Save does before it lets go of the index, and how often it writes what was put meanwhile.
const (
	savedAtOnce = 256 // entities
	saveRounds  = 8
)

// ErrChanging is that of a Save while more is put than it can keep up with.
var ErrChanging = errors.New("too much changes for the index to be saved just now")

// Save writes the index, for Restore to read, with what the caller wants to know of it. Who puts meanwhile waits for a few
// milliseconds at most. What was put before Save begins is in what it writes; of what is put or deleted until it ends, that may
// be.
func (x *Index) Save(to io.Writer, note string) error { return x.save(to, note, savedAtOnce) }

func (x *Index) save(to io.Writer, note string, atOnce int) error {
	sum := crc32.New(checksums)
	w := &saver{to: io.MultiWriter(to, sum)}
	w.raw(savedAs)
	w.text(note)
	x.mu.RLock()
	w.number(uint64(x.terms.n))
	w.number(uint64(len(x.byRef)))
	x.mu.RUnlock()
	since := uint64(0)
	for round := 0; ; round++ {
		if round == saveRounds {
			return ErrChanging
		}
		until, changed, err := x.saveRound(w, since, atOnce)
		if err != nil {
			return err
		}
		if w.flag(changed > atOnce); changed <= atOnce {
			since = until
			break
		}
		since = until
	}
	x.saveRest(w, since)
	if err := w.flush(); err != nil {
		return err
	}
	_, err := to.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// saveRound writes the entities that have changed since a revision, up to that of now, and tells of it, and how many have
// changed since then. An entity that changes while others are written is left to the next round: its terms may be others by now.
func (x *Index) saveRound(w *saver, since uint64, atOnce int) (until uint64, changed int, err error) {
	x.mu.RLock()
	until = x.revision
	docs, part := x.docs.n, x.newPart(w)
	x.mu.RUnlock()
	for from := uint32(0); from < docs; from += uint32(atOnce) {
		x.mu.RLock()
		for id := from; id < min(from+uint32(atOnce), docs); id++ {
			if d := x.docs.at(id); d.ref != "" && d.revision > since && d.revision <= until {
				part.doc(d)
			}
		}
		x.mu.RUnlock()
		if err := w.flush(); err != nil {
			return 0, 0, err
		}
	}
	part.end()
	x.mu.RLock()
	defer x.mu.RUnlock()
	for id := range x.docs.n {
		if d := x.docs.at(id); d.ref != "" && d.revision > until {
			changed++
		}
	}
	return until, changed, nil
}

// saveRest writes the entities that have changed since a revision, which are few, and what is gone.
func (x *Index) saveRest(w *saver, since uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	part := x.newPart(w)
	for id := range x.docs.n {
		if d := x.docs.at(id); d.ref != "" && d.revision > since {
			part.doc(d)
		}
	}
	part.end()
	w.number(uint64(len(x.gone.order)))
	for _, ref := range x.gone.order {
		w.text(ref)
		w.number(uint64(x.gone.versions[ref]))
	}
}

// savedPart is entities with the keys and values that they have, each written where it is first needed.
type savedPart struct {
	x     *Index
	w     *saver
	keys  map[*key]uint64
	terms []uint32 // by the term; 0 is one that is not written yet
	last  uint32
}

func (x *Index) newPart(w *saver) *savedPart {
	return &savedPart{x: x, w: w, keys: map[*key]uint64{}, terms: make([]uint32, x.terms.n)}
}

// end stands where another entity would: nothing, of version 0.
func (p *savedPart) end() {
	p.w.text("")
	p.w.number(0)
}

func (p *savedPart) doc(d *doc) {
	p.w.text(d.ref)
	p.w.number(uint64(d.version))
	p.w.number(uint64(len(d.terms)))
	for _, t := range d.terms {
		p.w.number(uint64(p.terms[t]))
		if p.terms[t] == 0 {
			p.last++
			p.terms[t] = p.last
			p.term(t)
		}
	}
}

func (p *savedPart) term(t uint32) {
	w, k := p.w, p.x.terms.at(t).key
	w.number(p.keys[k])
	if p.keys[k] == 0 {
		p.keys[k] = uint64(len(p.keys) + 1)
		name := k.path.name
		if k.path.relation != "" {
			name = relation + k.path.relation
		}
		w.text(name)
		w.number(uint64(k.kind))
		w.flag(k.path.multi)
	}
	folded, raw := p.x.foldedOf(t), p.x.rawOf(t)
	w.text(string(folded))
	same := string(folded) == string(raw)
	if w.flag(same); !same {
		w.text(string(raw))
	}
}

// saver keeps what is written until it is flushed, since a disk may be slow and the index is held meanwhile.
type saver struct {
	to  io.Writer
	out []byte
}

func (w *saver) flush() error {
	_, err := w.to.Write(w.out)
	w.out = w.out[:0]
	return err
}

func (w *saver) raw(text string) { w.out = append(w.out, text...) }
func (w *saver) number(n uint64) { w.out = binary.AppendUvarint(w.out, n) }
func (w *saver) text(text string) {
	w.number(uint64(len(text)))
	w.raw(text)
}

func (w *saver) flag(is bool) {
	n := uint64(0)
	if is {
		n = 1
	}
	w.number(n)
}

// Saved is an index as it was saved.
type Saved struct {
	Note string
	rest []byte
}

// Open reads what was saved, which is not to be changed after that. It fails where it is damaged.
func Open(text []byte) (Saved, error) {
	if len(text) < len(savedAs)+4 || string(text[:len(savedAs)]) != savedAs {
		return Saved{}, errSaved
	}
	body, sum := text[:len(text)-4], text[len(text)-4:]
	if crc32.Checksum(body, checksums) != binary.LittleEndian.Uint32(sum) {
		return Saved{}, errSaved
	}
	r := restorer{rest: body[len(savedAs):]}
	note := r.text()
	return Saved{note, r.rest}, r.err
}

// Restore gives an index as it was saved.
func Restore(pairs Pairs, s Saved) (*Index, error) {
	x := New(pairs)
	return x, x.restore(s)
}

// Become has the index be what another is, and nothing that it was told before. The other is not to be used any more.
func (x *Index) Become(other *Index) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.content, x.changed = other.content, time.Now()
}

func (x *Index) restore(s Saved) error {
	r := restorer{rest: s.rest}
	x.byHash = make(map[uint64]uint32, min(r.number(), atFirst))
	x.byRef = make(map[string]uint32, min(r.number(), atFirst))
	for more := true; more; more = r.flag() {
		x.restorePart(&r)
	}
	x.restorePart(&r)
	for range r.count() {
		x.gone.add(r.text(), int(r.number()))
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = errSaved
	}
	return r.err
}

// restoredPart is what a savedPart wrote.
type restoredPart struct {
	x     *Index
	r     *restorer
	keys  []*key
	terms []uint32
}

func (x *Index) restorePart(r *restorer) {
	p := restoredPart{x: x, r: r}
	before := x.revision
	for {
		ref, version := r.text(), int(r.number())
		if ref == "" || r.err != nil {
			return
		}
		if id, known := x.byRef[ref]; known && x.docs.at(id).revision > before {
			r.err = errSaved // twice in one part: its first terms may be those of others there
			return
		}
		list := make([]uint32, 0, r.count())
		for range cap(list) {
			list = append(list, p.term())
		}
		if r.err != nil {
			return
		}
		slices.Sort(list)
		x.restoreDoc(ref, version, slices.Compact(list))
	}
}

func (p *restoredPart) term() uint32 {
	switch n := p.r.number(); {
	case n > uint64(len(p.terms)):
		p.r.err = errSaved
		return 0
	case n > 0:
		return p.terms[n-1]
	}
	k := p.key()
	folded := p.r.text()
	raw := folded
	if !p.r.flag() {
		raw = p.r.text()
	}
	if max(len(folded), len(raw)) > longestText {
		p.r.err = errSaved
	}
	if p.r.err != nil {
		return 0
	}
	t := p.x.intern(k, folded, raw)
	p.terms = append(p.terms, t)
	return t
}

func (p *restoredPart) key() *key {
	switch n := p.r.number(); {
	case n > uint64(len(p.keys)):
		p.r.err = errSaved
		return nil
	case n > 0:
		return p.keys[n-1]
	}
	name, kind := p.r.text(), p.r.number()
	multi := p.r.flag()
	if kind >= kindsOf || p.r.err != nil {
		p.r.err = errSaved
		return nil
	}
	k := p.x.keyOf(name, valueKind(kind))
	k.path.multi = multi || k.path.multi
	p.keys = append(p.keys, k)
	return k
}

// restoreDoc takes an entity, also in place of what an earlier part had of it.
func (x *Index) restoreDoc(ref string, version int, terms []uint32) {
	id, known := x.byRef[ref]
	if !known {
		id = x.docs.take()
		x.byRef[ref] = id
		x.live.Add(id)
	}
	x.revision++
	d := x.docs.at(id)
	d.ref, d.version, d.revision = ref, version, x.revision
	for _, t := range terms {
		switch x.terms.at(t).key.path.name {
		case keyUID:
			d.uid = t
		case KeySpace:
			d.space = t
		}
	}
	x.replace(id, terms)
}

// restorer reads what a saver wrote; after an error it gives zeros.
type restorer struct {
	rest []byte
	err  error
}

func (r *restorer) number() uint64 {
	var n uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		if n |= uint64(c&0x7f) << (7 * i); c < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.rest, r.err = nil, errSaved
	return 0
}

// count reads a number of things that follow, each of one byte at least.
func (r *restorer) count() uint64 {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.rest, r.err = nil, errSaved
		return 0
	}
	return n
}

func (r *restorer) flag() bool { return r.number() == 1 }

func (r *restorer) text() string {
	n := r.count()
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}
