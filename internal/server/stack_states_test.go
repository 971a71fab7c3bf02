package server

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// sleeping has an apply that takes a while each time its input changes.
const sleeping = `variable "name" { type = string }

resource "terraform_data" "slow" {
  input = var.name
  provisioner "local-exec" { command = "sleep 33.25" }
}
`

// TestADeadEngineEndsTheRunAndARetryWorks kills the engine, whose own children outlive it, in the middle of an apply.
func TestADeadEngineEndsTheRunAndARetryWorks(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", sleeping, "")
		engine, _ := g.applies(id)
		if s := g.stackNow("net"); s.Lock == "" {
			t.Error("the state is not locked while the engine applies")
		}
		if err := syscall.Kill(engine, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r := until(t, g.admin, id, ended)
		g.wantRun(r, "failed", "applying: ")
		if !strings.Contains(r.Reason, "137") && !strings.Contains(r.Reason, "illed") {
			t.Errorf("the reason does not tell of the engine's death: %s", r.Reason)
		}
		// What comes by itself waits, and says why: the state may lack what the dead engine has built.
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(sleeping, "sleep 33.25", "true")})
		pushed := g.stackRun("net", commit)
		g.heldFor(pushed, id)
		if p := g.rests(g.preview("alice", "net", "")); p.State != "finished" {
			t.Errorf("a preview is %s", p.State)
		}
		// A retry plans anew, on what the dead one may have left, before what waits.
		if _, err := g.act("alice", id, "retry"); err != nil {
			t.Fatal(err)
		}
		r = g.rests(id)
		g.wantRun(r, "unconfirmed", "waits for somebody")
		if s := g.stackNow("net"); s.Lock != "" || s.Message != "" {
			t.Errorf("the lock of the dead engine is still there: %s, %s", s.Lock, s.Message)
		}
		if r := g.runNow(pushed); r.State != "queued" || r.Wait == nil || r.Wait.Behind != id {
			t.Errorf("what was pushed is %s, with %+v", r.State, r.Wait)
		}
		if _, err := g.act("bob", id, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(pushed), "unconfirmed", "")
	})
}

// heldFor waits until a run waits for the lock that another has kept beyond its end, which the other and the stack tell of.
func (g *ground) heldFor(id, of string) {
	g.t.Helper()
	g.heldSince(id, of, "was killed while it changed what is there")
	g.wantRun(g.runNow(of), "failed", "what it did last may be missing in the state")
}

// heldSince is heldFor, for a reason that the lock says.
func (g *ground) heldSince(id, of, why string) {
	g.t.Helper()
	r := until(g.t, g.admin, id, func(r client.RunDetail) bool { return r.Wait != nil && r.Wait.For == "state" })
	if r.State != "queued" || !strings.Contains(r.Wait.Reason, "which is kept: run "+of+" "+why) || len(r.Steps) != 0 {
		g.t.Errorf("it is %s with %+v", r.State, r.Wait)
	}
	if s := g.stackNow("net"); !strings.Contains(s.Lock, `"Who":"run `+of+`"`) || !strings.Contains(s.Lock, "begin another one by hand, or unlock the state") {
		g.t.Errorf("the lock is %s", s.Lock)
	}
}

// TestAStackThatIsHeldGoesOnWhenSomebodySaysSo kills engines in the middle of applies: what is pushed then waits until the
// state is unlocked, by who may, or a run is begun by hand.
func TestAStackThatIsHeldGoesOnWhenSomebodySaysSo(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		killed := func(id string) {
			t.Helper()
			engine, _ := g.applies(id)
			if err := syscall.Kill(engine, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			until(t, g.admin, id, ended)
		}
		pushes := func(what string) string {
			t.Helper()
			return g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": sleeping + "# " + what + "\n"}))
		}
		first := g.stack("net", sleeping, "")
		killed(first)
		if s := g.stackNow("net"); !strings.HasPrefix(s.Message, "run "+first+" was killed") {
			t.Errorf("the stack says %q", s.Message)
		}
		second := pushes("more")
		g.heldFor(second, first)
		unlock := func(who string) error {
			return g.as[who].Do(t.Context(), "POST", "/stacks/default/net/unlock", nil, nil, nil)
		}
		for _, who := range []string{"rita", "mallory"} {
			if err := unlock(who); !fault.Is(err, fault.Denied) && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s unlocks it: %v", who, err)
			}
		}
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/unlock", map[string][]string{"mine": {"true"}}, nil, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("it counts as otto's: %v", err)
		}
		if err := unlock("otto"); err != nil {
			t.Fatal(err)
		}
		killed(second)
		third := pushes("and more")
		g.heldFor(third, second)
		byHand, err := client.Post[client.RunDetail](t.Context(), g.as["bob"], "/stacks/default/net/runs", map[string]string{"type": "tracked"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(third), "unconfirmed", "")
		if s := g.stackNow("net"); s.Lock != "" {
			t.Errorf("it is locked by %s", s.Lock)
		}
		if _, err := g.act("admin", third, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(byHand.ID), "unconfirmed", "")
	})
}

