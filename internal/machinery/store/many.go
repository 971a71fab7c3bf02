package store

import (
	"context"
	"fmt"
	"strings"
)

// InsertMany writes rows by as few statements as that takes, and gives how many the database has changed. head is the beginning of
// the statement, which names the columns; tail is what follows the values. A column has texts, or numbers and bools. Its statements
// have few texts, so that each is prepared once.
func InsertMany(ctx context.Context, tx *Tx, head, tail string, rows [][]any) (changed int64, err error) {
	if len(rows) > 0 && tx.Dialect() == Postgres {
		columns, args, err := transposed(rows)
		if err != nil {
			return 0, err
		}
		return tx.Exec(ctx, head+" SELECT * FROM unnest("+columns+") "+tail, args...)
	}
	for len(rows) > 0 {
		n := rowsOf(len(rows))
		row := "(?" + strings.Repeat(", ?", len(rows[0])-1) + ")" // it goes through the names of all arguments for each of them
		args := make([]any, 0, n*len(rows[0]))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		done, err := tx.Exec(ctx, head+" VALUES "+row+strings.Repeat(", "+row, n-1)+" "+tail, args...)
		if err != nil {
			return changed, err
		}
		changed += done
		rows = rows[n:]
	}
	return changed, nil
}

// transposed gives rows of texts, numbers and bools as an array for each column.
func transposed(rows [][]any) (columns string, args []any, err error) {
	var b strings.Builder
	for i, first := range rows[0] {
		if i > 0 {
			b.WriteString(", ")
		}
		var all any
		of := "bigint"
		if _, is := first.(string); is {
			of = "text"
			all, err = column(rows, i, func(v any) (text string, ok bool) { text, ok = v.(string); return text, ok })
		} else {
			all, err = column(rows, i, number)
		}
		if err != nil {
			return "", nil, err
		}
		fmt.Fprintf(&b, "$%d::%s[]", i+1, of)
		args = append(args, all)
	}
	return b.String(), args, nil
}

func number(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case bool:
		if v {
			n = 1
		}
		return n, true
	}
	return 0, false
}

func column[T any](rows [][]any, i int, as func(any) (T, bool)) ([]T, error) {
	all := make([]T, len(rows))
	for k, row := range rows {
		var ok bool
		if all[k], ok = as(row[i]); !ok {
			return nil, fmt.Errorf("column %d of row %d has a %T", i, k, row[i])
		}
	}
	return all, nil
}

// rowsOf gives how many of some rows the next statement has.
func rowsOf(n int) int {
	for _, size := range [...]int{64, 32, 16, 8, 4, 2, 1} {
		if size <= n {
			return size
		}
	}
	return 1
}
