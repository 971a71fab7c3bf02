package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// preview begins a proposed run as somebody.
func (g *ground) preview(who, name, commit string) string {
	g.t.Helper()
	r, err := client.Post[client.RunDetail](g.t.Context(), g.as[who], "/stacks/default/"+name+"/runs", map[string]string{"type": "proposed", "commit": commit})
	if err != nil {
		g.t.Fatal(err)
	}
	return r.ID
}

// TestAPreviewThatAPolicyWarnsOfIsReviewed as Spacelift has it, where an approval policy is attached.
func TestAPreviewThatAPolicyWarnsOfIsReviewed(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.rests(g.stack("net", lightInfra, ""))
		g.policy("careful", "plan", `warn["something is made"] { created_resources[_] }`, "")
		pending := func() string {
			t.Helper()
			id := g.preview("alice", "net", "")
			g.wantRun(g.rests(id), "pending_review", "1 to create, 3 outputs change; a plan policy warns")
			return id
		}
		id := pending()
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if _, err := g.act(who, id, "approve"); !fault.Is(err, kind) {
				t.Errorf("%s approves: %v, want %v", who, err, kind)
			}
		}
		if r, err := g.act("alice", id, "approve"); err != nil || r.State != "pending_review" || len(r.Reviews) != 1 || r.Reviews[0].Verdict != "approve" {
			t.Errorf("its author's vote makes it %s with %+v, %v", r.State, r.Reviews, err)
		}
		if _, err := client.Post[client.RunDetail](t.Context(), g.admin, "/runs/"+id+"/replan", client.Replan{Targets: []string{"terraform_data.database"}}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a preview is planned anew: %v", err)
		}
		if r, err := g.act("bob", id, "approve"); err != nil || r.State != "finished" || r.Reason != "approved" {
			t.Errorf("another's vote makes it %s: %s, %v", r.State, r.Reason, err)
		}
		if r, err := g.act("bob", pending(), "discard"); err != nil || r.State != "discarded" {
			t.Errorf("it is %s, %v", r.State, err)
		}
		if r, err := g.act("bob", pending(), "reject"); err != nil || r.State != "failed" || !strings.Contains(r.Reason, "the approval policies reject") {
			t.Errorf("a rejection that the policy minds makes it %s: %s, %v", r.State, r.Reason, err)
		}

		// What looks for drift is held up by nobody, and without a warning nothing is.
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/careful", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(g.preview("alice", "net", "")), "finished", "1 to create")
	})
}

// TestAPreviewIsPromoted when its commit is on the branch and newer than what is tracked.
func TestAPreviewIsPromoted(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		promote := func(who, id string) (client.RunDetail, error) {
			return client.Post[client.RunDetail](t.Context(), g.as[who], "/runs/"+id+"/promote", nil)
		}
		region := func(name string) map[string]string {
			return map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", name)}
		}
		first := g.stack("net", lightInfra, "")
		g.rests(first)
		if _, err := g.act("bob", first, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, first, ended), "finished", "applied")
		g.applied("net", first)
		g.policy("quiet", "push", `propose { true }`, "")

		idea := g.branch("alice", "crew/net", "idea", region("region-two"))
		preview := g.stackRun("net", idea)
		if _, err := promote("admin", preview); !fault.Is(err, fault.Conflict) {
			t.Errorf("a preview that has not finished is promoted: %v", err)
		}
		if r := g.rests(preview); r.State != "finished" || strings.Join(r.Can, " ") != "promote" {
			t.Fatalf("the preview is %s, and one can %q", r.State, r.Can)
		}
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound, "bob": fault.Invalid} {
			if _, err := promote(who, preview); !fault.Is(err, kind) {
				t.Errorf("%s promotes: %v, want %v", who, err, kind)
			}
		}
		applied, err := client.Get[client.RunDetail](t.Context(), g.admin, "/runs/"+first, nil)
		if err != nil {
			t.Fatal(err)
		}
		old := g.preview("alice", "net", applied.Source.Commit)
		g.rests(old)
		if _, err := promote("bob", old); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "is not newer than") {
			t.Errorf("what is applied is promoted: %v", err)
		}

		dir := "alice/crew/net"
		g.do("alice", g.dir+"/"+dir, "merge", "--quiet", "--ff-only", "idea")
		g.do("alice", g.dir+"/"+dir, "push", "--quiet", "origin", "main")
		made, err := promote("bob", preview)
		if err != nil || made.ID == preview || made.Source.Commit != idea || !strings.Contains(made.Actor.Name, "bob") {
			t.Fatalf("it is promoted as %+v, %v", made.Run, err)
		}
		if again, err := promote("bob", preview); err != nil || again.ID != made.ID {
			t.Errorf("while it is under way it is promoted as %s, %v", again.ID, err)
		}
		g.wantRun(g.rests(made.ID), "unconfirmed", "1 to change")
		var in stack.Input
		if err := json.Unmarshal(made.Input, &in); err != nil || in.Promotes != preview || in.Type != stack.Tracked || len(in.Authors) == 0 {
			t.Errorf("its input is %s, %v", made.Input, err)
		}
		for _, who := range []string{"alice", "bob"} { // who pushed it, and who began it
			if _, err := g.act(who, made.ID, "confirm"); !fault.Is(err, fault.Denied) {
				t.Errorf("%s confirms: %v", who, err)
			}
		}
		later := g.push("alice", "crew/net", region("region-three"))
		newer := g.preview("alice", "net", later)
		g.rests(newer)
		next, err := promote("bob", newer)
		if err != nil || next.State != "queued" || next.Wait == nil || next.Wait.Behind != made.ID || next.Wait.Position != 1 {
			t.Fatalf("behind another it is %s with %+v, %v", next.State, next.Wait, err)
		}
		if _, err := g.act("admin", made.ID, "discard"); err != nil {
			t.Fatal(err)
		}
		if _, err := promote("bob", preview); !fault.Is(err, fault.Conflict) {
			t.Errorf("a commit that is older than what is tracked is promoted: %v", err)
		}
		g.wantRun(g.rests(next.ID), "unconfirmed", "1 to change")
		if _, err := g.act("admin", next.ID, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, next.ID, ended), "finished", "applied")
		if got := g.output("net", "region"); got != `"region-three"` {
			t.Errorf("the region is %s", got)
		}
	})
}

