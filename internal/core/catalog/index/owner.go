package index

import "github.com/RoaringBitmap/roaring/v2"

const groups = "group:"

// owned gives what has an owner that is wanted.
func (v *view) owned(wanted func(owner string) bool) set {
	found := roaring.New()
	for _, k := range v.source(KeyOwner).keys {
		v.dictionary.all(k, func(t uint32, _ []byte) {
			if wanted(string(v.rawOf(t))) {
				v.into(v.terms.at(t).post, found)
			}
		})
	}
	return set{found, true}
}

// staffed gives the groups that somebody is in, and all groups above these: as many names as there are groups at most.
func (v *view) staffed() map[string]bool {
	above := map[string]bool{}
	var next []string
	add := func(group string) {
		if !above[group] {
			above[group] = true
			next = append(next, group)
		}
	}
	with := v.eval(All{Has{Key: "kind", Values: []string{"group"}}, Exists{Key: relations + "hasmember"}})
	for each := with.Iterator(); each.HasNext(); {
		add(v.docs.at(each.Next()).ref)
	}
	for len(next) > 0 {
		group := next[len(next)-1]
		next = next[:len(next)-1]
		v.related(group, "childOf", add)
	}
	return above
}

// related gives what an entity relates to, whichever of both declares it.
func (v *view) related(ref, relation string, fn func(ref string)) {
	if id, ok := v.find(ref); ok {
		for _, t := range v.docs.at(id).terms {
			if v.terms.at(t).key.path.relation == relation {
				fn(string(v.rawOf(t)))
			}
		}
	}
	if back := v.pairs.Inverse(relation); back != "" {
		v.pointing(ref, nil, func(p *path, from uint32) {
			if p.relation == back {
				fn(v.docs.at(from).ref)
			}
		})
	}
}
