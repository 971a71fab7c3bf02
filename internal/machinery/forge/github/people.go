package github

import (
	"context"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// ListOrganizations gives the caller's organizations; an App's is the one that it is installed on.
func (g *GitHub) ListOrganizations(ctx context.Context, part page.Request) (page.Of[forge.Organization], error) {
	if g.app != nil {
		return g.app.organizations(ctx, g.web, part)
	}
	return list(part, func(o gh.ListOptions) ([]*gh.Organization, *gh.Response, error) {
		return g.api.Organizations.List(ctx, "", &o)
	}, func(o *gh.Organization) forge.Organization {
		return forge.Organization{ID: id(o.GetID()), Name: o.GetLogin(), Title: o.GetName(), Description: o.GetDescription(), URL: g.web + "/" + o.GetLogin()}
	})
}

// ListTeams gives the teams that the caller may see.
func (g *GitHub) ListTeams(ctx context.Context, organization string, part page.Request) (page.Of[forge.Team], error) {
	if err := checkOwner(organization); err != nil {
		return page.Of[forge.Team]{}, err
	}
	return list(part, func(o gh.ListOptions) ([]*gh.Team, *gh.Response, error) {
		return g.api.Teams.ListTeams(ctx, organization, &o)
	}, func(t *gh.Team) forge.Team {
		return forge.Team{ID: id(t.GetID()), Name: t.GetSlug(), Title: t.GetName(), Description: t.GetDescription(), Parent: t.GetParent().GetSlug()}
	})
}

// ListMembers gives logins without names and addresses; a team's members are also those of the teams within it.
func (g *GitHub) ListMembers(ctx context.Context, organization, team string, part page.Request) (page.Of[forge.Person], error) {
	if err := checkOwner(organization); err != nil {
		return page.Of[forge.Person]{}, err
	}
	if team != "" && (!namePattern.MatchString(team) || team == "." || team == "..") {
		return page.Of[forge.Person]{}, fault.Errorf(fault.Invalid, "%.100q is not the name of a team as in its address", team)
	}
	return list(part, func(o gh.ListOptions) ([]*gh.User, *gh.Response, error) {
		if team != "" {
			return g.api.Teams.ListTeamMembersBySlug(ctx, organization, team, &gh.TeamListTeamMembersOptions{ListOptions: o})
		}
		return g.api.Organizations.ListMembers(ctx, organization, &gh.ListMembersOptions{ListOptions: o})
	}, personOf)
}

// GetPerson gives what the account shows to everybody.
func (g *GitHub) GetPerson(ctx context.Context, login string) (forge.Person, error) {
	if err := checkOwner(login); err != nil {
		return forge.Person{}, err
	}
	u, _, err := g.api.Users.Get(ctx, login)
	if err != nil {
		return forge.Person{}, told(err)
	}
	return personOf(u), nil
}
