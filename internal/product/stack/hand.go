package stack

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// A person locks a state by `roadbed state lock`, or as a workspace is locked. Both are the same lock, and hold the stack too, so
// that runs wait for it in the queue and say so. A lock that an engine takes is none of these: it is gone in a moment.

// handLock begins the ids of locks that people take.
const handLock = "hand:"

// holdByHand has runs wait for a lock that a person has taken. Conflict when a run holds the stack.
func (s *Service) holdByHand(ctx context.Context, tx *store.Tx, stack Stack, id string) error {
	if !strings.HasPrefix(id, handLock) || actor.From(ctx).Run != "" {
		return nil
	}
	held, err := s.Runs.HoldTx(ctx, tx, LockName(stack.Ref), id)
	if err != nil || held {
		return err
	}
	return fault.Errorf(fault.Conflict, "a run holds %s; wait until it has ended, or discard or cancel it", stack.Ref)
}

// freeByHand lets runs go on that waited for such a lock.
func (s *Service) freeByHand(ctx context.Context, tx *store.Tx, stack Stack, id string) error {
	if !strings.HasPrefix(id, handLock) {
		return nil
	}
	if err := s.unsayKept(ctx, tx, stack, id); err != nil {
		return err
	}
	return s.Runs.FreeTx(ctx, tx, LockName(stack.Ref), id)
}

// lockedByHand tells that a person holds the lock of a state, or a run that has ended, and why; "" when neither does.
func (s *Service) lockedByHand(ctx context.Context, tx *store.Tx, stack string) (string, error) {
	r, err := ref.Parse(stack, "stack", ref.DefaultNamespace)
	if err != nil {
		return "", err
	}
	l, err := getLock(ctx, tx, r, "")
	if fault.Is(err, fault.NotFound) || err == nil && !strings.HasPrefix(l.ID, handLock) {
		by, err := s.keeper(ctx, tx, r)
		if err != nil || by == "" {
			return "", err
		}
		return "is held by an engine, and after it kept by run " + by, nil
	}
	if err != nil {
		return "", err
	}
	var info struct{ Who, Info string }
	_ = json.Unmarshal([]byte(l.Info), &info) // it was written here; without it the lock is told by its id
	switch {
	case keptBy(l.ID) != "":
		return "is kept: " + cut(info.Info, 500), nil
	case info.Who == "":
		return "is held by hand: " + l.ID, nil
	case info.Info == "":
		return "is held by hand: " + cut(info.Who, 200), nil
	}
	return "is held by hand: " + cut(info.Who, 200) + ", " + cut(info.Info, 500), nil
}
