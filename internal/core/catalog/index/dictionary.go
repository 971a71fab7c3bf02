package index

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
)

// path is a key of queries, with the values that stand there.
type path struct {
	name     string
	relation string        // its type, where this is a relation that entities declare
	keys     [kindsOf]*key // by kind of value; nil while there is none
	multi    bool          // an entity has, or had, more than one value here
	ranking  *ranking      // of the terms with a value; nil until somebody orders by it
}

// hidden tells that Contains without keys does not look here.
func (p *path) hidden() bool { return p.relation != "" || strings.HasPrefix(p.name, "@") }

// key is a path and a kind of value.
type key struct {
	path   *path
	kind   valueKind
	id     uint64
	docs   posting  // who has a value here
	few    []uint32 // terms in shared blocks, until there are more
	blocks []uint32 // of its own
	live   int      // terms
	seen   [2]uint64
}

// term is a value under a key. Values that differ in case alone are terms that follow each other.
type term struct {
	key   *key
	next  uint32 // another of the same hash
	block uint32
	post  posting
	slot  uint16
}

// dictionary holds every value once.
type dictionary struct {
	postings
	texts   texts
	seed    maphash.Seed
	paths   map[string]*path // relations under "\x00" and their type, which keeps its case
	byType  map[string][]*path
	terms   pages[term]
	byHash  map[uint64]uint32
	shared  []uint32 // blocks of keys with few values
	keyID   uint64
	ranking []*path // those that have one
}

func newDictionary() dictionary {
	return dictionary{seed: maphash.MakeSeed(), paths: map[string]*path{}, byType: map[string][]*path{}, byHash: map[uint64]uint32{}}
}

const (
	kindsOf   = 3
	fewTerms  = 64 // values until a key has blocks of its own
	relation  = "\x00"
	maxRanked = 32
)

// hashOf gives what values that are written alike have in common under all keys.
func (d *dictionary) hashOf(folded string) uint64 { return maphash.String(d.seed, folded) }

func (d *dictionary) hash(k *key, folded string) uint64 { return k.hash(d.hashOf(folded)) }

// hash gives the place of a value under a key.
func (k *key) hash(of uint64) uint64 {
	h := of + k.id*0x9E3779B97F4A7C15
	return h ^ h>>29
}

// keyOf gives the key of a pair, new where there is none.
func (d *dictionary) keyOf(name string, kind valueKind) *key {
	p := d.paths[name]
	if p == nil {
		p = &path{name: strings.Clone(name)}
		d.paths[p.name] = p
		if t, ok := strings.CutPrefix(p.name, relation); ok {
			p.relation, p.name = t, relations+fold(t)
			d.byType[fold(t)] = append(d.byType[fold(t)], p)
		}
	}
	k := p.keys[kind]
	if k == nil {
		d.keyID++
		k = &key{path: p, kind: kind, id: d.keyID, docs: nothing}
		p.keys[kind] = k
	}
	return k
}

// drop forgets a key without terms.
func (d *dictionary) drop(k *key) {
	for _, b := range k.blocks {
		d.texts.give(b)
	}
	p := k.path
	if p.keys[k.kind] = nil; p.keys != ([kindsOf]*key{}) {
		return
	}
	d.unrank(p)
	if p.relation == "" {
		delete(d.paths, p.name)
		return
	}
	delete(d.paths, relation+p.relation)
	folded := fold(p.relation)
	d.byType[folded] = slices.DeleteFunc(d.byType[folded], func(other *path) bool { return other == p })
	if len(d.byType[folded]) == 0 {
		delete(d.byType, folded)
	}
}

func (d *dictionary) foldedOf(t uint32) []byte {
	at := d.terms.at(t)
	return d.texts.folded(at.block, at.slot)
}

func (d *dictionary) rawOf(t uint32) []byte {
	at := d.terms.at(t)
	return d.texts.raw(at.block, at.slot)
}

// each gives the terms of a value without regard to case.
func (d *dictionary) each(k *key, folded string, fn func(t uint32)) {
	d.eachHashed(k, d.hashOf(folded), folded, fn)
}

// eachHashed is each for who asks several keys for the same value.
func (d *dictionary) eachHashed(k *key, hash uint64, folded string, fn func(t uint32)) {
	if k == nil {
		return
	}
	t, ok := d.byHash[k.hash(hash)]
	for ok && t != none {
		at := d.terms.at(t)
		if at.key == k && string(d.texts.folded(at.block, at.slot)) == folded {
			fn(t)
		}
		t = at.next
	}
}

// intern gives the term of a value, a new one where there is none.
func (d *dictionary) intern(k *key, folded, raw string) uint32 {
	h := d.hash(k, folded)
	first, ok := d.byHash[h]
	if !ok {
		first = none
	}
	for t := first; t != none; {
		at := d.terms.at(t)
		if at.key == k && string(d.texts.raw(at.block, at.slot)) == raw {
			return t
		}
		t = at.next
	}
	t := d.terms.take()
	*d.terms.at(t) = term{key: k, next: first, post: nothing}
	d.byHash[h] = t
	k.live++
	d.store(k, t, folded, raw)
	if r := k.path.ranking; r != nil && k.kind != absent {
		r.insert(t)
	}
	return t
}

