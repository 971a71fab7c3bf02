package proposal

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestOwners(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/CODEOWNERS")
	if err != nil {
		t.Fatal(err)
	}
	sections, warnings := parseOwners(string(text))
	for file, want := range map[string]string{
		"README.md": "@everyone", "main.go": "@gophers", "a/b/main.go": "@gophers", "docs/a.md": "@editors", "docs/deep/a.md": "@writers alice@example.com",
		"other/docs/a.md": "@everyone", "apps/shop/deploy": "@ops", "apps/shop/eu/deploy/x.yaml": "@ops", "apps/deploy/x": "@ops", "build logs/1.txt": "@builders", "secret.txt": "", "deep/secret.txt": "",
		"infra/main.tf": "@everyone + 2 Infrastructure: @platform/infra", "x/infra/main.tf": "@everyone + 2 Infrastructure: @platform/infra", "infra": "@everyone",
		"infra/generated.tf": "@everyone", "infra/state.tf": "@everyone + 2 Infrastructure: @bob",
		"modules/a.tf": "@everyone + maybe Optional: user:default/tess", "modules/deep/a.tf": "@everyone", "a#b.txt": "@everyone + maybe Optional: @hash",
	} {
		var got []string
		for _, o := range ownedBy(sections, []string{file}) {
			head := ""
			if o.Section != "" {
				head = o.Section + ": "
			}
			if o.Needs > 1 {
				head = strconv.Itoa(o.Needs) + " " + head
			}
			if o.Optional {
				head = "maybe " + head
			}
			got = append(got, head+strings.Join(o.Owners, " "))
		}
		if got := strings.Join(got, " + "); got != want {
			t.Errorf("%s belongs to %q, want %q", file, got, want)
		}
	}
	wantWarnings := []string{"line 4: alice@example.com is an address", "line 16: \"^[Broken\" is no header", "line 17: \"a[\" is no pattern", "line 18: someone is no owner", "line 19: @@maintainer is a role"}
	for i, w := range wantWarnings {
		if i >= len(warnings) || !strings.HasPrefix(warnings[i], w) {
			t.Fatalf("warnings are %q, want %q", warnings, wantWarnings)
		}
	}
	// A word that is kept for an owner is one of those that mean the person exactly where means says so.
	for _, owner := range []string{"@alice", "@Alice", "@infra", "@platform/infra", "@team", "group:payments/team", "user:default/alice", "@bob", "alice@example.com", "alice", "@x/alice", "group:default/infra"} {
		who := actor.Principal{Ref: ref.New("user", "default", "alice"), Groups: []string{"group:default/infra", "group:payments/team"}}
		if got := slices.Contains(wordsFor(who), wordOf(owner)); got != means(owner, who) {
			t.Errorf("%s waits for alice: %v", owner, got)
		}
	}
	alice := actor.Principal{Ref: ref.New("user", "default", "alice"), Groups: []string{"group:default/infra", "group:payments/team"}}
	for owner, want := range map[string]bool{
		"@alice": true, "@Alice": true, "@infra": true, "@platform/infra": true, "@team": false, "group:payments/team": true, "user:default/alice": true,
		"@bob": false, "alice@example.com": false, "alice": false, "@": false, "@/": false, "": false,
	} {
		if got := means(owner, alice); got != want {
			t.Errorf("%q means alice: %v", owner, got)
		}
	}
}

