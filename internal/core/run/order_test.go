package run_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// waited is a step, and between which moments it became ready, was asked for by the worker that got it, and given to that.
type waited struct {
	priority  int
	from, to  time.Time // it is ready from some moment between these
	asked, at time.Time
}

// before tells whether a step has to be leased before another.
func (a *waited) before(b *waited) bool {
	return a.priority > b.priority || a.priority == b.priority && a.to.Before(b.from)
}

// TestNothingIsLeasedWhileWhatGoesBeforeItWaits has many more steps than there are places, of runs of two kinds and with several
// priorities, some of which become ready while others are worked on. A place that asks for a step when one that goes first is
// ready, and in nobody's hands, gets no other.
func TestNothingIsLeasedWhileWhatGoesBeforeItWaits(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		other := kind()
		other.Name = "other"
		b.runs.Register(other)
		const runs, places, perTx = 1000, 20, 50
		seed := uint64(time.Now().UnixNano())
		dice := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex
		ready := map[string]*waited{} // by the run: its step that waits
		left := 0
		for range runs / perTx {
			err := b.db.Write(b.ctx, func(tx *store.Tx) error {
				for range perTx {
					n := run.New{Kind: []string{"test", "other"}[dice.IntN(2)], Space: "default", Priority: []int{-5, 0, 0, 1, 50}[dice.IntN(5)], Input: plan{Steps: []string{"one", "two"}[:1+dice.IntN(5)/4]}}
					from := b.clock.Now()
					r, _, err := b.runs.Create(b.ctx, tx, n)
					if err != nil {
						return err
					}
					left += len(n.Input.(plan).Steps)
					ready[r.ID] = &waited{priority: r.Priority, from: from, to: b.clock.Now()}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		want := left
		var given []*waited
		var group errgroup.Group
		for place := range places {
			group.Go(func() error {
				for {
					asked := b.clock.Now()
					l, err := b.hub.Lease(b.ctx, fmt.Sprint("place", place), run.DefaultPool, worker.KindCommand, 100*time.Millisecond)
					if err != nil {
						return err
					}
					mu.Lock()
					if l == nil && left == 0 {
						mu.Unlock()
						return nil
					}
					if l == nil {
						mu.Unlock()
						continue
					}
					left--
					s := ready[l.Run]
					s.asked, s.at = asked, l.Expires.Add(-run.LeaseTime)
					given = append(given, s)
					next := &waited{priority: s.priority, from: b.clock.Now()}
					ready[l.Run] = next
					mu.Unlock()
					if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err != nil {
						return err
					}
					mu.Lock()
					next.to = b.clock.Now()
					mu.Unlock()
				}
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(given) != want {
			t.Fatalf("%d steps are leased, want %d", len(given), want)
		}
		wrong := 0
		for _, b := range given {
			for _, a := range given {
				if a.before(b) && a.to.Before(b.asked) && a.asked.After(b.at) {
					wrong++
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%d times a step is leased while one that goes before it waits (seed %d)", wrong, seed)
		}
	}, rooms()...)
}
