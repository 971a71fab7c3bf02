package once_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/once"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

var (
	noon    = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	request = once.Request{Caller: "pri_alice", Target: "POST /api/v1/things?x=1", Key: "k1", Body: []byte(`{"name":"shop"}`)}
	answer  = once.Answer{Status: 201, Header: map[string]string{"ETag": `"7"`}, Body: []byte(`{"id":"thing"}`)}
)

func each(t *testing.T, story func(t *testing.T, db *store.DB)) {
	t.Parallel()
	storetest.Each(t, story, once.Migrations())
}

// clock is a time that a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func begin(t *testing.T, a *once.Answers, r once.Request, what string) {
	t.Helper()
	if earlier, err := a.Begin(t.Context(), r); err != nil || earlier != nil {
		t.Fatalf("%s: got %v, %v; want that the request is done", what, earlier, err)
	}
}

func refused(t *testing.T, a *once.Answers, r once.Request, want fault.Kind, what string) {
	t.Helper()
	if earlier, err := a.Begin(t.Context(), r); !fault.Is(err, want) {
		t.Fatalf("%s: got %v, %v; want %v", what, earlier, err, want)
	}
}

func TestARequestThatIsSentAgainIsAnsweredAgain(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		a := once.New(db, (&clock{noon}).now, "srv")
		begin(t, a, request, "the first")
		refused(t, a, request, fault.Conflict, "while the first is under way")
		if err := a.Finish(t.Context(), request, answer); err != nil {
			t.Fatal(err)
		}
		again, err := a.Begin(t.Context(), request)
		if err != nil || again == nil {
			t.Fatalf("got %v, %v; want the answer of the first", again, err)
		}
		if again.Status != 201 || again.Header["ETag"] != `"7"` || string(again.Body) != string(answer.Body) || again.Secret {
			t.Errorf("got %+v, want %+v", again, answer)
		}
		other := request
		other.Body = []byte(`{"name":"other"}`)
		refused(t, a, other, fault.Invalid, "another body with the key")
		for what, change := range map[string]func(*once.Request){
			"another caller":  func(r *once.Request) { r.Caller = "pri_bob" },
			"another address": func(r *once.Request) { r.Target += "2" },
			"another key":     func(r *once.Request) { r.Key = "k2" },
			// The parts don't run into each other.
			"parts that join to the same text": func(r *once.Request) { r.Caller, r.Target = r.Caller+"P", r.Target[1:] },
		} {
			r := request
			change(&r)
			begin(t, a, r, what)
		}
	})
}

func TestARequestThatFailedMayBeSentAgain(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		a := once.New(db, (&clock{noon}).now, "srv")
		begin(t, a, request, "the first")
		if err := a.Forget(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		begin(t, a, request, "after one that failed")
		if err := a.Finish(t.Context(), request, answer); err != nil {
			t.Fatal(err)
		}
		if err := a.Forget(t.Context(), request); err != nil { // too late
			t.Fatal(err)
		}
		if again, err := a.Begin(t.Context(), request); err != nil || again == nil {
			t.Errorf("got %v, %v; want the answer, which is not forgotten any more", again, err)
		}
	})
}

func TestARequestWhoseEndCouldNotBeWrittenIsNotUnderWay(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		a := once.New(db, (&clock{noon}).now, "srv")
		away, stop := context.WithCancel(t.Context())
		stop()
		begin(t, a, request, "the first")
		if err := a.Forget(away, request); err == nil && db.Dialect() == store.Postgres { // elsewhere nothing was written of it
			t.Fatal("a database that is away has forgotten a request")
		}
		begin(t, a, request, "after one that failed")
		refused(t, a, request, fault.Conflict, "while the second is under way")
		effect(t, db, a.Mark(t.Context(), request))
		if err := a.Finish(away, request, answer); err == nil {
			t.Fatal("a database that is away has kept an answer")
		}
		if again, err := a.Begin(t.Context(), request); err != nil || again == nil || !again.Lost {
			t.Errorf("something came of the second, and the next is told %+v, %v", again, err)
		}
	})
}