// Rules add up to what is strictest of each.
func TestRulesAddUp(t *testing.T) {
	t.Parallel()
	d := Demand{}.
		add("a", Spec{Approvals: 2, Checks: []string{"test"}, Ways: []string{"squash", "merge"}}).
		add("b", Spec{Approvals: 1, Fresh: true, Checks: []string{"lint", "test"}, Push: OnlyProposals}).
		add("c", Spec{Owners: true, UpToDate: true, Talks: true, Ways: []string{"squash", "rebase"}})
	want := Demand{
		Rules: []string{"a", "b", "c"}, Push: OnlyProposals, Approvals: 2, Fresh: true, Owners: true, Checks: []string{"test", "lint"}, UpToDate: true, Talks: true,
		Ways: []string{"squash"},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	if none := d.add("d", Spec{Ways: []string{"merge"}}).add("e", Spec{Ways: []string{"squash"}}); !cmp.Equal(none.ways(), []string{"none"}) {
		t.Errorf("rules that leave no way leave %v", none.ways())
	}
	for _, c := range []struct {
		spec               Spec
		repository, branch string
		want               bool
	}{
		{Spec{}, "a/b", "main", true}, {Spec{}, "a/b", "other", false}, {Spec{Branches: []string{"rel-*"}}, "a/b", "rel-1", true},
		{Spec{Branches: []string{"feature/**"}}, "a/b", "feature/x/y", true}, {Spec{Repositories: []string{"a/*"}}, "a/b", "main", true},
		{Spec{Repositories: []string{"a/*"}}, "b/b", "main", false}, {Spec{Repositories: []string{"a/**"}}, "a/b", "main", true},
	} {
		if got := c.spec.holds(c.repository, c.branch, "main"); got != c.want {
			t.Errorf("%+v holds for %s of %s: %v", c.spec, c.branch, c.repository, got)
		}
	}
}

func TestBlockers(t *testing.T) {
	t.Parallel()
	good := Facts{Proposal: Proposal{State: Open, Head: "h2", Source: "feature", Target: "main", Standing: git.Standing{Base: "b", Ahead: 2, Behind: 1}}, Authors: []string{"alice", "carol"}}
	with := func(change func(f *Facts)) Facts {
		f := good
		f.Reviews, f.Checks = nil, nil
		change(&f)
		return f
	}
	review := func(who, verdict, head string) Review { return Review{Author: who, Verdict: verdict, Head: head} }
	for what, c := range map[string]struct {
		facts Facts
		want  string
	}{
		"nothing":     {good, ""},
		"merged":      {with(func(f *Facts) { f.Proposal.State = Merged; f.Proposal.Draft = true }), "state"},
		"a draft":     {with(func(f *Facts) { f.Proposal.Draft = true }), "draft"},
		"conflicts":   {with(func(f *Facts) { f.Proposal.Standing.Conflicts = []string{"a", "b"} }), "conflicts"},
		"aliens":      {with(func(f *Facts) { f.Proposal.Standing.Base = "" }), "conflicts"},
		"nothing new": {with(func(f *Facts) { f.Proposal.Standing.Ahead = 0 }), "nothing"},
		"behind":      {with(func(f *Facts) { f.Demand.UpToDate = true }), "behind"},
		"no approval": {with(func(f *Facts) { f.Demand.Approvals = 1 }), "approvals"},
		"an author's": {with(func(f *Facts) { f.Demand.Approvals = 1; f.Reviews = []Review{review("carol", Approved, "h2")} }), "approvals"},
		"an approval": {with(func(f *Facts) { f.Demand.Approvals = 1; f.Reviews = []Review{review("bob", Approved, "h1")} }), ""},
		"an old one": {with(func(f *Facts) {
			f.Demand.Approvals = 1
			f.Demand.Fresh = true
			f.Reviews = []Review{review("bob", Approved, "h1")}
		}), "approvals"},
		"a fresh one": {with(func(f *Facts) {
			f.Demand.Approvals = 1
			f.Demand.Fresh = true
			f.Reviews = []Review{review("bob", Approved, "h2")}
		}), ""},
		"one's two": {with(func(f *Facts) {
			f.Demand.Approvals = 2
			f.Reviews = []Review{review("bob", Approved, "h2"), review("bob", Approved, "h2")}
		}), "approvals"},
		"only comments": {with(func(f *Facts) {
			f.Demand.Approvals = 1
			f.Reviews = []Review{review("bob", Approved, "h2"), review("bob", Commented, "h2")}
		}), ""},
		"refused":         {with(func(f *Facts) { f.Reviews = []Review{review("bob", Approved, "h2"), review("dave", Refused, "h1")} }), "refused"},
		"satisfied":       {with(func(f *Facts) { f.Reviews = []Review{review("bob", Refused, "h1"), review("bob", Approved, "h2")} }), ""},
		"owners":          {with(func(f *Facts) { f.Owners = []Owned{{Owners: []string{"@ops"}, Files: []string{"x"}}} }), "owners"},
		"optional owners": {with(func(f *Facts) { f.Owners = []Owned{{Owners: []string{"@ops"}, Files: []string{"x"}, Optional: true}} }), ""},
		"one of two owners": {with(func(f *Facts) {
			f.Owners = []Owned{{Owners: []string{"@ops"}, Files: []string{"x"}, People: []string{"bob"}, Needs: 2}}
		}), "owners"},
		"owners agree": {with(func(f *Facts) {
			f.Owners = []Owned{{Owners: []string{"@ops"}, Files: []string{"x"}, People: []string{"bob"}}}
			f.Reviews = []Review{review("bob", Approved, "h2")}
		}), ""},
		"checks": {with(func(f *Facts) {
			f.Demand.Checks = []string{"a", "b", "c", "d"}
			f.Checks = []Check{{Name: "a", State: CheckPassed}, {Name: "b", State: CheckFailed}, {Name: "c", State: CheckPending}, {Name: "other", State: CheckFailed}}
		}), "check check? check?"},
		"talks":        {with(func(f *Facts) { f.Demand.Talks = true; f.Open = 2 }), "talks"},
		"unheard talk": {with(func(f *Facts) { f.Open = 2 }), ""},
	} {
		var got []string
		for _, b := range blockers(c.facts) {
			kind := b.Kind
			if b.Waits {
				kind += "?"
			}
			got = append(got, kind)
			if b.Message == "" {
				t.Errorf("%s: %s says nothing", what, b.Kind)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", what, got, c.want)
		}
	}
}

func TestFullNames(t *testing.T) {
	t.Parallel()
	if r, n, err := ParseFull(Full("team/shop", 12)); err != nil || r != "team/shop" || n != 12 {
		t.Error(r, n, err)
	}
	for _, bad := range []string{"", "team/shop", "team/shop#", "team/shop#0", "team/shop#-1", "team/shop#x"} {
		if _, _, err := ParseFull(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
