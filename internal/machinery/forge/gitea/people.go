package gitea

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

type organization struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Username    string `json:"username"` // the name, before Gitea 1.17
	Title       string `json:"full_name"`
	Description string `json:"description"`
}

type team struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// ListOrganizations gives those that the caller is a member of.
func (f *Forge) ListOrganizations(ctx context.Context, part page.Request) (page.Of[forge.Organization], error) {
	return list(ctx, f, part, "/user/orgs", nil, func(o organization) (forge.Organization, bool) {
		if o.Name == "" {
			o.Name = o.Username
		}
		return forge.Organization{ID: text(o.ID), Name: o.Name, Title: o.Title, Description: o.Description, URL: f.root + "/" + o.Name}, true
	})
}

// ListTeams gives the teams, which are not within each other.
func (f *Forge) ListTeams(ctx context.Context, organization string, part page.Request) (page.Of[forge.Team], error) {
	path, err := atOrganization(organization, "teams")
	if err != nil {
		return page.Of[forge.Team]{}, err
	}
	return list(ctx, f, part, path, nil, func(t team) (forge.Team, bool) {
		return forge.Team{ID: text(t.ID), Name: t.Name, Title: t.Name, Description: t.Description}, true
	})
}

// ListMembers gives the members of an organization or a team.
func (f *Forge) ListMembers(ctx context.Context, organization, of string, part page.Request) (page.Of[forge.Person], error) {
	path, err := atOrganization(organization, "members")
	if err != nil {
		return page.Of[forge.Person]{}, err
	}
	if of != "" {
		if path, err = f.team(ctx, organization, of); err != nil {
			return page.Of[forge.Person]{}, err
		}
	}
	return list(ctx, f, part, path, nil, all((*person).person))
}

// team gives where the API has the members of a team, which it has by its id alone.
func (f *Forge) team(ctx context.Context, organization, of string) (string, error) {
	path, err := atOrganization(organization, "teams")
	if err != nil {
		return "", err
	}
	found, err := whole(ctx, f, path, nil, func(t team) (int64, bool) { return t.ID, t.Name == of })
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fault.Errorf(fault.NotFound, "%s has no team %.100q", organization, of)
	}
	return "/teams/" + text(found[0]) + "/members", nil
}

// GetPerson gives what the account shows.
func (f *Forge) GetPerson(ctx context.Context, login string) (forge.Person, error) {
	if err := checkName("an account", login); err != nil {
		return forge.Person{}, err
	}
	var p person
	err := f.get(ctx, "/users/"+login, nil, &p)
	return p.person(), err
}
