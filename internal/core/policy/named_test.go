package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// TestPoliciesSeePeopleByTheirLogins, as those that were written for Spacelift do; what is recorded has their ids alone.
func TestPoliciesSeePeopleByTheirLogins(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		id := func() string { return ref.NewID(ref.Principal, time.Now()) }
		eve, ann, robot, gone := id(), id(), id(), id()
		people := map[string]policy.Person{eve: {Login: "eve", Name: "Eve"}, ann: {Login: "user:forge/ann"}, robot: {Login: "machine:default/robot"}}
		var asked []string
		var broken error
		b.s.Names(func(_ context.Context, ids []string) (map[string]policy.Person, error) {
			asked = ids
			return people, broken
		})
		b.attach("payments", "people", "approval", `package spacelift
deny[text] { who := input.who[_]; text := sprintf("%s (%v)", [who.login, object.get(who, "name", null)]) }
deny[text] { text := sprintf("by %s for %s and %s", [concat(", ", input.run.authors), input.run.triggered_by, input.stack.locked_by]) }
warn[input.terraform.author] { true }
warn[input.third_party_metadata.tool.login] { true }
warn[input.run.changes[0].author] { true }
warn[input.run.id] { true }`)
		input := map[string]any{
			"who":       []any{map[string]any{"login": eve, "name": ""}, map[string]any{"login": gone, "name": ""}, map[string]any{"login": robot, "name": "kept"}, map[string]any{"login": "eve"}},
			"run":       map[string]any{"id": ann, "authors": []string{eve, ann, "unknown"}, "triggered_by": eve, "changes": []any{map[string]any{"author": eve}}},
			"stack":     map[string]any{"locked_by": robot},
			"terraform": map[string]any{"author": eve}, "third_party_metadata": map[string]any{"tool": map[string]any{"login": ann}},
		}
		d := b.decide("approval", "payments", input)
		expected := []string{"by eve, user:forge/ann, unknown for eve and machine:default/robot", "eve (Eve)", "eve (null)", gone + " ()", "machine:default/robot (kept)"}
		if slices.Sort(expected); !slices.Equal(d.Outcome["deny"], expected) {
			t.Errorf("they say %q, want %q", d.Outcome["deny"], expected)
		}
		if same := []string{eve, ann}; len(d.Outcome["warn"]) != 2 || !slices.Contains(d.Outcome["warn"], same[0]) || !slices.Contains(d.Outcome["warn"], same[1]) {
			t.Errorf("of what is somebody else's they see %q", d.Outcome["warn"])
		}
		for _, who := range []string{eve, ann, robot, gone} {
			if !slices.Contains(asked, who) {
				t.Errorf("%s is not asked about: %v", who, asked)
			}
		}
		_, kept, err := b.s.GetDecision(system(), d.ID)
		if text := string(kept); err != nil || !strings.Contains(text, eve) || strings.Contains(text, "Eve") || strings.Contains(text, "robot") {
			t.Errorf("what is kept is %s, %v", text, err)
		}

		// A replay asks about them anew: nobody has a new name, so that nothing is decided otherwise.
		again, err := b.s.Replay(system(), policy.Candidate{Policy: "people"}, policy.Filter{}, "")
		if err != nil || again.Examined != 1 || len(again.Changed) != 0 {
			t.Errorf("again: %+v, %v", again, err)
		}
		crowd := make([]string, 10_001)
		for i := range crowd {
			crowd[i] = id()
		}
		if _, err := b.s.Decide(system(), "approval", "payments", map[string]any{"run": map[string]any{"authors": crowd}}, policy.Refs{}); !fault.Is(err, fault.TooLarge) {
			t.Errorf("of too many people: %v", err)
		}
		broken = fault.Errorf(fault.Unavailable, "the database is away")
		if _, err := b.s.Decide(system(), "approval", "payments", input, policy.Refs{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("where nobody can be read: %v", err)
		}
	})
}
