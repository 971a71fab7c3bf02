package stack

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// inLocks has a stack whose run was killed as it was applied, with the rooms that locks take.
func inLocks(t *testing.T, do func(r rows, stack Stack, killed run.Run)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := storetest.Log(t)
		book := ledger.New(db, time.Now, log)
		inRows(t, db, func(r rows) {
			r.s.Ledger, r.s.Queue, r.s.Access = book, queue.New(db, log), access.New(db, book, time.Now, log)
			r.s.Runs = &run.Service{Deps: run.Deps{DB: db, Ledger: book, Now: time.Now, Log: log}}
			stack := r.stack("net", "default", "{}")
			id := ref.NewID(ref.Run, time.Now())
			r.run(id, stack, Tracked, failed)
			r.step(id, "apply", "failed", 1, worker.Job{Kind: worker.KindCommand, Changes: true}, worker.Result{ExitCode: 137})
			r.exec("UPDATE runs SET lock_name = $2 WHERE id = $1", id, LockName(stack.Ref))
			killed, err := r.s.Runs.GetTx(r.Context(), r.tx, id)
			if err != nil {
				r.Fatal(err)
			}
			do(r, stack, killed)
		})
	}, run.Migrations(), Migrations(), ledger.Migrations(), queue.Migrations(), access.Migrations())
}

// held makes who holds the stack, and the lock of its state, what they are to be; "" is nobody.
func (r rows) held(stack Stack, holder, lock string) {
	r.Helper()
	r.exec("DELETE FROM run_locks")
	r.exec("DELETE FROM stack_locks")
	if holder != "" {
		r.exec("INSERT INTO run_locks (name, run, taken) VALUES ($1,$2,1)", LockName(stack.Ref), holder)
	}
	if lock != "" {
		r.exec("INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,'{}','','user:default/otto',1)", stack.Ref.String(), lock)
	}
}

// wantHeld looks who holds the stack, and the lock of its state.
func (r rows) wantHeld(when string, stack Stack, holder, lock string) {
	r.Helper()
	has, err := r.s.Runs.HolderTx(r.Context(), r.tx, LockName(stack.Ref))
	if err != nil || has != holder {
		r.Errorf("%s: %q holds the stack, %v; want %q", when, has, err, holder)
	}
	l, err := getLock(r.Context(), r.tx, stack.Ref, "")
	if err != nil && !fault.Is(err, fault.NotFound) || l.ID != lock {
		r.Errorf("%s: the state's lock is %q, %v; want %q", when, l.ID, err, lock)
	}
}

// TestARunThatEndsInTheQueueHoldsNothingOfAnother: that it was killed once counts while nobody has been at work since.
func TestARunThatEndsInTheQueueHoldsNothingOfAnother(t *testing.T) {
	t.Parallel()
	inLocks(t, func(r rows, stack Stack, killed run.Run) {
		kept := lockOf(killed.ID)
		ends := func(when, state, holder, wantHolder, wantLock string) {
			t.Helper()
			r.held(stack, holder, "")
			killed.State = state
			if err := r.s.holdUnsaved(r.Context(), r.tx, killed); err != nil {
				r.Fatal(err)
			}
			r.wantHeld(when, stack, wantHolder, wantLock)
		}
		ends("as it was applied", failed, killed.ID, kept, kept)
		ends("voted down while another is unconfirmed", failed, "another run", "another run", "")
		ends("voted down while a person has locked it", failed, handLock+"otto", handLock+"otto", "")
		ends("voted down while nobody is at work", failed, "", kept, kept)
		ends("canceled, of which a person knows", canceled, "", "", "")

		left := worker.Result{ExitCode: 1, Artifacts: map[string]worker.Artifact{erroredState: {Digest: "a state"}}}
		r.step(killed.ID, "apply", "failed", 1, worker.Job{Kind: worker.KindCommand, Changes: true}, left)
		ends("canceled before it could take up the state", canceled, "", kept, kept)
		ends("canceled, and another is at work", canceled, "another run", "another run", "")

		other := ref.NewID(ref.Run, time.Now())
		r.run(other, stack, Tracked, finished)
		ends("canceled after one that had finished before", canceled, "", kept, kept)
		r.exec("UPDATE runs SET ended = $2 WHERE id = $1", other, store.Micros(time.Now()))
		ends("canceled after another has finished", canceled, "", "", "")
		ends("voted down after another has finished", failed, "", "", "")
	})
}

