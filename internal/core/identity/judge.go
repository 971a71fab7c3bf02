package identity

import (
	"context"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Judge asks the policies; core/policy does.
type Judge interface {
	// Admits gives Denied when the login policies don't let a principal in, else what they say of the session. Input is
	// called where there are any.
	Admits(ctx context.Context, principal string, input func() (any, error)) (access.Admission, error)
}

// JudgedBy has the login policies of the root space asked before a session is made. Tokens are no sessions: whoever is
// locked out of the portal by a policy can change it from the command line.
func (s *Service) JudgedBy(j Judge) { s.judge = j }

// mayEnter asks the login policies of the root space about somebody who holds a sign-in link. Denied with their words:
// where there are such policies, one has to allow it, and what one denies stays denied. The mark tells of which state of
// the policies the answer is.
func (s *Service) mayEnter(ctx context.Context, code string, now time.Time) (a access.Admission, mark int64, err error) {
	if s.judge == nil {
		return a, 0, nil
	}
	var who Principal
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if mark, err = judgedAt(ctx, tx, ""); err != nil {
			return err
		}
		id, err := linked(ctx, tx, hash(code), now)
		if err != nil {
			return err
		}
		who, err = livePrincipal(ctx, tx, id)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return a, mark, errLink()
	}
	if err != nil {
		return a, mark, err
	}
	p, err := s.principal(ctx, who)
	if err != nil {
		return a, mark, err
	}
	a, err = s.judge.Admits(ctx, who.ID, func() (any, error) { return s.loginInput(ctx, p, now) })
	return a, mark, err
}

// loginInput is Spacelift's shape of a login policy's input. A person is an opaque id in it, since it is kept; policies see the login.
func (s *Service) loginInput(ctx context.Context, p actor.Principal, now time.Time) (any, error) {
	spaces, err := s.access.ListSpaces(actor.AsSystem(ctx))
	if err != nil {
		return nil, err
	}
	known := []any{}
	for _, space := range spaces {
		known = append(known, map[string]any{"id": space.Name, "name": space.Name, "labels": []string{}})
	}
	teams := []string{}
	for _, g := range p.Groups {
		teams = append(teams, g)
		if name, usual := strings.CutPrefix(g, "group:"+ref.DefaultNamespace+"/"); usual {
			teams = append(teams, name)
		}
	}
	bindable, err := s.access.ListRoles(actor.AsSystem(ctx), access.Root)
	if err != nil {
		return nil, err
	}
	roles := []any{}
	for _, role := range bindable {
		roles = append(roles, map[string]any{"id": role.Name, "slug": role.Name, "name": role.Name})
	}
	remote, _ := ctx.Value(remoteKey{}).(string)
	return map[string]any{
		"request": map[string]any{"timestamp_ns": now.UnixNano(), "remote_ip": remote},
		"session": map[string]any{"login": p.ID, "name": "", "member": true, "teams": teams, "groups": p.Groups},
		"spaces":  known, "roles": roles,
	}, nil
}
