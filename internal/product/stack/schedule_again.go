package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A schedule that was due and could not begin its run is tried again: soon where something could not be reached, and in an hour
// where it has no other time. Beside that, stacks whose look is late are found every few minutes, since the job that looks may
// have ended after too many failures.

const (
	jobSchedules   = "stack.schedules"
	schedulesEvery = 10 * time.Minute
	schedulesLate  = 10 * time.Minute // after its time, a look has been lost
	schedulesBatch = 200              // stacks that are read at a time
	scheduleAgain  = time.Hour
	scheduleOne    = 15 * time.Second // for one of a stack, so that one that hangs holds up no other
	scheduleUntold = 5                // tries that don't reach something before people are told: a quarter of an hour
)

// Overdue is a schedule that was due and could not begin its run, until it does or the document changes.
type Overdue struct {
	Schedule int    `json:"schedule"` // its place in the document
	Due      int64  `json:"due"`      // microseconds
	Again    int64  `json:"again"`    // when it is tried, in microseconds
	Tries    int    `json:"tries"`
	Said     string `json:"said,omitempty"` // why, as people were told
}

func (o Overdue) again() time.Time { return store.FromMicros(o.Again) }

// overdue gives what is known of a schedule that could not begin its run.
func (s Stack) overdue(schedule int) (o Overdue, is bool) {
	at := slices.IndexFunc(s.Overdue, func(o Overdue) bool { return o.Schedule == schedule })
	if at < 0 {
		return o, false
	}
	return s.Overdue[at], true
}

// failed gives when a schedule is tried again that has failed now, if that is before it is next due, and whether people are told.
func (o Overdue) failed(one Schedule, err error, now time.Time) (next Overdue, again, tell bool) {
	o.Tries++
	pause, why, unreached := scheduleAgain, clip(fault.Message(err)), passing(err)
	if tell = why != o.Said; unreached {
		pause = min(time.Minute<<min(o.Tries-1, 10), scheduleAgain)
		tell = o.Tries == scheduleUntold
	}
	if tell {
		o.Said = why
	}
	o.Again = store.Micros(now.Add(pause))
	return o, unreached || one.Cron == "", tell
}

// passing tells whether what failed may succeed when nobody changes anything: something could not be reached, is over a limit of
// its rate, or took too long.
func passing(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Internal, fault.Exhausted, fault.Canceled:
		return err != nil
	}
	return false
}

// clock gives what is done a time, as context.WithTimeout does.
type clock func(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc)

// inTime does something within a time of its own, and tells so where that was too short.
func inTime[T any](ctx context.Context, most time.Duration, do func(ctx context.Context) (T, error)) (T, error) {
	return inTimeBy(context.WithTimeout, ctx, most, do)
}

// inTimeBy is inTime by a clock of the caller's.
func inTimeBy[T any](by clock, ctx context.Context, most time.Duration, do func(ctx context.Context) (T, error)) (T, error) {
	one, stop := by(ctx, most)
	defer stop()
	got, err := do(one)
	if err != nil && one.Err() != nil && ctx.Err() == nil {
		err = &fault.Error{Kind: fault.Unavailable, Message: fmt.Sprintf("what it needs, such as its repository, has not answered within %s", most), Err: err}
	}
	return got, err
}

// looked notes up to when the schedules of a stack were looked at, and what is left of that.
func (s *Stack) looked(ctx context.Context, tx *store.Tx, at time.Time, left []Overdue) error {
	raw := ""
	if len(left) > 0 {
		text, err := json.Marshal(left)
		if err != nil {
			return err
		}
		raw = string(text)
	}
	_, err := tx.Exec(ctx, "UPDATE stacks SET scheduled = $2, overdue = $3 WHERE ref = $1", s.Ref.String(), store.Micros(at), raw)
	s.Scheduled, s.Overdue = at, left
	return fault.Wrap(err, "note the schedules of %s", s.Ref)
}

// lookAtLate asks for a look at the schedules of the stacks whose time for one has passed.
func (s *Service) lookAtLate(ctx context.Context) error {
	late := s.Now().Add(-schedulesLate)
	for after := ""; ; {
		var all []Stack
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s FROM stacks WHERE deleted = 0 AND ref > $1 AND spec LIKE '%%"schedules":[%%' ORDER BY ref LIMIT %d`, stackColumns, schedulesBatch), after)
			all, err = store.Collect(rows, err, scanStack)
			return err
		})
		if err != nil {
			return fault.Wrap(err, "find the stacks with schedules")
		}
		for _, stack := range all {
			if due := stack.next(stack.Scheduled); due.IsZero() || due.After(late) {
				continue
			}
			if err := s.DB.Write(ctx, func(tx *store.Tx) error { return s.lookAt(ctx, tx, stack.Ref, s.Now()) }); err != nil {
				return err
			}
		}
		if len(all) < schedulesBatch {
			return nil
		}
		after = all[len(all)-1].Ref.String()
	}
}
