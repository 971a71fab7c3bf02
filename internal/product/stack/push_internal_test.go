package stack

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

// TestWhatAPushDecisionMeans follows Spacelift's order: ignore, track, propose, and nothing where nothing is said.
func TestWhatAPushDecisionMeans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, holds string
		kind        string
		fail        bool
		message     string
	}{
		{"nothing", "", "", false, ""},
		{"track", "track", Tracked, false, ""},
		{"propose", "propose", Proposed, false, ""},
		{"both", "track propose", Tracked, false, ""},
		{"ignored", "track propose ignore", "", false, ""},
		{"only previews", "track propose ignore_track", Proposed, false, ""},
		{"only previews, of none", "track ignore_track", "", false, ""},
		{"only the commit", "track notrigger", "", false, ""},
		{"a preview is triggered", "propose notrigger", Proposed, false, ""},
		{"a failure", "fail", "", true, ""},
		{"denied", "track deny", "", true, "a push policy denies: deny"},
	} {
		d := policy.Decision{ID: "dec_x", Outcome: map[string][]string{}}
		for _, rule := range strings.Fields(c.holds) {
			d.Outcome[rule] = []string{rule}
		}
		if e := effectBy(d); e.kind() != c.kind || e.Fail != c.fail || e.Message != c.message || e.Decision != "dec_x" {
			t.Errorf("%s: %+v starts %q", c.name, e, e.kind())
		}
	}
	gives := func(text string) json.RawMessage { return json.RawMessage(text) }
	d := policy.Decision{Outcome: map[string][]string{"track": {"x"}}, Votes: []policy.Vote{
		{Policy: "a", Gives: map[string]json.RawMessage{"cancel": gives(`["run_2", "run_1"]`), "message": gives(`"one"`), "lock": gives(`"mine"`)}},
		{Policy: "b", Gives: map[string]json.RawMessage{"cancel": gives(`["run_1"]`), "message": gives(`["two"]`), "unlock": gives(`"yours"`)}},
	}}
	e := effectBy(d)
	if !slices.Equal(e.Cancel, []string{"run_1", "run_2"}) || e.Message != "one; two" || e.Lock != "mine" || e.Unlock != "yours" || e.kind() != Tracked {
		t.Errorf("two policies give %+v", e)
	}
	d.Votes = append(d.Votes, policy.Vote{Policy: "c", Gives: map[string]json.RawMessage{"external_dependency": gives(`["image"]`)}})
	if e := effectBy(d); e.kind() != Tracked || !slices.Equal(e.Wait, []string{"image"}) {
		t.Errorf("it starts %q, and waits for %q", e.kind(), e.Wait)
	}
	for _, bad := range []string{`["image", " "]`, `["` + strings.Repeat("x", externalBytes+1) + `"]`, `["a\nb"]`} {
		d.Votes[len(d.Votes)-1].Gives["external_dependency"] = gives(bad)
		if e := effectBy(d); e.kind() != "" || !strings.Contains(e.Message, "names the external dependency") {
			t.Errorf("with %.30s it starts %q, and says %q", bad, e.kind(), e.Message)
		}
	}
}

func TestTeamsAreGroupsByReferenceAndByName(t *testing.T) {
	t.Parallel()
	got := teams([]string{"group:default/crew", "group:payments/crew"})
	if !slices.Equal(got, []string{"group:default/crew", "crew", "group:payments/crew"}) {
		t.Errorf("teams are %v", got)
	}
}
