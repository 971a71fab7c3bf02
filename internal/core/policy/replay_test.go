package policy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestReplayTellsWhatWouldChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("default", "limit", "plan", "package roadbed.plan\ndeny contains \"too many\" if input.n > 10")
		b.attach("payments", "also", "plan", "package roadbed.plan\nwarn contains \"always\"")
		for n := range 20 {
			b.decide("plan", "payments", fmt.Sprintf(`{"n": %d, "padding": %q}`, n, strings.Repeat("x", n*500)))
			b.decide("plan", "search", fmt.Sprintf(`{"n": %d}`, n))
		}
		b.decide("deploy", "payments", `{"n": 100}`)
		replay := func(ctx context.Context, c policy.Candidate) policy.Replayed {
			t.Helper()
			r, err := b.s.Replay(ctx, c, policy.Filter{}, "")
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		same := replay(system(), policy.Candidate{Policy: "limit"})
		if same.Examined != 40 || len(same.Changed) != 0 || same.Failed+same.Skipped != 0 {
			t.Errorf("the same policy over its own history: %+v", same)
		}
		stricter := "package roadbed.plan\ndeny contains \"too many\" if input.n > 7"
		r := replay(system(), policy.Candidate{Policy: "policy:default/limit", Rego: stricter})
		if r.Examined != 40 || len(r.Changed) != 6 {
			t.Errorf("a stricter limit changes %d of %d", len(r.Changed), r.Examined)
		}
		for _, c := range r.Changed {
			if len(c.Before["deny"]) != 0 || len(c.After["deny"]) != 1 || c.Decision.Space == "payments" && len(c.After["warn"]) != 1 {
				t.Errorf("from %v to %v", c.Before, c.After)
			}
		}
		further := replay(system(), policy.Candidate{Space: "search", Point: "plan", Rego: "package roadbed.plan\ndeny contains \"odd\" if input.n % 2 == 1"})
		if further.Examined != 20 || len(further.Changed) != 10 {
			t.Errorf("a further policy in search changes %d of %d", len(further.Changed), further.Examined)
		}
		if after, err := b.s.ListDecisions(system(), "run_x"); err != nil || len(after) != 41 {
			t.Errorf("a replay recorded something: %d, %v", len(after), err)
		}

		b.Apply("default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: tester}, spec: {permissions: ['policy:*']}}")
		b.Bind("tester", "search", "user:default/alice")
		b.Bind("reader", "payments", "user:default/alice", "user:default/bob")
		if mine := replay(accesstest.As("alice"), policy.Candidate{Policy: "limit", Rego: stricter}); mine.Examined != 20 || len(mine.Changed) != 3 {
			t.Errorf("alice examines %d, sees %d changes", mine.Examined, len(mine.Changed))
		}
		if _, err := b.s.Replay(accesstest.As("alice"), policy.Candidate{Policy: "also"}, policy.Filter{}, ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("alice replays a policy of payments: %v", err)
		}
		if _, err := b.s.Replay(accesstest.As("bob"), policy.Candidate{Policy: "limit"}, policy.Filter{}, ""); !fault.Is(err, fault.Denied) {
			t.Errorf("bob replays: %v", err)
		}
		if _, err := b.s.Replay(system(), policy.Candidate{Policy: "limit", Rego: "package roadbed.plan\ndeny contains"}, policy.Filter{}, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("a broken candidate: %v", err)
		}
	})
}

