package run_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestARunFromItsStartToItsEnd(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		r := b.create(t, run.New{Title: "two steps", Subject: "component:default/shop", Refs: []string{"stack:default/db"}}, plan{Steps: []string{"one", "two"}, Secret: "default/known"})
		for _, key := range []string{"one", "two"} {
			l := b.lease(t, "w1")
			if l == nil || l.Run != r.ID || l.Token == "" || l.Secrets["default/known"] != "hunter22" {
				t.Fatalf("lease = %+v", l)
			}
			if more := b.lease(t, "w2"); more != nil {
				t.Fatalf("step %s was leased twice", l.Step)
			}
			for _, text := range []string{"hello ", "hello from " + key + "\n"} { // the second overlaps the first, as after a lost answer
				if err := b.hub.Log(b.ctx, l.ID, 0, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // a report whose answer was lost comes again
				if err := b.hub.Report(b.ctx, l.ID, worker.Result{Outputs: map[string]string{"key": key}}); err != nil {
					t.Fatal(err)
				}
			}
			p := make([]byte, 100)
			n, size, sealed, err := b.runs.ReadLog(b.ctx, r.ID, key, 0, 0, p)
			if err != nil || string(p[:n]) != "hello from "+key+"\n" || size != int64(n) || !sealed {
				t.Errorf("log = %q, %d, %t, %v", p[:n], size, sealed, err)
			}
		}
		d := b.want(t, r.ID, "done")
		if d.Steps[1].Result.Outputs["key"] != "two" || d.Run.Started.IsZero() || d.Run.Ended.IsZero() {
			t.Errorf("run = %+v", d.Run)
		}
		if n := b.tokens.count(); n != 0 {
			t.Errorf("%d tokens outlive their steps", n)
		}
		if got := b.told(t, r.ID); got != "run.created run.state-changed run.state-changed" {
			t.Errorf("ledger tells %s", got)
		}
		if got := b.told(t, "stack:default/db"); !strings.HasPrefix(got, "run.created") {
			t.Errorf("the history of a touched entity tells %q", got)
		}
	}, rooms()...)
}

// told gives the types of the entries about something, in order.
func (b bundle) told(t *testing.T, ref string) string {
	t.Helper()
	if _, err := b.ledger.Seal(b.ctx); err != nil {
		t.Fatal(err)
	}
	var types []string
	err := b.db.Read(b.ctx, func(tx *store.Tx) error {
		entries, err := b.ledger.List(b.ctx, tx, ledger.Query{Ref: ref, Limit: 1000})
		for _, e := range entries {
			types = append(types, e.Type)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(types, " ")
}

// A clock that goes back neither holds the step of a worker that is gone, nor takes that of one that lives.
func TestAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		gone := b.create(t, run.New{}, plan{Steps: []string{"one"}, MaxAttempts: 2})
		first := b.lease(t, "w1")
		lives := b.create(t, run.New{}, plan{Steps: []string{"one"}, MaxAttempts: 2})
		second := b.lease(t, "w2")
		b.clock.add(-24 * time.Hour)
		b.tick(t)
		if l := b.lease(t, "w3"); l != nil {
			t.Fatalf("at once a step is given away: %+v", l)
		}
		b.clock.add(run.LeaseTime / 2)
		if canceled, err := b.hub.Heartbeat(b.ctx, second.ID); err != nil || canceled {
			t.Fatalf("heartbeat = %t, %v", canceled, err)
		}
		b.clock.add(run.LeaseTime/2 + time.Second)
		b.tick(t)
		again := b.lease(t, "w3")
		if again == nil || again.Run != gone.ID || again.Attempt != 2 || first.Run != gone.ID {
			t.Fatalf("the step of the worker that is gone: %+v", again)
		}
		if l := b.lease(t, "w3"); l != nil {
			t.Fatalf("the step of the worker that lives: %+v", l)
		}
		for _, l := range []*worker.Lease{second, again} {
			if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err != nil {
				t.Fatal(err)
			}
		}
		b.want(t, gone.ID, "done")
		b.want(t, lives.ID, "done")
	}, rooms()...)
}

func TestALostWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		r := b.create(t, run.New{}, plan{Steps: []string{"one"}, MaxAttempts: 2})
		first := b.lease(t, "w1")
		b.clock.add(run.LeaseTime / 2)
		if canceled, err := b.hub.Heartbeat(b.ctx, first.ID); err != nil || canceled {
			t.Fatalf("heartbeat = %t, %v", canceled, err)
		}
		b.clock.add(run.LeaseTime - time.Second)
		b.tick(t)
		if l := b.lease(t, "w2"); l != nil {
			t.Fatal("a step whose worker lives was given away")
		}
		b.clock.add(2 * time.Second)
		b.tick(t)
		second := b.lease(t, "w2")
		if second == nil || second.Attempt != 2 || second.LogStream == first.LogStream {
			t.Fatalf("second lease = %+v", second)
		}
		if _, _, sealed, err := b.runs.Blob.ReadAt(b.ctx, first.LogStream, 0, make([]byte, 1)); err != nil || !sealed {
			t.Errorf("the log of the lost attempt is not sealed: %v", err)
		}
		for what, err := range map[string]error{
			"log": b.hub.Log(b.ctx, first.ID, 0, []byte("late")), "report": b.hub.Report(b.ctx, first.ID, worker.Result{}),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s of a lost lease gives %v, want not found", what, err)
			}
		}
		b.clock.add(run.LeaseTime + time.Second)
		b.tick(t)
		d := b.want(t, r.ID, "failed")
		if !strings.Contains(d.Run.Reason, "w2 was lost") {
			t.Errorf("reason = %q", d.Run.Reason)
		}
		if n := b.tokens.count(); n != 0 {
			t.Errorf("%d tokens outlive their steps", n)
		}
	}, rooms()...)
}

// deaf is a store in which nothing can be sealed.
type deaf struct{ blob.Store }

func (deaf) Seal(context.Context, string) error { return errors.New("killed before that") }

// A server that is killed between an attempt's end and the seal of its log leaves it to whoever looks next, be it itself or
// another server, or both at once; no log of what goes on is sealed, and one that can't be holds up no other.
func TestLogsThatWereNotSealedAreSealedByWhoeverLooks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		for range 4 {
			b.create(t, run.New{}, plan{Steps: []string{"one"}})
		}
		whole := b.runs.Blob
		said := func() (l worker.Lease) {
			t.Helper()
			l = *b.lease(t, "w")
			if err := b.hub.Log(b.ctx, l.ID, 0, []byte("said")); err != nil {
				t.Fatal(err)
			}
			return l
		}
		want := func(sealed map[string]bool) {
			t.Helper()
			for stream, want := range sealed {
				if n, _, sealed, err := whole.ReadAt(b.ctx, stream, 0, make([]byte, 1)); n != 1 || sealed != want || err != nil {
					t.Errorf("log %s: %d bytes, sealed %t, %v; want sealed %t", stream, n, sealed, err, want)
				}
			}
		}
		one, two, lost, goesOn := said(), said(), said(), said()
		b.runs.Blob = deaf{whole}
		for _, l := range []worker.Lease{one, two} {
			if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err == nil {
				t.Fatal("the log could be sealed")
			}
		}
		b.clock.add(run.LeaseTime / 2)
		if _, err := b.hub.Heartbeat(b.ctx, goesOn.ID); err != nil {
			t.Fatal(err)
		}
		b.clock.add(run.LeaseTime / 2)
		b.tick(t)
		want(map[string]bool{one.LogStream: false, two.LogStream: false, lost.LogStream: false, goesOn.LogStream: false})

		b.runs.Blob = deafTo{whole, one.LogStream}
		b.tick(t)
		want(map[string]bool{one.LogStream: false, two.LogStream: true, lost.LogStream: true, goesOn.LogStream: false})

		b.runs.Blob = whole
		other := run.NewService(b.runs.Deps)
		var both sync.WaitGroup
		for _, s := range []*run.Service{b.runs, other} {
			both.Go(func() {
				if _, err := s.Tick(b.ctx); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		want(map[string]bool{one.LogStream: true, two.LogStream: true, lost.LogStream: true, goesOn.LogStream: false})
		left := 0
		if err := db.Read(b.ctx, func(tx *store.Tx) error {
			return tx.QueryRow(b.ctx, "SELECT COUNT(*) FROM run_ended_logs").Scan(&left)
		}); err != nil || left != 0 {
			t.Errorf("%d logs are still to be sealed (%v)", left, err)
		}
	}, rooms()...)
}

