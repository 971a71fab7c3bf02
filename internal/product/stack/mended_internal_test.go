package stack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// rows is a database with stacks and runs as they are kept, without the rooms that make them.
type rows struct {
	*testing.T
	s  *Service
	tx *store.Tx
}

func inRows(t *testing.T, db *store.DB, do func(r rows)) {
	t.Helper()
	s := &Service{Deps: Deps{DB: db, Runs: &run.Service{}, Now: time.Now}}
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		do(rows{t, s, tx})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r rows) exec(query string, args ...any) {
	r.Helper()
	if _, err := r.tx.Exec(r.Context(), query, args...); err != nil {
		r.Fatal(err)
	}
}

func (r rows) stack(name, space, spec string) Stack {
	r.Helper()
	r.exec(`INSERT INTO stacks (ref, space, repository, branch, path, spec, seen, message, deleted, created, updated, applied, edit, applied_edit, editors, scheduled, drift, drift_checked)
 VALUES ($1,$2,'crew/net','main','',$3,'','',0,1,1,'',1,0,'{}',1,'',0)`, "stack:default/"+name, space, spec)
	stack, err := getStack(r.Context(), r.tx, ref.New("stack", "default", name), "")
	if err != nil {
		r.Fatal(err)
	}
	return stack
}

func (r rows) run(id string, stack Stack, kind, state string) {
	r.Helper()
	over := 0
	if slices.Contains([]string{finished, failed, discarded, canceled}, state) {
		over = 1
	}
	r.exec(`INSERT INTO runs (id, kind, space, subject, refs, title, state, reason, terminal, waiting, actor, cause, repository, commit_id, ref, input, output, lock_name,
 waits_lock, run_key, priority, version, cancel_requested, warnings, created, started, ended, updated, wake, marks)
 VALUES ($1,'stack',$2,$3,'[]','',$4,'',$5,0,'','','','','',$6,'','',0,$7,0,1,0,'[]',2,0,0,2,0,$8)`,
		id, stack.Space, stack.Ref.String(), state, over, `{"type":"`+kind+`"}`, "key of "+id, " "+kind+" ")
}

// TestWhatWasDestroyedHasNotDrifted, whatever a schedule ignores and whoever asks, until it is applied again.
func TestWhatWasDestroyedHasNotDrifted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inRows(t, db, func(r rows) {
			stack := r.stack("net", "default", "{}")
			kept := func(want string) {
				t.Helper()
				why, err := r.s.keptFromReconciling(t.Context(), r.tx, stack)
				if err != nil || !strings.Contains(why, want) || (want == "") != (why == "") {
					t.Errorf("it is kept by %q, %v; want %q", why, err, want)
				}
			}
			r.run("run_1", stack, Tracked, finished)
			kept("")
			r.run("run_2", stack, Destroy, unconfirmed)
			kept("run run_2 is to destroy the stack")
			r.exec("UPDATE runs SET state = $1, terminal = 1 WHERE id = 'run_2'", finished)
			kept("run run_2 has destroyed the stack")
			r.run("run_3", stack, Tracked, failed)
			kept("run run_2 has destroyed the stack")
			r.run("run_4", stack, Tracked, finished)
			kept("")
		})
		var stack Stack
		inRows(t, db, func(r rows) {
			stack = r.stack("gone", "default", "{}")
			r.run("run_5", stack, Destroy, finished)
		})
		s := &Service{Deps: Deps{DB: db, Runs: &run.Service{}}}
		for _, whatever := range []bool{true, false} {
			if why, err := s.unsteady(t.Context(), stack, whatever); err != nil || !strings.Contains(why, "run run_5 has destroyed the stack") {
				t.Errorf("it is looked at: %q, %v", why, err)
			}
		}
	}, run.Migrations(), Migrations())
}

