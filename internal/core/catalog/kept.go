package catalog

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// kept are entities that were read before: of those that are asked for again only what changes without a version is read,
// not the document. It is bounded by the size of the documents.
type kept struct {
	mu   sync.Mutex
	rows map[string]row
	size int
}

const (
	mostKept  = 8 << 20 // bytes of documents; what is made of them takes several times that
	keptOver  = 512     // what an entity takes beside its document
	largeKept = 64 << 10
)

// has gives an entity as the facts say that it is. The version alone would not do: one that a transaction has read which
// was undone may come again with another text.
func (k *kept) has(f facts) (row, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.rows[f.name]
	return e, ok && e.Version == f.version && e.UID == f.uid && e.Etag == f.etag && store.Micros(e.Updated) == f.updated
}

func (k *kept) keep(name string, e row) {
	size := len(e.document) + keptOver
	if size > largeKept {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.rows[name]; ok {
		k.size -= len(old.document) + keptOver
	}
	for other, old := range k.rows { // in no order: as good as any
		if k.size+size <= mostKept {
			break
		}
		k.size -= len(old.document) + keptOver
		delete(k.rows, other)
	}
	k.rows[name] = e
	k.size += size
}

// facts are what is read of an entity each time.
type facts struct {
	name, uid, space, etag, path, err, status, condition string
	version                                              int
	updated                                              int64
}

const readFacts = `SELECT e.ref, e.uid, e.version, e.space, e.etag, e.updated, e.path, e.error, COALESCE(s.status, ''), COALESCE(s.condition, '')
FROM entities e LEFT JOIN entity_statuses s ON s.ref = e.ref WHERE e.ref IN (`

func scanFacts(r store.Row) (f facts, err error) {
	return f, r.Scan(&f.name, &f.uid, &f.version, &f.space, &f.etag, &f.updated, &f.path, &f.err, &f.status, &f.condition)
}

// read gives entities by reference, those that are there and of which may says so, without the relations of others.
func (s *Service) read(ctx context.Context, tx *store.Tx, names []string, may func(space string) bool) ([]Entity, error) {
	in, args := numbered(1, names)
	rows, err := tx.Query(ctx, readFacts+in+`)`, args...)
	found, err := store.Collect(rows, err, scanFacts)
	if err != nil {
		return nil, err
	}
	list := make([]row, 0, len(found))
	seen := make([]facts, 0, len(found))
	var missing []string
	for _, f := range found {
		if !may(f.space) {
			continue
		}
		e, ok := s.kept.has(f)
		if !ok {
			missing = append(missing, f.name)
		}
		list, seen = append(list, e), append(seen, f)
	}
	if err := s.readMissing(ctx, tx, missing, list, seen); err != nil {
		return nil, err
	}
	entities := make([]Entity, len(list))
	for i, e := range list {
		f := seen[i]
		e.path, e.Error, e.Condition = f.path, f.err, f.condition
		e.Document.Origin.File = f.path
		if f.status != "" {
			e.Status = json.RawMessage(f.status)
		}
		e.Relations = e.declared
		list[i], entities[i] = e, e.Entity
	}
	return entities, addFiles(ctx, tx, entities, list)
}

// readMissing fills in the entities that are not kept.
func (s *Service) readMissing(ctx context.Context, tx *store.Tx, names []string, list []row, seen []facts) error {
	if len(names) == 0 {
		return nil
	}
	fresh := make(map[string]row, len(names))
	err := inParts(names, func(part []string) error {
		in, args := numbered(1, part)
		rows, err := tx.Query(ctx, `SELECT `+entityColumns+` FROM entities e WHERE e.ref IN (`+in+`)`, args...)
		found, err := store.Collect(rows, err, scanRow)
		for _, e := range found {
			e.declared = sorted(e.declared)
			name := e.Ref.String()
			fresh[name] = e
			s.kept.keep(name, e)
		}
		return err
	})
	for i, f := range seen {
		if e, ok := fresh[f.name]; ok {
			list[i] = e
		}
	}
	return fault.Wrap(err, "read entities")
}
