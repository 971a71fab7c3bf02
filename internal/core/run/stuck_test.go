package run_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

func TestAStepWhoseTokenCantBeMadeHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		wrong := b.create(t, run.New{}, plan{Steps: []string{"one"}, Scope: "wrong"})
		next := b.create(t, run.New{}, plan{Steps: []string{"one"}})
		l, err := b.hub.Lease(b.ctx, "w", run.DefaultPool, worker.KindCommand, time.Minute)
		if err != nil || l == nil || l.Run != next.ID {
			t.Fatalf("lease = %+v, %v; want one of the next run", l, err)
		}
		if d := b.want(t, wrong.ID, "failed"); !strings.Contains(d.Run.Reason, "wrong is no scope") {
			t.Errorf("reason = %q", d.Run.Reason)
		}
	}, rooms()...)
}

func TestStepsAreLeasedTogetherInTheirOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		var want []string
		wrong := ""
		for i := range 5 {
			scope := ""
			if i == 1 {
				scope = "wrong"
			}
			r := b.create(t, run.New{}, plan{Steps: []string{"one"}, Scope: scope})
			if i == 1 {
				wrong = r.ID
			} else {
				want = append(want, r.ID)
			}
			b.clock.add(time.Second)
		}
		var got []string
		for _, most := range []int{3, 3, 3, 1} { // the second finds the one that is wrong first, and ends it
			all, err := b.hub.(worker.Several).Leases(b.ctx, "w", run.DefaultPool, worker.KindCommand, most, 0)
			if err != nil || len(all) > most {
				t.Fatalf("%d leases of at most %d, %v", len(all), most, err)
			}
			for _, l := range all {
				got = append(got, l.Run)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("leased are %v, want %v", got, want)
		}
		b.want(t, wrong, "failed")
	}, rooms()...)
}

func TestARunThatCantGoOnEndsAsFailed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		stuck := b.create(t, run.New{Lock: "l"}, plan{Steps: []string{"stuck"}})
		next := b.create(t, run.New{Lock: "l"}, plan{Steps: []string{"one"}})
		l := b.lease(t, "w")
		if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err != nil {
			t.Fatal(err)
		}
		d := b.want(t, stuck.ID, "failed")
		if !strings.Contains(d.Run.Reason, "defect") || d.Steps[0].State != run.StepSucceeded || b.tokens.count() != 0 {
			t.Errorf("reason = %q, steps %s, %d tokens are left", d.Run.Reason, tell(d.Steps), b.tokens.count())
		}
		b.tick(t)
		b.want(t, next.ID, "running")
	}, rooms()...)
}

func TestWhateverAStepSaysIsKept(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		for message, want := range map[string]string{
			strings.Repeat("<&", 5000):         "<&<&",
			"a link called \xff\xfe leads out": "a link called \uFFFD leads out",
			"nothing\x00 more":                 "nothing\uFFFD more",
			strings.Repeat("\x1b", 4000):       "\x1b\x1b",
		} {
			r := b.create(t, run.New{}, plan{Steps: []string{"one"}})
			l := b.lease(t, "w")
			if err := b.hub.Report(b.ctx, l.ID, worker.Result{ExitCode: 1, Message: message}); err != nil {
				t.Fatalf("%.20q: %v", message, err)
			}
			if d := b.want(t, r.ID, "failed"); !strings.Contains(d.Run.Reason, want) {
				t.Errorf("%.20q: reason = %.100q", message, d.Run.Reason)
			}
		}
		if r, err := ledger.Verify(b.ctx, db); err != nil || r.Broken != nil {
			t.Errorf("the ledger: %+v, %v", r.Broken, err)
		}
	}, rooms()...)
}

// TestALockIsHandedOnHoweverManyAskForIt has runs of one lock begin while others of it end.
func TestALockIsHandedOnHoweverManyAskForIt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		const creators, each = 4, 8
		ctx, stop := context.WithTimeout(b.ctx, 2*time.Minute)
		defer stop()
		var group errgroup.Group
		done := make(chan struct{}, creators*each)
		for c := range creators {
			group.Go(func() error {
				for i := range each {
					err := db.Write(ctx, func(tx *store.Tx) error {
						_, _, err := b.runs.Create(ctx, tx, run.New{Kind: "test", Space: "default", Lock: "one", Priority: (c + i) % 3, Input: plan{Steps: []string{"one"}}})
						return err
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		work, end := context.WithCancel(ctx)
		for range 2 {
			group.Go(func() error {
				for work.Err() == nil {
					l, err := b.hub.Lease(work, "w", run.DefaultPool, worker.KindCommand, time.Minute)
					if work.Err() != nil {
						return nil
					}
					if err != nil {
						return err
					}
					if l == nil {
						continue
					}
					if err := b.hub.Report(ctx, l.ID, worker.Result{}); err != nil {
						return err
					}
					done <- struct{}{}
				}
				return nil
			})
		}
		group.Go(func() error { return b.runs.Run(work) })
		for i := range creators * each {
			select {
			case <-done:
			case <-ctx.Done():
				t.Errorf("after %d of %d runs nothing more happens", i, creators*each)
			}
			if t.Failed() {
				break
			}
		}
		end()
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		var open, held int
		err := db.Read(b.ctx, func(tx *store.Tx) error {
			return tx.QueryRow(b.ctx, "SELECT (SELECT COUNT(*) FROM runs WHERE terminal = 0), (SELECT COUNT(*) FROM run_locks)").Scan(&open, &held)
		})
		if err != nil || open != 0 || held != 0 {
			t.Errorf("%d runs are open and %d locks held (%v)", open, held, err)
		}
	}, rooms()...)
}

func TestAStepThatCantBeHandedOutKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		good := plan{Steps: []string{"one"}}
		first, broken, last := b.create(t, run.New{}, good), b.create(t, run.New{}, plan{Steps: []string{"one"}, Secret: "default/gone"}), b.create(t, run.New{}, good)
		var got []string
		for range 3 {
			all, err := b.hub.(worker.Several).Leases(b.ctx, "w", run.DefaultPool, worker.KindCommand, 10, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range all {
				got = append(got, l.Run)
			}
		}
		if want := []string{first.ID, last.ID}; !slices.Equal(got, want) {
			t.Errorf("handed out are steps of %v, want %v", got, want)
		}
		b.want(t, broken.ID, "failed")
	}, rooms()...)
}
