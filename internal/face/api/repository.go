package api

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) repositoryRoutes() {
	const one = "/repositories/{namespace}/{name}"
	register(a, operation("listRepositories", http.MethodGet, "/repositories", "repositories", "Repositories, by name"), a.listRepositories)
	op := operation("createRepository", http.MethodPost, "/repositories", "repositories", "Make an empty hosted repository")
	op.DefaultStatus = 201
	register(a, op, a.createRepository)
	register(a, operation("getRepository", http.MethodGet, one, "repositories", "One repository"), a.getRepository)
	register(a, operation("deleteRepository", http.MethodDelete, one, "repositories", "Delete a repository with all that it holds"), a.deleteRepository)
	register(a, operation("listTree", http.MethodGet, one+"/tree", "repositories", "A folder at a commit"), a.listTree)
	register(a, operation("readFile", http.MethodGet, one+"/file", "repositories", "A file at a commit"), a.readFile)
	register(a, operation("listCommits", http.MethodGet, one+"/commits", "repositories", "Commits, newest first"), a.listCommits)
}

func wireRepository(ctx context.Context, r repository.Repository) Repository {
	return Repository{
		ID: r.ID, Namespace: r.Namespace, Name: r.Name, Space: r.Space, Description: r.Description, DefaultBranch: r.DefaultBranch, Head: r.Head,
		CloneURL: baseURL(ctx) + "/git/" + r.FullName() + ".git", Created: r.Created, Pushed: moment(r.Pushed),
	}
}

type listRepositoriesInput struct {
	Paging
	Space     string `query:"space" maxLength:"63"`
	Namespace string `query:"namespace" maxLength:"63"`
	Text      string `query:"text" maxLength:"200"`
}

func (a *API) listRepositories(ctx context.Context, in *listRepositoriesInput) (*body[List[Repository]], error) {
	page, err := a.Repositories.List(ctx, repository.Query{Space: in.Space, Namespace: in.Namespace, Text: in.Text, Limit: in.Limit, Cursor: in.Cursor})
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

func (n Named) full() string { return n.Namespace + "/" + n.Name }

func (a *API) getRepository(ctx context.Context, in *Named) (*body[Repository], error) {
	r, err := a.Repositories.Get(ctx, in.full())
	if err != nil {
		return nil, err
	}
	return answer(wireRepository(ctx, r)), nil
}

func (a *API) deleteRepository(ctx context.Context, in *Named) (*struct{}, error) {
	return nil, a.Repositories.Delete(ctx, in.full())
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
