package index

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is the index as simply as it can be told: it looks at every word of every thing.
type model map[string]Doc

func (m model) find(q Query) Result {
	r, matching := m.search(q, false)
	typos := slices.ContainsFunc(q.Words, func(w Word) bool { return !w.Exact && edits(w.Text) > 0 })
	if matching < enough && typos {
		if more, all := m.search(q, true); all > matching {
			r, r.Typos = more, true
		}
	}
	return r
}

// score gives how well a thing matches, and whether it does.
func (d Doc) score(words []Word, typos bool) (int, bool) {
	sum, name := 0, ""
	for _, w := range words {
		best := 0
		for term, mask := range d.terms {
			if bare, is := strings.CutPrefix(term, whole); is {
				// A name without its signs matches words of a few letters, and is no different otherwise.
				if term = bare; len(w.Text) < joinedFrom && !(typos && edits(w.Text) > 0) {
					continue
				}
			}
			best = max(best, int(worth[judge(w, term, typos)])*int(bestField(mask)))
		}
		if best == 0 {
			return 0, false
		}
		sum += best
		name += w.Text
	}
	name, more := fold(name), 0
	for term, mask := range d.terms {
		if bare, is := strings.CutPrefix(term, whole); is && len(words) > 0 && strings.HasPrefix(bare, name) {
			more = max(more, int(called(len(name), len(bare)))*int(bestField(mask)))
		}
	}
	return sum + more, true
}

func (m model) search(q Query, typos bool) (r Result, matching int) {
	counts := [facets]map[string]int{}
	for f := range counts {
		counts[f] = map[string]int{}
	}
	var hits []Hit
	for _, d := range m {
		score, ok := d.score(q.Words, typos)
		if !ok || q.Sees != nil && !q.Sees(d.In, d.Place) {
			continue
		}
		matching++
		var failed []Facet
		for f := range facets {
			if q.Where[f] != nil && !q.Aside[d.In][f] && !slices.Contains(q.Where[f], d.Facets[f]) {
				failed = append(failed, f)
			}
		}
		if len(failed) == 0 {
			r.In[d.In]++
		}
		if q.In != nil && !slices.Contains(q.In, d.In) {
			continue
		}
		for f := range facets {
			if len(failed) == 0 || len(failed) == 1 && failed[0] == f {
				counts[f][d.Facets[f]]++
			}
		}
		if len(failed) == 0 {
			r.Total++
			hits = append(hits, Hit{Position: Position{score + int(d.Weight), d.Key}, In: d.In, Place: d.Place})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int { return compareHits(a.Position, b.Position) })
	for _, h := range hits {
		switch {
		case q.After != nil && compareHits(h.Position, *q.After) <= 0:
		case len(r.Hits) == q.Limit:
			r.More = true
		default:
			r.Hits = append(r.Hits, h)
		}
	}
	for f := range facets {
		for _, v := range slices.Sorted(maps.Keys(counts[f])) {
			if v != "" && q.Counted[f] {
				r.Counts[f] = append(r.Counts[f], Count{v, counts[f][v]})
			}
		}
		slices.SortStableFunc(r.Counts[f], func(a, b Count) int { return cmp.Compare(b.Count, a.Count) })
	}
	return r, matching
}

// vocabulary has words that begin alike, differ by typos, and are of several scripts.
var vocabulary = []string{
	"pay", "payment", "payments", "paymnet", "pament", "repayment", "order", "orders", "ordering", "border", "oder", "a", "ab", "abc",
	"gateway", "gatway", "getaway", "OrderService", "HTTPServer", "v2", "v20", "2024", "Zürich", "zurich", "платёж", "платеж", "платежи", "日本", "本", "ſ", "İstanbul",
	"observability", "obzervability", "obsrvabilty",
}

func drawText(t *rapid.T, label string) string {
	words := rapid.SliceOfN(rapid.SampledFrom(vocabulary), 1, 3).Draw(t, label)
	return strings.Join(words, rapid.SampledFrom([]string{" ", "-", "_", ".", "/", ""}).Draw(t, "between"))
}

func drawDoc(t *rapid.T) Doc {
	in := rapid.SampledFrom([]In{Entities, APIs, Docs, Runs}).Draw(t, "in")
	d := Doc{
		Key: fmt.Sprintf("%s%02d", []string{"e:", "e:", "#", NewestFirst}[in], rapid.IntRange(0, 40).Draw(t, "key")), In: in,
		Weight: uint8(rapid.IntRange(0, 2).Draw(t, "weight")), Place: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "place"),
	}
	for f := range facets {
		d.Facets[f] = rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, f.String())
	}
	for range rapid.IntRange(1, 3).Draw(t, "fields") {
		d.Add(rapid.SampledFrom([]Field{Name, Title, Tag, Heading, Fact, Body}).Draw(t, "field"), drawText(t, "text"))
	}
	return d
}

