package server

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/forgetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const forgePeople = `
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: acme}, spec: {type: company, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: reviewers}, spec: {type: team, parent: acme, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: ann}, spec: {memberOf: [acme]}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: rob}, spec: {memberOf: [reviewers]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: ann-administers}, spec: {role: admin, space: default, subjects: ["user:default/ann"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: rob-develops}, spec: {role: developer, space: default, subjects: ["user:default/rob"]}}
`

// TestHostedGitIsAForge holds the platform's own repositories and proposals to the contract of outside forges.
func TestHostedGitIsAForge(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		g := newGround(t, h, server)
		g.apply(forgePeople)
		as := func(name string) hosted {
			return hosted{h, server.URL, g.token("user:default/" + name)}
		}
		forgetest.Test(t, func(*testing.T) *forgetest.Ground {
			return &forgetest.Ground{
				Forge: as("ann"), Reviewer: as("rob"), Stranger: hosted{h, server.URL, "rbt_nobody"}, Kind: "hosted",
				Organization: "acme", Team: "reviewers", Login: "ann", ReviewerName: "rob",
				// Git comes over HTTP with tokens of narrow scope, and the ledger tells of what happens.
				Lacks: []string{"deploy keys", "webhooks", "rate"},
			}
		})
	})
}

// hosted is the platform's own git as a forge, seen with one token. Its organizations are groups that are in no other,
// which own the repositories of the namespace of their name; its teams are the groups below them.
type hosted struct {
	house      *House
	url, token string
}

var _ forge.Forge = hosted{}

// in gives the context of whoever the token is for.
func (f hosted) in(ctx context.Context) (context.Context, error) {
	who, err := f.house.Identity.Authenticate(ctx, f.token)
	return actor.With(ctx, who), err
}

func (f hosted) Health(ctx context.Context) (forge.Health, error) {
	ctx, err := f.in(ctx)
	who := actor.From(ctx)
	return forge.Health{Login: who.Ref.Name, Version: f.house.Version, Scopes: who.Scopes}, err
}

func (f hosted) Clone(ctx context.Context, name string) (forge.Clone, error) {
	if ctx, err := f.in(ctx); err != nil {
		return forge.Clone{}, err
	} else if _, err := f.house.Repositories.Get(ctx, name); err != nil {
		return forge.Clone{}, err
	}
	return forge.Clone{URL: f.url + "/git/" + name + ".git", Username: "token", Password: f.token}, nil
}

func (f hosted) repository(r repository.Repository) forge.Repository {
	return forge.Repository{
		ID: r.ID, Name: r.FullName(), Description: r.Description, DefaultBranch: r.DefaultBranch, URL: f.url + "/repositories/" + r.FullName(),
		CloneURL: f.url + "/git/" + r.FullName() + ".git", Private: true, Archived: r.Archived, Empty: r.Head == "", Created: r.Created, Changed: r.Pushed,
	}
}

func (f hosted) ListRepositories(ctx context.Context, owner string, part page.Request) (out page.Of[forge.Repository], err error) {
	if ctx, err = f.in(ctx); err != nil {
		return out, err
	}
	got, err := f.house.Repositories.List(ctx, repository.Query{Namespace: owner, Limit: part.Size(), Cursor: part.Cursor})
	for _, r := range got.Items {
		out.Items = append(out.Items, f.repository(r))
	}
	out.Next = got.Next
	return out, err
}

// ListWithin gives the repositories of a namespace: none lies within another.
func (f hosted) ListWithin(ctx context.Context, organization string, part page.Request) (out page.Of[forge.Repository], err error) {
	if _, _, err := f.groups(ctx, organization); err != nil {
		return out, err
	}
	return f.ListRepositories(ctx, organization, part)
}

func (f hosted) GetRepository(ctx context.Context, name string) (forge.Repository, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Repository{}, err
	}
	r, err := f.house.Repositories.Get(ctx, name)
	return f.repository(r), err
}

func (f hosted) CreateRepository(ctx context.Context, n forge.NewRepository) (forge.Repository, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Repository{}, err
	}
	namespace, name, err := repository.ParseName(n.Name)
	if err != nil {
		return forge.Repository{}, err
	}
	r, err := f.house.Repositories.Create(ctx, repository.NewRepository{Namespace: namespace, Name: name, Description: n.Description, DefaultBranch: n.DefaultBranch})
	return f.repository(r), err
}