// store puts the text of a term into a block.
func (d *dictionary) store(k *key, t uint32, folded, raw string) {
	blocks, owner := &k.blocks, k
	if len(k.blocks) == 0 && len(k.few) < fewTerms {
		blocks, owner = &d.shared, nil
		k.few = append(k.few, t)
	}
	last := len(*blocks) - 1
	if last < 0 || d.texts.full((*blocks)[last]) {
		b := d.texts.take()
		d.texts.blocks.at(b).owner = owner
		*blocks = append(*blocks, b)
		last++
	}
	b := (*blocks)[last]
	slot := d.texts.add(b, t, folded, raw)
	at := d.terms.at(t)
	at.block, at.slot = b, slot
}

// forget removes a term that no entity has.
func (d *dictionary) forget(t uint32) {
	gone := *d.terms.at(t)
	k := gone.key
	if r := k.path.ranking; r != nil && k.kind != absent {
		r.remove(t)
	}
	folded := string(d.texts.folded(gone.block, gone.slot))
	h := d.hash(k, folded)
	switch at := d.byHash[h]; {
	case at != t:
		for d.terms.at(at).next != t {
			at = d.terms.at(at).next
		}
		d.terms.at(at).next = gone.next
	case gone.next == none:
		delete(d.byHash, h)
	default:
		d.byHash[h] = gone.next
	}
	d.terms.give(t)
	b := d.texts.blocks.at(gone.block)
	b.ids[gone.slot] = none
	b.dead += len(folded)
	shared := b.owner == nil
	if shared {
		at := slices.Index(k.few, t)
		k.few = slices.Delete(k.few, at, at+1)
	}
	if k.live--; k.live == 0 {
		d.drop(k)
	}
	if (shared || k.live > 0) && len(b.text) >= blockSize && b.dead*2 > len(b.text) {
		d.rewrite(gone.block)
	}
}

// rewrite moves what is left in a block to others of its owner.
func (d *dictionary) rewrite(id uint32) {
	b := *d.texts.blocks.at(id)
	blocks := &d.shared
	if b.owner != nil {
		blocks = &b.owner.blocks
	}
	at := slices.Index(*blocks, id)
	*blocks = slices.Delete(*blocks, at, at+1)
	move := func(slot int, t uint32) {
		folded, raw := string(d.texts.folded(id, uint16(slot))), string(d.texts.raw(id, uint16(slot)))
		if b.owner == nil {
			k := d.terms.at(t).key
			k.few = slices.Delete(k.few, slices.Index(k.few, t), slices.Index(k.few, t)+1)
		}
		d.store(d.terms.at(t).key, t, folded, raw)
	}
	for slot, t := range b.ids {
		if t != none {
			move(slot, t)
		}
	}
	d.texts.give(id)
}

// all gives every term of a key, in the order of memory.
func (d *dictionary) all(k *key, fn func(t uint32, folded []byte)) {
	if k == nil {
		return
	}
	for _, t := range k.few {
		fn(t, d.foldedOf(t))
	}
	for _, id := range k.blocks {
		b := d.texts.blocks.at(id)
		from := uint16(0)
		for slot, t := range b.ids {
			if t != none {
				fn(t, b.text[from:b.ends[slot]])
			}
			from = b.ends[slot]
		}
	}
}

// valued gives the keys of a path under which values stand.
func (p *path) valued() []*key {
	var keys []*key
	for _, kind := range []valueKind{scalar, item} {
		if p != nil && p.keys[kind] != nil {
			keys = append(keys, p.keys[kind])
		}
	}
	return keys
}

func (d *dictionary) compareTerms(a, b uint32) int {
	if a == b {
		return 0
	}
	return cmp.Or(bytes.Compare(d.foldedOf(a), d.foldedOf(b)), cmp.Compare(a, b))
}

// rank gives the terms of a path in order.
func (d *dictionary) rank(p *path) *ranking {
	type valued struct {
		text []byte
		id   uint32
	}
	var all []valued
	for _, k := range p.valued() {
		d.all(k, func(t uint32, folded []byte) { all = append(all, valued{folded, t}) })
	}
	slices.SortFunc(all, func(a, b valued) int { return cmp.Or(bytes.Compare(a.text, b.text), cmp.Compare(a.id, b.id)) })
	ids := make([]uint32, len(all))
	for i, one := range all {
		ids[i] = one.id
	}
	return newRanking(ids, d.compareTerms)
}

// unrank forgets the order of a path.
func (d *dictionary) unrank(p *path) {
	p.ranking = nil
	d.ranking = slices.DeleteFunc(d.ranking, func(other *path) bool { return other == p })
}