// deafTo is a store in which one stream can't be sealed.
type deafTo struct {
	blob.Store
	stream string
}

func (d deafTo) Seal(ctx context.Context, stream string) error {
	if stream == d.stream {
		return errors.New("its disk fails")
	}
	return d.Store.Seal(ctx, stream)
}

// A worker gets what it can do.
func TestALeaseIsOfTheKindThatIsAskedFor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		b.create(t, run.New{}, plan{Steps: []string{"one"}})
		if l, err := b.hub.Lease(b.ctx, "w", run.DefaultPool, worker.KindPlatform, 0); err != nil || l != nil {
			t.Errorf("a worker of platform actions got %+v, %v", l, err)
		}
		if l := b.lease(t, "w"); l == nil {
			t.Error("a worker of commands got nothing")
		}
	}, rooms()...)
}

func (b bundle) tick(t *testing.T) {
	t.Helper()
	if _, err := b.runs.Tick(b.ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAServersEarlierLifeGivesItsStepsBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		b.create(t, run.New{}, plan{Steps: []string{"one"}})
		b.create(t, run.New{}, plan{Steps: []string{"one"}})
		mine, theirs := b.lease(t, "local"), b.lease(t, "other")
		if err := b.runs.Release(b.ctx, "local"); err != nil {
			t.Fatal(err)
		}
		again := b.lease(t, "local")
		if again == nil || again.Step != mine.Step || again.Attempt != 2 {
			t.Fatalf("released step = %+v", again)
		}
		if _, err := b.hub.Heartbeat(b.ctx, theirs.ID); err != nil {
			t.Errorf("another worker lost its lease: %v", err)
		}
		if err := b.hub.Report(b.ctx, mine.ID, worker.Result{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("the earlier life reports: %v", err)
		}
		if b.tokens.count() != 2 {
			t.Errorf("a late report ended a token of the next attempt: %d are left", b.tokens.count())
		}
	}, rooms()...)
}

func TestOneRunHoldsALock(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		first := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}})
		second := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}})
		urgent := b.create(t, run.New{Lock: "stack:x", Priority: 5}, plan{Steps: []string{"one"}})
		free := b.create(t, run.New{Lock: "stack:y"}, plan{})
		b.want(t, first.ID, "running")
		b.want(t, second.ID, "queued")
		b.want(t, urgent.ID, "queued")
		b.want(t, free.ID, "done")
		for _, next := range []run.Run{first, urgent, second} {
			b.tick(t)
			l := b.lease(t, "w")
			if l == nil || l.Run != next.ID {
				t.Fatalf("lease = %+v, want one of run %s", l, next.ID)
			}
			if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err != nil {
				t.Fatal(err)
			}
			b.want(t, next.ID, "done")
		}
		var held int
		err := db.Read(b.ctx, func(tx *store.Tx) error {
			return tx.QueryRow(b.ctx, "SELECT COUNT(*) FROM run_locks").Scan(&held)
		})
		if err != nil || held != 0 {
			t.Errorf("%d locks are held after the end (%v)", held, err)
		}
	}, rooms()...)
}

