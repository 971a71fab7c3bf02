package run

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// CountTx counts the runs of a kind that a subject had in a space, those in some states if any are named, to a product,
// unauthorised, in its transaction.
func (s *Service) CountTx(ctx context.Context, tx *store.Tx, kind, space, subject string, states ...string) (n int, err error) {
	w := &store.Where{}
	w.Equal("subject", subject)
	w.Equal("space", space)
	w.Equal("kind", kind)
	if len(states) > 0 {
		w.Add(w.In("state", states))
	}
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM runs"+w.String(), w.Args...).Scan(&n)
	return n, fault.Wrap(err, "count the runs of %s", subject)
}
