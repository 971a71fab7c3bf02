package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// below is a stack that uses what another one gives.
const below = `variable "name" { type = string }
variable "endpoint" { type = string }
variable "key" { type = string }

resource "terraform_data" "shop" {
  input = "${var.name} at ${var.endpoint} with ${length(var.key)}"
}

output "says" { value = terraform_data.shop.output }
`

const above = `variable "name" { type = string }
resource "terraform_data" "net" { input = "region-one" }
resource "terraform_data" "note" { input = "note-one" }
output "endpoint" { value = terraform_data.net.output }
output "unused" { value = terraform_data.note.output }
output "key" {
  value     = "a-key-that-nobody-may-read"
  sensitive = true
}
`

const uses = `  dependsOn:
  - stack: net
    outputs: [{output: endpoint, as: TF_VAR_endpoint}, {output: key, as: TF_VAR_key, sensitive: true}]
`

// finish confirms a run that waits and follows it to its end.
func (g *ground) finish(id string) {
	g.t.Helper()
	g.wantRun(g.rests(id), "unconfirmed", "")
	if _, err := g.act("bob", id, "confirm"); err != nil {
		g.t.Fatal(err)
	}
	g.wantRun(until(g.t, g.admin, id, ended), "finished", "applied")
}

// runsOf gives the runs of a stack of a type, the oldest first.
func (g *ground) runsOf(name, kind string) (all []client.Run) {
	g.t.Helper()
	list, err := client.Get[client.List[client.Run]](g.t.Context(), g.admin, "/runs", map[string][]string{"subject": {"stack:default/" + name}})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, r := range list.Items {
		var in struct{ Type string }
		if json.Unmarshal(r.Input, &in) == nil && in.Type == kind {
			all = append([]client.Run{r}, all...)
		}
	}
	return all
}

// runSaying waits until there is a run of a stack whose input holds a text.
func (g *ground) runSaying(name, text string) (id string) {
	g.t.Helper()
	err := eventually(g.t.Context(), func() (bool, error) {
		for _, r := range g.runsOf(name, "tracked") {
			if strings.Contains(string(r.Input), text) {
				id = r.ID
			}
		}
		return id != "", nil
	})
	if err != nil {
		g.t.Fatalf("a run of %s with %s: %v", name, text, err)
	}
	return id
}

// nth waits until there are so many runs of a stack, and gives the last.
func (g *ground) nth(name, kind string, n int) (id string) {
	g.t.Helper()
	err := eventually(g.t.Context(), func() (bool, error) {
		all := g.runsOf(name, kind)
		if len(all) >= n {
			id = all[n-1].ID
		}
		return id != "", nil
	})
	if err != nil {
		g.t.Fatalf("%s run %d of %s: %v", kind, n, name, err)
	}
	return id
}

