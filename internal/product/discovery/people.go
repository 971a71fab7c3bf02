package discovery

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// member is a person with the teams that they are in.
type member struct {
	forge.Person
	teams []string // by their names at the forge
}

// people brings the teams and people as a whole set, or nothing when a part of them can't be read.
func (v *visiting) people(ctx context.Context) error {
	rules := v.d.Spec.People
	if rules == nil {
		if _, err := v.s.bring(ctx, v.d, nil, nil); err != nil { // they may have been wanted once
			return err
		}
		v.peopled = true
		return nil
	}
	may, err := v.s.trust(ctx, v.d)
	if err != nil {
		return err
	}
	known, err := v.known(ctx)
	if err != nil {
		return err
	}
	groups, users, err := v.gather(ctx, known)
	if err != nil {
		return err
	}
	out, err := v.s.bring(ctx, v.d, append(groups, users...), may)
	if err != nil {
		return err
	}
	v.peopled = true
	v.counts.Wrong, v.counts.Held = out.Wrong, v.counts.Held+out.Held
	for e := range out.Taken {
		if e.Kind == "user" {
			v.counts.Users++
		} else {
			v.counts.Groups++
		}
	}
	if out.Wrong > 0 && len(out.Details) > 0 {
		v.s.Log.Info("not all people of an organization were taken", "discovery", v.d.Name, "wrong", out.Wrong, "first", out.Details[0].Message)
	}
	return nil
}

// bring makes the set of people of a Discovery.
func (s *Service) bring(ctx context.Context, d Discovery, documents []document.Document, may func(document.Kind) error) (catalog.Brought, error) {
	most := usualGone
	if d.Spec.MostGone != nil {
		most = *d.Spec.MostGone
	}
	most = max(most, 1)
	if d.ended || d.Spec.People == nil || most == 100 {
		most = 0 // all
	}
	return s.Catalog.Bring(actor.AsSystem(ctx), catalog.Set{
		Space: d.Space, Source: d.source(), Documents: documents, Whole: true, MostGone: most, May: may,
		Still: func(ctx context.Context, tx *store.Tx) error {
			_, err := held(ctx, tx, d)
			return err
		},
	})
}

// trust gives whether Users and Groups are taken by a Discovery's word: one that a location brought has no more trust than that.
func (s *Service) trust(ctx context.Context, d Discovery) (func(document.Kind) error, error) {
	e, err := s.Catalog.Get(actor.AsSystem(ctx), d.Ref())
	if err != nil {
		return nil, err
	}
	id, ok := strings.CutPrefix(e.Source, "location:")
	if !ok {
		return nil, nil
	}
	l, err := s.Catalog.GetLocation(actor.AsSystem(ctx), id)
	if err != nil {
		return nil, err
	}
	return func(kind document.Kind) error {
		if slices.Contains(l.Trusted, kind.Name) {
			return nil
		}
		return fault.Errorf(fault.Denied, "%s, which brings the Discovery, is not trusted for %s", l, kind.Name)
	}, nil
}

// gather reads the teams and people of the organization, and makes documents of them.
func (v *visiting) gather(ctx context.Context, known func([]member) error) (groups, users []document.Document, err error) {
	organization := v.d.Spec.Organization
	teams, err := forge.All(maxTeams, func(part page.Request) (page.Of[forge.Team], error) {
		return v.forge.ListTeams(ctx, organization, part)
	})
	if err != nil {
		return nil, nil, fault.Wrap(err, "list the teams of %s", organization)
	}
	members, at := []member{}, map[string]int{}
	add := func(team string) error {
		all, err := forge.All(maxPeople, func(part page.Request) (page.Of[forge.Person], error) {
			return v.forge.ListMembers(ctx, organization, team, part)
		})
		if err != nil {
			return fault.Wrap(err, "list the members of %s", cmp.Or(team, organization))
		}
		for _, p := range all {
			if p.Bot || p.Login == "" {
				continue
			}
			i, there := at[p.ID]
			if !there {
				i = len(members)
				at[p.ID], members = i, append(members, member{Person: p})
			}
			if team != "" {
				members[i].teams = append(members[i].teams, team)
			}
		}
		if len(members) > maxPeople {
			return fault.Errorf(fault.TooLarge, "%s has more than %d people", organization, maxPeople)
		}
		return nil
	}
	if err := add(""); err != nil {
		return nil, nil, err
	}
	for _, t := range teams {
		if err := add(t.Name); err != nil {
			return nil, nil, err
		}
	}
	if known != nil {
		if err := known(members); err != nil {
			return nil, nil, err
		}
	}
	host, err := v.host(ctx)
	if err != nil {
		return nil, nil, err
	}
	return v.documents(host, teams, members)
}

func (v *visiting) host(ctx context.Context) (string, error) {
	i, err := v.s.Integrations.Lookup(ctx, v.d.Spec.Integration)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(i.Spec.URL)
	if err != nil {
		return "", err
	}
	return u.Hostname(), nil
}