const twoThings = `resource "terraform_data" "one" {
  input = "first"
}

resource "terraform_data" "two" {
  input = "first"
}
`

// TestAPlanIsMadeAnewForWhatSomebodyChooses of it; the rest is left for the next run, whose authors are as before.
func TestAPlanIsMadeAnewForWhatSomebodyChooses(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		replan := func(who, id string, ask client.Replan) (client.RunDetail, error) {
			return client.Post[client.RunDetail](t.Context(), g.as[who], "/runs/"+id+"/replan", ask)
		}
		id := g.stack("net", twoThings, "  autodeploy: true\n")
		g.wantRun(g.rests(id), "unconfirmed", "2 to create")
		one := client.Replan{Targets: []string{"terraform_data.one"}, Note: "only this"}
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "otto": fault.Denied, "mallory": fault.NotFound} {
			if _, err := replan(who, id, one); !fault.Is(err, kind) {
				t.Errorf("%s replans: %v, want %v", who, err, kind)
			}
		}
		for _, ask := range []client.Replan{{}, {Targets: []string{"terraform_data.three"}}, {Targets: []string{"-destroy"}}, {Replace: []string{"terraform_data.one"}}} {
			if _, err := replan("bob", id, ask); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v is planned: %v", ask, err)
			}
		}
		r, err := g.act("admin", id, "approve")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(r.Can, " ") != "confirm discard approve reject replan cancel prioritize" {
			t.Errorf("one can %q", r.Can)
		}
		stale := client.New(g.url, g.token("user:default/bob"))
		if r, err = replan("admin", id, one); err != nil || r.Waiting {
			t.Fatalf("after the choice it is %s, %v", r.State, err)
		}
		if _, err := client.Post[client.RunDetail](t.Context(), stale, "/runs/"+id+"/confirm", nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("while it plans it is confirmed: %v", err)
		}
		r = g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to create")
		if r.Reviews[len(r.Reviews)-1].Verdict != "replan" || r.Reviews[len(r.Reviews)-1].Note != "only this" {
			t.Errorf("the reviews are %+v", r.Reviews)
		}
		g.wantNoted("stack:default/net", "run.reviewed", 2)
		for _, who := range []string{"alice", "admin"} { // who pushed, and who declared it and chose
			if _, err := g.act(who, id, "confirm"); !fault.Is(err, fault.Denied) {
				t.Errorf("%s confirms: %v", who, err)
			}
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		s := g.stackNow("net")
		if s.State.Resources != 1 || s.Drift != nil {
			t.Errorf("after it there are %d resources, and drift %+v", s.State.Resources, s.Drift)
		}

		// Alice's change is applied in part: she is still an author of the rest.
		next, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]string{"type": "tracked"})
		if err != nil {
			t.Fatal(err)
		}
		r = g.rests(next.ID)
		g.wantRun(r, "unconfirmed", "1 to create")
		if _, err := g.act("alice", next.ID, "confirm"); !fault.Is(err, fault.Denied) {
			t.Errorf("alice confirms the rest: %v", err)
		}
		if _, err = replan("bob", next.ID, client.Replan{Replace: []string{"terraform_data.one"}}); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(next.ID), "unconfirmed", "1 to create, 1 to replace")
		if _, err = replan("admin", next.ID, client.Replan{Targets: []string{"terraform_data.two"}}); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(next.ID), "unconfirmed", "1 to create; waits")
		if _, err := g.act("bob", next.ID, "confirm"); !fault.Is(err, fault.Denied) {
			t.Errorf("bob, who chose before, confirms: %v", err)
		}
		if s := g.stackNow("net"); s.State.Resources != 1 {
			t.Errorf("there are %d resources", s.State.Resources)
		}
	})
}