func (f hosted) ArchiveRepository(ctx context.Context, name string, archived bool) error {
	ctx, err := f.in(ctx)
	if err == nil {
		_, err = f.house.Repositories.Update(ctx, name, repository.Change{Archived: &archived})
	}
	return err
}

func (f hosted) DeleteRepository(ctx context.Context, name string) error {
	ctx, err := f.in(ctx)
	if err == nil {
		err = f.house.Repositories.Delete(ctx, name)
	}
	return err
}

func (f hosted) lacks(what string) error {
	return fault.Errorf(fault.Invalid, "hosted repositories have no %s", what)
}

func (f hosted) ListDeployKeys(context.Context, string) ([]forge.DeployKey, error) {
	return nil, f.lacks("deploy keys")
}

func (f hosted) AddDeployKey(context.Context, string, forge.DeployKey) (forge.DeployKey, error) {
	return forge.DeployKey{}, f.lacks("deploy keys")
}

func (f hosted) DeleteDeployKey(context.Context, string, string) error {
	return f.lacks("deploy keys")
}

func (f hosted) ListHooks(context.Context, forge.HookTarget) ([]forge.Hook, error) {
	return nil, f.lacks("webhooks")
}

func (f hosted) RegisterHook(context.Context, forge.HookTarget, forge.NewHook) (forge.Hook, error) {
	return forge.Hook{}, f.lacks("webhooks")
}

func (f hosted) DeleteHook(context.Context, forge.HookTarget, string) error {
	return f.lacks("webhooks")
}

// entities gives all documents of a kind that the caller may see.
func (f hosted) entities(ctx context.Context, kind string) (all []catalog.Entity, err error) {
	if ctx, err = f.in(ctx); err != nil {
		return nil, err
	}
	for q := (catalog.Query{Kinds: []string{kind}}); ; {
		got, err := f.house.Catalog.List(ctx, q)
		if err != nil {
			return nil, err
		}
		if all = append(all, got.Items...); got.Next == "" {
			return all, nil
		}
		q.Cursor = got.Next
	}
}

// groups gives an organization and the groups below it; NotFound when there is none.
func (f hosted) groups(ctx context.Context, organization string) (own catalog.Entity, below []catalog.Entity, err error) {
	all, err := f.entities(ctx, "Group")
	for _, e := range all {
		switch parent, _ := e.Document.Spec["parent"].(string); {
		case parent == "" && e.Ref.Name == organization:
			own = e
		case parent == organization:
			below = append(below, e)
		}
	}
	if err == nil && own.UID == "" {
		err = fault.Errorf(fault.NotFound, "there is no group %s", organization)
	}
	return own, below, err
}

func (f hosted) ListOrganizations(ctx context.Context, part page.Request) (page.Of[forge.Organization], error) {
	all, err := f.entities(ctx, "Group")
	var out []forge.Organization
	for _, e := range all {
		if parent, _ := e.Document.Spec["parent"].(string); parent == "" {
			out = append(out, forge.Organization{ID: e.UID, Name: e.Ref.Name, Title: e.Document.Metadata.Title})
		}
	}
	return page.From(out, part, func(o forge.Organization) string { return o.Name }), err
}

func (f hosted) ListTeams(ctx context.Context, organization string, part page.Request) (page.Of[forge.Team], error) {
	_, below, err := f.groups(ctx, organization)
	out := make([]forge.Team, len(below))
	for i, e := range below {
		out[i] = forge.Team{ID: e.UID, Name: e.Ref.Name, Title: e.Document.Metadata.Title}
	}
	return page.From(out, part, func(t forge.Team) string { return t.Name }), err
}

