package tfe

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// known are the statuses that clients know, of those that we use.
var known = []string{"pending", "plan_queued", "planning", "planned", "confirmed", "applying", "planned_and_finished", "applied", "errored", "discarded", "canceled"}

// TestARunIsOfTheStatusByWhichItIsFound: whatever it is, of each state, exactly one filter finds it, by the word that it is shown with.
func TestARunIsOfTheStatusByWhichItIsFound(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"queued": "pending", "ready": "plan_queued", "planning": "planning", "judging": "planning", "replan_requested": "planning", "unconfirmed": "planned",
		"pending_review": "planned_and_finished", "confirmed": "confirmed", "applying": "applying", "performing": "applying", "failed": "errored", "discarded": "discarded", "canceled": "canceled",
	}
	var words []string
	for _, s := range statuses {
		words = append(words, s.name)
	}
	if !slices.Equal(slices.Sorted(slices.Values(words)), slices.Sorted(slices.Values(known))) {
		t.Errorf("the statuses are %q", words)
	}
	for state, s := range stack.Kind().States {
		for _, kind := range []string{stack.Tracked, stack.Proposed, stack.Destroy, stack.Drift, stack.Task, ""} {
			for _, changes := range []string{"", `{"summary":{"create":1}}`, `{"summary":{"noop":1}}`, `{"summary":{"create":1},"plan":7}`} {
				for _, canceled := range []bool{false, true} {
					in, err := json.Marshal(stack.Input{Type: kind})
					if err != nil {
						t.Fatal(err)
					}
					if kind == "" {
						in = []byte(`{"type":"proposed","stack":7}`) // which can't be read
					}
					r := run.Run{State: state, Terminal: s.Terminal, CancelRequested: canceled, Input: in, Output: []byte(changes)}
					got := statusOf(r)
					expected := want[state]
					switch {
					case canceled && !s.Terminal && slices.Contains([]string{"confirmed", "applying", "performing"}, state):
						expected = "applying"
					case canceled && !s.Terminal:
						expected = "planning"
					case state == "finished" && kind == stack.Task:
						expected = "applied"
					case state == "finished" && changes == `{"summary":{"create":1}}` && kind != stack.Proposed && kind != stack.Drift:
						expected = "applied"
					case state == "finished":
						expected = "planned_and_finished"
					}
					if got != expected {
						t.Errorf("a %s run that is %s (to be canceled: %t, %s) is called %s, want %s", kind, state, canceled, changes, got, expected)
					}
					for _, word := range append(words, "finished", "queued", "performing", "policy_checked", "") {
						found := slices.ContainsFunc(choices(word), func(c run.Choice) bool { return c.Fits(r.State, stack.MarksOf(r)) })
						if found != (word == got) {
							t.Errorf("a %s run that is %s (to be canceled: %t, %s) and called %s is found by %s: %t", kind, state, canceled, changes, got, word, found)
						}
					}
					plans := slices.ContainsFunc(operation("plan_only"), func(c run.Choice) bool { return c.Fits(r.State, stack.MarksOf(r)) })
					applies := slices.ContainsFunc(operation("plan_and_apply"), func(c run.Choice) bool { return c.Fits(r.State, stack.MarksOf(r)) })
					if only := inputOf(r).OnlyPlans(); plans != only || applies == only {
						t.Errorf("a %s run, which only plans: %t, is found as one that does: %t, as another: %t", kind, only, plans, applies)
					}
				}
			}
		}
	}
}