// TestRunsGoInTheOrderThatPeopleWant and tell what they wait for.
func TestRunsGoInTheOrderThatPeopleWant(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", lightInfra, "")
		g.rests(first)
		start := func() string {
			t.Helper()
			r, err := client.Post[client.RunDetail](t.Context(), g.as["bob"], "/stacks/default/net/runs", map[string]string{"type": "tracked"})
			if err != nil {
				t.Fatal(err)
			}
			return r.ID
		}
		second, third := start(), start()
		queue := func(who string) (order []string, all []client.QueuedRun, err error) {
			all, err = client.All[client.QueuedRun](t.Context(), g.as[who], "/stacks/default/net/queue", map[string][]string{"limit": {"2"}})
			for _, q := range all {
				order = append(order, q.Run.ID)
			}
			return order, all, err
		}
		prioritize := func(who, id string, off bool) (client.RunDetail, error) {
			return client.Post[client.RunDetail](t.Context(), g.as[who], "/runs/"+id+"/prioritize", map[string]bool{"off": off})
		}
		wantOrder := func(want ...string) []client.QueuedRun {
			t.Helper()
			order, all, err := queue("rita")
			if err != nil || strings.Join(order, " ") != strings.Join(want, " ") {
				t.Fatalf("the queue is %q, %v; want %q", order, err, want)
			}
			return all
		}
		all := wantOrder(first, second, third)
		if !all[0].Holds || all[0].Wait != nil || all[2].Wait == nil || all[2].Wait.Behind != first || all[2].Wait.Position != 2 || all[2].Wait.Queued != 2 {
			t.Errorf("they are %+v", all)
		}
		if _, _, err := queue("mallory"); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory sees the queue: %v", err)
		}
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if _, err := prioritize(who, third, false); !fault.Is(err, kind) {
				t.Errorf("%s prioritizes: %v, want %v", who, err, kind)
			}
		}
		if r, err := prioritize("alice", third, false); err != nil || !r.Prioritized || r.Wait.Position != 1 {
			t.Errorf("prioritized, it is %+v, %v", r.Wait, err)
		}
		wantOrder(first, third, second)
		if r, err := prioritize("alice", third, true); err != nil || r.Prioritized {
			t.Errorf("it stays prioritized: %v", err)
		}
		wantOrder(first, second, third)
		if _, err := prioritize("alice", third, false); err != nil {
			t.Fatal(err)
		}
		g.wantNoted("stack:default/net", "run.prioritized", 3)
		err := eventually(t.Context(), func() (bool, error) {
			list, err := client.Get[client.List[client.Stack]](t.Context(), g.admin, "/stacks", map[string][]string{"queued": {"true"}, "state": {"queued"}, "text": {"NET crew"}})
			return len(list.Items) == 1 && list.Items[0].Queued == 2, err
		})
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{"drifted=true": 0, "state=finished,failed": 0, "text=nat": 0, "space=default": 1, "set=mono": 0, "state=queued,failed": 1} {
			name, value, _ := strings.Cut(query, "=")
			list, err := client.Get[client.List[client.Stack]](t.Context(), g.admin, "/stacks", map[string][]string{name: {value}})
			if err != nil || len(list.Items) != want {
				t.Errorf("%s gives %d stacks, %v; want %d", query, len(list.Items), err, want)
			}
		}
		if _, err := g.act("admin", first, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(third), "unconfirmed", "1 to create")
		if r, err := client.Get[client.RunDetail](t.Context(), g.admin, "/runs/"+second, nil); err != nil || r.State != "queued" || r.Wait.Behind != third {
			t.Errorf("the other is %s behind %+v, %v", r.State, r.Wait, err)
		}
		if _, err := prioritize("alice", first, false); !fault.Is(err, fault.Conflict) {
			t.Errorf("what has ended is prioritized: %v", err)
		}
	})
}

