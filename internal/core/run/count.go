package run

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// CountTx counts the runs of a kind that a subject had in a space, to a product, unauthorised, in its transaction.
func (s *Service) CountTx(ctx context.Context, tx *store.Tx, kind, space, subject string) (n int, err error) {
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM runs WHERE subject = $1 AND space = $2 AND kind = $3", subject, space, kind).Scan(&n)
	return n, fault.Wrap(err, "count the runs of %s", subject)
}