func TestCancelStopsWhatAWorkerHas(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		r := b.create(t, run.New{Lock: "l"}, plan{Steps: []string{"one", "two"}})
		l := b.lease(t, "w")
		if err := b.runs.Cancel(b.ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		if err := b.hub.AwaitCancel(b.ctx, l.ID); err != nil {
			t.Fatalf("the worker is not told: %v", err)
		}
		b.want(t, r.ID, "running")
		if canceled, err := b.hub.Heartbeat(b.ctx, l.ID); err != nil || !canceled {
			t.Fatalf("heartbeat = %t, %v", canceled, err)
		}
		if err := b.hub.Report(b.ctx, l.ID, worker.Result{Reason: "canceled"}); err != nil {
			t.Fatal(err)
		}
		b.want(t, r.ID, "canceled")
		if err := b.runs.Cancel(b.ctx, r.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("canceling again gives %v", err)
		}
		other := b.create(t, run.New{Lock: "l"}, plan{Steps: []string{"one"}})
		if err := b.runs.Retry(b.ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		b.want(t, r.ID, "queued") // it has let go of its lock, and another run took it
		if err := b.hub.Report(b.ctx, b.lease(t, "w").ID, worker.Result{}); err != nil {
			t.Fatal(err)
		}
		b.want(t, other.ID, "done")
		if _, err := b.runs.Tick(b.ctx); err != nil {
			t.Fatal(err)
		}
		again := b.lease(t, "w")
		if again == nil || again.Attempt != 2 {
			t.Fatalf("retried lease = %+v", again)
		}
	}, rooms()...)
}

