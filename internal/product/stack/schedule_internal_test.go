package stack

import (
	"testing"
	"time"
)

// TestWhenSchedulesAreDue counts after from when the document was made, and once alone.
func TestWhenSchedulesAreDue(t *testing.T) {
	made := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	stack := Stack{Created: made, Spec: Spec{Schedules: []Schedule{
		{Do: Destroy, After: "72h"},
		{Do: Drift, Cron: "30 2 * * *", Timezone: "Europe/Berlin"}, // which is left out once: on the 29th that hour is not there
	}}}
	for _, c := range []struct{ after, due time.Time }{
		{made, time.Date(2026, 3, 28, 1, 30, 0, 0, time.UTC)},
		{time.Date(2026, 3, 28, 1, 30, 0, 0, time.UTC), time.Date(2026, 3, 30, 0, 30, 0, 0, time.UTC)},
		{time.Date(2026, 3, 30, 1, 0, 0, 0, time.UTC), made.Add(72 * time.Hour)},
		{made.Add(72 * time.Hour), time.Date(2026, 3, 31, 0, 30, 0, 0, time.UTC)},
	} {
		if due := stack.next(c.after); !due.Equal(c.due) {
			t.Errorf("after %s it is due at %s, want %s", c.after, due.UTC(), c.due)
		}
	}
}

// TestWhatGoesOnWithoutReview of destructions: those of a schedule alone, once, where the stack says so.
func TestWhatGoesOnWithoutReview(t *testing.T) {
	for _, c := range []struct {
		in    Input
		round int
		want  bool
	}{
		{Input{Type: Destroy, Autodeploy: true, Scheduled: true}, 1, true},
		{Input{Type: Destroy, Autodeploy: true, Scheduled: true}, 2, false}, // somebody has retried it
		{Input{Type: Destroy, Autodeploy: true}, 1, false},
		{Input{Type: Destroy, Scheduled: true}, 1, false},
		{Input{Type: Tracked, Autodeploy: true, Scheduled: true}, 2, true},
		{Input{Type: Tracked, Scheduled: true}, 1, false},
	} {
		if got := c.in.unreviewed(c.round) != ""; got != c.want {
			t.Errorf("%+v goes on without review in round %d: %t", c.in, c.round, got)
		}
	}
}
