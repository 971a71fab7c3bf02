package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where thousands of stacks follow one repository, a push that touches all of them, such as to a module that they share, would
// have the queue full for a day. So a push, and each head of a proposal, begins so many runs and no more. The stacks of the
// others say so. What people begin, and what follows of a run, is not counted.

var errMost = errors.New("a push has begun as many runs as it may")

// pushesKept is how long it is known how many runs a push has begun.
const pushesKept = 24 * time.Hour

// event names what happened, among those of its repository.
func (a pushArgs) event() string {
	if a.Proposal > 0 {
		return fmt.Sprintf("#%d@%s", a.Proposal, a.New)
	}
	return a.Ref + "@" + a.New
}

// startOne begins a run of a push, or fails with errMost when that has begun as many as it may.
func (s *Service) startOne(ctx context.Context, tx *store.Tx, stack Stack, a pushArgs, key string, begin func() (run.Run, bool, error)) (run.Run, bool, error) {
	if s.PushRuns <= 0 {
		return begin()
	}
	event, now := a.event(), store.Micros(s.Now())
	if _, err := tx.Exec(ctx, "INSERT INTO stack_pushes (repository, event, runs, began) VALUES ($1, $2, 0, $3) ON CONFLICT (repository, event) DO NOTHING", stack.Repository, event, now); err != nil {
		return run.Run{}, false, fault.Wrap(err, "count the runs of a push to %s", stack.Repository)
	}
	runs := 0
	if err := tx.QueryRow(ctx, "SELECT runs FROM stack_pushes WHERE repository = $1 AND event = $2"+tx.ForUpdate(), stack.Repository, event).Scan(&runs); err != nil {
		return run.Run{}, false, fault.Wrap(err, "count the runs of a push to %s", stack.Repository)
	}
	if runs >= s.PushRuns {
		if r, begun, err := s.begunAlready(ctx, tx, a, key); err != nil || begun {
			return r, begun, err
		}
		what, how := "this push", "begin one with `roadbed stack apply %s`"
		if a.Proposal > 0 {
			what, how = "this head of the proposal", "say /roadbed plan -stack %s"
		}
		name := stackName(stack.Ref.String())
		return run.Run{}, false, &fault.Error{Kind: fault.Exhausted, Err: errMost, Message: fmt.Sprintf("no run of %s was begun: %s has begun %d, which are as many as it may (--push-runs); "+how, name, what, runs, name)}
	}
	r, existed, err := begin()
	if err != nil || existed {
		return r, existed, err
	}
	_, err = tx.Exec(ctx, "UPDATE stack_pushes SET runs = runs + 1 WHERE repository = $1 AND event = $2", stack.Repository, event)
	return r, existed, fault.Wrap(err, "count the runs of a push to %s", stack.Repository)
}

// begunAlready gives the run that an earlier word of the same push has begun.
func (s *Service) begunAlready(ctx context.Context, tx *store.Tx, a pushArgs, key string) (run.Run, bool, error) {
	for at := key; ; {
		r, there, err := s.Runs.ByKeyTx(ctx, tx, at)
		switch {
		case err != nil || !there:
			return run.Run{}, false, err
		case a.Proposal == 0 || r.State != canceled && !r.CancelRequested:
			return r, true, nil
		}
		at = afterKey(key, r)
	}
}

// afterKey is the key of a run for a head of a proposal that has come back, after the one that was canceled.
func afterKey(key string, r run.Run) string { return key + ":after:" + r.ID }

// startOf begins the run of a push that was decided on, or gives why it could not.
func (s *Service) startOf(ctx context.Context, tx *store.Tx, stack Stack, kind string, e effect, args pushArgs, ready prepared) (started, why string, err error) {
	preview := kind == Proposed && args.Proposal > 0
	if preview {
		started, err = s.startPreview(ctx, tx, stack, e, args, ready)
	} else {
		started, err = s.startPushed(ctx, tx, stack, kind, e, args, ready)
	}
	if !errors.Is(err, errMost) {
		return started, "", err
	}
	if why = fault.Message(err); preview {
		return "", why, s.noPreview(ctx, tx, stack, args, why)
	}
	return "", why, nil
}

// forgetPushes forgets how many runs old pushes have begun.
func (s *Service) forgetPushes(ctx context.Context) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM stack_pushes WHERE began < $1", store.Micros(s.Now().Add(-pushesKept)))
		return fault.Wrap(err, "forget old pushes")
	})
}
