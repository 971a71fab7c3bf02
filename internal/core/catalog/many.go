package catalog

import (
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// sizes are how many values a statement has: few texts, so that each is prepared once.
var sizes = [...]int{64, 32, 16, 8, 4, 2, 1}

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
