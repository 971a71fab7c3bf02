package gitea

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// ListRepositories gives repositories by their ids. Without an owner they are the caller's: owned, of organizations, and
// those that the caller works on.
func (f *Forge) ListRepositories(ctx context.Context, owner string, part page.Request) (page.Of[forge.Repository], error) {
	who, query := "/user", url.Values{"sort": {"id"}, "order": {"asc"}}
	if owner != "" {
		if err := checkName("an owner", owner); err != nil {
			return page.Of[forge.Repository]{}, err
		}
		who = "/users/" + owner
		query.Set("exclusive", "true")
	}
	var p person
	if err := f.get(ctx, who, nil, &p); err != nil {
		return page.Of[forge.Repository]{}, err
	}
	query.Set("uid", text(p.ID))
	read := pages(ctx, f, "/repos/search", query, func(items *[]repository) any {
		return &struct {
			Data *[]repository `json:"data"`
		}{items}
	})
	return listOf(ctx, f, part, read, all((*repository).repository))
}

// ListWithin gives those of an organization that the caller may see, by name.
func (f *Forge) ListWithin(ctx context.Context, organization string, part page.Request) (page.Of[forge.Repository], error) {
	path, err := atOrganization(organization, "repos")
	if err != nil {
		return page.Of[forge.Repository]{}, err
	}
	return list(ctx, f, part, path, nil, all((*repository).repository))
}

// GetRepository gives one.
func (f *Forge) GetRepository(ctx context.Context, name string) (forge.Repository, error) {
	path, err := at(name)
	if err != nil {
		return forge.Repository{}, err
	}
	var r repository
	err = f.get(ctx, path, nil, &r)
	return r.repository(), err
}

// CreateRepository makes one for an organization, or for the caller.
func (f *Forge) CreateRepository(ctx context.Context, n forge.NewRepository) (forge.Repository, error) {
	if _, err := at(n.Name); err != nil {
		return forge.Repository{}, err
	}
	owner, repo, _ := strings.Cut(n.Name, "/")
	body := map[string]any{"name": repo, "description": n.Description, "private": n.Private, "default_branch": n.DefaultBranch}
	var made repository
	_, err := f.send(ctx, http.MethodPost, "/orgs/"+owner+"/repos", nil, body, &made)
	if fault.Is(err, fault.NotFound) {
		var me person
		if err := f.get(ctx, "/user", nil, &me); err != nil {
			return forge.Repository{}, err
		}
		if !strings.EqualFold(me.person().Login, owner) {
			return forge.Repository{}, fault.Errorf(fault.NotFound, "%s is not an organization on Gitea, or %s may not see it", owner, me.person().Login)
		}
		_, err = f.send(ctx, http.MethodPost, "/user/repos", nil, body, &made)
	}
	return made.repository(), err
}

// ArchiveRepository makes one read-only, or takes that back.
func (f *Forge) ArchiveRepository(ctx context.Context, name string, archived bool) error {
	path, err := at(name)
	if err != nil {
		return err
	}
	_, err = f.send(ctx, http.MethodPatch, path, nil, map[string]any{"archived": archived}, nil)
	return err
}

// DeleteRepository deletes one.
func (f *Forge) DeleteRepository(ctx context.Context, name string) error {
	path, err := at(name)
	if err != nil {
		return err
	}
	_, err = f.send(ctx, http.MethodDelete, path, nil, nil, nil)
	return err
}

type deployKey struct {
	ID       int64  `json:"id"`
	Title    string `json:"title"`
	Key      string `json:"key"`
	ReadOnly bool   `json:"read_only"`
}

func (k *deployKey) key() forge.DeployKey {
	return forge.DeployKey{ID: text(k.ID), Title: k.Title, Key: k.Key, ReadOnly: k.ReadOnly}
}

// ListDeployKeys gives all.
func (f *Forge) ListDeployKeys(ctx context.Context, repository string) ([]forge.DeployKey, error) {
	path, err := at(repository, "keys")
	if err != nil {
		return nil, err
	}
	return whole(ctx, f, path, nil, all((*deployKey).key))
}

// AddDeployKey adds one.
func (f *Forge) AddDeployKey(ctx context.Context, repository string, k forge.DeployKey) (forge.DeployKey, error) {
	path, err := at(repository, "keys")
	if err != nil {
		return forge.DeployKey{}, err
	}
	var made deployKey
	_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{"title": k.Title, "key": k.Key, "read_only": k.ReadOnly}, &made)
	return made.key(), err
}

// DeleteDeployKey deletes one. It is looked for first: Gitea takes the end of one that is not there for done.
func (f *Forge) DeleteDeployKey(ctx context.Context, repository, id string) error {
	n, err := number("deploy key", id)
	if err != nil {
		return err
	}
	path, err := at(repository, "keys", text(n))
	if err != nil {
		return err
	}
	if err := f.get(ctx, path, nil, nil); err != nil {
		return err
	}
	_, err = f.send(ctx, http.MethodDelete, path, nil, nil, nil)
	return err
}
