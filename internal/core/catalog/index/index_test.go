package index

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

// pairsOf are relations of tests.
type pairsOf map[string]string

func (p pairsOf) Inverse(t string) string {
	for forward, back := range p {
		switch t {
		case forward:
			return back
		case back:
			return forward
		}
	}
	return ""
}

func (p pairsOf) Forward(t string) bool { return p[t] != "" }

var testPairs = pairsOf{"ownedBy": "ownerOf", "partOf": "hasPart", "dependsOn": "dependencyOf"}

// Few words, so that values meet.
var (
	someRefs   = []string{"component:default/a", "component:default/b", "component:default/c", "component:default/d", "group:default/g", "group:other/g", "system:default/s"}
	someTexts  = []string{"", "a", "b", "A", "aa", "Ab", "true", "x.y", "Ärger", "payments", "Payments team", strings.Repeat("long ", 50), "component:default/a"}
	someKeys   = []string{"spec.type", "spec.Type", "metadata.tags", "metadata.tags.a", "metadata.tags.x.y", "metadata.name", "metadata.title", "metadata.description", "spec.nested.a", "spec.nested", "spec.list", "spec.list.k", "kind", "relations.ownedBy", "relations.ownerOf", "relations.hasPart", "relations.dependencyof", "relations.custom", "metadata.uid", KeySpace, KeyText, "nothing"}
	someSpaces = []string{"default", "lab", "ops"}
	someTypes  = []string{"ownedBy", "ownerOf", "partOf", "dependsOn", "dependencyOf", "custom"}
)

func anyValue(t *rapid.T, depth int) any {
	switch n := rapid.IntRange(0, 9).Draw(t, "value"); {
	case n == 0:
		return nil
	case n == 1:
		return rapid.Bool().Draw(t, "bool")
	case n == 2:
		return rapid.SampledFrom([]float64{0, 1, -1.5, 1e21, 12345678901234567}).Draw(t, "number")
	case n == 3 && depth > 0:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, anyValue(t, depth-1))
		}
		return list
	case n == 4 && depth > 0:
		m := map[string]any{}
		for range rapid.IntRange(0, 2).Draw(t, "fields") {
			m[rapid.SampledFrom([]string{"a", "k", "A", "x.y", ""}).Draw(t, "field")] = anyValue(t, depth-1)
		}
		return m
	}
	return rapid.SampledFrom(someTexts).Draw(t, "text")
}