// TestAStackFollowsThoseThatItDependsOn: it waits for their runs, takes their outputs, is run again when what it uses has
// changed and not otherwise, and a failure ends the chain.
func TestAStackFollowsThoseThatItDependsOn(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.push("alice", "crew/shop", map[string]string{"infra/main.tf": below})
		net := g.stack("net", above, "")
		g.rests(net)
		g.apply(stackDocument("shop", uses))
		shop := g.nth("shop", "tracked", 1)
		waiting := until(t, g.admin, shop, func(r client.RunDetail) bool { return len(r.Steps) > 0 })
		if s := waiting.Steps[0]; s.Key != "inputs" || s.State != "waiting" || waiting.State != "ready" {
			t.Fatalf("the run is %s with %+v", waiting.State, s)
		}
		g.finish(net)
		g.finish(shop)
		if got := g.output("shop", "says"); got != `"shop at region-one with 26"` {
			t.Errorf("the stack was given other things: %s", got)
		}
		step, err := client.Get[client.RunDetail](t.Context(), g.admin, "/runs/"+shop, nil)
		if text, _ := json.Marshal(step); err != nil || strings.Contains(string(text), "nobody-may-read") {
			t.Errorf("a run tells a sensitive output (%v)", err)
		}
		k := g.stackNow("shop")
		err = eventually(t.Context(), func() (bool, error) { // what was used is noted a moment later
			k = g.stackNow("shop")
			return len(k.DependsOn) == 1 && !k.DependsOn[0].Unused, nil
		})
		if err != nil || len(k.DependsOn) != 1 || k.DependsOn[0].Stack != "stack:default/net" || k.DependsOn[0].Outputs[0].As != "TF_VAR_endpoint" || k.DependsOn[0].Unused {
			t.Errorf("the stack depends on %+v", k.DependsOn)
		}
		if k := g.stackNow("net"); len(k.Dependents) != 1 || k.Dependents[0].Stack != "stack:default/shop" {
			t.Errorf("on the other depends %+v", k.Dependents)
		}

		// What nobody uses changes nothing here.
		g.finish(g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "note-one", "note-two")})))
		changed := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "region-one", "region-two")}))
		g.finish(changed)
		second := g.nth("shop", "tracked", 2)
		g.finish(second)
		if r := g.runNow(second); !strings.Contains(string(r.Input), `"triggeredBy":"stack:default/net"`) {
			t.Errorf("what follows is begun as %s", r.Input)
		}
		if got := g.output("shop", "says"); got != `"shop at region-two with 26"` {
			t.Errorf("after the change it says %s", got)
		}
		if all := g.runsOf("shop", "tracked"); len(all) != 2 {
			t.Errorf("there are %d runs: one followed what nobody uses", len(all))
		}

		// A run that waits for one that does not come through is canceled; a retry takes what is there.
		lost := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "region-one", "region-three")}))
		g.rests(lost)
		third := g.stackRun("shop", g.push("alice", "crew/shop", map[string]string{"infra/main.tf": below + "# again\n"}))
		until(t, g.admin, third, func(r client.RunDetail) bool { return r.State == "ready" })
		if _, err := g.act("alice", lost, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, third, ended), "canceled", "was not applied: its run "+lost+" was discarded")
		if _, err := g.act("alice", third, "retry"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, third, ended), "finished", "nothing to change")

		// What others stand on goes last.
		if _, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]any{"type": "destroy"}); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "stack:default/shop depends on") {
			t.Errorf("destroying what another stands on: %v", err)
		}
		first, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]any{"type": "destroy", "dependents": true})
		if err != nil || first.Subject != "stack:default/shop" {
			t.Fatalf("the first to go is %s (%v)", first.Subject, err)
		}
		g.finish(first.ID)
		g.finish(g.nth("net", "destroy", 1))
		if k := g.stackNow("net"); k.State.Resources != 0 {
			t.Errorf("%d resources are left", k.State.Resources)
		}
	})
}

// keeps has a run keep the lock of a stack, as one whose engine was killed does.
func (g *ground) keeps(name, run string) {
	g.t.Helper()
	subject, id := ref.New("stack", "default", name), "hand:"+run
	err := g.house.DB.Write(g.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(g.t.Context(), "INSERT INTO run_locks (name, run, taken) VALUES ($1,$2,1)", stack.LockName(subject), id)
		if err != nil {
			return err
		}
		_, err = tx.Exec(g.t.Context(), "INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,$3,'','system',1)",
			subject.String(), id, fmt.Sprintf(`{"ID":%q,"Operation":"kept","Info":"run %s was killed","Who":"run %s"}`, id, run, run))
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// TestADestructionLetsGoOnWhatWasHeldWhenItWasOrdered, and nothing that is held since.
func TestADestructionLetsGoOnWhatWasHeldWhenItWasOrdered(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		net := g.stack("net", above, "")
		g.finish(net)
		shop := g.stack("shop", below, uses)
		g.finish(shop)
		g.keeps("net", net)
		g.keeps("shop", shop)
		first, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]any{"type": "destroy", "dependents": true})
		if err != nil || first.Subject != "stack:default/shop" {
			t.Fatalf("the first to go is %s (%v)", first.Subject, err)
		}
		for _, name := range []string{"net", "shop"} {
			if s := g.stackNow(name); s.Lock != "" {
				t.Errorf("%s is locked by %s", name, s.Lock)
			}
		}
		g.keeps("net", net)
		g.finish(first.ID)
		last := g.nth("net", "destroy", 1)
		r := until(t, g.admin, last, func(r client.RunDetail) bool { return r.Wait != nil && r.Wait.For == "state" })
		if r.State != "queued" || !strings.Contains(r.Wait.Reason, "which is kept: run "+net+" was killed") {
			t.Errorf("it is %s with %+v", r.State, r.Wait)
		}
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/unlock", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.finish(last)
	})
}

