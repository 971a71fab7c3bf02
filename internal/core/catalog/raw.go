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
	Entity        // without Document, Status and what tells of its versions
	Text   []byte // of the document, in its canonical form
}

// Raws is ByRefs for those who send documents on.
func (s *Service) Raws(ctx context.Context, refs []ref.Entity) ([]*Raw, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	moment := s.db.Moment(ctx)
	byRef := make(map[ref.Entity]*Raw, len(refs))
	var found []row
	err = among(s.db.Dialect(), nil, texts(refs), func(in string, args []any) error {
		return s.db.ReadOne(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT ref, uid, space, source, path, etag, error, orphan, document, relations FROM entities WHERE ref `+in, args...)
			part, err := store.Collect(rows, err, scanRaw)
			found = append(found, part...)
			return err
		})
	})
	if err == nil {
		found = slices.DeleteFunc(found, func(e row) bool { return !visible.Has(e.Space) })
		err = s.addFiles(ctx, s.alone(ctx), found, moment)
	}
	if err != nil {
		return nil, fault.Wrap(err, "read entities")
	}
	entities := make([]Entity, len(found))
	for i, e := range found {
		entities[i] = e.Entity
	}
	addInverse(x, visible, entities)
	for i, e := range entities {
		byRef[e.Ref] = &Raw{e, found[i].document}
	}
	list := make([]*Raw, len(refs))
	for i, r := range refs {
		list[i] = byRef[r]
	}
	return list, nil
}

func scanRaw(r store.Row) (e row, err error) {
	var name, text, relations string
	var orphan int64
	if err := r.Scan(&name, &e.UID, &e.Space, &e.Source, &e.path, &e.Etag, &e.Error, &orphan, &text, &relations); err != nil {
		return e, err
	}
	e.Ref, e.document, e.Orphan = parseStored(name), []byte(text), orphan == 1
	declared, err := readRelations(relations)
	e.Relations = sorted(declared)
	return e, err
}
