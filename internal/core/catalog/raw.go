package catalog

import (
	"context"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Raw is an entity whose document is left as it is kept: for those who send it on.
type Raw struct {
	*Entity        // without Document, Status and what tells of its versions
	Text    []byte // of the document, in its canonical form
}

// Raws is ByRefs for those who send documents on: the zero Raw where there is none.
func (s *Service) Raws(ctx context.Context, refs []ref.Entity) ([]Raw, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	moment := s.db.MomentSince(ctx, x.Changed())
	byRef := make(map[ref.Entity]Raw, len(refs))
	err = among(s.db.Dialect(), nil, texts(refs), func(in string, args []any) error {
		var found []*row
		err := s.db.ReadOne(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT ref, uid, space, source, path, etag, error, orphan, document, relations FROM entities WHERE ref `+in, args...)
			found, err = store.Collect(rows, err, scanRaw)
			return err
		})
		if err != nil {
			return err
		}
		seen := slices.DeleteFunc(found, func(e *row) bool { return !visible.Has(e.Space) })
		if err := s.addFiles(ctx, s.alone(ctx), seen, moment); err != nil {
			return err
		}
		entities := make([]*Entity, len(seen))
		for i, e := range seen {
			entities[i] = &e.Entity
			byRef[e.Ref] = Raw{&e.Entity, e.document}
		}
		addInverse(x, visible, entities)
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(err, "read entities")
	}
	list := make([]Raw, len(refs))
	for i, r := range refs {
		list[i] = byRef[r]
	}
	return list, nil
}

func scanRaw(r store.Row) (*row, error) {
	var name, relations string
	var orphan int64
	e := &row{}
	if err := r.Scan(&name, &e.UID, &e.Space, &e.Source, &e.path, &e.Etag, &e.Error, &orphan, &e.document, &relations); err != nil {
		return e, err
	}
	e.Ref, e.Orphan = parseStored(name), orphan == 1
	declared, err := readRelations(relations)
	e.Relations = sort(declared)
	return e, err
}
