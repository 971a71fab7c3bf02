package forge

import (
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Numbered gives a part of a list that the forge gives by pages with numbers from 1, each of the same size and most at
// most. The cursor is how many items came before, so that parts of any sizes fit together. read gives one page, and
// whether there are more.
func Numbered[T any](part page.Request, most int, read func(number, size int) (items []T, more bool, err error)) (page.Of[T], error) {
	before, err := part.Number()
	if err != nil {
		return page.Of[T]{}, err
	}
	size := min(part.Size(), most)
	if before > 1<<30 {
		return page.Of[T]{}, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", part.Cursor)
	}
	number, skip := int(before)/size+1, int(before)%size
	items, more, err := read(number, size)
	if err != nil {
		return page.Of[T]{}, err
	}
	items = items[min(skip, len(items)):]
	if skip > 0 && more { // the part lies across two pages
		next, further, err := read(number+1, size)
		if err != nil {
			return page.Of[T]{}, err
		}
		items, more = append(items[:len(items):len(items)], next[:min(skip, len(next))]...), further || len(next) > skip
	}
	out := page.Of[T]{Items: items}
	if more && len(items) > 0 {
		out.Next = strconv.Itoa(int(before) + len(items))
	}
	return out, nil
}

// All reads a list to its end, at most limit items of it.
func All[T any](limit int, read func(part page.Request) (page.Of[T], error)) ([]T, error) {
	var all []T
	for part := (page.Request{Limit: page.Most}); ; {
		got, err := read(part)
		if err != nil {
			return nil, err
		}
		all = append(all, got.Items...)
		if len(all) > limit {
			return nil, fault.Errorf(fault.TooLarge, "the forge lists more than %d", limit)
		}
		if got.Next == "" {
			return all, nil
		}
		part.Cursor = got.Next
	}
}
