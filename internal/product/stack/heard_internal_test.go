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

// TestADenySilencesItsSpaceAndBelow and no policy above it.
func TestADenySilencesItsSpaceAndBelow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ deny, broken, want string }{
		{"", "", "default a b"},
		{"b", "", "default a"},
		{"", "a", "default"},
		{"default", "", ""},
		{"a", "b", "default"},
	} {
		d := policy.Decision{Votes: []policy.Vote{{Policy: "policy:default/moved", Space: "elsewhere"}}}
		for _, space := range []string{"default", "a", "b"} {
			v := policy.Vote{Policy: "policy:default/p", Space: space}
			if space == c.deny {
				v.Says = map[string][]string{"deny": {"no"}}
			}
			if space == c.broken {
				v.Error = "it took too long"
			}
			d.Votes = append(d.Votes, v)
		}
		var got []string
		for _, v := range heard(d, []string{"b", "a", "default"}).Votes {
			got = append(got, v.Space)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: heard are %v", c, got)
		}
	}
}

// giving is a vote of a policy of a space that gives so many things by a rule, and one of them twice.
func giving(space, name, rule string, count int) policy.Vote {
	items := []string{`{"n":0}`}
	for i := range count {
		items = append(items, fmt.Sprintf(`{"n":%d}`, i))
	}
	return policy.Vote{Policy: "policy:default/" + name, Space: space, Gives: map[string]json.RawMessage{rule: json.RawMessage("[" + strings.Join(items, ",") + "]")}}
}

// TestNoPolicyCrowdsOutAnother of its space, and no space another; what is left out is told.
func TestNoPolicyCrowdsOutAnother(t *testing.T) {
	t.Parallel()
	up := []string{"lab", "payments", "default"}
	var d policy.Decision
	for i := range 90 {
		d.Votes = append(d.Votes, giving("lab", fmt.Sprintf("a-%d", i), "webhook", 50))
	}
	d.Votes = append(d.Votes, giving("lab", "quiet", "inbox", 1), giving("payments", "own", "slack", 5))
	for i := range 10 {
		d.Votes = append(d.Votes, giving("default", fmt.Sprintf("z-%d", i), "inbox", 20))
	}
	kept, left := allot(d, up)
	of, spaces := map[string]int{}, map[string]int{}
	for _, n := range kept {
		of[strings.TrimPrefix(n.Policy, "policy:default/")]++
		spaces[n.space]++
	}
	if len(kept) != mostTold || spaces["payments"] != 5 || spaces["default"] < 95 || spaces["lab"] < 95 || of["quiet"] != 1 || of["a-0"] < 1 || of["a-89"] < 1 || of["z-9"] < 9 {
		t.Errorf("kept are %v of the spaces, %v of the policies", spaces, of)
	}
	if kept[0].space != "default" || kept[1].space != "payments" || kept[2].space != "lab" {
		t.Errorf("first come %s, %s, %s", kept[0].space, kept[1].space, kept[2].space)
	}
	count := 0
	for _, o := range left {
		count += o.count
	}
	if want := 90*50 + 1 + 5 + 10*20 - mostTold; count != want {
		t.Errorf("%d are left out, want %d", count, want)
	}

	alone := policy.Decision{Votes: []policy.Vote{giving("lab", "a", "slack", 50)}}
	kept, left = allot(alone, up)
	if len(kept) != mostNotices || kept[mostNotices-1].index != mostNotices-1 || len(left) != 1 {
		t.Fatalf("of one policy %d are kept, left out %v", len(kept), left)
	}
	entries, err := leftOut(Message{Run: "run_1", Space: "default", Subject: "stack:default/net"}, left)
	if err != nil || len(entries) != 1 || entries[0].Type != "stack.message-refused" || entries[0].Subject != "run_1" {
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
