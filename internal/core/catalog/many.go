package catalog

import (
	"context"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// sizes are how many rows or values a statement has: few texts, so that each is prepared once.
var sizes = [...]int{64, 32, 16, 8, 4, 2, 1}

// insertMany writes rows by as few statements as that takes, and gives how many the database has changed. head names the
// columns, tail is what follows the values.
func insertMany(ctx context.Context, tx *store.Tx, head, tail string, rows [][]any) (changed int64, err error) {
	numbers := tx.Dialect() == store.Postgres // SQLite goes through the names of all arguments for each of them
	for len(rows) > 0 {
		n := atMost(len(rows))
		columns := len(rows[0])
		text := make([]byte, 0, len(head)+len(tail)+n*columns*6)
		text = append(append(text, head...), " VALUES "...)
		args := make([]any, 0, n*columns)
		for i, row := range rows[:n] {
			if i > 0 {
				text = append(text, ", "...)
			}
			before := byte('(')
			for _, v := range row {
				args = append(args, v)
				if text = append(text, before); numbers {
					text = strconv.AppendInt(append(text, '$'), int64(len(args)), 10)
				} else {
					text = append(text, '?')
				}
				before = ','
			}
			text = append(text, ')')
		}
		text = append(append(text, ' '), tail...)
		done, err := tx.Exec(ctx, string(text), args...)
		if err != nil {
			return changed, err
		}
		changed += done
		rows = rows[n:]
	}
	return changed, nil
}

func atMost(n int) int {
	for _, size := range sizes {
		if size <= n {
			return size
		}
	}
	return 1
}

// inParts gives values to fn in parts whose sizes are few; the last is filled up with its last value.
func inParts(values []string, fn func(part []string) error) error {
	for len(values) > 0 {
		part := values[:min(len(values), sizes[0])]
		values = values[len(part):]
		full := sizes[0]
		for _, size := range sizes {
			if size >= len(part) {
				full = size
			}
		}
		filled := append(make([]string, 0, full), part...)
		for len(filled) < full {
			filled = append(filled, part[len(part)-1])
		}
		if err := fn(filled); err != nil {
			return err
		}
	}
	return nil
}

func compareText(a, b any) int {
	x, _ := a.(string)
	y, _ := b.(string)
	return strings.Compare(x, y)
}
