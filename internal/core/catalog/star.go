package catalog

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// mostStars is how many entities somebody has starred at most.
const mostStars = 1000

// person gives the id of the reader, for what is kept for each.
func person(ctx context.Context) (string, error) {
	who := actor.From(ctx)
	if who.Kind != actor.User && who.Kind != actor.Machine {
		return "", fault.Errorf(fault.Denied, "stars and views are kept for people and machines who have signed in")
	}
	return who.ID, nil
}

// Star has the reader find an entity among the starred ones, or no longer. It needs entity:read in its space; otherwise it is
// fault.NotFound. A star may be taken from what is gone.
func (s *Service) Star(ctx context.Context, r ref.Entity, starred bool) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	space := access.Root
	if starred {
		e, err := s.Get(ctx, r)
		if err != nil {
			return err
		}
		space = e.Space
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		kind := "star.removed"
		var n int64
		var err error
		if starred {
			kind = "star.added"
			n, err = tx.Exec(ctx, `INSERT INTO entity_stars (person, ref, starred) SELECT $1, $2, CAST($3 AS BIGINT) WHERE (SELECT COUNT(*) FROM entity_stars WHERE person = $1) < $4
ON CONFLICT (person, ref) DO NOTHING`, who, r.String(), store.Micros(s.now()), mostStars)
		} else {
			n, err = tx.Exec(ctx, `DELETE FROM entity_stars WHERE person = $1 AND ref = $2`, who, r.String())
		}
		if err != nil {
			return fault.Wrap(err, "star %s", r)
		}
		if n == 0 && starred {
			return s.starsFull(ctx, tx, who, r)
		}
		if n == 0 {
			return nil
		}
		subject, err := s.named(ctx, tx, r, false)
		if err != nil || subject == "" {
			return err
		}
		_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: subject})
		return fault.Wrap(err, "note a star")
	})
}

// starsFull tells why no star was added: there is one already, or there are too many.
func (s *Service) starsFull(ctx context.Context, tx *store.Tx, who string, r ref.Entity) error {
	var there int
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM entity_stars WHERE person = $1 AND ref = $2`, who, r.String()).Scan(&there)
	if err != nil || there > 0 {
		return fault.Wrap(err, "look for a star")
	}
	return fault.Errorf(fault.Conflict, "you have starred %d entities, which is as many as are kept; take some stars away first", mostStars)
}

// Stars gives the references that the reader has starred, the latest first; some may be gone.
func (s *Service) Stars(ctx context.Context) (refs []ref.Entity, err error) {
	who, err := person(ctx)
	if err != nil {
		return nil, nil //nolint:nilerr // who has not signed in has starred nothing
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT ref FROM entity_stars WHERE person = $1 ORDER BY starred DESC, ref`, who)
		refs, err = store.Collect(rows, err, func(r store.Row) (ref.Entity, error) {
			var name string
			err := r.Scan(&name)
			return parseStored(name), err
		})
		return err
	})
	return refs, fault.Wrap(err, "list what is starred")
}

// starred gives what the reader has starred, for a query.
func (s *Service) starred(ctx context.Context) (index.Refs, error) {
	refs, err := s.Stars(ctx)
	return index.Refs(texts(refs)), err
}
