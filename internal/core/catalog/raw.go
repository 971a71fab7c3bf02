package catalog

import (
	"context"
	"slices"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// Raw is an entity whose document is left as it is kept: for those who send it on.
type Raw struct {
	*Entity        // without Document, Status and what tells of its versions; nil where there is nothing
	Text    []byte // of the document, in its canonical form
}

// Raws are entities that are sent on, and the memory that they are in.
type Raws struct {
	All []Raw // as long as Release has not been called

	rows      []row
	at        []int // which hit each of rows is of
	missing   []int // hits
	refs      []string
	texts     [][]byte // as they are on the shelf
	plain     []byte
	relations []document.Relation
}

// Lists of entities are what is asked for most, so that what is read for one serves for those after it.
var rawsPool = sync.Pool{New: func() any { return &Raws{} }}

const mostKeptRaws = 1 << 20 // bytes of documents, in what is kept for the next list

// Release gives the memory back: nothing of All may be used afterwards.
func (l *Raws) Release() {
	if cap(l.plain) > mostKeptRaws {
		return
	}
	clear(l.All)
	clear(l.rows)
	clear(l.refs)
	clear(l.texts)
	clear(l.relations)
	l.All, l.rows, l.at, l.missing, l.refs = l.All[:0], l.rows[:0], l.at[:0], l.missing[:0], l.refs[:0]
	l.texts, l.plain, l.relations = l.texts[:0], l.plain[:0], l.relations[:0]
	rawsPool.Put(l)
}

// Raws gives what hits are of, for those who send documents on, in their order: the zero Raw where there is nothing, or the
// reader may not see it. A hit is as Hits or Lookup gave it; one may be zero.
func (s *Service) Raws(ctx context.Context, hits []index.Hit) (*Raws, error) {
	x, visible, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	moment := s.db.MomentSince(ctx, x.Changed())
	l := rawsPool.Get().(*Raws)
	if err := s.collect(ctx, l, hits); err != nil {
		return nil, err
	}
	kept := 0
	for i := range l.rows {
		if visible.Has(l.rows[i].Space) {
			l.rows[kept], l.at[kept] = l.rows[i], l.at[i]
			kept++
		}
	}
	l.rows, l.at = l.rows[:kept], l.at[:kept]
	if err := s.addFiles(ctx, s.alone(ctx), pointers(l.rows), moment); err != nil {
		return nil, err
	}
	for _, at := range l.at {
		l.refs = append(l.refs, hits[at].Ref)
	}
	most := mostRelations(kept)
	for i, back := range x.Inverse(l.refs, visible, most+1) {
		l.relations = l.rows[i].addInverse(l.relations, back, most)
	}
	l.All = slices.Grow(l.All, len(hits))[:len(hits)]
	for i := range l.rows {
		l.All[l.at[i]] = Raw{&l.rows[i].Entity, l.rows[i].document}
	}
	return l, nil
}

// collect reads the rows of hits, those that are on the shelf from there.
func (s *Service) collect(ctx context.Context, l *Raws, hits []index.Hit) error {
	if err := s.shelf.take(l, hits); err != nil || len(l.missing) == 0 {
		return err
	}
	names := make([]string, len(l.missing))
	for i, at := range l.missing {
		names[i] = hits[at].Ref
	}
	read, err := s.rawRows(ctx, names)
	if err != nil {
		return err
	}
	byRef := make(map[string]*row, len(read))
	for _, e := range read {
		byRef[e.Ref.String()] = e
	}
	for _, i := range l.missing {
		if e := byRef[hits[i].Ref]; e != nil {
			s.shelf.put(hits[i], e)
			l.rows, l.at = append(l.rows, *e), append(l.at, i)
		}
	}
	return nil
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
