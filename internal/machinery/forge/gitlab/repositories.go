package gitlab

import (
	"context"
	"path"
	"strconv"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func project(p *gl.Project) forge.Repository {
	return forge.Repository{
		ID: strconv.FormatInt(p.ID, 10), Name: p.PathWithNamespace, Description: p.Description, DefaultBranch: p.DefaultBranch,
		URL: p.WebURL, CloneURL: p.HTTPURLToRepo, Private: p.Visibility != gl.PublicVisibility, Archived: p.Archived,
		Topics: p.Topics, Fork: p.ForkedFromProject != nil, Empty: p.EmptyRepo, Created: when(p.CreatedAt), Changed: when(p.LastActivityAt),
	}
}

// there leaves out the projects that wait for their end.
func there(p *gl.Project) (forge.Repository, bool) { return project(p), p.MarkedForDeletionOn == nil }

// ListRepositories gives the projects of a group or a user, not those of the groups below it: they have another owner.
func (f *Forge) ListRepositories(ctx context.Context, owner string, part page.Request) (page.Of[forge.Repository], error) {
	if owner == "" {
		return f.listAll(ctx, part)
	}
	if err := checkGroup(owner); err != nil {
		return page.Of[forge.Repository]{}, err
	}
	got, err := f.listGroup(ctx, owner, false, part)
	if !fault.Is(err, fault.NotFound) || strings.Contains(owner, "/") {
		return got, err
	}
	return list(part, func(o gl.ListOptions) ([]*gl.Project, *gl.Response, error) {
		return f.api.Projects.ListUserProjects(owner, &gl.ListProjectsOptions{ListOptions: o, OrderBy: gl.Ptr("id"), Sort: gl.Ptr("asc")}, gl.WithContext(ctx))
	}, there)
}

// ListWithin gives the projects of a group and of all groups below it.
func (f *Forge) ListWithin(ctx context.Context, organization string, part page.Request) (page.Of[forge.Repository], error) {
	if err := checkGroup(organization); err != nil {
		return page.Of[forge.Repository]{}, err
	}
	return f.listGroup(ctx, organization, true, part)
}

func (f *Forge) listGroup(ctx context.Context, group string, below bool, part page.Request) (page.Of[forge.Repository], error) {
	return list(part, func(o gl.ListOptions) ([]*gl.Project, *gl.Response, error) {
		return f.api.Groups.ListGroupProjects(group, &gl.ListGroupProjectsOptions{
			ListOptions: o, OrderBy: gl.Ptr("id"), Sort: gl.Ptr("asc"), WithShared: gl.Ptr(false), IncludeSubGroups: gl.Ptr(below),
		}, gl.WithContext(ctx))
	}, there)
}

// listAll gives the projects that the caller is a member of. The cursor is the id of the last one.
func (f *Forge) listAll(ctx context.Context, part page.Request) (out page.Of[forge.Repository], err error) {
	after, err := part.Number()
	if err != nil {
		return out, err
	}
	for {
		o := &gl.ListProjectsOptions{
			ListOptions: gl.ListOptions{PerPage: min(int64(part.Size()-len(out.Items)), mostPerPage)},
			OrderBy:     gl.Ptr("id"), Sort: gl.Ptr("asc"), Membership: gl.Ptr(true),
		}
		if after > 0 {
			o.IDAfter = &after
		}
		items, err := one(f.api.Projects.ListProjects(o, gl.WithContext(ctx)))
		if err != nil {
			return page.Of[forge.Repository]{}, err
		}
		if int64(len(items)) > o.PerPage || len(items) > 0 && items[len(items)-1].ID <= after { // else this would not end
			return page.Of[forge.Repository]{}, fault.Errorf(fault.Unavailable, "GitLab does not list projects in parts, by their ids, as it was asked to")
		}
		for _, p := range items {
			after = p.ID
			if r, ok := there(p); ok {
				out.Items = append(out.Items, r)
			}
		}
		switch {
		case int64(len(items)) < o.PerPage:
			return out, nil
		case len(out.Items) == part.Size():
			out.Next = strconv.FormatInt(after, 10)
			return out, nil
		}
	}
}

// GetRepository gives a project.
func (f *Forge) GetRepository(ctx context.Context, name string) (forge.Repository, error) {
	p, err := f.project(ctx, name)
	if err != nil {
		return forge.Repository{}, err
	}
	return project(p), nil
}

func (f *Forge) project(ctx context.Context, name string) (*gl.Project, error) {
	if err := checkRepository(name); err != nil {
		return nil, err
	}
	p, err := one(f.api.Projects.GetProject(name, nil, gl.WithContext(ctx)))
	if err == nil && p.MarkedForDeletionOn != nil {
		return nil, fault.Errorf(fault.NotFound, "%s is deleted", name)
	}
	return p, err
}

// CreateRepository makes a project in a group, or in the caller's own namespace.
func (f *Forge) CreateRepository(ctx context.Context, r forge.NewRepository) (forge.Repository, error) {
	if err := checkRepository(r.Name); err != nil {
		return forge.Repository{}, err
	}
	owner, name := path.Split(r.Name)
	owner = strings.TrimSuffix(owner, "/")
	space, err := one(f.api.Namespaces.GetNamespace(owner, gl.WithContext(ctx)))
	if err != nil {
		return forge.Repository{}, fault.Wrap(err, "find the namespace %s", owner)
	}
	visibility := gl.PublicVisibility
	if r.Private {
		visibility = gl.PrivateVisibility
	}
	p, err := one(f.api.Projects.CreateProject(&gl.CreateProjectOptions{
		Name: &name, Path: &name, NamespaceID: &space.ID, Description: optional(r.Description), Visibility: &visibility,
		InitializeWithReadme: gl.Ptr(false), // a default branch can be chosen for a project with content alone
	}, gl.WithContext(ctx)))
	if err != nil {
		return forge.Repository{}, taken(err)
	}
	return project(p), nil
}

// taken knows GitLab's words for a name that is taken: it has no status for it.
func taken(err error) error {
	if fault.Is(err, fault.Invalid) && strings.Contains(err.Error(), "already been taken") {
		return fault.Errorf(fault.Conflict, "%w", err)
	}
	return err
}

// ArchiveRepository archives a project, or takes that back.
func (f *Forge) ArchiveRepository(ctx context.Context, name string, archived bool) error {
	if err := checkRepository(name); err != nil {
		return err
	}
	change := f.api.Projects.UnarchiveProject
	if archived {
		change = f.api.Projects.ArchiveProject
	}
	_, err := one(change(name, gl.WithContext(ctx)))
	return err
}

// DeleteRepository deletes a project, or has GitLab delete it when its time of grace has passed.
func (f *Forge) DeleteRepository(ctx context.Context, name string) error {
	if _, err := f.project(ctx, name); err != nil {
		return err
	}
	return done(f.api.Projects.DeleteProject(name, nil, gl.WithContext(ctx)))
}

const mostKeys = 1000 // of one project

// ListDeployKeys gives the deploy keys that are enabled for a project.
func (f *Forge) ListDeployKeys(ctx context.Context, repository string) ([]forge.DeployKey, error) {
	if err := checkRepository(repository); err != nil {
		return nil, err
	}
	keys, _, err := whole(mostKeys, func(o gl.ListOptions) ([]*gl.ProjectDeployKey, *gl.Response, error) {
		return f.api.DeployKeys.ListProjectDeployKeys(repository, &gl.ListProjectDeployKeysOptions{ListOptions: o}, gl.WithContext(ctx))
	})
	if err != nil {
		return nil, err
	}
	out := make([]forge.DeployKey, len(keys))
	for i, k := range keys {
		out[i] = deployKey(k)
	}
	return out, nil
}

func deployKey(k *gl.ProjectDeployKey) forge.DeployKey {
	key := k.Key
	if parts := strings.Fields(k.Key); len(parts) > 2 {
		key = parts[0] + " " + parts[1]
	}
	return forge.DeployKey{ID: strconv.FormatInt(k.ID, 10), Title: k.Title, Key: key, ReadOnly: !k.CanPush}
}

// AddDeployKey adds a deploy key to a project.
func (f *Forge) AddDeployKey(ctx context.Context, repository string, k forge.DeployKey) (forge.DeployKey, error) {
	if err := checkRepository(repository); err != nil {
		return forge.DeployKey{}, err
	}
	made, err := one(f.api.DeployKeys.AddDeployKey(repository, &gl.AddDeployKeyOptions{Title: &k.Title, Key: &k.Key, CanPush: gl.Ptr(!k.ReadOnly)}, gl.WithContext(ctx)))
	if err != nil {
		return forge.DeployKey{}, taken(err)
	}
	return deployKey(made), nil
}

// DeleteDeployKey takes a deploy key from a project.
func (f *Forge) DeleteDeployKey(ctx context.Context, repository, id string) error {
	if err := checkRepository(repository); err != nil {
		return err
	}
	n, err := checkID(id, "deploy key")
	if err != nil {
		return err
	}
	return done(f.api.DeployKeys.DeleteDeployKey(repository, n, gl.WithContext(ctx)))
}
