package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Schedule has runs of a stack begin at times: again and again by Cron, or once At a time.
type Schedule struct {
	Do        string `json:"do"` // drift, tracked or destroy
	Cron      string `json:"cron,omitempty"`
	Timezone  string `json:"timezone,omitempty"` // such as Europe/Berlin; UTC when left out
	At        string `json:"at,omitempty"`       // RFC 3339
	Reconcile bool   `json:"reconcile,omitempty"`
}

const (
	maxSchedules  = 20
	leastSchedule = 5 * time.Minute // between two times of one
	jobSchedule   = "stack.schedule"
)

type scheduleArgs struct {
	Stack string `json:"stack"`
}

// times reads when a schedule is due.
func (s Schedule) times() (cron.Schedule, error) {
	zone := s.Timezone
	if zone == "" {
		zone = "UTC"
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, fault.Errorf(fault.Invalid, "%q is not a time zone", s.Timezone)
	}
	if s.At != "" {
		at, err := time.Parse(time.RFC3339, s.At)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%q is not a time", s.At)
		}
		return once(at), nil
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(s.Cron)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not a schedule: %w", s.Cron, err)
	}
	if fields, ok := parsed.(*cron.SpecSchedule); ok {
		fields.Location = location
	}
	return parsed, nil
}

// once is a schedule of one time.
type once time.Time

func (o once) Next(after time.Time) time.Time {
	if time.Time(o).After(after) {
		return time.Time(o)
	}
	return time.Time{}
}

// checkSchedules holds a stack's schedules to their form.
func (spec *Spec) checkSchedules(_ document.Document, bad func(message, hint string, at ...string)) {
	if len(spec.Schedules) > maxSchedules {
		bad(fmt.Sprintf("has %d schedules", len(spec.Schedules)), fmt.Sprintf("write at most %d", maxSchedules), "spec", "schedules")
	}
	for i, s := range spec.Schedules {
		at := []string{"spec", "schedules", fmt.Sprint(i)}
		switch s.Do {
		case Drift, Tracked, Destroy:
		default:
			bad(fmt.Sprintf("%q is nothing that is done at times", s.Do), "write drift, tracked or destroy", append(at, "do")...)
		}
		if (s.Cron == "") == (s.At == "") {
			bad("has not one of cron and at", "write cron: '0 6 * * 1-5', or at: 2027-01-31T18:00:00Z", at...)
			continue
		}
		if s.Reconcile && s.Do != Drift {
			bad("reconciles what is not drift", "take reconcile out, or write do: drift", append(at, "reconcile")...)
		}
		times, err := s.times()
		if err != nil {
			bad(fault.Message(err), "write five fields, such as 0 6 * * 1-5, a zone such as Europe/Berlin, or a time such as 2027-01-31T18:00:00Z", at...)
			continue
		}
		first := times.Next(time.Unix(0, 0))
		if second := times.Next(first); s.Cron != "" && !first.IsZero() && second.Sub(first) < leastSchedule {
			bad(fmt.Sprintf("is due every %s", second.Sub(first)), fmt.Sprintf("leave at least %s between two times", leastSchedule), append(at, "cron")...)
		}
	}
}

// next gives when the first of a stack's schedules is due after a time; the zero time for never.
func (spec Spec) next(after time.Time) (due time.Time) {
	for _, s := range spec.Schedules {
		times, err := s.times()
		if err != nil {
			continue // it was checked
		}
		if at := times.Next(after); !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// plan asks for a look at a stack's schedules when the first is due.
func (s *Service) schedule(ctx context.Context, tx *store.Tx, r ref.Entity, spec Spec, after time.Time) error {
	due := spec.next(after)
	if due.IsZero() {
		return nil
	}
	return s.Queue.Insert(ctx, tx, jobSchedule, scheduleArgs{r.String()}, queue.InsertOptions{Unique: r.String(), RunAt: due})
}

// scheduled begins the runs that are due. What was missed while no server ran is done once.
func (s *Service) scheduled(ctx context.Context, name string) error {
	r, err := parseStack(name)
	if err != nil {
		return err
	}
	stack, err := s.stackOf(ctx, r)
	if fault.Is(err, fault.NotFound) || err == nil && stack.Deleted {
		return nil
	}
	if err != nil {
		return err
	}
	now := s.Now()
	var missed []map[string]any // what could not begin, and why
	for i, one := range stack.Spec.Schedules {
		times, err := one.times()
		if err != nil {
			continue // it was checked
		}
		due := times.Next(stack.Scheduled)
		if due.IsZero() || due.After(now) {
			continue
		}
		if err := s.due(ctx, stack, one, fmt.Sprintf("schedule:%s:%d:%d", name, i, store.Micros(due))); err != nil {
			missed = append(missed, map[string]any{"do": one.Do, "reason": clip(fault.Message(err))})
			if err := s.say(ctx, stack, err); err != nil {
				return err
			}
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		fresh, err := getStack(ctx, tx, r, tx.ForUpdate())
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE stacks SET scheduled = $2 WHERE ref = $1", name, store.Micros(now)); err != nil {
			return fault.Wrap(err, "note the schedules of %s", name)
		}
		for _, what := range missed {
			if err := s.note(ctx, tx, fresh, "stack.schedule-failed", "", what); err != nil {
				return err
			}
		}
		return s.schedule(ctx, tx, r, fresh.Spec, now)
	})
}

// due begins a run at its time, of nobody.
func (s *Service) due(ctx context.Context, stack Stack, one Schedule, key string) error {
	err := s.mayRead(ctx, stack)
	if err == nil && one.Do == Destroy {
		err = s.free(ctx, stack)
	}
	if err != nil {
		return err
	}
	var commit string
	if one.Do == Drift {
		commit, err = s.appliedCommit(stack)
	} else {
		commit, err = s.commit(ctx, stack, one.Do, "")
	}
	if err != nil {
		return err
	}
	if err := s.mayBegin(ctx, stack, one.Do, commit, ""); err != nil {
		return err
	}
	ready, err := s.prepare(ctx, stack, commit)
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, _, err := s.start(ctx, tx, stack, one.Do, commit, key, "", ready, func(_ *run.New, in *Input) {
			in.Reconcile, in.TriggeredBy = one.Reconcile, one.triggers()
		})
		return err
	})
}

func (s *Service) subscribeSchedules() {
	queue.Handle(s.Queue, jobSchedule, queue.HandleOptions{Timeout: time.Minute}, func(ctx context.Context, a scheduleArgs) error {
		return s.scheduled(actor.AsSystem(ctx), a.Stack)
	})
}

func parseStack(name string) (ref.Entity, error) {
	return ref.Parse(name, "stack", ref.DefaultNamespace)
}
