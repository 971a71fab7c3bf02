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

const (
	pushesAtOnce   = 200  // entries of the ledger that are read at a time
	pushesLookedAt = 5000 // how far back it is looked for a push
)

// Pusher gives the principal that made a commit the head of a branch or tag (a full reference). NotFound when it is not
// known, as of a commit that was never its head.
func (p Platform) Pusher(ctx context.Context, repository, ref, commit string) (who string, err error) {
	who, _, err = p.headed(ctx, repository, ref, commit)
	if fault.Is(err, fault.NotFound) {
		return "", fault.Errorf(fault.NotFound, "it is not known who pushed %s to %s of %s; push to it again", commit, ref, repository)
	}
	return who, fault.Wrap(err, "find who pushed %s", commit)
}

// Pushed gives when a commit became the head of a branch or tag; zero when it is not known.
func (p Platform) Pushed(ctx context.Context, repository, ref, commit string) (time.Time, error) {
	if _, err := p.s.find(ctx, repository); err != nil {
		return time.Time{}, err
	}
	_, at, err := p.headed(ctx, repository, ref, commit)
	if fault.Is(err, fault.NotFound) {
		return time.Time{}, nil
	}
	return at, fault.Wrap(err, "find when %s was pushed", commit)
}

// headed gives who made a commit the head of a reference, and when: of what is the head now by its row, which no number
// of other pushes hides, and otherwise by the newest entry that tells of it.
func (p Platform) headed(ctx context.Context, repository, ref, commit string) (who string, at time.Time, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return "", time.Time{}, err
	}
	err = p.s.db.Read(ctx, func(tx *store.Tx) (err error) {
		who, at, err = headOf(ctx, tx, r.ID, ref, commit)
		return err
	})
	if !fault.Is(err, fault.NotFound) {
		return who, at, err
	}
	found := false
	err = p.s.eachPush(ctx, r, ref, func(e ledger.Entry, push Push) (more bool) {
		if found = push.New == commit; found {
			who, at = e.Actor, e.Time
		}
		return !found
	})
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, "the ledger tells of no push of %s to %s", commit, ref)
	}
	return who, at, err
}

// Pushers gives the principals that pushed to a branch or tag after it was at from ("" for its beginning) and until it
// was at to, each once, without the platform itself. whole is false when others may be among them: the ledger does not
// tell of all of these pushes, or somebody changed the folder past the server.
func (p Platform) Pushers(ctx context.Context, repository, ref, from, to string) (who []string, whole bool, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, false, err
	}
	for wait := time.Now().Add(sealPatience); ; {
		who, whole, seen, err := p.pushers(ctx, r, ref, from, to)
		if err != nil || seen || !time.Now().Before(wait) {
			return who, whole, fault.Wrap(err, "find who pushed to %s", ref)
		}
		switch _, at, err := p.headed(ctx, repository, ref, to); {
		case fault.Is(err, fault.NotFound):
			return nil, false, nil // it was never there
		case err != nil:
			return nil, false, err
		case p.s.now().Sub(at) > sealPatience:
			return who, whole, nil // the ledger tells of no push, as of what a repository had when it was connected
		}
		select { // it is the head by its row, and its entry is about to be sealed
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// sealPatience is how long a push that has just been recorded is waited for, until the ledger tells of it.
const sealPatience = 3 * time.Second

// pushers is Pushers as the ledger tells now; seen is false when it does not tell of a push of to.
func (p Platform) pushers(ctx context.Context, r Repository, ref, from, to string) (who []string, whole, seen bool, err error) {
	inside, past, began := false, false, false
	err = p.s.eachPush(ctx, r, ref, func(e ledger.Entry, push Push) (more bool) {
		if began = inside && push.New == from; began {
			return false
		}
		if inside = inside || push.New == to; !inside {
			return true
		}
		switch {
		case push.Platform:
		case e.Actor == "system":
			past = true
		case !slices.Contains(who, e.Actor):
			who = append(who, e.Actor)
		}
		began = push.Old == from || push.Old == Zero
		return !began
	})
	return who, began && !past, inside, err
}

// eachPush gives the pushes to a reference of a repository, the newest first, whatever the repository was called then,
// until fn wants no more or pushesLookedAt were looked at.
func (s *Service) eachPush(ctx context.Context, r Repository, ref string, fn func(e ledger.Entry, push Push) (more bool)) error {
	var before int64
	for range pushesLookedAt / pushesAtOnce {
		var entries []ledger.Entry
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			entries, err = s.ledger.List(ctx, tx, ledger.Query{
				Ref: r.ID, Types: []string{"repository.pushed"}, Descending: true, Limit: pushesAtOnce, Before: before,
			})
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range entries {
			var push Push
			if err := json.Unmarshal(e.Data, &push); err != nil {
				return fault.Wrap(err, "read ledger entry %s", e.ID)
			}
			if push.Ref == ref && !fn(e, push) {
				return nil
			}
		}
		if len(entries) < pushesAtOnce {
			return nil
		}
		before = entries[len(entries)-1].Position
	}
	return nil
}
