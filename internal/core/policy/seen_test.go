package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

// TestWhatIsSeenHasNothingSensitive and leaves what it was given as it is.
func TestWhatIsSeenHasNothingSensitive(t *testing.T) {
	t.Parallel()
	given := map[string]any{"change": map[string]any{"after": map[string]any{"password": "hunter2", "name": "open"}, "after_sensitive": map[string]any{"password": true}}}
	seen, err := policy.Seen(given)
	if text := fmt.Sprint(seen); err != nil || strings.Contains(text, "hunter2") || !strings.Contains(text, "open") {
		t.Errorf("seen is %s, %v", text, err)
	}
	if !strings.Contains(fmt.Sprint(given), "hunter2") {
		t.Error("what was given is changed")
	}
}

// TestManyPoliciesOfASpaceKeepNoneAboveFromBeingAsked though there are more than one decision asks.
func TestManyPoliciesOfASpaceKeepNoneAboveFromBeingAsked(t *testing.T) {
	t.Parallel()
	b := one(t)
	for i := range 100 {
		b.attach("payments", fmt.Sprintf("a-%d", i), "notification", "package roadbed.notification\ninbox contains {\"title\": \"low\"}")
	}
	b.attach("default", "z", "notification", "package roadbed.notification\ninbox contains {\"title\": \"root\"}")
	broken := 0
	for _, v := range b.decide("notification", "payments", `{"x": 1}`).Votes {
		if v.Error == "" {
			continue
		}
		if broken++; v.Space != "payments" || v.Policy == "policy:default/z" {
			t.Errorf("%s of %s is not asked: %s", v.Policy, v.Space, v.Error)
		}
	}
	if broken != 1 {
		t.Errorf("%d are not asked", broken)
	}
}
