package run_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// two are servers of one database, whose workers and people get in each other's way. What a lease of them came to is noted, and
// looked at when all has ended.
type two struct {
	servers [2]bundle
	runs    []string
	locks   map[string]string // of each run
	began   atomic.Int64      // leases

	mu       sync.Mutex
	leases   map[string][]*had // by the step
	canceled map[string]bool   // runs whose cancel was taken
}

// had is a lease of a worker, from its start to when nobody else may have had the step.
type had struct {
	*worker.Lease
	at, until time.Time
	told      bool   // something was reported
	counted   bool   // and taken
	result    string // as it was seen right after that
}

// TestTwoServersTakeEachOthersRuns races all that happens to runs of a few locks at two servers: leases, heartbeats, reports of one
// lease at both, leases that run out, cancels at both, and locks that are handed on. In each second round one server ends in
// the middle, without a word, and the other does the rest.
func TestTwoServersTakeEachOthersRuns(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t, rooms()...)
	here := setup(t, storetest.Open(t, url))
	there := here.beside(storetest.Open(t, url))
	seed := uint64(time.Now().UnixNano())
	ends := map[string]int{}
	for round := range uint64(12) {
		w := &two{servers: [2]bundle{here, there}, locks: map[string]string{}, leases: map[string][]*had{}, canceled: map[string]bool{}}
		w.race(t, rand.New(rand.NewPCG(seed, round)), round%2 == 1)
		w.check(t, ends)
		if t.Failed() {
			t.Fatalf("in round %d of seed %d", round, seed)
		}
	}
	if ends["done"] == 0 || ends["canceled"] == 0 || ends["lost"] == 0 {
		t.Errorf("the rounds had only %v", ends)
	}
	if r, err := ledger.Verify(here.ctx, here.db); err != nil || r.Broken != nil {
		t.Errorf("the ledger: %+v, %v", r.Broken, err)
	}
}

