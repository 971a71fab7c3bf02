package server

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// desk is a repository with a proposal in it.
type desk struct {
	*ground
	repo string
}

// propose pushes a change on a branch, from main, and opens a proposal of it as somebody.
func (d desk) propose(who, branch string, files map[string]string) client.ProposalDetail {
	d.t.Helper()
	d.branch(who, branch, files)
	p, err := client.Post[client.ProposalDetail](d.t.Context(), d.as[who], d.at(), map[string]any{"source": branch, "body": "because"})
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// branch commits to a branch, which is made from main when it is not there, and pushes it; it gives the commit.
func (d desk) branch(who, branch string, files map[string]string) string {
	d.t.Helper()
	dir := d.dir + "/" + who + "/" + d.repo
	if _, err := d.git(d.t.Context(), d.as[who], dir, "rev-parse", "HEAD"); err != nil {
		d.do(who, "", "clone", "--quiet", d.url+"/git/"+d.repo+".git", dir)
	}
	d.do(who, dir, "fetch", "--quiet", "origin")
	if _, err := d.git(d.t.Context(), d.as[who], dir, "switch", "--quiet", branch); err != nil {
		d.do(who, dir, "switch", "--quiet", "--create", branch, "origin/main")
	}
	for path, content := range files {
		write(d.t, dir+"/"+path, content)
	}
	d.do(who, dir, "add", "--all")
	d.do(who, dir, "commit", "--quiet", "--message", "change "+strings.Join(keys(files), " "))
	d.do(who, dir, "push", "--quiet", "origin", branch)
	return d.do(who, dir, "rev-parse", "HEAD")
}

// branchOnly makes a branch of what is checked out, with an empty commit, and gives its name.
func (d desk) branchOnly(who, branch string) string {
	d.t.Helper()
	dir := d.dir + "/" + who + "/" + d.repo
	d.do(who, dir, "switch", "--quiet", "--create", branch)
	d.do(who, dir, "commit", "--quiet", "--allow-empty", "--message", branch)
	d.do(who, dir, "push", "--quiet", "origin", branch)
	return branch
}

func keys(m map[string]string) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func (d desk) at(parts ...any) string {
	path := "/repositories/" + d.repo + "/proposals"
	for _, p := range parts {
		path += "/" + fmt.Sprint(p)
	}
	return path
}

func (d desk) get(number int) client.ProposalDetail {
	d.t.Helper()
	p, err := client.Get[client.ProposalDetail](d.t.Context(), d.admin, d.at(number), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// until waits for what a proposal comes to by itself.
func (d desk) until(number int, what string, ok func(p client.ProposalDetail) bool) client.ProposalDetail {
	d.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if p := d.get(number); ok(p) {
			return p
		} else if time.Now().After(deadline) {
			d.t.Fatalf("%s: it is still %+v", what, p)
		}
	}
}

func (d desk) merge(who string, number int, how map[string]any) (client.ProposalDetail, error) {
	return client.Post[client.ProposalDetail](d.t.Context(), d.as[who], d.at(number, "merge"), how)
}

func (d desk) review(who string, number int, verdict string, more map[string]any) error {
	in := map[string]any{"verdict": verdict}
	for k, v := range more {
		in[k] = v
	}
	_, err := client.Post[client.ProposalDetail](d.t.Context(), d.as[who], d.at(number, "reviews"), in)
	return err
}

func kinds(p client.ProposalDetail) (out []string) {
	for _, b := range p.Blockers {
		out = append(out, b.Kind)
	}
	return out
}

func eachDesk(t *testing.T, story func(t *testing.T, d desk)) {
	t.Helper()
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "crew/shop", map[string]string{"a.txt": "one\ntwo\nthree\n", "CODEOWNERS": "docs/ @bob\n"})
		story(t, desk{g, "crew/shop"})
	})
}

