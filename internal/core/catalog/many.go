package catalog

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// sizes are how many rows or values a statement has: few texts, so that each is prepared once.
var sizes = [...]int{64, 32, 16, 8, 4, 2, 1}

// insertMany writes rows by as few statements as that takes, and gives how many the database has changed. head names the
// columns, tail is what follows the values.
func insertMany(ctx context.Context, tx *store.Tx, head, tail string, rows [][]any) (changed int64, err error) {
	if len(rows) > 0 && tx.Dialect() == store.Postgres {
		columns, args, err := transposed(rows)
		if err != nil {
			return 0, err
		}
		return tx.Exec(ctx, head+" SELECT * FROM unnest("+columns+") "+tail, args...)
	}
	for len(rows) > 0 {
		n := atMost(len(rows))
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

func atMost(n int) int {
	for _, size := range sizes {
		if size <= n {
			return size
		}
	}
	return 1
}

// among gives fn the words that follow a column which is to have one of the values, with the arguments that they stand for,
// before among them. It is called once, or for parts of the values.
func among(d store.Dialect, before []any, values []string, fn func(in string, args []any) error) error {
	first := len(before) + 1
	if d == store.Postgres { // one text for any number, and a quick plan
		if len(values) == 0 {
			return nil
		}
		return fn("= ANY($"+strconv.Itoa(first)+"::text[])", append(slices.Clip(before), values))
	}
	return inParts(values, func(part []string) error {
		in, args := numbered(first, part)
		return fn("IN ("+in+")", append(slices.Clip(before), args...))
	})
}

// plannedOnce is how many values PostgreSQL is asked for by a text of their number, whose plan it keeps: to plan takes it
// several times as long as to find them. An array is planned each time.
const plannedOnce = 8

// inFew is among for what is asked for often, a few values at a time.
func inFew(d store.Dialect, values []string, fn func(in string, args []any) error) error {
	if d != store.Postgres || len(values) == 0 || len(values) > plannedOnce {
		return among(d, nil, values, fn)
	}
	for values = slices.Clip(values); len(values) < plannedOnce; {
		values = append(values, values[0])
	}
	in, args := numbered(1, values)
	return fn("IN ("+in+")", args)
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
