package access

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// snapshot gives the current state, read anew when anything was committed here since it was read.
func (s *Service) snapshot(ctx context.Context) (*snapshot, error) {
	if snap := s.current.Load(); snap != nil && snap.mark == s.wanted.Load() {
		return snap, nil
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	mark := s.wanted.Load()
	if snap := s.current.Load(); snap != nil && snap.mark == mark {
		return snap, nil
	}
	var snap *snapshot
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		snap, err = load(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fault.Wrap(err, "read spaces and roles")
	}
	snap.mark = mark
	s.current.Store(snap)
	return snap, nil
}

// changed makes the snapshots of every server stale once tx has committed.
func (s *Service) changed(ctx context.Context, tx *store.Tx) error {
	if err := raiseGeneration(ctx, tx); err != nil {
		return err
	}
	tx.OnCommit(func() { s.wanted.Add(1) })
	return nil
}

// followPause is how long changes of other servers are gathered before they are looked for again.
const followPause = 50 * time.Millisecond

// Run follows the changes that other servers commit, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var after int64
	for {
		if err := s.follow(ctx, &after); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "access can't follow the ledger; it tries again", "error", err)
			if !pause(ctx, time.Second) {
				return nil
			}
		}
		if !pause(ctx, followPause) {
			return nil
		}
	}
}

// follow waits for a new entry of the ledger and marks the snapshot stale when the documents of this room changed.
func (s *Service) follow(ctx context.Context, after *int64) error {
	if err := s.ledger.Wait(ctx, *after); err != nil {
		return err
	}
	var generation int64
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if *after, _, err = s.ledger.Head(ctx, tx); err != nil {
			return err
		}
		generation, err = readGeneration(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	if snap := s.current.Load(); snap != nil && snap.generation < generation {
		s.wanted.Add(1)
	}
	return nil
}

// pause waits, and gives false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
