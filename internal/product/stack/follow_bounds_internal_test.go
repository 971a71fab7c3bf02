package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// spent is a clock by which no time passes until somebody says so.
type spent map[time.Duration]context.CancelFunc

func (s spent) begin(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	s[most] = stop
	return ctx, stop
}

// followed are stacks that depend on one, of which a run has finished; the repositories of some hang until a time is over.
type followed struct {
	ground
	clock spent
	after run.Run
	asked []string // repositories
}

func eachFollowed(t *testing.T, hang []string, until time.Duration, do func(f *followed, names []string)) {
	t.Helper()
	eachGround(t, nil, func(g ground) {
		outside := &branches{head: "first"} // of this ground: others run at the same time
		g.s.Repositories = outside
		f := &followed{ground: g, clock: spent{}, after: run.Run{ID: "run_1", Kind: RunKind, Subject: "stack:default/net", Space: "default", State: finished, Ended: time.Now(), Input: []byte(`{"type":"tracked"}`)}}
		outside.asked = func(ctx context.Context, repository string) error {
			f.asked = append(f.asked, repository)
			if !slices.Contains(hang, strings.TrimPrefix(repository, "crew/")) {
				return nil
			}
			f.clock[until]()
			<-ctx.Done()
			return ctx.Err()
		}
		names := append([]string{"a", "b", "c"}, hang...)
		g.rows(func(r rows) {
			net := r.stack("net", "default", "{}")
			r.run(f.after.ID, net, Tracked, finished)
			for _, name := range names {
				r.stack(name, "default", `{"dependsOn":[{"stack":"stack:default/net"}]}`)
				r.exec("UPDATE stacks SET repository = $2 WHERE ref = $1", "stack:default/"+name, "crew/"+name)
				r.exec("INSERT INTO stack_dependencies (stack, upstream, used) VALUES ($1, 'stack:default/net', '')", "stack:default/"+name)
			}
		})
		do(f, names)
	})
}

// follow has them follow, and gives what failed of it by the stack's name.
func (f *followed) follow() map[string]error {
	f.Helper()
	f.asked = nil
	all := map[string]error{}
	for _, err := range f.s.followWithin(f.ctx, f.after, f.clock.begin) {
		_, rest, _ := strings.Cut(fmt.Sprint(err), "have stack:default/")
		name, _, _ := strings.Cut(rest, " ")
		all[name] = err
	}
	return all
}

// has gives which of some stacks have a run that follows.
func (f *followed) has(names []string) (some []string) {
	f.Helper()
	for _, name := range names {
		for _, r := range f.begun(name) {
			if inputOf(r).TriggeredBy == f.after.Subject {
				some = append(some, name)
			}
		}
	}
	return some
}

// TestOneThatHangsKeepsNoOtherFromFollowing: the time of one is not that of all.
func TestOneThatHangsKeepsNoOtherFromFollowing(t *testing.T) {
	t.Parallel()
	eachFollowed(t, []string{"hangs", "sleeps"}, followOne, func(f *followed, names []string) {
		for try := range 3 {
			failed := f.follow()
			if got := slices.Sorted(maps.Keys(failed)); !slices.Equal(got, []string{"hangs", "sleeps"}) {
				t.Fatalf("try %d: what failed is %v", try, failed)
			}
			for name, err := range failed {
				if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "has not answered within 20s") {
					t.Errorf("%s fails by %v", name, err)
				}
			}
			if got := f.has(names); !slices.Equal(got, []string{"a", "b", "c"}) { // once each, however often it is tried
				t.Errorf("try %d: %v follow", try, got)
			}
			if f.says("a") != "" || f.says("hangs") != "" {
				t.Errorf("their pages say %q and %q", f.says("a"), f.says("hangs"))
			}
		}
	})
}

