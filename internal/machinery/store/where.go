package store

import (
	"slices"
	"strconv"
	"strings"
)

// Where collects the conditions of a query with their arguments.
type Where struct {
	parts []string
	Args  []any
}

// Arg adds an argument and gives its place, such as $3.
func (w *Where) Arg(v any) string {
	w.Args = append(w.Args, v)
	return "$" + strconv.Itoa(len(w.Args))
}

// Add adds a condition; all must hold.
func (w *Where) Add(condition string) { w.parts = append(w.parts, condition) }

// Equal adds that a column has a value; "" adds nothing.
func (w *Where) Equal(column, value string) {
	if value != "" {
		w.Add(column + " = " + w.Arg(value))
	}
}

// After adds that a column is greater than the cursor of a list; "" adds nothing.
func (w *Where) After(column, cursor string) { w.beyond(column, ">", cursor) }

// Before adds that a column is less than the cursor of a list, whose newest come first; "" adds nothing.
func (w *Where) Before(column, cursor string) { w.beyond(column, "<", cursor) }

func (w *Where) beyond(column, order, cursor string) {
	if cursor != "" {
		w.Add(column + " " + order + " " + w.Arg(cursor))
	}
}

// In gives the condition, to be added, that a column has one of some values; of none it can't hold.
func (w *Where) In(column string, values []string) string {
	if len(values) == 0 {
		return "1 = 0"
	}
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = w.Arg(v)
	}
	return column + " IN (" + strings.Join(marks, ", ") + ")"
}

// Clone gives the same conditions, to which others can be added.
func (w *Where) Clone() *Where {
	return &Where{slices.Clone(w.parts), slices.Clone(w.Args)}
}

// String gives the clause with a space on each side; where there is no condition, one space.
func (w *Where) String() string {
	if len(w.parts) == 0 {
		return " "
	}
	return " WHERE " + strings.Join(w.parts, " AND ") + " "
}
