package server

import (
	"context"
	"net/url"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// outsiders tells product/proposal of the forges that repositories live at.
type outsiders struct{ h *House }

func (o outsiders) Forge(ctx context.Context, r repository.Repository) (forge.Forge, string, error) {
	f, err := o.h.Integrations.Forge(ctx, r.Outside.Integration)
	return f, r.Outside.Remote, err
}

func (o outsiders) Account(ctx context.Context, r repository.Repository, login string) (id string, err error) {
	at, err := url.Parse(r.Outside.URL)
	if err != nil {
		return "", nil // no page, no host that a document could name
	}
	err = o.h.DB.Read(ctx, func(tx *store.Tx) error {
		id, err = o.h.Identity.Account(ctx, tx, at.Hostname(), login)
		return err
	})
	return id, err
}
