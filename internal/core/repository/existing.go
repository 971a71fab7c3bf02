package repository

import (
	"context"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Exists tells whether there is a repository with an id, or one that was deleted and can be restored.
func (p Platform) Exists(ctx context.Context, id string) (exists bool, err error) {
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		n := 0
		err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM repositories WHERE id = $1", id).Scan(&n)
		exists = n > 0
		return err
	})
	return exists, fault.Wrap(err, "look for repository %s", id)
}

// Existing gives those of some ids of which Exists is true.
func (p Platform) Existing(ctx context.Context, ids []string) (map[string]bool, error) {
	const atOnce = 500
	there := map[string]bool{}
	for part := range slices.Chunk(ids, atOnce) {
		err := p.s.db.Read(ctx, func(tx *store.Tx) error {
			w := &store.Where{}
			w.Add(w.In("id", part))
			rows, err := tx.Query(ctx, "SELECT id FROM repositories"+w.String(), w.Args...)
			found, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
			for _, id := range found {
				there[id] = true
			}
			return err
		})
		if err != nil {
			return nil, fault.Wrap(err, "look for repositories")
		}
	}
	return there, nil
}
