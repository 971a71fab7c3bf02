package delivery

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Reconcile looks at an application once.
func (s *Service) Reconcile(ctx context.Context, r ref.Entity) error {
	return s.reconcile(actor.AsSystem(ctx), r.String())
}

// Happened lets tests take an entry of the ledger when they want to.
func (s *Service) Happened(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	return s.happened(ctx, tx, e)
}
