package forgetest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func hooks(b *bench) {
	targets := []forge.HookTarget{{Repository: b.repository().Name}}
	if !b.has("webhooks") {
		_, err := b.Forge.RegisterHook(b.ctx(), targets[0], forge.NewHook{URL: "https://roadbed.example/hooks/1"})
		b.refused("a webhook", err, fault.Invalid)
		return
	}
	organization := forge.HookTarget{Organization: b.Organization}
	if b.has("organization hooks") {
		targets = append(targets, organization)
	} else {
		_, err := b.Forge.RegisterHook(b.ctx(), organization, forge.NewHook{URL: "https://roadbed.example/hooks/1"})
		b.refused("a webhook of an organization", err, fault.Invalid)
	}
	for _, target := range targets {
		h, err := b.Forge.RegisterHook(b.ctx(), target, forge.NewHook{URL: "https://roadbed.example/hooks/1", Secret: "hidden", Kinds: []forge.Kind{forge.KindPush}})
		b.good("register", err)
		again, err := b.Forge.RegisterHook(b.ctx(), target, forge.NewHook{URL: "https://roadbed.example/hooks/1", Secret: "other"})
		b.good("register again", err)
		list, err := b.Forge.ListHooks(b.ctx(), target)
		if err != nil || len(list) != 1 || list[0].ID != again.ID || list[0].URL != "https://roadbed.example/hooks/1" || !list[0].Active || h.ID == "" {
			b.t.Errorf("the hooks are %+v, %v", list, err)
		}
		for _, kind := range []forge.Kind{forge.KindPush, forge.KindProposal, forge.KindComment} {
			if len(list) == 1 && !slices.Contains(list[0].Kinds, kind) {
				b.t.Errorf("the hook is for %v, without %s", list[0].Kinds, kind)
			}
		}
		b.good("delete", b.Forge.DeleteHook(b.ctx(), target, again.ID))
		b.refused("delete again", b.Forge.DeleteHook(b.ctx(), target, again.ID), fault.NotFound)
	}
	_, err := b.Forge.RegisterHook(b.ctx(), targets[0], forge.NewHook{URL: "no address"})
	b.refused("an address that is none", err, fault.Invalid)
}

// patience is how long a delivery may take.
const patience = 30 * time.Second

// delivery is what a forge sent.
type delivery struct {
	header http.Header
	body   []byte
}

