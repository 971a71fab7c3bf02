package catalog

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const userKind = "user"

// People gives the opaque ids by which the ledger knows users, since what is in the ledger can't be forgotten.
type People interface {
	// PersonID gives the id of a user, in the transaction; "" when there is none. With declare it gives one to a new user.
	PersonID(ctx context.Context, tx *store.Tx, user ref.Entity, declare bool) (string, error)
}

// Know has the ledger name users as p does. It comes before the first document; without it references stand for users.
func (s *Service) Know(p People) { s.people = p }

// named gives what an entity is called in the ledger; "" for a user who is not declared.
func (s *Service) named(ctx context.Context, tx *store.Tx, r ref.Entity, declare bool) (string, error) {
	if r.Kind != userKind || s.people == nil {
		return r.String(), nil
	}
	id, err := s.people.PersonID(ctx, tx, r, declare)
	return id, fault.Wrap(err, "find the id of %s", r)
}

// targets gives the names of what relations point at, as many as an entry holds.
func (s *Service) targets(ctx context.Context, tx *store.Tx, relations []document.Relation) (names []string, err error) {
	for _, r := range relations[:min(len(relations), ledger.MaxRefs)] {
		name, err := s.named(ctx, tx, r.Target, false)
		if err != nil {
			return nil, err
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// forgetVersions takes what was declared of a person out of the history, when the person goes.
func forgetVersions(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	_, err := tx.Exec(ctx, `UPDATE entity_versions SET document = '' WHERE ref = $1`, r.String())
	return fault.Wrap(err, "forget the versions of %s", r)
}
