package stack

import (
	"fmt"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Schedule has runs of a stack begin at times: again and again by Cron, once At a time, or once After its document was made.
type Schedule struct {
	Do          string `json:"do"`                // drift, tracked, destroy or task
	Command     string `json:"command,omitempty"` // of a task
	Cron        string `json:"cron,omitempty"`
	Timezone    string `json:"timezone,omitempty"`    // such as Europe/Berlin; UTC when left out
	At          string `json:"at,omitempty"`          // RFC 3339
	After       string `json:"after,omitempty"`       // such as 72h
	Reconcile   bool   `json:"reconcile,omitempty"`   // of drift
	IgnoreState bool   `json:"ignoreState,omitempty"` // of drift: look also where the newest run has not finished
	DeleteStack bool   `json:"deleteStack,omitempty"` // of destroy: then the document goes
}

const (
	maxSchedules  = 20
	leastSchedule = 5 * time.Minute // between two times of one, and before one by After
	mostAfter     = 5 * 366 * 24 * time.Hour
	jobSchedule   = "stack.schedule"
)

// times reads when a schedule is due of a stack whose document was made at a time.
func (s Schedule) times(made time.Time) (cron.Schedule, error) {
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
	if s.After != "" {
		after, err := time.ParseDuration(s.After)
		if err != nil || after < leastSchedule || after > mostAfter {
			return nil, fault.Errorf(fault.Invalid, "%q is not a time between 5 minutes and 5 years", s.After)
		}
		return once(made.Add(after)), nil
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
		case Drift, Tracked, Destroy, Task:
		default:
			bad(fmt.Sprintf("%q is nothing that is done at times", s.Do), "write drift, tracked, destroy or task", append(at, "do")...)
		}
		if err := (Order{Type: s.Do, Command: s.Command}).check(); err != nil {
			bad(fault.Message(err), "", append(at, "command")...)
		}
		if err := spec.Vendor.can(s.Do); err != nil {
			bad(fault.Message(err), "", append(at, "do")...)
		}
		if s.Reconcile && s.Do != Drift {
			bad("reconciles what is not drift", "take reconcile out, or write do: drift", append(at, "reconcile")...)
		}
		if s.IgnoreState && s.Do != Drift {
			bad("ignores the state of what is not drift", "take ignoreState out, or write do: drift", append(at, "ignoreState")...)
		}
		if s.DeleteStack && s.Do != Destroy {
			bad("deletes the stack after what destroys nothing", "take deleteStack out, or write do: destroy", append(at, "deleteStack")...)
		}
		if !s.onceTimed() {
			bad("has not one of cron, at and after", "write cron: '0 6 * * 1-5', at: 2027-01-31T18:00:00Z, or after: 72h", at...)
			continue
		}
		times, err := s.times(time.Unix(0, 0))
		if err != nil {
			bad(fault.Message(err), "write five fields, such as 0 6 * * 1-5, a zone such as Europe/Berlin, a time such as 2027-01-31T18:00:00Z, or hours such as 72h", at...)
			continue
		}
		first := times.Next(time.Unix(0, 0))
		if second := times.Next(first); s.Cron != "" && !first.IsZero() && second.Sub(first) < leastSchedule {
			bad(fmt.Sprintf("is due every %s", second.Sub(first)), fmt.Sprintf("leave at least %s between two times", leastSchedule), append(at, "cron")...)
		}
	}
}

// onceTimed tells whether a schedule says in one way when it is due.
func (s Schedule) onceTimed() bool {
	ways := 0
	for _, way := range []string{s.Cron, s.At, s.After} {
		if way != "" {
			ways++
		}
	}
	return ways == 1
}

// next gives when the first of a stack's schedules is due after a time, or is tried again; the zero time for never.
func (s Stack) next(after time.Time) time.Time {
	due := s.Spec.next(s.Created, after, s.Overdue)
	for _, o := range s.Overdue {
		if due.IsZero() || o.again().Before(due) {
			due = o.again()
		}
	}
	return due
}

// next leaves out the schedules that are overdue already.
func (spec Spec) next(made, after time.Time, but []Overdue) (due time.Time) {
	for i, s := range spec.Schedules {
		times, err := s.times(made)
		if err != nil || slices.ContainsFunc(but, func(o Overdue) bool { return o.Schedule == i }) { // it was checked
			continue
		}
		if at := times.Next(after); !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}
