package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"
)

// What is saved begins with this; it ends with the checksum of all before it.
const savedAs = "roadbed catalog index 1\n"

var checksums = crc32.MakeTable(crc32.Castagnoli)

// longestText is more than any value has: folding makes it no four times as long.
const longestText = 4 * maxText

// atFirst is how many things room is made for before they are seen.
const atFirst = 8 << 20

var errSaved = errors.New("it is no saved index, or is damaged")

// Save writes the index, for Restore to read, with what the caller wants to know of it. Meanwhile nothing can be put.
func (x *Index) Save(to io.Writer, note string) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	sum := crc32.New(checksums)
	w := saver{out: bufio.NewWriterSize(io.MultiWriter(to, sum), 1<<20)}
	w.raw(savedAs)
	w.text(note)
	terms := x.saveTerms(&w)
	w.number(uint64(len(x.byRef)))
	for id := range x.docs.n {
		d := x.docs.at(id)
		if d.ref == "" {
			continue
		}
		w.text(d.ref)
		w.number(uint64(d.version))
		w.number(uint64(len(d.terms)))
		last := uint32(0)
		for _, t := range d.terms {
			w.number(uint64(terms[t] - last))
			last = terms[t]
		}
	}
	w.number(uint64(len(x.gone.order)))
	for _, ref := range x.gone.order {
		w.text(ref)
		w.number(uint64(x.gone.versions[ref]))
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	_, err := to.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// saveTerms writes the keys and their values, and gives the number of each as it is written: in the order of their own, so
// that what is sorted stays so.
func (x *Index) saveTerms(w *saver) (numbers []uint32) {
	keys := map[*key]uint64{}
	var list []*key
	used := uint64(0)
	for t := range x.terms.n {
		k := x.terms.at(t).key
		if k == nil {
			continue
		}
		used++
		if _, known := keys[k]; !known {
			keys[k] = uint64(len(list))
			list = append(list, k)
		}
	}
	w.number(uint64(len(list)))
	for _, k := range list {
		name := k.path.name
		if k.path.relation != "" {
			name = relation + k.path.relation
		}
		w.text(name)
		w.number(uint64(k.kind))
		w.flag(k.path.multi)
	}
	w.number(used)
	numbers = make([]uint32, x.terms.n)
	next := uint32(0)
	for t := range x.terms.n {
		k := x.terms.at(t).key
		if k == nil {
			continue
		}
		numbers[t] = next
		next++
		folded, raw := x.foldedOf(t), x.rawOf(t)
		w.number(keys[k])
		w.text(string(folded))
		same := string(folded) == string(raw)
		if w.flag(same); !same {
			w.text(string(raw))
		}
	}
	return numbers
}

type saver struct{ out *bufio.Writer }

func (w saver) raw(text string) { _, _ = w.out.WriteString(text) } // Flush tells of its error
func (w saver) number(n uint64) { _, _ = w.out.Write(binary.AppendUvarint(w.out.AvailableBuffer(), n)) }
func (w saver) text(text string) {
	w.number(uint64(len(text)))
	w.raw(text)
}

func (w saver) flag(is bool) {
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
	terms := x.restoreTerms(&r)
	docs := r.count()
	x.byRef = make(map[string]uint32, min(docs, atFirst))
	for range docs {
		ref, version := r.text(), int(r.number())
		list := make([]uint32, 0, min(r.count(), uint64(len(terms))))
		last := uint64(0)
		for range cap(list) {
			last += r.number()
			if last >= uint64(len(terms)) || r.err != nil {
				return errSaved
			}
			list = append(list, terms[last])
		}
		if _, known := x.byRef[ref]; known || ref == "" {
			return errSaved
		}
		x.restoreDoc(ref, version, list)
	}
	for range r.count() {
		x.gone.add(r.text(), int(r.number()))
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = errSaved
	}
	return r.err
}

func (x *Index) restoreTerms(r *restorer) []uint32 {
	keys := make([]*key, 0, r.count())
	for range cap(keys) {
		name, kind := r.text(), r.number()
		if kind >= kindsOf {
			r.err = errSaved
			return nil
		}
		k := x.keyOf(name, valueKind(kind))
		k.path.multi = r.flag() || k.path.multi
		keys = append(keys, k)
	}
	terms := make([]uint32, 0, r.count())
	x.byHash = make(map[uint64]uint32, min(cap(terms), atFirst))
	for range cap(terms) {
		k, folded := r.number(), r.text()
		raw := folded
		if !r.flag() {
			raw = r.text()
		}
		if k >= uint64(len(keys)) || max(len(folded), len(raw)) > longestText {
			r.err = errSaved
			return nil
		}
		terms = append(terms, x.intern(keys[k], folded, raw))
	}
	return terms
}

func (x *Index) restoreDoc(ref string, version int, terms []uint32) {
	id := x.docs.take()
	x.byRef[ref] = id
	x.live.Add(id)
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
