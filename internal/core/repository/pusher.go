package repository

import (
	"context"
	"encoding/json"
	"slices"
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

// pushesOfRange bounds how many pushes Pushers looks through.
const pushesOfRange = 5000

// Pushers gives the principals that pushed to a branch or tag after it was at from ("" for its beginning) and until it
// was at to, each once, without the platform itself. whole is false when the ledger does not tell of all of them among
// the newest pushes: then others may be among them.
func (p Platform) Pushers(ctx context.Context, repository, ref, from, to string) (who []string, whole bool, err error) {
	const none = "0000000000000000000000000000000000000000"
	inside := false
	var before int64
	for seen := 0; seen < pushesOfRange; {
		var entries []ledger.Entry
		err := p.s.db.Read(ctx, func(tx *store.Tx) (err error) {
			entries, err = p.s.ledger.List(ctx, tx, ledger.Query{
				Ref: Subject(repository), Types: []string{"repository.pushed"}, Descending: true, Limit: pushesLookedAt, Before: before,
			})
			return err
		})
		if err != nil {
			return nil, false, fault.Wrap(err, "find who pushed to %s", ref)
		}
		for _, e := range entries {
			var push Push
			if json.Unmarshal(e.Data, &push) != nil || push.Ref != ref {
				continue
			}
			if push.New == from && inside {
				return who, true, nil
			}
			if inside = inside || push.New == to; !inside {
				continue
			}
			if !push.Platform && e.Actor != "system" && !slices.Contains(who, e.Actor) {
				who = append(who, e.Actor)
			}
			if push.Old == from || push.Old == none || push.Old == "" {
				return who, true, nil
			}
		}
		if len(entries) < pushesLookedAt {
			return who, false, nil
		}
		seen, before = seen+len(entries), entries[len(entries)-1].Position
	}
	return who, false, nil
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