// TestAProposalIsLookedAtAndMerged goes from a branch to main by words, verdicts and each way of merging.
func TestAProposalIsLookedAtAndMerged(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		p := d.propose("alice", "feature", map[string]string{"a.txt": "one\n2\nthree\n", "b.txt": "b\n"})
		if p.Number != 1 || p.Title != "change a.txt b.txt" || p.State != "open" || p.Author.Name == "" || p.Ahead != 1 || len(p.Blockers) != 0 || p.Full != "crew/shop#1" {
			t.Fatalf("it is %+v", p)
		}
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(), map[string]any{"source": "feature"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("the same again: %v", err)
		}
		for what, in := range map[string]map[string]any{
			"nothing to bring": {"source": "main"}, "no branch": {"source": "none"}, "a bad branch": {"source": "../x"}, "a bad title": {"source": "feature", "title": "a\nb"},
		} {
			if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(), in); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		diff, err := client.Get[client.Diff](ctx, d.as["rita"], d.at(1, "diff"), nil)
		if err != nil || len(diff.Files) != 2 || diff.Files[0].Path != "a.txt" || !strings.Contains(diff.Files[0].Patch, "-two\n+2\n") || diff.To != p.Head {
			t.Errorf("the diff is %+v, %v", diff, err)
		}
		commits, err := client.Get[client.List[client.Commit]](ctx, d.as["rita"], d.at(1, "commits"), nil)
		if err != nil || len(commits.Items) != 1 || commits.Items[0].Hash != p.Head {
			t.Errorf("it brings %+v, %v", commits, err)
		}

		// Words: whoever may look may ask; a talk about a line is settled by who may write.
		if _, err := client.Post[client.ProposalComment](ctx, d.as["rita"], d.at(1, "comments"), map[string]any{"body": "why?"}); err != nil {
			t.Errorf("rita asks: %v", err)
		}
		if err := d.review("bob", 1, "commented", map[string]any{"head": p.Head, "comments": []map[string]any{{"body": "why 2?", "path": "a.txt", "line": 2}}}); err != nil {
			t.Fatal(err)
		}
		said, err := client.All[client.ProposalComment](ctx, d.admin, d.at(1, "comments"), nil)
		if err != nil || len(said) != 2 || said[1].Path != "a.txt" || said[1].Line != 2 || said[1].Commit != p.Head {
			t.Fatalf("said %+v, %v", said, err)
		}
		answer, err := client.Post[client.ProposalComment](ctx, d.alice, d.at(1, "comments"), map[string]any{"body": "because", "replyTo": said[1].ID})
		if err != nil || answer.Path != "a.txt" || answer.ReplyTo != said[1].ID {
			t.Errorf("the answer is %+v, %v", answer, err)
		}
		if err := d.as["bob"].Do(ctx, "PATCH", d.at(1, "comments", answer.ID), nil, map[string]string{"body": "changed"}, nil); !fault.Is(err, fault.Denied) {
			t.Errorf("bob changes alice's words: %v", err)
		}
		if err := d.alice.Do(ctx, "PATCH", d.at(1, "comments", answer.ID), nil, map[string]string{"body": "because *so*"}, nil); err != nil {
			t.Errorf("alice changes her words: %v", err)
		}
		if d.get(1).Talks != 1 {
			t.Errorf("%d talks are open", d.get(1).Talks)
		}
		if err := d.alice.Do(ctx, "PUT", d.at(1, "comments", said[1].ID, "settled"), nil, map[string]bool{"settled": true}, nil); err != nil || d.get(1).Talks != 0 {
			t.Errorf("settled: %v, %d open", err, d.get(1).Talks)
		}

		// Verdicts: not of one's own, and of what was looked at.
		if err := d.review("alice", 1, "approved", nil); !fault.Is(err, fault.Denied) {
			t.Errorf("alice approves her own: %v", err)
		}
		if err := d.review("rita", 1, "approved", nil); !fault.Is(err, fault.Denied) {
			t.Errorf("rita, who may only read, approves: %v", err)
		}
		if err := d.review("bob", 1, "refused", map[string]any{"body": "not like this"}); err != nil {
			t.Error(err)
		}
		if got := kinds(d.get(1)); !slices.Equal(got, []string{"refused"}) {
			t.Errorf("refused, it is blocked by %v", got)
		}
		head := d.branch("alice", "feature", map[string]string{"b.txt": "bee\n"})
		d.until(1, "the push shows", func(p client.ProposalDetail) bool { return p.Head == head })
		if err := d.review("bob", 1, "approved", map[string]any{"head": said[1].Commit}); !fault.Is(err, fault.Stale) {
			t.Errorf("bob approves what he saw before: %v", err)
		}
		if err := d.review("bob", 1, "approved", map[string]any{"head": head}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.merge("rita", 1, map[string]any{}); !fault.Is(err, fault.Denied) {
			t.Errorf("rita merges: %v", err)
		}
		if _, err := d.merge("alice", 1, map[string]any{"head": said[1].Commit}); !fault.Is(err, fault.Stale) {
			t.Errorf("merged what was seen before: %v", err)
		}
		p, err = d.merge("alice", 1, map[string]any{"way": "squash", "head": head, "deleteSource": true})
		if err != nil || p.State != "merged" || p.MergedBy == nil || p.MergedBy.Ref != "user:default/alice" || p.MergeCommit == "" {
			t.Fatalf("merged: %+v, %v", p, err)
		}
		main, err := client.Get[client.List[client.Commit]](ctx, d.admin, "/repositories/crew/shop/commits", nil)
		if err != nil || main.Items[0].Hash != p.MergeCommit || main.Items[0].Subject != "change a.txt b.txt (#1)" || len(main.Items) != 2 || !strings.Contains(main.Items[0].Message, "Proposal: crew/shop#1") {
			t.Errorf("main is %+v, %v", main, err)
		}
		if _, err := d.merge("alice", 1, map[string]any{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("merged twice: %v", err)
		}
		if out := d.do("alice", d.dir+"/alice/crew/shop", "ls-remote", "--heads", "origin", "feature"); out != "" {
			t.Errorf("its source is still there: %s", out)
		}
		second := d.propose("bob", "second", map[string]string{"c.txt": "c\n"})
		if p, err = d.merge("alice", second.Number, map[string]any{"way": "merge", "title": "All of it"}); err != nil || p.State != "merged" {
			t.Errorf("merged by a commit: %+v, %v", p, err)
		}
		third := d.propose("bob", "third", map[string]string{"d.txt": "d\n"})
		if p, err = d.merge("alice", third.Number, map[string]any{"way": "rebase"}); err != nil || p.MergeCommit != third.Head {
			t.Errorf("merged by a rebase: %+v, %v", p, err)
		}

		var entries []client.Entry
		err = eventually(ctx, func() (bool, error) { // when it is sealed
			all, err := client.All[client.Entry](ctx, d.admin, "/ledger", url.Values{"type": {"proposal."}, "ref": {"proposal:crew/shop#1"}})
			entries = all
			return len(all) >= 10, err
		})
		var told []string
		for _, e := range entries {
			told = append(told, strings.TrimPrefix(e.Type, "proposal.")+" by "+e.Actor.Name)
		}
		slices.Reverse(told)
		want := []string{"opened by alice", "commented by rita", "reviewed by bob", "commented by alice", "comment-edited by alice", "talk-settled by alice",
			"reviewed by bob", "pushed by alice", "reviewed by bob", "merged by alice"}
		if err != nil || !slices.Equal(told, want) {
			t.Errorf("the ledger tells\n%s\nwant\n%s\n%v", strings.Join(told, "\n"), strings.Join(want, "\n"), err)
		}
		list, err := client.All[client.Proposal](ctx, d.as["rita"], "/proposals", url.Values{"state": {"merged"}})
		if err != nil || len(list) != 3 || list[0].Number != 3 {
			t.Errorf("merged are %+v, %v", list, err)
		}
		if list, err = client.All[client.Proposal](ctx, d.as["mallory"], "/proposals", nil); err != nil || len(list) != 0 {
			t.Errorf("mallory sees %+v, %v", list, err)
		}
		if _, err := client.Get[client.ProposalDetail](ctx, d.as["mallory"], d.at(1), nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory reads it: %v", err)
		}
	})
}

