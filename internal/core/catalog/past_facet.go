package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of what is counted of the past.
const (
	maxThenValues = 100_000 // of one field
	maxThenValue  = 200     // bytes of one
)

// countThen counts values of fields in the catalog of q.At, by going through it once.
func (s *Service) countThen(ctx context.Context, in FacetQuery) (map[string][]Facet, error) {
	if err := in.ofThePast(); err != nil {
		return nil, err
	}
	known, widest := facets(), in.Query
	tallies := make([]*tally, 0, len(in.Fields))
	for _, field := range in.Fields {
		f, ok := known[field]
		switch {
		case !ok:
			return nil, uncounted(field)
		case field == "state" || field == "gap":
			return nil, fault.Errorf(fault.Invalid, "%s is known of now alone; leave it away, or the time", field)
		}
		one := in.Query
		if in.Apart {
			f.own(&one)
			f.own(&widest)
		}
		m, err := s.matcher(ctx, one)
		if err != nil {
			return nil, err
		}
		tallies = append(tallies, &tally{matcher: m, field: field, facet: f, mine: owners(ctx), counts: map[string]int{}})
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return nil, err
	}
	all, err := s.matcher(ctx, widest)
	if err != nil {
		return nil, err
	}
	cut, err := s.scan(ctx, all.then(visible, ""), func(v *storedVersion) error {
		for _, t := range tallies {
			if !t.add(v) {
				return errEnough
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fault.Wrap(err, "count entities as they were")
	case cut:
		return nil, fault.Errorf(fault.TooLarge, "the catalog of then is too large to be counted: at most %d entities are, and %d values of a field, within %s; name a kind or a space", s.scanMost, maxThenValues, scanWait)
	}
	counted := make(map[string][]Facet, len(tallies))
	for _, t := range tallies {
		list := make([]index.Count, 0, len(t.counts))
		for value, count := range t.counts {
			list = append(list, index.Count{Value: value, Count: count})
		}
		counted[t.field] = facetsOf(list, t.facet)
	}
	return counted, nil
}

// tally counts the values of one field.
type tally struct {
	matcher
	field  string
	facet  facet
	mine   []ref.Entity // the reader, and the reader's groups
	counts map[string]int
}

// add counts a version; false when there are too many values.
func (t *tally) add(v *storedVersion) bool {
	if !t.matches(v) {
		return true
	}
	values := t.values(v)
	for i, value := range values {
		if value == "" || len(value) > maxThenValue || slices.Contains(values[:i], value) {
			continue
		}
		if t.counts[value]++; len(t.counts) > maxThenValues {
			return false
		}
	}
	return true
}

// values gives what an entity had in the field.
func (t *tally) values(v *storedVersion) []string {
	relations, owner := v.related(t.s)
	switch t.field {
	case "kind":
		return []string{strings.ToLower(v.document.Kind)}
	case "namespace":
		return []string{v.ref.Namespace}
	case "space":
		return []string{v.space}
	case "source":
		return []string{v.Source}
	case "owner":
		return []string{owner.String()}
	case "type", "lifecycle":
		text, _ := v.document.Spec[t.field].(string)
		return []string{strings.ToLower(text)}
	case "tag":
		return lower(v.document.Metadata.Tags)
	case "system":
		var systems []string
		for _, r := range relations {
			if r.Type == "partOf" {
				systems = append(systems, r.Target.String())
			}
		}
		return systems
	case "personal":
		if slices.Contains(t.mine, owner) {
			return []string{"mine"}
		}
	}
	return nil
}

// owners gives the references of the reader and of the reader's groups.
func owners(ctx context.Context) []ref.Entity {
	all := []ref.Entity{}
	for _, name := range mine(ctx) {
		all = append(all, parseStored(name))
	}
	return all
}