// TestAStackGoesOnlyAsItWasDestroyed: not one that has something again, is changed, or is at work.
func TestAStackGoesOnlyAsItWasDestroyed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inRows(t, db, func(r rows) {
			stack := r.stack("net", "default", `{"schedules":[{"do":"destroy","after":"72h","deleteStack":true}]}`)
			of := run.Run{ID: "run_1", Subject: stack.Ref.String(), Space: "default", Created: time.Now()}
			may := func() error {
				_, err := r.s.mayTakeAway(t.Context(), r.tx, of, r.tx.ForUpdate())
				return err
			}
			if err := may(); err != nil {
				t.Errorf("it stays: %v", err)
			}
			r.run("run_2", stack, Tracked, applying)
			if err := may(); !errors.Is(err, errBusy) {
				t.Errorf("while it is applied: %v", err)
			}
			r.exec("UPDATE stacks SET spec = '{}'")
			if err := may(); !errors.Is(err, errStays) {
				t.Errorf("as it is not to go any more: %v", err)
			}
			// The transaction that deletes the document asks the same.
			err := r.s.documentChanged(context.WithValue(t.Context(), takenAway{}, of), r.tx, document.Change{Ref: stack.Ref, Space: "default"})
			if now, fails := getStack(t.Context(), r.tx, stack.Ref, ""); !errors.Is(err, errStays) || fails != nil || now.Deleted {
				t.Errorf("it is deleted: %v, %v", err, fails)
			}
		})
	}, run.Migrations(), Migrations())
}

// TestWhatIsLeftOutIsSaidOnce for the same reason, and never over why a state is locked.
func TestWhatIsLeftOutIsSaidOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inRows(t, db, func(r rows) {
			stack := r.stack("net", "default", "{}")
			for i, c := range []struct {
				why   string
				again bool
				says  string
			}{{"run 1 waits", false, "run 1 waits"}, {"run 1 waits", true, "run 1 waits"}, {"run 2 waits", false, "run 2 waits"}, {"", false, "run 2 waits"}, {"run 2 waits", false, "run 2 waits"}, {"locked", false, "run 2 waits"}} {
				if c.why == "locked" {
					r.exec("INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,'','','system',1)", stack.Ref.String(), lockOf(ref.NewID(ref.Run, time.Now())))
				}
				again, err := r.s.sayLeftOut(t.Context(), r.tx, stack.Ref, c.why, true)
				if err != nil || again != c.again {
					t.Errorf("%d: again %t, %v", i, again, err)
				}
				said := ""
				if err := r.tx.QueryRow(t.Context(), "SELECT message FROM stacks WHERE ref = $1", stack.Ref.String()).Scan(&said); err != nil || said != c.says {
					t.Errorf("%d: it says %q, %v", i, said, err)
				}
			}
		})
	}, run.Migrations(), Migrations())
}

// TestPoliciesSeeStacksAsTheyStand in some spaces, and by which run a state is kept locked.
func TestPoliciesSeeStacksAsTheyStand(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inRows(t, db, func(r rows) {
			r.stack("a", "far", "{}")
			b := r.stack("b", "near", "{}")
			r.run("run_1", b, Tracked, finished)
			r.run("run_2", b, Destroy, applying)
			r.run("run_3", b, Task, performing)
			by := ref.NewID(ref.Run, time.Now())
			r.exec("INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,'','','system',1)", b.Ref.String(), lockOf(by))
			seen, err := stacksIn(t.Context(), r.tx, access.Set{Names: map[string]bool{"near": true}}, 1)
			if err != nil || len(seen) != 1 || seen[0].Ref != b.Ref {
				t.Fatalf("in the space are %+v, %v", seen, err)
			}
			all, err := r.s.stacksSeen(t.Context(), r.tx, seen)
			if err != nil || all[0]["state"] != "DESTROYING" || all[0]["locked_by"] != by {
				t.Errorf("it is seen as %+v, %v", all, err)
			}
		})
	}, run.Migrations(), Migrations())
}

