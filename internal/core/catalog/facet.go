package catalog

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Facet is one value of a field and how many entities have it.
type Facet struct {
	Value string
	Count int
}

// facet is a field that can be counted.
type facet struct {
	key    string // of the index; "" for one that is no value of a document
	folded bool   // the case of its values does not matter
	prefix string // that counted values have
	named  bool   // its values are references, of which mostly the name is looked for
	own    func(q *Query)
	values []facetValue // of one without a key
}

// facetValue narrows a query to what has a value.
type facetValue struct {
	name   string
	narrow func(q *Query)
}

func facets() map[string]facet {
	all := map[string]facet{
		"kind":      {key: "kind", folded: true, own: func(q *Query) { q.Kinds = nil }},
		"namespace": {key: "metadata.namespace", folded: true, own: func(q *Query) { q.Namespace = nil }},
		"space":     {key: index.KeySpace, own: func(q *Query) { q.Space = nil }},
		"owner":     {key: index.KeyOwner, named: true, own: func(q *Query) { q.Owner = nil }},
		"type":      {key: "spec.type", folded: true, own: func(q *Query) { q.Type = nil }},
		"source":    {key: index.KeySource, own: func(q *Query) { q.Source = "" }},
		"lifecycle": {key: "spec.lifecycle", folded: true, own: func(q *Query) { q.Lifecycle = nil }},
		"system":    {key: "relations.partOf", prefix: "system:", named: true, own: func(q *Query) { q.System = nil }},
		"tag":       {key: "metadata.tags", folded: true, own: func(*Query) {}}, // all that are named must be there, so that each narrows
		"state": {own: func(q *Query) { q.Failed, q.Orphan = false, false }, values: []facetValue{
			{"failed", func(q *Query) { q.Failed = true }}, {"orphan", func(q *Query) { q.Orphan = true }},
		}},
		"personal": {own: func(q *Query) { q.Mine, q.Starred = false, false }, values: []facetValue{
			{"mine", func(q *Query) { q.Mine = true }}, {"starred", func(q *Query) { q.Starred = true }},
		}},
	}
	gaps := facet{own: func(q *Query) { q.Gaps = nil }}
	for _, gap := range Gaps() {
		gaps.values = append(gaps.values, facetValue{string(gap), func(q *Query) { q.Gaps = []Gap{gap} }})
	}
	all["gap"] = gaps
	return all
}

// FacetNames gives the fields that can be counted.
func FacetNames() []string {
	return []string{"kind", "namespace", "space", "owner", "type", "source", "lifecycle", "system", "tag", "state", "personal", "gap"}
}

const mostFacets = 200

// FacetQuery asks for the values of fields.
type FacetQuery struct {
	Query
	Fields   []string
	Apart    bool   // count each field as if the query did not narrow it, so that its other values can be chosen
	Contains string // only values with this in them, without case
}

// Facets counts the values of fields among the entities that match and that the reader may see (entity:read). Values
// without an entity are left out; of each field the 200 most frequent are given. Of an owner or a system Contains is looked
// for in the name, and in the namespace unless that is default; in the whole reference when it has a ":" or a "/".
//
// With At they are those of then, with rights of today in the space that each had. There is no state then, nor a gap or a
// star: that is fault.Invalid. It is fault.TooLarge for a catalog of then that is too large to be gone through.
func (s *Service) Facets(ctx context.Context, in FacetQuery) (map[string][]Facet, error) {
	if len(in.Contains) > maxText {
		return nil, fault.Errorf(fault.Invalid, "the text that values contain is too long; at most %d characters are taken", maxText)
	}
	all, contains := facets(), strings.ToLower(strings.TrimSpace(in.Contains))
	count := s.countFields
	if !in.At.IsZero() {
		count = s.countThen
	}
	counted, err := count(ctx, in)
	for field, list := range counted {
		counted[field] = mostFrequent(list, all[field], contains)
	}
	return counted, err
}

func (s *Service) countFields(ctx context.Context, in FacetQuery) (map[string][]Facet, error) {
	q, err := s.withBelow(ctx, in.Query)
	if err != nil {
		return nil, err
	}
	known := facets()
	counted := make(map[string][]Facet, len(in.Fields))
	var together []string // those that the same filter counts
	for _, field := range in.Fields {
		f, ok := known[field]
		if !ok {
			return nil, uncounted(field)
		}
		one := q
		if in.Apart {
			f.own(&one)
		}
		switch {
		case len(f.values) > 0:
			list, err := s.countEach(ctx, one, f.values)
			if err != nil {
				return nil, err
			}
			counted[field] = list
		case one.fingerprint() == q.fingerprint():
			together = append(together, field)
		default:
			if err := s.countKeys(ctx, one, []string{field}, known, counted); err != nil {
				return nil, err
			}
		}
	}
	if len(together) == 0 {
		return counted, nil
	}
	return counted, s.countKeys(ctx, q, together, known, counted)
}

func uncounted(field string) error {
	return fault.Errorf(fault.Invalid, "%q can't be counted; choose of %s", field, strings.Join(FacetNames(), ", "))
}

// countKeys counts fields that the index has.
func (s *Service) countKeys(ctx context.Context, q Query, fields []string, known map[string]facet, into map[string][]Facet) error {
	f, err := s.filter(ctx, q)
	if err != nil {
		return err
	}
	keys := make([]string, len(fields))
	for i, field := range fields {
		keys[i] = known[field].key
	}
	counts, err := s.Counts(ctx, index.FacetQuery{Keys: keys, Filter: f})
	if err != nil {
		return fault.Wrap(err, "count entities")
	}
	for _, field := range fields {
		into[field] = facetsOf(counts[known[field].key], known[field])
	}
	return nil
}

// countEach counts what a query finds with each value; a value without any is left out.
func (s *Service) countEach(ctx context.Context, q Query, values []facetValue) ([]Facet, error) {
	var list []Facet
	for _, v := range values {
		one := q
		v.narrow(&one)
		f, err := s.filter(ctx, one)
		if err != nil {
			return nil, err
		}
		found, err := s.Hits(ctx, index.Query{Filter: f, Limit: 1})
		if err != nil {
			return nil, fault.Wrap(err, "count entities")
		}
		if found.Total > 0 {
			list = append(list, Facet{v.name, found.Total})
		}
	}
	return list, nil
}

func facetsOf(counts []index.Count, f facet) []Facet {
	var list []Facet
	at := map[string]int{}
	for _, c := range counts {
		if f.folded {
			c.Value = strings.ToLower(c.Value)
		}
		i, known := at[c.Value]
		switch {
		case c.Value == "", !strings.HasPrefix(c.Value, f.prefix):
		case known:
			list[i].Count += c.Count
		default:
			at[c.Value] = len(list)
			list = append(list, Facet(c))
		}
	}
	slices.SortFunc(list, func(a, b Facet) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) })
	return list
}

func mostFrequent(list []Facet, f facet, contains string) []Facet {
	if contains != "" {
		list = slices.DeleteFunc(list, func(x Facet) bool { return !f.contains(x.Value, contains) })
	}
	return list[:min(len(list), mostFacets)]
}

func (f facet) contains(value, text string) bool {
	value = strings.ToLower(value)
	if f.named && !strings.ContainsAny(text, ":/") {
		_, value, _ = strings.Cut(value, ":")
		value = strings.TrimPrefix(value, ref.DefaultNamespace+"/")
	}
	return strings.Contains(value, text)
}