// TestAPlanTellsWhatItCosts by price lists, to people and to policies.
func TestAPlanTellsWhatItCosts(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.apply(`apiVersion: roadbed.dev/v1
kind: PriceList
metadata: {name: data}
spec:
  owner: group:default/crew
  currency: EUR
  prices:
    - {resource: terraform_data, name: letters, unit: letter, monthly: 2.5, quantity: "double(values.input.size())"}
`)
		g.policy("budget", "plan", `warn[sprintf("costs %s more", [input.third_party_metadata.infracost.diffTotalMonthlyCost])] { to_number(input.third_party_metadata.infracost.diffTotalMonthlyCost) > 10 }`, "")
		id := g.stack("net", twoThings, "")
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "2 to create")
		if strings.Join(r.Warnings, " ") != "costs 25 more" {
			t.Errorf("the warnings are %q", r.Warnings)
		}
		if text := g.log(id, "judge"); !strings.Contains(text, "cost, by price lists: 25.00 EUR in a month, 0.00 before, +25.00") {
			t.Errorf("the judge says:\n%s", text)
		}
		plan, err := client.Get[client.Plan](t.Context(), g.as["rita"], "/runs/"+id+"/plan", nil)
		if err != nil || plan.Cost == nil || plan.Cost.Source != "prices" || plan.Cost.Delta != 25 || len(plan.Cost.Resources) != 2 || plan.Cost.Resources[0].Parts[0].Quantity != 5 {
			t.Fatalf("the plan costs %+v, %v", plan.Cost, err)
		}
		var out stack.Output
		if err := json.Unmarshal(r.Output, &out); err != nil || out.Cost == nil || out.Cost.After != 25 || len(out.Cost.Resources) != 0 {
			t.Errorf("the run shows %s, %v", r.Output, err)
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/pricelist/default/data", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		free := g.preview("alice", "net", "")
		g.rests(free)
		if plan, err := client.Get[client.Plan](t.Context(), g.admin, "/runs/"+free+"/plan", nil); err != nil || plan.Cost != nil {
			t.Errorf("without a list it costs %+v, %v", plan.Cost, err)
		}
	})
}

// TestARunWaitsForALockByHand in the queue, and says so, whichever way the lock was taken.
func TestARunWaitsForALockByHand(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.wantRun(g.rests(g.stack("net", lightInfra, "")), "unconfirmed", "")
		at := "/stacks/default/net"
		lock := func() error {
			return g.as["otto"].Do(t.Context(), "POST", at+"/lock", nil, map[string]string{"reason": "I move something"}, nil)
		}
		if err := lock(); !fault.Is(err, fault.Conflict) {
			t.Errorf("while a run holds the stack it is locked: %v", err)
		}
		if _, err := g.act("admin", g.runsOf("net", stack.Tracked)[0].ID, "discard"); err != nil {
			t.Fatal(err)
		}
		if err := lock(); err != nil {
			t.Fatal(err)
		}
		r, err := client.Post[client.RunDetail](t.Context(), g.as["bob"], at+"/runs", map[string]string{"type": "tracked"})
		if err != nil || r.State != "queued" || r.Wait == nil || r.Wait.For != "state" || !strings.Contains(r.Wait.Reason, "held by hand: ") || !strings.Contains(r.Wait.Reason, "I move something") {
			t.Fatalf("it is %s with %+v, %v", r.State, r.Wait, err)
		}
		if p := g.rests(g.preview("alice", "net", "")); p.State != "finished" {
			t.Errorf("a preview is %s", p.State)
		}
		if now, err := client.Get[client.RunDetail](t.Context(), g.admin, "/runs/"+r.ID, nil); err != nil || now.State != "queued" || len(now.Steps) != 0 {
			t.Errorf("it went on to %s, %v", now.State, err)
		}
		if err := g.as["otto"].Do(t.Context(), "POST", at+"/unlock", map[string][]string{"mine": {"true"}}, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "unconfirmed", "1 to create")
	})
}
