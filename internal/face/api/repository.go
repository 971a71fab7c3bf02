package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (a *API) repositoryRoutes() {
	const one = "/repositories/{namespace}/{name}"
	register(a, operation("listRepositories", http.MethodGet, "/repositories", "repositories", "Repositories, by name"), a.listRepositories)
	op := operation("createRepository", http.MethodPost, "/repositories", "repositories", "Make an empty hosted repository")
	op.DefaultStatus = 201
	register(a, op, a.createRepository)
	register(a, operation("getRepository", http.MethodGet, one, "repositories", "One repository"), a.getRepository)
	register(a, operation("deleteRepository", http.MethodDelete, one, "repositories", "Delete a repository with all that it holds, to be restored for some days or for good"), a.deleteRepository)
	register(a, operation("restoreRepository", http.MethodPost, one+"/restore", "repositories", "Bring a deleted repository back as it was"), a.restoreRepository)
	register(a, operation("updateRepository", http.MethodPatch, one, "repositories", "Change its settings, its name and its space, all or nothing"), a.updateRepository)
	register(a, operation("listBranches", http.MethodGet, one+"/branches", "repositories", "Branches, by name"), a.listBranches)
	register(a, operation("deleteBranch", http.MethodDelete, one+"/branches", "repositories", "Delete a branch"), a.deleteBranch)
	register(a, operation("listTags", http.MethodGet, one+"/tags", "repositories", "Tags, by name"), a.listTags)
	register(a, operation("compare", http.MethodGet, one+"/compare", "repositories", "What one branch, tag or commit changes since what it has in common with another"), a.compare)
	register(a, operation("listTree", http.MethodGet, one+"/tree", "repositories", "A folder at a commit"), a.listTree)
	register(a, operation("readFile", http.MethodGet, one+"/file", "repositories", "A file at a commit"), a.readFile)
	register(a, operation("listCommits", http.MethodGet, one+"/commits", "repositories", "Commits, newest first"), a.listCommits)
}

func wireRepository(ctx context.Context, r repository.Repository) Repository {
	return Repository{
		ID: r.ID, Namespace: r.Namespace, Name: r.Name, Space: r.Space, Description: r.Description, DefaultBranch: r.DefaultBranch, Protected: r.Protected, Archived: r.Archived, Head: r.Head,
		CloneURL: baseURL(ctx) + "/git/" + r.FullName() + ".git", Created: r.Created, Pushed: moment(r.Pushed),
		Deleted: moment(r.Deleted), Purge: moment(r.Purge),
	}
}

type listRepositoriesInput struct {
	Paging
	Space     string `query:"space" maxLength:"63"`
	Namespace string `query:"namespace" maxLength:"63"`
	Text      string `query:"text" maxLength:"200"`
	Deleted   bool   `query:"deleted" doc:"Those that were deleted and that the caller may restore, in place of those that are there."`
}

func (a *API) listRepositories(ctx context.Context, in *listRepositoriesInput) (*body[List[Repository]], error) {
	page, err := a.Repositories.List(ctx, repository.Query{Space: in.Space, Namespace: in.Namespace, Text: in.Text, Deleted: in.Deleted, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	items := make([]Repository, len(page.Items))
	for i, r := range page.Items {
		items[i] = wireRepository(ctx, r)
	}
	return list(items, page.Next), nil
}

type createRepositoryInput struct {
	Body struct {
		Space         string `json:"space,omitempty" maxLength:"63" doc:"Empty for the root space."`
		Namespace     string `json:"namespace,omitempty" maxLength:"63" doc:"Empty for default."`
		Name          string `json:"name" maxLength:"100"`
		Description   string `json:"description,omitempty" maxLength:"1000"`
		DefaultBranch string `json:"defaultBranch,omitempty" maxLength:"200" doc:"Empty for main."`
	}
}

func (a *API) createRepository(ctx context.Context, in *createRepositoryInput) (*body[Repository], error) {
	b := in.Body
	r, err := a.Repositories.Create(ctx, repository.NewRepository{
		Space: b.Space, Namespace: b.Namespace, Name: b.Name, Description: b.Description, DefaultBranch: b.DefaultBranch,
	})
	if err != nil {
		return nil, err
	}
	return answer(wireRepository(ctx, r)), nil
}

type updateRepositoryInput struct {
	Named
	Body struct {
		Description   *string `json:"description,omitempty" maxLength:"1000"`
		DefaultBranch *string `json:"defaultBranch,omitempty" maxLength:"200"`
		Protected     *bool   `json:"protected,omitempty" doc:"The default branch can't be rewritten or deleted by a push."`
		Archived      *bool   `json:"archived,omitempty" doc:"Nothing in it changes any more."`
		Name          string  `json:"name,omitempty" maxLength:"130" doc:"NAMESPACE/NAME: its new address."`
		Space         string  `json:"space,omitempty" maxLength:"63" doc:"Its new space, whose rights hold from then on."`
	}
}

func (a *API) updateRepository(ctx context.Context, in *updateRepositoryInput) (*body[Repository], error) {
	b := in.Body
	c := repository.Change{Description: b.Description, DefaultBranch: b.DefaultBranch, Protected: b.Protected, Archived: b.Archived}
	if b.Space != "" {
		c.Space = &b.Space
	}
	if b.Name != "" {
		c.Name = &b.Name
	}
	r, err := a.Repositories.Update(ctx, in.full(), c)
	if err != nil {
		return nil, err
	}
	return answer(wireRepository(ctx, r)), nil
}

type listRefsInput struct {
	Named
	Paging
}

// refs gives the references of a repository below a prefix, without it.
func (a *API) refs(ctx context.Context, in *listRefsInput, prefix string) (*body[List[Branch]], error) {
	all, err := a.Repositories.Refs(ctx, in.full())
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r repository.Ref) bool { return !strings.HasPrefix(r.Name, prefix) })
	part := page.From(all, in.part(), func(r repository.Ref) string { return r.Name })
	var ids []string
	for _, r := range part.Items {
		ids = append(ids, r.Actor)
	}
	who, err := a.people(ctx, ids)
	return listPart(part, func(r repository.Ref) Branch {
		return Branch{Name: strings.TrimPrefix(r.Name, prefix), Commit: r.Hash, Updated: r.Updated, By: who(r.Actor)}
	}), err
}

