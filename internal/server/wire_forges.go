package server

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
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
