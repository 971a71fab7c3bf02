package server

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestBranchesOfARepository lists, compares and deletes them.
func TestBranchesOfARepository(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		const at = "/repositories/crew/shop"
		first := d.branch("alice", "feature/one", map[string]string{"b.txt": "b\n"})
		d.branch("alice", "other", map[string]string{"a.txt": "other\n"})
		dir := d.dir + "/alice/crew/shop"
		d.do("alice", dir, "tag", "v1", first)
		d.do("alice", dir, "push", "--quiet", "origin", "v1")
		names := func(what string) (out []string) {
			t.Helper()
			list, err := client.All[client.Branch](ctx, d.as["rita"], at+"/"+what, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range list {
				out = append(out, b.Name+" by "+b.By.Name)
			}
			return out
		}
		if got := names("branches"); !slices.Equal(got, []string{"feature/one by alice", "main by alice", "other by alice"}) {
			t.Errorf("the branches are %q", got)
		}
		if got := names("tags"); !slices.Equal(got, []string{"v1 by alice"}) {
			t.Errorf("the tags are %q", got)
		}
		for _, head := range []string{"feature/one", "v1", first} {
			c, err := client.Get[client.Comparison](ctx, d.as["rita"], at+"/compare", url.Values{"base": {"main"}, "head": {head}})
			if err != nil || c.Ahead != 1 || c.Behind != 0 || len(c.Files) != 1 || c.Files[0].Path != "b.txt" || c.To != first {
				t.Errorf("main and %s: %+v, %v", head, c, err)
			}
		}
		for _, bad := range []url.Values{{"base": {"main"}, "head": {"none"}}, {"base": {"--all"}, "head": {"main"}}, {"base": {"../x"}, "head": {"main"}}} {
			if _, err := client.Get[client.Comparison](ctx, d.admin, at+"/compare", bad); !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
				t.Errorf("%v: %v", bad, err)
			}
		}
		remove := func(who, branch string) error {
			return d.as[who].Do(ctx, "DELETE", at+"/branches", url.Values{"name": {branch}}, nil, nil)
		}
		if err := remove("rita", "other"); !fault.Is(err, fault.Denied) {
			t.Errorf("rita deletes a branch: %v", err)
		}
		if err := remove("mallory", "other"); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory deletes a branch: %v", err)
		}
		if err := remove("alice", "main"); !fault.Is(err, fault.Conflict) {
			t.Errorf("alice deletes the default branch: %v", err)
		}
		if err := remove("alice", "none"); !fault.Is(err, fault.NotFound) {
			t.Errorf("alice deletes what is not there: %v", err)
		}
		d.apply("{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: other}, spec: {push: proposals, branches: [other]}}")
		if err := remove("alice", "other"); !fault.Is(err, fault.Denied) {
			t.Errorf("alice deletes what only proposals move: %v", err)
		}
		if err := remove("alice", "feature/one"); err != nil {
			t.Errorf("alice deletes hers: %v", err)
		}
		if got := names("branches"); !slices.Equal(got, []string{"main by alice", "other by alice"}) {
			t.Errorf("the branches are %q", got)
		}
		var entries []client.Entry
		err := eventually(ctx, func() (bool, error) { // when it is sealed
			all, err := client.All[client.Entry](ctx, d.admin, "/ledger", url.Values{"type": {"repository.pushed"}, "ref": {"repository:crew/shop"}})
			entries = all
			return len(all) >= 5, err
		})
		if err != nil || len(entries) != 5 || entries[0].Actor.Name != "alice" {
			t.Errorf("the ledger tells of %d moves, %v", len(entries), err)
		}
	})
}