// engineOf gives the host's process ids of the engine that applies for a run, and of what its provisioner sleeps in; 0
// before it does.
func engineOf(t *testing.T, id string) (apply, sleeps int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(env, []byte("ROADBED_RUN="+id)) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil {
			continue
		}
		args := strings.Split(string(command), "\x00")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case len(args) > 1 && args[1] == "apply":
			apply = pid
		case args[0] == "sleep":
			sleeps = pid
		}
	}
	if sleeps == 0 {
		return 0, 0
	}
	return apply, sleeps
}

// applies confirms a run of a sleeping stack, and gives the processes of its apply when it sleeps.
func (g *ground) applies(id string) (engine, sleeps int) {
	g.t.Helper()
	g.wantRun(g.rests(id), "unconfirmed", "")
	if _, err := g.act("bob", id, "confirm"); err != nil {
		g.t.Fatal(err)
	}
	err := eventually(g.t.Context(), func() (bool, error) {
		engine, sleeps = engineOf(g.t, id)
		return engine != 0, nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return engine, sleeps
}

// TestAStateThatTheEngineCouldNotWriteIsTakenUp has somebody take the lock in the middle of an apply, and free it when
// the engine has given up.
func TestAStateThatTheEngineCouldNotWriteIsTakenUp(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", sleeping+"\noutput \"name\" { value = var.name }\n", "")
		_, sleeps := g.applies(id)
		g.wantState(200, "", "otto", "UNLOCK", "?force=true", "")
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		if err := syscall.Kill(sleeps, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, id, func(r client.RunDetail) bool {
			return r.Terminal || slices.ContainsFunc(r.Steps, func(s client.Step) bool { return s.Key == "adopt" })
		})
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)
		g.wantRun(until(t, g.admin, id, ended), "failed", "was taken up after it")
		s := g.stackNow("net")
		if s.State == nil || s.State.Resources != 1 || s.Lock != "" {
			t.Errorf("the stack is %+v", s)
		}
		if outputs, version, err := g.house.Stacks.Outputs(t.Context(), ref.New("stack", "default", "net"), ""); err != nil || version != "" {
			t.Errorf("a failed apply gives others the outputs %v of %s (%v)", outputs, version, err)
		}
		g.wantNoted("stack:default/net", "stack.outputs-changed", 0)

		// What comes next goes on from there, and its outputs are for others.
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(sleeping, "sleep 33.25", "true") + "\noutput \"name\" { value = var.name }\n"})
		id = g.stackRun("net", commit)
		g.wantRun(g.rests(id), "unconfirmed", "1 to replace")
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		g.wantNoted("stack:default/net", "stack.outputs-changed", 1)
		if outputs, version, err := g.house.Stacks.Outputs(t.Context(), ref.New("stack", "default", "net"), ""); err != nil || version == "" || string(outputs["name"].Value) != `"net"` {
			t.Errorf("after the apply others get the outputs %v of %s (%v)", outputs, version, err)
		}
	})
}

// TestNothingIsPlannedOnAStateThatLacksWhatWasBuilt has somebody write another state in the middle of an apply, so that
// what the engine could not write can't be taken up either: neither by a retry, nor by what is pushed.
func TestNothingIsPlannedOnAStateThatLacksWhatWasBuilt(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", sleeping, "")
		_, sleeps := g.applies(id)
		g.wantState(200, "", "otto", "UNLOCK", "?force=true", "")
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		g.wantState(200, "", "otto", "POST", "?ID=two", stateFile(1, "another", "x"))
		if err := syscall.Kill(sleeps, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, id, func(r client.RunDetail) bool {
			return r.Terminal || slices.ContainsFunc(r.Steps, func(s client.Step) bool { return s.Key == "adopt" })
		})
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)
		g.wantRun(until(t, g.admin, id, ended), "failed", "could not be taken up; a retry tries that again before it plans: ")
		const left = "has left a state that could not be taken up, and the stack's lacks what it did; retry it"
		pushed := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": sleeping + "# more\n"}))
		g.heldSince(pushed, id, left)
		if _, err := g.act("alice", id, "retry"); err != nil {
			t.Fatal(err)
		}
		r := until(t, g.admin, id, ended)
		g.wantRun(r, "failed", "could not be taken up; a retry tries that again before it plans: ")
		var steps []string
		for _, s := range r.Steps {
			steps = append(steps, s.Key)
		}
		slices.Sort(steps)
		if want := []string{"adopt", "adopt-2", "apply", "judge", "plan"}; !slices.Equal(steps, want) {
			t.Errorf("its steps are %v, want %v", steps, want)
		}
		g.heldSince(pushed, id, left)
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/unlock", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, pushed, ended), "failed", "planning: ") // on what somebody wrote, which is no state that engines read
	})
}

