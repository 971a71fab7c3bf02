package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Gap is something that an entity should have and lacks.
type Gap string

// The gaps.
const (
	NoOwner       Gap = "no-owner"       // of a kind that has owners
	UnknownOwner  Gap = "unknown-owner"  // the owner does not exist, or the reader may not see it
	EmptyOwner    Gap = "empty-owner"    // the owner is a group that nobody is in, nor in a group below it
	NoLifecycle   Gap = "no-lifecycle"   // a component, an API or an AiResource
	NoSystem      Gap = "no-system"      // a component, an API or a resource
	NoDescription Gap = "no-description" // of a kind that has owners
)

// Gaps gives all there are.
func Gaps() []Gap {
	return []Gap{NoOwner, UnknownOwner, EmptyOwner, NoLifecycle, NoSystem, NoDescription}
}

// lacking gives what lacks one of some things.
func (s *Service) lacking(ctx context.Context, gaps []Gap) (index.Filter, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	var any index.Any
	for _, gap := range gaps {
		f, ok := gap.filter(x, visible)
		if !ok {
			return nil, fault.Errorf(fault.Invalid, "%q is no gap; choose of %s", gap, strings.Join(gapNames(), ", "))
		}
		any = append(any, f)
	}
	return any, nil
}

func gapNames() []string {
	var names []string
	for _, gap := range Gaps() {
		names = append(names, string(gap))
	}
	return names
}

func (g Gap) filter(x *index.Index, visible access.Set) (index.Filter, bool) {
	without := func(kinds []string, key string) index.Filter {
		return index.All{index.Has{Key: "kind", Values: kinds}, index.Not{Filter: index.Exists{Key: key}}}
	}
	switch g {
	case NoOwner:
		return without(owned(x, visible), index.KeyOwner), true
	case UnknownOwner:
		return index.UnknownOwner{}, true
	case EmptyOwner:
		return index.EmptyOwner{}, true
	case NoLifecycle:
		return without([]string{"component", "api", "airesource"}, "spec.lifecycle"), true
	case NoSystem:
		return without([]string{"component", "api", "resource"}, "relations.partOf"), true
	case NoDescription:
		return without(owned(x, visible), "metadata.description"), true
	}
	return nil, false
}

// owned gives the kinds that have owners: Backstage's, and those of which some have one.
func owned(x *index.Index, visible access.Set) []string {
	kinds := []string{"component", "api", "resource", "system", "domain", "airesource", "template"}
	counts := x.Facets(index.FacetQuery{Keys: []string{"kind"}, Filter: index.Exists{Key: index.KeyOwner}, Visible: visible})["kind"]
	for _, c := range counts {
		if kind := strings.ToLower(c.Value); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