func anyEntity(t *rapid.T, version int) Entity {
	e := Entity{Ref: rapid.SampledFrom(someRefs).Draw(t, "ref"), Version: version, UID: fmt.Sprint("uid-", version%7), Source: "apply",
		Space: rapid.SampledFrom(someSpaces).Draw(t, "space"), Owner: rapid.SampledFrom([]string{"", "group:default/g"}).Draw(t, "owner")}
	kind, name, _ := strings.Cut(e.Ref, ":")
	_, name, _ = strings.Cut(name, "/")
	metadata := map[string]any{"name": name, "tags": []any{}, "description": rapid.SampledFrom(someTexts).Draw(t, "description")}
	for _, field := range []string{"title", "tags", "uid", "namespace"} {
		if rapid.Bool().Draw(t, field) {
			metadata[field] = anyValue(t, 2)
		}
	}
	spec := map[string]any{}
	for _, field := range []string{"type", "nested", "list"} {
		if rapid.Bool().Draw(t, field) {
			spec[field] = anyValue(t, 3)
		}
	}
	text, err := json.Marshal(map[string]any{"kind": strings.ToUpper(kind[:1]) + kind[1:], "metadata": metadata, "spec": spec, "status": "x", "relations": []any{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	e.Document = text
	for range rapid.IntRange(0, 3).Draw(t, "relations") {
		r := Relation{rapid.SampledFrom(someTypes).Draw(t, "relation"), rapid.SampledFrom(someRefs).Draw(t, "target")}
		if !slices.Contains(e.Relations, r) {
			e.Relations = append(e.Relations, r)
		}
	}
	return e
}

func anyFilter(t *rapid.T, depth int) Filter {
	key := func() string { return rapid.SampledFrom(someKeys).Draw(t, "key") }
	text := func() string { return rapid.SampledFrom(append(someTexts, someRefs...)).Draw(t, "text") }
	n := rapid.IntRange(0, 9).Draw(t, "filter")
	if depth == 0 && n > 4 {
		n -= 5
	}
	var parts []Filter
	if n > 4 {
		for range rapid.IntRange(0, 3).Draw(t, "parts") {
			parts = append(parts, anyFilter(t, depth-1))
		}
	}
	switch n {
	case 0:
		return Exists{key()}
	case 1:
		return HasPrefix{key(), rapid.SampledFrom([]string{"", "a", "P", "component:", "tr"}).Draw(t, "prefix")}
	case 2:
		f := Contains{Term: rapid.SampledFrom([]string{"", "a", "PAY", "ayment", "ts t", "rue", "component:default"}).Draw(t, "term")}
		for range rapid.IntRange(0, 2).Draw(t, "fields") {
			f.Keys = append(f.Keys, key())
		}
		return f
	case 3:
		return Refs{rapid.SampledFrom(someRefs).Draw(t, "ref")}
	case 5, 6:
		return All(parts)
	case 7:
		return Any(parts)
	case 8:
		return Not{anyFilter(t, depth-1)}
	case 9:
		return All{anyFilter(t, depth-1), InFolder{key(), rapid.SampledFrom([][]string{{""}, {"a/"}, {"Component:default/", "a/b/"}}).Draw(t, "folders")}}
	}
	values := []string{text()}
	if rapid.Bool().Draw(t, "another") {
		values = append(values, text())
	}
	return Has{key(), values}
}

func anyVisible(t *rapid.T) access.Set {
	if rapid.Bool().Draw(t, "all") {
		return access.Set{All: true}
	}
	names := map[string]bool{}
	for _, space := range someSpaces {
		if rapid.Bool().Draw(t, space) {
			names[space] = true
		}
	}
	return access.Set{Names: names}
}

// keep has the index sort, keep and pass over things as it does with many entities.
func (x *Index) keep() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.refs == nil {
		x.refs = x.rankRefs()
	}
	for _, p := range x.paths {
		if p.ranking == nil && p.relation == "" {
			p.ranking = x.rank(p)
			x.ranking = append(x.ranking, p)
		}
	}
}

func TestTheIndexAnswersAsALookAtEveryEntity(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, m := New(testPairs), newModel(testPairs)
		walks := rapid.Bool().Draw(t, "walks")
		if walks {
			x.sorting = 1 << 20
		}
		version := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch version++; rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				ref := rapid.SampledFrom(someRefs).Draw(t, "deleted")
				at := version - rapid.IntRange(0, 1).Draw(t, "late")
				x.Delete(ref, at)
				m.remove(ref, at)
			default:
				e := anyEntity(t, version-rapid.IntRange(0, 1).Draw(t, "late"))
				p, err := Prepare(e)
				if err != nil {
					t.Fatal(err)
				}
				x.Put(p)
				m.put(e)
			}
			if rapid.IntRange(0, 4).Draw(t, "keep") == 0 {
				x.keep()
			}
			if rapid.IntRange(0, 9).Draw(t, "restored") == 0 {
				x = restored(t, x)
			}
		}
		if walks {
			x.keep()
		}
		if err := x.sound(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			holdFind(t, x, m)
		}
		q := FacetQuery{Keys: []string{rapid.SampledFrom(someKeys).Draw(t, "facet")}, Filter: anyFilter(t, 2), Visible: anyVisible(t), Limit: rapid.IntRange(0, 2).Draw(t, "limit")}
		if got, want := x.Facets(q), m.facets(q); !reflect.DeepEqual(got, want) {
			t.Fatalf("facets of %+v:\n%v\nwant\n%v", q, got, want)
		}
		holdRelations(t, x, m)
	})
}

func holdFind(t *rapid.T, x *Index, m *model) {
	q := Query{Filter: anyFilter(t, 3), Limit: rapid.IntRange(1, 3).Draw(t, "limit"), Offset: rapid.IntRange(0, 2).Draw(t, "offset"), Visible: anyVisible(t)}
	for range rapid.IntRange(0, 3).Draw(t, "order") {
		q.Order = append(q.Order, Order{rapid.SampledFrom(someKeys).Draw(t, "field"), rapid.Bool().Draw(t, "desc")})
	}
	if err := q.Check(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		got := x.Find(q)
		refs, total, next, prev := m.find(q)
		var gotRefs []string
		for _, hit := range got.Hits {
			gotRefs = append(gotRefs, hit.Ref)
			if hit.UID != m.entities[hit.Ref].UID || hit.Version != m.entities[hit.Ref].Version {
				t.Fatalf("%+v is %+v", hit, m.entities[hit.Ref])
			}
		}
		if !slices.Equal(gotRefs, refs) || got.Total != total || !reflect.DeepEqual(got.Next, next) || !reflect.DeepEqual(got.Prev, prev) {
			t.Fatalf("%+v\ngives %v of %d, %s %s\nwant  %v of %d, %s %s", q, gotRefs, got.Total, at(got.Next), at(got.Prev), refs, total, at(next), at(prev))
		}
		q.After, q.Before = nil, nil
		back := rapid.Bool().Draw(t, "back")
		switch {
		case back && prev != nil:
			q.Before = prev
		case !back && next != nil:
			q.After = next
		default:
			return
		}
	}
}

