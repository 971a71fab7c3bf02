package forgetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// change makes a repository with main and a branch that changes it.
func (b *bench) change() (w *work, base, head string) {
	b.t.Helper()
	r := b.repository()
	w = b.clone(r.Name)
	base = w.commit("main", "first", map[string]string{"a.txt": "one\ntwo\nthree\n", "b.txt": "b\n"})
	head = w.commit("feature", "change a", map[string]string{"a.txt": "one\n2\nthree\n"})
	return w, base, head
}

func (b *bench) open(w *work, title string) forge.Proposal {
	b.t.Helper()
	p, err := b.Forge.OpenProposal(b.ctx(), w.repository, forge.NewProposal{Title: title, Body: "because", Source: "feature", Target: "main"})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// ready waits until the forge knows whether a proposal can be merged.
func (b *bench) ready(w *work, number int, want forge.Mergeable) forge.Proposal {
	b.t.Helper()
	return until(b, fmt.Sprintf("proposal %d is %s", number, want), func() (forge.Proposal, error) {
		return b.Forge.GetProposal(b.ctx(), w.repository, number)
	}, func(p forge.Proposal) bool { return p.Mergeable == want })
}

func proposals(b *bench) {
	w, base, head := b.change()
	p := b.open(w, "Change a")
	check := func(p forge.Proposal) {
		b.t.Helper()
		if p.Number < 1 || p.Title != "Change a" || p.Body != "because" || p.State != forge.StateOpen || p.Draft || p.Author.Login != b.Login ||
			p.Source.Branch != "feature" || p.Source.Commit != head || p.Source.Repository != w.repository || p.Target.Branch != "main" || p.URL == "" || p.Created.IsZero() {
			b.t.Errorf("the proposal is %+v", p)
		}
	}
	check(p)
	check(b.ready(w, p.Number, forge.MergeReady))
	_, err := b.Forge.OpenProposal(b.ctx(), w.repository, forge.NewProposal{Title: "Again", Source: "feature", Target: "main"})
	b.refused("the same again", err, fault.Conflict, fault.Invalid)
	_, err = b.Forge.OpenProposal(b.ctx(), w.repository, forge.NewProposal{Title: "None", Source: "none", Target: "main"})
	b.refused("from a branch that is not there", err, fault.Invalid, fault.NotFound)
	_, err = b.Forge.OpenProposal(b.ctx(), w.repository, forge.NewProposal{Source: "feature", Target: "main"})
	b.refused("without a title", err, fault.Invalid)
	_, err = b.Forge.GetProposal(b.ctx(), w.repository, 4711)
	b.refused("what is not there", err, fault.NotFound)

	diff, err := b.Forge.DiffProposal(b.ctx(), w.repository, p.Number, 1<<20)
	if err != nil || !strings.Contains(string(diff), "diff --git a/a.txt b/a.txt") || !strings.Contains(string(diff), "-two\n+2\n") {
		b.t.Errorf("the diff is %s, %v", diff, err)
	}
	_, err = b.Forge.DiffProposal(b.ctx(), w.repository, p.Number, 20)
	b.refused("a diff over the limit", err, fault.TooLarge)

	for i := range 3 {
		name := fmt.Sprint("other", i)
		w.git(w.dir, "switch", "--quiet", "main")
		w.commit(name, "other", map[string]string{name: "x"})
		_, err := b.Forge.OpenProposal(b.ctx(), w.repository, forge.NewProposal{Title: "Draft " + name, Source: name, Target: "main", Draft: i == 0})
		b.good("another", err)
	}
	list := func(q forge.ProposalQuery) (titles []string) {
		for _, p := range all(b, func(part page.Request) (page.Of[forge.Proposal], error) {
			return b.Forge.ListProposals(b.ctx(), w.repository, q, part)
		}) {
			titles = append(titles, p.Title)
			if p.Draft != (p.Title == "Draft other0") {
				b.t.Errorf("%s is a draft: %v", p.Title, p.Draft)
			}
		}
		return titles
	}
	if got := list(forge.ProposalQuery{}); !slices.Equal(got, []string{"Draft other2", "Draft other1", "Draft other0", "Change a"}) {
		b.t.Errorf("all: %v", got)
	}
	if got := list(forge.ProposalQuery{Source: "feature", State: forge.StateOpen}); !slices.Equal(got, []string{"Change a"}) {
		b.t.Errorf("of feature: %v", got)
	}
	if got := list(forge.ProposalQuery{Target: "none"}); len(got) != 0 {
		b.t.Errorf("into nothing: %v", got)
	}
	b.good("close", b.Forge.CloseProposal(b.ctx(), w.repository, p.Number, true))
	if p, err = b.Forge.GetProposal(b.ctx(), w.repository, p.Number); err != nil || p.State != forge.StateClosed {
		b.t.Errorf("closed it is %+v, %v", p, err)
	}
	if got := list(forge.ProposalQuery{State: forge.StateClosed}); !slices.Equal(got, []string{"Change a"}) {
		b.t.Errorf("closed: %v", got)
	}
	b.good("open again", b.Forge.CloseProposal(b.ctx(), w.repository, p.Number, false))
	newer := w.commit("feature", "more", map[string]string{"c.txt": "c\n"})
	p = until(b, "the push shows", func() (forge.Proposal, error) { return b.Forge.GetProposal(b.ctx(), w.repository, p.Number) },
		func(p forge.Proposal) bool { return p.Source.Commit == newer })
	if p.State != forge.StateOpen || base == "" {
		b.t.Errorf("after a push it is %s", p.State)
	}
	w.git(w.dir, "fetch", "--quiet", "origin", p.Ref)
	if got := w.git(w.dir, "rev-parse", "FETCH_HEAD"); got != newer {
		b.t.Errorf("%s leads to %s, not to %s", p.Ref, got, newer)
	}
}

func comments(b *bench) {
	w, _, _ := b.change()
	p := b.open(w, "Change a")
	var ids []string
	for i := range 3 {
		c, err := b.Forge.Comment(b.ctx(), w.repository, p.Number, fmt.Sprintf("comment *%d*", i))
		b.good("comment", err)
		if c.ID == "" || c.Author.Login != b.Login || c.Created.IsZero() {
			b.t.Errorf("commented: %+v", c)
		}
		ids = append(ids, c.ID)
	}
	theirs, err := b.Reviewer.Comment(b.ctx(), w.repository, p.Number, "from me")
	b.good("somebody else's", err)
	c, err := b.Forge.EditComment(b.ctx(), w.repository, p.Number, ids[1], "edited")
	if err != nil || c.Body != "edited" || c.ID != ids[1] {
		b.t.Errorf("edited: %+v, %v", c, err)
	}
	_, err = b.Forge.EditComment(b.ctx(), w.repository, p.Number, "4711471147", "x")
	b.refused("a comment that is not there", err, fault.NotFound)
	var said []string
	for _, c := range all(b, func(part page.Request) (page.Of[forge.Comment], error) {
		return b.Forge.ListComments(b.ctx(), w.repository, p.Number, part)
	}) {
		said = append(said, c.Author.Login+": "+c.Body)
	}
	if want := []string{b.Login + ": comment *0*", b.Login + ": edited", b.Login + ": comment *2*", b.ReviewerName + ": from me"}; !slices.Equal(said, want) || theirs.ID == "" {
		b.t.Errorf("said %q, want %q", said, want)
	}
	_, err = b.Forge.Comment(b.ctx(), w.repository, p.Number, "")
	b.refused("an empty comment", err, fault.Invalid)
	_, err = b.Forge.Comment(b.ctx(), w.repository, 4711, "x")
	b.refused("to nothing", err, fault.NotFound)
}

func reviews(b *bench) {
	w, _, head := b.change()
	p := b.open(w, "Change a")
	r, err := b.Reviewer.Review(b.ctx(), w.repository, p.Number, forge.NewReview{Verdict: forge.Commented, Body: "one thing", Commit: head, Comments: []forge.LineComment{
		{Path: "a.txt", Line: 2, Body: "why 2?"}, {Path: "a.txt", Line: 2, Old: true, Body: "this was good"},
	}})
	b.good("comment on lines", err)
	if r.Author.Login != b.ReviewerName || r.Verdict != forge.Commented {
		b.t.Errorf("reviewed: %+v", r)
	}
	lines := map[string]forge.Comment{}
	for _, c := range all(b, func(part page.Request) (page.Of[forge.Comment], error) {
		return b.Forge.ListComments(b.ctx(), w.repository, p.Number, part)
	}) {
		if c.Path != "" {
			lines[c.Body] = c
		}
	}
	if c := lines["why 2?"]; c.Path != "a.txt" || c.Line != 2 || c.Old || c.Author.Login != b.ReviewerName {
		b.t.Errorf("the comment on the new line is %+v", c)
	}
	if c := lines["this was good"]; c.Path != "a.txt" || c.Line != 2 || !c.Old {
		b.t.Errorf("the comment on the old line is %+v", c)
	}
	_, err = b.Reviewer.Review(b.ctx(), w.repository, p.Number, forge.NewReview{Verdict: "maybe"})
	b.refused("a verdict that is none", err, fault.Invalid)
	verdicts := func() (out []string) {
		for _, r := range all(b, func(part page.Request) (page.Of[forge.Review], error) {
			return b.Forge.ListReviews(b.ctx(), w.repository, p.Number, part)
		}) {
			if r.Author.Login == b.ReviewerName && r.Verdict != forge.Commented {
				out = append(out, r.Verdict)
			}
		}
		return out
	}
	if _, err = b.Reviewer.Review(b.ctx(), w.repository, p.Number, forge.NewReview{Verdict: forge.Refused, Body: "not like this"}); err != nil {
		b.t.Errorf("refuse: %v", err)
	}
	if got := verdicts(); b.has("refusal") && !slices.Equal(got, []string{forge.Refused}) {
		b.t.Errorf("the verdicts are %v", got)
	}
	_, err = b.Reviewer.Review(b.ctx(), w.repository, p.Number, forge.NewReview{Verdict: forge.Approved, Body: "good", Commit: head})
	b.good("approve", err)
	if got := verdicts(); len(got) == 0 || got[len(got)-1] != forge.Approved {
		b.t.Errorf("the verdicts are %v", got)
	}
}

func merges(b *bench) {
	for _, way := range []string{forge.MergeCommit, forge.MergeSquash, forge.MergeRebase} {
		w, base, _ := b.change()
		if b.MayMerge != nil {
			b.MayMerge(b.t, w.repository, way)
		}
		head := w.commit("feature", "and b", map[string]string{"b.txt": "bee\n"})
		p := b.open(w, "Change a")
		p = b.ready(w, p.Number, forge.MergeReady)
		_, err := b.Forge.MergeProposal(b.ctx(), w.repository, p.Number, forge.Merge{Way: way, Head: base})
		b.refused("to merge what was not seen by "+way, err, fault.Stale)
		_, err = b.Forge.MergeProposal(b.ctx(), w.repository, p.Number, forge.Merge{Way: "octopus"})
		b.refused("a way that is none", err, fault.Invalid)
		m, err := b.Forge.MergeProposal(b.ctx(), w.repository, p.Number, forge.Merge{Way: way, Title: "All of it", Body: "as agreed", Head: head, DeleteSource: true})
		b.good("merge by "+way, err)
		p = until(b, "it is merged", func() (forge.Proposal, error) { return b.Forge.GetProposal(b.ctx(), w.repository, p.Number) },
			func(p forge.Proposal) bool { return p.State == forge.StateMerged })
		main, err := b.Forge.GetCommit(b.ctx(), w.repository, "main")
		b.good("the head of main", err)
		if m.Commit != "" && m.Commit != main.Hash || p.Closed.IsZero() {
			b.t.Errorf("%s made %s, main is %s, the proposal %+v", way, m.Commit, main.Hash, p)
		}
		parents := map[string]int{forge.MergeCommit: 2, forge.MergeSquash: 1, forge.MergeRebase: 1}[way]
		subject, _, _ := strings.Cut(main.Message, "\n")
		if len(main.Parents) != parents || way != forge.MergeRebase && subject != "All of it" || way == forge.MergeRebase && subject != "and b" {
			b.t.Errorf("%s made a commit with %d parents: %q", way, len(main.Parents), main.Message)
		}
		until(b, "the source is deleted", func() (bool, error) {
			_, err := b.Forge.GetBranch(b.ctx(), w.repository, "feature")
			return fault.Is(err, fault.NotFound), nil
		}, func(gone bool) bool { return gone })
		_, err = b.Forge.MergeProposal(b.ctx(), w.repository, p.Number, forge.Merge{Way: way})
		b.refused("to merge it again", err, fault.Conflict)
	}
	w, _, _ := b.change()
	p := b.open(w, "Change a")
	w.commit("main", "in the way", map[string]string{"a.txt": "one\nzwei\nthree\n"})
	b.ready(w, p.Number, forge.MergeConflicts)
	_, err := b.Forge.MergeProposal(b.ctx(), w.repository, p.Number, forge.Merge{Way: forge.MergeCommit})
	b.refused("to merge conflicts", err, fault.Conflict)
}

func checks(b *bench) {
	w, _, head := b.change()
	set := func(name, state, text string) {
		b.t.Helper()
		b.good("set "+name, b.Forge.SetCheck(b.ctx(), w.repository, head, forge.Check{Name: name, State: state, Description: text, URL: "https://roadbed.example/runs/1"}))
	}
	list, err := b.Forge.ListChecks(b.ctx(), w.repository, head)
	if err != nil || len(list) != 0 {
		b.t.Errorf("at first the checks are %+v, %v", list, err)
	}
	set("roadbed/plan", forge.CheckPending, "planning")
	set("roadbed/test", forge.CheckFailed, "2 tests failed")
	set("roadbed/plan", forge.CheckPassed, "no changes")
	set("roadbed/lint", forge.CheckError, strings.Repeat("long ", 100))
	list, err = b.Forge.ListChecks(b.ctx(), w.repository, head)
	b.good("list", err)
	states := map[string]string{}
	for _, c := range list {
		states[c.Name] = c.State + " " + c.URL
		if c.Name == "roadbed/plan" && c.Description != "no changes" {
			b.t.Errorf("the plan's check says %q", c.Description)
		}
	}
	const url = " https://roadbed.example/runs/1"
	lint := states["roadbed/lint"]
	if len(list) != 3 || states["roadbed/plan"] != forge.CheckPassed+url || states["roadbed/test"] != forge.CheckFailed+url || lint != forge.CheckError+url && lint != forge.CheckFailed+url {
		b.t.Errorf("the checks are %+v", list)
	}
	b.refused("a state that is none", b.Forge.SetCheck(b.ctx(), w.repository, head, forge.Check{Name: "x", State: "fine"}), fault.Invalid)
	b.refused("a commit that is not there", b.Forge.SetCheck(b.ctx(), w.repository, strings.Repeat("1", 40), forge.Check{Name: "x", State: forge.CheckPassed}), fault.NotFound, fault.Invalid)
}
