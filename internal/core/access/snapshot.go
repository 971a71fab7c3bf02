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
	err := s.fresh(ctx, func(tx *store.Tx) (err error) {
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

// fresh reads what is committed now. A Read of this goroutine would join the transaction that the caller may be in,
// and what that one sees, older or not yet committed, must not be kept.
func (s *Service) fresh(ctx context.Context, fn func(tx *store.Tx) error) error {
	done := make(chan error, 1)
	go func() { done <- s.db.Read(ctx, fn) }()
	return <-done
}

// channel wakes the servers after changes to the rows of this room.
const channel = "access"

// changed makes the snapshots of every server stale once tx has committed.
func (s *Service) changed(ctx context.Context, tx *store.Tx) error {
	if err := raiseGeneration(ctx, tx); err != nil {
		return err
	}
	tx.OnCommit(func() { s.wanted.Add(1) })
	s.db.Notify(tx, channel)
	return nil
}

// poll is the safety net under lost wakes.
const poll = 2 * time.Second

// Run follows the changes that other servers commit, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	wake, stop := s.db.Listen(channel)
	defer stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if err := s.follow(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "access can't read its changes; it tries again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-tick.C:
		}
	}
}

// follow marks the snapshot stale when the rows of this room are newer.
func (s *Service) follow(ctx context.Context) error {
	var generation int64
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
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
