package catalog

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Fed is an entity as it is now, for who keeps an index of their own.
type Fed struct {
	Ref      string
	Space    string // "" with Owner and Document once it is gone
	Owner    string // reference; "" when there is none
	Document []byte // JSON
}

const (
	fedAtOnce = 500 // entities that a feed gives at once, at most
	calmTime  = 20 * time.Second
	calmAgain = 100 * time.Millisecond
)

// Feed tells of the entities that changed after a position of the ledger, each as it is now, a part at a time, and gives the
// position that it came to. After a position below 0 it tells of all. It asks for no right: who makes answers of it does.
func (s *Service) Feed(ctx context.Context, after int64, fn func([]Fed) error) (position int64, err error) {
	if after < 0 {
		return s.feedAll(ctx, fn)
	}
	return s.changed(ctx, after, func(_ []ledger.Entry, names []string) error {
		if len(names) > fedAtOnce {
			if err := s.Calm(ctx); err != nil {
				return err
			}
		}
		return inParts(names, func(some []string) error { return s.feedSome(ctx, some, fn) })
	})
}

// Calm waits while many entities are being taken in, so that these have the processor; for longer than calmTime, 20 s, it does
// not. It asks for no right: it is for rooms that follow the catalog.
func (s *Service) Calm(ctx context.Context) error {
	for late := time.Now().Add(calmTime); s.bringing.Load() > 0 && time.Now().Before(late); {
		select {
		case <-time.After(calmAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// changed gives the entries after a position that made versions, with the entities that they made them of, a part at a time, and
// the position that it came to.
func (s *Service) changed(ctx context.Context, after int64, fn func(entries []ledger.Entry, names []string) error) (position int64, err error) {
	for {
		var entries []ledger.Entry
		var names []string
		const most = 500
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			if position, _, err = s.ledger.Head(ctx, tx); err != nil || position == after {
				return err
			}
			if entries, err = s.ledger.List(ctx, tx, ledger.Query{After: after, Types: changeTypes, Limit: most}); err != nil || len(entries) == 0 {
				return err
			}
			names, err = changedBy(ctx, tx, entries)
			return err
		})
		if err != nil {
			return after, fault.Wrap(err, "read what changed in the catalog")
		}
		if err := fn(entries, names); err != nil {
			return after, err
		}
		if len(entries) < most {
			return position, nil
		}
		after = entries[most-1].Position
	}
}

// changedBy gives the entities of which entries made versions.
func changedBy(ctx context.Context, tx *store.Tx, entries []ledger.Entry) ([]string, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	in, args := numbered(1, ids)
	rows, err := tx.Query(ctx, `SELECT DISTINCT ref FROM entity_versions WHERE entry IN (`+in+`) ORDER BY ref`, args...)
	return store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
}

// Movement is a part of what changed.
type Movement struct {
	Refs  []string // what changed, with what it pointed at before or points at now
	Other []string // of what changed, that of which Known gives something else than before
}

// Moved tells which entities changed after a position of the ledger, a part at a time, and gives the position that it came to. It
// asks for no right.
func (s *Service) Moved(ctx context.Context, after int64, fn func(Movement) error) (position int64, err error) {
	return s.changed(ctx, after, func(entries []ledger.Entry, names []string) error {
		for part := range slices.Chunk(names, fedAtOnce) {
			around, err := s.around(ctx, entries, part)
			if err != nil {
				return fault.Wrap(err, "read what changed in the catalog")
			}
			if err := fn(around); err != nil {
				return err
			}
		}
		return nil
	})
}

// around looks at entities' versions by some entries, and at the ones before.
func (s *Service) around(ctx context.Context, entries []ledger.Entry, names []string) (Movement, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	m := Movement{Refs: slices.Clone(names)}
	was := map[string]map[int]Known{} // by reference and version
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		in, args := numbered(1, ids)
		of, more := numbered(1+len(args), names)
		rows, err := tx.Query(ctx, `SELECT v.ref, v.version, v.space, v.document FROM entity_versions v JOIN entity_versions n ON n.ref = v.ref AND v.version IN (n.version, n.version - 1)
 WHERE n.entry IN (`+in+`) AND n.ref IN (`+of+`)`, append(args, more...)...)
		_, err = store.Collect(rows, err, func(r store.Row) (none struct{}, err error) {
			var name, text string
			var version int
			var k Known
			if err := r.Scan(&name, &version, &k.Space, &text); err != nil {
				return none, err
			}
			if was[name] == nil {
				was[name] = map[int]Known{}
			}
			if was[name][version] = (Known{}); text == "" {
				return none, nil // it was deleted
			}
			d, err := document.FromJSON([]byte(text))
			if err != nil {
				return none, err
			}
			relations := s.declares(d)
			owner := change{declared: relations}.owner()
			for _, relation := range relations {
				m.Refs = append(m.Refs, relation.Target.String())
			}
			k.Owner = owner.String()
			k.Type, _ = d.Spec["type"].(string)
			k.Lifecycle, _ = d.Spec["lifecycle"].(string)
			was[name][version] = k
			return none, nil
		})
		return err
	})
	for _, name := range names {
		versions := slices.Collect(maps.Values(was[name]))
		if len(versions) < 2 || slices.ContainsFunc(versions, func(k Known) bool { return k != versions[0] }) {
			m.Other = append(m.Other, name)
		}
	}
	slices.Sort(m.Refs)
	m.Refs = slices.Compact(m.Refs)
	return m, err
}

func scanFed(r store.Row) (f Fed, err error) {
	var text string
	err = r.Scan(&f.Ref, &f.Space, &f.Owner, &text)
	f.Document = []byte(text)
	return f, err
}

func (s *Service) feedSome(ctx context.Context, names []string, fn func([]Fed) error) error {
	var found []Fed
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		in, args := numbered(1, names)
		rows, err := tx.Query(ctx, `SELECT ref, space, owner, document FROM entities WHERE ref IN (`+in+`)`, args...)
		found, err = store.Collect(rows, err, scanFed)
		return err
	})
	if err != nil {
		return fault.Wrap(err, "read entities that changed")
	}
	there := make(map[string]bool, len(found))
	for _, f := range found {
		there[f.Ref] = true
	}
	for _, name := range names {
		if !there[name] {
			found = append(found, Fed{Ref: name})
		}
	}
	return fn(found)
}

func (s *Service) feedAll(ctx context.Context, fn func([]Fed) error) (position int64, err error) {
	if _, err := s.current(ctx); err != nil { // which is waited for by more people
		return 0, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		position, _, err = s.ledger.Head(ctx, tx)
		return err
	})
	for last := ""; err == nil; {
		var part []Fed
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT ref, space, owner, document FROM entities WHERE ref > $1 ORDER BY ref LIMIT $2`, last, fedAtOnce)
			part, err = store.Collect(rows, err, scanFed)
			return err
		})
		if err == nil && len(part) > 0 {
			err = fn(part)
		}
		if len(part) < fedAtOnce {
			break
		}
		last = part[fedAtOnce-1].Ref
	}
	return position, fault.Wrap(err, "read all entities")
}
