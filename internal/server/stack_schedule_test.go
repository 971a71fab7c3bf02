package server

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// later has the schedules of a stack looked at as if so much time had passed since they were last, and since its document was made.
func (g *ground) later(name string, passed time.Duration) {
	g.t.Helper()
	err := g.house.DB.Write(g.t.Context(), func(tx *store.Tx) error {
		stack := "stack:default/" + name
		if _, err := tx.Exec(g.t.Context(), "UPDATE stacks SET scheduled = scheduled - $2, created = created - $2 WHERE ref = $1", stack, passed.Microseconds()); err != nil {
			return err
		}
		return g.house.Queue.Insert(g.t.Context(), tx, "stack.schedule", map[string]string{"stack": stack}, queue.InsertOptions{Unique: stack})
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// saysSoon waits until the page of a stack has some words.
func (g *ground) saysSoon(name, words string) {
	g.t.Helper()
	if err := within(g.t, func() (bool, error) { return strings.Contains(g.stackNow(name).Message, words), nil }); err != nil {
		g.t.Errorf("%s says %q, without %q", name, g.stackNow(name).Message, words)
	}
}

// goes waits until the document of a stack is gone.
func (g *ground) goes(name string) {
	g.t.Helper()
	comesTrue(g.t, func() bool {
		_, err := client.Get[client.Entity](g.t.Context(), g.admin, "/entities/stack/default/"+name, nil)
		return fault.Is(err, fault.NotFound)
	}, "the document of "+name+" goes")
}

// TestSchedulesBeginRuns of each type, in the order in which they are due, until nothing is left of the stack.
func TestSchedulesBeginRuns(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", above, `  schedules:
  - {do: task, after: 1h, command: tofu state rm terraform_data.note}
  - {do: drift, after: 2h, reconcile: true}
  - {do: tracked, after: 3h}
  - {do: destroy, after: 4h, deleteStack: true}
`)
		g.finish(first)
		g.applied("net", first)
		if next := g.stackNow("net").Next; next == nil || time.Until(*next) > time.Hour || time.Until(*next) < 50*time.Minute {
			t.Errorf("the first is due at %v", next)
		}
		g.later("net", time.Hour)
		task := until(t, g.admin, g.nth("net", "task", 1), ended)
		g.wantRun(task, "finished", "the command is done")
		if task.Actor.ID != "system" || !strings.Contains(string(task.Input), `"scheduled":true`) {
			t.Errorf("the task is of %+v, with %s", task.Actor, task.Input)
		}
		g.later("net", time.Hour)
		g.wantRun(until(t, g.admin, g.nth("net", "drift", 1), ended), "finished", "drifted: 1 to create")
		again := g.nth("net", "tracked", 2)
		g.finish(again)
		g.later("net", time.Hour)
		g.wantRun(until(t, g.admin, g.nth("net", "tracked", 3), ended), "finished", "nothing to change")
		g.later("net", time.Hour)
		end := g.nth("net", "destroy", 1)
		g.wantRun(g.rests(end), "unconfirmed", "2 to destroy")
		g.finish(end)
		g.goes("net")
		if n := len(g.runsOf("net", "task")) + len(g.runsOf("net", "drift")); n != 2 {
			t.Errorf("%d tasks and looks, want one of each", n)
		}
	})
}

// TestADestructionAtItsTimeGoesOnByItself where the stack is deployed without review and the policies agree; and it leaves a
// document that a file declares.
func TestADestructionAtItsTimeGoesOnByItself(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		ends := "  autodeploy: true\n  schedules: [{do: destroy, after: 72h, deleteStack: true}]\n"
		id := g.stack("net", lightInfra, ends)
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		g.applied("net", id)

		commit := g.push("alice", "crew/filed", map[string]string{"infra/main.tf": lightInfra, "catalog-info.yaml": stackDocument("filed", ends)})
		if _, err := client.Post[client.Location](t.Context(), g.admin, "/locations", map[string]string{"repository": "crew/filed", "space": "default"}); err != nil {
			t.Fatal(err)
		}
		id = g.stackRun("filed", commit)
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		g.applied("filed", id)

		g.later("net", 71*time.Hour)
		g.later("net", time.Hour)
		end := until(t, g.admin, g.nth("net", "destroy", 1), ended)
		g.wantRun(end, "finished", "applied: 1 to destroy")
		if len(end.Reviews) > 0 {
			t.Errorf("somebody has confirmed it: %+v", end.Reviews)
		}
		g.goes("net")
		if n := len(g.runsOf("net", "destroy")); n != 1 {
			t.Errorf("%d destructions, want one", n)
		}
		g.later("filed", 72*time.Hour)
		g.wantRun(until(t, g.admin, g.nth("filed", "destroy", 1), ended), "finished", "applied: 1 to destroy")
		g.wantNoted("stack:default/filed", "stack.schedule-failed", 1)
		g.saysSoon("filed", "is declared in catalog-info.yaml of crew/filed")

		// What a plan policy warns of waits for somebody.
		g.policy("careful", "plan", `warn["all of it goes"] { input.spacelift.run.type == "DESTROY" }`, "")
		id = g.stack("kept", lightInfra, ends)
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		g.later("kept", 72*time.Hour)
		g.wantRun(g.rests(g.nth("kept", "destroy", 1)), "unconfirmed", "1 to destroy")
	})
}

// again has what could not begin at its time be tried now.
func (g *ground) again(name string) {
	g.t.Helper()
	err := g.house.DB.Write(g.t.Context(), func(tx *store.Tx) error {
		var raw string
		if err := tx.QueryRow(g.t.Context(), "SELECT overdue FROM stacks WHERE ref = $1", "stack:default/"+name).Scan(&raw); err != nil {
			return err
		}
		var all []stack.Overdue
		if err := json.Unmarshal([]byte(raw), &all); err != nil {
			return err
		}
		for i := range all {
			if wait := time.Until(time.UnixMicro(all[i].Again)); wait < 50*time.Minute || wait > time.Hour {
				g.t.Errorf("%s is tried again in %s, want an hour", name, wait)
			}
			all[i].Again -= time.Hour.Microseconds()
		}
		now, err := json.Marshal(all)
		if err != nil {
			return err
		}
		_, err = tx.Exec(g.t.Context(), "UPDATE stacks SET overdue = $2 WHERE ref = $1", "stack:default/"+name, string(now))
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.later(name, 0)
}

// TestADestructionThatCouldNotBeginComesAgain once nothing stands on the stack any more, though its job is lost meanwhile.
func TestADestructionThatCouldNotBeginComesAgain(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.push("alice", "crew/shop", map[string]string{"infra/main.tf": below})
		net := g.stack("net", above, "  schedules: [{do: destroy, after: 72h}]\n")
		g.finish(net)
		g.apply(stackDocument("shop", uses))
		g.finish(g.nth("shop", "tracked", 1))
		g.later("net", 72*time.Hour)
		g.saysSoon("net", "shop")
		g.wantNoted("stack:default/net", "stack.schedule-failed", 1)
		if next := g.stackNow("net").Next; next == nil || time.Until(*next) > time.Hour || time.Until(*next) < 50*time.Minute {
			t.Errorf("it is tried again at %v, want in an hour", next)
		}
		g.again("net") // for nothing, which was told already
		comesTrue(t, func() bool { next := g.stackNow("net").Next; return next != nil && time.Until(*next) > 50*time.Minute }, "it is tried once more")
		g.wantNoted("stack:default/net", "stack.schedule-failed", 1)
		if n := len(g.runsOf("net", "destroy")); n != 0 {
			t.Errorf("%d destructions of what another stands on", n)
		}
		shop := g.begin("alice", "shop", map[string]any{"type": "destroy"}).ID
		g.finish(shop)
		g.again("net")
		g.finish(g.nth("net", "destroy", 1))
		if next := g.stackNow("net").Next; next != nil {
			t.Errorf("it is due again at %v", next)
		}
	})
}

// TestDriftIsLookedForWhenTheStackIsAtRest by a cron schedule that is due once a day.
func TestDriftIsLookedForWhenTheStackIsAtRest(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", lightInfra, "  schedules: [{do: drift, cron: '0 6 * * *', timezone: Europe/Berlin}]\n")
		g.finish(first)
		g.applied("net", first)
		g.later("net", 25*time.Hour)
		g.wantRun(until(t, g.admin, g.nth("net", "drift", 1), ended), "finished", "no drift")
		waits := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-two")}))
		g.rests(waits)
		g.later("net", 25*time.Hour)
		g.wantNoted("stack:default/net", "stack.schedule-skipped", 1)
		g.saysSoon("net", "drift was not looked for, since run "+waits+" is unconfirmed")
		if n := len(g.runsOf("net", "drift")); n != 1 {
			t.Errorf("%d looks, want the first alone", n)
		}
		g.apply(stackDocument("net", "  schedules: [{do: drift, cron: '0 6 * * *', ignoreState: true}]\n"))
		g.later("net", 25*time.Hour)
		g.wantRun(until(t, g.admin, g.nth("net", "drift", 2), ended), "finished", "no drift")
		g.wantNoted("stack:default/net", "stack.schedule-failed", 0)
	})
}

// TestWhoMayDeclareSchedules: who may do by hand what they do, and for tasks no file of just any repository.
func TestWhoMayDeclareSchedules(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		refused := func(who, documents string, kind fault.Kind, words string) {
			t.Helper()
			if err := g.try(who, documents); !fault.Is(err, kind) || !strings.Contains(fault.Message(err)+detailsOf(err), words) {
				t.Errorf("%s: %v, want %v with %q", who, err, kind, words)
			}
		}
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: writer}, spec: {description: Writes, permissions: ["*:read", "entity:write", "stack:plan"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: otto-writes}, spec: {role: writer, space: default, subjects: ["user:default/otto"]}}
`)
		g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		task := "  schedules: [{do: task, cron: '@weekly', command: tofu state list}]\n"
		refused("alice", stackDocument("net", task), fault.Denied, "stack:task")
		set := "{apiVersion: roadbed.dev/v1, kind: StackSet, metadata: {name: all}, spec: {owner: 'group:default/crew', source: {repository: crew/net}, folders: ['*'], template: {schedules: [%]}}}\n"
		refused("alice", strings.Replace(set, "%", "{do: task, cron: '@weekly', command: 'true'}", 1), fault.Denied, "stack:task")
		refused("admin", strings.Replace(set, "%", "{do: destroy, after: 72h, deleteStack: true}", 1), fault.Invalid, "the set would make again")
		g.apply(stackDocument("net", task))
		if err := g.try("alice", stackDocument("net", task+"  labels: [more]\n")); err != nil {
			t.Errorf("another part of the document: %v", err)
		}
		refused("alice", stackDocument("net", strings.Replace(task, "state list", "state pull", 1)), fault.Denied, "stack:task")
		for do, right := range map[string]string{"destroy, after: 72h": "stack:destroy", "tracked, cron: '@daily'": "stack:apply", "drift, cron: '@daily', reconcile: true": "stack:apply"} {
			refused("otto", stackDocument("net", "  schedules: [{do: "+do+"}]\n"), fault.Denied, right)
		}
		if err := g.try("otto", stackDocument("net", "  schedules: [{do: drift, cron: '@daily'}]\n")); err != nil {
			t.Errorf("who may plan has drift looked for: %v", err)
		}
		g.later("net", time.Hour)
		refused("admin", stackDocument("net", "  schedules: [{do: destroy, after: 30m}]\n"), fault.Invalid, "30m after the document was made is over")

		// Of a file, by whoever may push it.
		g.push("alice", "crew/filed", map[string]string{"catalog-info.yaml": stackDocument("filed", task) + "---\n" + stackDocument("ends", "  schedules: [{do: destroy, after: 72h}]\n")})
		l, err := client.Post[client.Location](t.Context(), g.alice, "/locations", map[string]string{"repository": "crew/filed", "space": "default"})
		if err != nil {
			t.Fatal(err)
		}
		if l, err = client.Get[client.Location](t.Context(), g.admin, "/locations/"+l.ID, nil); err != nil || slices.Contains(l.Entities, "stack:default/filed") || !slices.Contains(l.Entities, "stack:default/ends") {
			t.Errorf("the file brings %+v, %v", l.Entities, err)
		}
		if said, _ := json.Marshal(l.Problems); !strings.Contains(string(said), "stack:task, which nobody has who pushes a file") {
			t.Errorf("the problems are %s", said)
		}
		if err := g.admin.Do(t.Context(), "PUT", "/locations/"+l.ID+"/trust", nil, map[string]any{"kinds": []string{"RoleBinding"}}, nil); err != nil {
			t.Fatal(err)
		}
		comesTrue(t, func() bool {
			_, err := client.Get[client.Stack](t.Context(), g.admin, "/stacks/default/filed", nil)
			return err == nil
		}, "a location that may give rights brings it")
	})
}
