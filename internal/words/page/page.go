package page

import (
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of a part, in items.
const (
	Usual = 50
	Most  = 200
)

// Of is a part of a list.
type Of[T any] struct {
	Items []T
	Next  string // cursor of the next part; "" at the end
}

// Request asks for a part of a list. Its zero value means the first one.
type Request struct {
	Cursor string // Of.Next of the part before
	Limit  int    // Usual when 0, at most Most
}

// Size is how many items are given.
func (r Request) Size() int {
	if r.Limit <= 0 {
		return Usual
	}
	return min(r.Limit, Most)
}

// Window is how many items to read: one more than are given tells whether there is a next part.
func (r Request) Window() int { return r.Size() + 1 }

// Place is a part of a list by its place in it, for protocols whose lists are read by the numbers of their pages. What is added or
// deleted between two reads doubles items or hides them.
type Place struct {
	Offset int
	Limit  int // Usual when 0, at most Most; None for the count alone
}

// None is the limit of who wants to know how many there are, and no items.
const None = -1

// Size is how many items are given.
func (p Place) Size() int {
	if p.Limit < 0 {
		return 0
	}
	return Request{Limit: p.Limit}.Size()
}

// Cut gives the part of a list of which a window was read after the cursor.
func Cut[T any](items []T, r Request, key func(T) string) Of[T] {
	if len(items) <= r.Size() {
		return Of[T]{Items: items}
	}
	items = items[:r.Size()]
	return Of[T]{Items: items, Next: key(items[len(items)-1])}
}

// From gives a part of a whole list that is in memory. It is sorted by its key.
func From[T any](all []T, r Request, key func(T) string) Of[T] {
	all = slices.DeleteFunc(slices.Clone(all), func(x T) bool { return r.Cursor != "" && key(x) <= r.Cursor })
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return Cut(all, r, key)
}

// Number reads a cursor that is a number above 0; 0 when there is none.
func (r Request) Number() (int64, error) {
	if r.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(r.Cursor, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", r.Cursor)
	}
	return n, nil
}