// effect writes something in the context of a request.
func effect(t *testing.T, db *store.DB, ctx context.Context) {
	t.Helper()
	err := db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO once_answers (id, request, life, begun) VALUES ('something', '', '', 0) ON CONFLICT (id) DO NOTHING`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatACrashCutOffIsDoneAgainOnlyWhenNothingCameOfIt(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		c := &clock{noon}
		killed := once.New(db, c.now, "srv")
		begin(t, killed, request, "the first")
		undone := errors.New("undone")
		if err := db.Write(killed.Mark(t.Context(), request), func(*store.Tx) error { return undone }); !errors.Is(err, undone) {
			t.Fatal(err)
		}
		second := once.New(db, c.now, "srv")
		begin(t, second, request, "nothing came of the first")
		effect(t, db, once.Unmarked(second.Mark(t.Context(), request)))
		third := once.New(db, c.now, "srv")
		begin(t, third, request, "what came of the second has a key of its own")
		effect(t, db, third.Mark(t.Context(), request))
		fourth := once.New(db, c.now, "srv")
		for range 2 {
			if answer, err := fourth.Begin(t.Context(), request); err != nil || answer == nil || !answer.Lost {
				t.Fatalf("something came of the third, and the next is told %+v, %v", answer, err)
			}
		}
		c.Time = c.Add(once.Keep)
		begin(t, fourth, request, "a day later")
		effect(t, db, fourth.Mark(t.Context(), request))
		if err := fourth.Finish(t.Context(), request, answer); err != nil {
			t.Fatal(err)
		}
		if again, err := once.New(db, c.now, "srv").Begin(t.Context(), request); err != nil || again == nil || again.Lost || again.Status != answer.Status {
			t.Errorf("what was answered is answered with %+v, %v", again, err)
		}
	})
}

// Where one server answers, nothing is written of a request before something comes of it, nor of one that is refused then.
func TestOneServerWritesWhatComesOfARequest(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, once.Migrations())
	rows := func(want int, what string) {
		t.Helper()
		got := 0
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), "SELECT COUNT(*) FROM once_answers WHERE id <> 'something'").Scan(&got)
		})
		if err != nil || got != want {
			t.Fatalf("%s: %d rows, %v; want %d", what, got, err, want)
		}
	}
	c := &clock{noon}
	a := once.New(db, c.now, "srv")
	begin(t, a, request, "the first")
	other := request
	other.Body = []byte(`{}`)
	refused(t, a, other, fault.Invalid, "another body while it is under way")
	rows(0, "begun")
	if err := a.Forget(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	begin(t, a, request, "the second")
	for range 2 {
		effect(t, db, a.Mark(t.Context(), request))
		rows(1, "something came of it")
	}
	if err := a.Forget(t.Context(), request); err != nil { // it failed after that
		t.Fatal(err)
	}
	rows(0, "forgotten")
	// What is written after the answer takes nothing of it.
	late := request
	late.Key = "k2"
	begin(t, a, late, "one with a late end")
	if err := a.Finish(t.Context(), late, answer); err != nil {
		t.Fatal(err)
	}
	effect(t, db, a.Mark(t.Context(), late))
	if again, err := a.Begin(t.Context(), late); err != nil || again == nil || again.Status != answer.Status {
		t.Fatalf("it is answered again with %+v, %v", again, err)
	}
	// In the same life, what was never answered counts as lost, and a day later as nothing.
	begin(t, a, request, "the third")
	effect(t, db, a.Mark(t.Context(), request))
	away, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Finish(away, request, answer); err == nil {
		t.Fatal("a database that is away has kept an answer")
	}
	if again, err := a.Begin(t.Context(), request); err != nil || again == nil || !again.Lost {
		t.Fatalf("something came of the third, and the next is told %+v, %v", again, err)
	}
	c.Time = c.Add(once.Keep)
	begin(t, a, request, "a day later")
	effect(t, db, a.Mark(t.Context(), request))
	if again, err := once.New(db, c.now, "srv").Begin(t.Context(), request); err != nil || again == nil || !again.Lost {
		t.Errorf("something came of the fourth, and the next life is told %+v, %v", again, err)
	}
}

// TestOneTakesUpWhatWasLost sends a request that was lost again from many connections.
func TestOneTakesUpWhatWasLost(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		c := &clock{noon}
		begin(t, once.New(db, c.now, "srv"), request, "the first")
		reborn := once.New(db, c.now, "srv")
		var all sync.WaitGroup
		var taken atomic.Int64
		for range 10 {
			all.Go(func() {
				if answer, err := reborn.Begin(t.Context(), request); err == nil && answer == nil {
					taken.Add(1)
				} else if !fault.Is(err, fault.Conflict) {
					t.Errorf("got %+v, %v", answer, err)
				}
			})
		}
		all.Wait()
		if taken.Load() != 1 {
			t.Errorf("%d have taken it up", taken.Load())
		}
	})
}

func TestWhatACrashLeftUnderWayIsDoneAgain(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		c := &clock{noon}
		killed := once.New(db, c.now, "srv")
		begin(t, killed, request, "the first")
		several := db.Dialect() == store.Postgres
		if several {
			refused(t, once.New(db, c.now, "srv-2"), request, fault.Conflict, "another server, while the first may still answer")
		}
		reborn := once.New(db, c.now, "srv")
		begin(t, reborn, request, "the next life of the server")
		if err := killed.Finish(t.Context(), request, answer); err != nil {
			t.Fatal(err)
		}
		refused(t, reborn, request, fault.Conflict, "after a late word of the life that was killed")
		c.Time = c.Add(11 * time.Minute)
		if several {
			begin(t, once.New(db, c.now, "srv-2"), request, "another server, when the first is long gone")
		}
	})
}

func TestSecretsAreNotKept(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		a := once.New(db, (&clock{noon}).now, "srv")
		begin(t, a, request, "the first")
		if err := a.Finish(t.Context(), request, once.Answer{Status: 201, Body: []byte("rbt_secret"), Secret: true}); err != nil {
			t.Fatal(err)
		}
		again, err := a.Begin(t.Context(), request)
		if err != nil || again == nil || !again.Secret || len(again.Body) != 0 {
			t.Errorf("got %+v, %v; want word of a secret without it", again, err)
		}
	})
}

func TestAnswersAreKeptForADay(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		c := &clock{noon}
		a := once.New(db, c.now, "srv")
		begin(t, a, request, "the first")
		if err := a.Finish(t.Context(), request, answer); err != nil {
			t.Fatal(err)
		}
		c.Time = c.Add(once.Keep + time.Second)
		other := request
		other.Key = "k2"
		begin(t, a, other, "a request on the next day")
		if err := a.Finish(t.Context(), other, answer); err != nil {
			t.Fatal(err)
		}
		rows := 0
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), "SELECT COUNT(*) FROM once_answers").Scan(&rows)
		})
		if err != nil || rows != 1 {
			t.Errorf("%d answers are kept, %v; want only the new one", rows, err)
		}
		begin(t, a, request, "the first key on the next day")
	})
}

func TestOfRequestsSentAtOnceOneIsDone(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		a := once.New(db, time.Now, "srv")
		var (
			all   sync.WaitGroup
			mu    sync.Mutex
			done  int
			other []error
		)
		for range 20 {
			all.Go(func() {
				earlier, err := a.Begin(context.Background(), request)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && earlier == nil:
					done++
				case !fault.Is(err, fault.Conflict):
					other = append(other, err)
				}
			})
		}
		all.Wait()
		if done != 1 || len(other) > 0 {
			t.Errorf("%d requests were done, want one; errors besides conflicts: %v", done, other)
		}
	})
}

func TestKeysThatAreNone(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		a := once.New(db, time.Now, "srv")
		for _, key := range []string{"", strings.Repeat("k", once.MaxKey+1), "line\nbreak", "é"} {
			r := request
			r.Key = key
			refused(t, a, r, fault.Invalid, "the key "+key)
		}
	})
}