// TestWhatCannotBeReadHoldsUpNothingElse: neither the other stacks that follow, nor runs that wait.
func TestWhatCannotBeReadHoldsUpNothingElse(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		net := g.stack("net", above, "")
		for _, name := range []string{"broken", "shop", "zone"} {
			g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": below})
			g.apply(stackDocument(name, uses))
		}
		g.finish(net)
		for _, name := range []string{"broken", "shop", "zone"} {
			id := g.nth(name, "tracked", 1)
			g.finish(id)
			g.applied(name, id)
		}
		change := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "region-one", "region-two")}))
		g.wantRun(g.rests(change), "unconfirmed", "")
		shop := g.begin("alice", "shop", map[string]any{"type": "tracked"}).ID
		until(t, g.admin, shop, func(r client.RunDetail) bool { return r.Wait != nil && r.Wait.For == "runs" })
		damage := func(editors string) (was string) {
			t.Helper()
			if err := g.house.DB.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.QueryRow(t.Context(), "SELECT editors FROM stacks WHERE ref = 'stack:default/broken'").Scan(&was); err != nil {
					return err
				}
				_, err := tx.Exec(t.Context(), "UPDATE stacks SET editors = $1 WHERE ref = 'stack:default/broken'", editors)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return was
		}
		whole := damage("{")
		g.finish(change)
		g.wantRun(g.rests(shop), "unconfirmed", "1 to")
		g.wantRun(g.rests(g.nth("zone", "tracked", 2)), "unconfirmed", "1 to")
		if n := len(g.runsOf("broken", "tracked")); n != 1 {
			t.Errorf("%d runs of what can't be read", n)
		}
		damage(whole)
		if err := g.house.DB.Write(t.Context(), func(tx *store.Tx) error { // the queue tries it again, only later
			return g.house.Queue.Insert(t.Context(), tx, "stack.after", map[string]string{"run": change}, queue.InsertOptions{Unique: change})
		}); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(g.nth("broken", "tracked", 2)), "unconfirmed", "1 to")
	})
}

// TestStacksOfOneRepositoryGoInOrder: a push to both has the upper one planned first, whichever is looked at first.
func TestStacksOfOneRepositoryGoInOrder(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.push("alice", "crew/mono", map[string]string{"net/main.tf": above, "shop/main.tf": below})
		in := func(name, more string) string {
			return strings.ReplaceAll(stackDocument(name, more), "repository: crew/"+name+", branch: main, path: infra", "repository: crew/mono, branch: main, path: "+name)
		}
		g.apply(in("shop", uses) + "---\n" + in("net", ""))
		net, shop := g.nth("net", "tracked", 1), g.nth("shop", "tracked", 1)
		g.rests(net)
		until(t, g.admin, shop, func(r client.RunDetail) bool { return r.State == "ready" })
		g.finish(net)
		g.finish(shop)
		commit := g.push("alice", "crew/mono", map[string]string{"net/main.tf": strings.ReplaceAll(above, "region-one", "region-two"), "shop/main.tf": below + "# both\n"})
		g.finish(g.stackRun("net", commit))
		g.finish(g.stackRun("shop", commit))
		if got := g.output("shop", "says"); got != `"shop at region-two with 26"` {
			t.Errorf("it says %s", got)
		}
		if n := len(g.runsOf("shop", "tracked")); n != 2 {
			t.Errorf("%d runs, want one for each push", n)
		}
	})
}

// TestWhatStacksMayNotDependOn: circles, themselves, sensitive outputs unasked, and what another space has not shared.
func TestWhatStacksMayNotDependOn(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		refused := func(document, words string) {
			t.Helper()
			if err := g.try("admin", document); err == nil || !strings.Contains(fault.Message(err)+detailsOf(err), words) {
				t.Errorf("want %q, got %v", words, err)
			}
		}
		on := func(name, other string) string { return stackDocument(name, "  dependsOn: [{stack: "+other+"}]\n") }
		g.apply(on("a", "b") + "---\n" + on("b", "c"))
		refused(on("c", "a"), "stack:default/c → stack:default/a → stack:default/b → stack:default/c")
		refused(on("c", "c"), "is the stack itself")
		refused(stackDocument("c", "  dependsOn: [{stack: b}, {stack: default/b}]\n"), "is there twice")
		refused(stackDocument("c", "  dependsOn: [{stack: d, outputs: [{output: x, as: ROADBED_URL}]}]\n"), "is set by the platform")

		g.push("alice", "crew/shop", map[string]string{"infra/main.tf": below})
		g.finish(g.stack("net", above, ""))
		g.apply(stackDocument("shop", strings.ReplaceAll(uses, ", sensitive: true", "")))
		g.wantRun(until(t, g.admin, g.nth("shop", "tracked", 1), ended), "failed", "output key of stack:default/net is sensitive")
		g.apply(stackDocument("shop", strings.ReplaceAll(uses, "output: endpoint", "output: nothing")))
		g.wantRun(until(t, g.admin, g.runSaying("shop", `"output":"nothing"`), ended), "failed", "has no output nothing")
	})
}

