package server

import (
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestATargetThatMovesMakesLittleWork has a target of several proposals move: what waits, what was merged by that and the
// newest are looked at by themselves, any other by whoever looks at it.
func TestATargetThatMovesMakesLittleWork(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		d.house.Proposals.Fresh = 1
		dir := d.dir + "/alice/crew/shop"
		waits := d.propose("alice", "waits", map[string]string{"waits.txt": "w\n"})
		for _, text := range []string{"/draft", "/auto-merge"} { // which is in the way of the other
			if got := d.answered(waits.Number, d.say("alice", waits.Number, map[string]any{"body": text})); len(got) != 1 {
				t.Fatalf("%s: %q", text, got)
			}
		}
		clash := d.propose("alice", "clash", map[string]string{"a.txt": "uno\ntwo\nthree\n"})
		pushed := d.propose("alice", "pushed", map[string]string{"pushed.txt": "p\n"})
		newest := d.propose("alice", "newest", map[string]string{"newest.txt": "n\n"})
		listed := func(number int) (found client.ProposalLine) {
			t.Helper()
			all, err := client.All[client.ProposalLine](t.Context(), d.admin, "/proposals", nil)
			i := slices.IndexFunc(all, func(p client.ProposalLine) bool { return p.Number == number })
			if err != nil || i < 0 {
				t.Fatalf("%d is not in %+v, %v", number, all, err)
			}
			return all[i]
		}
		becomes := func(number int, what string, ok func(p client.ProposalLine) bool) {
			t.Helper()
			if err := within(t, func() (bool, error) { return ok(listed(number)), nil }); err != nil {
				t.Fatalf("%s: %v, it is %+v", what, err, listed(number))
			}
		}
		d.do("alice", dir, "switch", "--quiet", "main")
		d.push("alice", "crew/shop", map[string]string{"a.txt": "ein\ntwo\nthree\n"})
		becomes(newest.Number, "the newest", func(p client.ProposalLine) bool { return p.Behind == 1 && !p.Stale })
		becomes(waits.Number, "what waits to be merged", func(p client.ProposalLine) bool { return p.Behind == 1 && !p.Stale })
		if p := listed(clash.Number); !p.Stale || p.Behind != 0 || len(p.Conflicts) != 0 {
			t.Errorf("nobody looked, and it is %+v", p)
		}
		if p := d.get(clash.Number); p.Stale || p.Behind != 1 || !slices.Equal(p.Conflicts, []string{"a.txt"}) || !slices.Contains(kinds(p), "conflicts") {
			t.Errorf("who looks sees %+v", p)
		}
		if p := listed(clash.Number); p.Stale || p.Behind != 1 {
			t.Errorf("after a look it is %+v", p)
		}
		d.do("alice", dir, "merge", "--quiet", "--no-ff", "--message", "by hand", "pushed")
		d.do("alice", dir, "push", "--quiet", "origin", "main")
		becomes(pushed.Number, "what was merged by a push", func(p client.ProposalLine) bool { return p.State == "merged" && p.MergeWay == "push" })
		// What waits is merged by itself into where its target is by now.
		if got := d.answered(waits.Number, d.say("alice", waits.Number, map[string]any{"body": "/ready"})); len(got) != 1 {
			t.Fatalf("ready: %q", got)
		}
		becomes(waits.Number, "what waited", func(p client.ProposalLine) bool { return p.State == "merged" })
		if p, err := d.merge("alice", newest.Number, map[string]any{}); err != nil || p.State != "merged" {
			t.Errorf("a stale one is merged: %+v, %v", p, err)
		}
	})
}
