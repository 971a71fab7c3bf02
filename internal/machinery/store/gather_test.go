package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// While PostgreSQL is asked, those who come are gathered for one question more.
func TestGatheredAsksOnceForMany(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.Open(t, storetest.PostgresURL(t))
	entered, goOn := make(chan []string), make(chan error)
	g := &store.Gathered[string, string]{Time: time.Minute, Ask: func(_ context.Context, keys []string) (map[string]string, error) {
		entered <- slices.Clone(keys)
		err := <-goOn
		values := map[string]string{}
		for _, k := range keys {
			values[k] = "value of " + k
		}
		return values, err
	}}
	var people sync.WaitGroup
	ask := func(ctx context.Context, key string, wrong error) {
		people.Go(func() {
			values, err := g.Of(ctx, db, []string{key})
			if !errors.Is(err, wrong) || wrong == nil && values[key] != "value of "+key {
				t.Errorf("%s gets %q, %v", key, values[key], err)
			}
		})
	}
	hasty, leave := context.WithCancel(ctx)
	ask(hasty, "a", context.Canceled)
	if first := <-entered; !slices.Equal(first, []string{"a"}) {
		t.Fatalf("the first question is %v", first)
	}
	leave() // who asked first does not wait; the others' answer comes all the same
	people.Wait()
	ask(ctx, "b", nil)
	ask(ctx, "c", nil)
	awaitGathering(t, g, 2)
	goOn <- nil
	second := <-entered
	slices.Sort(second)
	if !slices.Equal(second, []string{"b", "c"}) {
		t.Errorf("the second question is %v", second)
	}
	goOn <- nil
	people.Wait()
}

// As many questions are under way at the same time as it says, and no more.
func TestGatheredAsksSeveralAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.PostgresURL(t))
	entered, goOn := make(chan []string), make(chan struct{})
	g := &store.Gathered[string, string]{Time: time.Minute, AtOnce: 2, Ask: func(_ context.Context, keys []string) (map[string]string, error) {
		entered <- slices.Clone(keys)
		<-goOn
		return nil, nil
	}}
	var people sync.WaitGroup
	ask := func(key string) {
		people.Go(func() {
			if _, err := g.Of(t.Context(), db, []string{key}); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		})
	}
	ask("a")
	<-entered
	ask("b")
	if second := <-entered; !slices.Equal(second, []string{"b"}) { // though the first is not answered yet
		t.Errorf("the second question is %v", second)
	}
	ask("c")
	ask("d")
	awaitGathering(t, g, 2)
	goOn <- struct{}{}
	third := <-entered
	slices.Sort(third)
	if !slices.Equal(third, []string{"c", "d"}) {
		t.Errorf("the third question is %v", third)
	}
	goOn <- struct{}{}
	goOn <- struct{}{}
	people.Wait()
}

// awaitGathering waits until so many keys wait for the next question.
func awaitGathering[V any](t *testing.T, g *store.Gathered[string, V], want int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for store.Gathering(g) < want {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d wait for the next question after a minute, want %d", store.Gathering(g), want)
		}
	}
}

// A database that is overloaded is not asked once more by each.
func TestADatabaseThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.PostgresURL(t))
	for what, ask := range map[string]func(ctx context.Context) error{
		"away": func(context.Context) error { return fault.Errorf(fault.Unavailable, "away") },
		"slow": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		asked := 0
		g := &store.Gathered[string, string]{Time: 10 * time.Millisecond, Ask: func(ctx context.Context, _ []string) (map[string]string, error) {
			asked++
			return nil, ask(ctx)
		}}
		if _, err := g.Of(t.Context(), db, []string{"a"}); !fault.Is(err, fault.Unavailable) || asked != 1 {
			t.Errorf("%s: it is asked %d times, %v", what, asked, err)
		}
	}
}

// What cannot be asked for, or panics, is the trouble of who asks for it.
func TestAWrongKeyHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.Open(t, storetest.PostgresURL(t))
	wrong := errors.New("wrong")
	entered, goOn := make(chan bool, 10), make(chan bool)
	g := &store.Gathered[string, string]{Time: time.Minute, Ask: func(_ context.Context, keys []string) (map[string]string, error) {
		switch {
		case slices.Contains(keys, "first"):
			entered <- true
			<-goOn
		case slices.Contains(keys, "wrong"):
			return nil, wrong
		case slices.Contains(keys, "awful"):
			panic("oh")
		}
		values := map[string]string{}
		for _, k := range keys {
			values[k] = "value of " + k
		}
		return values, nil
	}}
	var people sync.WaitGroup
	ask := func(key string, check func(value string, err error, panicked any)) {
		people.Go(func() {
			var values map[string]string
			var err error
			defer func() { check(values[key], err, recover()) }()
			values, err = g.Of(ctx, db, []string{key})
		})
	}
	fine := func(value string, err error, panicked any) {
		if value == "" || err != nil || panicked != nil {
			t.Errorf("%q, %v, %v", value, err, panicked)
		}
	}
	ask("first", fine)
	<-entered
	ask("wrong", func(_ string, err error, _ any) {
		if !errors.Is(err, wrong) {
			t.Errorf("what is wrong is told %v", err)
		}
	})
	ask("awful", func(_ string, _ error, panicked any) {
		if panicked != "oh" {
			t.Errorf("what is awful panics with %v", panicked)
		}
	})
	ask("good", fine)
	awaitGathering(t, g, 3)
	goOn <- true
	people.Wait()
}

