package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) repositoryRoutes() {
	const one = "/repositories/{namespace}/{name}"
	register(a, operation("listRepositories", http.MethodGet, "/repositories", "repositories", "Repositories, by name or by their last push"), a.listRepositories)
	op := operation("createRepository", http.MethodPost, "/repositories", "repositories", "Make a hosted repository: an empty one, or one that is imported")
	op.DefaultStatus = 201
	register(a, op, a.createRepository)
	register(a, operation("getRepository", http.MethodGet, one, "repositories", "One repository"), a.getRepository)
	register(a, operation("deleteRepository", http.MethodDelete, one, "repositories", "Delete a repository with all that it holds, to be restored for some days or for good"), a.deleteRepository)
	register(a, operation("restoreRepository", http.MethodPost, one+"/restore", "repositories", "Bring a deleted repository back as it was"), a.restoreRepository)
	register(a, operation("updateRepository", http.MethodPatch, one, "repositories", "Change its settings, its name and its space, all or nothing"), a.updateRepository)
	a.mirrorRoutes(one)
	a.refRoutes(one)
	a.fileRoutes(one)
	a.commitRoutes(one)
	a.outsideRoutes()
}

func (a *API) wireRepository(ctx context.Context, r repository.Repository) Repository {
	return Repository{
		ID: r.ID, Namespace: r.Namespace, Name: r.Name, Space: r.Space, Description: r.Description, DefaultBranch: r.DefaultBranch, Protected: r.Protected, Archived: r.Archived, Head: r.Head,
		CloneURL: baseURL(ctx) + "/git/" + r.FullName() + ".git", Created: r.Created, Pushed: moment(r.Pushed),
		Deleted: moment(r.Deleted), Purge: moment(r.Purge), Outside: a.wireOutside(r), Import: a.wireImport(r), SecretCheck: r.SecretCheck,
		PushLimit: r.Limits.Push, FileLimit: r.Limits.File, Etag: r.Etag(), LFSFileLimit: r.Limits.Object, LFSLimit: r.Limits.Large,
	}
}

type listRepositoriesInput struct {
	Paging
	Space     string `query:"space" maxLength:"63"`
	Namespace string `query:"namespace" maxLength:"63"`
	Text      string `query:"text" maxLength:"200" doc:"Part of NAMESPACE/NAME or of the description, in any case."`
	Deleted   bool   `query:"deleted" doc:"Those that were deleted and that the caller may restore, in place of those that are there."`
	Creator   string `query:"creator" maxLength:"64" doc:"Opaque id of who made them; me for the caller."`
	Archived  string `query:"archived" enum:"true,false" doc:"Only those that are archived, or are not."`
	Sort      string `query:"sort" enum:"name,pushed" default:"name" doc:"By name, or the last pushed first."`
}

