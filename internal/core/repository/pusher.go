package repository

import (
	"context"
	"encoding/json"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pushesLookedAt bounds how far back Pusher looks.
const pushesLookedAt = 200

// Pusher gives the principal that pushed a commit as the head of a branch or tag, as the ledger tells it among the
// newest pushes; "system" when it does not.
func (p Platform) Pusher(ctx context.Context, repository, commit string) (string, error) {
	e, found, err := p.s.pushOf(ctx, repository, func(push Push) bool { return push.New == commit })
	if err != nil {
		return "", fault.Wrap(err, "find who pushed %s", commit)
	}
	if !found {
		return "system", nil
	}
	return e.Actor, nil
}

// Pushed gives when a commit became the head of a branch or tag: of what is the head now, and otherwise as the ledger
// tells it among the newest pushes; zero when it does not.
func (p Platform) Pushed(ctx context.Context, repository, ref, commit string) (time.Time, error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return time.Time{}, err
	}
	var at int64
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT updated FROM repository_refs WHERE repository = $1 AND name = $2 AND hash = $3`, r.ID, ref, commit).Scan(&at)
	})
	if err == nil {
		return store.FromMicros(at), nil
	}
	if !fault.Is(err, fault.NotFound) {
		return time.Time{}, fault.Wrap(err, "find when %s was pushed", commit)
	}
	e, _, err := p.s.pushOf(ctx, repository, func(push Push) bool { return push.New == commit && push.Ref == ref })
	return e.Time, fault.Wrap(err, "find when %s was pushed", commit)
}

// pushOf gives the newest push that is wanted.
func (s *Service) pushOf(ctx context.Context, repository string, wanted func(Push) bool) (e ledger.Entry, found bool, err error) {
	var entries []ledger.Entry
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		entries, err = s.ledger.List(ctx, tx, ledger.Query{
			Ref: Subject(repository), Types: []string{"repository.pushed"}, Descending: true, Limit: pushesLookedAt,
		})
		return err
	})
	for _, e := range entries {
		var push Push
		if json.Unmarshal(e.Data, &push) == nil && wanted(push) {
			return e, true, nil
		}
	}
	return ledger.Entry{}, false, err
}
