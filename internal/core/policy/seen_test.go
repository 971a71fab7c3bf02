package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

// TestSlowPoliciesOfASpaceKeepNoneAboveFromBeingAsked though their names come first; the votes are in the order of names.
func TestSlowPoliciesOfASpaceKeepNoneAboveFromBeingAsked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("default", "z", "plan", "package roadbed.plan\ndeny contains \"root says no\"")
		b.decide("plan", "default", `{"x": 1}`) // compiles it
		for i := range 3 {
			b.attach("payments", fmt.Sprintf("a-%d", i), "plan", "package roadbed.plan\ndeny contains \"x\" if { r := numbers.range(1, 3000); count([1 | some a in r; some b in r; some c in r; a + b + c == 0]) > 0 }")
		}
		b.s.Budget(time.Second)
		var names, failed []string
		d := b.decide("plan", "payments", `{"x": 1}`)
		for _, v := range d.Votes {
			names = append(names, strings.TrimPrefix(v.Policy, "policy:default/"))
			if v.Error != "" {
				failed = append(failed, v.Error)
			}
		}
		if strings.Join(names, " ") != "a-0 a-1 a-2 z" {
			t.Errorf("the votes are of %v", names)
		}
		if len(failed) != 3 || !strings.Contains(failed[2], "took longer than 1s together") {
			t.Errorf("what could not be asked: %q", failed)
		}
		if last := d.Votes[3]; last.Error != "" || strings.Join(last.Says["deny"], "") != "root says no" {
			t.Errorf("the root's policy says %+v", last)
		}
	})
}