func drawQuery(t *rapid.T) Query {
	q := Query{Limit: rapid.IntRange(1, 12).Draw(t, "limit")}
	for f := range facets {
		q.Counted[f] = rapid.Bool().Draw(t, "counted")
	}
	for range rapid.IntRange(0, 3).Draw(t, "words") {
		text := rapid.SampledFrom(vocabulary).Draw(t, "word")
		if runes := []rune(text); len(runes) > 2 && rapid.Bool().Draw(t, "cut") {
			text = string(runes[:len(runes)-rapid.IntRange(1, len(runes)-1).Draw(t, "letters")])
		}
		if rapid.IntRange(0, 3).Draw(t, "exact") == 0 {
			text = `"` + text + `"`
		}
		q.Words = append(q.Words, Parse(text, func(string, string) bool { return false }).Words...)
	}
	for f := range facets {
		if rapid.IntRange(0, 5).Draw(t, "where") == 0 {
			q.Where[f] = rapid.SampledFrom([][]string{{"x"}, {"x", "y"}, {"nothing"}}).Draw(t, "values")
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "aside") == 0 {
		q.Aside[Docs][Kind], q.Aside[Docs][Type] = true, true
	}
	if rapid.IntRange(0, 3).Draw(t, "limited") == 0 {
		q.In = rapid.SampledFrom([][]In{{Entities}, {Docs, APIs}, {Runs}}).Draw(t, "ins")
	}
	if rapid.Bool().Draw(t, "sees") {
		q.Sees = func(in In, place string) bool { return place == "one" || place == "two" && in != Runs }
	}
	return q
}

// TestModel holds the index to the model, whatever is put, deleted and asked.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, m := New(), model{}
		if rapid.Bool().Draw(t, "beside") {
			x.beside = 1
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				var docs []Doc
				for range rapid.IntRange(1, 12).Draw(t, "docs") {
					docs = append(docs, drawDoc(t))
				}
				x.Put(docs...)
				for _, d := range docs {
					m[d.Key] = d
				}
			},
			"delete": func(t *rapid.T) {
				keys := rapid.SliceOfN(rapid.SampledFrom(append(slices.Sorted(maps.Keys(m)), "e:none")), 1, 4).Draw(t, "keys")
				x.Delete(keys...)
				for _, key := range keys {
					delete(m, key)
				}
			},
			"tidy": func(*rapid.T) { x.Tidy() },
			"find": func(t *rapid.T) {
				q := drawQuery(t)
				for {
					got, want := x.Find(q), m.find(q)
					if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
						t.Fatalf("%+v gives\n%s, want\n%s", q, g, w)
					}
					if !got.More {
						break
					}
					q.After = &got.Hits[len(got.Hits)-1].Position
				}
			},
			"": func(t *rapid.T) {
				if got := x.Stats().Things; got != len(m) {
					t.Fatalf("it knows %d things, want %d", got, len(m))
				}
				keys := x.Keys("e:")
				slices.Sort(keys)
				want := slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(k string) bool { return !strings.HasPrefix(k, "e:") })
				if !slices.Equal(keys, want) {
					t.Fatalf("it has the keys %v, want %v", keys, want)
				}
			},
		})
	})
}
