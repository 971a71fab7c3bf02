package server

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// alone takes the shipped approval policy away, so that a story's own decide.
func (g *ground) alone() {
	g.t.Helper()
	if err := g.admin.Do(g.t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
		g.t.Fatal(err)
	}
}

// saw gives what policies saw of a run at a point, when they were asked last.
func (g *ground) saw(point, run string) map[string]any {
	g.t.Helper()
	of := func(d client.Decision) bool { return d.Run == run }
	all := g.decisions(point, func(all []client.Decision) bool { return slices.ContainsFunc(all, of) })
	detail, err := client.Get[client.DecisionDetail](g.t.Context(), g.admin, "/decisions/"+all[slices.IndexFunc(all, of)].ID, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	var seen map[string]any
	if err := json.Unmarshal(detail.Input, &seen); err != nil {
		g.t.Fatal(err)
	}
	return seen
}

// at gives what is deep in an input.
func at(in any, path ...string) any {
	for _, name := range path {
		object, _ := in.(map[string]any)
		in = object[name]
	}
	return in
}

// begin starts a run of a stack.
func (g *ground) begin(who, name string, what map[string]any) client.RunDetail {
	g.t.Helper()
	r, err := client.Post[client.RunDetail](g.t.Context(), g.as[who], "/stacks/default/"+name+"/runs", what)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

// idle waits until no job of some kinds is left.
func (g *ground) idle(kinds ...string) {
	g.t.Helper()
	comesTrue(g.t, func() bool {
		var left int
		err := g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
			w := &store.Where{}
			w.Add(w.In("kind", kinds))
			return tx.QueryRow(g.t.Context(), "SELECT count(*) FROM jobs"+w.String(), w.Args...).Scan(&left)
		})
		return err == nil && left == 0
	}, "the jobs are done")
}

// TestDriftIsTakenBackOnlyOnceSomebodyHasLooked: by the rule that Spacelift documents, of a stack that is deployed by itself.
func TestDriftIsTakenBackOnlyOnceSomebodyHasLooked(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.alone()
		g.policy("look", "plan", `warn["Drift reconciliation requires manual approval"] { input.spacelift.run.drift_detection }`, "")
		g.policy("after", "trigger", `trigger["nowhere"] { true }`, "")
		first := g.stack("net", above, "  autodeploy: true\n")
		g.wantRun(g.rests(first), "finished", "applied")
		g.applied("net", first)
		task := g.begin("admin", "net", map[string]any{"type": "task", "command": "tofu state rm terraform_data.note"})
		g.wantRun(g.rests(task.ID), "finished", "the command is done")
		drift := g.begin("alice", "net", map[string]any{"type": "drift", "reconcile": true})
		g.wantRun(g.rests(drift.ID), "finished", "drifted: 1 to create")

		mend := g.nth("net", "tracked", 2)
		r := g.rests(mend)
		g.wantRun(r, "unconfirmed", "1 to create")
		if len(r.Warnings) != 1 || r.Warnings[0] != "Drift reconciliation requires manual approval" {
			t.Errorf("the run that takes drift back warns %q", r.Warnings)
		}
		for id, want := range map[string][2]any{first: {"TRACKED", false}, drift.ID: {"PROPOSED", true}, mend: {"TRACKED", true}} {
			seen := at(g.saw("plan", id), "spacelift", "run")
			if got := [2]any{at(seen, "type"), at(seen, "drift_detection")}; got != want || at(seen, "based_on_local_workspace") != false {
				t.Errorf("policies see a run of the type and drift %v, want %v", got, want)
			}
		}
		if own := g.saw("plan", drift.ID); at(own, "run", "type") != "drift" || at(own, "spacelift", "stack", "state") != "FINISHED" || at(own, "spacelift", "previous_run", "id") != task.ID {
			t.Errorf("what looks for drift is seen as %v", at(own, "run"))
		}
		g.wantRun(g.confirmed(mend), "finished", "applied")

		// Of these what may change the stack is told to trigger policies, tasks among it.
		for _, id := range []string{first, task.ID, drift.ID, mend} {
			g.followed("stack.policies", "run.state-changed", id, "finished")
		}
		g.idle("stack.trigger")
		var told []string
		for _, d := range g.decisions("trigger", atLeast(3)) {
			told = append(told, d.Run)
		}
		slices.Sort(told)
		if want := []string{first, mend, task.ID}; !slices.Equal(told, sorted(want)) {
			t.Errorf("trigger policies hear of %v, want %v", told, want)
		}
	})
}

func sorted(all []string) []string {
	slices.Sort(all)
	return all
}

// confirmed has bob confirm a run, and gives its end.
func (g *ground) confirmed(id string) client.RunDetail {
	g.t.Helper()
	if _, err := g.act("bob", id, "confirm"); err != nil {
		g.t.Fatal(err)
	}
	return until(g.t, g.admin, id, ended)
}