// Whoever asks after a commit gets what it has written, however many ask at once; in a transaction, what that has written.
func TestNothingGatheredIsOlderThanTheQuestion(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		exec := func(statement string) {
			err := db.Write(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, statement)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		exec(`CREATE TABLE gather_count (n BIGINT NOT NULL)`)
		exec(`INSERT INTO gather_count (n) VALUES (0)`)
		g := &store.Gathered[string, int64]{Time: time.Minute, Ask: func(ctx context.Context, _ []string) (map[string]int64, error) {
			var n int64
			err := db.ReadOne(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, `SELECT n FROM gather_count`).Scan(&n) })
			return map[string]int64{"n": n}, err
		}}
		var committed atomic.Int64
		ended := make(chan struct{})
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for {
					least := committed.Load()
					values, err := g.Of(ctx, db, []string{"n"})
					if err != nil || values["n"] < least {
						t.Errorf("%d, %v, after %d was committed", values["n"], err, least)
						return
					}
					select {
					case <-ended:
						return
					default:
					}
				}
			})
		}
		for range 50 {
			exec(`UPDATE gather_count SET n = n + 1`)
			committed.Add(1)
		}
		close(ended)
		asking.Wait()
		err := db.Write(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE gather_count SET n = 1000`); err != nil {
				return err
			}
			values, err := g.Of(ctx, db, []string{"n"})
			if err == nil && values["n"] != 1000 {
				t.Errorf("a transaction that has set 1000 reads %d", values["n"])
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestReadOneAsksOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		count := func(tx *store.Tx) (n int, err error) { return n, tx.QueryRow(ctx, `SELECT 7`).Scan(&n) }
		err := db.ReadOne(ctx, func(tx *store.Tx) error {
			if n, err := count(tx); n != 7 || err != nil {
				t.Errorf("it gives %d, %v", n, err)
			}
			if _, err := count(tx); err == nil {
				t.Error("a second statement sees maybe something else")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		err = db.ReadOne(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `CREATE TABLE one_test (n INTEGER)`)
			return err
		})
		if err == nil {
			t.Error("it writes")
		}
		err = db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `CREATE TABLE one_test (n INTEGER)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.ReadOne(ctx, func(tx *store.Tx) error {
			var n int
			return tx.QueryRow(ctx, `INSERT INTO one_test (n) VALUES (1) RETURNING n`).Scan(&n)
		})
		if err == nil {
			t.Error("it writes what it reads")
		}
		err = db.Read(ctx, func(*store.Tx) error { // which it joins
			for range 2 {
				if err := db.ReadOne(ctx, func(tx *store.Tx) error { _, err := count(tx); return err }); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A request is given the moment that it has asked for once more, but not after it has written, nor after a change that the
// reader knows of.
func TestAMomentIsLentOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := storetest.Open(t, storetest.PostgresURL(t))
	commits := 0
	commit := func(ctx context.Context) {
		t.Helper()
		err := db.Write(ctx, func(tx *store.Tx) error {
			commits++
			if commits == 1 {
				_, err := tx.Exec(ctx, `CREATE TABLE lend_test (n INTEGER)`)
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO lend_test (n) VALUES (1)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	since := func(request context.Context, after time.Time, not int64) int64 {
		t.Helper()
		m := db.MomentSince(request, after)
		if m == not && m != store.NoMoment {
			t.Fatal("a moment is lent that is over")
		}
		return m
	}
	for attempt, lent := 1, false; !lent; attempt++ { // it may have taken too long now and then
		if attempt > 1000 {
			t.Fatal("no moment is lent in a thousand attempts")
		}
		request := store.Lend(ctx)
		first := db.Moment(request)
		commit(ctx)
		second := db.MomentSince(request, time.Time{})
		since(request, time.Time{}, first)
		lent = second == first && first != store.NoMoment
	}
	request := store.Lend(ctx)
	first := db.Moment(request)
	commit(request)
	since(request, time.Time{}, first)
	request = store.Lend(ctx)
	first = db.Moment(request)
	commit(ctx)
	since(request, time.Now(), first)
}