// deliveries has the forge send what happens, and reads it.
func deliveries(b *bench) {
	if !b.has("webhooks") {
		return
	}
	sent := make(chan delivery, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 10<<20))
		if err == nil {
			sent <- delivery{r.Header.Clone(), body}
		}
	}))
	defer server.Close()
	w, base, head := b.change()
	_, err := b.Forge.RegisterHook(b.ctx(), forge.HookTarget{Repository: w.repository}, forge.NewHook{URL: server.URL + "/hooks/1", Secret: "hidden"})
	b.good("register", err)
	var last delivery
	seen := map[string]bool{}
	next := func(what string, want func(e forge.Event) bool) forge.Event {
		b.t.Helper()
		late := time.After(patience)
		for {
			select {
			case last = <-sent:
				if err := b.Hooks.Verify(last.header, last.body, "older", "hidden"); err != nil {
					b.t.Fatalf("%s: %v", what, err)
				}
				e, err := b.Hooks.Parse(last.header, last.body)
				if err != nil {
					b.t.Fatalf("%s: %v\n%s", what, err, last.body)
				}
				if id := b.Hooks.Delivery(last.header); id != e.Delivery {
					b.t.Errorf("%s: the delivery is %q by its headers and %q as it is read", what, id, e.Delivery)
				}
				if e.Delivery != "" && seen[e.Delivery] {
					b.t.Errorf("the delivery %s came twice", e.Delivery)
				}
				seen[e.Delivery] = true
				if want(e) {
					if e.Repository.Name != w.repository || e.Repository.ID == "" || e.Sender.Login == "" {
						b.t.Errorf("%s: of %+v by %+v", what, e.Repository, e.Sender)
					}
					return e
				}
			case <-late:
				b.t.Fatalf("%s: nothing came", what)
			}
		}
	}
	third := w.commit("main", "third", map[string]string{"c.txt": "c\n", "dir/d.txt": "d\n"})
	e := next("a push", func(e forge.Event) bool { return e.Kind == forge.KindPush && e.Push.New == third })
	if e.Push.Ref != "refs/heads/main" || e.Push.Old != base || e.Push.New != third || len(e.Push.Commits) != 1 || e.Push.Commits[0].Hash != third ||
		!slices.Contains(e.Push.Paths, "c.txt") || !slices.Contains(e.Push.Paths, "dir/d.txt") {
		b.t.Errorf("the push is %+v", e.Push)
	}
	w.git(w.dir, "tag", "v1", third)
	w.git(w.dir, "push", "--quiet", "origin", "v1")
	e = next("a tag", func(e forge.Event) bool { return e.Kind == forge.KindPush && e.Push.Ref == "refs/tags/v1" })
	if e.Push.Old != "" || e.Push.New != third {
		b.t.Errorf("the tag's push is %+v", e.Push)
	}
	p := b.open(w, "Change a")
	e = next("a proposal", func(e forge.Event) bool {
		return e.Kind == forge.KindProposal && e.Proposal.Action == forge.ActionOpened
	})
	if got := e.Proposal.Proposal; got.Number != p.Number || got.Title != "Change a" || got.State != forge.StateOpen || got.Source.Branch != "feature" || got.Source.Commit != head || got.Target.Branch != "main" || got.Author.Login != b.Login {
		b.t.Errorf("the proposal is %+v", got)
	}
	_, err = b.Reviewer.Comment(b.ctx(), w.repository, p.Number, "/plan")
	b.good("comment", err)
	e = next("a comment", func(e forge.Event) bool { return e.Kind == forge.KindComment })
	if e.Proposal.Action != forge.ActionOpened || e.Proposal.Comment.Body != "/plan" || e.Proposal.Comment.Author.Login != b.ReviewerName || e.Proposal.Proposal.Number != p.Number || e.Proposal.Comment.ID == "" {
		b.t.Errorf("the comment is %+v of %+v", e.Proposal.Comment, e.Proposal.Proposal)
	}
	newer := w.commit("feature", "more", map[string]string{"e.txt": "e\n"})
	next("a push to it", func(e forge.Event) bool {
		return e.Kind == forge.KindProposal && e.Proposal.Action == forge.ActionPushed && e.Proposal.Proposal.Source.Commit == newer
	})
	_, err = b.Reviewer.Review(b.ctx(), w.repository, p.Number, forge.NewReview{Verdict: forge.Approved, Body: "good"})
	b.good("approve", err)
	e = next("a review", func(e forge.Event) bool { return e.Kind == forge.KindReview })
	if e.Proposal.Action != forge.ActionOpened || e.Proposal.Review.Verdict != forge.Approved || e.Proposal.Review.Author.Login != b.ReviewerName {
		b.t.Errorf("the review is %+v", e.Proposal.Review)
	}
	b.ready(w, p.Number, forge.MergeReady)
	_, err = b.Forge.MergeProposal(b.ctx(), w.repository, p.Number, forge.Merge{Way: forge.MergeCommit, Head: newer})
	b.good("merge", err)
	e = next("a merge", func(e forge.Event) bool {
		return e.Kind == forge.KindProposal && e.Proposal.Action == forge.ActionMerged
	})
	if e.Proposal.Proposal.State != forge.StateMerged || e.Proposal.Proposal.MergeCommit == "" {
		b.t.Errorf("merged it is %+v", e.Proposal.Proposal)
	}

	// What was not signed by us is not read.
	for what, secrets := range map[string][]string{"another secret": {"hidden "}, "no secret": nil, "an empty one": {""}} {
		b.refused(what, b.Hooks.Verify(last.header, last.body, secrets...), fault.Unauthenticated)
	}
	b.refused("without a signature", b.Hooks.Verify(http.Header{}, last.body, "hidden"), fault.Unauthenticated)
	if forged := append(slices.Clone(last.body), ' '); b.Kind != "gitlab" { // whose deliveries carry the secret itself
		b.refused("another body", b.Hooks.Verify(last.header, forged, "hidden"), fault.Unauthenticated)
	}
	_, err = b.Hooks.Parse(last.header, last.body[:len(last.body)/2])
	b.refused("half a delivery", err, fault.Invalid)
}