// anewByRegion are made, and the second is made anew when the region is another.
const anewByRegion = `variable "name" { type = string }
resource "terraform_data" "kept" { input = var.name }
resource "terraform_data" "moved" {
  triggers_replace = ["region-one"]
  input            = var.name
}
`

// Policies of the kinds that Spacelift's public library has, over what real runs give them.
const (
	pushesOfLibrary = `
track { affected; input.push.branch == input.stack.branch; is_null(input.stack.locked_by) }
propose { affected; input.push.branch != input.stack.branch }
ignore { not affected }
ignore { input.push.tag != "" }
message[sprintf("%s holds %s, that is %s", [input.stack.locked_by, input.stack.name, input.stack.state])] { not is_null(input.stack.locked_by) }
affected { startswith(input.push.affected_files[_], concat("", [input.stack.project_root, "/"])) }`

	plansOfLibrary = `
deny[sprintf("%d things are gone at once", [count(gone)])] { count(gone) > 1 }
gone[c.entity.address] { c := input.spacelift.run.changes[_]; c.phase == "plan"; c.entity.entity_type == "resource"; c.action == "deleted" }
warn[sprintf("%s is made anew by %q of %s", [c.entity.address, trim_space(input.spacelift.commit.message), input.spacelift.run.commit.author])] {
	c := input.spacelift.run.changes[_]
	endswith(c.action, "-replaced")
	input.spacelift.previous_run.changes[_].entity.address == c.entity.address
	input.spacelift.run.type == "PROPOSED"
}`

	approvalsOfLibrary = `
approve { input.run.state != "UNCONFIRMED" }
approve { not dangerous }
approve { count(input.reviews.current.approvals) > 1; count(input.reviews.current.rejections) == 0 }
dangerous { endswith(input.run.changes[_].action, "-replaced") }
dangerous { input.run.changes[_].action == "deleted" }`

	triggersOfLibrary = `
trigger[stack.id] {
	input.run.state == "FINISHED"
	input.run.type == "TRACKED"
	stack := input.stacks[_]
	stack.labels[_] == concat("", ["follows:", input.stack.id])
	stack.state == "FINISHED"
}
trigger[input.stack.id] { input.run.state == "FAILED"; input.run.type == "TRACKED"; is_null(input.run.triggered_by) }`

	newsOfLibrary = `
run := input.run_updated.run
over := {"FINISHED", "FAILED", "STOPPED", "CANCELED", "DISCARDED"}
rows[row] { c := run.changes[_]; c.entity.entity_type == "resource"; row := sprintf("%s %s %s", [c.action, c.entity.address, c.entity.data.values.input]) }
inbox[{"title": sprintf("%s %s of %s", [run.type, run.state, input.run_updated.stack.id]), "body": body, "severity": "INFO"}] {
	over[run.state]
	input.run_updated.state == run.state
	body := sprintf("%s by %v of %s: %s; %s", [input.run_updated.urls.run, run.triggered_by, run.commit.author, trim_space(run.commit.message), concat(", ", rows)])
}`
)

