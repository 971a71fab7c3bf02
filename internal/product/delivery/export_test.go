package delivery

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// Happened lets tests take an entry of the ledger when they want to.
func (s *Service) Happened(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	return s.happened(ctx, tx, e)
}
