package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
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

// Save writes the index, for Restore to read, and what the caller notes once all else is written. Who puts meanwhile waits for a
// part of it at most; with a million entities that is some ten milliseconds, at the end. What was put before Save begins is in
// what it writes; of what is put or deleted until it ends, that may be.
func (x *Index) Save(to io.Writer, note func() (string, error)) error {
	return x.save(to, note, savedAtOnce)
}

func (x *Index) save(to io.Writer, note func() (string, error), atOnce int) error {
	sum := crc32.New(checksums)
	w := &saver{to: io.MultiWriter(to, sum)}
	w.raw(savedAs)
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
	x.saveGone(w)
	text, err := note()
	if err != nil {
		return err
	}
	w.raw(text)
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(len(text)))
	if err := w.flush(); err != nil {
		return err
	}
	_, err = to.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// saveRound writes the entities that have changed since a revision, up to that of now, and tells of it, and how many have
// changed since then. An entity that changes while others are written is left to the next round: its terms may be others by now.
func (x *Index) saveRound(w *saver, since uint64, atOnce int) (until uint64, changed int, err error) {
	x.mu.RLock()
	until = x.revision
	docs, terms := x.docs.n, x.terms.n
	x.mu.RUnlock()
	part := &savedPart{x: x, w: w, keys: map[*key]uint64{}, terms: numbers{list: make([]uint32, terms)}}
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
	w.end()
	for from, docs := uint32(0), uint32(1); from < docs; from += pageSize {
		x.mu.RLock()
		docs = x.docs.n
		for id := from; id < min(from+pageSize, docs); id++ {
			if d := x.docs.at(id); d.ref != "" && d.revision > until {
				changed++
			}
		}
		x.mu.RUnlock()
	}
	return until, changed, nil
}

// saveRest writes the entities that have changed since a revision, which are few, as they are at one moment.
func (x *Index) saveRest(w *saver, since uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	part := &savedPart{x: x, w: w, keys: map[*key]uint64{}, terms: numbers{few: map[uint32]uint32{}}}
	for id := range x.docs.n {
		if d := x.docs.at(id); d.ref != "" && d.revision > since {
			part.doc(d)
		}
	}
	w.end()
}

// saveGone writes what was deleted.
func (x *Index) saveGone(w *saver) {
	x.mu.RLock()
	order := slices.Clone(x.gone.order)
	x.mu.RUnlock()
	for refs := range slices.Chunk(order, pageSize) {
		x.mu.RLock()
		for _, ref := range refs {
			if version, known := x.gone.versions[ref]; known {
				w.text(ref)
				w.number(uint64(version))
			}
		}
		x.mu.RUnlock()
	}
	w.end()
}

// savedPart is entities with the keys and values that they have, each written where it is first needed.
type savedPart struct {
	x     *Index
	w     *saver
	keys  map[*key]uint64
	terms numbers
	last  uint32
}

// numbers are those of terms in a part, from 1: a list where it has most of them.
type numbers struct {
	list []uint32
	few  map[uint32]uint32
}

func (n numbers) of(t uint32) uint32 {
	if n.list != nil {
		return n.list[t]
	}
	return n.few[t]
}

func (n numbers) set(t, number uint32) {
	if n.list != nil {
		n.list[t] = number
		return
	}
	n.few[t] = number
}

func (p *savedPart) doc(d *doc) {
	p.w.text(d.ref)
	p.w.number(uint64(d.version))
	p.w.number(uint64(len(d.terms)))
	for _, t := range d.terms {
		number := p.terms.of(t)
		if p.w.number(uint64(number)); number == 0 {
			p.last++
			p.terms.set(t, p.last)
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

// end stands where another reference with its version would.
func (w *saver) end() {
	w.text("")
	w.number(0)
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
	rest string
}

// Open reads what was saved. It fails where it is damaged.
func Open(text string) (Saved, error) {
	body, begins := strings.CutPrefix(text, savedAs)
	if !begins || len(body) < 8 {
		return Saved{}, errSaved
	}
	ends := len(body) - 4
	sum := crc32.New(checksums)
	_, _ = io.Copy(sum, struct{ io.Reader }{strings.NewReader(text[:len(text)-4])}) // in pieces, and neither fails
	if sum.Sum32() != binary.LittleEndian.Uint32([]byte(body[ends:])) {
		return Saved{}, errSaved
	}
	size := binary.LittleEndian.Uint32([]byte(body[ends-4 : ends]))
	at := ends - 4 - int(size)
	if at < 0 {
		return Saved{}, errSaved
	}
	return Saved{body[at : ends-4], body[:at]}, nil
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
	x.byHash = make(map[uint64]uint32, min(r.number(), uint64(len(s.rest)), atFirst))
	x.byRef = make(map[string]uint32, min(r.number(), uint64(len(s.rest)), atFirst))
	for more := true; more; more = r.flag() {
		x.restorePart(&r)
	}
	x.restorePart(&r)
	for {
		ref, version := r.text(), int(r.number())
		if ref == "" || r.err != nil {
			break
		}
		x.gone.add(strings.Clone(ref), version)
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
	p, there := restoredPart{x: x, r: r}, roaring.New()
	for {
		ref, version := r.text(), int(r.number())
		if ref == "" || r.err != nil {
			return
		}
		if id, known := x.byRef[ref]; known && there.Contains(id) {
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
		there.Add(x.restoreDoc(ref, version, slices.Compact(list)))
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
	if max(len(folded), len(raw)) > longestText || len(raw) > 4*len(folded) { // folding makes it no four times as short either
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
func (x *Index) restoreDoc(ref string, version int, terms []uint32) (id uint32) {
	id, known := x.byRef[ref]
	if !known {
		ref = strings.Clone(ref)
		id = x.docs.take()
		x.docs.at(id).ref = ref
		x.byRef[ref] = id
		x.live.Add(id)
	}
	x.revision++
	d := x.docs.at(id)
	d.version, d.revision = version, x.revision
	for _, t := range terms {
		switch x.terms.at(t).key.path.name {
		case keyUID:
			d.uid = t
		case KeySpace:
			d.space = t
		}
	}
	x.replace(id, terms)
	return id
}

// restorer reads what a saver wrote; after an error it gives zeros. Its texts are parts of the whole, which is not to be kept
// for one of them.
type restorer struct {
	rest string
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
	r.rest, r.err = "", errSaved
	return 0
}

// count reads a number of things that follow, each of one byte at least.
func (r *restorer) count() uint64 {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.rest, r.err = "", errSaved
		return 0
	}
	return n
}

func (r *restorer) flag() bool { return r.number() == 1 }

func (r *restorer) text() string {
	n := r.count()
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}
