package stack

import (
	"context"
	"encoding/json"
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
				why, err := r.s.staysDestroyed(t.Context(), r.tx, stack)
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
	lost := func(said string, taken ...string) worker.Result {
		r := worker.Result{ExitCode: 1, Outputs: map[string]string{outputLost: said + "\n"}, Artifacts: map[string]worker.Artifact{}}
		for _, name := range taken {
			r.Artifacts[name] = worker.Artifact{Digest: "of " + name}
		}
		return r
	}
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
		"killed":                            {run.StepFailed, worker.Result{ExitCode: 137}, true},
		"the last signal":                   {run.StepFailed, worker.Result{ExitCode: 192}, true},
		"a code of a program's own":         {run.StepFailed, worker.Result{ExitCode: 193}, false},
		"Ansible's":                         {run.StepFailed, worker.Result{ExitCode: 250}, false},
		"Pulumi's, and that of ssh":         {run.StepFailed, worker.Result{ExitCode: 255}, false},
		"an engine that crashed":            {run.StepFailed, lost("the engine ended with exit code 11"), true},
		"a state that was not taken":        {run.StepFailed, lost("the engine has left a state"), true},
		"of a command that went on":         {run.StepSucceeded, lost("the engine has left a state"), true},
		"a state that was taken":            {run.StepFailed, lost("the engine has left a state", erroredState), false},
		"one of two states":                 {run.StepFailed, lost("the engine has left a state\nand another", erroredState), true},
		"Pulumi's end was exported":         {run.StepFailed, lost("Pulumi has begun", pulumiExport), false},
	} {
		step := &run.Step{State: c.state, Result: c.result, Started: time.Now(), Job: worker.Job{Changes: true}}
		if got := unsaved(step); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// step keeps a step as its row has it.
func (r rows) step(of, key, state string, position int, job worker.Job, result worker.Result) {
	r.Helper()
	told := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			r.Fatal(err)
		}
		return string(text)
	}
	r.exec(`INSERT INTO run_steps (id, run, key, title, state, reason, attempt, max_attempts, pool, priority, kind, job, result, position, step_group, data, ready, started, ended,
 lease_expires, cancel_requested, worker) VALUES ($1,$2,$3,'',$4,'',1,1,'',0,$5,$6,$7,$8,'','',1,1,1,0,0,'')
 ON CONFLICT (run, key) DO UPDATE SET state=excluded.state, result=excluded.result`, "of "+of+" "+key, of, key, state, job.Kind, told(job), told(result), position)
}

