package backstage

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of filters and predicates.
const (
	maxFilters    = 100  // alternatives of a filter
	maxConditions = 1000 // of a filter or predicate in all
	maxValues     = 5000 // of a filter or predicate in all
	maxDepth      = 20   // of a predicate
	maxFilterText = 32_000
)

// readFilters reads the filters of an address: one of them must match; within one, each key must, by any of its values.
// It gives nil when there is none.
func readFilters(texts []string) (index.Filter, error) {
	if len(texts) > maxFilters {
		return nil, fault.Errorf(fault.Invalid, "Invalid filter, at most %d are taken", maxFilters)
	}
	var alternatives index.Any
	size, count := 0, 0
	for _, text := range texts {
		if size += len(text); size > maxFilterText {
			return nil, fault.Errorf(fault.Invalid, "Invalid filter, at most %d characters are taken; send a query by POST", maxFilterText)
		}
		all, err := readFilter(text)
		if err != nil {
			return nil, err
		}
		if count += len(all); count > maxConditions {
			return nil, fault.Errorf(fault.Invalid, "Invalid filter, at most %d conditions are taken", maxConditions)
		}
		switch len(all) {
		case 0:
		case 1:
			alternatives = append(alternatives, all[0])
		default:
			alternatives = append(alternatives, all)
		}
	}
	switch len(alternatives) {
	case 0:
		return nil, nil
	case 1:
		return alternatives[0], nil
	}
	return alternatives, nil
}

func readFilter(text string) (index.All, error) {
	var all index.All
	at := map[string]int{}
	for statement := range strings.SplitSeq(text, ",") {
		statement = strings.TrimSpace(statement)
		if statement == "" {
			continue
		}
		key, value, valued := strings.Cut(statement, "=")
		if key = strings.TrimSpace(key); key == "" {
			return nil, fault.Errorf(fault.Invalid, "Invalid filter, '%s' is not a valid statement (expected a string on the form a=b or a= or a)", clip(statement))
		}
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, index.Exists{Key: key})
		}
		if valued {
			has, _ := all[i].(index.Has)
			has.Key, has.Values = key, append(has.Values, strings.TrimSpace(value))
			all[i] = has
		}
	}
	return all, nil
}

// both is met by what meets both filters, of which any may be nil.
func both(a, b index.Filter) index.Filter {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return index.All{a, b}
}

func clip(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