// race has runs begin and be worked on at both servers, until all have ended.
func (w *two) race(t *testing.T, dice *rand.Rand, stops bool) {
	t.Helper()
	here := w.servers[0]
	bounded, over := context.WithTimeout(here.ctx, 3*time.Minute)
	defer over()
	group, ctx := errgroup.WithContext(bounded)
	work, end := context.WithCancel(ctx)
	defer end()
	lives, stop := [2]context.Context{work, work}, func() {}
	if stops {
		lives[1], stop = context.WithCancel(work)
		defer stop()
	}
	stopAt := 3 + dice.Int64N(12)
	var began sync.WaitGroup
	for i, s := range w.servers {
		for n := range 2 {
			dice := rand.New(rand.NewPCG(dice.Uint64(), 1))
			group.Go(func() error { return w.work(lives[i], ctx, i, fmt.Sprint("w", i, n), dice) })
		}
		group.Go(func() error { return s.runs.Run(lives[i]) })
		people := rand.New(rand.NewPCG(dice.Uint64(), 2))
		began.Add(1)
		group.Go(func() error {
			defer began.Done()
			return w.begin(ctx, s, people)
		})
	}
	group.Go(func() error { return w.watch(work) })
	created := make(chan struct{})
	go func() { began.Wait(); close(created) }()
	moves := rand.New(rand.NewPCG(dice.Uint64(), 3))
	group.Go(func() error { // time passes
		defer end()
		for {
			if w.began.Load() >= stopAt {
				stop()
			}
			here.clock.add(time.Duration(moves.Int64N(int64(run.LeaseTime / 12))).Truncate(time.Microsecond))
			if _, err := here.runs.Tick(ctx); err != nil {
				return err
			}
			select {
			case <-created:
			default:
				continue
			}
			if open, err := here.runs.Count(ctx, run.Query{Open: true}); err != nil || open == 0 {
				return err
			}
		}
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := here.runs.Tick(here.ctx); err != nil { // logs of a server that ended
		t.Fatal(err)
	}
}

// begin starts runs, and cancels some of them at both servers at once.
func (w *two) begin(ctx context.Context, s bundle, dice *rand.Rand) error {
	for range 6 {
		n := run.New{Kind: "test", Space: "default", Lock: fmt.Sprint("lock", dice.IntN(2)), Priority: dice.IntN(3), Input: plan{Steps: []string{"plan", "apply"}, Once: "apply", MaxAttempts: 1000}}
		var r run.Run
		err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
			r, _, err = s.runs.Create(ctx, tx, n)
			return err
		})
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.runs, w.locks[r.ID] = append(w.runs, r.ID), r.Lock
		id := w.runs[dice.IntN(len(w.runs))]
		w.mu.Unlock()
		if dice.IntN(3) > 0 {
			continue
		}
		var both errgroup.Group
		for _, s := range w.servers {
			both.Go(func() error {
				err := s.runs.Cancel(ctx, id)
				if err == nil {
					w.mu.Lock()
					w.canceled[id] = true
					w.mu.Unlock()
				}
				if fault.Is(err, fault.Conflict) { // it has ended
					return nil
				}
				return err
			})
		}
		if err := both.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// work leases steps at a server while that lives.
func (w *two) work(life, ctx context.Context, at int, name string, dice *rand.Rand) error {
	for life.Err() == nil {
		all, err := w.servers[at].hub.(worker.Several).Leases(life, name, run.DefaultPool, worker.KindCommand, 1+dice.IntN(3), 20*time.Millisecond)
		if life.Err() != nil {
			return nil // whatever it was given is lost with it
		}
		if err != nil {
			return err
		}
		for i := range all {
			h := &had{Lease: &all[i], at: all[i].Expires.Add(-run.LeaseTime), until: all[i].Expires}
			w.mu.Lock()
			w.leases[h.Step] = append(w.leases[h.Step], h)
			w.mu.Unlock()
			w.began.Add(1)
			if err := w.do(life, ctx, at, h, dice); err != nil && life.Err() == nil {
				return err
			}
		}
	}
	return nil
}

// do is what a worker does with a lease: it says something, may be slow, or gone, and reports at both servers.
func (w *two) do(life, ctx context.Context, at int, h *had, dice *rand.Rand) error {
	clock, how := w.servers[at].clock, dice.IntN(10)
	if how == 0 { // gone
		return nil
	}
	for _, s := range w.servers {
		if err := s.hub.Log(life, h.ID, 0, []byte(h.ID)); err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) { // lost, or just being lost
			return err
		}
	}
	for range how / 4 {
		asked := clock.Now()
		_, err := w.servers[dice.IntN(2)].hub.Heartbeat(life, h.ID)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		h.until = asked.Add(run.LeaseTime)
	}
	for how == 9 && life.Err() == nil && !clock.Now().After(h.until) { // too late, perhaps
		if _, err := w.servers[at].runs.Get(life, h.Run); err != nil {
			return err
		}
	}
	h.told = true
	var taken, lost atomic.Int64
	var both errgroup.Group
	for i, s := range w.servers {
		both.Go(func() error {
			err := s.hub.Report(life, h.ID, worker.Result{Outputs: map[string]string{"of": h.ID, "at": fmt.Sprint(i)}})
			switch {
			case err == nil:
				taken.Add(1)
			case fault.Is(err, fault.NotFound):
				lost.Add(1)
				return nil
			}
			return err
		})
	}
	err := both.Wait()
	if taken.Load() > 0 && lost.Load() > 0 {
		return fmt.Errorf("of two reports of lease %s one is taken, and for the other the lease is lost", h.ID)
	}
	if err != nil || taken.Load() == 0 {
		return err
	}
	h.counted = true
	d, err := w.servers[dice.IntN(2)].runs.Detail(ctx, h.Run)
	for _, s := range d.Steps {
		if s.ID == h.Step {
			h.result = said(s)
		}
	}
	return err
}

func said(s run.Step) string { return s.Result.Outputs["of"] + " at " + s.Result.Outputs["at"] }

// watch looks again and again, each time in one transaction, whether any two runs have one lock.
func (w *two) watch(ctx context.Context) error {
	db := w.servers[0].db
	for ctx.Err() == nil {
		var twice, without, busy int
		err := db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT
 (SELECT COUNT(*) FROM (SELECT lock_name FROM runs WHERE state = 'running' GROUP BY lock_name HAVING COUNT(*) > 1) twice),
 (SELECT COUNT(*) FROM runs r WHERE r.state = 'running' AND NOT EXISTS (SELECT 1 FROM run_locks l WHERE l.name = r.lock_name AND l.run = r.id)),
 (SELECT COUNT(*) FROM (SELECT r.lock_name FROM runs r JOIN run_steps s ON s.run = r.id WHERE s.state IN ('ready', 'leased')
  GROUP BY r.lock_name HAVING COUNT(*) > 1) busy)`).Scan(&twice, &without, &busy)
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case twice+without+busy > 0:
			return fmt.Errorf("%d locks have two runs at work, %d runs work without theirs, and of %d locks two steps are open", twice, without, busy)
		}
	}
	return nil
}

// check looks at what came of it all.
func (w *two) check(t *testing.T, ends map[string]int) {
	t.Helper()
	here := w.servers[0]
	spans := w.ledgered(t)
	for _, id := range w.runs {
		d := here.detail(t, id)
		for _, s := range d.Steps {
			w.checkStep(t, d.Run, s, spans[id])
		}
		state := d.Run.State
		switch {
		case state == "failed" && strings.Contains(d.Run.Reason, "was lost") && d.Steps[len(d.Steps)-1].Key == "apply":
			state = "lost"
		case state == "done" && len(d.Steps) == 2 && d.Steps[0].State == run.StepSucceeded && d.Steps[1].State == run.StepSucceeded:
		case state == "canceled" && w.canceled[id]:
		default:
			t.Errorf("run %s is %s (%s) with %s; it was canceled: %t", id, state, d.Run.Reason, tell(d.Steps), w.canceled[id])
		}
		if w.canceled[id] && state != "canceled" {
			t.Errorf("a cancel of run %s was taken, and it is %s", id, state)
		}
		ends[state]++
	}
	var held, open, logs int
	err := here.db.Read(here.ctx, func(tx *store.Tx) error {
		return tx.QueryRow(here.ctx, `SELECT (SELECT COUNT(*) FROM run_locks), (SELECT COUNT(*) FROM run_steps WHERE state IN ('waiting', 'ready', 'leased')),
 (SELECT COUNT(*) FROM run_ended_logs)`).Scan(&held, &open, &logs)
	})
	if err != nil || held+open+logs > 0 {
		t.Errorf("%d locks are held, %d steps open and %d logs not sealed (%v)", held, open, logs, err)
	}
}

func (w *two) checkStep(t *testing.T, r run.Run, s run.Step, in span) {
	t.Helper()
	all := w.leases[s.ID]
	slices.SortFunc(all, func(a, b *had) int { return cmp.Compare(a.Attempt, b.Attempt) })
	if s.Key == "apply" && len(all) > 1 {
		t.Errorf("run %s is applied %d times", r.ID, len(all))
	}
	var counts *had
	for i, h := range all {
		if i > 0 && h.Attempt == all[i-1].Attempt {
			t.Errorf("attempt %d of step %s is leased as %s and as %s", h.Attempt, s.ID, all[i-1].ID, h.ID)
		}
		if i > 0 && h.at.Before(all[i-1].until) {
			t.Errorf("step %s is leased at %s, and somebody has it until %s", s.ID, h.at, all[i-1].until)
		}
		if h.at.Before(in.began) || h.at.After(in.ended) || !in.stopped.IsZero() && h.at.After(in.stopped) {
			t.Errorf("step %s is leased at %s, and its run has its lock from %s to %s, and is canceled at %s", s.ID, h.at, in.began, in.ended, in.stopped)
		}
		if h.told && s.Result.Outputs["of"] == h.ID {
			counts = h
		}
	}
	for _, h := range all {
		if h.counted && (h != counts || h.result != said(s)) {
			t.Errorf("step %s is reported as %q, and has the result %q", s.ID, h.result, said(s))
		}
	}
	if s.State != run.StepSucceeded {
		return
	}
	if counts == nil || s.Attempt != counts.Attempt {
		t.Errorf("attempt %d of step %s has succeeded with %q, which no worker of it says", s.Attempt, s.ID, said(s))
		return
	}
	p := make([]byte, 100)
	n, _, sealed, err := w.servers[0].runs.ReadLog(w.servers[0].ctx, r.ID, s.Key, s.Attempt, 0, p)
	if err != nil || string(p[:n]) != counts.ID || !sealed {
		t.Errorf("the log of lease %s is %q, sealed: %t (%v)", counts.ID, p[:n], sealed, err)
	}
}

// span is when a run had its lock, and when it was asked to stop.
type span struct{ began, ended, stopped time.Time }

// ledgered reads from the ledger who had which lock: one run at a time, and each once.
func (w *two) ledgered(t *testing.T) map[string]span {
	t.Helper()
	here := w.servers[0]
	for n := 1; n > 0; {
		var err error
		if n, err = here.ledger.Seal(here.ctx); err != nil {
			t.Fatal(err)
		}
	}
	var entries []ledger.Entry
	err := here.db.Read(here.ctx, func(tx *store.Tx) (err error) {
		entries, err = here.ledger.List(here.ctx, tx, ledger.Query{Types: []string{"run."}, Limit: 1000, Descending: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	holder, spans, created := map[string]string{}, map[string]span{}, map[string]int{}
	for _, e := range slices.Backward(entries) {
		lock, mine := w.locks[e.Run]
		if !mine {
			continue // of an earlier round
		}
		var data struct {
			To       string `json:"to"`
			Terminal bool   `json:"terminal"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		s := spans[e.Run]
		switch {
		case e.Type == "run.created":
			created[e.Run]++
		case e.Type == "run.cancel-requested":
			if !s.stopped.IsZero() {
				t.Errorf("run %s is canceled twice", e.Run)
			}
			s.stopped = e.Time
		case data.Terminal:
			if !s.ended.IsZero() {
				t.Errorf("run %s ends twice", e.Run)
			}
			if s.ended = e.Time; holder[lock] == e.Run {
				delete(holder, lock)
			}
		case data.To == "running":
			if other := holder[lock]; other != "" || !s.began.IsZero() {
				t.Errorf("run %s takes %s, which run %q has", e.Run, lock, other)
			}
			s.began, holder[lock] = e.Time, e.Run
		}
		spans[e.Run] = s
	}
	if len(holder) > 0 || len(created) != len(w.runs) || slices.Max(slices.Collect(maps.Values(created))) > 1 {
		t.Errorf("at the end %v have locks; %d runs were created of %v", holder, len(w.runs), created)
	}
	return spans
}

// A server looks for leases that have run out while a heartbeat reaches another one: the worker that is told that it has the step has it.
func TestAStepWhoseLeaseIsRenewedMeanwhileIsNotTakenAway(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t, rooms()...)
	here := setup(t, storetest.Open(t, url))
	there := here.beside(storetest.Open(t, url))
	r := here.create(t, run.New{}, plan{Steps: []string{"one"}, MaxAttempts: 2})
	l := here.lease(t, "w1")
	here.clock.add(run.LeaseTime + time.Second)
	looks, let := storetest.Hold(t, url, "run_reviews", storetest.FromReading) // the steps of a run are read before that
	ticked := make(chan error, 1)
	go func() {
		_, err := here.runs.Tick(here.ctx)
		ticked <- err
	}()
	looks()
	if canceled, err := there.hub.Heartbeat(there.ctx, l.ID); err != nil || canceled {
		t.Fatalf("heartbeat = %t, %v", canceled, err)
	}
	let()
	if err := <-ticked; err != nil {
		t.Fatal(err)
	}
	if other := there.lease(t, "w2"); other != nil {
		t.Fatalf("a worker that has just renewed its lease has the step, and so has %+v", other)
	}
	if err := here.hub.Report(here.ctx, l.ID, worker.Result{}); err != nil {
		t.Fatal(err)
	}
	here.want(t, r.ID, "done")
}