func (f hosted) ListMembers(ctx context.Context, organization, team string, part page.Request) (list page.Of[forge.Person], err error) {
	own, below, err := f.groups(ctx, organization)
	if err != nil {
		return list, err
	}
	in := map[string]bool{}
	for _, e := range append(below, own) {
		if team == "" || e.Ref.Name == team && e.UID != own.UID {
			in[e.Ref.String()] = true
		}
	}
	if len(in) == 0 {
		return list, fault.Errorf(fault.NotFound, "there is no group %s in %s", team, organization)
	}
	users, err := f.entities(ctx, "User")
	var out []forge.Person
	for _, e := range users {
		groups, _ := e.Document.Spec["memberOf"].([]any)
		if slices.ContainsFunc(groups, func(g any) bool {
			r, err := ref.Parse(fmt.Sprint(g), "group", ref.DefaultNamespace)
			return err == nil && in[r.String()]
		}) {
			out = append(out, forge.Person{ID: e.UID, Login: e.Ref.Name, Name: e.Document.Metadata.Title})
		}
	}
	return page.From(out, part, func(p forge.Person) string { return p.Login }), err
}

func (f hosted) GetPerson(ctx context.Context, login string) (forge.Person, error) {
	if !ref.ValidName(login) {
		return forge.Person{}, fault.Errorf(fault.Invalid, "%q is no name", login)
	}
	users, err := f.entities(ctx, "User")
	if err != nil {
		return forge.Person{}, err
	}
	for _, e := range users {
		if e.Ref.Name == login {
			return forge.Person{ID: e.UID, Login: e.Ref.Name, Name: e.Document.Metadata.Title}, nil
		}
	}
	return forge.Person{}, fault.Errorf(fault.NotFound, "there is no %s", login)
}

// people gives whom opaque ids stand for.
func (f hosted) people(ctx context.Context, ids ...string) (func(id string) forge.Person, error) {
	who := map[string]forge.Person{}
	err := f.house.DB.Read(ctx, func(tx *store.Tx) error {
		names, err := f.house.Identity.Names(ctx, tx, ids)
		for id, d := range names {
			who[id] = forge.Person{ID: id, Login: d.Ref.Name, Name: d.Name}
		}
		return err
	})
	return func(id string) forge.Person { return who[id] }, err
}

func (f hosted) ReadFile(ctx context.Context, name, rev, path string, limit int64) ([]byte, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return nil, err
	}
	e, err := f.house.Repositories.Entry(ctx, name, rev, path)
	switch clean, wrong := git.CheckPath(path); {
	case wrong != nil || clean != path: // the platform takes any way of writing a path within
		return nil, fault.Errorf(fault.Invalid, "%q is not a path in a repository", path)
	case err != nil:
		return nil, err
	case e.Mode == "120000":
		return []byte(e.Target), nil
	}
	return f.house.Repositories.ReadFile(ctx, name, rev, path, limit)
}

func (f hosted) ListTree(ctx context.Context, name, rev, path string, recursive bool) (t forge.Tree, err error) {
	if ctx, err = f.in(ctx); err != nil {
		return t, err
	}
	if t.Commit, err = f.house.Repositories.Resolve(ctx, name, rev); err != nil {
		return t, err
	}
	for folders := []string{path}; len(folders) > 0; folders = folders[1:] {
		entries, err := f.house.Repositories.Tree(ctx, name, t.Commit, folders[0])
		if err != nil {
			return t, err
		}
		for _, e := range entries {
			kind := map[string]string{"tree": forge.TypeFolder, "commit": forge.TypeProject}[e.Type]
			switch {
			case kind == forge.TypeFolder && recursive:
				folders = append(folders, e.Path)
				continue
			case e.Mode == "120000":
				kind = forge.TypeLink
			case kind == "":
				kind = forge.TypeFile
			}
			t.Entries = append(t.Entries, forge.Entry{Path: e.Path, Type: kind, Hash: e.Hash, Size: e.Size})
		}
	}
	return t, nil
}

func (f hosted) commit(name string, c git.Commit) forge.Commit {
	return forge.Commit{
		Hash: c.Hash, Parents: c.Parents, Message: c.Message, Author: forge.Signature(c.Author), Committer: forge.Signature(c.Committer),
		URL: f.url + "/repositories/" + name + "/commits/" + c.Hash,
	}
}

func (f hosted) GetCommit(ctx context.Context, name, rev string) (forge.Commit, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Commit{}, err
	}
	c, err := f.house.Repositories.Commit(ctx, name, rev)
	return f.commit(name, c), err
}

