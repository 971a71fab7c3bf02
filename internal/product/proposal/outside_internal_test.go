package proposal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

func TestAForgesWordBecomesAProposalsState(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	there := func(change func(*forge.Proposal)) told {
		p := forge.Proposal{
			Number: 7, Title: "Change a", Body: "because", State: forge.StateOpen, Author: forge.Person{Login: "ann"},
			Source: forge.Side{Repository: "acme/shop", Branch: "feature", Commit: "h1"}, Target: forge.Side{Repository: "acme/shop", Branch: "main"},
			URL: "https://forge.example/acme/shop/pull/7", Ref: "refs/pull/7/head", Created: now.Add(-time.Hour), Updated: now.Add(-time.Minute),
		}
		if change != nil {
			change(&p)
		}
		return told{proposal: p, people: map[string]string{"ann": "pri_ann"}, base: "b1", standing: git.Standing{Base: "b0", Ahead: 1}}
	}
	known, entries := there(nil).state(Proposal{}, now)
	if len(entries) != 1 || entries[0].kind != "proposal.opened" || known.Number != 7 || known.Author != "pri_ann" || known.Source != "feature" ||
		known.Head != "h1" || known.Base != "b1" || known.Standing.Ahead != 1 || !known.Created.Equal(now.Add(-time.Hour)) || known.There.URL == "" {
		t.Errorf("a new one is %+v with %v", known, entries)
	}
	for _, c := range []struct {
		name   string
		change func(*forge.Proposal)
		want   []string
		state  string
	}{
		{"nothing", nil, nil, Open},
		{"words", func(p *forge.Proposal) { p.Title, p.Draft = "Other", true }, []string{"proposal.edited"}, Open},
		{"a label", func(p *forge.Proposal) { p.Labels = []string{"deploy"} }, []string{"proposal.edited"}, Open},
		{"push", func(p *forge.Proposal) { p.Source.Commit = "h2" }, []string{"proposal.pushed"}, Open},
		{"push and merge", func(p *forge.Proposal) { p.Source.Commit, p.State, p.MergeCommit = "h2", forge.StateMerged, "m" }, []string{"proposal.pushed", "proposal.merged"}, Merged},
		{"close", func(p *forge.Proposal) { p.State = forge.StateClosed }, []string{"proposal.closed"}, Closed},
		{"a head that the forge does not tell", func(p *forge.Proposal) { p.Source.Commit = "" }, nil, Open},
	} {
		next, entries := there(c.change).state(known, now)
		var kinds []string
		for _, e := range entries {
			kinds = append(kinds, e.kind)
		}
		if !slices.Equal(kinds, c.want) || next.State != c.state {
			t.Errorf("%s: %v, it is %s", c.name, kinds, next.State)
		}
		again, entries := there(c.change).state(next, now)
		if len(entries) != 0 || !sameThere(next, again) {
			t.Errorf("%s: told again it is %+v with %v", c.name, again, entries)
		}
	}
	closed, _ := there(func(p *forge.Proposal) { p.State = forge.StateClosed }).state(known, now)
	if again, entries := there(nil).state(closed, now); again.State != Open || !again.Ended.IsZero() || len(entries) != 1 || entries[0].kind != "proposal.reopened" {
		t.Errorf("opened again it is %+v with %v", again, entries)
	}
	if late, entries := there(func(p *forge.Proposal) { p.State, p.MergeCommit = forge.StateMerged, "m" }).state(Proposal{}, now); late.State != Merged || len(entries) != 2 || late.Merge != "m" {
		t.Errorf("one that was merged before it was heard of is %+v with %v", late, entries)
	}
	fork, _ := there(func(p *forge.Proposal) { p.Source.Repository = "mallory/shop" }).state(Proposal{}, now)
	gone, _ := there(func(p *forge.Proposal) { p.Source.Repository = "" }).state(Proposal{}, now)
	if fork.Source != "mallory:feature" || gone.Source != "gone:feature" {
		t.Errorf("of forks: %s, %s", fork.Source, gone.Source)
	}
	wild, _ := there(func(p *forge.Proposal) {
		p.Title, p.Body, p.URL = "a\nb\x00\xff"+strings.Repeat("x", 1000), "\x00\xffc", "javascript:alert(1)"
	}).state(Proposal{}, now)
	if err := checkTexts(wild); err != nil || wild.There.URL != "" {
		t.Errorf("what a forge may say is not taken as it is: %v, %q", err, wild.There.URL)
	}
}

func TestWhoseVerdictsCount(t *testing.T) {
	t.Parallel()
	f := Facts{
		Proposal: Proposal{State: Open, Head: "h", Standing: git.Standing{Base: "b", Ahead: 1}, There: &There{}},
		Demand:   Demand{Approvals: 1},
		Reviews:  []Review{{Author: "", Login: "stranger", Verdict: Approved, Head: "h"}, {Author: "reader", Verdict: Approved, Head: "h"}, {Author: "writer", Verdict: Approved, Head: "h"}},
		Mute:     []string{"reader"}, Authors: []string{"writer"},
	}
	if in := blockers(f); len(in) != 1 || in[0].Kind != BlockedApprovals {
		t.Errorf("with words that don't count: %v", in)
	}
	f.Authors = nil
	if in := blockers(f); len(in) != 0 {
		t.Errorf("with one that counts: %v", in)
	}
	f.Proposal.There.Mergeable = forge.MergeBlocked
	if in := blockers(f); len(in) != 1 || in[0].Kind != BlockedForge {
		t.Errorf("where the forge's rules are in the way: %v", in)
	}
}
