package github

import (
	"context"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// ListRepositories gives them by name.
func (g *GitHub) ListRepositories(ctx context.Context, owner string, part page.Request) (page.Of[forge.Repository], error) {
	if owner == "" {
		return g.ownRepositories(ctx, "", part)
	}
	if err := checkOwner(owner); err != nil {
		return page.Of[forge.Repository]{}, err
	}
	if g.app == nil {
		self, err := g.self(ctx)
		if err != nil {
			return page.Of[forge.Repository]{}, err
		}
		if strings.EqualFold(self, owner) { // by their name GitHub lists public ones only
			return g.ownRepositories(ctx, "owner", part)
		}
	}
	account, _, err := g.api.Users.Get(ctx, owner)
	if err != nil {
		return page.Of[forge.Repository]{}, told(err)
	}
	return list(part, func(o gh.ListOptions) ([]*gh.Repository, *gh.Response, error) {
		if account.GetType() == "Organization" {
			return g.api.Repositories.ListByOrg(ctx, owner, &gh.RepositoryListByOrgOptions{Type: "all", Sort: "full_name", ListOptions: o})
		}
		return g.api.Repositories.ListByUser(ctx, owner, &gh.RepositoryListByUserOptions{Type: "owner", Sort: "full_name", ListOptions: o})
	}, listed)
}

// ListWithin gives them by name. It asks for nothing but the list.
func (g *GitHub) ListWithin(ctx context.Context, organization string, part page.Request) (page.Of[forge.Repository], error) {
	if err := checkOwner(organization); err != nil {
		return page.Of[forge.Repository]{}, err
	}
	return list(part, func(o gh.ListOptions) ([]*gh.Repository, *gh.Response, error) {
		return g.api.Repositories.ListByOrg(ctx, organization, &gh.RepositoryListByOrgOptions{Type: "all", Sort: "full_name", ListOptions: o})
	}, listed)
}

func (g *GitHub) ownRepositories(ctx context.Context, affiliation string, part page.Request) (page.Of[forge.Repository], error) {
	return list(part, func(o gh.ListOptions) ([]*gh.Repository, *gh.Response, error) {
		if g.app == nil {
			return g.api.Repositories.ListByAuthenticatedUser(ctx, &gh.RepositoryListByAuthenticatedUserOptions{Affiliation: affiliation, Sort: "full_name", ListOptions: o})
		}
		got, answer, err := g.api.Apps.ListRepos(ctx, &o)
		if err != nil {
			return nil, answer, err
		}
		return got.Repositories, answer, nil
	}, listed)
}

// GetRepository follows a repository to its new name.
func (g *GitHub) GetRepository(ctx context.Context, name string) (forge.Repository, error) {
	owner, repo, err := split(name)
	if err != nil {
		return forge.Repository{}, err
	}
	got, _, err := g.api.Repositories.Get(ctx, owner, repo)
	if err != nil {
		return forge.Repository{}, told(err)
	}
	r := repositoryOf(got)
	if r.Empty { // as its dates say, which are of whole seconds
		branches, err := g.ListBranches(ctx, r.Name, page.Request{Limit: 1})
		if err != nil {
			return forge.Repository{}, err
		}
		r.Empty = len(branches.Items) == 0
	}
	return r, nil
}

// listed is a repository of a list, which does not tell what is empty: its dates are of whole seconds, and so those of what
// was pushed to as it was made are those of an empty one.
func listed(r *gh.Repository) forge.Repository {
	out := repositoryOf(r)
	out.Empty = false
	return out
}

func repositoryOf(r *gh.Repository) forge.Repository {
	return forge.Repository{
		ID: id(r.GetID()), Name: r.GetFullName(), Description: r.GetDescription(), DefaultBranch: r.GetDefaultBranch(),
		URL: r.GetHTMLURL(), CloneURL: r.GetCloneURL(), Private: r.GetPrivate(), Archived: r.GetArchived(), Fork: r.GetFork(),
		Topics: r.Topics, Language: r.GetLanguage(),
		Empty:   r.GetSize() == 0 && !r.GetPushedAt().After(r.GetCreatedAt().Time),
		Created: r.GetCreatedAt().Time, Changed: r.GetPushedAt().Time,
	}
}

// CreateRepository can't choose the default branch, which GitHub takes from the account's settings until one is pushed.
func (g *GitHub) CreateRepository(ctx context.Context, r forge.NewRepository) (forge.Repository, error) {
	owner, name, err := split(r.Name)
	if err != nil {
		return forge.Repository{}, err
	}
	organization := owner
	if g.app == nil {
		self, err := g.self(ctx)
		if err != nil {
			return forge.Repository{}, err
		}
		if strings.EqualFold(self, owner) {
			organization = ""
		}
	}
	made, _, err := g.api.Repositories.Create(ctx, organization, &gh.Repository{Name: &name, Description: &r.Description, Private: &r.Private})
	if err != nil {
		return forge.Repository{}, taken(told(err))
	}
	out := repositoryOf(made)
	out.Empty = true
	return out, nil
}

// ArchiveRepository archives a repository, or takes that back.
func (g *GitHub) ArchiveRepository(ctx context.Context, name string, archived bool) error {
	owner, repo, err := split(name)
	if err != nil {
		return err
	}
	_, _, err = g.api.Repositories.Edit(ctx, owner, repo, &gh.Repository{Archived: &archived})
	return told(err)
}

// DeleteRepository deletes a repository.
func (g *GitHub) DeleteRepository(ctx context.Context, name string) error {
	owner, repo, err := split(name)
	if err != nil {
		return err
	}
	_, err = g.api.Repositories.Delete(ctx, owner, repo)
	return told(err)
}

// ListDeployKeys gives all keys.
func (g *GitHub) ListDeployKeys(ctx context.Context, repository string) ([]forge.DeployKey, error) {
	owner, repo, err := split(repository)
	if err != nil {
		return nil, err
	}
	return whole(func(o gh.ListOptions) ([]*gh.Key, *gh.Response, error) {
		return g.api.Repositories.ListKeys(ctx, owner, repo, &o)
	}, keyOf)
}

func keyOf(k *gh.Key) forge.DeployKey {
	return forge.DeployKey{ID: id(k.GetID()), Title: k.GetTitle(), Key: k.GetKey(), ReadOnly: k.GetReadOnly()}
}

// AddDeployKey adds a key, which GitHub takes for one repository only.
func (g *GitHub) AddDeployKey(ctx context.Context, repository string, k forge.DeployKey) (forge.DeployKey, error) {
	owner, repo, err := split(repository)
	if err != nil {
		return forge.DeployKey{}, err
	}
	made, _, err := g.api.Repositories.CreateKey(ctx, owner, repo, &gh.Key{Title: &k.Title, Key: &k.Key, ReadOnly: &k.ReadOnly})
	if err != nil {
		err = told(err)
		if strings.Contains(err.Error(), "already in use") {
			err = as(err, fault.Conflict, http.StatusUnprocessableEntity)
		}
		return forge.DeployKey{}, err
	}
	return keyOf(made), nil
}

// DeleteDeployKey deletes a key.
func (g *GitHub) DeleteDeployKey(ctx context.Context, repository, key string) error {
	owner, repo, err := split(repository)
	if err != nil {
		return err
	}
	n, err := number(key)
	if err != nil {
		return err
	}
	_, err = g.api.Repositories.DeleteKey(ctx, owner, repo, n)
	return told(err)
}
