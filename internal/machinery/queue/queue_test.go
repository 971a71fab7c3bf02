package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

type note struct{ Text string }

// clock is a time that a test moves.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	return c
}
func (c *clock) now() time.Time        { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) move(by time.Duration) { c.micros.Add(by.Microseconds()) }

func insert(t testing.TB, db *store.DB, q *queue.Queue, kind string, text string, opts queue.InsertOptions) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *store.Tx) error { return q.Insert(t.Context(), tx, kind, note{text}, opts) })
	if err != nil {
		t.Fatal(err)
	}
}

func work(t testing.TB, q *queue.Queue, want int) {
	t.Helper()
	if done, err := q.Work(t.Context()); err != nil || done != want {
		t.Fatalf("did %d jobs, %v; want %d", done, err, want)
	}
}

func count(t testing.TB, db *store.DB, want queue.Counts) {
	t.Helper()
	var got queue.Counts
	err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
		got, err = queue.Count(t.Context(), tx)
		return err
	})
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// quiet is for tests whose jobs fail on purpose.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestJobsExistWithTheirTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		q := queue.NewAt(db, newClock().now, quiet())
		var did []string
		queue.Handle(q, "note", queue.HandleOptions{}, func(_ context.Context, n note) error {
			did = append(did, n.Text)
			return nil
		})
		undone := errors.New("no")
		err := db.Write(t.Context(), func(tx *store.Tx) error {
			return errors.Join(q.Insert(t.Context(), tx, "note", note{"a"}, queue.InsertOptions{}), undone)
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		insert(t, db, q, "note", "b", queue.InsertOptions{})
		work(t, q, 1)
		if len(did) != 1 || did[0] != "b" {
			t.Errorf("did %v", did)
		}
		count(t, db, queue.Counts{})
	}, queue.Migrations())
}

func TestFailedJobsComeBackLaterAndThenDie(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		q := queue.NewAt(db, c.now, quiet())
		var did atomic.Int32
		queue.Handle(q, "note", queue.HandleOptions{MaxAttempts: 3}, func(_ context.Context, n note) error {
			if did.Add(1) == 2 {
				panic("the second attempt panics")
			}
			return errors.New("the peer does not answer")
		})
		insert(t, db, q, "note", "a", queue.InsertOptions{})
		work(t, q, 1)
		work(t, q, 0)
		for range 2 {
			c.move(time.Minute)
			work(t, q, 1)
		}
		count(t, db, queue.Counts{Dead: 1})
		c.move(24 * time.Hour)
		work(t, q, 0)
	}, queue.Migrations())
}

func TestFinalAndAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		q := queue.NewAt(db, c.now, quiet())
		queue.Handle(q, "final", queue.HandleOptions{}, func(context.Context, note) error { return queue.Final(errors.New("never")) })
		queue.Handle(q, "numbers", queue.HandleOptions{}, func(context.Context, []int) error { return nil })
		left := 30
		queue.Handle(q, "again", queue.HandleOptions{MaxAttempts: 2}, func(context.Context, note) error {
			if left--; left > 0 {
				return queue.Again(time.Minute)
			}
			return nil
		})
		insert(t, db, q, "final", "a", queue.InsertOptions{})
		insert(t, db, q, "numbers", "not a list", queue.InsertOptions{})
		insert(t, db, q, "again", "a", queue.InsertOptions{})
		work(t, q, 3)
		count(t, db, queue.Counts{Waiting: 1, Dead: 2})
		for range 29 {
			c.move(time.Minute)
			work(t, q, 1)
		}
		count(t, db, queue.Counts{Dead: 2})
	}, queue.Migrations())
}

func TestUniqueJobsWaitOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		q := queue.NewAt(db, c.now, quiet())
		did := 0
		queue.Handle(q, "note", queue.HandleOptions{}, func(ctx context.Context, n note) error {
			if did++; did == 1 {
				// While one runs, another may wait, and it waits for this one's end.
				insert(t, db, q, "note", "b", queue.InsertOptions{Unique: "k"})
				insert(t, db, q, "note", "c", queue.InsertOptions{Unique: "k"})
				count(t, db, queue.Counts{Waiting: 1, Running: 1})
				if n, err := q.Work(ctx); n != 0 || err != nil {
					t.Errorf("did %d jobs of a key that runs, %v", n, err)
				}
				return errors.New("the waiting one takes this one's place")
			}
			return nil
		})
		insert(t, db, q, "note", "late", queue.InsertOptions{Unique: "k", RunAt: c.now().Add(time.Hour)})
		work(t, q, 0)
		insert(t, db, q, "note", "now", queue.InsertOptions{Unique: "k"})
		count(t, db, queue.Counts{Waiting: 1})
		work(t, q, 2)
		count(t, db, queue.Counts{})
	}, queue.Migrations())
}

func TestPeriodicJobs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		did := 0
		server := func() *queue.Queue {
			q := queue.NewAt(db, c.now, quiet())
			queue.Handle(q, "sweep", queue.HandleOptions{}, func(context.Context, note) error { did++; return nil })
			q.Every("sweep", time.Hour, note{"x"})
			return q
		}
		one, two := server(), server()
		for _, step := range []struct {
			move time.Duration
			want int
		}{{0, 1}, {59 * time.Minute, 0}, {time.Minute, 1}, {10 * time.Hour, 1}, {0, 0}} {
			c.move(step.move)
			before := did
			for _, q := range []*queue.Queue{one, two} {
				if _, err := q.Work(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if did-before != step.want {
				t.Errorf("after %v: did %d, want %d", step.move, did-before, step.want)
			}
		}
	}, queue.Migrations())
}

func TestLargeArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, queue.Migrations())
	q := queue.New(db, quiet())
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		return q.Insert(t.Context(), tx, "note", note{strings.Repeat("x", 70_000)}, queue.InsertOptions{})
	})
	if err == nil || !strings.Contains(err.Error(), "store a reference") {
		t.Errorf("got %v", err)
	}
}

// run starts a server's loop and gives the function that ends it.
func run(t testing.TB, q *queue.Queue) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestANamedServerTakesUpAtOnceWhatItsEarlierLifeHad(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		begun := make(chan string, 4)
		work := func(name string, fn func(context.Context)) {
			q := queue.New(db, quiet())
			q.As(name)
			queue.Handle(q, "note", queue.HandleOptions{}, func(ctx context.Context, n note) error {
				begun <- name
				fn(ctx)
				return nil
			})
			run(t, q)
		}
		never := func(ctx context.Context) { <-ctx.Done() }
		insert(t, db, queue.New(db, quiet()), "note", "one", queue.InsertOptions{})
		work("first", never)
		if got := <-begun; got != "first" {
			t.Fatalf("%s did it", got)
		}
		work("first", func(context.Context) {}) // as after a kill: the first life says nothing any more
		if got := <-begun; got != "first" {
			t.Errorf("%s did it", got)
		}
	}, queue.Migrations())
}

func TestRunIsWokenByCommits(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		q := queue.New(db, quiet())
		did := make(chan string)
		queue.Handle(q, "note", queue.HandleOptions{Concurrency: 1}, func(_ context.Context, n note) error { did <- n.Text; return nil })
		run(t, q)
		insert(t, db, q, "note", "later", queue.InsertOptions{RunAt: time.Now().Add(50 * time.Millisecond)})
		if got := <-did; got != "later" {
			t.Errorf("did %s", got)
		}
		for i := range 50 {
			insert(t, db, q, "note", strconv.Itoa(i), queue.InsertOptions{})
			if got := <-did; got != strconv.Itoa(i) {
				t.Errorf("did %s, want %d", got, i)
			}
		}
	}, queue.Migrations())
}

func TestConcurrencyIsHeldPerKind(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		q := queue.New(db, quiet())
		var now, most atomic.Int32
		ended := make(chan bool, 40)
		queue.Handle(q, "slow", queue.HandleOptions{Concurrency: 3}, func(context.Context, note) error {
			n := now.Add(1)
			for {
				seen := most.Load()
				if n <= seen || most.CompareAndSwap(seen, n) {
					break
				}
			}
			now.Add(-1)
			ended <- true
			return nil
		})
		held := make(chan bool)
		queue.Handle(q, "held", queue.HandleOptions{Concurrency: 1}, func(context.Context, note) error { <-held; ended <- true; return nil })
		for range 5 {
			insert(t, db, q, "held", "", queue.InsertOptions{})
		}
		for range 20 {
			insert(t, db, q, "slow", "", queue.InsertOptions{})
		}
		run(t, q)
		for range 20 { // the held kind does not hold up the other
			<-ended
		}
		close(held)
		for range 5 {
			<-ended
		}
		if most.Load() > 3 {
			t.Errorf("%d jobs of a kind ran at the same time", most.Load())
		}
	}, queue.Migrations())
}

func TestStoppingGivesJobsBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		q := queue.New(db, quiet())
		started := make(chan bool)
		queue.Handle(q, "note", queue.HandleOptions{MaxAttempts: 1}, func(ctx context.Context, _ note) error {
			started <- true
			<-ctx.Done()
			return ctx.Err()
		})
		insert(t, db, q, "note", "a", queue.InsertOptions{})
		stop := run(t, q)
		<-started
		stop()
		count(t, db, queue.Counts{Waiting: 1})
	}, queue.Migrations())
}

func TestALeaseThatEndedIsTakenOver(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t, queue.Migrations())
	c := newClock()
	stuck, release := make(chan bool), make(chan bool)
	first := queue.NewAt(db, c.now, quiet())
	queue.Handle(first, "note", queue.HandleOptions{}, func(context.Context, note) error { stuck <- true; <-release; return nil })
	insert(t, db, first, "note", "a", queue.InsertOptions{})
	working := make(chan error, 1)
	go func() { _, err := first.Work(t.Context()); working <- err }() // Work holds no lease beyond its first
	<-stuck

	c.move(time.Hour)
	second := queue.NewAt(db, c.now, storetest.Log(t))
	did := make(chan bool)
	queue.Handle(second, "note", queue.HandleOptions{}, func(context.Context, note) error { did <- true; return queue.Again(time.Hour) })
	stop := run(t, second)
	<-did
	stop()
	close(release)
	if err := <-working; err != nil {
		t.Error(err)
	}
	count(t, db, queue.Counts{Waiting: 1}) // the first, whose lease was lost, has not removed it
}

func BenchmarkInsertToWork(b *testing.B) {
	db := storetest.SQLite(b, queue.Migrations())
	q := queue.New(db, quiet())
	did := make(chan bool)
	queue.Handle(q, "note", queue.HandleOptions{}, func(context.Context, note) error { did <- true; return nil })
	run(b, q)
	for b.Loop() {
		insert(b, db, q, "note", "a", queue.InsertOptions{})
		<-did
	}
}