// A worker waits at one server while another takes the cancel: the notice goes from one to the other. The worker has
// looked before the cancel, so that it is nothing but the notice that makes it look again.
func TestACancelReachesTheWorkerOfAnotherServer(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	here := setup(t, storetest.Open(t, url, rooms()...))
	there := setup(t, storetest.Open(t, url))
	r := here.create(t, run.New{}, plan{Steps: []string{"one"}})
	l := here.lease(t, "w")
	ctx, stop := context.WithTimeout(here.ctx, time.Minute)
	defer stop()
	// A server that begins to hear the others looks once for what it may have missed.
	heard, end := here.db.Listen("anything")
	defer end()
	for listening := false; !listening; {
		if err := there.db.Write(ctx, func(tx *store.Tx) error { there.db.Notify(tx, "anything"); return nil }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			listening = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	looks, let := storetest.Hold(t, url, "run_steps", storetest.FromReading)
	told := make(chan error, 1)
	go func() { told <- here.hub.AwaitCancel(ctx, l.ID) }()
	looks()
	let()
	if err := there.runs.Cancel(there.ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Fatalf("the worker is not told: %v", err)
	}
}

func TestAStepThatCantBeHandedOutFailsItsRun(t *testing.T) {
	t.Parallel()
	b := setup(t, storetest.SQLite(t, rooms()...))
	r := b.create(t, run.New{}, plan{Steps: []string{"one"}, Secret: "default/gone"})
	if l := b.lease(t, "w"); l != nil {
		t.Fatal("a step without its secret was handed out")
	}
	d := b.want(t, r.ID, "failed")
	if !strings.Contains(d.Run.Reason, "secret default/gone") {
		t.Errorf("reason = %q", d.Run.Reason)
	}
}

func TestTimersAreRows(t *testing.T) {
	t.Parallel()
	b := setup(t, storetest.SQLite(t, rooms()...))
	r := b.create(t, run.New{}, plan{WakeAfter: time.Minute})
	b.tick(t)
	b.want(t, r.ID, "queued")
	b.clock.add(time.Minute)
	b.tick(t)
	b.want(t, r.ID, "done")
}

func TestAKeyGivesOneRun(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		ids := make([]string, 8)
		var group errgroup.Group
		for i := range ids {
			group.Go(func() error {
				return db.Write(b.ctx, func(tx *store.Tx) error {
					r, _, err := b.runs.Create(b.ctx, tx, run.New{Kind: "test", Space: "default", Key: "push:1", Input: plan{Review: true}})
					ids[i] = r.ID
					return err
				})
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		page, err := b.runs.List(b.ctx, run.Query{})
		if err != nil || len(page.Runs) != 1 {
			t.Fatalf("%d runs, %v", len(page.Runs), err)
		}
		for _, id := range ids {
			if id != page.Runs[0].ID {
				t.Errorf("somebody is given run %q, want %s", id, page.Runs[0].ID)
			}
		}
	}, rooms()...)
}

func TestReviews(t *testing.T) {
	t.Parallel()
	b := setup(t, storetest.SQLite(t, rooms()...))
	r := b.create(t, run.New{}, plan{Review: true})
	b.want(t, r.ID, "waiting")
	waiting, err := b.runs.List(b.ctx, run.Query{Waiting: true})
	if err != nil || len(waiting.Runs) != 1 {
		t.Errorf("waiting = %v, %v", waiting.Runs, err)
	}
	review := func() error {
		return b.db.Write(b.ctx, func(tx *store.Tx) error { return b.runs.Review(b.ctx, tx, r.ID, "confirm", "fine") })
	}
	if err := review(); err != nil {
		t.Fatal(err)
	}
	d := b.want(t, r.ID, "done")
	if len(d.Reviews) != 1 || d.Reviews[0].Note != "fine" || d.Reviews[0].State != "waiting" {
		t.Errorf("reviews = %+v", d.Reviews)
	}
	if err := review(); !fault.Is(err, fault.Conflict) {
		t.Errorf("a review of an ended run gives %v", err)
	}
}

func TestNobodySeesRunsOfOthersSpaces(t *testing.T) {
	t.Parallel()
	b := setup(t, storetest.SQLite(t, rooms()...))
	world := accesstest.New(t, b.db, b.access)
	world.Space("payments", "default")
	world.User("alice")
	world.User("mallory")
	world.Bind("developer", "payments", "user:default/alice")
	theirs := b.create(t, run.New{Space: "payments"}, plan{Steps: []string{"one"}})
	b.create(t, run.New{Space: "default"}, plan{})
	alice, mallory := accesstest.As("user:default/alice"), accesstest.As("user:default/mallory")
	page, err := b.runs.List(alice, run.Query{})
	if err != nil || len(page.Runs) != 1 || page.Runs[0].ID != theirs.ID {
		t.Errorf("alice sees %d runs, %v", len(page.Runs), err)
	}
	if page, err := b.runs.List(mallory, run.Query{}); err == nil && len(page.Runs) != 0 {
		t.Errorf("mallory sees %d runs", len(page.Runs))
	}
	_, err = b.runs.Get(mallory, theirs.ID)
	_, _, _, logErr := b.runs.ReadLog(mallory, theirs.ID, "one", 0, 0, make([]byte, 1))
	for what, err := range map[string]error{"get": err, "log": logErr, "cancel": b.runs.Cancel(mallory, theirs.ID), "retry": b.runs.Retry(mallory, theirs.ID)} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s by a stranger gives %v, want not found", what, err)
		}
	}
}

func TestManyWorkersTakeEachStepOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		const runs, steps, workers = 6, 3, 4
		keys := make([]string, steps)
		for i := range keys {
			keys[i] = fmt.Sprint("s", i)
		}
		var ids []string
		for range runs {
			ids = append(ids, b.create(t, run.New{}, plan{Steps: keys}).ID)
		}
		var mu sync.Mutex
		taken := map[string]int{}
		var group errgroup.Group
		for w := range workers {
			group.Go(func() error {
				for {
					all, err := b.hub.(worker.Several).Leases(b.ctx, fmt.Sprint("w", w), run.DefaultPool, worker.KindCommand, 1+w, 300*time.Millisecond)
					if err != nil || len(all) == 0 {
						return err
					}
					for _, l := range all {
						mu.Lock()
						taken[l.Step]++
						mu.Unlock()
						if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err != nil {
							return err
						}
					}
				}
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			b.want(t, id, "done")
		}
		if len(taken) != runs*steps {
			t.Errorf("%d steps were taken, want %d", len(taken), runs*steps)
		}
		for step, n := range taken {
			if n != 1 {
				t.Errorf("step %s was taken %d times", step, n)
			}
		}
	}, rooms()...)
}

func TestTablesWithMistakesAreFound(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]run.Kind{
		"initial":     {Initial: "x", States: map[string]run.State{"a": {Terminal: true}}},
		"unknown":     {Initial: "a", States: map[string]run.State{"a": {Next: []string{"b"}}}},
		"unreachable": {Initial: "a", States: map[string]run.State{"a": {Terminal: true}, "b": {Terminal: true}}},
		"dead end":    {Initial: "a", States: map[string]run.State{"a": {}}},
	} {
		if err := k.Check(); err == nil {
			t.Errorf("%s: the mistake is not found", name)
		}
	}
	if err := kind().Check(); err != nil {
		t.Error(err)
	}
}
