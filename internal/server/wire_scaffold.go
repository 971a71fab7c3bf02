package server

import (
	"context"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// wireScaffold joins golden paths with repositories, the catalog and people.
func (h *House) wireScaffold() (*scaffold.Service, error) {
	return scaffold.New(scaffold.Deps{
		DB: h.DB, Ledger: h.Ledger, Blob: h.Blob, Access: h.Access, Runs: h.Runs, Repositories: repositories{h.Repositories},
		Catalog: scaffoldCatalog{h.Catalog}, People: h.Identity, Seal: h.Keeper, BaseURL: h.baseURL, Now: time.Now, Log: h.Log,
	})
}

// repositories are hosted repositories as golden paths use them.
type repositories struct{ s *repository.Service }

func (r repositories) Create(ctx context.Context, n scaffold.NewRepository) error {
	_, err := r.s.Create(ctx, repository.NewRepository{
		ID: n.ID, Space: n.Space, Namespace: n.Namespace, Name: n.Name, Description: n.Description, DefaultBranch: n.DefaultBranch,
	})
	return err
}

func (r repositories) NewRepositoryID() string { return repository.NewID(time.Now()) }

func (r repositories) Describe(ctx context.Context, name string) (scaffold.Repository, error) {
	found, err := r.s.Get(ctx, name)
	return scaffold.Repository{ID: found.ID, Space: found.Space, DefaultBranch: found.DefaultBranch, Head: found.Head, Creator: found.CreatedBy}, err
}

func (r repositories) Commit(ctx context.Context, name string, c git.CommitRequest) (string, error) {
	return r.s.CommitFiles(ctx, name, c)
}

func (r repositories) Log(ctx context.Context, name, revision string, limit int) ([]git.Commit, error) {
	part, err := r.s.Log(ctx, name, revision, "", page.Request{Limit: limit})
	return part.Items, err
}

func (r repositories) DeleteUnchanged(ctx context.Context, name, id string, refs map[string]string) error {
	return r.s.DeleteUnchanged(ctx, name, id, refs)
}

func (r repositories) ArchiveAt(ctx context.Context, name, commit, folder string) (io.ReadCloser, error) {
	return r.s.Platform().ArchiveAt(ctx, name, commit, folder)
}

func (r repositories) FileAt(ctx context.Context, name, commit, path string, limit int64) ([]byte, error) {
	return r.s.Platform().ReadFile(ctx, name, commit, path, limit)
}

// Message gives a commit's message.
func (r repositories) Message(ctx context.Context, name, commit string) (string, error) {
	log, err := r.Log(ctx, name, commit, 1)
	if err != nil || len(log) == 0 {
		return "", err
	}
	return log[0].Message, nil
}

// scaffoldCatalog is the catalog as golden paths use it.
type scaffoldCatalog struct{ s *catalog.Service }

func (c scaffoldCatalog) Get(ctx context.Context, r ref.Entity) (scaffold.Entity, error) {
	e, err := c.s.Get(ctx, r)
	return scaffold.Entity{
		Ref: e.Ref, Space: e.Space, Document: e.Document, Repository: e.File.Repository, Commit: e.File.Commit, Path: e.File.Path,
	}, err
}

func (c scaffoldCatalog) Register(ctx context.Context, space string, l scaffold.Location) (scaffold.Registered, error) {
	added, entities, err := c.s.AddLocation(ctx, space, catalog.Target{Repository: l.Repository, Path: l.Path, Branch: l.Branch})
	out := scaffold.Registered{ID: added.ID, Existed: added.Existed, Error: added.Error}
	for _, e := range entities {
		out.Entities = append(out.Entities, e.Ref)
	}
	return out, err
}

func (c scaffoldCatalog) Unregister(ctx context.Context, location string) error {
	return c.s.RemoveLocation(ctx, location, "")
}

// shipGoldenPaths brings the golden paths of this version; what people changed there is kept.
func (h *House) shipGoldenPaths(ctx context.Context) error {
	changed, err := h.Scaffold.InstallShipped(ctx, repositories{h.Repositories})
	if changed {
		h.Log.Info("the shipped golden paths have been changed here; this version's are not put over them", "repository", scaffold.ShippedRepository)
	}
	return err
}
