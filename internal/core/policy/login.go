package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// pointLogin is asked in the root space alone.
const pointLogin = "login"

// maxLent bounds the roles and groups of one session.
const maxLent = 200

// Lending says what login policies may do beside letting people in.
type Lending struct {
	// Trusts tells whether a source of documents may say who has which rights: a location that is trusted for policies may
	// be trusted for nothing else.
	Trusts func(ctx context.Context, source string) (bool, error)
	// Changed is called in the transaction in which a login policy changes.
	Changed func(ctx context.Context, tx *store.Tx) error
}

// Lends has login policies give sessions roles and groups. Without it, and until it is called, they give none.
func (s *Service) Lends(l Lending) { s.lending = l }

// Admits asks the login policies, which hold in the root space alone, whether a principal may sign in, and with what.
// Without any it may. Where there are some, one has to allow it, or to give it something; what one denies stays denied.
// Denied with their words.
func (s *Service) Admits(ctx context.Context, principal string, input func() (any, error)) (access.Admission, error) {
	d, asked, err := s.Consult(ctx, pointLogin, access.Root, Refs{Subject: principal}, input)
	switch {
	case err != nil:
		return access.Admission{}, fault.Wrap(err, "ask the login policies")
	case !asked:
		return access.Admission{}, nil
	case d.Denied():
		return access.Admission{}, fault.Errorf(fault.Denied, "a login policy denies it: %s", strings.Join(d.Outcome["deny"], "; "))
	case !slices.ContainsFunc([]string{"allow", "admin", "roles", "space_admin", "space_write", "space_read"}, d.Holds):
		return access.Admission{}, fault.Errorf(fault.Denied, "no login policy allows it (%s); ask an administrator", strings.Join(d.Policies, ", "))
	}
	a := access.Admission{Decision: d.ID, Held: d.Holds("deny_admin")}
	var given []actor.Lent
	for _, v := range d.Votes {
		by := v.lends(a.Held)
		if len(by) == 0 {
			continue
		}
		trusted, err := s.trusts(ctx, v)
		if err != nil {
			return access.Admission{}, err
		}
		if !trusted {
			a.Beyond = append(a.Beyond, fmt.Sprintf("what policy %s gives: its location is not trusted for RoleBinding", nameOf(v.Policy)))
			continue
		}
		given = append(given, by...)
	}
	if len(given) > maxLent {
		return access.Admission{}, fault.Errorf(fault.Denied, "the login policies give %d roles, and a session has at most %d; give them in higher spaces", len(given), maxLent)
	}
	lent, beyond, err := s.access.Lendable(ctx, given)
	if err != nil {
		return access.Admission{}, fault.Wrap(err, "look what the login policies may give")
	}
	a.Lent, a.Beyond = lent, append(a.Beyond, beyond...)
	if len(a.Beyond) > 0 {
		s.log.InfoContext(ctx, "login policies give what does not count", "decision", d.ID, "reasons", strings.Join(a.Beyond[:min(len(a.Beyond), 20)], "; "))
	}
	return a, nil
}

// trusts tells whether the source of a policy may give rights. It is asked of what holds now: a policy that has changed
// since it was asked makes the sign-in begin anew.
func (s *Service) trusts(ctx context.Context, v Vote) (bool, error) {
	if s.lending.Trusts == nil {
		return false, nil
	}
	var p attached
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		p, err = policyByRef(ctx, tx, v.Policy)
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && (p.Version != v.Version || p.Space != v.Space) {
		return false, nil
	}
	if err != nil {
		return false, fault.Wrap(err, "find policy %s", v.Policy)
	}
	trusted, err := s.lending.Trusts(ctx, p.Source)
	return trusted, fault.Wrap(err, "look whether the source of policy %s may give rights", v.Policy)
}

// lends reads what one login policy gives, by Spacelift's rules: admin in its space, space_admin, space_write and space_read
// in the spaces that they name, roles[space][role], and team, the groups to count in. deny_admin, of whichever policy, goes
// before all that makes an administrator.
func (v Vote) lends(noAdmin bool) (all []actor.Lent) {
	lend := func(l actor.Lent) {
		if noAdmin && l.Role == access.Admin {
			return
		}
		l.Policy, l.Within = v.Policy, v.Space
		all = append(all, l)
	}
	if len(v.Says["admin"]) > 0 {
		lend(actor.Lent{Role: access.Admin, Space: v.Space})
	}
	for rule, role := range map[string]string{"space_admin": access.Admin, "space_write": access.Developer, "space_read": access.Reader} {
		for _, space := range v.given(rule) {
			lend(actor.Lent{Role: role, Space: space})
		}
	}
	var roles map[string]any
	if json.Unmarshal(v.Gives["roles"], &roles) == nil {
		for space, of := range roles {
			for _, role := range namesIn(of) {
				lend(actor.Lent{Role: role, Space: space})
			}
		}
	}
	for _, team := range v.given("team") {
		group := team
		if r, err := ref.Parse(team, "group", ref.DefaultNamespace); err == nil && r.Kind == "group" {
			group = r.String()
		}
		lend(actor.Lent{Group: group})
	}
	slices.SortFunc(all, func(a, b actor.Lent) int {
		return strings.Compare(a.Space+" "+a.Role+" "+a.Group, b.Space+" "+b.Role+" "+b.Group)
	})
	return all
}

// given gives the names that one policy gave by a rule.
func (v Vote) given(rule string) []string {
	var value any
	if json.Unmarshal(v.Gives[rule], &value) != nil {
		return nil // it gave nothing
	}
	return namesIn(value)
}

// loginChanged tells who keeps what login policies gave that one of those that are asked is another now.
func (s *Service) loginChanged(ctx context.Context, tx *store.Tx, old *attached, next attached, c document.Change) error {
	switch {
	case s.lending.Changed == nil:
		return nil
	case (old == nil || !old.asksLogins()) && !next.asksLogins():
		return nil
	case old != nil && c.Old != nil && c.New != nil && old.Space == next.Space && old.Source == next.Source && sameSpec(*c.Old, *c.New):
		return nil // only its metadata
	}
	return s.lending.Changed(ctx, tx)
}

// asksLogins tells whether sign-ins are judged by a policy: one of a lower space is never asked.
func (p attached) asksLogins() bool { return p.Point == pointLogin && p.Space == access.Root }

func sameSpec(a, b document.Document) bool {
	one, err := json.Marshal(a.Spec)
	other, wrong := json.Marshal(b.Spec)
	return err == nil && wrong == nil && string(one) == string(other)
}