// TestPoliciesThatWereWrittenForSpaceliftDecideOfRealRuns at each point, with nothing but what the platform itself hands them.
func TestPoliciesThatWereWrittenForSpaceliftDecideOfRealRuns(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.alone()
		app := g.stack("app", "output \"name\" {\n  value = \"x\"\n}\n", "  autodeploy: true\n  labels: ['follows:net']\n")
		g.wantRun(g.rests(app), "finished", "applied")
		for name, rego := range map[string]string{"push": pushesOfLibrary, "plan": plansOfLibrary, "approval": approvalsOfLibrary, "trigger": triggersOfLibrary, "notification": newsOfLibrary} {
			g.policy("library-"+name, name, rego, "")
		}
		const alice, otto, admin = "alice", "otto", "admin"

		// What only adds is deployed by itself, and the stack that follows runs again: its state is known.
		first := g.stack("net", anewByRegion, "  autodeploy: true\n")
		g.wantRun(g.rests(first), "finished", "applied: 2 to create")
		again := g.nth("app", "tracked", 2)
		g.wantRun(g.rests(again), "finished", "nothing to change")

		// What is made anew is not, though the policy approves whatever is not unconfirmed.
		other := strings.ReplaceAll(anewByRegion, "region-one", "region-two")
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": other})
		second := g.stackRun("net", commit)
		g.wantRun(g.rests(second), "unconfirmed", "1 to replace")
		seen := g.saw("approval", second)
		if at(seen, "run", "state") != "UNCONFIRMED" || at(seen, "stack", "state") != "UNCONFIRMED" || !strings.Contains(g.log(second, "judge"), "not applied without review") {
			t.Errorf("the approval policies are asked of %v", at(seen, "run", "state"))
		}
		idea := g.branch("alice", "crew/net", "idea", map[string]string{"infra/main.tf": strings.ReplaceAll(anewByRegion, "region-one", "region-three")})
		preview := g.rests(g.stackRun("net", idea))
		g.wantRun(preview, "pending_review", "1 to replace")
		if want := `terraform_data.moved is made anew by "an idea" of ` + alice; len(preview.Warnings) != 1 || preview.Warnings[0] != want {
			t.Errorf("the plan policy warns %q, want %q", preview.Warnings, want)
		}
		waits := g.begin("alice", "net", map[string]any{"type": "tracked"})
		if _, err := g.act("alice", waits.ID, "cancel"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, waits.ID, ended), "canceled", "canceled")
		if _, err := g.act("bob", second, "confirm"); err == nil || !strings.Contains(err.Error(), "need more approvals") {
			t.Errorf("one approval of what is made anew: %v", err)
		}
		if _, err := g.act("admin", second, "approve"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.confirmed(second), "finished", "applied: 1 to replace")

		// A failure is tried once more, and no third time: then a policy has asked for it.
		broken := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(other, "var.name", "var.nothing")})
		failed := g.stackRun("net", broken)
		g.wantRun(g.rests(failed), "failed", "planning")
		var retry string
		comesTrue(t, func() bool {
			for _, r := range g.runsAt("net", broken) {
				if r.ID != failed {
					retry = r.ID
				}
			}
			return retry != ""
		}, "it is tried once more")
		g.wantRun(g.rests(retry), "failed", "planning")

		// A task that is stopped in the middle is stopped.
		task := g.begin("admin", "net", map[string]any{"type": "task", "command": "sleep 44.25"})
		until(t, g.admin, task.ID, func(r client.RunDetail) bool {
			return r.State == "performing" && slices.ContainsFunc(r.Steps, func(s client.Step) bool { return s.State == "leased" })
		})
		if _, err := g.act("admin", task.ID, "cancel"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, task.ID, ended), "canceled", "stopped while performing")

		// Who holds the stack is told, and keeps pushes out.
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/lock", nil, map[string]string{"reason": "I move something"}, nil); err != nil {
			t.Fatal(err)
		}
		held := g.push("alice", "crew/net", map[string]string{"infra/main.tf": other})
		comesTrue(t, func() bool { return g.stackNow("net").Message == otto+" holds net, that is FAILED" }, "the push policy says who holds the stack")
		if runs := g.runsAt("net", held); len(runs) != 0 {
			t.Errorf("a push to a stack that is held starts %+v", runs)
		}

		for _, id := range []string{retry, task.ID} {
			g.followed("stack.policies", "run.state-changed", id, `"terminal":true`)
		}
		g.idle("stack.trigger", "stack.notify")
		if runs := g.runsAt("net", broken); len(runs) != 3 { // with the task
			t.Errorf("after a failure there are %d runs", len(runs))
		}
		saying := map[string]string{}
		entries, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"type": {"stack.notice"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			var said struct{ Title, Body string }
			if err := json.Unmarshal(e.Data, &said); err != nil {
				t.Fatal(err)
			}
			saying[e.Run] = said.Title + ": " + said.Body
		}
		page := func(id string) string { return g.house.baseURL() + "/runs/" + id }
		for id, want := range map[string]string{
			first:      "TRACKED FINISHED of net: " + page(first) + " by null of " + alice + ": change; added terraform_data.kept net, added terraform_data.moved net",
			again:      "TRACKED FINISHED of app: " + page(again) + " by policy:default/library-trigger of " + alice + ": change; ",
			second:     "TRACKED FINISHED of net: " + page(second) + " by null of " + alice + ": change; destroy-Before-create-replaced terraform_data.moved net",
			waits.ID:   "TRACKED CANCELED of net: " + page(waits.ID) + " by " + alice + " of " + alice + ": change; ",
			failed:     "TRACKED FAILED of net: " + page(failed) + " by null of " + alice + ": change; ",
			retry:      "TRACKED FAILED of net: " + page(retry) + " by policy:default/library-trigger of " + alice + ": change; ",
			task.ID:    "TASK STOPPED of net: " + page(task.ID) + " by " + admin + " of " + alice + ": change; ",
			preview.ID: "",
		} {
			if saying[id] != want {
				t.Errorf("of run %s it is said\n%s\nwant\n%s", id, saying[id], want)
			}
		}
		if !strings.HasPrefix(page(first), "http") {
			t.Errorf("the address of a run is %s", page(first))
		}
	})
}

// idOf gives the opaque id by which policies know somebody.
func (g *ground) idOf(who string) string {
	g.t.Helper()
	me, err := client.Get[client.Me](g.t.Context(), g.as[who], "/whoami", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return me.ID
}