// TestRulesOfBranchesHold has a branch that is moved by proposals alone, with approvals, owners and checks.
func TestRulesOfBranchesHold(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		if err := d.try("admin", "{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: main}, spec: {approvals: -1, ways: [octopus], branches: ['[']}}"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "write merge, squash or rebase") {
			t.Errorf("a bad rule: %v", err)
		}
		d.apply("{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: main}, spec: {push: proposals, approvals: 1, fresh: true, owners: true, checks: [unit tests], ways: [squash]}}")
		dir := d.dir + "/alice/crew/shop"
		write(t, dir+"/direct.txt", "x")
		d.do("alice", dir, "add", "--all")
		d.do("alice", dir, "commit", "--quiet", "--message", "direct")
		if out, err := d.git(ctx, d.alice, dir, "push", "origin", "main"); err == nil || !strings.Contains(out+err.Error(), "moved by proposals only (branchrule:default/main)") {
			t.Errorf("a push past the rule: %s, %v", out, err)
		}
		d.do("alice", dir, "reset", "--quiet", "--hard", "origin/main")
		alice, err := d.house.Identity.Authenticate(ctx, d.alice.Token)
		if err != nil {
			t.Fatal(err)
		}
		change := git.CommitRequest{Branch: "main", Parent: d.do("alice", dir, "rev-parse", "HEAD"), Message: "direct", Changes: []git.FileChange{{Path: "x", Content: []byte("x")}}}
		if _, err := d.house.Repositories.CommitFiles(actor.With(ctx, alice), "crew/shop", change); !fault.Is(err, fault.Denied) {
			t.Errorf("a commit past the rule: %v", err)
		}
		p := d.propose("alice", "feature", map[string]string{"docs/x.md": "x\n", "e.txt": "e\n"})
		if got := kinds(p); !slices.Equal(got, []string{"approvals", "owners", "check"}) || !slices.Equal(p.Ways, []string{"squash"}) {
			t.Fatalf("it is blocked by %v, may be merged by %v", got, p.Ways)
		}
		if _, err := d.merge("alice", p.Number, map[string]any{}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "@bob must approve docs/x.md") {
			t.Errorf("merged past the rule: %v", err)
		}
		if err := d.review("bob", p.Number, "approved", nil); err != nil {
			t.Fatal(err)
		}
		if got := kinds(d.get(p.Number)); !slices.Equal(got, []string{"check"}) {
			t.Errorf("approved by the owner, it is blocked by %v", got)
		}
		check := func(state string) error {
			return d.alice.Do(ctx, "PUT", "/repositories/crew/shop/checks/"+d.get(p.Number).Head, nil, map[string]string{"name": "unit tests", "state": state, "url": "https://ci.example/1"}, nil)
		}
		// It is merged by itself when the last thing is out of the way, in the name of who asked for it.
		if err := d.as["bob"].Do(ctx, "PUT", d.at(p.Number, "auto"), nil, map[string]string{"way": "squash"}, nil); err != nil {
			t.Fatal(err)
		}
		if err := check("failed"); err != nil {
			t.Fatal(err)
		}
		if got := d.get(p.Number); !slices.Equal(kinds(got), []string{"check"}) || got.State != "open" {
			t.Errorf("failed, it is %s, blocked by %v", got.State, kinds(got))
		}
		if err := check("passed"); err != nil {
			t.Fatal(err)
		}
		got := d.until(p.Number, "it is merged", func(p client.ProposalDetail) bool { return p.State == "merged" })
		if got.MergedBy == nil || got.MergedBy.Ref != "user:default/bob" {
			t.Errorf("it was merged by %+v", got.MergedBy)
		}
		// A push ends an approval.
		q := d.propose("alice", "next", map[string]string{"f.txt": "f\n"})
		if err := d.review("bob", q.Number, "approved", nil); err != nil {
			t.Fatal(err)
		}
		head := d.branch("alice", "next", map[string]string{"f.txt": "ff\n"})
		d.until(q.Number, "the push shows", func(p client.ProposalDetail) bool {
			return p.Head == head && slices.Equal(kinds(p), []string{"approvals", "check"})
		})
		if err := d.admin.Do(ctx, "DELETE", "/entities/branchrule/default/main", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if got := d.get(q.Number); len(got.Blockers) != 0 {
			t.Errorf("without the rule it is blocked by %v", got.Blockers)
		}
	})
}