// TestARunKeepsAStackWhoseStateATerminalHas, and the state's lock once that is free; who lets it go on frees both.
func TestARunKeepsAStackWhoseStateATerminalHas(t *testing.T) {
	t.Parallel()
	inLocks(t, func(r rows, stack Stack, killed run.Run) {
		kept := lockOf(killed.ID)
		ends := func() {
			t.Helper()
			r.held(stack, killed.ID, "a terminal's")
			if err := r.s.holdUnsaved(r.Context(), r.tx, killed); err != nil {
				r.Fatal(err)
			}
			r.wantHeld("while a terminal has it", stack, kept, "a terminal's")
		}
		says := func() (said string) {
			t.Helper()
			if err := r.tx.QueryRow(r.Context(), "SELECT message FROM stacks WHERE ref = $1", stack.Ref.String()).Scan(&said); err != nil {
				r.Fatal(err)
			}
			return said
		}
		free := func() {
			t.Helper()
			l, err := getLock(r.Context(), r.tx, stack.Ref, "")
			if err == nil {
				err = r.s.unlock(r.Context(), r.tx, stack, l, false)
			}
			if err != nil {
				r.Fatal(err)
			}
		}
		ends()
		if who, err := r.s.lockedByHand(r.Context(), r.tx, stack.Ref.String()); err != nil || !strings.Contains(who, "after it kept by run "+killed.ID) {
			t.Errorf("runs wait for what %q, %v", who, err)
		}
		if err := r.s.sayTx(r.Context(), r.tx, stack.Ref, "a schedule was left out"); err != nil || !strings.Contains(says(), "was killed while it changed") {
			t.Errorf("its page says %q, %v", says(), err)
		}
		free()
		r.wantHeld("once the terminal is done", stack, kept, kept)
		if who, err := r.s.lockedByHand(r.Context(), r.tx, stack.Ref.String()); err != nil || !strings.Contains(who, "was killed while it changed") {
			t.Errorf("then they wait for what %q, %v", who, err)
		}
		if err := r.s.letGoOn(r.Context(), r.tx, stack.Ref, killed.ID); err != nil {
			r.Fatal(err)
		}
		r.wantHeld("as it is retried", stack, "", "")

		ends()
		if err := r.s.letGoOn(r.Context(), r.tx, stack.Ref, ref.NewID(ref.Run, time.Now())); err != nil {
			r.Fatal(err)
		}
		r.wantHeld("as another is retried", stack, kept, "a terminal's")
		if err := r.s.letGoOn(r.Context(), r.tx, stack.Ref, ""); err != nil {
			r.Fatal(err)
		}
		r.wantHeld("as one is begun by hand", stack, "", "a terminal's")
		if said := says(); said != "" {
			t.Errorf("its page still says %q", said)
		}
		free()
		r.wantHeld("and the terminal is done", stack, "", "")
	})
}

// TestASetLooksAgainWhenAnEngineIsDone with the lock of a stack that the set is to take away, and not at each of a run's.
func TestASetLooksAgainWhenAnEngineIsDone(t *testing.T) {
	t.Parallel()
	inLocks(t, func(r rows, stack Stack, _ run.Run) {
		r.exec("INSERT INTO stack_set_members (stack_set, stack, folder) VALUES ('stackset:default/all', $1, 'net')", stack.Ref.String())
		for _, c := range []struct {
			run  string
			want int
		}{{"a run", 0}, {"", 1}} {
			r.held(stack, "", "an engine's")
			if err := r.s.unlock(r.Context(), r.tx, stack, lockRow{ID: "an engine's", Run: c.run}, false); err != nil {
				r.Fatal(err)
			}
			n := 0
			if err := r.tx.QueryRow(r.Context(), "SELECT COUNT(*) FROM jobs WHERE kind = $1", jobSet).Scan(&n); err != nil || n != c.want {
				t.Errorf("of %q: %d looks, %v; want %d", c.run, n, err, c.want)
			}
		}
	})
}

// TestALockOfOnesOwnIsFreedWithoutItsID, as by force-unlock, unless it holds up runs; another's takes a right of its own.
func TestALockOfOnesOwnIsFreedWithoutItsID(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := storetest.Log(t)
		book := ledger.New(db, time.Now, log)
		s := &Service{Deps: Deps{DB: db, Runs: &run.Service{}, Now: time.Now, Ledger: book, Access: access.New(db, book, time.Now, log)}}
		var stack Stack
		inRows(t, db, func(r rows) { stack = r.stack("net", "default", "{}") })
		const mine = "run_mine"
		ctx := actor.With(t.Context(), actor.Principal{Kind: actor.Workload, ID: "a step", Run: mine, Space: "default", Scopes: []string{mayWriteState}})
		for _, c := range []struct {
			id, run, info string
			force         bool
			want          fault.Kind
			freed         bool
		}{
			{"one", mine, "", false, 0, true},
			{"one", mine, `{"ID": "one"}`, false, 0, true},
			{"one", mine, "", true, fault.Denied, false},
			{"one", "run_other", "", false, fault.Denied, false},
			{"one", "run_other", `{"ID": "one"}`, false, fault.Denied, false},
			{handLock + "one", mine, "", false, fault.Denied, false},
			{"", "", "", false, 0, true},
			{"", "", "", true, fault.Denied, true},
		} {
			inRows(t, db, func(r rows) {
				r.exec("DELETE FROM stack_locks")
				if c.id != "" {
					r.exec("INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,'{}',$3,'a step',1)", stack.Ref.String(), c.id, c.run)
				}
			})
			err := s.Unlock(ctx, stack.Ref, []byte(c.info), c.force)
			if (err == nil) != (c.want == 0) || err != nil && (!fault.Is(err, c.want) || !strings.Contains(fault.Message(err), "stack:unlock")) {
				t.Errorf("%+v: %v", c, err)
			}
			inRows(t, db, func(r rows) {
				if _, err := getLock(r.Context(), r.tx, stack.Ref, ""); fault.Is(err, fault.NotFound) != c.freed {
					t.Errorf("%+v: the lock is %v", c, err)
				}
			})
		}
	}, run.Migrations(), Migrations(), ledger.Migrations(), access.Migrations())
}

