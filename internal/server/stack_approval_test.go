package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// askedFirst wants somebody else's word before a tracked run begins, as policies of Spacelift do that say nothing of states.
const askedFirst = `
approve { input.run.type != "TRACKED" }
approve { input.run.state != "QUEUED" }
approve { input.reviews.current.approvals[_].author != input.run.author }
reject { count(input.reviews.current.rejections) > 0 }`

// TestApprovalPoliciesAreAskedBeforeARunBegins where they are written for Spacelift, which does that.
func TestApprovalPoliciesAreAskedBeforeARunBegins(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.rests(g.stack("net", lightInfra, ""))
		if _, err := g.act("admin", g.runsOf("net", "tracked")[0].ID, "discard"); err != nil {
			t.Fatal(err)
		}
		g.policy("first", "approval", askedFirst, "")
		begin := func(who string) client.RunDetail {
			t.Helper()
			r, err := client.Post[client.RunDetail](t.Context(), g.as[who], "/stacks/default/net/runs", map[string]string{"type": "tracked"})
			if err != nil {
				t.Fatal(err)
			}
			r = g.rests(r.ID)
			g.wantRun(r, "queued", "waits for approval before it begins")
			return r
		}
		r := begin("bob")
		if now := g.runNow(r.ID); strings.Join(now.Can, " ") != "approve reject cancel prioritize" || now.Wait != nil {
			t.Errorf("one can %q, and it waits for %+v", now.Can, now.Wait)
		}
		entries, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"type": {"run.review-requested"}})
		if err != nil || len(entries) != 1 || entries[0].Run != r.ID || !strings.Contains(string(entries[0].Data), "waits for approval") {
			t.Errorf("the ledger has %+v, %v", entries, err)
		}
		last := g.decisions("approval", atLeast(1))[0]
		if detail, err := client.Get[client.DecisionDetail](t.Context(), g.admin, "/decisions/"+last.ID, nil); err != nil || !strings.Contains(string(detail.Input), `"state":"QUEUED"`) || !slices.Equal(last.Policies, []string{"policy:default/first"}) {
			t.Errorf("it is asked of %q with %s, %v", last.Policies, detail.Input, err)
		}
		for _, verb := range []string{"confirm", "discard"} {
			if _, err := g.act("alice", r.ID, verb); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s before it has a plan: %v", verb, err)
			}
		}
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if _, err := g.act(who, r.ID, "approve"); !fault.Is(err, kind) {
				t.Errorf("%s approves: %v, want %v", who, err, kind)
			}
		}
		if now, err := g.act("bob", r.ID, "approve"); err != nil || now.State != "queued" || !now.Waiting {
			t.Errorf("by its author's word it is %s, %v", now.State, err)
		}
		preview := g.preview("alice", "net", "")
		g.wantRun(g.rests(preview), "finished", "1 to create")

		// What comes after it waits too, until it is out of the way.
		second := begin("bob")
		if _, err := g.act("alice", second.ID, "approve"); err != nil {
			t.Fatal(err)
		}
		if now := g.runNow(second.ID); now.State != "queued" || now.Waiting || now.Reason != "" || now.Wait == nil || now.Wait.Behind != r.ID || now.Wait.Position != 2 {
			t.Errorf("behind one that waits for approval it is %s (%s) and waits for %+v", now.State, now.Reason, now.Wait)
		}
		if _, err := g.act("bob", r.ID, "cancel"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(second.ID), "unconfirmed", "1 to create")

		// It is approved while another holds the stack.
		third := begin("bob")
		if _, err := g.act("alice", third.ID, "approve"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.act("alice", second.ID, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(third.ID), "unconfirmed", "1 to create")
		if _, err := g.act("bob", third.ID, "confirm"); !fault.Is(err, fault.Denied) {
			t.Errorf("an approval before the plan counts for the plan: %v", err)
		}
		if _, err := g.act("admin", third.ID, "discard"); err != nil {
			t.Fatal(err)
		}

		fourth := begin("bob")
		if now, err := g.act("alice", fourth.ID, "reject"); err != nil || now.State != "failed" || !strings.Contains(now.Reason, "the approval policies reject it") {
			t.Errorf("what they reject is %s: %s, %v", now.State, now.Reason, err)
		}
		if _, err := g.act("bob", fourth.ID, "retry"); !fault.Is(err, fault.Conflict) {
			t.Errorf("what was rejected is retried: %v", err)
		}
	})
}

// TestAPolicyThatCantDecideRejectsNothing before a run begins: it fails, and goes on when it is retried with a policy that can.
func TestAPolicyThatCantDecideRejectsNothing(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.rests(g.stack("net", lightInfra, ""))
		if _, err := g.act("admin", g.runsOf("net", "tracked")[0].ID, "discard"); err != nil {
			t.Fatal(err)
		}
		g.policy("first", "approval", `
approve { twice(true) == 1 }
twice(x) = 1 { x }
twice(x) = 2 { x }`, "")
		r, err := client.Post[client.RunDetail](t.Context(), g.as["bob"], "/stacks/default/net/runs", map[string]string{"type": "tracked"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "failed", "policy first can't decide")
		g.policy("first", "approval", `approve { input.run.state == "QUEUED" }`, "")
		if _, err := g.act("bob", r.ID, "retry"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "unconfirmed", "1 to create")
	})
}

// TestWhatIsApprovedBeforeItBeginsIsNotDeployedByItself, with the line that the documentation recommends.
func TestWhatIsApprovedBeforeItBeginsIsNotDeployedByItself(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.policy("two", "approval", `
approve { count(input.reviews.current.approvals) > 1 }
approve { input.run.state == "QUEUED" }`, "")
		g.wantRun(g.rests(g.stack("net", lightInfra, "  autodeploy: true\n")), "unconfirmed", "1 to create")
	})
}
