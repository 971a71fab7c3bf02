package catalog

import (
	"context"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Found is a part of an ordered result.
type Found struct {
	Items []Entity
	Total int // of the whole, as far as the reader may see; 0 with NoTotal
	Next  *index.Position
	Prev  *index.Position
}

// seen gives the index and what of it the reader may see.
func (s *Service) seen(ctx context.Context) (*index.Index, access.Set, error) {
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return nil, visible, err
	}
	x, err := s.current(ctx)
	return x, visible, err
}

// Hits gives a part of what matches q and the reader may see (entity:read), as references with revisions. It is for
// those who keep what they made of an entity; Load gives the entities.
func (s *Service) Hits(ctx context.Context, q index.Query) (index.Result, error) {
	if err := q.Check(); err != nil {
		return index.Result{}, err
	}
	var err error
	if q.Filter, err = s.derived(ctx, q.Filter); err != nil {
		return index.Result{}, err
	}
	x, visible, err := s.seen(ctx)
	if err != nil {
		return index.Result{}, err
	}
	q.Visible = visible
	return x.Find(q), nil
}

// Lookup gives what the index knows of references, in their order, as far as the reader may see it: the zero Hit where
// there is nothing.
func (s *Service) Lookup(ctx context.Context, refs []string) ([]index.Hit, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	return x.Lookup(refs, visible), nil
}

// Known is what the index knows of an entity, without its document being read.
type Known struct {
	Space                  string // "" where there is none, or the reader may not see it
	Type, Owner, Lifecycle string // spec.type, reference, spec.lifecycle
}

// Known gives what the index knows of references, in their order, as far as the reader may see it (entity:read).
func (s *Service) Known(ctx context.Context, refs []string) ([]Known, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Known, len(refs))
	for i, v := range x.Values(refs, []string{index.KeySpace, "spec.type", index.KeyOwner, "spec.lifecycle"}, visible) {
		all[i] = Known{Space: v[0], Type: v[1], Owner: v[2], Lifecycle: v[3]}
	}
	return all, nil
}

// Matching gives what tells of a reference whether its entity matches a filter, as far as the reader may see it (entity:read). What
// changes later matches no more.
func (s *Service) Matching(ctx context.Context, f index.Filter) (func(ref string) bool, error) {
	f, err := s.derived(ctx, f)
	if err != nil {
		return nil, err
	}
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	return x.Matching(f, visible), nil
}

// Pointing gives the entities that declare a relation to one of some references, which need not exist, as far as the reader may
// see them (entity:read): by reference; where there are more than most, any of them.
func (s *Service) Pointing(ctx context.Context, refs []string, most int) ([]string, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	return x.Pointing(refs, visible, most), nil
}

// Find gives a part of what matches q and the reader may see. Its order and pages are those of q; Visible is filled in.
func (s *Service) Find(ctx context.Context, q index.Query) (Found, error) {
	result, err := s.Hits(ctx, q)
	if err != nil {
		return Found{}, err
	}
	found := Found{Total: result.Total, Next: result.Next, Prev: result.Prev}
	refs := make([]ref.Entity, len(result.Hits))
	for i, hit := range result.Hits {
		refs[i] = parseStored(hit.Ref)
	}
	items, err := s.inOrder(ctx, refs)
	if err != nil {
		return Found{}, err
	}
	found.Items = slices.DeleteFunc(items, func(e Entity) bool { return e.Ref.IsZero() }) // that were deleted just now
	return found, nil
}

// Counts counts the values of keys among the entities that match and that the reader may see, the most frequent first;
// Visible is filled in.
func (s *Service) Counts(ctx context.Context, q index.FacetQuery) (map[string][]index.Count, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	var err error
	if q.Filter, err = s.derived(ctx, q.Filter); err != nil {
		return nil, err
	}
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	q.Visible = visible
	return x.Facets(q), nil
}

// ByRefs gives the entities of references, in that order: nil where there is none or the reader may not see it.
func (s *Service) ByRefs(ctx context.Context, refs []ref.Entity) ([]*Entity, error) {
	found, err := s.inOrder(ctx, refs)
	if err != nil {
		return nil, err
	}
	list := make([]*Entity, len(refs))
	for i := range found {
		if !found[i].Ref.IsZero() {
			list[i] = &found[i]
		}
	}
	return list, nil
}

// inOrder is ByRefs with the zero Entity where there is none.
func (s *Service) inOrder(ctx context.Context, refs []ref.Entity) ([]Entity, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	moment := s.db.MomentSince(ctx, x.Changed())
	found := make([]Entity, len(refs))
	var rest []string
	for i, r := range refs {
		name := r.String()
		e, ok := s.kept.at(name, moment)
		switch {
		case !ok:
			rest = append(rest, name)
		case visible.Has(e.Space):
			found[i] = e
		}
	}
	if len(rest) > 0 {
		read, err := s.fetch(ctx, rest, moment, visible.Has)
		if err != nil {
			return nil, fault.Wrap(err, "read entities")
		}
		byRef := make(map[ref.Entity]*Entity, len(read))
		for i := range read {
			byRef[read[i].Ref] = &read[i]
		}
		for i, r := range refs {
			if e, ok := byRef[r]; ok {
				found[i] = *e
			}
		}
	}
	addInverse(x, visible, pointers(found))
	return found, nil
}

// ByUID gives the entity that has a uid. It needs entity:read in its space; otherwise it is fault.NotFound.
func (s *Service) ByUID(ctx context.Context, uid string) (Entity, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return Entity{}, err
	}
	hit, ok := x.ByUID(uid, visible)
	if !ok {
		return Entity{}, access.NotFound("entity " + uid)
	}
	return s.Get(ctx, parseStored(hit.Ref))
}

// Walk gives what is around entities, as far as the reader may see; Visible is filled in.
func (s *Service) Walk(ctx context.Context, w index.Walk) (index.Graph, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return index.Graph{}, err
	}
	w.Visible = visible
	return x.Walk(w), nil
}