func (a *API) listBranches(ctx context.Context, in *listRefsInput) (*body[List[Branch]], error) {
	return a.refs(ctx, in, "refs/heads/")
}

func (a *API) listTags(ctx context.Context, in *listRefsInput) (*body[List[Branch]], error) {
	return a.refs(ctx, in, "refs/tags/")
}

type deleteBranchInput struct {
	Named
	Branch string `query:"name" required:"true" maxLength:"250"`
}

func (a *API) deleteBranch(ctx context.Context, in *deleteBranchInput) (*struct{}, error) {
	return nil, a.Repositories.RemoveBranch(ctx, in.full(), in.Branch)
}

type compareInput struct {
	Named
	Base string `query:"base" required:"true" maxLength:"250" doc:"Branch, tag or commit."`
	Head string `query:"head" required:"true" maxLength:"250" doc:"Branch, tag or commit."`
}

func (a *API) compare(ctx context.Context, in *compareInput) (*body[Comparison], error) {
	from, to, s, d, err := a.Repositories.Compare(ctx, in.full(), in.Base, in.Head, git.DiffLimits{})
	return answer(Comparison{Diff: wireDiff(from, to, d), Ahead: s.Ahead, Behind: s.Behind, Conflicts: s.Conflicts}), err
}

func (n Named) full() string { return n.Namespace + "/" + n.Name }

func (a *API) getRepository(ctx context.Context, in *Named) (*body[Repository], error) {
	r, err := a.Repositories.Get(ctx, in.full())
	if fault.Is(err, fault.NotFound) {
		if now, moved := a.Repositories.Moved(ctx, in.full()); moved == nil {
			err = fault.Errorf(fault.NotFound, "%s is called %s now", in.full(), now)
		}
	}
	if err != nil {
		return nil, err
	}
	return answer(wireRepository(ctx, r)), nil
}

type deleteRepositoryInput struct {
	Named
	Now bool `query:"now" doc:"For good and at once, also one that was deleted before."`
}

func (a *API) deleteRepository(ctx context.Context, in *deleteRepositoryInput) (*struct{}, error) {
	if in.Now {
		return nil, a.Repositories.Purge(ctx, in.full())
	}
	return nil, a.Repositories.Delete(ctx, in.full())
}

func (a *API) restoreRepository(ctx context.Context, in *Named) (*body[Repository], error) {
	r, err := a.Repositories.Restore(ctx, in.full())
	if err != nil {
		return nil, err
	}
	return answer(wireRepository(ctx, r)), nil
}

// AtInput names a path of a repository at a commit.
type AtInput struct {
	Named
	Ref  string `query:"ref" maxLength:"250" doc:"Branch, tag or commit; empty for the default branch."`
	Path string `query:"path" maxLength:"1000"`
}

func (a *API) listTree(ctx context.Context, in *AtInput) (*body[List[TreeEntry]], error) {
	entries, err := a.Repositories.Tree(ctx, in.full(), in.Ref, in.Path)
	if err != nil {
		return nil, err
	}
	items := make([]TreeEntry, len(entries))
	for i, e := range entries {
		items[i] = TreeEntry{Path: e.Path, Type: e.Type, Mode: e.Mode, Size: e.Size}
	}
	return list(items, ""), nil
}

// fileLimit bounds a file that is shown, in bytes.
const fileLimit = 2 << 20

func (a *API) readFile(ctx context.Context, in *AtInput) (*body[File], error) {
	if in.Path == "" {
		return nil, fault.Errorf(fault.Invalid, "name a file with path")
	}
	data, err := a.Repositories.ReadFile(ctx, in.full(), in.Ref, in.Path, fileLimit)
	if err != nil {
		return nil, err
	}
	f := File{Path: in.Path, Size: len(data), Binary: !utf8.Valid(data)}
	if !f.Binary {
		f.Text = string(data)
	}
	return answer(f), nil
}

type listCommitsInput struct {
	AtInput
	Paging
}

func (a *API) listCommits(ctx context.Context, in *listCommitsInput) (*body[List[Commit]], error) {
	part, err := a.Repositories.Log(ctx, in.full(), in.Ref, in.Path, in.part())
	return listPart(part, wireCommit), err
}

func wireCommit(c git.Commit) Commit {
	return Commit{Hash: c.Hash, Parents: append([]string{}, c.Parents...), Author: c.Author.Name, Subject: c.Subject(), Message: c.Message, Time: c.Author.When}
}
