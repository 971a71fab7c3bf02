package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// TestAProposalAtAForge opens, reviews and merges pull requests of a real forge, there and here: both say the same, each
// thing once, and people's words count by who they are here.
func TestAProposalAtAForge(t *testing.T) {
	t.Parallel()
	g := giteatest.Start(t)
	scopes := []string{"write:repository", "write:organization", "write:issue", "read:user"}
	tokens := map[string]string{}
	for _, name := range []string{"robot", "ann", "bea", "cyd"} {
		tokens[name] = g.Person(name, scopes...)
	}
	g.Organization(tokens["robot"], "acme", "developers", "ann", "bea", "cyd")
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		name := "shop-" + strings.ToLower(string(h.DB.Dialect()))
		g.Do(tokens["robot"], http.MethodPost, "/orgs/acme/repos", map[string]any{"name": name, "private": true, "default_branch": "main"})
		b := between{abroad: abroad{ground: newGround(t, h, server), forge: g, token: tokens["ann"], name: "acme/" + name}, tokens: tokens}
		b.desk = desk{b.ground, "crew/shop"}
		b.work = filepath.Join(b.dir, "work")
		b.git(t, "", "clone", "--quiet", b.address(), b.work)
		b.git(t, b.work, "switch", "--quiet", "--create", "main")
		b.pushThere(map[string]string{"a.txt": "one\ntwo\nthree\n", "README.md": "# Shop"})
		b.begin()
		b.discussed()
		b.merged()
		b.ofAFork()
		b.commanded()
		b.onLines()
		b.edited()
		b.polled()
	})
}

// between is a desk whose proposals are at a forge, with the tokens of people there.
type between struct {
	abroad
	desk   desk
	tokens map[string]string
}

// change pushes a branch there, as ann.
func (b between) change(branch string, files map[string]string) string {
	b.t.Helper()
	for path, content := range files {
		write(b.t, filepath.Join(b.work, path), content)
	}
	b.git(b.t, b.work, "add", "--all")
	b.git(b.t, b.work, "commit", "--quiet", "--message", "change "+strings.Join(keys(files), " "))
	b.git(b.t, b.work, "push", "--quiet", "origin", "HEAD:"+branch)
	head := b.git(b.t, b.work, "rev-parse", "HEAD")
	b.await(branch, head)
	return head
}

// await waits until the forge itself knows where a branch is.
func (b between) await(branch, head string) {
	b.t.Helper()
	f, err := b.house.Integrations.Forge(b.t.Context(), "default/forge")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
	defer stop()
	err = eventually(ctx, func() (bool, error) {
		at, err := f.GetBranch(ctx, b.name, branch)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return at.Commit == head, err
	})
	if err != nil {
		b.t.Fatalf("the forge does not know %s: %v", branch, err)
	}
}

// there asks the forge's own API as somebody.
func (b between) there(who, method, path string, body any) map[string]any {
	b.t.Helper()
	return b.forge.Do(b.tokens[who], method, "/repos/"+b.name+path, body)
}

