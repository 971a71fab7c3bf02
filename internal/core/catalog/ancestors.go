package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Ancestor is an entity with what named the file that it is from.
type Ancestor struct {
	Entity     Entity
	Parents    []ref.Entity // Location entities
	Registered *Location    // the location that names it without an entity, when somebody registered it
}

const maxAncestors = 100

// Ancestors gives an entity and the Location entities through which the catalog came to it, as far as the reader may see them,
// the entity first. It needs entity:read in its space; otherwise it is fault.NotFound.
func (s *Service) Ancestors(ctx context.Context, r ref.Entity) ([]Ancestor, error) {
	first, err := s.Get(ctx, r)
	if err != nil {
		return nil, err
	}
	var all []Ancestor
	seen := map[ref.Entity]bool{r: true}
	for todo := []Entity{first}; len(todo) > 0 && len(all) < maxAncestors; {
		a := Ancestor{Entity: todo[0]}
		todo = todo[1:]
		parents, err := s.parents(ctx, &a)
		if err != nil {
			return nil, err
		}
		for _, parent := range parents {
			a.Parents = append(a.Parents, parent.Ref)
			if !seen[parent.Ref] {
				seen[parent.Ref] = true
				todo = append(todo, parent)
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// parents gives the Location entities that name the file of an entity, or the location that it is from.
func (s *Service) parents(ctx context.Context, a *Ancestor) (parents []Entity, err error) {
	e := a.Entity
	if e.File.Location == "" {
		return nil, nil
	}
	l, err := s.GetLocation(ctx, e.File.Location)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	beside, err := s.List(ctx, Query{Source: l.source(), Kinds: []string{locationKind}, Limit: maxLimit})
	if err != nil {
		return nil, err
	}
	for _, parent := range beside.Items {
		names, err := s.names(ctx, l, parent, e.File.Path)
		if err != nil {
			return nil, err
		}
		if names && parent.Ref != e.Ref {
			parents = append(parents, parent)
		}
	}
	if len(parents) > 0 {
		return parents, nil
	}
	if l.kept {
		a.Registered = &l
	}
	var above []string
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		above, err = parentsOf(ctx, tx, l.ID)
		return err
	})
	if err != nil || len(above) == 0 {
		return nil, err
	}
	refs := make([]ref.Entity, len(above))
	for i, name := range above {
		refs[i] = parseStored(name)
	}
	found, err := s.ByRefs(ctx, refs)
	for _, parent := range found {
		if parent != nil && parent.Ref != e.Ref {
			parents = append(parents, *parent)
		}
	}
	return parents, err
}

// names tells whether a Location entity names a file of its own location.
func (s *Service) names(ctx context.Context, l Location, parent Entity, file string) (bool, error) {
	targets, _ := targetsOf(parent.Document)
	for _, target := range targets {
		pattern, ok := relativeTarget(parent.File.Path, target)
		switch {
		case isAddress(target) || !ok:
			continue
		case pattern == file:
			return true, nil
		case !strings.ContainsAny(pattern, `*?[\`) || l.Commit == "":
			continue
		}
		files, err := s.repositories.Match(ctx, l.Repository, l.Commit, pattern)
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
			return false, err
		}
		if slices.ContainsFunc(files, func(f git.TreeEntry) bool { return f.Path == file }) {
			return true, nil
		}
	}
	return false, nil
}
