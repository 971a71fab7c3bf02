package gitlab

import (
	"cmp"
	"context"
	"path"
	"strconv"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// ListOrganizations gives the groups that the caller is a member of, those within others included.
func (f *Forge) ListOrganizations(ctx context.Context, part page.Request) (page.Of[forge.Organization], error) {
	return list(part, func(o gl.ListOptions) ([]*gl.Group, *gl.Response, error) {
		return f.api.Groups.ListGroups(&gl.ListGroupsOptions{
			ListOptions: o, OrderBy: gl.Ptr("id"), Sort: gl.Ptr("asc"), MinAccessLevel: gl.Ptr(gl.GuestPermissions),
		}, gl.WithContext(ctx))
	}, func(g *gl.Group) (forge.Organization, bool) {
		return forge.Organization{ID: strconv.FormatInt(g.ID, 10), Name: g.FullPath, Title: g.Name, Description: g.Description, URL: g.WebURL}, g.MarkedForDeletionOn == nil
	})
}

// ListTeams gives all groups below a group. A team's name is its path from there.
func (f *Forge) ListTeams(ctx context.Context, organization string, part page.Request) (page.Of[forge.Team], error) {
	if err := checkGroup(organization); err != nil {
		return page.Of[forge.Team]{}, err
	}
	return list(part, func(o gl.ListOptions) ([]*gl.Group, *gl.Response, error) {
		return f.api.Groups.ListDescendantGroups(organization, &gl.ListDescendantGroupsOptions{ListOptions: o, OrderBy: gl.Ptr("id"), Sort: gl.Ptr("asc")}, gl.WithContext(ctx))
	}, func(g *gl.Group) (forge.Team, bool) {
		name := g.FullPath
		if len(name) > len(organization) && strings.EqualFold(name[:len(organization)+1], organization+"/") {
			name = name[len(organization)+1:]
		}
		parent := strings.TrimSuffix(path.Dir(name), ".")
		return forge.Team{ID: strconv.FormatInt(g.ID, 10), Name: name, Title: g.Name, Description: g.Description, Parent: parent}, g.MarkedForDeletionOn == nil
	})
}

// ListMembers gives a group's members with those that it has from the groups above, or a team's own.
func (f *Forge) ListMembers(ctx context.Context, organization, team string, part page.Request) (page.Of[forge.Person], error) {
	group, read := organization, f.api.Groups.ListAllGroupMembers
	if team != "" {
		group, read = organization+"/"+team, f.api.Groups.ListGroupMembers
	}
	if err := checkGroup(group); err != nil {
		return page.Of[forge.Person]{}, err
	}
	return list(part, func(o gl.ListOptions) ([]*gl.GroupMember, *gl.Response, error) {
		return read(group, &gl.ListGroupMembersOptions{ListOptions: o}, gl.WithContext(ctx))
	}, func(m *gl.GroupMember) (forge.Person, bool) {
		p := person(m.ID, m.Username, m.Name)
		p.Email = m.Email
		if p.Email == "" {
			p.Email = m.PublicEmail
		}
		return p, true
	})
}

// GetPerson gives what the account shows.
func (f *Forge) GetPerson(ctx context.Context, login string) (forge.Person, error) {
	if err := checkGroup(login); err != nil || strings.Contains(login, "/") {
		return forge.Person{}, fault.Errorf(fault.Invalid, "%.100q is not the name of a GitLab account", login)
	}
	found, err := one(f.api.Users.ListUsers(&gl.ListUsersOptions{Username: &login}, gl.WithContext(ctx)))
	if err != nil {
		return forge.Person{}, err
	}
	if len(found) == 0 {
		return forge.Person{}, fault.Errorf(fault.NotFound, "GitLab has no account %s", login)
	}
	p := person(found[0].ID, found[0].Username, found[0].Name)
	p.Email = cmp.Or(found[0].Email, found[0].PublicEmail)
	return p, nil
}
