package forgetest

import (
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func account(b *bench) {
	h, err := b.Forge.Health(b.ctx())
	b.good("health", err)
	if h.Login != b.Login {
		b.t.Errorf("the forge takes the caller for %q, want %q", h.Login, b.Login)
	}
	if len(h.Missing) > 0 {
		b.t.Errorf("the credentials lack %v", h.Missing)
	}
	if b.has("rate") && (h.Rate.Limit <= 0 || h.Rate.Left <= 0) {
		b.t.Errorf("the rate is %+v", h.Rate)
	}
	_, err = b.Stranger.Health(b.ctx())
	b.refused("health of a stranger", err, fault.Unauthenticated)
	_, err = b.Stranger.ListRepositories(b.ctx(), b.Organization, page.Request{})
	b.refused("a stranger's list", err, fault.Unauthenticated)
}

func repositories(b *bench) {
	made := b.repository()
	if made.ID == "" || !strings.HasPrefix(made.Name, b.Organization+"/") || !made.Private || made.Archived || made.Description != "of a test" || !made.Empty {
		b.t.Errorf("made %+v", made)
	}
	_, err := b.Forge.CreateRepository(b.ctx(), forge.NewRepository{Name: made.Name})
	b.refused("a name that is taken", err, fault.Conflict)
	for _, bad := range []string{"", "alone", b.Organization + "/", b.Organization + "/a b", "/x", b.Organization + "/../x", b.Organization + "/x?y", b.Organization + "/.git"} {
		_, err := b.Forge.CreateRepository(b.ctx(), forge.NewRepository{Name: bad})
		b.refused("the name "+bad, err, fault.Invalid)
		_, err = b.Forge.GetRepository(b.ctx(), bad)
		b.refused("to read "+bad, err, fault.Invalid, fault.NotFound)
	}
	got, err := b.Forge.GetRepository(b.ctx(), made.Name)
	b.good("read it", err)
	if got.ID != made.ID || got.Name != made.Name || got.CloneURL == "" || got.URL == "" || got.Created.IsZero() {
		b.t.Errorf("read %+v, made %+v", got, made)
	}
	w := b.clone(made.Name)
	w.commit("main", "first", map[string]string{"a.txt": "a\n"})
	got = until(b, "what was pushed shows", func() (forge.Repository, error) { return b.Forge.GetRepository(b.ctx(), made.Name) }, func(r forge.Repository) bool { return !r.Empty })
	if got.DefaultBranch != "main" {
		b.t.Errorf("the default branch is %q", got.DefaultBranch)
	}
	known := forge.Known{}
	_, err = b.Forge.GetRepository(forge.Conditional(b.ctx(), &known), made.Name)
	b.good("read it", err)
	if known.Mark != "" { // Gitea gives none
		known = forge.Known{Mark: known.Mark}
		if got, err := b.Forge.GetRepository(forge.Conditional(b.ctx(), &known), made.Name); err == nil || !known.Unchanged {
			b.t.Errorf("read again, with nothing new, it is %+v", got)
		}
	}
	for range 4 {
		b.repository()
	}
	list := all(b, func(part page.Request) (page.Of[forge.Repository], error) {
		return b.Forge.ListRepositories(b.ctx(), b.Organization, part)
	})
	ids := map[string]int{}
	for _, r := range list {
		ids[r.ID]++
	}
	if len(list) < 5 || len(ids) != len(list) || ids[made.ID] != 1 {
		b.t.Errorf("the organization has %d repositories, %d of them once: %v", len(list), len(ids), ids)
	}
	within := all(b, func(part page.Request) (page.Of[forge.Repository], error) {
		return b.Forge.ListWithin(b.ctx(), b.Organization, part)
	})
	seen := map[string]bool{}
	for _, r := range within {
		seen[r.ID] = true
		if r.ID == made.ID && (r.Name != made.Name || r.DefaultBranch != "main" || !r.Private || r.Archived || r.Fork || r.Changed.IsZero()) {
			b.t.Errorf("within the organization it is %+v", r)
		}
	}
	for id := range ids {
		if !seen[id] {
			b.t.Errorf("within the organization there is no %s", id)
		}
	}
	if len(seen) != len(within) {
		b.t.Errorf("within the organization there are %d repositories, %d of them once", len(within), len(seen))
	}
	_, err = b.Forge.ListWithin(b.ctx(), "no-such-organization", page.Request{})
	b.refused("what lies within nobody", err, fault.NotFound)
	_, err = b.Stranger.ListWithin(b.ctx(), b.Organization, page.Request{})
	b.refused("a stranger's list of what lies within", err, fault.Unauthenticated)
	everywhere := all(b, func(part page.Request) (page.Of[forge.Repository], error) {
		return b.Forge.ListRepositories(b.ctx(), "", part)
	})
	if !slices.ContainsFunc(everywhere, func(r forge.Repository) bool { return r.ID == made.ID }) {
		b.t.Errorf("the caller's %d repositories are without it", len(everywhere))
	}
	if b.has("archiving") {
		b.good("archive", b.Forge.ArchiveRepository(b.ctx(), made.Name, true))
		if got, err = b.Forge.GetRepository(b.ctx(), made.Name); err != nil || !got.Archived {
			b.t.Errorf("archived it is %+v, %v", got, err)
		}
		b.good("take it out of the archive", b.Forge.ArchiveRepository(b.ctx(), made.Name, false))
	}
	b.good("delete", b.Forge.DeleteRepository(b.ctx(), made.Name))
	_, err = b.Forge.GetRepository(b.ctx(), made.Name)
	b.refused("what is deleted", err, fault.NotFound)
	b.refused("to delete it again", b.Forge.DeleteRepository(b.ctx(), made.Name), fault.NotFound)
}

func people(b *bench) {
	if !b.has("organizations") {
		_, err := b.Forge.ListOrganizations(b.ctx(), page.Request{})
		b.refused("organizations", err, fault.Invalid)
		return
	}
	organizations := all(b, func(part page.Request) (page.Of[forge.Organization], error) {
		return b.Forge.ListOrganizations(b.ctx(), part)
	})
	if !slices.ContainsFunc(organizations, func(o forge.Organization) bool { return o.Name == b.Organization && o.ID != "" }) {
		b.t.Errorf("the organizations are %+v", organizations)
	}
	teams := all(b, func(part page.Request) (page.Of[forge.Team], error) {
		return b.Forge.ListTeams(b.ctx(), b.Organization, part)
	})
	if !slices.ContainsFunc(teams, func(t forge.Team) bool { return t.Name == b.Team && t.ID != "" }) {
		b.t.Errorf("the teams are %+v", teams)
	}
	logins := func(team string) (out []string) {
		for _, p := range all(b, func(part page.Request) (page.Of[forge.Person], error) {
			return b.Forge.ListMembers(b.ctx(), b.Organization, team, part)
		}) {
			if p.ID == "" {
				b.t.Errorf("a member without an id: %+v", p)
			}
			out = append(out, p.Login)
		}
		return out
	}
	if members := logins(""); !b.App && !slices.Contains(members, b.Login) || !slices.Contains(members, b.ReviewerName) {
		b.t.Errorf("the members are %v", members)
	}
	if members := logins(b.Team); !slices.Equal(members, []string{b.ReviewerName}) {
		b.t.Errorf("the team's members are %v", members)
	}
	person, err := b.Forge.GetPerson(b.ctx(), b.ReviewerName)
	if err != nil || person.Login != b.ReviewerName || person.ID == "" || person.Bot {
		b.t.Errorf("the reviewer is %+v, %v", person, err)
	}
	_, err = b.Forge.GetPerson(b.ctx(), "no-such-account")
	b.refused("nobody", err, fault.NotFound)
	_, err = b.Forge.GetPerson(b.ctx(), "../user")
	b.refused("what is no name", err, fault.Invalid)
	_, err = b.Forge.ListTeams(b.ctx(), "no-such-organization", page.Request{})
	b.refused("teams of nobody", err, fault.NotFound)
	_, err = b.Forge.ListMembers(b.ctx(), b.Organization, "no-such-team", page.Request{})
	b.refused("members of no team", err, fault.NotFound)
}

// key is a public key that opens nothing.
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZ2Yk1hZGVGb3JBVGVzdE9mRGVwbG95S2V5c0FhQmJD"

func keys(b *bench) {
	r := b.repository()
	if !b.has("deploy keys") {
		_, err := b.Forge.ListDeployKeys(b.ctx(), r.Name)
		b.refused("deploy keys", err, fault.Invalid)
		return
	}
	k, err := b.Forge.AddDeployKey(b.ctx(), r.Name, forge.DeployKey{Title: "robot", Key: key, ReadOnly: true})
	b.good("add a key", err)
	_, err = b.Forge.AddDeployKey(b.ctx(), r.Name, forge.DeployKey{Title: "bad", Key: "not a key"})
	b.refused("what is no key", err, fault.Invalid)
	list, err := b.Forge.ListDeployKeys(b.ctx(), r.Name)
	if err != nil || len(list) != 1 || list[0].ID != k.ID || list[0].Title != "robot" || !strings.HasPrefix(list[0].Key, key) || !list[0].ReadOnly {
		b.t.Errorf("the keys are %+v, %v", list, err)
	}
	b.good("delete it", b.Forge.DeleteDeployKey(b.ctx(), r.Name, k.ID))
	b.refused("delete it again", b.Forge.DeleteDeployKey(b.ctx(), r.Name, k.ID), fault.NotFound)
	if list, err = b.Forge.ListDeployKeys(b.ctx(), r.Name); err != nil || len(list) != 0 {
		b.t.Errorf("the keys are %+v, %v", list, err)
	}
}
