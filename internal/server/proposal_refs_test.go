package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// TestAProposalIsFetchedByPlainGit has git fetch a proposal by name, and nobody push there.
func TestAProposalIsFetchedByPlainGit(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		p := d.propose("alice", "feature", map[string]string{"a.txt": "one\n2\nthree\n"})
		folder := d.dir + "/bob-clone"
		d.do("bob", "", "clone", "--quiet", d.url+"/git/crew/shop.git", folder)
		if refs := d.do("bob", folder, "for-each-ref", "--format=%(refname)"); strings.Contains(refs, "proposals") {
			t.Errorf("a clone fetches %s", refs)
		}
		remote := func() map[string]string {
			out := map[string]string{}
			for line := range strings.Lines(d.do("bob", folder, "ls-remote", "origin", "refs/proposals/*")) {
				hash, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
				out[name] = hash
			}
			return out
		}
		shows := func(what string, ok func(refs map[string]string) bool) map[string]string {
			t.Helper()
			var refs map[string]string
			if err := within(t, func() (bool, error) { refs = remote(); return ok(refs), nil }); err != nil {
				t.Fatalf("%s: %v: %v", what, refs, err)
			}
			return refs
		}
		refs := shows("opened", func(refs map[string]string) bool { return len(refs) == 2 })
		if refs["refs/proposals/1/head"] != p.Head {
			t.Errorf("it leads to %v, not to %s", refs, p.Head)
		}
		d.do("bob", folder, "fetch", "--quiet", "origin", "refs/proposals/1/merge")
		if parents := d.do("bob", folder, "log", "-1", "--format=%P", "FETCH_HEAD"); parents != p.Base+" "+p.Head {
			t.Errorf("the merge is of %s", parents)
		}
		for _, ref := range []string{"refs/proposals/1/head", "refs/proposals/9/head"} {
			if out, err := d.git(t.Context(), d.alice, d.dir+"/alice/crew/shop", "push", "--force", "origin", "main:"+ref); err == nil {
				t.Errorf("pushed to %s: %s", ref, out)
			}
		}
		// What was there before is rewritten: it is kept for those who looked at it.
		dir := d.dir + "/alice/crew/shop"
		d.do("alice", dir, "switch", "--quiet", "feature")
		d.do("alice", dir, "commit", "--quiet", "--amend", "--message", "rewritten")
		d.do("alice", dir, "push", "--quiet", "--force", "origin", "feature")
		head := d.do("alice", dir, "rev-parse", "HEAD")
		shows("rewritten", func(refs map[string]string) bool { return refs["refs/proposals/1/head"] == head })
		r, err := d.house.Repositories.Platform().Get(t.Context(), "crew/shop")
		if err != nil {
			t.Fatal(err)
		}
		bare := d.house.Options.Data + "/repositories/" + r.ID + ".git"
		if kept := d.do("alice", bare, "for-each-ref", "--format=%(objectname)", "refs/roadbed/proposals"); kept != p.Head {
			t.Errorf("kept is %q, want %s", kept, p.Head)
		}
		// It gets in the way of main: there is no merge to fetch.
		d.do("alice", dir, "switch", "--quiet", "main")
		d.push("alice", "crew/shop", map[string]string{"a.txt": "one\nzwei\nthree\n"})
		shows("in conflict", func(refs map[string]string) bool { return len(refs) == 1 })
		if _, err := client.Post[client.ProposalDetail](t.Context(), d.alice, d.at(1, "close"), nil); err != nil {
			t.Fatal(err)
		}
		d.do("alice", dir, "push", "--quiet", "origin", "--delete", "feature")
		shows("closed", func(refs map[string]string) bool { return refs["refs/proposals/1/head"] == head })
		entries, err := client.Get[client.List[client.Entry]](t.Context(), d.admin, "/ledger?type=repository.pushed", nil)
		for _, e := range entries.Items {
			if strings.Contains(string(e.Data), "refs/proposals") {
				t.Errorf("the ledger tells of %s", e.Data)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// TestAProposalIsCheckedOut has the command line switch a clone to a proposal, and bring it forward.
func TestAProposalIsCheckedOut(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	g.push("alice", "crew/shop", map[string]string{"a.txt": "one\n"})
	d := desk{g, "crew/shop"}
	p := d.propose("alice", "feature", map[string]string{"a.txt": "1\n"})
	folder := g.dir + "/bob-clone"
	g.do("bob", "", "clone", "--quiet", g.url+"/git/crew/shop.git", folder)
	atTerminal(t, server.URL, g.bob.Token)
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "credential.helper")
	t.Setenv("GIT_CONFIG_VALUE_0", "!f() { echo username=x; echo password="+g.bob.Token+"; }; f")
	head := func() string { return g.do("bob", folder, "rev-parse", "HEAD") }
	checkout := func(line string, want int) {
		t.Helper()
		if code, out, problem := say("proposal checkout " + line + " --folder " + folder); code != want {
			t.Fatalf("checkout %s = %d: %s%s", line, code, out, problem)
		}
	}
	if err := within(t, func() (bool, error) {
		return g.do("bob", folder, "ls-remote", "origin", "refs/proposals/1/merge") != "", nil
	}); err != nil {
		t.Fatal(err)
	}
	checkout("crew/shop#1", 0)
	if branch := g.do("bob", folder, "branch", "--show-current"); head() != p.Head || branch != "proposal/1" {
		t.Errorf("it is at %s on %s", head(), branch)
	}
	checkout("1 --merge", 0)
	if parents := g.do("bob", folder, "log", "-1", "--format=%P"); parents != p.Base+" "+p.Head {
		t.Errorf("the merge is of %s", parents)
	}
	next := d.branch("alice", "feature", map[string]string{"a.txt": "2\n"})
	if err := within(t, func() (bool, error) {
		return strings.HasPrefix(g.do("bob", folder, "ls-remote", "origin", "refs/proposals/1/head"), next), nil
	}); err != nil {
		t.Fatal(err)
	}
	checkout("1", 0)
	if head() != next {
		t.Errorf("it is at %s, want %s", head(), next)
	}
	checkout("x", 2)
	checkout("7", 1)
}

// within is eventually, of what takes no longer than some seconds.
func within(t *testing.T, ask func() (bool, error)) error {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	return eventually(ctx, ask)
}
