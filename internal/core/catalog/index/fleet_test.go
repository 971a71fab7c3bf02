package index

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

var fleetWords = []string{"billing", "search", "login", "orders", "stock", "mail", "maps", "audio", "video", "ledger", "quota", "cart"}

// fleetEntity is one of a catalog as companies have them: services with owners, systems, APIs, resources, dependencies,
// tags and annotations.
func fleetEntity(i, n, version int) Entity {
	kinds := []string{"System", "API", "API", "Resource", "Resource"}
	kind := "Component"
	if i%20 < len(kinds) {
		kind = kinds[i%20]
	}
	name := func(i int) string { return fmt.Sprintf("%s-%06d", fleetWords[i%len(fleetWords)], i) }
	of := func(kind string, i int) string { return strings.ToLower(kind) + ":made/" + name(i) }
	block := i / 20 * 20
	owner := fmt.Sprintf("group:default/group-%04d", i*31%max(n/500, 10))
	spec := map[string]any{"type": []string{"service", "website", "library"}[i%3], "lifecycle": "production", "owner": owner, "system": name(block)}
	relations := []Relation{{"ownedBy", owner}, {"partOf", of("System", block)}}
	if kind == "Component" {
		on := []any{}
		for _, j := range []int{i*7%n/20*20 + 3, i*11%n/20*20 + 4} {
			on = append(on, of("Resource", j))
			relations = append(relations, Relation{"dependsOn", of("Resource", j)})
		}
		spec["dependsOn"] = on
	}
	metadata := map[string]any{
		"name": name(i), "namespace": "made", "title": fmt.Sprintf("%s %d", strings.ToUpper(fleetWords[i%len(fleetWords)]), i),
		"description": fmt.Sprintf("Does the work of part %d for team %d, version %d", i, i%100, version),
		"annotations": map[string]any{"example.com/pager": fmt.Sprint(i * 7919 % 100_000), "backstage.io/techdocs-ref": "dir:."},
		"tags":        []any{fleetWords[(i+5)%len(fleetWords)], fmt.Sprint("tier-", i%4), "go"},
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
	if err != nil {
		panic(err)
	}
	return Entity{
		Ref: of(kind, i), UID: fmt.Sprintf("ent_%026d", i), Space: []string{"default", "lab", "ops", "default", "lab"}[i%5], Source: fmt.Sprint("location:loc_", i/100),
		Owner: owner, Version: version, Created: int64(i/7+1) * 1_000_000, Updated: int64(version) * 1_000_000, Document: text, Relations: relations,
	}
}

func prepared(t testing.TB, e Entity) Prepared {
	p, err := Prepare(e)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Many entities have blocks of their own, bitmaps, kept orders, and what was changed or deleted is cleared away.
func TestTheIndexAnswersSoForMany(t *testing.T) {
	t.Parallel()
	const n = 1500
	x, m := New(testPairs), newModel(testPairs)
	random := rand.New(rand.NewPCG(1, 2))
	version := 0
	put := func(i int) {
		version++
		e := fleetEntity(i, n, version)
		x.Put(prepared(t, e))
		m.put(e)
	}
	hold := func(step string) {
		t.Helper()
		if err := x.sound(); err != nil {
			t.Fatal(step, err)
		}
		for _, f := range []Filter{
			nil, Has{"kind", []string{"component"}}, Has{"kind", []string{"api", "system"}}, Has{"kind", []string{"resource"}}, All{Has{"kind", []string{"Component"}}, Has{"spec.type", []string{"service"}}},
			Contains{[]string{"metadata.title", "metadata.description"}, "PART 12"}, Contains{nil, "-00012"}, Contains{[]string{"metadata.name"}, "er"},
			All{Contains{[]string{"metadata.name"}, "billing"}, Contains{[]string{"metadata.title"}, "1"}, Not{Has{"metadata.tags.go", []string{"true"}}}},
			HasPrefix{"metadata.name", "billing-0002"}, Any{Has{"metadata.tags", []string{"tier-2"}}, Refs{"system:made/billing-000000"}},
			InFolder{"spec.owner", []string{"group:default/"}}, All{Has{"kind", []string{"Component"}}, InFolder{"relations.ownedby", []string{"", "group:default/"}}}, InFolder{"metadata.name", []string{""}},
			Not{Exists{"spec.dependson"}}, Has{"relations.ownedby", []string{"group:default/group-0003"}},
		} {
			for _, order := range [][]Order{nil, {{"metadata.title", true}}, {{"spec.type", false}, {"metadata.name", true}}, {{"metadata.tags", true}}, {{KeyUpdated, true}}, {{KeyCreated, false}, {"metadata.name", false}}, {{"spec.dependsOn", false}}} {
				q := Query{Filter: f, Order: order, Limit: 7, Offset: random.IntN(20), Visible: access.Set{All: random.IntN(2) == 0, Names: map[string]bool{"lab": true, "ops": true}}}
				got := x.Find(q)
				refs, total, next, prev := m.find(q)
				var gotRefs []string
				for _, hit := range got.Hits {
					gotRefs = append(gotRefs, hit.Ref)
				}
				if !slices.Equal(gotRefs, refs) || got.Total != total || !reflect.DeepEqual(got.Next, next) || !reflect.DeepEqual(got.Prev, prev) {
					t.Fatalf("%s: %+v\ngives %v of %d, %s %s\nwant  %v of %d, %s %s", step, q, gotRefs, got.Total, at(got.Next), at(got.Prev), refs, total, at(next), at(prev))
				}
			}
		}
		q := FacetQuery{Keys: []string{"spec.owner", "metadata.tags", "relations.ownedBy", "kind"}, Filter: Has{"spec.type", []string{"service"}}, Visible: access.Set{All: true}}
		if got, want := x.Facets(q), m.facets(q); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %v, want %v", step, got, want)
		}
	}
	for _, i := range random.Perm(n) {
		put(i)
	}
	hold("made")
	for range 4 * n {
		put(random.IntN(n))
	}
	hold("changed")
	refs := slices.Sorted(maps.Keys(m.entities))
	random.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	for _, ref := range refs[:n-300] {
		version++
		x.Delete(ref, version)
		m.remove(ref, version)
	}
	hold("deleted")
	if blocks := int(x.texts.blocks.n) - len(x.texts.blocks.free); blocks > 40 {
		t.Errorf("the texts of 300 entities fill %d blocks", blocks)
	}
	for i := range n {
		put(i)
	}
	hold("made again")
	for _, ref := range slices.Collect(maps.Keys(m.entities)) {
		version++
		x.Delete(ref, version)
	}
	if n := len(x.paths) + len(x.byHash) + len(x.byRef) + int(x.terms.n) - len(x.terms.free) + int(x.lists.n) - len(x.lists.free); n != 0 {
		t.Errorf("%d things are left of nothing", n)
	}
}

func fleet(b *testing.B, n int) *Index {
	b.Helper()
	x := New(testPairs)
	for i := range n {
		x.Put(prepared(b, fleetEntity(i, n, 1)))
	}
	return x
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func BenchmarkIndex(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		if n > 100_000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before := heap()
			x := fleet(b, n)
			perEntity := (heap() - before) / float64(n)
			b.Run("Memory", func(b *testing.B) {
				for b.Loop() { // it is measured above
				}
				b.ReportMetric(perEntity, "B/entity")
			})
			b.Run("Order", func(b *testing.B) {
				for b.Loop() {
					x.rank(x.paths["metadata.name"])
				}
			})
			component, service := Has{"kind", []string{"component"}}, Has{"spec.type", []string{"service"}}
			text := []string{"metadata.name", "metadata.title", "metadata.description", "metadata.tags"}
			all := access.Set{All: true}
			for _, c := range []struct {
				name string
				q    Query
			}{
				{"TwoFilters", Query{Filter: All{component, service}, Limit: 20}},
				{"Owner", Query{Filter: All{component, Has{"relations.ownedby", []string{"group:default/group-0007"}}}, Limit: 20}},
				{"OrderedByName", Query{Filter: component, Order: []Order{{"metadata.name", false}}, Limit: 20}},
				{"OrderedByTitleDown", Query{Filter: All{component, service}, Order: []Order{{"metadata.title", true}}, Limit: 20}},
				{"OrderedByTypeAndName", Query{Filter: component, Order: []Order{{"spec.type", false}, {"metadata.name", false}}, Limit: 20}},
				{"OrderedByUpdatedDown", Query{Filter: All{component, service}, Order: []Order{{KeyUpdated, true}}, Limit: 20}},
				{"OffsetOfHalf", Query{Filter: component, Order: []Order{{"metadata.name", false}}, Limit: 20, Offset: n / 3}},
				{"TextRare", Query{Filter: Contains{text, "part 4711"}, Limit: 20}},
				{"TextFrequent", Query{Filter: Contains{text, "billing"}, Limit: 20}},
				{"TextInNames", Query{Filter: Contains{[]string{"metadata.name"}, "illin"}, Limit: 20}},
				{"TextAnywhere", Query{Filter: Contains{nil, "billing-00471"}, Limit: 20}},
				{"TextAnywhereFrequent", Query{Filter: Contains{nil, "billing"}, Limit: 20}},
				{"TwoWords", Query{Filter: All{Contains{text, "billing"}, Contains{text, "4711"}}, Limit: 20}},
				{"Spaces", Query{Filter: All{component, service}, Limit: 20, Visible: access.Set{Names: map[string]bool{"lab": true, "ops": true}}}},
			} {
				if c.q.Visible.Names == nil {
					c.q.Visible = all
				}
				b.Run(c.name, func(b *testing.B) {
					for b.Loop() {
						if len(x.Find(c.q).Hits) == 0 {
							b.Fatal("nothing is found")
						}
					}
				})
			}
			for _, key := range []string{"spec.type", "spec.owner", "metadata.tags"} {
				b.Run("Facet/"+key, func(b *testing.B) {
					for b.Loop() {
						x.Facets(FacetQuery{Keys: []string{key}, Filter: component, Visible: all})
					}
				})
			}
			b.Run("Change", func(b *testing.B) {
				for i := 2; b.Loop(); i++ {
					x.Put(prepared(b, fleetEntity(i*7919%n, n, i)))
				}
			})
		})
	}
}

func BenchmarkPrepare(b *testing.B) {
	e := fleetEntity(7, 1000, 1)
	b.SetBytes(int64(len(e.Document)))
	for b.Loop() {
		prepared(b, e)
	}
}

func BenchmarkPut(b *testing.B) {
	list := make([]Prepared, 100_000)
	for i := range list {
		list[i] = prepared(b, fleetEntity(i, len(list), 1))
	}
	for b.Loop() {
		New(testPairs).Put(list...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/entity")
}
