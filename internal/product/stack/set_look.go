package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// LookRight is what it takes to have a set look at its branch: who may declare one may.
const LookRight = "entity:write"

// lookWait bounds how long who asks for a look is kept waiting for what it comes to; the look goes on without them.
const lookWait = 15 * time.Second

// LookAtSet has a set look at its branch, as after a push, and gives what that came to; after a quarter of a minute, what is
// known then. Permission: entity:write in its space.
func (s *Service) LookAtSet(ctx context.Context, r ref.Entity) (Set, error) {
	t, err := s.GetSet(ctx, r)
	if err != nil {
		return t, err
	}
	if err := s.Access.Authorize(ctx, LookRight, t.Space); err != nil {
		return Set{}, err
	}
	before := t.Report.Looked
	if err := s.DB.Write(ctx, func(tx *store.Tx) error { return s.lookSet(ctx, tx, r) }); err != nil {
		return Set{}, fault.Wrap(err, "look at %s", r)
	}
	late, tick := time.NewTimer(lookWait), time.NewTicker(100*time.Millisecond)
	defer late.Stop()
	defer tick.Stop()
	for {
		if t, err = s.GetSet(ctx, r); err != nil || t.Report.Looked.After(before) {
			return t, err
		}
		select {
		case <-tick.C:
		case <-late.C:
			return t, nil
		case <-ctx.Done():
			return t, ctx.Err()
		}
	}
}

// noteLook tells of a look that made or took away stacks, or that came to something else than the one before.
func (s *Service) noteLook(ctx context.Context, tx *store.Tx, t Set, l looked) error {
	before, err := t.Report.outcome()
	if err != nil {
		return err
	}
	now, err := l.report.outcome()
	if err != nil || l.report.Looked.Equal(t.Report.Looked) || l.report.Made == 0 && l.report.Gone == 0 && bytes.Equal(before, now) {
		return err
	}
	told := map[string]any{"commit": l.seen, "made": l.report.Made, "gone": l.report.Gone, "found": json.RawMessage(now)}
	data, err := json.Marshal(told)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Type: "stackset.looked", Space: t.Space, Subject: t.Ref.String(), Data: data})
	return fault.Wrap(err, "note what became of %s", t.Ref)
}

// outcome is what two looks that came to the same have alike.
func (r SetReport) outcome() ([]byte, error) {
	return json.Marshal(map[string]any{
		"stacks": r.Stacks, "kept": r.Kept, "held": r.Held, "wrong": r.Wrong, "stale": r.Stale, "ignored": r.Ignored, "bare": r.Bare,
		"problems": append([]string{}, r.Problem...), "message": r.Message,
	})
}
