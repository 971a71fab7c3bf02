package catalog

import (
	"context"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// removal deletes entities of a source, in chunks.
type removal struct {
	s          *Service
	space      string
	source     string
	repository string
	still      func(ctx context.Context, tx *store.Tx) error // fails when this removal has become pointless
	told       *int                                          // changes that have an entry of their own
}

// all deletes entities: those of kinds that others keep one by one, at the end and in the order in which they can go.
func (r *removal) all(ctx context.Context, refs []ref.Entity) error {
	var many, singles []ref.Entity
	for _, e := range refs {
		if kind, known := r.s.registry.ByName(e.Kind); alone(kind) || !known {
			singles = append(singles, e)
		} else {
			many = append(many, e)
		}
	}
	for size := firstChunk; len(many) > 0; {
		part := many[:min(size, len(many))]
		began := time.Now()
		if err := r.many(ctx, part); err != nil {
			return err
		}
		if time.Since(began) > chunkTime {
			size = max(leastChunk, size/2)
		} else {
			size = min(mostChunk, size*3/2)
		}
		many = many[len(part):]
	}
	return r.singles(ctx, singles)
}

func (r *removal) singles(ctx context.Context, refs []ref.Entity) error {
	if len(refs) == 0 {
		return nil
	}
	var documents []document.Document
	err := r.s.db.Read(ctx, func(tx *store.Tx) error {
		documents = nil
		return among(tx.Dialect(), nil, texts(refs), func(in string, args []any) error {
			rows, err := tx.Query(ctx, `SELECT `+entityColumns+` FROM entities e WHERE e.ref `+in, args...)
			found, err := store.Collect(rows, err, scanPlain)
			for _, e := range found {
				documents = append(documents, e.Document)
			}
			return err
		})
	})
	if err != nil {
		return fault.Wrap(err, "read what is to be deleted")
	}
	slices.SortFunc(documents, func(a, b document.Document) int { return compareRefs(a.Ref(), b.Ref()) })
	inOrder(documents)
	slices.Reverse(documents)
	for part := range slices.Chunk(documents, chunk) {
		err := r.some(ctx, part)
		if fault.KindOf(err) == fault.Conflict { // something can't go, such as a kind that others are of
			err = r.oneByOne(ctx, part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *removal) some(ctx context.Context, part []document.Document) error {
	refs := make([]ref.Entity, len(part))
	for i, d := range part {
		refs[i] = d.Ref()
	}
	return r.s.db.Write(ctx, func(tx *store.Tx) error {
		if err := r.still(ctx, tx); err != nil {
			return err
		}
		gone, _, err := r.own(ctx, tx, refs)
		if err != nil {
			return err
		}
		return r.each(ctx, tx, gone)
	})
}

// own gives those that are the source's still: another one may have taken up an orphan meanwhile.
func (r *removal) own(ctx context.Context, tx *store.Tx, refs []ref.Entity) (gone []ref.Entity, had map[ref.Entity]present, err error) {
	part := make([]change, len(refs))
	for i, e := range refs {
		part[i].name = e
	}
	had, err = presentOf(ctx, tx, part)
	for _, e := range refs {
		if p, there := had[e]; there && p.source == r.source && p.space == r.space {
			gone = append(gone, e)
		}
	}
	return gone, had, err
}

// each deletes entities with an entry in the ledger each.
func (r *removal) each(ctx context.Context, tx *store.Tx, gone []ref.Entity) error {
	had := map[ref.Entity]string{}
	for _, e := range gone {
		had[e] = ""
	}
	_, err := r.s.removeAll(ctx, tx, had, func(document.Kind) error { return nil })
	return err
}

// oneByOne deletes what can go, and has the others say why they stay.
func (r *removal) oneByOne(ctx context.Context, part []document.Document) error {
	for _, d := range part {
		err := r.some(ctx, []document.Document{d})
		if fault.KindOf(err) == fault.Conflict {
			why := "its file declares it no more, but it can't go: " + fault.Message(err)
			err = r.s.db.Write(ctx, func(tx *store.Tx) error {
				return r.s.mark(ctx, tx, r.space, ofSource(r.source), []string{d.Ref().String()}, why)
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// many deletes entities whose kinds nobody else keeps, in one transaction. Those that are another source's by now stay.
func (r *removal) many(ctx context.Context, refs []ref.Entity) error {
	s := r.s
	told := 0
	err := s.db.Write(store.Long(ctx), func(tx *store.Tx) error {
		told = 0
		if err := r.still(ctx, tx); err != nil {
			return err
		}
		gone, had, err := r.own(ctx, tx, refs)
		if err != nil {
			return err
		}
		if told = len(gone); told == 0 {
			return nil
		}
		if *r.told+told <= mostOwnEntry {
			return r.each(ctx, tx, gone)
		}
		return r.write(ctx, tx, gone, had)
	})
	*r.told += told
	return err
}

func (r *removal) write(ctx context.Context, tx *store.Tx, gone []ref.Entity, had map[ref.Entity]present) error {
	s := r.s
	entry, err := s.tellMany(ctx, tx, r.space, r.source, "", r.repository, map[Action]int{Deleted: len(gone)})
	if err != nil {
		return err
	}
	names := texts(gone)
	for _, statement := range []string{
		`DELETE FROM entities WHERE ref `, `DELETE FROM entity_statuses WHERE ref `,
	} {
		err := among(tx.Dialect(), nil, names, func(in string, args []any) error {
			_, err := tx.Exec(ctx, statement+in, args...)
			return err
		})
		if err != nil {
			return fault.Wrap(err, "delete entities")
		}
	}
	now, who := s.now(), actorID(ctx)
	rows := make([][]any, len(gone))
	for i, e := range gone {
		p := had[e]
		rows[i] = []any{names[i], p.version + 1, p.uid, p.space, p.source, string(Deleted), "", "", who, store.Micros(now), entry}
	}
	if _, err := store.InsertMany(ctx, tx, insertVersion, "", rows); err != nil {
		return fault.Wrap(err, "write versions of entities")
	}
	tx.OnCommit(func() {
		s.follower.knows(entry)
		for i, e := range gone {
			s.follower.index.Delete(names[i], had[e].version+1)
		}
	})
	return nil
}

func texts(refs []ref.Entity) []string {
	names := make([]string, len(refs))
	for i, e := range refs {
		names[i] = e.String()
	}
	return names
}

func compareRefs(a, b ref.Entity) int { return compareText(a.String(), b.String()) }

const jobClear = "catalog.clear"

// clearArgs name a source of which all is to go.
type clearArgs struct {
	Space      string `json:"space"`
	Source     string `json:"source"`
	Repository string `json:"repository"`
	Keep       bool   `json:"keep,omitempty"` // orphans
}

// left is what is to go.
func (a clearArgs) left() string {
	if a.Keep {
		return ` FROM entities WHERE source = $1 AND space = $2 AND orphan = 0 `
	}
	return ` FROM entities WHERE source = $1 AND space = $2 `
}

// clearSoon deletes what came from a location that was removed: a few entities at once, many by a job.
func (s *Service) clearSoon(ctx context.Context, tx *store.Tx, a clearArgs, may func(document.Kind) error) error {
	rows, err := tx.Query(ctx, `SELECT kind, COUNT(*)`+a.left()+`GROUP BY kind ORDER BY kind`, a.Source, a.Space)
	n := 0
	kinds, err := store.Collect(rows, err, func(r store.Row) (kind string, err error) {
		var count int
		err = r.Scan(&kind, &count)
		n += count
		return kind, err
	})
	if err != nil {
		return fault.Wrap(err, "count what came from %s", a.Source)
	}
	for _, name := range kinds {
		kind, _ := s.registry.ByName(name)
		if err := may(kind); err != nil {
			return err
		}
	}
	if n > mostOwnEntry {
		return s.queue.Insert(ctx, tx, jobClear, a, queue.InsertOptions{Unique: a.Source})
	}
	had, err := a.some(ctx, tx)
	if err != nil {
		return err
	}
	if had, _, err = (&removal{space: a.Space, source: a.Source}).own(ctx, tx, had); err != nil {
		return err
	}
	left := make(map[ref.Entity]string, len(had))
	for _, e := range had {
		left[e] = ""
	}
	_, err = s.removeAll(ctx, tx, left, may)
	return err
}

// some gives the next that are to go.
func (a clearArgs) some(ctx context.Context, tx *store.Tx) ([]ref.Entity, error) {
	rows, err := tx.Query(ctx, `SELECT ref`+a.left()+`ORDER BY path LIMIT 20000`, a.Source, a.Space)
	return store.Collect(rows, err, func(r store.Row) (e ref.Entity, err error) {
		var name string
		err = r.Scan(&name)
		return parseStored(name), err
	})
}

// clear deletes all that came from a source that is no more. What can't go is an orphan from now on, which can be deleted alone.
func (s *Service) clear(ctx context.Context, a clearArgs) error {
	told := 0
	r := &removal{s: s, space: a.Space, source: a.Source, repository: a.Repository, told: &told, still: func(context.Context, *store.Tx) error { return nil }}
	var last []ref.Entity
	for {
		var refs []ref.Entity
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			refs, err = a.some(ctx, tx)
			return err
		})
		if err != nil || len(refs) == 0 {
			return fault.Wrap(err, "read what is left of %s", a.Source)
		}
		if slices.Equal(refs, last) {
			return s.db.Write(ctx, func(tx *store.Tx) error {
				left, _, err := r.own(ctx, tx, refs)
				if err != nil {
					return err
				}
				return s.keepOrphans(ctx, tx, a.Space, ofSource(a.Source), texts(left))
			})
		}
		if err := r.all(ctx, refs); err != nil {
			return err
		}
		last = refs
	}
}