// TestSettingsOfARepository changes them, its name and its space.
func TestSettingsOfARepository(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		change := func(who, repository string, to map[string]any) (r client.Repository, err error) {
			err = d.as[who].Do(ctx, "PATCH", "/repositories/"+repository, nil, to, &r)
			return r, err
		}
		if _, err := change("alice", "crew/shop", map[string]any{"description": "x"}); !fault.Is(err, fault.Denied) {
			t.Errorf("alice changes settings: %v", err)
		}
		if _, err := change("mallory", "crew/shop", map[string]any{"name": "crew/mine"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory renames it: %v", err)
		}
		r, err := change("admin", "crew/shop", map[string]any{"description": "Tills", "protected": false})
		if err != nil || r.Description != "Tills" || r.Protected || r.DefaultBranch != "main" {
			t.Errorf("changed: %+v, %v", r, err)
		}
		if _, err := change("admin", "crew/shop", map[string]any{"defaultBranch": "../x"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a bad branch: %v", err)
		}
		if _, err := change("admin", "crew/shop", map[string]any{"space": "none"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("a space that is not there: %v", err)
		}
		d.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: tills}, spec: {}}")
		if r, err = change("admin", "crew/shop", map[string]any{"name": "crew/tills", "space": "tills"}); err != nil || r.Name != "tills" || r.Space != "tills" {
			t.Errorf("renamed and moved: %+v, %v", r, err)
		}
		// git goes on by both names, for those who may read it; the old one is told to nobody else.
		for _, name := range []string{"tills", "shop"} {
			if got := d.do("admin", "", "ls-remote", d.url+"/git/crew/"+name+".git", "main"); got == "" {
				t.Errorf("by the name %s git finds nothing", name)
			}
		}
		dir := d.dir + "/alice/crew/shop"
		d.apply("{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: alice-tills}, spec: {role: developer, space: tills, subjects: ['user:default/alice']}}")
		write(t, dir+"/later.txt", "later")
		d.do("alice", dir, "add", "--all")
		d.do("alice", dir, "commit", "--quiet", "--message", "later")
		d.do("alice", dir, "push", "--quiet", "origin", "main")
		if _, err := client.Get[client.Repository](ctx, d.admin, "/repositories/crew/shop", nil); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "is called crew/tills now") {
			t.Errorf("by its old name: %v", err)
		}
		if _, err := client.Get[client.Repository](ctx, d.as["mallory"], "/repositories/crew/shop", nil); !fault.Is(err, fault.NotFound) || strings.Contains(err.Error(), "tills") {
			t.Errorf("mallory is told: %v", err)
		}
		if out, err := d.git(ctx, d.as["mallory"], "", "ls-remote", d.url+"/git/crew/shop.git"); err == nil || strings.Contains(out+err.Error(), "tills") {
			t.Errorf("mallory is led: %s, %v", out, err)
		}

		// What is archived is read and not changed, by nobody.
		p := desk{d.ground, "crew/shop"}.branchOnly("alice", "late")
		open, err := client.Post[client.ProposalDetail](ctx, d.admin, "/repositories/crew/tills/proposals", map[string]any{"source": p})
		if err != nil {
			t.Fatal(err)
		}
		if r, err = change("admin", "crew/tills", map[string]any{"archived": true}); err != nil || !r.Archived {
			t.Errorf("archived: %+v, %v", r, err)
		}
		if out, err := d.git(ctx, d.alice, dir, "push", "origin", "HEAD:refs/heads/more"); err == nil || !strings.Contains(out+err.Error(), "is archived") {
			t.Errorf("pushed to the archive: %s, %v", out, err)
		}
		if _, err := client.Post[client.ProposalDetail](ctx, d.admin, fmt.Sprintf("/repositories/crew/tills/proposals/%d/merge", open.Number), map[string]any{}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "is archived") {
			t.Errorf("merged in the archive: %v", err)
		}
		if got := d.do("admin", "", "ls-remote", d.url+"/git/crew/tills.git", "main"); got == "" {
			t.Error("in the archive git finds nothing")
		}
		if _, err = change("admin", "crew/tills", map[string]any{"archived": false}); err != nil {
			t.Error(err)
		}
		d.do("alice", dir, "push", "--quiet", "origin", "HEAD:refs/heads/more")
	})
}
