package store

import (
	"context"
	"strconv"
)

// Part reads a part of a table's rows by its place, and how many rows there are. Of a place that is deep in a list the rows before
// are read too; a cursor is better where there is a choice. order names a row in one way.
func Part[T any](ctx context.Context, tx *Tx, columns, from string, w *Where, order string, offset, limit int, scan func(Row) (T, error)) (list []T, total int, err error) {
	if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM "+from+w.String(), w.Args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	if limit <= 0 || offset >= total {
		return nil, total, nil
	}
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM "+from+w.String()+"ORDER BY "+order+" LIMIT "+strconv.Itoa(limit)+" OFFSET "+strconv.Itoa(max(offset, 0)), w.Args...)
	list, err = Collect(rows, err, scan)
	return list, total, err
}