func (f hosted) ListCommits(ctx context.Context, name, rev, path string, part page.Request) (out page.Of[forge.Commit], err error) {
	if ctx, err = f.in(ctx); err != nil {
		return out, err
	}
	got, err := f.house.Repositories.Log(ctx, name, rev, path, part)
	for _, c := range got.Items {
		out.Items = append(out.Items, f.commit(name, c))
	}
	out.Next = got.Next
	return out, err
}

var ways = map[string]string{"added": forge.Added, "copied": forge.Added, "deleted": forge.Removed, "renamed": forge.Renamed, "modified": forge.Modified, "type": forge.Modified}

func (f hosted) Compare(ctx context.Context, name, base, head string) (c forge.Comparison, err error) {
	if ctx, err = f.in(ctx); err != nil {
		return c, err
	}
	from, to, standing, diff, err := f.house.Repositories.Compare(ctx, name, base, head, git.DiffLimits{})
	if err != nil {
		return c, err
	}
	c = forge.Comparison{Base: from, Head: to, Ahead: standing.Ahead, Behind: standing.Behind, Cut: diff.Truncated}
	commits, err := f.house.Repositories.Platform().Brings(ctx, name, from, to, 0, 250)
	for _, one := range slices.Backward(commits) {
		c.Commits = append(c.Commits, f.commit(name, one))
	}
	for _, file := range diff.Files {
		changed := forge.Changed{Path: file.Path, Way: ways[file.Status], Additions: file.Additions, Deleted: file.Deletions, Patch: file.Patch}
		if changed.Way == forge.Renamed {
			changed.OldPath = file.OldPath
		}
		c.Files = append(c.Files, changed)
	}
	return c, err
}

func (f hosted) Archive(ctx context.Context, name, rev string) (io.ReadCloser, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return nil, err
	}
	return f.house.Repositories.Download(ctx, name, rev, "tar.gz", "shop")
}

func (f hosted) refs(ctx context.Context, name, prefix string, part page.Request) (list page.Of[repository.Ref], _ context.Context, err error) {
	if ctx, err = f.in(ctx); err != nil {
		return list, ctx, err
	}
	all, err := f.house.Repositories.Refs(ctx, name)
	all = slices.DeleteFunc(all, func(r repository.Ref) bool { return !strings.HasPrefix(r.Name, prefix) })
	return page.From(all, part, func(r repository.Ref) string { return r.Name }), ctx, err
}

func (f hosted) ListBranches(ctx context.Context, name string, part page.Request) (out page.Of[forge.Branch], err error) {
	list, _, err := f.refs(ctx, name, "refs/heads/", part)
	for _, r := range list.Items {
		out.Items = append(out.Items, forge.Branch{Name: strings.TrimPrefix(r.Name, "refs/heads/"), Commit: r.Hash})
	}
	out.Next = list.Next
	return out, err
}

func (f hosted) GetBranch(ctx context.Context, name, branch string) (forge.Branch, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Branch{}, err
	}
	commit, err := f.house.Repositories.Resolve(ctx, name, "refs/heads/"+branch)
	return forge.Branch{Name: branch, Commit: commit}, err
}

func (f hosted) CreateBranch(ctx context.Context, name, branch, commit string) error {
	ctx, err := f.in(ctx)
	if err == nil {
		_, err = f.house.Repositories.CreateBranch(ctx, name, repository.NewRef{Name: branch, At: commit})
	}
	return err
}

func (f hosted) DeleteBranch(ctx context.Context, name, branch string) error {
	ctx, err := f.in(ctx)
	if err == nil {
		err = f.house.Repositories.RemoveBranch(ctx, name, branch, "")
	}
	return err
}

func (f hosted) ListTags(ctx context.Context, name string, part page.Request) (out page.Of[forge.Tag], err error) {
	list, ctx, err := f.refs(ctx, name, "refs/tags/", part)
	if err != nil {
		return out, err
	}
	tags, _, err := f.house.Repositories.TagFacts(ctx, name, list.Items)
	for _, r := range list.Items {
		tag := tags[strings.TrimPrefix(r.Name, "refs/tags/")]
		out.Items = append(out.Items, forge.Tag{Name: tag.Name, Commit: tag.Commit, Message: tag.Message})
	}
	out.Next = list.Next
	return out, err
}
