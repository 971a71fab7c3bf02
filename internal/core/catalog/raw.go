package catalog

import (
	"context"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// Raw is an entity whose document is left as it is kept: for those who send it on.
type Raw struct {
	*Entity        // without Document, Status and what tells of its versions
	Text    []byte // of the document, in its canonical form
}

// Raws gives what hits are of, for those who send documents on, in their order: the zero Raw where there is nothing, or the
// reader may not see it. A hit is as Hits or Lookup gave it; one may be zero.
func (s *Service) Raws(ctx context.Context, hits []index.Hit) ([]Raw, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	moment := s.db.MomentSince(ctx, x.Changed())
	found, missing, err := s.shelf.take(hits)
	if err != nil {
		return nil, err
	}
	lacking := make([]index.Hit, 0, len(missing))
	for _, i := range missing {
		if hits[i].Ref != "" {
			lacking = append(lacking, hits[i])
		}
	}
	if len(lacking) > 0 {
		read, err := s.rawRows(ctx, lacking)
		if err != nil {
			return nil, err
		}
		found = append(found, read...)
	}
	found = slices.DeleteFunc(found, func(e *row) bool { return !visible.Has(e.Space) })
	if err := s.addFiles(ctx, s.alone(ctx), found, moment); err != nil {
		return nil, err
	}
	entities := make([]*Entity, len(found))
	byRef := make(map[string]Raw, len(found))
	for i, e := range found {
		entities[i] = &e.Entity
		byRef[e.Ref.String()] = Raw{&e.Entity, e.document}
	}
	addInverse(x, visible, entities)
	list := make([]Raw, len(hits))
	for i, hit := range hits {
		list[i] = byRef[hit.Ref]
	}
	return list, nil
}

func scanRaw(r store.Row) (*row, error) {
	var name string
	var orphan int64
	e := &row{}
	if err := r.Scan(&name, &e.UID, &e.Space, &e.Source, &e.path, &e.Etag, &e.Error, &orphan, &e.document, &e.stored); err != nil {
		return e, err
	}
	e.Ref, e.Orphan = parseStored(name), orphan == 1
	declared, err := readRelations(e.stored)
	e.Relations = sort(declared)
	return e, err
}
