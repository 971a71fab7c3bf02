package repository

import (
	"context"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Tags gives the tags that begin with an ASCII text, by name, as the ledger knows them; at most limit of them, from the end of the list, where
// those of greater versions mostly are.
func (p Platform) Tags(ctx context.Context, repository, prefix string, limit int) ([]Ref, error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, err
	}
	begin := "refs/tags/" + prefix
	var tags []Ref
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT name, hash FROM repository_refs WHERE repository = $1 AND SUBSTR(name, 1, $2) = $3 ORDER BY name DESC LIMIT $4", r.ID, len(begin), begin, limit)
		tags, err = store.Collect(rows, err, func(row store.Row) (t Ref, err error) {
			return t, row.Scan(&t.Name, &t.Hash)
		})
		return err
	})
	slices.Reverse(tags)
	return tags, fault.Wrap(err, "list the tags of %s", repository)
}
