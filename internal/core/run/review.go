package run

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// noteLimit bounds the words of a review, in bytes.
const noteLimit = 4 << 10

// Review records what the caller says of a run and lets the run go on. The product has authorised the caller and
// asked the policies; the verdict's meaning is its own.
func (s *Service) Review(ctx context.Context, tx *store.Tx, id, verdict, note string) error {
	return s.ReviewWith(ctx, tx, id, verdict, note, nil)
}

// ReviewWith is Review that changes the view with it; nil for nothing.
func (s *Service) ReviewWith(ctx context.Context, tx *store.Tx, id, verdict, note string, with func(v *View) error) error {
	if len(note) > noteLimit {
		return fault.Errorf(fault.TooLarge, "the note is longer than %d bytes; shorten it", noteLimit)
	}
	return s.Change(ctx, tx, id, func(v *View) error {
		if err := asSeen(ctx, v.Run); err != nil {
			return err
		}
		if v.Run.Terminal {
			return fault.Errorf(fault.Conflict, "run %s has ended (%s) and takes no review", id, v.Run.State)
		}
		r := Review{ID: ref.NewID(ref.Review, v.Now), Run: id, Actor: actor.From(ctx).ID, Verdict: verdict, Note: note, State: v.Run.State, Time: v.Now}
		_, err := tx.Exec(ctx, "INSERT INTO run_reviews (id, run, actor, verdict, note, state, created) VALUES ($1,$2,$3,$4,$5,$6,$7)",
			r.ID, r.Run, r.Actor, r.Verdict, r.Note, r.State, store.Micros(r.Time))
		if err != nil {
			return fault.Wrap(err, "record the review of run %s", id)
		}
		v.Reviews = append(v.Reviews, r)
		v.dirty = true
		if with != nil {
			if err := with(v); err != nil {
				return err
			}
		}
		return s.note(ctx, tx, v.Run, "run.reviewed", "", map[string]any{"verdict": verdict, "state": v.Run.State})
	})
}

// Cancel asks a run to stop: what no worker has is canceled at once, what a worker has is stopped by it.
// Permission: run:cancel in the run's space. Conflict when its kind says that it can't be stopped now.
func (s *Service) Cancel(ctx context.Context, id string) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		r, err := s.authorized(ctx, tx, id, "run:cancel")
		if err != nil {
			return err
		}
		if err := asSeen(ctx, &r); err != nil {
			return err
		}
		return s.CancelTx(ctx, tx, r.ID)
	})
}

// CancelTx is Cancel for a room that ends a run of its own kind, such as when what it is of is gone. It asks for no right.
func (s *Service) CancelTx(ctx context.Context, tx *store.Tx, id string) error {
	return s.Change(ctx, tx, id, func(v *View) error {
		if v.Run.Terminal {
			return fault.Errorf(fault.Conflict, "run %s has already ended (%s)", id, v.Run.State)
		}
		if v.Run.CancelRequested {
			return nil
		}
		if v.kind.Cancel != nil {
			if err := v.kind.Cancel(v); err != nil {
				return err
			}
		}
		v.Run.CancelRequested, v.dirty = true, true
		v.CancelOpenSteps("canceled")
		return s.note(ctx, tx, v.Run, "run.cancel-requested", "", map[string]any{"state": v.Run.State})
	})
}

// MayCancel tells whether a run's kind would let it be canceled as it is, rights aside.
func (s *Service) MayCancel(r Run) bool {
	kind, ok := s.kinds[r.Kind]
	if !ok || r.Terminal || r.CancelRequested {
		return false
	}
	return kind.Cancel == nil || kind.Cancel(NewView(kind, r, r.Updated)) == nil
}