func (a *API) listRepositories(ctx context.Context, in *listRepositoriesInput) (*body[List[Repository]], error) {
	if in.Creator == "me" {
		in.Creator = actor.From(ctx).ID
	}
	page, err := a.Repositories.List(ctx, repository.Query{Space: in.Space, Namespace: in.Namespace, Text: in.Text, Deleted: in.Deleted, Creator: in.Creator, Archived: in.Archived, Pushed: in.Sort == "pushed", Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	items := make([]Repository, len(page.Items))
	for i, r := range page.Items {
		items[i] = a.wireRepository(ctx, r)
	}
	return list(items, page.Next), nil
}

type createRepositoryInput struct {
	Body struct {
		Space         string       `json:"space,omitempty" maxLength:"63" doc:"Empty for the root space."`
		Namespace     string       `json:"namespace,omitempty" maxLength:"63" doc:"Empty for default."`
		Name          string       `json:"name" maxLength:"100"`
		Description   string       `json:"description,omitempty" maxLength:"1000"`
		DefaultBranch string       `json:"defaultBranch,omitempty" maxLength:"200" doc:"Empty for main; an import takes over that of the other side."`
		Import        *importInput `json:"import,omitempty" doc:"Where its branches and tags come from; without it, it is empty."`
	}
}

func (a *API) createRepository(ctx context.Context, in *createRepositoryInput) (*tagged[Repository], error) {
	b := in.Body
	from, err := b.Import.read()
	if err != nil {
		return nil, err
	}
	r, err := a.Repositories.Create(ctx, repository.NewRepository{
		Space: b.Space, Namespace: b.Namespace, Name: b.Name, Description: b.Description, DefaultBranch: b.DefaultBranch, Import: from,
	})
	if err != nil {
		return nil, err
	}
	return withTag(r.Etag(), a.wireRepository(ctx, r)), nil
}

type updateRepositoryInput struct {
	Named
	Match
	Body struct {
		Description   *string `json:"description,omitempty" maxLength:"1000"`
		DefaultBranch *string `json:"defaultBranch,omitempty" maxLength:"200"`
		Protected     *bool   `json:"protected,omitempty" doc:"The default branch can't be rewritten or deleted by a push."`
		Archived      *bool   `json:"archived,omitempty" doc:"Nothing in it changes any more."`
		SecretCheck   *bool   `json:"secretCheck,omitempty" doc:"A push that brings what looks like a secret is refused."`
		PushLimit     *int64  `json:"pushLimit,omitempty" minimum:"0" doc:"Bytes of one push; 0 for the server's limit, which a repository's own only ever lowers."`
		FileLimit     *int64  `json:"fileLimit,omitempty" minimum:"0" doc:"Bytes of one file in a push."`
		LFSFileLimit  *int64  `json:"lfsFileLimit,omitempty" minimum:"0" doc:"Bytes of one file of Git LFS."`
		LFSLimit      *int64  `json:"lfsLimit,omitempty" minimum:"0" doc:"Bytes of all files of Git LFS."`
		Name          string  `json:"name,omitempty" maxLength:"130" doc:"NAMESPACE/NAME: its new address."`
		Space         string  `json:"space,omitempty" maxLength:"63" doc:"Its new space, whose rights hold from then on."`
	}
}

func (a *API) updateRepository(ctx context.Context, in *updateRepositoryInput) (*tagged[Repository], error) {
	b := in.Body
	c := repository.Change{Description: b.Description, DefaultBranch: b.DefaultBranch, Protected: b.Protected, Archived: b.Archived, SecretCheck: b.SecretCheck, IfMatch: in.etag()}
	c.Limits = repository.LimitsChange{Push: b.PushLimit, File: b.FileLimit, Object: b.LFSFileLimit, Large: b.LFSLimit}
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
	return withTag(r.Etag(), a.wireRepository(ctx, r)), nil
}

func (n Named) full() string { return n.Namespace + "/" + n.Name }

func (a *API) getRepository(ctx context.Context, in *Named) (*tagged[Repository], error) {
	r, err := a.Repositories.Get(ctx, in.full())
	if fault.Is(err, fault.NotFound) {
		if now, moved := a.Repositories.Moved(ctx, in.full()); moved == nil {
			err = fault.Errorf(fault.NotFound, "%s is called %s now", in.full(), now)
		}
	}
	if err != nil {
		return nil, err
	}
	out := a.wireRepository(ctx, r)
	if _, err := a.Repositories.Authorize(ctx, repository.Write, in.full()); err == nil && !r.Archived {
		out.Can = append(out.Can, "write")
	}
	if _, err := a.Repositories.Authorize(ctx, repository.Manage, in.full()); err == nil {
		out.Can = append(out.Can, "admin")
	}
	return withTag(r.Etag(), out), nil
}

type deleteRepositoryInput struct {
	Named
	Match
	Now bool `query:"now" doc:"For good and at once, also one that was deleted before."`
}

func (a *API) deleteRepository(ctx context.Context, in *deleteRepositoryInput) (*struct{}, error) {
	if in.Now {
		return nil, a.Repositories.PurgeSeen(ctx, in.full(), in.etag())
	}
	return nil, a.Repositories.DeleteSeen(ctx, in.full(), in.etag())
}

func (a *API) restoreRepository(ctx context.Context, in *Named) (*tagged[Repository], error) {
	r, err := a.Repositories.Restore(ctx, in.full())
	if err != nil {
		return nil, err
	}
	return withTag(r.Etag(), a.wireRepository(ctx, r)), nil
}
