package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// twoApprove is an approval policy for workflows.
const twoApprove = `apiVersion: roadbed.dev/v1
kind: Policy
metadata: {name: two-for-workflows}
spec:
  point: approval
  rego: |
    package roadbed.approval
    approve if not input.workflow
    approve if count(input.reviews.current.approvals) > 1
    deny contains "nobody resumes that" if {
      some wait in input.workflow.waits
      contains(wait, "forbidden")
    }
`

// TestApprovalPoliciesAreAskedOfWorkflowsThatWait resumes one by itself, then under a policy that wants two people.
func TestApprovalPoliciesAreAskedOfWorkflowsThatWait(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		submit := func(document string) string {
			t.Helper()
			r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"document": document})
			if err != nil {
				t.Fatal(err)
			}
			g.wantRun(g.rests(r.ID), "waiting", "")
			return r.ID
		}
		alone := submit(waiting)
		if _, err := g.act("alice", alone, "approve"); err != nil {
			t.Errorf("without a policy of its own a workflow isn't resumed by who began it: %v", err)
		}
		g.wantRun(until(t, g.admin, alone, ended), "succeeded", "")

		g.apply(twoApprove)
		two := submit(waiting)
		for range 2 { // one person counts once
			if _, err := g.act("alice", two, "approve"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "your approval counts, but: the approval policies") {
				t.Errorf("one approval: %v", err)
			}
		}
		if _, err := g.act("bob", two, "approve"); err != nil {
			t.Errorf("the second: %v", err)
		}
		g.wantRun(until(t, g.admin, two, ended), "succeeded", "")

		forbidden := submit(strings.ReplaceAll(waiting, "ask", "forbidden"))
		if _, err := g.act("bob", forbidden, "approve"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "an approval policy says no") {
			t.Errorf("what a policy forbids: %v", err)
		}
		if _, err := g.act("bob", forbidden, "reject"); err != nil {
			t.Errorf("to reject asks no policy: %v", err)
		}
		if err := g.try("admin", strings.ReplaceAll(strings.ReplaceAll(twoApprove, "point: approval", "point: login"), "two-for-workflows", "login")); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "something is asked at approval, deploy, plan") {
			t.Errorf("a policy at a point where nothing is asked: %v", err)
		}
	})
}