// MayRetry tells whether a run has ended and its kind can go on with it from these steps, rights aside.
func (s *Service) MayRetry(r Run, steps []Step) bool {
	kind, ok := s.kinds[r.Kind]
	if !ok || !r.Terminal || kind.Retry == nil {
		return false
	}
	v := NewView(kind, r, r.Updated)
	for i := range steps {
		step := steps[i] // the kind changes what it sees
		if s.open(&step) != nil {
			return false
		}
		v.Steps = append(v.Steps, &step)
	}
	return kind.Retry(v) == nil
}

// Retry sets an ended run back to where it can go on, as its kind says.
// Permission: run:retry in the run's space, and what its kind asks for. Conflict when it has not ended, or its kind has
// no retry.
func (s *Service) Retry(ctx context.Context, id string) error {
	if err := s.BeforeRetry(ctx, id); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error { return s.RetryTx(ctx, tx, id) })
}

// BeforeRetry asks the kind of a run what it asks before a retry, ahead of the transaction of RetryTx.
// Permission: as for Retry.
func (s *Service) BeforeRetry(ctx context.Context, id string) error {
	var r Run
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = s.authorized(ctx, tx, id, "run:retry")
		return err
	})
	if kind := s.kinds[r.Kind]; err == nil && r.Terminal && kind.BeforeRetry != nil {
		err = kind.BeforeRetry(ctx, r)
	}
	return err
}

// RetryTx is Retry in the transaction of what else is to be kept with it, after BeforeRetry.
func (s *Service) RetryTx(ctx context.Context, tx *store.Tx, id string) error {
	r, err := s.authorized(ctx, tx, id, "run:retry")
	if err != nil {
		return err
	}
	if kind := s.kinds[r.Kind]; kind.Retrier != nil {
		if err := kind.Retrier(ctx, tx, r); err != nil {
			return err
		}
	}
	return s.Change(ctx, tx, r.ID, func(v *View) error {
		if err := asSeen(ctx, v.Run); err != nil {
			return err
		}
		if !v.Run.Terminal {
			return fault.Errorf(fault.Conflict, "run %s has not ended (%s); cancel it first", id, v.Run.State)
		}
		if v.Open() > 0 {
			return fault.Errorf(fault.Conflict, "run %s still stops a step; try again in a moment", id)
		}
		if v.kind.Retry == nil {
			return fault.Errorf(fault.Conflict, "a run of kind %s can't be retried; start a new one", v.Run.Kind)
		}
		if err := v.kind.Retry(v); err != nil {
			return err
		}
		return s.note(ctx, tx, v.Run, "run.retried", "", map[string]any{"state": v.Run.State})
	})
}

type seenKey struct{}

// Seen gives a context in which a person decides on a run as it was at a version: a review, a cancel or a retry with it
// gives fault.Stale when the run has changed since.
func Seen(ctx context.Context, version int64) context.Context {
	return context.WithValue(ctx, seenKey{}, version)
}

func asSeen(ctx context.Context, r *Run) error {
	if version, ok := ctx.Value(seenKey{}).(int64); ok && version != r.Version {
		return fault.Errorf(fault.Stale, "run %s has changed since you looked at it (%s now); look at it again", r.ID, r.State)
	}
	return nil
}

// authorized gives a run that the caller may see, if the caller may also do the action; otherwise Denied, or
// NotFound when the caller may not even see it.
func (s *Service) authorized(ctx context.Context, tx *store.Tx, id, action string) (Run, error) {
	if !ref.IsID(id, ref.Run) {
		return Run{}, fault.Errorf(fault.NotFound, "run %s: no such run", id)
	}
	r, err := getRun(ctx, tx, id, "")
	if err != nil {
		return Run{}, err
	}
	if err := s.Access.Authorize(ctx, "run:read", r.Space); err != nil {
		if fault.Is(err, fault.Denied) {
			return Run{}, fault.Errorf(fault.NotFound, "run %s: no such run", id)
		}
		return Run{}, err
	}
	if action == "run:read" {
		return r, nil
	}
	return r, s.Access.Authorize(ctx, action, r.Space)
}
