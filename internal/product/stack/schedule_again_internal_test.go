package stack

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// away are repositories of which nothing can be had.
type away struct {
	Repositories
	why error
	has []time.Duration // what each look is given
}

func (a *away) SpaceOf(ctx context.Context, _ string) (string, error) {
	until, _ := ctx.Deadline()
	a.has = append(a.has, time.Until(until))
	return "", a.why
}

// TestWhatMaySucceedByItselfIsTriedAgain, and not told at once.
func TestWhatMaySucceedByItselfIsTriedAgain(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fault.Kind]bool{
		fault.Unavailable: true, fault.Internal: true, fault.Exhausted: true, fault.Canceled: true,
		fault.Denied: false, fault.NotFound: false, fault.Conflict: false, fault.Invalid: false, fault.TooLarge: false,
	} {
		err := fault.Wrap(fault.Errorf(kind, "so"), "read the branch")
		if passing(err) != want {
			t.Errorf("%s passes: %t", kind, !want)
		}
		if _, again, tell := (Overdue{}).failed(Schedule{Cron: "0 6 * * *"}, err, time.Now()); again != want || tell == want {
			t.Errorf("%s: again %t, people are told %t", kind, again, tell)
		}
		if want {
			if got := (&Service{}).say(t.Context(), Stack{}, err); !fault.Is(got, kind) {
				t.Errorf("%s is said, %v", kind, got)
			}
		}
	}
	if passing(nil) || !passing(context.DeadlineExceeded) {
		t.Error("nothing passes, or the end of a time does not")
	}
}

// TestATimeOfItsOwnEndsAlone: what takes too long is what can't be reached, unless all is over.
func TestATimeOfItsOwnEndsAlone(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 1, ctx.Err()
	}
	if _, err := inTime(t.Context(), time.Millisecond, hang); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "has not answered within 1ms") {
		t.Errorf("what hangs ends by %v", err)
	}
	over, stop := context.WithCancel(t.Context())
	stop()
	if _, err := inTime(over, time.Hour, hang); !fault.Is(err, fault.Canceled) {
		t.Errorf("when all is over it ends by %v", err)
	}
	if got, err := inTime(t.Context(), time.Hour, func(context.Context) (int, error) { return 2, nil }); got != 2 || err != nil {
		t.Errorf("what is done gives %d, %v", got, err)
	}
}

// TestSchedulesOutliveWhatCannotBeReached for days: each is tried again, people are told once, and a job that is lost comes back.
func TestSchedulesOutliveWhatCannotBeReached(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := actor.AsSystem(t.Context())
		now := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		log := storetest.Log(t)
		outside := &away{why: fault.Errorf(fault.Unavailable, "the forge does not answer")}
		s := &Service{Deps: Deps{DB: db, Runs: &run.Service{}, Repositories: outside, Now: clock, Ledger: ledger.New(db, clock, log), Queue: queue.NewAt(db, clock, log)}}
		net := ref.New("stack", "default", "net")
		inRows(t, db, func(r rows) {
			r.stack("net", "default", `{"schedules":[{"do":"tracked","cron":"0 6 * * *"},{"do":"destroy","at":"2026-03-02T06:00:00Z"}]}`)
			r.stack("plain", "default", `{}`)
			r.exec("UPDATE stacks SET scheduled = $1, created = $1", store.Micros(now.Add(-time.Hour)))
		})
		stack := func() Stack {
			t.Helper()
			stack, err := s.stackOf(ctx, net)
			if err != nil {
				t.Fatal(err)
			}
			return stack
		}
		count := func(query string) (n int) {
			t.Helper()
			if _, err := s.Ledger.Seal(ctx); err != nil {
				t.Fatal(err)
			}
			if err := db.Read(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, query).Scan(&n) }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		look := func(tries, told int) {
			t.Helper()
			if err := s.scheduled(ctx, net.String()); err != nil {
				t.Fatalf("after %d tries: %v", tries, err)
			}
			all := stack().Overdue
			if len(all) != 2 || all[0].Tries != tries || all[1].Tries != tries {
				t.Errorf("left are %+v, want two after %d tries", all, tries)
			}
			if n := count("SELECT COUNT(*) FROM ledger_entries WHERE type = 'stack.schedule-failed'"); n != told {
				t.Errorf("after %d tries people are told of %d, want %d", tries, n, told)
			}
			next := stack().next(now)
			if pause := next.Sub(now); pause < time.Minute || pause > time.Hour {
				t.Errorf("after %d tries it is looked at again in %s", tries, pause)
			}
			var at int64
			if err := db.Read(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(ctx, "SELECT run_at FROM jobs WHERE kind = 'stack.schedule'").Scan(&at)
			}); err != nil || !store.FromMicros(at).Equal(next) {
				t.Errorf("the job is due at %s, want %s (%v)", store.FromMicros(at), next, err)
			}
			now = next
			if err := db.Write(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, "DELETE FROM jobs"); return err }); err != nil {
				t.Fatal(err)
			}
		}
		for tries := 1; tries <= 60; tries++ { // for longer than the queue would
			told := 0
			if tries >= scheduleUntold {
				told = 2
			}
			look(tries, told)
		}
		if now.Sub(time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)) < 48*time.Hour {
			t.Errorf("it is only %s", now)
		}

		outside.why, outside.has = context.DeadlineExceeded, nil // one that hangs leaves the others their time
		look(61, 2)
		if len(outside.has) != 2 || slices.ContainsFunc(outside.has, func(d time.Duration) bool { return d <= 0 || d > scheduleOne }) {
			t.Errorf("they are given %v", outside.has)
		}

		// The last look was lost with its job.
		if err := s.lookAtLate(ctx); err != nil || count("SELECT COUNT(*) FROM jobs") != 0 {
			t.Errorf("what is due now is late: %v", err)
		}
		now = now.Add(schedulesLate)
		for range 2 {
			if err := s.lookAtLate(ctx); err != nil || count("SELECT COUNT(*) FROM jobs WHERE kind = 'stack.schedule' AND unique_key = 'stack:default/net'") != 1 || count("SELECT COUNT(*) FROM jobs") != 1 {
				t.Errorf("what is late is not looked at again: %v", err)
			}
		}

		// What can't begin is tried when it is next due, and in an hour where it never is.
		outside.why = fault.Errorf(fault.Denied, "not for this stack")
		if err := s.scheduled(ctx, net.String()); err != nil {
			t.Fatal(err)
		}
		if all := stack().Overdue; len(all) != 1 || all[0].Schedule != 1 || !all[0].again().Equal(now.Add(time.Hour)) {
			t.Errorf("left are %+v", all)
		}
		now = now.Add(time.Hour)
		if err := s.scheduled(ctx, net.String()); err != nil {
			t.Fatal(err)
		}
		if all := stack().Overdue; len(all) != 1 || !all[0].again().Equal(now.Add(time.Hour)) {
			t.Errorf("left are %+v", all)
		}
		if n := count("SELECT COUNT(*) FROM ledger_entries WHERE type = 'stack.schedule-failed'"); n != 4 { // once more of each
			t.Errorf("people are told of %d", n)
		}
		if n := count("SELECT COUNT(*) FROM stacks WHERE message LIKE '%not for this stack%'"); n != 1 {
			t.Error("the page of the stack does not say why")
		}
	}, run.Migrations(), Migrations(), ledger.Migrations(), queue.Migrations())
}