func detailsOf(err error) (all string) {
	for _, d := range fault.Details(err) {
		all += " " + d.Message
	}
	return all
}

// TestDriftIsFoundAndReconciled changes what is there behind the stack's back: by a task, which edits the state.
func TestDriftIsFoundAndReconciled(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		start := func(who string, body map[string]any) (client.RunDetail, error) {
			return client.Post[client.RunDetail](t.Context(), g.as[who], "/stacks/default/net/runs", body)
		}
		g.stack("net", above, "")
		if _, err := start("admin", map[string]any{"type": "drift"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("drift of what is not applied: %v", err)
		}
		g.finish(g.nth("net", "tracked", 1))
		g.applied("net", g.nth("net", "tracked", 1))
		look := func(reason string) client.RunDetail {
			t.Helper()
			r, err := start("alice", map[string]any{"type": "drift"})
			if err != nil {
				t.Fatal(err)
			}
			r = until(t, g.admin, r.ID, ended)
			g.wantRun(r, "finished", reason)
			return r
		}
		look("no drift")

		if _, err := start("alice", map[string]any{"type": "task", "command": "true"}); !fault.Is(err, fault.Denied) {
			t.Errorf("a developer runs a command: %v", err)
		}
		if _, err := start("admin", map[string]any{"type": "task"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a task without a command: %v", err)
		}
		if _, err := start("admin", map[string]any{"type": "tracked", "command": "true"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a command of a tracked run: %v", err)
		}
		if _, err := start("admin", map[string]any{"type": "tracked", "skipInit": true}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a tracked run without an init: %v", err)
		}
		bare, err := start("admin", map[string]any{"type": "task", "command": "cat main.tf; test ! -e \"$TF_DATA_DIR\"/terraform.tfstate", "skipInit": true})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, bare.ID, ended), "finished", "the command is done")
		if log := g.log(bare.ID, "task"); !strings.Contains(log, "terraform_data") || !strings.Contains(log, "the init is skipped") || strings.Contains(log, "── init") {
			t.Errorf("a task without an init says %s", log)
		}
		task, err := start("admin", map[string]any{"type": "task", "command": "tofu state list && tofu state rm terraform_data.note"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, task.ID, ended), "finished", "the command is done")
		if log := g.log(task.ID, "task"); !strings.Contains(log, "terraform_data.net") {
			t.Errorf("the command says %s", log)
		}
		found := look("drifted: 1 to create")
		err = eventually(t.Context(), func() (bool, error) {
			d := g.stackNow("net").Drift
			return d != nil && d.Found && d.Run == found.ID && strings.Contains(d.Summary, "1 to create"), nil
		})
		if err != nil {
			t.Errorf("the stack's drift is %+v", g.stackNow("net").Drift)
		}
		g.wantNoted("stack:default/net", "stack.drifted", 1)

		if _, err := start("rita", map[string]any{"type": "drift", "reconcile": true}); !fault.Is(err, fault.Denied) {
			t.Errorf("a reader has drift reconciled: %v", err)
		}
		again, err := start("alice", map[string]any{"type": "drift", "reconcile": true})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, again.ID, ended), "finished", "drifted: 1 to create")
		g.finish(g.nth("net", "tracked", 2))
		err = eventually(t.Context(), func() (bool, error) {
			d := g.stackNow("net").Drift
			return d != nil && !d.Found, nil
		})
		if err != nil {
			t.Errorf("after it was reconciled the drift is %+v", g.stackNow("net").Drift)
		}
		failing, err := start("admin", map[string]any{"type": "task", "command": "exit 3"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, failing.ID, ended), "failed", "the command: ")

		// By a schedule, of nobody.
		soon := time.Now().Add(6 * time.Second).UTC().Format(time.RFC3339)
		g.apply(stackDocument("net", "  schedules: [{do: drift, at: '"+soon+"'}]\n"))
		due := until(t, g.admin, g.nth("net", "drift", 4), ended)
		if g.wantRun(due, "finished", "no drift"); !strings.Contains(string(due.Input), `"triggeredBy":"spacelift/schedules/drift"`) {
			t.Errorf("what is due is begun as %s", due.Input)
		}
	})
}

