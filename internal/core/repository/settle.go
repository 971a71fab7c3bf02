package repository

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	settleChunk    = 100         // references a transaction, so that none takes long
	settleAttempts = 5           // when somebody else settles at the same time
	settleTime     = time.Minute // of one settlement after a push, whatever happened to its request
)

// Settle records what was pushed to a repository and is not in the ledger yet. It can be called at any time and any
// number of times; each change of a reference gets exactly one entry.
func (s *Service) Settle(ctx context.Context, id string) error {
	return s.locked(ctx, id, func(*git.Git) error { return s.settle(ctx, id) })
}

// begin marks a repository whose lock is held: from now on its references may move, and m says by whom. What is not
// recorded yet is recorded first, in the name of who did it.
func (s *Service) begin(ctx context.Context, id string, m mark) error {
	settled, err := s.isSettled(ctx, id)
	if err == nil && !settled {
		err = s.settle(ctx, id)
	}
	if err != nil {
		return err
	}
	return fault.Wrap(s.db.Write(ctx, func(tx *store.Tx) error {
		if err := setDirty(ctx, tx, id, m); err != nil || len(m.leaks) == 0 {
			return err
		}
		r, err := byID(ctx, tx, id)
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, "repository.secrets-allowed", r, map[string]any{
			"repository": r.FullName(), "reason": m.options[OptionSecrets], "found": m.leaks,
		})
	}), "announce a push")
}

// isSettled tells whether the rows say what git's files say. Without the lock a push in between makes it false.
func (s *Service) isSettled(ctx context.Context, id string) (bool, error) {
	r, known, err := s.known(ctx, id)
	if err != nil || r.dirty != nil || r.partial() {
		return false, err
	}
	actual, err := s.git.Refs(ctx, s.folder(id))
	return err == nil && len(differences(r, known, actual)) == 0, err
}

// known gives a repository and its references as the rows have them, of one moment.
func (s *Service) known(ctx context.Context, id string) (r Repository, refs []Ref, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if r, err = byID(ctx, tx, id); err == nil {
			refs, err = listRefs(ctx, tx, id)
		}
		return err
	})
	return r, refs, err
}

// finish records what moved since begin. It does so even when ctx has ended; when it can't, the mark stays and Run
// tries again.
func (s *Service) finish(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	err := s.settle(ctx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		s.log.Error("record a push; it is tried again", "repository", id, "error", err)
		s.poke()
	}
	return err
}

func (s *Service) byID(ctx context.Context, id string) (r Repository, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err = byID(ctx, tx, id)
		return err
	})
	return r, err
}

// rowByID is byID with those that were deleted.
func (s *Service) rowByID(ctx context.Context, id string) (r Repository, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err = rowByID(ctx, tx, id)
		return err
	})
	return r, err
}

// settle is Settle under the repository's lock. Against a second server that shares the folder without the lock, the
// generation of the row keeps an older view from being written over a newer one.
func (s *Service) settle(ctx context.Context, id string) error {
	for range settleAttempts {
		r, known, err := s.known(ctx, id)
		if err != nil {
			return err
		}
		actual, err := s.git.Refs(ctx, s.folder(id))
		if err != nil {
			return err
		}
		moved := differences(r, known, actual)
		if len(moved) == 0 && r.dirty == nil && !r.partial() {
			return nil
		}
		if err := s.touch(ctx, r, moved); err != nil {
			return fault.Wrap(err, "record a push to %s", r.FullName())
		}
		done, err := s.record(ctx, r, moved, true)
		if done || err != nil {
			return fault.Wrap(err, "record a push to %s", r.FullName())
		}
	}
	return fault.Errorf(fault.Unavailable, "repository %s is changed all the time by somebody else", id)
}

// Touched gives the entities that a change touches; files gives the files that it changes, and is nil when that is not
// known.
type Touched func(ctx context.Context, space, repository string, files func() ([]string, error)) ([]string, error)

// Touching has entries name the entities that they touch. Call it before Run.
func (s *Service) Touching(t Touched) { s.touched = t }

// touchedPushes is how many pushes that come together are told with the entities that they touch.
const touchedPushes = 10

// touch finds the entities that pushes touch.
func (s *Service) touch(ctx context.Context, r Repository, moved []Push) (err error) {
	if s.touched == nil {
		return nil
	}
	for i := range moved[:min(len(moved), touchedPushes)] {
		p := &moved[i]
		if p.New == Zero || !r.announces(*p) {
			continue
		}
		var files func() ([]string, error)
		if p.Old != Zero && isFolder(s.folder(r.ID)) {
			files = func() ([]string, error) { return s.changedPaths(ctx, r.ID, p.Old, p.New) }
		}
		if p.touches, err = s.touched(ctx, r.Space, r.FullName(), files); err != nil {
			return err
		}
	}
	return nil
}