func at(p *Position) string {
	text, _ := json.Marshal(p)
	return string(text)
}

func holdRelations(t *rapid.T, x *Index, m *model) {
	visible := anyVisible(t)
	v := modelView{m, visible}
	most := rapid.IntRange(1, 5).Draw(t, "most")
	for i, got := range x.Inverse(someRefs, visible, most) {
		var want []Relation
		if e := m.entities[someRefs[i]]; e != nil && visible.Has(e.Space) {
			want = v.inverse(e)
		}
		ofType := map[string]int{}
		want = slices.DeleteFunc(want, func(r Relation) bool { ofType[r.Type]++; return ofType[r.Type] > most })
		if !slices.Equal(got, want) {
			t.Fatalf("others relate to %s by %v, want %v", someRefs[i], got, want)
		}
		x.mu.RLock()
		edges := x.view(visible).Edges(someRefs[i], nil)
		some := x.view(visible).Edges(someRefs[i], func(string) bool { return false })
		x.mu.RUnlock()
		if want := v.edgesOf(someRefs[i]); !slices.Equal(edges, want) {
			t.Fatalf("%s has the edges %v, want %v", someRefs[i], edges, want)
		}
		if own := v.declaredBy(someRefs[i]); !slices.Equal(some, own) {
			t.Fatalf("%s itself declares the edges %v, want %v", someRefs[i], some, own)
		}
	}
}

// sound tells what in the index does not fit together.
func (x *Index) sound() error {
	live := map[*key]int{}
	for id := range x.docs.n {
		d := x.docs.at(id)
		for _, t := range d.terms {
			at := x.terms.at(t)
			if at.key == nil || !slices.Contains(x.docsOf(at.post), id) || !slices.Contains(x.docsOf(at.key.docs), id) {
				return fmt.Errorf("%s has a term that has it not", d.ref)
			}
		}
	}
	for t := range x.terms.n {
		at := x.terms.at(t)
		if at.key == nil {
			continue
		}
		live[at.key]++
		if x.size(at.post) == 0 {
			return fmt.Errorf("nobody has %s %q", at.key.path.name, x.rawOf(t))
		}
		for _, id := range x.docsOf(at.post) {
			if !slices.Contains(x.docs.at(id).terms, t) {
				return fmt.Errorf("%s %q is of %s, which has it not", at.key.path.name, x.rawOf(t), x.docs.at(id).ref)
			}
		}
		n := 0
		x.each(at.key, string(x.foldedOf(t)), func(other uint32) {
			if other == t {
				n++
			}
		})
		x.dictionary.all(at.key, func(other uint32, _ []byte) {
			if other == t {
				n++
			}
		})
		if n != 2 {
			return fmt.Errorf("%s %q is not found", at.key.path.name, x.rawOf(t))
		}
	}
	keys := 0
	for _, p := range x.paths {
		for _, k := range p.keys {
			if k == nil {
				continue
			}
			keys++
			if k.live != live[k] {
				return fmt.Errorf("%s has %d terms, not %d", p.name, live[k], k.live)
			}
		}
		if p.ranking != nil {
			n := 0
			for _, piece := range p.ranking.pieces {
				n += len(piece)
				if !slices.IsSortedFunc(piece, x.compareTerms) {
					return fmt.Errorf("the order of %s is wrong", p.name)
				}
			}
			want := 0
			for _, k := range p.valued() {
				want += k.live
			}
			if n != want {
				return fmt.Errorf("%d values of %s are in order, not %d", n, p.name, want)
			}
		}
	}
	if keys != len(live) {
		return fmt.Errorf("%d keys have terms, %d are known", len(live), keys)
	}
	return nil
}