func TestSchedulesAreHeldToTheirForm(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		for schedule, words := range map[string]string{
			"{do: sing, cron: '0 6 * * *'}":                                "is nothing that is done at times",
			"{do: drift}":                                                  "has not one of cron, at and after",
			"{do: drift, cron: '0 6 * *'}":                                 "is not a schedule",
			"{do: drift, cron: '* * * * *'}":                               "is due every 1m0s",
			"{do: drift, cron: '0 6 * * *', timezone: Nowhere/Land}":       "is not a time zone",
			"{do: tracked, cron: '0 6 * * *', reconcile: true}":            "reconciles what is not drift",
			"{do: destroy, at: tomorrow}":                                  "is not a time",
			"{do: destroy, at: '2027-01-01T00:00:00Z', cron: '0 6 * * *'}": "has not one of cron, at and after",
			"{do: destroy, after: 72h, at: '2027-01-01T00:00:00Z'}":        "has not one of cron, at and after",
			"{do: destroy, after: 3 days}":                                 "is not a time between 5 minutes and 5 years",
			"{do: drift, cron: '@daily', deleteStack: true}":               "deletes the stack after what destroys nothing",
			"{do: tracked, cron: '@daily', ignoreState: true}":             "ignores the state of what is not drift",
			"{do: task, cron: '@daily'}":                                   "a task needs a command",
			"{do: drift, cron: '@daily', command: 'true'}":                 "a command goes with a task",
		} {
			err := g.try("admin", stackDocument("net", "  schedules: ["+schedule+"]\n"))
			if err == nil || !strings.Contains(fault.Message(err)+detailsOf(err), words) {
				t.Errorf("%s: want %q, got %v", schedule, words, err)
			}
		}
		playbook := strings.Replace(stackDocument("net", "  vendor: {ansible: {playbook: site.yml}}\n  schedules: [{do: destroy, after: 72h}]\n"), "  variables: {name: net}\n", "", 1)
		if err := g.try("admin", playbook); err == nil || !strings.Contains(detailsOf(err), "a playbook can't be taken back") {
			t.Errorf("the destruction of what a playbook made: %v", err)
		}
		g.apply(stackDocument("net", "  schedules: [{do: drift, cron: '0 6 * * 1-5', timezone: Europe/Berlin}]\n"))
		if next := g.stackNow("net").Next; next == nil || next.Minute() != 0 || next.In(berlin(t)).Hour() != 6 {
			t.Errorf("it is due at %v", next)
		}
	})
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// TestAPolicyKeepsBackWhatWouldFollow: what begins by itself is asked about as what a person begins.
func TestAPolicyKeepsBackWhatWouldFollow(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.push("alice", "crew/shop", map[string]string{"infra/main.tf": below})
		net := g.stack("net", above, "")
		g.rests(net)
		g.apply(stackDocument("shop", uses))
		shop := g.nth("shop", "tracked", 1)
		g.finish(net)
		g.finish(shop)
		g.applied("shop", shop)
		g.apply(`apiVersion: roadbed.dev/v1
kind: Policy
metadata: {name: frozen}
spec:
  point: initialization
  rego: |
    package spacelift
    deny["the shop is frozen"] { input.stack.name == "shop" }
`)
		g.finish(g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "region-one", "region-two")})))
		err := eventually(t.Context(), func() (bool, error) {
			return strings.Contains(g.stackNow("shop").Message, "the shop is frozen"), nil
		})
		if err != nil || len(g.runsOf("shop", "tracked")) != 1 {
			t.Errorf("the stack says %q, and has %d runs", g.stackNow("shop").Message, len(g.runsOf("shop", "tracked")))
		}
	})
}
