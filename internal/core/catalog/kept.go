package catalog

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// kept are entities that were read before. Of those that are asked for again only what changes without a version is read,
// and nothing while nobody has written anything. It is bounded by the size of the documents.
type kept struct {
	mu   sync.Mutex
	all  map[string]keptEntity
	size int
}

type keptEntity struct {
	row
	moment int64 // at which all of it was so; never for none
}

const (
	mostKept  = 8 << 20 // bytes of documents; what is made of them takes several times that
	keptOver  = 512     // what an entity takes beside its document
	largeKept = 64 << 10
	never     = store.NoMoment
)

// at gives an entity with all that belongs to it, if nothing was written since it was read.
func (k *kept) at(name string, moment int64) (Entity, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.all[name]
	return e.Entity, ok && e.moment == moment && moment != never
}

func (k *kept) knows(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.all[name]
	return ok
}

// as gives an entity as the facts say that it is. The version alone would not do: one that a transaction has read which
// was undone may come again with another text.
func (k *kept) as(f facts) (row, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.all[f.name]
	return e.row, ok && e.Version == f.version && e.UID == f.uid && e.Etag == f.etag && store.Micros(e.Updated) == f.updated
}

func (k *kept) keep(e row, moment int64) {
	name, size := e.Ref.String(), len(e.document)+keptOver
	if size > largeKept {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.all[name]; ok {
		k.size -= len(old.document) + keptOver
		delete(k.all, name)
	}
	for other, old := range k.all { // in no order: as good as any
		if k.size+size <= mostKept {
			break
		}
		k.size -= len(old.document) + keptOver
		delete(k.all, other)
	}
	k.all[name] = keptEntity{e, moment}
	k.size += size
}

// facts are what is read of an entity each time.
type facts struct {
	name, uid, space, etag, path, err, status, condition string
	version                                              int
	updated, orphan                                      int64
}

// statusColumns are asked for row by row, and not by a join: a plan that is kept would read all of a table that was empty when
// it was made.
const (
	statusColumns = `COALESCE((SELECT s.status FROM entity_statuses s WHERE s.ref = e.ref), ''), COALESCE((SELECT s.condition FROM entity_statuses s WHERE s.ref = e.ref), '')`
	readFacts     = `SELECT e.ref, e.uid, e.version, e.space, e.etag, e.updated, e.path, e.error, e.orphan, ` + statusColumns + ` FROM entities e WHERE e.ref `
	readWhole     = `SELECT ` + entityColumns + `, ` + statusColumns + ` FROM entities e WHERE e.ref `
)

func scanFacts(r store.Row) (f facts, err error) {
	return f, r.Scan(&f.name, &f.uid, &f.version, &f.space, &f.etag, &f.updated, &f.path, &f.err, &f.orphan, &f.status, &f.condition)
}

// asking is how statements are asked: all in one transaction, or each by itself.
type asking func(fn func(tx *store.Tx) error) error

func within(tx *store.Tx) asking { return func(fn func(tx *store.Tx) error) error { return fn(tx) } }

func (s *Service) alone(ctx context.Context) asking {
	return func(fn func(tx *store.Tx) error) error { return s.db.ReadOne(ctx, fn) }
}

const (
	fewNames     = 10              // that are asked for together with those of others
	gatherTime   = 5 * time.Second // that PostgreSQL may take for them
	gatherAtOnce = 2               // questions for them, so that the next is asked while one is answered
)

// gatherRows has few entities that several ask PostgreSQL for at the same time be read once.
func (s *Service) gatherRows() {
	s.gathered.Time, s.gathered.AtOnce = gatherTime, gatherAtOnce
	s.gathered.Ask = func(ctx context.Context, names []string) (map[string]row, error) {
		list, err := s.rows(ctx, s.alone(ctx), names)
		byName := make(map[string]row, len(list))
		for _, e := range list {
			byName[e.Ref.String()] = e
		}
		return byName, err
	}
}

// fetch gives entities by reference, those that are there and of which may says so, without the relations of others. moment is
// that of the database before, or never. Each is as it is at some time from now on: on PostgreSQL not all at the same, since a
// snapshot takes two more questions.
func (s *Service) fetch(ctx context.Context, names []string, moment int64, may func(space string) bool) (list []Entity, err error) {
	if s.db.Dialect() != store.Postgres {
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			list, err = s.read(ctx, tx, names, moment, may)
			return err
		})
		return list, err
	}
	var rows []row
	if len(names) > fewNames {
		rows, err = s.rows(ctx, s.alone(ctx), names)
	} else {
		var byName map[string]row
		byName, err = s.gathered.Of(ctx, s.db, names)
		for _, name := range names {
			if e, ok := byName[name]; ok {
				rows = append(rows, e)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return s.complete(ctx, s.alone(ctx), rows, moment, may)
}

// read is fetch within a transaction.
func (s *Service) read(ctx context.Context, tx *store.Tx, names []string, moment int64, may func(space string) bool) ([]Entity, error) {
	list, err := s.rows(ctx, within(tx), names)
	if err != nil {
		return nil, err
	}
	return s.complete(ctx, within(tx), list, moment, may)
}

// rows reads entities by reference, those that are there, but for where their files are. The rows are shared.
func (s *Service) rows(ctx context.Context, ask asking, names []string) ([]row, error) {
	var known, unknown []string
	for _, name := range names {
		if s.kept.knows(name) {
			known = append(known, name)
		} else {
			unknown = append(unknown, name)
		}
	}
	list := make([]row, 0, len(names))
	err := inFew(s.db.Dialect(), known, func(in string, args []any) error {
		return ask(func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, readFacts+in, args...)
			found, err := store.Collect(rows, err, scanFacts)
			for _, f := range found {
				e, ok := s.kept.as(f)
				if !ok {
					unknown = append(unknown, f.name)
					continue
				}
				e.path, e.Error, e.Orphan, e.Condition, e.Status = f.path, f.err, f.orphan == 1, f.condition, nil
				if f.status != "" {
					e.Status = json.RawMessage(f.status)
				}
				e.Document.Origin.File = f.path
				list = append(list, e)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	err = inFew(s.db.Dialect(), unknown, func(in string, args []any) error {
		return ask(func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, readWhole+in, args...)
			found, err := store.Collect(rows, err, scanWhole)
			list = append(list, found...)
			return err
		})
	})
	return list, err
}

// complete makes entities of rows, of those of which may says so.
func (s *Service) complete(ctx context.Context, ask asking, list []row, moment int64, may func(space string) bool) ([]Entity, error) {
	list = slices.DeleteFunc(list, func(e row) bool { return !may(e.Space) })
	if err := s.addFiles(ctx, ask, pointers(list), moment); err != nil {
		return nil, err
	}
	entities := make([]Entity, len(list))
	for i, e := range list {
		entities[i] = e.Entity
		s.kept.keep(e, moment)
	}
	return entities, nil
}

func scanWhole(r store.Row) (row, error) {
	var status string
	var condition string
	e, err := scanRow(r, &status, &condition)
	if status != "" {
		e.Status = json.RawMessage(status)
	}
	e.Condition, e.Relations = condition, sorted(e.declared)
	return e, err
}