// TestARunOfWhichNoStateCameKeepsItsStack, where its plan says that there is another one, and as long as nobody lets it go on.
func TestARunOfWhichNoStateCameKeepsItsStack(t *testing.T) {
	t.Parallel()
	inLocks(t, func(r rows, stack Stack, one run.Run) {
		one.State, one.Ended = finished, time.Now()
		says := func() (said string) {
			t.Helper()
			if err := r.tx.QueryRow(r.Context(), "SELECT message FROM stacks WHERE ref = $1", stack.Ref.String()).Scan(&said); err != nil {
				r.Fatal(err)
			}
			return said
		}
		const plan = `{"summary":{"create":1,"update":2}}`
		for name, c := range map[string]struct {
			input, output string
			states        []string // the runs that wrote them, the newest last
			want          bool
		}{
			"nothing came":                      {`{"type":"tracked"}`, plan, nil, true},
			"of Terragrunt":                     {`{"type":"tracked","vendor":{"terragrunt":{}}}`, plan, nil, true},
			"of a destruction":                  {`{"type":"destroy"}`, `{"summary":{"delete":2}}`, []string{"another"}, true},
			"of what is imported":               {`{"type":"tracked"}`, `{"summary":{"import":1}}`, []string{""}, true},
			"it came":                           {`{"type":"tracked"}`, plan, []string{"another", one.ID}, false},
			"another came after it":             {`{"type":"tracked"}`, plan, []string{one.ID, ""}, false},
			"what is changed may be the same":   {`{"type":"tracked"}`, `{"summary":{"update":2,"replace":1,"outputs":1,"refresh":1}}`, nil, false},
			"what is forgotten is nowhere":      {`{"type":"tracked"}`, `{"summary":{"forget":1,"move":1}}`, nil, false},
			"nothing to do":                     {`{"type":"tracked"}`, `{"summary":{"noop":4}}`, nil, false},
			"a task":                            {`{"type":"task"}`, "", nil, false},
			"Ansible, which may write no state": {`{"type":"tracked","vendor":{"ansible":{"playbook":"a"}}}`, plan, nil, false},
		} {
			r.held(stack, one.ID, "")
			r.exec("DELETE FROM stack_states")
			r.exec("UPDATE stacks SET message = ''")
			for i, by := range c.states {
				r.exec(`INSERT INTO stack_states (id, stack, serial, lineage, digest, size, run, actor, outputs, resources, created, settled, inner_serial)
 VALUES ($1,$2,$3,'l','d',1,$4,'','{}',0,1,1,$3)`, fmt.Sprintf("state_%d", i), stack.Ref.String(), i+1, by)
			}
			one.Input, one.Output = []byte(c.input), []byte(c.output)
			if err := r.s.holdUnsaved(r.Context(), r.tx, one); err != nil {
				r.Fatal(err)
			}
			if !c.want {
				r.wantHeld(name, stack, one.ID, "")
				continue
			}
			r.wantHeld(name, stack, lockOf(one.ID), lockOf(one.ID))
			if said := says(); !strings.Contains(said, "run "+one.ID+" has applied its plan (") || !strings.Contains(said, "no state has come of that") {
				t.Errorf("%s: its page says %q", name, said)
			}
			if err := r.s.letGoOn(r.Context(), r.tx, stack.Ref, ""); err != nil {
				r.Fatal(err)
			}
			r.wantHeld(name+", and it is let go on", stack, "", "")
			if said := says(); said != "" {
				t.Errorf("%s: then its page says %q", name, said)
			}
		}

		one.Input, one.Output = []byte(`{"type":"tracked"}`), []byte(plan)
		r.exec("UPDATE runs SET state = $2, output = $3 WHERE id = $1", one.ID, finished, plan)
		r.exec("DELETE FROM stack_states")
		r.held(stack, one.ID, "a terminal's")
		if err := r.s.holdUnsaved(r.Context(), r.tx, one); err != nil {
			r.Fatal(err)
		}
		r.wantHeld("while a terminal has it", stack, lockOf(one.ID), "a terminal's")
		l, err := getLock(r.Context(), r.tx, stack.Ref, "")
		if err == nil {
			err = r.s.unlock(r.Context(), r.tx, stack, l, false)
		}
		if err != nil {
			r.Fatal(err)
		}
		r.wantHeld("once the terminal is done", stack, lockOf(one.ID), lockOf(one.ID))
	})
}