// TestReplayTellsWhatAnotherAttachmentWouldChange, and what it would be without the policy.
func TestReplayTellsWhatAnotherAttachmentWouldChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("default", "limit", "plan", "package roadbed.plan\ndeny contains \"too many\" if input.n > 10")
		b.attach("default", "also", "plan", "package roadbed.plan\ndeny contains \"never 20\" if input.n == 20")
		for n, labels := range map[int][]string{5: {"production"}, 15: {"production"}, 20: {"test"}, 25: nil} {
			if _, err := b.s.Decide(system(), "plan", "default", map[string]any{"n": n}, policy.Refs{Run: "run_x", Subject: fmt.Sprintf("stack:default/s%d", n), Labels: labels}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			name     string
			c        policy.Candidate
			examined int
			changed  string // subject → what is denied then
		}{
			{"as it is", policy.Candidate{Policy: "limit"}, 4, ""},
			{"gone", policy.Candidate{Policy: "limit", Gone: true}, 4, "s15: 0, s20: 1, s25: 0"},
			{"by a label", policy.Candidate{Policy: "limit", Attach: &policy.Attach{Labels: []string{"production"}}}, 4, "s20: 1, s25: 0"},
			{"by a stack", policy.Candidate{Policy: "limit", Attach: &policy.Attach{Stacks: []string{"s25"}}}, 4, "s15: 0, s20: 1"},
			{"for all", policy.Candidate{Policy: "limit", Attach: &policy.Attach{}}, 4, ""},
			{"and with another source", policy.Candidate{Policy: "limit", Rego: "package roadbed.plan\ndeny contains \"more\" if input.n > 1", Attach: &policy.Attach{Labels: []string{"production"}}}, 4, "s15: 1, s20: 1, s25: 0, s5: 1"},
			{"a further one", policy.Candidate{Point: "plan", Rego: "package roadbed.plan\ndeny contains \"no\"", Attach: &policy.Attach{Labels: []string{"test"}}}, 1, "s20: 3"},
		} {
			r, err := b.s.Replay(system(), c.c, policy.Filter{}, "")
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var changed []string
			for _, x := range r.Changed {
				changed = append(changed, fmt.Sprintf("%s: %d", strings.TrimPrefix(x.Decision.Subject, "stack:default/"), len(x.After["deny"])))
			}
			slices.Sort(changed)
			if got := strings.Join(changed, ", "); r.Examined != c.examined || got != c.changed || r.Failed+r.Skipped != 0 {
				t.Errorf("%s: of %d it changes %q, want %d and %q", c.name, r.Examined, got, c.examined, c.changed)
			}
		}
		for _, c := range []policy.Candidate{{Gone: true}, {Policy: "limit", Gone: true, Rego: "package roadbed.plan"}, {Policy: "limit", Gone: true, Attach: &policy.Attach{}}, {Policy: "limit", Attach: &policy.Attach{Labels: []string{""}}}} {
			if _, err := b.s.Replay(system(), c, policy.Filter{}, ""); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	})
}

func TestTestsOfPolicies(t *testing.T) {
	t.Parallel()
	b := one(t)
	source := "package roadbed.plan\ndeny contains \"no\" if input.x == 1\ntest_own if true"
	tests := `package roadbed.plan_test

import data.roadbed.plan

test_denies if "no" in plan.deny with input as {"x": 1}

test_fails if "no" in plan.deny with input as {"x": 2}

test_loops if count(numbers.range(1, 100000000000)) == 0

helper := 1`
	results, err := b.s.Test(system(), source, tests)
	if err != nil || len(results) != 4 {
		t.Fatalf("gave %+v, %v", results, err)
	}
	if !results[0].Passed || !results[1].Passed || results[2].Passed || results[2].Error != "" || results[3].Passed || results[3].Error == "" {
		t.Errorf("the results are %+v", results)
	}
	if r := results[2]; r.Name != "roadbed.plan_test.test_fails" || r.Line != 7 {
		t.Errorf("the failing test is %+v", r)
	}
	old := "package spacelift\ndeny[\"no\"] { input.x == 1 }"
	if results, err := b.s.Test(system(), old, "package spacelift\ntest_it { deny[\"no\"] with input as {\"x\": 1} }"); err != nil || !results[0].Passed {
		t.Errorf("old syntax: %+v, %v", results, err)
	}
	_, err = b.s.Test(system(), source, "package x\n\ntest_a if {")
	if details := fault.Details(err); len(details) == 0 || details[0].File != "test_1.rego" {
		t.Errorf("a broken test: %v", err)
	}
	if _, err := b.s.Test(system(), source, "package x\ntest_a if http.send({})"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a test that reaches out: %v", err)
	}
	if _, err := b.s.Test(accesstest.As("alice"), source); !fault.Is(err, fault.Denied) {
		t.Errorf("without a right: %v", err)
	}
	if err := b.s.Check(system(), "plan", source); err != nil {
		t.Errorf("check: %v", err)
	}
}