// TestWhatWasNotBegunInTimeIsTriedAgain: where one takes the time of all, those that come after it are not asked, and fail, so that
// the job comes again; at some time each of them comes before it.
func TestWhatWasNotBegunInTimeIsTriedAgain(t *testing.T) {
	t.Parallel()
	eachFollowed(t, []string{"hangs"}, followTime, func(f *followed, names []string) {
		for try := 0; ; try++ {
			had := f.has(names)
			failed := f.follow()
			now := f.has(names)
			for _, name := range names {
				err, fails := failed[name]
				if asked := slices.Contains(f.asked, "crew/"+name); asked == fails && name != "hangs" {
					t.Fatalf("try %d: %s was asked: %t, and fails by %v", try, name, asked, err)
				}
				if fails && (!fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "within 1m30s")) {
					t.Errorf("try %d: %s fails by %v", try, name, err)
				}
				if follows := slices.Contains(now, name); fails && follows && !slices.Contains(had, name) || !fails && !follows {
					t.Errorf("try %d: %s follows: %t, and fails by %v", try, name, follows, err)
				}
			}
			if failed["hangs"] == nil {
				t.Fatalf("try %d: what hangs has not failed", try)
			}
			if slices.Equal(now, []string{"a", "b", "c"}) {
				break
			}
			if try == 1000 {
				t.Fatalf("only %v follow", now)
			}
		}
	})
}

// TestWhatDoesNotFollowForADayIsTold on its page and is tried no more; that takes none of a time that is over. The job lasts longer.
func TestWhatDoesNotFollowForADayIsTold(t *testing.T) {
	t.Parallel()
	if least := queue.Lasts(followTries); least <= followGiveUp || queue.Lasts(followTries-5) > followGiveUp {
		t.Errorf("the job is tried for %s, and gives up after %s", least, followGiveUp)
	}
	for until, want := range map[time.Duration]string{followOne: "has not answered within 20s", followTime: "has not answered within 1m30s"} {
		eachFollowed(t, []string{"hangs"}, until, func(f *followed, names []string) {
			f.after.Ended = f.after.Ended.Add(time.Minute - followGiveUp)
			if failed := f.follow(); failed["hangs"] == nil || f.says("hangs") != "" {
				t.Errorf("before a day is over it fails by %v, and its page says %q", failed["hangs"], f.says("hangs"))
			}
			f.after.Ended = f.after.Ended.Add(-time.Minute)
			for _, err := range f.s.followWithin(f.ctx, f.after, f.clock.begin) {
				if err != nil {
					t.Errorf("after a day it is tried again: %v", err)
				}
			}
			said := f.says("hangs")
			for _, part := range []string{"it did not follow run run_1 of stack:default/net", want, "begin a run by hand"} {
				if !strings.Contains(said, part) {
					t.Errorf("after a day its page says %q, without %q", said, part)
				}
			}
			for _, name := range []string{"a", "b", "c"} {
				if follows, told := slices.Contains(f.has(names), name), f.says(name) != ""; follows == told {
					t.Errorf("%s follows: %t, and its page says %q", name, follows, f.says(name))
				}
			}
		})
	}
}

// TestWhatWasDestroyedFollowsNothing: a run of another stack does not bring it back, and its page says so.
func TestWhatWasDestroyedFollowsNothing(t *testing.T) {
	t.Parallel()
	eachFollowed(t, nil, followOne, func(f *followed, names []string) {
		f.rows(func(r rows) {
			for name, state := range map[string]string{"a": finished, "b": unconfirmed} {
				stack, err := getStack(f.ctx, r.tx, ref.New("stack", "default", name), "")
				if err != nil {
					f.Fatal(err)
				}
				r.run("run_of_"+name, stack, Destroy, state)
			}
		})
		if failed := f.follow(); len(failed) > 0 {
			t.Errorf("what failed is %v", failed)
		}
		if got := f.has(names); !slices.Equal(got, []string{"c"}) {
			t.Errorf("%v follow", got)
		}
		for name, want := range map[string]string{"a": "run run_of_a has destroyed the stack", "b": "run run_of_b is to destroy the stack"} {
			if said := f.says(name); !strings.Contains(said, "it did not follow run run_1 of stack:default/net") || !strings.Contains(said, want) {
				t.Errorf("the page of %s says %q", name, said)
			}
		}
		f.rows(func(r rows) {
			net := ref.New("stack", "default", "net")
			change := document.Change{Ref: net, Space: "default"}
			if err := f.s.documentChanged(Unfollowed(f.ctx), r.tx, change); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "3 stacks depend on it") {
				t.Errorf("a stack that others follow is deleted: %v", err)
			}
			r.exec("DELETE FROM stack_dependencies")
			if err := f.s.documentChanged(Unfollowed(f.ctx), r.tx, change); err != nil {
				t.Error(err)
			}
		})
	})
}
