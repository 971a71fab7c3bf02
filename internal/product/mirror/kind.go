package mirror

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// This room owns no kind of document. Here is what the ledger has of its packages.

// tell appends that a package was added or removed, which has happened.
func (s *Service) tell(ctx context.Context, what string, p provider.Package, r provider.Record) error {
	data, err := json.Marshal(map[string]any{"version": p.Version, "platform": p.Platform, "sha256": r.SHA256})
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := s.Ledger.Append(ctx, tx, ledger.Entry{Type: what, Space: access.Root, Subject: subject(p.Name), Data: data})
		return err
	})
}
