package index

import "time"

// Touch gives entities another revision: something about them changed that is not in the index.
func (x *Index) Touch(refs ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changed = time.Now()
	x.revision++
	for _, ref := range refs {
		if id, ok := x.byRef[ref]; ok {
			x.docs.at(id).revision = x.revision
		}
	}
}

// TouchWhere touches all that have a value under a key.
func (x *Index) TouchWhere(key, value string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changed = time.Now()
	x.revision++
	p := x.paths[fold(key)]
	if p == nil || p.keys[scalar] == nil {
		return
	}
	x.each(p.keys[scalar], fold(value), func(t uint32) {
		for _, id := range x.docsOf(x.terms.at(t).post) {
			x.docs.at(id).revision = x.revision
		}
	})
}
