package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// jobKind looks at the entities of a kind whose declaration has changed.
const jobKind = "catalog.kind"

type kindArgs struct {
	Kind  string `json:"kind"`  // in lower case
	Entry string `json:"entry"` // of the change
}

// byKind begins the errors of entities that are not what their kind asks for now.
const byKind = "its kind has changed, and it is not what that asks for: "

const kindChunk = 50

// kindAgain holds the entities of a kind to it again: those that are wrong stay, with their error, and relations become
// what the kind says now. Then locations are read again of which something was refused.
func (s *Service) kindAgain(ctx context.Context, a kindArgs) error {
	ctx = actor.AsSystem(ctx)
	s.registry.Refresh()
	kind, known := s.registry.ByName(a.Kind)
	if !known || kind.Declared != a.Entry {
		return nil // a later change has a job of its own
	}
	for after := ""; ; {
		var names []string
		err := s.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT ref FROM entities WHERE kind = $1 AND ref > $2 ORDER BY ref LIMIT $3`, a.Kind, after, kindChunk)
			names, err = store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
			return err
		})
		if err != nil || len(names) == 0 {
			if err == nil {
				err = s.enqueueWrong(ctx)
			}
			return fault.Wrap(err, "hold the entities of %s to it", a.Kind)
		}
		after = names[len(names)-1]
		err = s.db.Write(ctx, func(tx *store.Tx) error {
			for _, name := range names {
				if err := s.oneAgain(ctx, tx, kind, name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fault.Wrap(err, "hold the entities of %s to it", a.Kind)
		}
	}
}

func (s *Service) oneAgain(ctx context.Context, tx *store.Tx, kind document.Kind, name string) error {
	old, err := fetch(ctx, tx, parseStored(name))
	if err != nil || old == nil {
		return err
	}
	why := ""
	c, wrong := s.checkOne(old.Document)
	switch {
	case len(wrong) > 0:
		why = byKind + joined(wrong)
	case !slices.Equal(c.declared, old.declared):
		// The same document with other relations is another version, so that everybody who follows sees them.
		c.space, c.source, c.path, c.commit = old.Space, old.Source, old.path, old.Commit
		next, err := s.next(ctx, tx, old, c)
		if err != nil {
			return err
		}
		next.Error = old.Error
		told := document.Change{Ref: old.Ref, Space: old.Space, Old: &old.Document, New: &c.document}
		if err := s.commit(ctx, tx, old, next, Item{Ref: old.Ref, Action: Updated}, told, kind); err != nil {
			return err
		}
		if old.Orphan {
			if err := s.keepOrphans(ctx, tx, old.Space, ofSource(old.Source), []string{name}); err != nil {
				return err
			}
		}
	}
	if why == "" && !strings.HasPrefix(old.Error, byKind) {
		return nil // what else is wrong with it is not this job's
	}
	return s.mark(ctx, tx, old.Space, group{"kind", kind.Name}, []string{name}, why)
}

// enqueueWrong has locations read again of which something was not taken.
func (s *Service) enqueueWrong(ctx context.Context) error {
	for after := ""; ; {
		var ids []string
		err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
			if ids, err = wrongLocations(ctx, tx, after); err != nil {
				return err
			}
			for _, id := range ids {
				if err := s.enqueue(ctx, tx, id, whyPushed); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
	}
}