// Touched gives the entities that the change from one commit to another touches, at most 100.
func (p Platform) Touched(ctx context.Context, repository, from, to string) ([]string, error) {
	r, err := p.s.find(ctx, repository)
	if err != nil || p.s.touched == nil {
		return nil, err
	}
	return p.s.touched(ctx, r.Space, r.FullName(), func() ([]string, error) { return p.ChangedPaths(ctx, repository, from, to) })
}

// differences gives what moved, by name of the reference.
func differences(r Repository, known []Ref, actual map[string]string) []Push {
	var moved []Push
	seen := make(map[string]bool, len(known))
	for _, k := range known {
		seen[k.Name] = true
		hash, exists := actual[k.Name]
		if !exists {
			hash = Zero
		}
		if hash != k.Hash {
			moved = append(moved, Push{Repository: r.FullName(), Ref: k.Name, Old: k.Hash, New: hash})
		}
	}
	for name, hash := range actual {
		if !seen[name] {
			moved = append(moved, Push{Repository: r.FullName(), Ref: name, Old: Zero, New: hash})
		}
	}
	slices.SortFunc(moved, func(a, b Push) int { return cmp.Compare(a.Ref, b.Ref) })
	return moved
}

// record writes the differences in transactions of settleChunk; with the last one the mark goes. complete says that they were
// looked for among all references. It gives false when the repository is no longer at the generation at which the differences were
// found.
func (s *Service) record(ctx context.Context, r Repository, moved []Push, complete bool) (done bool, err error) {
	generation := r.generation
	for first := true; first || len(moved) > 0; first = false {
		chunk := moved[:min(len(moved), settleChunk)]
		moved = moved[len(chunk):]
		current := false
		err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
			current, err = s.recordChunk(ctx, tx, r, generation, chunk, len(moved) == 0, complete)
			return err
		})
		if err != nil || !current {
			return false, err
		}
		generation++
	}
	s.count(r.ID, 1)
	s.exchanges.poke() // mirrors
	return true, nil
}

func (s *Service) recordChunk(ctx context.Context, tx *store.Tx, r Repository, generation int64, chunk []Push, last, complete bool) (bool, error) {
	now := s.now()
	var pushed time.Time
	if len(chunk) > 0 {
		pushed = now
	}
	current, err := setSettled(ctx, tx, r.ID, generation, last, pushed)
	if err != nil || !current {
		return false, err
	}
	if len(chunk) > 0 {
		if err := mirrorsDue(ctx, tx, r.ID, now); err != nil {
			return false, err
		}
	}
	for _, p := range chunk {
		by, err := s.mover(ctx, tx, r, p)
		if err != nil {
			return false, err
		}
		p.Platform, p.Options, p.Sender = by.platform, by.options, by.sender
		// The entry is of whoever was marked, never of whoever happens to settle.
		ctx := ledger.WithCause(actor.AsSystem(ctx), by.cause)
		if err := setRef(ctx, tx, r.ID, p.Ref, p.New, by.actor, now); err != nil {
			return false, err
		}
		if p.Platform && p.New != Zero {
			if err := addPlatformCommit(ctx, tx, r.ID, p.New); err != nil {
				return false, err
			}
		}
		if !r.announces(p) {
			continue
		}
		data, err := json.Marshal(p)
		if err != nil {
			return false, err
		}
		if _, err := s.ledger.Append(ctx, tx, ledger.Entry{
			Actor: by.actor, Space: r.Space, Type: "repository.pushed", Subject: r.Subject(), Refs: append([]string{r.ID}, p.touches...), Run: by.run, Data: data,
		}); err != nil {
			return false, err
		}
	}
	if r.Outside != nil && last {
		return true, setFetched(ctx, tx, r.ID, now, complete)
	}
	return true, nil
}

// mover gives who moved a reference.
func (s *Service) mover(ctx context.Context, tx *store.Tx, r Repository, p Push) (mark, error) {
	if r.Outside != nil {
		by, err := outgoing(ctx, tx, r.ID, p.Ref, p.New, s.now().Add(-outgoingFor))
		if err == nil {
			return by, dropOutgoing(ctx, tx, r.ID, p.Ref, p.New)
		}
		if !fault.Is(err, fault.NotFound) {
			return by, err
		}
	}
	by := mark{actor: "system"} // somebody at a forge, or who changed the folder past the server
	if r.dirty != nil {
		by = *r.dirty
	}
	if r.met(p) {
		by.options = map[string]string{OptionSkip: ""}
	}
	return by, nil
}
