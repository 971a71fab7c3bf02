package index

import (
	"bytes"
	"math/bits"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

// source is where the values of a key come from.
type source struct {
	keys    []*key   // of the documents; more than one where some have it in a list
	absent  *key     // there without a value
	flags   []uint32 // terms of a text in a list: who has one, has the value true
	edges   []*path  // relations that are declared
	inverse []*path  // relations of others, seen from their target
}

// source finds a key of a query.
func (v *view) source(name string) source {
	var s source
	if units(name) > maxKey {
		return s
	}
	name = fold(name)
	if strings.HasPrefix(name, relation) {
		return s
	}
	if t, ok := strings.CutPrefix(name, relations); ok {
		s.edges = v.byType[t]
		for _, paths := range v.byType {
			for _, p := range paths {
				if back := v.pairs.Inverse(p.relation); back != "" && fold(back) == t {
					s.inverse = append(s.inverse, p)
				}
			}
		}
		return s
	}
	if p := v.paths[name]; p != nil {
		s.keys, s.absent = p.valued(), p.keys[absent]
	}
	for i := 1; i < len(name); i++ {
		if name[i] == '.' {
			v.each(v.keyAt(name[:i], item), name[i+1:], func(t uint32) { s.flags = append(s.flags, t) })
		}
	}
	return s
}

// plain tells that the values are those of keys alone.
func (s source) plain() bool { return len(s.flags)+len(s.edges)+len(s.inverse) == 0 }

// path is that of a plain source; nil when there is nothing.
func (s source) path() *path {
	if len(s.keys) == 0 {
		return nil
	}
	return s.keys[0].path
}

const yes = "true" // the value of a flag

// values gives what an entity has there, folded, the same maybe more than once. They are good while the index is held.
func (v *view) values(id uint32, s source, fn func(folded []byte)) {
	d := v.docs.at(id)
	for _, t := range d.terms {
		switch k := v.terms.at(t).key; {
		case slices.Contains(s.keys, k), k.path.relation != "" && slices.Contains(s.edges, k.path):
			fn(v.foldedOf(t))
		case k.kind == item && slices.Contains(s.flags, t):
			fn([]byte(yes))
		}
	}
	for _, p := range s.inverse {
		v.each(p.keys[scalar], d.ref, func(t uint32) {
			for _, from := range v.docsOf(v.terms.at(t).post) {
				if v.sees(from) {
					fn([]byte(v.docs.at(from).ref))
				}
			}
		})
	}
}

// eval gives what meets a filter, among what is seen or beyond.
func (v *view) eval(f Filter) set {
	switch f := f.(type) {
	case nil:
		return set{v.live, false}
	case All:
		return v.evalAll(f)
	case Any:
		union := set{roaring.New(), true}
		for _, part := range f {
			union.Or(v.eval(part).Bitmap)
		}
		return union
	case Not:
		return set{roaring.AndNot(v.live, v.eval(f.Filter).Bitmap), true}
	case Has:
		return v.has(f)
	case Exists:
		return v.exists(v.source(f.Key))
	case HasPrefix:
		if f.Prefix == "" { // any text at all
			s := v.source(f.Key)
			s.absent = nil
			return v.exists(s)
		}
		return v.matching(v.source(f.Key), prefixed(fold(f.Prefix)))
	case InFolder:
		return v.matching(v.source(f.Key), within(f.Folders))
	case Contains:
		return v.contains(f)
	case Refs:
		found := roaring.New()
		for _, ref := range f {
			if id, ok := v.byRef[ref]; ok {
				found.Add(id)
			}
		}
		return set{found, true}
	case UnknownOwner:
		return v.owned(func(owner string) bool {
			_, there := v.find(owner)
			return !there
		})
	case EmptyOwner:
		staffed := v.staffed()
		return v.owned(func(owner string) bool {
			_, there := v.find(owner)
			return there && strings.HasPrefix(owner, groups) && !staffed[owner]
		})
	}
	return set{roaring.New(), true}
}

// Matching gives what tells of a reference whether its entity matches a filter and is in a visible space. The filter is evaluated
// once; what has changed since then matches no more.
func (x *Index) Matching(f Filter, visible access.Set) func(ref string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	found, at := x.view(visible).evalAll(All{f}).Clone(), x.revision
	return func(ref string) bool {
		x.mu.RLock()
		defer x.mu.RUnlock()
		id, ok := x.byRef[ref]
		return ok && x.docs.at(id).revision <= at && found.Contains(id)
	}
}

// checkedMost is how many entities are looked at one by one for a text rather than all texts.
const checkedMost = 2000

// evalAll begins with what is cheap and leaves least; of texts that are looked for the rare ones come first, and the others
// are looked for in what is left.
func (v *view) evalAll(f All) set {
	var sets []set
	var texts []Contains
	var folders []InFolder
	for _, part := range f {
		switch part := part.(type) {
		case Contains:
			texts = append(texts, part)
		case InFolder:
			folders = append(folders, part)
		case Not: // below
		default:
			sets = append(sets, v.eval(part))
		}
	}
	slices.SortFunc(sets, func(a, b set) int { return a.size() - b.size() })
	left := set{v.everything(), false}
	for i, s := range sets {
		switch {
		case i == 0 && v.visible.All:
			left = s
		case left.owned:
			left.And(s.Bitmap)
		default:
			left = set{roaring.And(left.Bitmap, s.Bitmap), true}
		}
	}
	for _, in := range folders {
		if left.size() <= checkedMost {
			left = set{v.passing(left.Bitmap, v.source(in.Key), within(in.Folders)), true}
		} else {
			left = set{roaring.And(left.Bitmap, v.eval(in).Bitmap), true}
		}
	}
	if len(texts) > 1 {
		rarity := make(map[string]int, len(texts))
		for _, c := range texts {
			for _, word := range v.texts.may(newNeedle(fold(c.Term))) {
				rarity[c.Term] += bits.OnesCount64(word)
			}
		}
		slices.SortStableFunc(texts, func(a, b Contains) int { return rarity[a.Term] - rarity[b.Term] })
	}
	for _, c := range texts {
		if left.size() <= checkedMost {
			left = set{v.check(left.Bitmap, c), true}
		} else {
			left = set{roaring.And(left.Bitmap, v.contains(c).Bitmap), true}
		}
	}
	for _, part := range f {
		if not, ok := part.(Not); ok {
			left = set{roaring.AndNot(left.Bitmap, v.eval(not.Filter).Bitmap), true}
		}
	}
	return left
}

func (v *view) has(f Has) set {
	s := v.source(f.Key)
	var only []posting
	more := roaring.New()
	for _, wanted := range f.Values {
		value := fold(wanted)
		take := func(t uint32) {
			if f.Key[:min(1, len(f.Key))] != "@" || string(v.rawOf(t)) == wanted {
				only = append(only, v.terms.at(t).post)
			}
		}
		for _, k := range s.keys {
			v.each(k, value, take)
		}
		for _, p := range s.edges {
			v.each(p.keys[scalar], value, take)
		}
		if value == yes {
			for _, t := range s.flags {
				take(t)
			}
		}
		if id, ok := v.byRef[value]; ok && v.sees(id) {
			v.targets(id, s.inverse, more)
		}
	}
	if len(only) == 1 && more.IsEmpty() {
		return v.bitmap(only[0])
	}
	for _, p := range only {
		v.into(p, more)
	}
	return set{more, true}
}

// targets adds those whom an entity relates to.
func (v *view) targets(id uint32, paths []*path, into *roaring.Bitmap) {
	if len(paths) == 0 {
		return
	}
	for _, t := range v.docs.at(id).terms {
		if k := v.terms.at(t).key; slices.Contains(paths, k.path) {
			if target, ok := v.byRef[string(v.rawOf(t))]; ok {
				into.Add(target)
			}
		}
	}
}

func (v *view) exists(s source) set {
	var all []posting
	for _, k := range s.keys {
		all = append(all, k.docs)
	}
	if s.absent != nil {
		all = append(all, s.absent.docs)
	}
	for _, p := range s.edges {
		all = append(all, p.keys[scalar].docs)
	}
	for _, t := range s.flags {
		all = append(all, v.terms.at(t).post)
	}
	if len(all) == 1 && len(s.inverse) == 0 {
		return v.bitmap(all[0])
	}
	found := roaring.New()
	for _, p := range all {
		v.into(p, found)
	}
	for _, p := range s.inverse {
		v.dictionary.all(p.keys[scalar], func(t uint32, _ []byte) {
			if id, ok := v.byRef[string(v.rawOf(t))]; ok && slices.ContainsFunc(v.docsOf(v.terms.at(t).post), v.sees) {
				found.Add(id)
			}
		})
	}
	return set{found, true}
}

// test is a condition on a folded value.
type test func(folded []byte) bool

func prefixed(prefix string) test {
	return func(folded []byte) bool { return bytes.HasPrefix(folded, []byte(prefix)) }
}

func containing(part string) test {
	return func(folded []byte) bool { return bytes.Contains(folded, []byte(part)) }
}

// within tells which paths are right in one of some folders.
func within(folders []string) test {
	wanted := make(map[string]bool, len(folders))
	for _, folder := range folders {
		wanted[fold(folder)] = true
	}
	return func(folded []byte) bool { return wanted[string(folded[:bytes.LastIndexByte(folded, '/')+1])] }
}

// passing gives those of a few entities that have a value which passes a test.
func (v *view) passing(among *roaring.Bitmap, s source, ok test) *roaring.Bitmap {
	found := roaring.New()
	for it := among.Iterator(); it.HasNext(); {
		id, has := it.Next(), false
		v.values(id, s, func(folded []byte) { has = has || ok(folded) })
		if has {
			found.Add(id)
		}
	}
	return found
}

// matching gives who has a value that passes a test; it looks at every value there is.
func (v *view) matching(s source, ok test) set {
	found := roaring.New()
	for _, k := range s.keys {
		v.dictionary.all(k, func(t uint32, folded []byte) {
			if ok(folded) {
				v.into(v.terms.at(t).post, found)
			}
		})
	}
	v.matchingRest(s, ok, found)
	return set{found, true}
}

func (v *view) matchingRest(s source, ok test, found *roaring.Bitmap) {
	for _, p := range s.edges {
		v.dictionary.all(p.keys[scalar], func(t uint32, folded []byte) {
			if ok(folded) {
				v.into(v.terms.at(t).post, found)
			}
		})
	}
	if len(s.flags) > 0 && ok([]byte(yes)) {
		for _, t := range s.flags {
			v.into(v.terms.at(t).post, found)
		}
	}
	for _, p := range s.inverse {
		for _, from := range v.docsOf(p.keys[scalar].docs) {
			if v.sees(from) && ok([]byte(v.docs.at(from).ref)) {
				v.targets(from, []*path{p}, found)
			}
		}
	}
}

// contains looks through the texts of the keys, or of all.
func (v *view) contains(f Contains) set {
	term := fold(f.Term)
	if term == "" {
		return v.anyValue(f.Keys)
	}
	n := newNeedle(term)
	may := v.texts.may(n)
	found := &gathered{bits: make([]uint64, v.docs.n/64+1)}
	scan := func(blocks []uint32, fn func(t uint32)) {
		for _, b := range blocks {
			if may[b/64]>>(b%64)&1 == 1 {
				v.texts.scan(b, n, fn)
			}
		}
	}
	take := func(t uint32) { found.take(&v.postings, v.terms.at(t).post) }
	if len(f.Keys) == 0 {
		scan(v.shared, func(t uint32) {
			if !v.terms.at(t).key.path.hidden() {
				take(t)
			}
		})
		for _, p := range v.paths {
			if !p.hidden() {
				for _, k := range p.valued() {
					scan(k.blocks, take)
				}
			}
		}
		return found.set()
	}
	rest := roaring.New()
	for _, name := range f.Keys {
		s := v.source(name)
		for _, k := range s.keys {
			for _, t := range k.few {
				if bytes.Contains(v.foldedOf(t), n.text) {
					take(t)
				}
			}
			scan(k.blocks, take)
		}
		v.matchingRest(s, containing(term), rest)
	}
	all := found.set()
	all.Or(rest)
	return all
}

// anyValue gives who has a value at all, which contains the empty text.
func (v *view) anyValue(names []string) set {
	found := roaring.New()
	for _, name := range names {
		s := v.source(name)
		s.absent = nil
		found.Or(v.exists(s).Bitmap)
	}
	if len(names) == 0 {
		found.Or(v.live) // every document has a kind
	}
	return set{found, true}
}

// check gives those of a few entities that have a text.
func (v *view) check(among *roaring.Bitmap, f Contains) *roaring.Bitmap {
	sources := make([]source, len(f.Keys))
	for i, name := range f.Keys {
		sources[i] = v.source(name)
	}
	term := []byte(fold(f.Term))
	found := roaring.New()
	for it := among.Iterator(); it.HasNext(); {
		id, has := it.Next(), false
		for _, s := range sources {
			v.values(id, s, func(folded []byte) { has = has || bytes.Contains(folded, term) })
		}
		if len(sources) == 0 {
			for _, t := range v.docs.at(id).terms {
				k := v.terms.at(t).key
				has = has || k.kind != absent && !k.path.hidden() && bytes.Contains(v.foldedOf(t), term)
			}
		}
		if has {
			found.Add(id)
		}
	}
	return found
}

// gathered is a set that is gathered from many small postings.
type gathered struct{ bits []uint64 }

func (g *gathered) take(p *postings, of posting) {
	if of&listed == 0 {
		g.bits[of/64] |= 1 << (of % 64)
		return
	}
	for _, id := range p.docsOf(of) {
		g.bits[id/64] |= 1 << (id % 64)
	}
}

func (g *gathered) set() set { return set{roaring.FromDense(g.bits, true), true} }
