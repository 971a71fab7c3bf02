package stack

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// TestADenySilencesItsSpaceAndBelow and no policy above it; spaces are named by their paths here.
func TestADenySilencesItsSpaceAndBelow(t *testing.T) {
	t.Parallel()
	within := func(space, root string) (bool, error) { return strings.HasPrefix(space+"/", root+"/"), nil }
	for _, c := range []struct{ deny, broken, want string }{
		{"", "", "root root/a root/a/b"},
		{"root/a/b", "", "root root/a"},
		{"", "root/a", "root"},
		{"root", "", ""},
		{"root/a", "root/a/b", "root"},
	} {
		var d policy.Decision
		for _, space := range []string{"root/a/b", "root/a", "root"} {
			v := policy.Vote{Policy: "policy:default/p", Space: space}
			if space == c.deny {
				v.Says = map[string][]string{"deny": {"no"}}
			}
			if space == c.broken {
				v.Error = "it took too long"
			}
			d.Votes = append([]policy.Vote{v}, d.Votes...)
		}
		d, err := heard(d, within)
		var got []string
		for _, v := range d.Votes {
			got = append(got, v.Space)
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%+v: heard are %v, %v", c, got, err)
		}
	}
}

// TestNoPolicyCrowdsOutAnother and what is left out is told.
func TestNoPolicyCrowdsOutAnother(t *testing.T) {
	t.Parallel()
	var given []policy.Given
	for i := range 50 {
		given = append(given, policy.Given{Policy: "policy:default/a", Value: i})
	}
	given = append(given, policy.Given{Policy: "policy:default/z", Value: "root's"})
	kept, left := perPolicy(given)
	if len(kept) != mostNotices+1 || kept[mostNotices].Value != "root's" || fmt.Sprint(left) != "[{policy:default/a 30}]" {
		t.Fatalf("kept are %d, left out %v", len(kept), left)
	}
	entries, err := leftOut(Message{Run: "run_1", Space: "default"}, "slack", left)
	if err != nil || len(entries) != 1 || entries[0].Type != "stack.message-refused" {
		t.Fatalf("the entries are %+v, %v", entries, err)
	}
	var said struct{ Policy, Rule, Reason string }
	if err := json.Unmarshal(entries[0].Data, &said); err != nil || said.Policy != "policy:default/a" || said.Rule != "slack" || !strings.Contains(said.Reason, "30 more are left out") {
		t.Errorf("it says %+v, %v", said, err)
	}
}

// TestAnEntryIsToldOnce however often its policies are asked.
func TestAnEntryIsToldOnce(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, rule := range []string{"webhook", "slack", "webhook"} {
		keys[messageKey("e", "p", rule, 1)] = true
	}
	if len(keys) != 2 {
		t.Errorf("the keys are %v", keys)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := &Service{Deps: Deps{DB: db}}
		now := time.Now()
		mark := func(entry string, at time.Time) (first bool) {
			t.Helper()
			if err := db.Write(t.Context(), func(tx *store.Tx) (err error) { first, err = markTold(t.Context(), tx, entry, at); return err }); err != nil {
				t.Fatal(err)
			}
			return first
		}
		if done, err := s.isTold(t.Context(), "a"); err != nil || done {
			t.Errorf("before: %v, %v", done, err)
		}
		if !mark("a", now) || mark("a", now) {
			t.Error("it is told not once")
		}
		if done, err := s.isTold(t.Context(), "a"); err != nil || !done {
			t.Errorf("after: %v, %v", done, err)
		}
		mark("b", now.Add(keepTold+time.Hour))
		if done, err := s.isTold(t.Context(), "a"); err != nil || done {
			t.Errorf("it is kept for ever: %v, %v", done, err)
		}
	}, Migrations())
}
