package server

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// forges are the integrations as repositories reach them.
type forges struct{ *integration.Service }

// Terms gives what an integration is for.
func (f forges) Terms(ctx context.Context, name string) (repository.Terms, error) {
	i, err := f.Lookup(ctx, name)
	return repository.Terms{Forge: i.Spec.Forge, Owners: i.Spec.Owners, Interval: i.Spec.Poll.Interval}, err
}

// Use asks for the right to reach a forge with an integration's credentials. Whoever may not see it learns nothing of it.
func (f forges) Use(ctx context.Context, name string) error {
	i, err := f.Get(ctx, name)
	if err != nil {
		return err
	}
	return f.Access.Authorize(ctx, repository.UseIntegration, i.Space)
}

// connect connects the repository that has its page at an address of a forge, for its files alone, if the caller may use exactly one
// integration that is for it.
func (h *House) connect(ctx context.Context, space, address string) (bool, error) {
	var n []repository.NewOutside
	for part := (page.Request{Limit: page.Most}); ; {
		list, err := h.Integrations.List(ctx, "", part)
		if err != nil {
			return false, err
		}
		for _, i := range list.Items {
			remote, ok := strings.CutPrefix(address, strings.TrimSuffix(i.Spec.URL, "/")+"/")
			terms := repository.Terms{Owners: i.Spec.Owners}
			if !ok || !strings.Contains(remote, "/") || !terms.Covers(remote) || (forges{h.Integrations}).Use(ctx, i.Name) != nil {
				continue
			}
			namespace := strings.ToLower(path.Base(path.Dir(remote)))
			n = append(n, repository.NewOutside{Space: space, Namespace: namespace, Integration: i.Name, Remote: remote, Content: repository.ContentAPI})
		}
		if part.Cursor = list.Next; part.Cursor == "" || len(n) > 1 {
			break
		}
	}
	if len(n) != 1 {
		return false, nil
	}
	_, err := h.Repositories.Connect(ctx, n[0])
	switch {
	case fault.Is(err, fault.Denied), fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
		return false, nil // it is said that it is to be connected first
	case fault.Is(err, fault.Conflict) && !errors.Is(err, repository.ErrConnected): // another has its name here
		return false, fault.Errorf(fault.Invalid, "connect %s under another name first: %s", address, fault.Message(err))
	}
	return err == nil, err
}
