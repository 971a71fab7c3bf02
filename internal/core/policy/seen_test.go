package policy_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
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

// TestAPolicyThatCanNotDecideIsToldInItsSpace so that who owns it learns of it, wherever it was asked.
func TestAPolicyThatCanNotDecideIsToldInItsSpace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("default", "torn", "approval", "package roadbed.approval\napprove := x if x := input.all[_]")
		b.attach("payments", "fine", "approval", "package roadbed.approval\napprove if true")
		d := b.decide("approval", "payments", `{"all": [1, 2]}`)
		if _, err := ledger.New(b.db, time.Now, slog.New(slog.DiscardHandler)).Seal(system()); err != nil {
			t.Fatal(err)
		}
		var told []string
		err := b.db.Read(system(), func(tx *store.Tx) error {
			rows, err := tx.Query(system(), "SELECT space, subject, data FROM ledger_entries WHERE type = 'policy.failed'")
			told, err = store.Collect(rows, err, func(row store.Row) (string, error) {
				var space, subject, data string
				err := row.Scan(&space, &subject, &data)
				return space + " " + subject + " " + data, err
			})
			return err
		})
		if err != nil || len(told) != 1 || !strings.HasPrefix(told[0], "default policy:default/torn ") || !strings.Contains(told[0], d.ID) || !strings.Contains(told[0], `"reason":"line 2`) {
			t.Errorf("told is %q, %v", told, err)
		}
	})
}

// TestManyBrokenPoliciesOfASpaceKeepNoneAboveFromBeingTold though only so many of a space are, and their names come first.
func TestManyBrokenPoliciesOfASpaceKeepNoneAboveFromBeingTold(t *testing.T) {
	t.Parallel()
	b := one(t)
	const torn = "package roadbed.approval\napprove := x if x := input.all[_]"
	for i := range 12 {
		b.attach("payments", fmt.Sprintf("a-%d", i), "approval", torn)
	}
	b.attach("default", "z", "approval", torn)
	b.decide("approval", "payments", `{"all": [1, 2]}`)
	told := map[string]int{}
	err := b.db.Read(system(), func(tx *store.Tx) error {
		rows, err := tx.Query(system(), "SELECT space FROM ledger_entries WHERE type = 'policy.failed'")
		all, err := store.Collect(rows, err, func(row store.Row) (space string, err error) { return space, row.Scan(&space) })
		for _, space := range all {
			told[space]++
		}
		return err
	})
	if err != nil || told["payments"] != 10 || told["default"] != 1 {
		t.Errorf("told are %v, %v", told, err)
	}
}

// TestTheFirstOfWhatPoliciesGive each once, and how much more there is.
func TestTheFirstOfWhatPoliciesGive(t *testing.T) {
	t.Parallel()
	d := policy.Decision{Votes: []policy.Vote{
		{Policy: "policy:default/list", Gives: map[string]json.RawMessage{"inbox": json.RawMessage(`[{"a":1},{"a":1},{"a":2},{"a":3},{"a":4}]`)}},
		{Policy: "policy:default/one", Gives: map[string]json.RawMessage{"inbox": json.RawMessage(`{"a":1}`)}},
		{Policy: "policy:default/none"},
	}}
	all, more := d.First("inbox", 2)
	if fmt.Sprint(all) != "[{policy:default/list map[a:1]} {policy:default/list map[a:2]} {policy:default/one map[a:1]}]" || fmt.Sprint(more) != "map[policy:default/list:2]" {
		t.Errorf("the first are %v, and more %v", all, more)
	}
}
