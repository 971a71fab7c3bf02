package repository_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// An unchanged repository costs one conditional question, and no row is written, also after a restart.
func TestAnUnchangedRepositoryCostsOneQuestion(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		r := b.connect()
		b.fetch() // so long after the first that nothing is missing
		again := b.At(time.Now)
		again.Join(repository.OutsideOptions{Forges: a, Accounts: a})
		before := len(b.types())
		for when, s := range map[string]*repository.Service{"": b.Service, "after a restart": again} {
			asked, same, lists := a.asked.Load(), a.same.Load(), a.lists.Load()
			if err := s.Look(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			if a.asked.Load() != asked+1 || a.same.Load() != same+1 || a.lists.Load() != lists || len(b.types()) != before {
				t.Errorf("%s it took %d questions, to %d of which there was nothing new, %d lists and %d entries", when,
					a.asked.Load()-asked, a.same.Load()-same, a.lists.Load()-lists, len(b.types())-before)
			}
		}
		lists := a.lists.Load()
		a.set(func(a *away) { a.there.Changed = time.Unix(3000, 0) })
		if err := again.Look(t.Context(), r.ID); err != nil || a.lists.Load() == lists {
			t.Errorf("a change was not looked at: %v", err)
		}
		// Once a day the references are compared all the same.
		if err := again.Look(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		later := b.At(func() time.Time { return time.Now().Add(25 * time.Hour) })
		later.Join(repository.OutsideOptions{Forges: a, Accounts: a})
		lists = a.lists.Load()
		if err := later.Look(t.Context(), r.ID); err != nil || a.lists.Load() != lists+1 {
			t.Errorf("after a day there were %d lists, %v", a.lists.Load()-lists, err)
		}
	})
}

// While nothing is to be done for a repository, a look reads no row but once in ten minutes, and when somebody asks for more.
func TestARepositoryThatRestsIsOnlyAskedFor(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		r := b.connect()
		b.fetch()
		now := time.Now()
		s := b.At(func() time.Time { return now })
		s.Join(repository.OutsideOptions{Forges: a, Accounts: a})
		called := func(name string) {
			t.Helper()
			if err := b.db.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), "UPDATE repository_outsides SET remote = $2 WHERE repository = $1", r.ID, name)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		looks := func(what string, after time.Duration, want bool) {
			t.Helper()
			now = now.Add(after)
			if err := s.Look(t.Context(), r.ID); (err == nil) != want || !want && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		looks("the first", 0, true)
		called("acme/gone")
		looks("soon after", 9*time.Minute, true)
		looks("a while after", time.Minute, false)
		called("acme/Shop")
		looks("when it is back", 24*time.Hour, true)
		looks("once more", time.Minute, true)
		called("acme/gone")
		a.set(func(a *away) { a.there.Changed = time.Unix(7000, 0) })
		looks("when it has changed", time.Minute, false)

		// Nothing is asked twice: of what has changed, by a forge that is away, or by one that tells no marks.
		called("acme/Shop")
		costs := func(what string, ok bool) {
			t.Helper()
			asked := a.asked.Load()
			if looks(what, time.Minute, ok); a.asked.Load() != asked+1 {
				t.Errorf("%s, it was asked %d times", what, a.asked.Load()-asked)
			}
		}
		looks("when it is back again", 2*time.Hour, true)
		costs("at rest", true)
		a.set(func(a *away) { a.there.Changed = time.Unix(8000, 0) })
		costs("after a change", true)
		costs("after that", true)
		a.set(func(a *away) { a.fails = fault.Errorf(fault.NotFound, "it is away") })
		costs("while it is away", false)
		a.set(func(a *away) { a.fails, a.unmarked = nil, true })
		looks("when it is here", 2*time.Hour, true)
		for range 3 {
			costs("without a mark", true)
		}
	})
}

// GitLab notes activity once an hour, so that what it says of the last change tells nothing of the hour after it.
func TestAnHourAfterAChangeIsLookedAt(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		changed := time.Now().Truncate(time.Second)
		a.set(func(a *away) { a.terms.Forge, a.there.Changed = "gitlab", changed })
		r := b.connect()
		looks := func(after time.Duration) (lists int64) {
			s := b.At(func() time.Time { return changed.Add(after) })
			s.Join(repository.OutsideOptions{Forges: a, Accounts: a})
			before := a.lists.Load()
			for range 3 {
				if err := s.Look(t.Context(), r.ID); err != nil {
					t.Fatal(err)
				}
			}
			return a.lists.Load() - before
		}
		if n := looks(30 * time.Minute); n != 3 {
			t.Errorf("in the hour after a change %d of 3 looks compared the references", n)
		}
		if n := looks(2 * time.Hour); n != 2 {
			t.Errorf("later %d of 3 looks compared the references", n)
		}
	})
}

// The loop fetches what was connected, and follows it without any webhook.
func TestPolling(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.Join(repository.OutsideOptions{Forges: a, Accounts: a, Poll: time.Millisecond})
		beside := make(chan string, 100)
		b.Beside(time.Hour, func(_ context.Context, id string) error {
			beside <- id
			return fault.Errorf(fault.Unavailable, "the forge is away")
		})
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		if _, err := b.Connect(accesstest.As("alice"), repository.NewOutside{Integration: "default/forge", Remote: "acme/Shop"}); err != nil {
			t.Fatal(err)
		}
		until := func(what string, fn func(r repository.Repository) bool) {
			for {
				r, err := b.Get(accesstest.As("alice"), "default/shop")
				if err != nil {
					t.Fatal(err)
				}
				if fn(r) {
					return
				}
				select {
				case <-t.Context().Done():
					t.Fatal(what)
				case <-time.After(10 * time.Millisecond):
				}
			}
		}
		until("it is fetched", func(r repository.Repository) bool { return r.Head != "" && !r.Outside.Fetched.IsZero() })
		second := b.commit("work", "x", "2")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		a.set(func(a *away) { a.there.Changed = time.Unix(5000, 0) })
		until("it is followed", func(r repository.Repository) bool { return r.Head == second })
		r, err := b.FetchSoon(accesstest.As("alice"), "default/shop")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // after its first look, and because somebody asks for a fetch
			if id := <-beside; id != r.ID {
				t.Errorf("beside a look %s is asked for", id)
			}
		}
		looked := a.asked.Load()
		until("it is looked at again", func(repository.Repository) bool { return a.asked.Load() > looked+1 })
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(beside) > 0 {
			t.Errorf("within the hour it is asked for %d times more", len(beside))
		}
		b.chain("default/shop")
	})
}

// What is asked for while a look runs, which may have looked before, is done by the next.
func TestAnAskDuringALookIsNotLost(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		r := b.connect()
		var once sync.Once
		gate := func() {
			once.Do(func() {
				if _, err := b.FetchSoon(accesstest.As("alice"), "default/shop"); err != nil {
					t.Error(err)
				}
			})
		}
		a.gate.Store(&gate)
		b.fetch()
		if due := b.Due(time.Now()); len(due) != 1 || due[0] != r.ID {
			t.Errorf("after the look %v is looked at", due)
		}
	})
}
