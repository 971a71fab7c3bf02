package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
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

// twoGates waits for two things at once.
const twoGates = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: gates}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: staging, template: gate}
          - {name: production, template: gate}
    - name: gate
      suspend: {}
`

// slowGate works before it waits.
const slowGate = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: slow}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: work, template: work}
        - - {name: gate, template: gate}
    - name: work
      container: {image: busybox, command: [sleep, "3600"]}
    - name: gate
      suspend: {}
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

		// What is said of one thing that waits counts for nothing else, and before anything waits for nothing.
		both := submit(twoGates)
		early, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"document": slowGate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.act("alice", early.ID, "approve"); !fault.Is(err, fault.Conflict) {
			t.Errorf("an approval before anything waits: %v", err)
		}
		if _, err := g.act("alice", early.ID, "cancel"); err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, early.ID, ended)
		node := func(who, node string) error {
			p, err := g.house.Identity.Authenticate(t.Context(), g.as[who].Token)
			if err != nil {
				t.Fatal(err)
			}
			return g.house.Workflows.Resume(actor.With(t.Context(), p), both, node, "")
		}
		if err := node("alice", "main[0].staging"); !fault.Is(err, fault.Denied) {
			t.Errorf("the first of two for staging: %v", err)
		}
		if err := node("bob", "main[0].production"); !fault.Is(err, fault.Denied) {
			t.Errorf("the first of two for production: %v", err)
		}
		if err := node("bob", "main[0].staging"); err != nil {
			t.Errorf("the second for staging: %v", err)
		}
		if err := node("alice", ""); err != nil { // production is all that waits now
			t.Errorf("the second for production: %v", err)
		}
		g.wantRun(until(t, g.admin, both, ended), "succeeded", "")

		forbidden := submit(strings.ReplaceAll(waiting, "ask", "forbidden"))
		if _, err := g.act("bob", forbidden, "approve"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "an approval policy says no") {
			t.Errorf("what a policy forbids: %v", err)
		}
		if _, err := g.act("bob", forbidden, "reject"); err != nil {
			t.Errorf("to reject asks no policy: %v", err)
		}
		if err := g.try("admin", strings.ReplaceAll(strings.ReplaceAll(twoApprove, "point: approval", "point: breakfast"), "two-for-workflows", "breakfast")); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "something is asked at approval, deploy, initialization") {
			t.Errorf("a policy at a point where nothing is asked: %v", err)
		}
	})
}
