package repository

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// OutsideIDs gives the ids of repositories that live at a forge, in their order, after one of them.
func (p Platform) OutsideIDs(ctx context.Context, after string, limit int) (ids []string, err error) {
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT repository FROM repository_outsides WHERE repository > $1 ORDER BY repository LIMIT $2`, after, limit)
		ids, err = store.Collect(rows, err, scanText)
		return err
	})
	return ids, err
}