// TestAPushThatSpeaksTwiceHasItsRun though it has begun as many as it may; a head that comes back after its run was canceled has none.
func TestAPushThatSpeaksTwiceHasItsRun(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inRows(t, db, func(r rows) {
			stack := r.stack("net", "default", "{}")
			r.s.PushRuns = 1
			r.run("run_1", stack, Tracked, planning)
			r.run("run_2", stack, Proposed, canceled)
			r.exec("INSERT INTO stack_pushes (repository, event, runs, began) VALUES ('crew/net', 'main@c0ffee', 1, 1), ('crew/net', '#3@c0ffee', 1, 1)")
			never := func() (run.Run, bool, error) { return run.Run{}, false, errors.New("a run was begun") }
			push, head := pushArgs{Ref: "main", New: "c0ffee"}, pushArgs{Proposal: 3, New: "c0ffee"}
			if got, existed, err := r.s.startOne(t.Context(), r.tx, stack, push, "key of run_1", never); err != nil || !existed || got.ID != "run_1" {
				t.Errorf("the second word has %+v, %t, %v", got, existed, err)
			}
			if _, _, err := r.s.startOne(t.Context(), r.tx, stack, push, "another key", never); !errors.Is(err, errMost) {
				t.Errorf("another run: %v", err)
			}
			if _, _, err := r.s.startOne(t.Context(), r.tx, stack, head, "key of run_2", never); !errors.Is(err, errMost) {
				t.Errorf("a head that came back: %v", err)
			}
		})
	}, run.Migrations(), Migrations())
}

// TestWhichEndsMayHaveLostSomething of steps that change what is there.
func TestWhichEndsMayHaveLostSomething(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state  run.StepState
		result worker.Result
		want   bool
	}{
		"failed":                            {run.StepFailed, worker.Result{ExitCode: 1}, false},
		"its worker was lost":               {run.StepFailed, worker.Result{}, true},
		"its worker was lost when canceled": {run.StepCanceled, worker.Result{}, true},
		"canceled":                          {run.StepCanceled, worker.Result{Reason: "canceled"}, false},
		"canceled and killed":               {run.StepCanceled, worker.Result{Reason: "canceled", ExitCode: 137}, true},
		"succeeded":                         {run.StepSucceeded, worker.Result{}, false},
	} {
		step := &run.Step{State: c.state, Result: c.result, Started: time.Now(), Job: worker.Job{Changes: true}}
		if got := unsaved(step); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestWhatFollowsStaysInItsWorkflow, so that trigger policies and dependencies together come to an end.
func TestWhatFollowsStaysInItsWorkflow(t *testing.T) {
	t.Parallel()
	var in Input
	in.follow(run.Run{ID: "run_2", Subject: "stack:default/net", Input: []byte(`{"type":"tracked","workflow":"run_1","depth":4}`)})
	if in.Workflow != "run_1" || in.Depth != 4 || in.TriggeredBy != "stack:default/net" {
		t.Errorf("it is %+v", in)
	}
}

// TestADestructionWithoutReviewTakesTheRightToConfirm beside that to destroy.
func TestADestructionWithoutReviewTakesTheRightToConfirm(t *testing.T) {
	t.Parallel()
	one := Schedule{Do: Destroy, After: "72h"}
	if got := strings.Join(one.rights(true), " "); got != "stack:destroy run:confirm" {
		t.Errorf("it takes %s", got)
	}
	if got := strings.Join(one.rights(false), " "); got != "stack:destroy" {
		t.Errorf("with a review it takes %s", got)
	}
}

// TestASetMayGiveOlderStacksATime that is over for some of them.
func TestASetMayGiveOlderStacksATime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	s := &Service{Deps: Deps{Now: func() time.Time { return now }}}
	spec := Spec{Schedules: []Schedule{{Do: Destroy, After: "72h"}}}
	for source, want := range map[string]bool{setPrefix + "stackset:default/all": true, "api": false} {
		err := s.mayDeclare(t.Context(), nil, document.Change{Source: source, New: &document.Document{}}, now.Add(-100*time.Hour), Spec{}, spec, "spec", "schedules")
		if (err == nil) != want || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("of %s: %v", source, err)
		}
	}
}

// TestAFolderIsNoPartOfACommand that a set's schedules run.
func TestAFolderIsNoPartOfACommand(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]bool{"tofu output {{path}}": false, "cd {{ path.basename }}": false, "tofu state list $ROADBED_PROJECT_ROOT": true} {
		_, wrong := readSet(setDocument(t, "  owner: group:default/crew\n  source: {repository: crew/mono}\n  folders: [\"*\"]\n  template: {schedules: [{do: task, cron: '@weekly', command: '"+command+"'}]}\n"))
		if (len(wrong) == 0) != want || len(wrong) > 0 && (wrong[0].Field != "spec.template.schedules.0.command" || !strings.Contains(wrong[0].Message, "names its folder in a command")) {
			t.Errorf("%s: %+v", command, wrong)
		}
	}
}
