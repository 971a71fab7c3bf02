package server

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestProposalsWaitForThoseWhoAreMeant lists and counts proposals by what people look for, with how their heads stand.
func TestProposalsWaitForThoseWhoAreMeant(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		owned := d.propose("alice", "owned", map[string]string{"docs/x.md": "x\n"}) // bob's, by CODEOWNERS
		given := d.propose("alice", "given", map[string]string{"g_1.txt": "g\n"})
		d.propose("bob", "bobs", map[string]string{"docs/y.md": "y\n"})
		list := func(who string, q url.Values) (numbers []int) {
			t.Helper()
			all, err := client.All[client.ProposalLine](ctx, d.as[who], "/proposals", q)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range all {
				numbers = append(numbers, p.Number)
			}
			return numbers
		}
		waits := func(who string, want ...int) {
			t.Helper()
			var got []int
			if within(t, func() (bool, error) {
				got = list(who, url.Values{"waiting": {"true"}})
				return slices.Equal(got, want), nil
			}) != nil {
				t.Fatalf("for %s wait %v, want %v", who, got, want)
			}
		}
		waits("bob", owned.Number)
		waits("rita")
		if err := d.alice.Do(ctx, "PATCH", d.at(given.Number), nil, map[string]any{"assignees": []string{"user:default/bob", "@rita", "bob"}}, nil); err != nil {
			t.Fatal(err)
		}
		waits("bob", given.Number, owned.Number)
		waits("rita", given.Number)
		home, err := client.Get[client.Home](ctx, d.as["bob"], "/home", nil)
		if err != nil || len(home.Proposals) != 2 {
			t.Errorf("at home bob finds %+v, %v", home.Proposals, err)
		}
		// A verdict on the head ends the wait, and a push begins it anew.
		for _, n := range []int{owned.Number, given.Number} {
			if err := d.review("bob", n, "approved", nil); err != nil {
				t.Fatal(err)
			}
		}
		waits("bob")
		if err := d.review("bob", given.Number, "refused", map[string]any{"body": "no"}); err != nil {
			t.Fatal(err)
		}
		if err := d.alice.Do(ctx, "PUT", "/repositories/crew/shop/checks/"+given.Head, nil, map[string]string{"name": "unit", "state": "failed"}, nil); err != nil {
			t.Fatal(err)
		}
		d.apply("{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: main}, spec: {approvals: 2}}")
		lines, err := client.All[client.ProposalLine](ctx, d.admin, "/proposals", url.Values{"text": {"G_1.TXT"}})
		if err != nil || len(lines) != 1 || lines[0].Refusals != 1 || lines[0].Approvals != 0 || lines[0].Wanted != 2 || lines[0].Failed != 1 || len(lines[0].Assignees) != 2 {
			t.Errorf("it stands as %+v, %v", lines, err)
		}
		d.branch("alice", "given", map[string]string{"g_1.txt": "gg\n"})
		waits("bob", given.Number)
		for _, c := range []struct {
			q    url.Values
			want []int
		}{
			{url.Values{"text": {"docs"}}, []int{3, 1}}, {url.Values{"text": {"g%1"}}, nil}, {url.Values{"author": {"me"}}, []int{3}}, {url.Values{"assignee": {"me"}}, []int{2}},
			{url.Values{"draft": {"true"}}, nil}, {url.Values{"draft": {"false"}, "target": {"main"}}, []int{3, 2, 1}}, {url.Values{"source": {"owned"}}, []int{1}},
		} {
			if got := list("bob", c.q); !slices.Equal(got, c.want) {
				t.Errorf("by %v: %v, want %v", c.q, got, c.want)
			}
		}
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(owned.Number, "close"), nil); err != nil {
			t.Fatal(err)
		}
		n, err := client.Get[client.ProposalCounts](ctx, d.as["bob"], "/proposals/counts", nil)
		if err != nil || n != (client.ProposalCounts{Open: 2, Closed: 1, Waiting: 1}) {
			t.Errorf("there are %+v, %v", n, err)
		}
		if n, err = client.Get[client.ProposalCounts](ctx, d.as["mallory"], "/proposals/counts", nil); err != nil || n != (client.ProposalCounts{}) {
			t.Errorf("mallory counts %+v, %v", n, err)
		}
		err = within(t, func() (bool, error) {
			all, err := client.All[client.Entry](ctx, d.admin, "/ledger", url.Values{"type": {"proposal.asked"}})
			return slices.ContainsFunc(all, func(e client.Entry) bool {
				return e.Subject == "proposal:crew/shop#1" && strings.Contains(string(e.Data), `"owners":["@bob"]`)
			}), err
		})
		if err != nil {
			t.Errorf("nobody was told whom it asks: %v", err)
		}
	})
}

// TestADiffIsAskedForInParts has large files folded, one file alone, white space left out, and what was done since a look.
func TestADiffIsAskedForInParts(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		large := strings.Repeat("a line that is not so short\n", 5000)
		p := d.propose("alice", "feature", map[string]string{"large.txt": large, "a.txt": "one\n two\nthree\n", "b.txt": "b\n"})
		diff := func(q url.Values) client.Diff {
			t.Helper()
			out, err := client.Get[client.Diff](t.Context(), d.as["rita"], d.at(p.Number, "diff"), q)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		all := diff(nil)
		if len(all.Files) != 3 || all.Truncated || !all.Files[2].Folded || all.Files[2].Patch != "" || all.Files[2].Additions != 5000 || all.Files[0].Folded || all.Files[2].NewHash == "" {
			t.Errorf("all of it is %+v", all.Files)
		}
		one := diff(url.Values{"file": {"large.txt"}})
		if len(one.Files) != 1 || one.Files[0].Folded || len(one.Files[0].Patch) < len(large) {
			t.Errorf("alone it is %d files", len(one.Files))
		}
		if got := diff(url.Values{"space": {"ignore"}}); len(got.Files) != 2 || got.Files[0].Path != "b.txt" {
			t.Errorf("without white space it is %+v", got.Files)
		}
		// main goes on, and the branch is made anew on it.
		dir := d.dir + "/alice/crew/shop"
		d.do("alice", dir, "switch", "--quiet", "main")
		d.push("alice", "crew/shop", map[string]string{"elsewhere.txt": "e\n"})
		d.do("alice", dir, "switch", "--quiet", "feature")
		d.do("alice", dir, "rebase", "--quiet", "main")
		write(t, dir+"/b.txt", "bee\n")
		d.do("alice", dir, "commit", "--quiet", "--all", "--message", "bee")
		d.do("alice", dir, "push", "--quiet", "--force", "origin", "feature")
		head := d.do("alice", dir, "rev-parse", "HEAD")
		d.until(p.Number, "the push shows", func(p client.ProposalDetail) bool { return p.Head == head })
		since := diff(url.Values{"since": {p.Head}})
		if len(since.Files) != 1 || since.Files[0].Patch != "@@ -1 +1 @@\n-b\n+bee\n" {
			t.Errorf("since the look it is %+v", since.Files)
		}
		for what, q := range map[string]url.Values{"no commit": {"since": {"x"}}, "one that is not there": {"since": {strings.Repeat("1", 40)}}, "no path": {"file": {"../x"}}} {
			if _, err := client.Get[client.Diff](t.Context(), d.alice, d.at(p.Number, "diff"), q); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