// told is a delivery about a proposal.
func (b between) told(kind forge.Kind, number int, what string) {
	b.t.Helper()
	_, err := b.house.Repositories.Handle(b.t.Context(), "default/forge", forge.Event{
		Kind: kind, Name: what, Repository: forge.Repository{Name: b.name}, Sender: forge.Person{Login: "ann"}, Time: time.Now(),
		Proposal: &forge.ProposalEvent{Action: forge.ActionOther, Proposal: forge.Proposal{Number: number, Title: what}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// stands waits for a proposal here to be as it should.
func (b between) stands(number int, what string, fn func(p client.ProposalDetail) bool) client.ProposalDetail {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
	defer stop()
	var p client.ProposalDetail
	err := eventually(ctx, func() (done bool, err error) {
		p, err = client.Get[client.ProposalDetail](ctx, b.alice, b.desk.at(number), nil)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil && fn(p), err
	})
	if err != nil {
		b.t.Fatalf("%s: %v; it is %+v", what, err, p)
	}
	return p
}

func blocked(p client.ProposalDetail) (kinds []string) {
	for _, x := range p.Blockers {
		kinds = append(kinds, x.Kind)
	}
	return kinds
}

// begin opens a proposal there before anybody here knows of the repository.
func (b between) begin() {
	t, ctx := b.t, b.t.Context()
	b.apply(`{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: alice, annotations: {127.0.0.1/user-login: ann}}, spec: {memberOf: [crew]}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: bob, annotations: {127.0.0.1/user-login: bea}}, spec: {memberOf: [crew]}}
---
{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: looked-at}, spec: {approvals: 1, fresh: true}}`)
	b.secret(b.tokens["robot"])
	b.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: forge}, spec: {forge: gitea, url: " + b.forge.URL + ", token: {secretRef: default/forge}}}")
	head := b.change("feature", map[string]string{"a.txt": "one\n2\nthree\n"})
	b.there("ann", http.MethodPost, "/pulls", map[string]any{"title": "Change a", "body": "because", "head": "feature", "base": "main"})
	if _, err := client.Post[client.Repository](ctx, b.admin, "/integrations/default/forge/repositories", map[string]string{"remote": b.name, "namespace": "crew", "name": "shop"}); err != nil {
		t.Fatal(err)
	}
	p := b.stands(1, "it is found", func(p client.ProposalDetail) bool { return p.Head == head })
	if p.Title != "Change a" || p.Body != "because" || p.Author.Ref != "user:default/alice" || p.Source != "feature" || p.Target != "main" || p.Ahead != 1 ||
		!strings.HasSuffix(p.URL, b.name+"/pulls/1") || p.Ref != "refs/pull/1/head" || !slices.Equal(blocked(p), []string{"approvals"}) {
		t.Errorf("it is %+v, blocked by %v", p.Proposal, p.Blockers)
	}
	diff, err := client.Get[client.Diff](ctx, b.as["rita"], b.desk.at(1, "diff"), nil)
	if err != nil || len(diff.Files) != 1 || diff.Files[0].Path != "a.txt" {
		t.Errorf("its diff is %+v, %v", diff, err)
	}
	if _, err := client.Get[client.ProposalDetail](ctx, b.as["mallory"], b.desk.at(1), nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("mallory sees it: %v", err)
	}
}

// discussed has people talk and judge in both places.
func (b between) discussed() {
	t, ctx := b.t, b.t.Context()
	review := func(who, event string) {
		b.there(who, http.MethodPost, "/pulls/1/reviews", map[string]any{"event": event, "body": who + " looked"})
		b.told(forge.KindReview, 1, who+event)
	}
	verdict := func(p client.ProposalDetail, name string) string {
		for _, r := range p.Reviews {
			if r.Author.Name == name || r.Author.Ref == name {
				return r.Verdict
			}
		}
		return ""
	}
	review("cyd", "APPROVED")
	p := b.stands(1, "the word of an account that nobody is", func(p client.ProposalDetail) bool { return verdict(p, "cyd") == "approved" })
	if !slices.Contains(blocked(p), "approvals") {
		t.Error("it counts")
	}
	review("bea", "APPROVED")
	b.stands(1, "the word of an account that is bob's", func(p client.ProposalDetail) bool {
		return verdict(p, "user:default/bob") == "approved" && len(p.Blockers) == 0
	})
	b.there("ann", http.MethodPost, "/issues/1/comments", map[string]any{"body": "what do you think?"})
	b.told(forge.KindComment, 1, "ann's")
	said := func() []client.ProposalComment {
		all, err := client.All[client.ProposalComment](ctx, b.alice, b.desk.at(1, "comments"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	b.stands(1, "what ann said", func(client.ProposalDetail) bool {
		return slices.ContainsFunc(said(), func(c client.ProposalComment) bool {
			return c.Body == "what do you think?" && c.Author.Ref == "user:default/alice"
		})
	})
	whole, err := client.Post[client.ProposalComment](ctx, b.bob, b.desk.at(1, "comments"), map[string]any{"body": "good, I think"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Post[client.ProposalComment](ctx, b.bob, b.desk.at(1, "comments"), map[string]any{"body": "why 2?", "path": "a.txt", "line": 2}); err != nil {
		t.Fatal(err)
	}
	if err := b.bob.Do(ctx, http.MethodPatch, b.desk.at(1, "comments", whole.ID), nil, map[string]any{"body": "very good"}, nil); err != nil {
		t.Fatal(err)
	}
	b.told(forge.KindComment, 1, "again")
	b.told(forge.KindComment, 1, "and again")
	b.stands(1, "all comments", func(client.ProposalDetail) bool {
		var told []string
		for _, c := range said() {
			told = append(told, fmt.Sprintf("%s: %s (%s:%d)", c.Author.Ref, c.Body, c.Path, c.Line))
		}
		slices.Sort(told)
		return slices.Equal(told, []string{"user:default/alice: what do you think? (:0)", "user:default/bob: very good (:0)", "user:default/bob: why 2? (a.txt:2)"})
	})
	f, err := b.house.Integrations.Forge(ctx, "default/forge")
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.ListComments(ctx, b.name, 1, page.Request{Limit: 100})
	if err != nil || !slices.ContainsFunc(all.Items, func(c forge.Comment) bool { return c.Body == "**bob**, through Roadbed:\n\nvery good" }) ||
		!slices.ContainsFunc(all.Items, func(c forge.Comment) bool { return c.Path == "a.txt" && strings.HasSuffix(c.Body, "why 2?") }) {
		t.Errorf("there stands %+v, %v", all.Items, err)
	}
	b.checked(f)
	if err := b.alice.Do(ctx, http.MethodPatch, b.desk.at(1), nil, map[string]any{"title": "Other"}, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("its title is changed here: %v", err)
	}
}

// checked has what is said of the head here be known there, and the other way round.
func (b between) checked(f forge.Forge) {
	t, ctx := b.t, b.t.Context()
	p := b.desk.get(1)
	if err := b.alice.Do(ctx, http.MethodPut, "/repositories/crew/shop/checks/"+p.Head, nil, map[string]any{"name": "smoke", "state": "passed", "description": "no smoke"}, nil); err != nil {
		t.Fatal(err)
	}
	waits, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	err := eventually(waits, func() (bool, error) {
		there, err := f.ListChecks(waits, b.name, p.Head)
		return slices.ContainsFunc(there, func(c forge.Check) bool { return c.Name == "roadbed/smoke" && c.State == forge.CheckPassed }), err
	})
	if err != nil {
		t.Fatalf("the forge does not know the check: %v", err)
	}
	b.there("ann", http.MethodPost, "/statuses/"+p.Head, map[string]any{"context": "lint", "state": "failure", "description": "a line is long"})
	event := forge.Event{
		Kind: forge.KindCheck, Repository: forge.Repository{Name: b.name}, Check: &forge.CheckEvent{Commit: p.Head, Check: forge.Check{Name: "lint", State: forge.CheckFailed}},
	}
	if _, err := b.house.Repositories.Handle(ctx, "default/forge", event); err != nil {
		t.Fatal(err)
	}
	b.stands(1, "both checks", func(p client.ProposalDetail) bool {
		var told []string
		for _, c := range p.Checks {
			told = append(told, c.Name+" "+c.State)
		}
		return slices.Equal(told, []string{"lint failed", "smoke passed"})
	})
}

// merged has a push end what was said, and the proposal be merged from here.
func (b between) merged() {
	t, ctx := b.t, b.t.Context()
	head := b.change("feature", map[string]string{"c.txt": "c\n"})
	event := forge.Event{Kind: forge.KindPush, Repository: forge.Repository{Name: b.name}, Sender: forge.Person{Login: "ann"}, Push: &forge.Push{Ref: "refs/heads/feature", New: head}}
	if _, err := b.house.Repositories.Handle(ctx, "default/forge", event); err != nil {
		t.Fatal(err)
	}
	b.stands(1, "the push", func(p client.ProposalDetail) bool { return p.Head == head && slices.Contains(blocked(p), "approvals") })
	if err := b.alice.Do(ctx, http.MethodPost, b.desk.at(1, "reviews"), nil, map[string]any{"verdict": "approved"}, nil); !fault.Is(err, fault.Denied) {
		t.Errorf("alice approves what ann opened: %v", err)
	}
	if err := b.bob.Do(ctx, http.MethodPost, b.desk.at(1, "merge"), nil, map[string]any{"way": "squash"}, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("it is merged with no approval: %v", err)
	}
	if err := b.bob.Do(ctx, http.MethodPost, b.desk.at(1, "reviews"), nil, map[string]any{"verdict": "approved", "body": "fine", "head": head}, nil); err != nil {
		t.Fatal(err)
	}
	p, err := client.Post[client.ProposalDetail](ctx, b.bob, b.desk.at(1, "merge"), map[string]any{"way": "squash", "head": head})
	if err != nil || p.State != "merged" || p.MergeCommit == "" || p.MergedBy == nil || p.MergedBy.Ref != "user:default/bob" {
		t.Fatalf("merged it is %+v, %v", p.Proposal, err)
	}
	if there := b.there("ann", http.MethodGet, "/pulls/1", nil); there["merged"] != true || there["merge_commit_sha"] != p.MergeCommit {
		t.Errorf("there it is %v, %v", there["merged"], there["merge_commit_sha"])
	}
	b.until("main has it", func(r client.Repository) bool { return r.Head == p.MergeCommit })
	b.told(forge.KindProposal, 1, "merged")
	entries := func() (kinds []string, err error) {
		all, err := client.All[client.Entry](ctx, b.admin, "/ledger", url.Values{"type": {"proposal."}, "ref": {"proposal:crew/shop#1"}})
		slices.Reverse(all)
		for _, e := range all {
			kinds = append(kinds, strings.TrimPrefix(e.Type, "proposal."))
		}
		return kinds, err
	}
	want := []string{"opened", "reviewed", "reviewed", "commented", "commented", "reviewed", "commented", "comment-edited", "pushed", "reviewed", "merged"}
	waits, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	var got []string
	if err := eventually(waits, func() (bool, error) {
		got, err = entries()
		return slices.Equal(got, want), err
	}); err != nil {
		t.Errorf("the ledger tells %v, %v", got, err)
	}
}

// ofAFork follows a proposal from another repository, whose commits no branch here leads to, until it is closed there.
func (b between) ofAFork() {
	t := b.t
	b.there("cyd", http.MethodPost, "/forks", map[string]any{})
	_, short, _ := strings.Cut(b.name, "/")
	fork := filepath.Join(b.dir, "fork")
	b.git(t, "", "clone", "--quiet", strings.Replace(b.forge.URL, "://", "://cyd:"+b.tokens["cyd"]+"@", 1)+"/cyd/"+short+".git", fork)
	write(t, filepath.Join(fork, "d.txt"), "d\n")
	b.git(t, fork, "add", "--all")
	b.git(t, fork, "commit", "--quiet", "--message", "d")
	b.git(t, fork, "push", "--quiet", "origin", "HEAD:patch")
	head := b.git(t, fork, "rev-parse", "HEAD")
	b.there("cyd", http.MethodPost, "/pulls", map[string]any{"title": "From a fork", "head": "cyd:patch", "base": "main"})
	b.told(forge.KindProposal, 2, "opened")
	p := b.stands(2, "it is followed", func(p client.ProposalDetail) bool { return p.Head == head })
	if p.Source != "cyd:patch" || p.Author.Name != "cyd" || p.Author.ID != "" || p.Ahead == 0 {
		t.Errorf("it is %+v", p.Proposal)
	}
	diff, err := client.Get[client.Diff](t.Context(), b.alice, b.desk.at(2, "diff"), nil)
	if err != nil || len(diff.Files) != 1 || diff.Files[0].Path != "d.txt" {
		t.Errorf("its diff is %+v, %v", diff, err)
	}
	if err := b.alice.Do(t.Context(), http.MethodPost, b.desk.at(2, "close"), nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if there := b.there("ann", http.MethodGet, "/pulls/2", nil); there["state"] != "closed" {
		t.Errorf("there it is %v", there["state"])
	}
	b.there("cyd", http.MethodPatch, "/pulls/2", map[string]any{"state": "open"})
	b.told(forge.KindProposal, 2, "reopened")
	b.stands(2, "it is opened again", func(p client.ProposalDetail) bool { return p.State == "open" })
}

// commanded has people command in comments that they write there: it is done as who they are here, once, and answered there.
func (b between) commanded() {
	t := b.t
	say := func(who, body string) {
		b.there(who, http.MethodPost, "/issues/2/comments", map[string]any{"body": body})
		for range 2 { // a delivery may come twice
			b.told(forge.KindComment, 2, who+body)
		}
	}
	answers := func(what string, want ...string) {
		t.Helper()
		f, err := b.house.Integrations.Forge(t.Context(), "default/forge")
		if err != nil {
			t.Fatal(err)
		}
		waits, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var got []string
		err = eventually(waits, func() (bool, error) {
			got = nil
			all, err := f.ListComments(waits, b.name, 2, page.Request{Limit: 100})
			for _, c := range all.Items {
				if text, to, ok := strings.Cut(c.Body, "):\n\n"); ok && c.Author.Login == "robot" {
					said, _, _ := strings.Cut(to, "\n\n<!-- roadbed answers ")
					got = append(got, said)
					if !strings.HasPrefix(text, "Roadbed, to [what was said](") {
						t.Errorf("the answer begins with %q", text)
					}
				}
			}
			return len(got) >= len(want), err
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%s: the answers are %q, want %q, %v", what, got, want, err)
		}
	}
	say("cyd", "/close") // nobody here
	say("bea", "Not now.\n/close\n/assign\n/approve")
	b.stands(2, "it is closed", func(p client.ProposalDetail) bool {
		return p.State == "closed" && len(p.Assignees) == 1 && p.Assignees[0].Ref == "user:default/bob"
	})
	if there := b.there("ann", http.MethodGet, "/pulls/2", nil); there["state"] != "closed" {
		t.Errorf("there it is %v", there["state"])
	}
	first := "- `/close`: closed\n- `/assign`: bob looks after it\n- `/approve`: not done: a comment at the forge does not say which commit it approves; approve with the forge's own review, or in the portal"
	answers("bea's", first)
	if _, err := client.Post[client.ProposalComment](t.Context(), b.as["rita"], b.desk.at(2, "comments"), map[string]any{"body": "/merge"}); err != nil { // stands there as the robot's
		t.Fatal(err)
	}
	say("ann", "/reopen")
	p := b.stands(2, "it is open again", func(p client.ProposalDetail) bool { return p.State == "open" })
	answers("ann's", first, "- `/reopen`: open again")
	if len(p.Reviews) != 0 || p.MergeCommit != "" {
		t.Errorf("it is %+v", p)
	}
	var told []string
	err := within(t, func() (bool, error) {
		told = nil
		all, err := client.All[client.Entry](t.Context(), b.admin, "/ledger", url.Values{"type": {"proposal.commanded"}})
		slices.Reverse(all)
		for _, e := range all {
			var data struct{ Name string }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return false, err
			}
			told = append(told, e.Actor.Name+" /"+data.Name)
		}
		return slices.Equal(told, []string{"bob /close", "bob /assign", "bob /approve", "rita /merge", "alice /reopen"}), err
	})
	if err != nil {
		t.Errorf("the ledger tells %q, %v", told, err)
	}
}

// onLines has people here talk about lines: at the forge one sees which, and what an answer is to, also once it was changed.
func (b between) onLines() {
	t := b.t
	head := b.change("lines", map[string]string{"e.txt": "1\n2\n3\n4\n"})
	b.there("ann", http.MethodPost, "/pulls", map[string]any{"title": "Lines", "head": "lines", "base": "main"})
	b.told(forge.KindProposal, 3, "opened")
	b.stands(3, "it is followed", func(p client.ProposalDetail) bool { return p.Head == head })
	say := func(in map[string]any) client.ProposalComment { t.Helper(); return b.desk.say("bob", 3, in) }
	lines := say(map[string]any{"body": "Rather:\n```suggestion\nzwei\n```", "path": "e.txt", "start": 2, "line": 3})
	if lines.Start != 2 || lines.Line != 3 || lines.Quote != "2\n3\n" || lines.Commit != head || lines.NowLine != 3 {
		t.Errorf("here it is %+v", lines)
	}
	answer := say(map[string]any{"body": "Or not.", "replyTo": lines.ID})
	if answer.ReplyTo != lines.ID || answer.Path != "e.txt" || answer.Start != 2 {
		t.Errorf("the answer is %+v", answer)
	}
	whole := say(map[string]any{"body": "In all:\n\n1\n2\n3"})
	say(map[string]any{"body": "Well.", "replyTo": whole.ID})
	if _, err := client.Post[client.ProposalComment](t.Context(), b.bob, b.desk.at(3, "comments"), map[string]any{"body": "x", "path": "e.txt", "line": 9}); !fault.Is(err, fault.Invalid) {
		t.Errorf("of no line: %v", err)
	}
	f, err := b.house.Integrations.Forge(t.Context(), "default/forge")
	if err != nil {
		t.Fatal(err)
	}
	stand := func(want ...string) {
		t.Helper()
		all, err := f.ListComments(t.Context(), b.name, 3, page.Request{Limit: 100})
		var got []string
		for _, c := range all.Items {
			got = append(got, fmt.Sprintf("%s:%d %s", c.Path, c.Line, c.Body))
		}
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("there stand\n%q, %v, want\n%q", got, err, want)
		}
	}
	rest := []string{
		":0 **bob**, through Roadbed:\n\nIn all:\n\n1\n2\n3", ":0 **bob**, through Roadbed:\n\n> In all:\n> 1\n> 2\n> …\n\nWell.",
	}
	stand(append(rest, "e.txt:3 **bob**, through Roadbed, on lines 2 to 3:\n\nRather:\n```\nzwei\n```", "e.txt:3 **bob**, through Roadbed:\n\n> Rather:\n> ```suggestion\n> zwei\n> …\n\nOr not.")...)
	for c, body := range map[string]string{lines.ID: "Drop them.", answer.ID: "Or rather not."} {
		if err := b.bob.Do(t.Context(), http.MethodPatch, b.desk.at(3, "comments", c), nil, map[string]any{"body": body}, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.told(forge.KindComment, 3, "changed")
	all, err := client.All[client.ProposalComment](t.Context(), b.alice, b.desk.at(3, "comments"), nil)
	if err != nil || len(all) != 4 || all[0].Body != "Drop them." || all[0].Quote != "2\n3\n" || all[1].Body != "Or rather not." {
		t.Errorf("here they are %+v, %v", all, err)
	}
	got, err := f.ListComments(t.Context(), b.name, 3, page.Request{Limit: 100})
	for _, want := range []string{"**bob**, through Roadbed, on lines 2 to 3:\n\nDrop them.", "\n\nOr rather not."} {
		if err != nil || !slices.ContainsFunc(got.Items, func(c forge.Comment) bool { return c.Path == "e.txt" && strings.HasSuffix(c.Body, want) }) {
			t.Errorf("changed there stand %+v, %v", got.Items, err)
		}
	}
}

// edited has somebody change here what a file there declares: a proposal there does it, and what it says is read when it is merged.
func (b between) edited() {
	t, ctx := b.t, b.t.Context()
	b.git(t, b.work, "fetch", "--quiet", "origin")
	b.git(t, b.work, "reset", "--quiet", "--hard", "origin/main")
	head := b.pushThere(map[string]string{"catalog-info.yaml": declaredShop})
	event := forge.Event{Kind: forge.KindPush, Repository: forge.Repository{Name: b.name}, Sender: forge.Person{Login: "ann"}, Push: &forge.Push{Ref: "refs/heads/main", New: head}}
	if _, err := b.house.Repositories.Handle(ctx, "default/forge", event); err != nil {
		t.Fatal(err)
	}
	b.until("main has the file", func(r client.Repository) bool { return r.Head == head })
	if _, err := client.Post[client.Location](ctx, b.admin, "/locations", map[string]string{"repository": "crew/shop"}); err != nil {
		t.Fatal(err)
	}
	edit := func(who string, dry bool) (client.Edited, error) {
		return client.Post[client.Edited](ctx, b.as[who], "/edits", map[string]any{
			"refs": []string{"counter", "shelf"}, "set": map[string]any{"lifecycle": "deprecated"}, "message": "Let them go\n\nNobody comes.", "dryRun": dry,
		})
	}
	if done, err := edit("rita", false); err != nil || len(done.Deeds) != 0 || len(done.Refused) != 2 || !strings.HasPrefix(done.Refused[0].Where, b.forge.URL+"/"+b.name) {
		t.Errorf("who may not write there changes %+v, %v", done, err)
	}
	if tried, err := edit("alice", true); err != nil || len(tried.Deeds) != 1 || tried.Deeds[0].Way != "proposal" || tried.Deeds[0].Branch != "main" || tried.Deeds[0].Proposal != 0 {
		t.Errorf("a dry run gives %+v, %v", tried, err)
	}
	done, err := edit("alice", false)
	if err != nil || len(done.Deeds) != 1 || len(done.Refused) != 0 || done.Deeds[0].Proposal == 0 || done.Deeds[0].Commit == "" || len(done.Deeds[0].Changes) != 2 {
		t.Fatalf("the edit gives %+v, %v", done, err)
	}
	deed := done.Deeds[0]
	there := b.there("ann", http.MethodGet, fmt.Sprintf("/pulls/%d", deed.Proposal), nil)
	from, _ := there["head"].(map[string]any)
	if body, _ := there["body"].(string); there["title"] != "Let them go" || !strings.Contains(body, "Nobody comes.") || !strings.Contains(body, "alice") || from["ref"] != deed.Branch || from["sha"] != deed.Commit {
		t.Errorf("there it is %v", there)
	}
	b.git(t, b.work, "fetch", "--quiet", "origin")
	if got, want := b.git(t, b.work, "show", "origin/"+deed.Branch+":catalog-info.yaml")+"\n", strings.ReplaceAll(declaredShop, "production", "deprecated"); got != want {
		t.Errorf("the file is\n%s", got)
	}
	if err := b.bob.Do(ctx, http.MethodPost, b.desk.at(deed.Proposal, "reviews"), nil, map[string]any{"verdict": "approved", "head": deed.Commit}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Post[client.ProposalDetail](ctx, b.bob, b.desk.at(deed.Proposal, "merge"), map[string]any{"way": "squash", "head": deed.Commit}); err != nil {
		t.Fatal(err)
	}
	waits, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	var e client.Entity
	err = eventually(waits, func() (bool, error) {
		e, err = client.Get[client.Entity](ctx, b.alice, "/entities/component/default/shelf", nil)
		return err == nil && e.Lifecycle == "deprecated", err
	})
	if err != nil {
		t.Errorf("the component is %+v, %v", e, err)
	}
}

// polled opens a proposal there of which no webhook tells: it is here after the next look.
func (b between) polled() {
	b.git(b.t, b.work, "fetch", "--quiet", "origin")
	b.git(b.t, b.work, "reset", "--quiet", "--hard", "origin/main")
	head := b.change("untold", map[string]string{"untold.txt": "one\n"})
	opened := b.there("ann", http.MethodPost, "/pulls", map[string]any{"title": "Nobody tells", "head": "untold", "base": "main"})
	number, _ := opened["number"].(float64)
	if err := b.alice.Do(b.t.Context(), http.MethodPost, "/repositories/crew/shop/fetch", nil, nil, nil); err != nil {
		b.t.Fatal(err)
	}
	b.stands(int(number), "it is found by asking", func(p client.ProposalDetail) bool { return p.Title == "Nobody tells" && p.Head == head })
}