// TestAStackIsHeldWhileItsStateLacksSomething that its newest apply is known to have left, until that is taken up or kept.
func TestAStackIsHeldWhileItsStateLacksSomething(t *testing.T) {
	t.Parallel()
	changes := worker.Job{Kind: worker.KindCommand, Changes: true}
	adopts, keeps := worker.Job{Kind: worker.KindPlatform, Action: ActionAdopt}, worker.Job{Kind: worker.KindPlatform, Action: ActionKeep}
	failedWith := worker.Result{ExitCode: 1, Artifacts: map[string]worker.Artifact{erroredState: {Digest: "a state"}}}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inRows(t, db, func(r rows) {
			stack := r.stack("net", "default", "{}")
			r.run("run_1", stack, Tracked, failed)
			r.exec("INSERT INTO run_locks (name, run, taken) VALUES ('a lock', 'run_1', 1)")
			one := run.Run{ID: "run_1", Lock: "a lock", Subject: stack.Ref.String(), Input: []byte(`{"type":"tracked"}`)}
			lacks := func(state, reason, want string) {
				t.Helper()
				one.State, one.Reason = state, reason
				why, err := r.s.lacks(t.Context(), r.tx, one)
				if err != nil || !strings.Contains(why, want) || (want == "") != (why == "") {
					t.Errorf("of one that is %s (%s) the state lacks %q, %v; want %q", state, reason, why, err, want)
				}
			}
			const left = "run run_1 has left a state that could not be taken up"
			lacks(failed, "", "")
			r.step("run_1", "apply", "failed", 1, changes, failedWith)
			lacks(failed, "", left) // nobody could try
			r.step("run_1", "adopt", "failed", 2, adopts, worker.Result{})
			lacks(failed, "", left)
			lacks(canceled, "canceled", left)                  // while it waited to try again
			lacks(canceled, stoppedWhile+performing, left)     // a task
			lacks(canceled, stoppedWhile+performing+"!", left) // and what is said of it
			lacks(finished, "", "")
			r.exec("UPDATE run_locks SET run = 'run_2'")
			lacks(canceled, "canceled", "") // another is at work
			r.exec("UPDATE run_locks SET run = 'run_1'")
			r.step("run_1", "adopt-2", "succeeded", 3, adopts, worker.Result{})
			lacks(failed, "", "")
			r.step("run_1", "apply-2", "failed", 4, changes, failedWith)
			lacks(failed, "", left)
			r.step("run_1", "adopt-3", "succeeded", 5, adopts, worker.Result{})
			lacks(failed, "", "")
			r.step("run_1", "apply-3", "failed", 6, changes, worker.Result{ExitCode: 137})
			lacks(failed, "", "run run_1 was killed")
			lacks(canceled, "canceled", "")

			kept := func(vendor, keep, want string) {
				t.Helper()
				one.Input = []byte(`{"type":"tracked","vendor":` + vendor + `}`)
				r.step("run_1", "apply-4", "succeeded", 7, changes, worker.Result{})
				if keep != "" {
					r.step("run_1", "keep-4", keep, 8, keeps, worker.Result{})
				}
				lacks(failed, "", want)
			}
			const unkept = "run run_1 has left what could not be kept, and the state lacks what it did; retry it"
			kept(`{"kubernetes":{}}`, "", unkept)
			kept(`{"kubernetes":{}}`, "failed", unkept)
			kept(`{"pulumi":{"stackName":"a"}}`, "failed", unkept)
			kept(`{"pulumi":{"stackName":"a","loginUrl":"https://pulumi.example"}}`, "failed", "")
			kept(`{"ansible":{"playbook":"a"}}`, "failed", "") // whose next plan stands on nothing that is kept
			kept(`{"kubernetes":{}}`, "waiting", unkept)
			kept(`{"kubernetes":{}}`, "succeeded", "")
			r.step("run_1", "apply-4", "failed", 7, changes, worker.Result{ExitCode: 1, Outputs: map[string]string{outputLost: "Pulumi has begun\n"}})
			one.Input = []byte(`{"type":"tracked","vendor":{"pulumi":{"stackName":"a"}}}`)
			lacks(failed, "", "run run_1 ended before it had saved all that it did")
		})
	}, run.Migrations(), Migrations())
}

// TestASetLeavesAStackWhoseStateIsLocked, also where it was locked since the set has looked.
func TestASetLeavesAStackWhoseStateIsLocked(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inRows(t, db, func(r rows) {
			stack := r.stack("net", "default", "{}")
			by := ref.NewID(ref.Run, time.Now())
			locked := func(id, run, info string) {
				r.exec("DELETE FROM stack_locks")
				r.exec("INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,$3,$4,'system',1)", stack.Ref.String(), id, info, run)
			}
			for _, c := range []struct{ id, run, info, want string }{
				{lockOf(by), "", `{"Info":"run 1 was killed"}`, "the lock of its state is kept: run 1 was killed"},
				{handLock + "otto", "", `{"Who":"otto"}`, "the lock of its state is held by hand: otto"},
				{"an engine's", "", "{}", "the lock of its state is held"},
				{"of a step that is gone", by, "{}", ""},
			} {
				locked(c.id, c.run, c.info)
				if why, err := r.s.holds(t.Context(), r.tx, stack); err != nil || why != c.want {
					t.Errorf("%s: it stays since %q, %v; want %q", c.id, why, err, c.want)
				}
				if c.want == "" {
					continue
				}
				err := r.s.documentChanged(context.WithValue(t.Context(), bySet{}, true), r.tx, document.Change{Ref: stack.Ref, Space: "default", Source: setPrefix + "default/all"})
				if now, fails := getStack(t.Context(), r.tx, stack.Ref, ""); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), c.want) || fails != nil || now.Deleted {
					t.Errorf("%s: it is deleted: %v, %v", c.id, err, fails)
				}
			}
		})
	}, run.Migrations(), Migrations())
}

// TestWhatFollowsStaysInItsWorkflow, so that trigger policies and dependencies together come to an end.
func TestWhatFollowsStaysInItsWorkflow(t *testing.T) {
	t.Parallel()
	var in Input
	in.follow(Spec{}, run.Run{ID: "run_2", Subject: "stack:default/net", Input: []byte(`{"type":"tracked","workflow":"run_1","depth":4}`)})
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