// TestAProposalFollowsItsBranches is about what becomes of one when its branches move, meet or go.
func TestAProposalFollowsItsBranches(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		dir := d.dir + "/alice/crew/shop"
		conflict := d.propose("alice", "conflict", map[string]string{"a.txt": "one\n2\nthree\n"})
		pushed := d.propose("alice", "pushed", map[string]string{"p.txt": "p\n"})
		gone := d.propose("alice", "gone", map[string]string{"g.txt": "g\n"})
		draft := d.propose("alice", "draft", map[string]string{"h.txt": "h\n"})

		// What is merged by git is merged.
		d.do("alice", dir, "switch", "--quiet", "main")
		write(t, dir+"/a.txt", "one\nzwei\nthree\n")
		d.do("alice", dir, "commit", "--quiet", "--all", "--message", "in the way")
		d.do("alice", dir, "merge", "--quiet", "--no-ff", "--message", "by hand", "pushed")
		d.do("alice", dir, "push", "--quiet", "origin", "main")
		if p := d.until(pushed.Number, "it is merged", func(p client.ProposalDetail) bool { return p.State == "merged" }); p.MergedBy == nil || p.MergedBy.Ref != "user:default/alice" {
			t.Errorf("it was merged by %+v", p.MergedBy)
		}
		p := d.until(conflict.Number, "it has conflicts", func(p client.ProposalDetail) bool { return len(p.Conflicts) > 0 })
		if !slices.Equal(kinds(p), []string{"conflicts"}) || !slices.Equal(p.Conflicts, []string{"a.txt"}) || !strings.Contains(p.Blockers[0].Message, "bring main into conflict") {
			t.Errorf("it is blocked by %+v", p.Blockers)
		}
		if _, err := d.merge("alice", conflict.Number, map[string]any{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("merged with conflicts: %v", err)
		}
		d.do("alice", dir, "push", "--quiet", "origin", "--delete", "gone")
		d.until(gone.Number, "it is closed", func(p client.ProposalDetail) bool { return p.State == "closed" })
		if diff, err := client.Get[client.Diff](ctx, d.admin, d.at(gone.Number, "diff"), nil); err != nil || len(diff.Files) != 1 {
			t.Errorf("what it would have changed: %+v, %v", diff, err)
		}
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(gone.Number, "reopen"), nil); err != nil {
			t.Errorf("open it again: %v", err)
		}
		d.until(gone.Number, "it is closed again", func(p client.ProposalDetail) bool { return p.State == "closed" })

		// The server ended after it had squashed one and before that was recorded: nothing is squashed twice.
		lost := d.propose("alice", "lost", map[string]string{"l.txt": "l\n"})
		commit, err := d.house.Repositories.Platform().Merge(actor.AsSystem(ctx), "crew/shop", git.MergeRequest{
			Way: git.MergeSquash, Branch: "main", Target: lost.Base, Source: lost.Head, Author: git.Signature{Name: "alice", When: time.Now()}, Message: "lost\n\nProposal: crew/shop#5\n",
		})
		if err != nil || lost.Number != 5 {
			t.Fatal(lost.Number, err)
		}
		if p := d.until(lost.Number, "it is merged", func(p client.ProposalDetail) bool { return p.State == "merged" }); p.MergeCommit != commit {
			t.Errorf("it was merged by %s, want %s", p.MergeCommit, commit)
		}

		edit := func(number int, change map[string]any) error {
			return d.alice.Do(ctx, "PATCH", d.at(number), nil, change, nil)
		}
		if err := edit(draft.Number, map[string]any{"draft": true, "title": "New title"}); err != nil {
			t.Fatal(err)
		}
		if p := d.get(draft.Number); p.Title != "New title" || !slices.Equal(kinds(p), []string{"draft"}) {
			t.Errorf("edited it is %+v", p)
		}
		for what, change := range map[string]map[string]any{"nothing": {}, "no target": {"target": "none"}, "itself": {"target": "draft"}, "no title": {"title": " "}} {
			if err := edit(draft.Number, change); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
				t.Errorf("edited to %s: %v", what, err)
			}
		}
		// A renamed or deleted repository takes its proposals along.
		d.push("alice", "crew/other", map[string]string{"x": "x"})
		other := desk{d.ground, "crew/other"}
		other.propose("alice", "feature", map[string]string{"y": "y"})
		open := func(want int) {
			t.Helper()
			list, err := client.All[client.Proposal](ctx, d.admin, "/proposals", url.Values{"state": {"open"}})
			if err != nil || len(list) != want {
				t.Errorf("open are %+v, %v", list, err)
			}
		}
		open(3)
		if err := d.admin.Do(ctx, "DELETE", "/repositories/crew/other", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		open(2)
		if err := d.admin.Do(ctx, "POST", "/repositories/crew/other/restore", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		open(3)
		if err := d.admin.Do(ctx, "DELETE", "/repositories/crew/other?now=true", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		open(2)
		err = eventually(ctx, func() (bool, error) {
			kept := 0
			err := d.house.DB.Read(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(ctx, "SELECT COUNT(*) FROM proposals WHERE state = 'open'").Scan(&kept)
			})
			return kept == 2, err
		})
		if err != nil {
			t.Errorf("what was proposed in it is kept: %v", err)
		}
	})
}