// TestAStateThatATaskCouldNotWriteIsTakenUp though its command goes on.
func TestAStateThatATaskCouldNotWriteIsTakenUp(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", sleeping, "")
		g.rests(first)
		if _, err := g.act("bob", first, "discard"); err != nil {
			t.Fatal(err)
		}
		task, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]any{"type": "task", "command": "tofu apply -input=false -auto-approve || true"})
		if err != nil {
			t.Fatal(err)
		}
		sleeps := 0
		if err := eventually(t.Context(), func() (bool, error) {
			_, sleeps = engineOf(t, task.ID)
			return sleeps != 0, nil
		}); err != nil {
			t.Fatal(err)
		}
		g.wantState(200, "", "otto", "UNLOCK", "?force=true", "")
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		if err := syscall.Kill(sleeps, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, task.ID, func(r client.RunDetail) bool {
			return r.Terminal || slices.ContainsFunc(r.Steps, func(s client.Step) bool { return s.Key == "adopt" })
		})
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)
		g.wantRun(until(t, g.admin, task.ID, ended), "finished", "the command is done; the state that the engine could not write was taken up after it")
		if s := g.stackNow("net"); s.State == nil || s.State.Resources != 1 || s.Lock != "" {
			t.Errorf("the stack is %+v", s)
		}
	})
}

// TestAnEngineThatCrashesHoldsItsStack as one that was killed does: it has saved nothing. The signal has Go's runtime end it.
func TestAnEngineThatCrashesHoldsItsStack(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", sleeping, "")
		engine, _ := g.applies(id)
		if err := syscall.Kill(engine, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "failed", "the engine ended with exit code 2, which is that of a crash; what it did last may be missing in the state")
		g.heldSince(g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": sleeping + "# more\n"})), id, "ended before it had saved all that it did")
	})
}

// TestAStateThatTheRepositoryBringsIsNotTakenUp has a file lie where an engine leaves a state that it could not write.
func TestAStateThatTheRepositoryBringsIsNotTakenUp(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		commit := g.push("alice", "crew/net", map[string]string{
			"infra/main.tf": strings.ReplaceAll(sleeping, "sleep 33.25", "false"), "infra/errored.tfstate": stateFile(100, "theirs", "forged"),
		})
		g.apply(stackDocument("net", ""))
		id := g.stackRun("net", commit)
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		r := until(t, g.admin, id, ended)
		g.wantRun(r, "failed", "applying: exit code 1")
		if s := g.stackNow("net"); strings.Contains(r.Reason, "taken up") || s.State == nil || s.State.Serial >= 100 {
			t.Errorf("the run says %s; the state is %+v", r.Reason, s.State)
		}
	})
}

// wantNoRetry is of a run whose stack is deleted, or another one by now.
func (g *ground) wantNoRetry(id string) {
	g.t.Helper()
	before := g.runNow(id)
	if _, err := g.act("alice", id, "retry"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "is deleted; apply it again first") {
		g.t.Errorf("it is retried: %v", err)
	}
	g.wantRun(g.runNow(id), before.State, before.Reason)
}

// TestAStackThatIsDeletedLeavesItsStateToNobody deletes a stack with a run that waits, and declares it anew, in its space
// and in another.
func TestAStackThatIsDeletedLeavesItsStateToNobody(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", lightInfra, "")
		g.rests(first)
		if _, err := g.act("bob", first, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, first, ended), "finished", "applied")
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-two")})
		waits := g.stackRun("net", commit)
		g.wantRun(g.rests(waits), "unconfirmed", "1 to change")
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/stack/default/net", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, waits, ended), "canceled", "")
		g.wantNoRetry(waits)

		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}")
		_, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"documents": stackDocument("net", ""), "source": "other", "space": "lab"})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "was deleted in another space, and its state holds 1 resources") {
			t.Errorf("in another space: %v", err)
		}
		g.apply(stackDocument("net", ""))
		if s := g.stackNow("net"); s.State == nil || s.State.Resources != 1 {
			t.Errorf("in its space it is %+v", s)
		}

		// Destroyed and deleted it leaves its name, and nothing else.
		var again string // the run that its document starts
		if err := eventually(t.Context(), func() (bool, error) {
			for _, r := range g.runsAt("net", commit) {
				if r.State == "unconfirmed" {
					again = r.ID
				}
			}
			return again != "", nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := g.act("alice", again, "discard"); err != nil {
			t.Fatal(err)
		}
		destroy, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "destroy"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "unconfirmed", "1 to destroy")
		if _, err := g.act("bob", destroy.ID, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, destroy.ID, ended), "finished", "applied")
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/stack/default/net", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"documents": stackDocument("net", ""), "source": "other", "space": "lab"}); err != nil {
			t.Fatal(err)
		}
		if all, err := g.house.Stacks.States(actor.AsSystem(t.Context()), ref.New("stack", "default", "net"), page.Request{}); err != nil || len(all.Items) != 0 || g.stackNow("net").State != nil {
			t.Errorf("in another space it has the states %+v (%v)", all, err)
		}
	})
}