// documents makes Groups of an organization and its teams, and Users of its members. Of two whose names are the same here the
// first one counts.
func (v *visiting) documents(host string, teams []forge.Team, members []member) (groups, users []document.Document, err error) {
	rules := v.d.Spec.People
	namespace := cmp.Or(rules.Namespace, ref.DefaultNamespace)
	top := plainName(v.d.Spec.Organization)
	named, taken := map[string]string{}, map[string]bool{top: true}
	for _, t := range teams {
		if name := plainName(t.Name); name != "" && !taken[name] {
			named[t.Name], taken[name] = name, true
		}
	}
	if rules.Teams {
		within := map[string][]any{}
		if !rules.Users {
			for _, m := range members {
				for _, t := range orTop(m.teams) {
					within[t] = append(within[t], plainName(m.Login))
				}
			}
		}
		group := func(name, title, description, parent, kind, team string) error {
			spec := map[string]any{"type": kind, "children": []any{}, "profile": map[string]any{"displayName": clip(cmp.Or(title, name), 200)}}
			if parent != "" {
				spec["parent"] = parent
			}
			if within[team] != nil {
				spec["members"] = within[team]
			}
			d, err := made("Group", namespace, name, description, nil, spec)
			groups = append(groups, d)
			return err
		}
		if err := group(top, v.d.Spec.Organization, "", "", "organization", ""); err != nil {
			return nil, nil, err
		}
		for _, t := range teams {
			if named[t.Name] == "" {
				continue
			}
			if err := group(named[t.Name], t.Title, t.Description, cmp.Or(named[t.Parent], top), "team", t.Name); err != nil {
				return nil, nil, err
			}
		}
	}
	if !rules.Users {
		return groups, nil, nil
	}
	had := map[string]bool{}
	for _, m := range members {
		name := plainName(m.Login)
		if name == "" || had[name] {
			continue
		}
		had[name] = true
		memberOf := []any{}
		if rules.Teams {
			for _, t := range m.teams {
				if named[t] != "" {
					memberOf = append(memberOf, named[t])
				}
			}
			if len(memberOf) == 0 {
				memberOf = append(memberOf, top)
			}
		}
		profile := map[string]any{"displayName": clip(cmp.Or(m.Name, m.Login), 200)}
		if m.Email != "" {
			profile["email"] = clip(m.Email, 200)
		}
		d, err := made("User", namespace, name, "", map[string]any{host + "/user-login": m.Login}, map[string]any{"profile": profile, "memberOf": memberOf})
		if err != nil {
			return nil, nil, err
		}
		users = append(users, d)
	}
	return groups, users, nil
}

// orTop gives the organization itself, "", for somebody who is in no team.
func orTop(teams []string) []string {
	if len(teams) == 0 {
		return []string{""}
	}
	return teams
}

func made(kind, namespace, name, description string, annotations, spec map[string]any) (document.Document, error) {
	metadata := map[string]any{"name": name, "namespace": namespace}
	if description != "" {
		metadata["description"] = clip(description, 1000)
	}
	if annotations != nil {
		metadata["annotations"] = annotations
	}
	d, err := document.FromValue(map[string]any{"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
	return d, fault.Wrap(err, "%s %s", kind, name)
}

const (
	askAtOnce  = 300                // people whose names are asked for in one look
	askedAgain = 7 * 24 * time.Hour // each
)

// known gives what completes people whose forge lists them without names: each is asked for by login, some at each look. What
// can't be told now is told later.
func (v *visiting) known(ctx context.Context) (func([]member) error, error) {
	var had map[string]asked
	err := v.s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		had, err = askedPeople(ctx, tx, v.d.Name)
		return err
	})
	return func(members []member) error {
		var fresh []asked
		there, left := map[string]bool{}, askAtOnce
		for i := range members {
			m := &members[i]
			there[m.ID] = true
			if m.Name != "" {
				continue
			}
			a, is := had[m.ID]
			if left > 0 && (!is || v.s.Now().Sub(a.at) > askedAgain) {
				left--
				p, err := v.forge.GetPerson(ctx, m.Login)
				switch {
				case err == nil, fault.Is(err, fault.NotFound):
					a = asked{m.ID, clip(p.Name, 200), clip(p.Email, 200), v.s.Now()}
					fresh = append(fresh, a)
				case ctx.Err() != nil:
					return err
				default:
					left = 0
				}
			}
			m.Name, m.Email = a.name, cmp.Or(m.Email, a.email)
		}
		var gone []string
		for id := range had {
			if !there[id] {
				gone = append(gone, id)
			}
		}
		if len(fresh)+len(gone) == 0 {
			return nil
		}
		return v.s.DB.Write(ctx, func(tx *store.Tx) error {
			if _, err := held(ctx, tx, v.d); err != nil {
				return err
			}
			for _, a := range fresh {
				if err := putAsked(ctx, tx, v.d.Name, a); err != nil {
					return err
				}
			}
			for _, id := range gone {
				if err := dropAsked(ctx, tx, v.d.Name, id); err != nil {
					return err
				}
			}
			return nil
		})
	}, err
}