// Somebody cancels a run at one server while a heartbeat reaches another one: the lease lasts as the worker was told.
func TestACancelLeavesALeaseAsItIsRenewed(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t, rooms()...)
	here := setup(t, storetest.Open(t, url))
	there := here.beside(storetest.Open(t, url))
	r := here.create(t, run.New{}, plan{Steps: []string{"one"}})
	l := here.lease(t, "w1")
	here.clock.add(run.LeaseTime - time.Second)
	looks, let := storetest.Hold(t, url, "run_reviews", storetest.FromReading)
	canceled := make(chan error, 1)
	go func() { canceled <- there.runs.Cancel(there.ctx, r.ID) }()
	looks()
	if _, err := here.hub.Heartbeat(here.ctx, l.ID); err != nil {
		t.Fatal(err)
	}
	let()
	if err := <-canceled; err != nil {
		t.Fatal(err)
	}
	here.clock.add(run.LeaseTime / 2)
	here.tick(t)
	if err := here.hub.Report(here.ctx, l.ID, worker.Result{Outputs: map[string]string{"saved": "yes"}}); err != nil {
		t.Fatalf("the step of a worker that saves what it did is taken away: %v", err)
	}
	if d := here.want(t, r.ID, "canceled"); d.Steps[0].Result.Outputs["saved"] != "yes" {
		t.Errorf("the step ends as %+v", d.Steps[0])
	}
}
