package backstage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// readPredicate reads a query in the language of Backstage's filter predicates: $all, $any and $not of predicates, or
// conditions on fields: a value, $exists, $in, $hasPrefix, $contains.
func readPredicate(text []byte) (index.Filter, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number is compared as it is written
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, invalidQuery("it is not JSON")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "Query must be an object")
	}
	var r predicateReader
	return r.predicate(object, 0)
}

func invalidQuery(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "Invalid query: %s", fmt.Sprintf(format, args...))
}

type predicateReader struct{ conditions, values int }

func (r *predicateReader) count(conditions, values int) error {
	r.conditions += conditions
	r.values += values
	if r.conditions > maxConditions || r.values > maxValues {
		return invalidQuery("it is too large; at most %d conditions and %d values are taken", maxConditions, maxValues)
	}
	return nil
}

func (r *predicateReader) predicate(object map[string]any, depth int) (index.Filter, error) {
	if depth > maxDepth {
		return nil, invalidQuery("it is too deep; at most %d levels are taken", maxDepth)
	}
	if err := r.count(1, 0); err != nil {
		return nil, err
	}
	for _, operator := range []string{"$all", "$any", "$not"} {
		operand, ok := object[operator]
		if !ok {
			continue
		}
		if len(object) > 1 {
			return nil, invalidQuery("%s stands alone in its object", operator)
		}
		if operator == "$not" {
			part, err := r.part(operand, operator, depth)
			return index.Not{Filter: part}, err
		}
		list, ok := operand.([]any)
		if !ok {
			return nil, invalidQuery("%s takes an array", operator)
		}
		parts := make([]index.Filter, 0, len(list))
		for _, one := range list {
			part, err := r.part(one, operator, depth)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if operator == "$any" {
			return index.Any(parts), nil
		}
		return index.All(parts), nil
	}
	all := index.All{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if strings.HasPrefix(key, "$") {
			return nil, invalidQuery("%q is not an operator; known are $all, $any and $not", clip(key))
		}
		condition, err := r.condition(key, object[key])
		if err != nil {
			return nil, err
		}
		all = append(all, condition)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (r *predicateReader) part(value any, operator string, depth int) (index.Filter, error) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, invalidQuery("%s takes predicates, such as { \"kind\": \"component\" }", operator)
	}
	return r.predicate(object, depth+1)
}

func (r *predicateReader) condition(key string, value any) (index.Filter, error) {
	if err := r.count(1, 1); err != nil {
		return nil, err
	}
	if text, ok := primitive(value); ok {
		return index.Has{Key: key, Values: []string{text}}, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, invalidQuery("%q takes a string, a number, a boolean, or an object with $exists, $in, $hasPrefix or $contains", clip(key))
	}
	// As in Backstage, the first of the operators counts where there are several.
	if operand, ok := object["$exists"]; ok {
		there, ok := operand.(bool)
		switch {
		case !ok:
			return nil, invalidQuery("$exists of %q takes true or false", clip(key))
		case !there:
			return index.Not{Filter: index.Exists{Key: key}}, nil
		}
		return index.Exists{Key: key}, nil
	}
	if operand, ok := object["$in"]; ok {
		values, err := r.list(operand)
		return index.Has{Key: key, Values: values}, err
	}
	if operand, ok := object["$hasPrefix"]; ok {
		prefix, ok := operand.(string)
		if !ok {
			return nil, invalidQuery("$hasPrefix of %q takes a string", clip(key))
		}
		return index.HasPrefix{Key: key, Prefix: prefix}, nil
	}
	if operand, ok := object["$contains"]; ok {
		return r.contains(key, operand)
	}
	return nil, invalidQuery("%q has none of $exists, $in, $hasPrefix and $contains", clip(key))
}

func (r *predicateReader) list(operand any) ([]string, error) {
	list, ok := operand.([]any)
	if !ok {
		return nil, invalidQuery("$in takes an array")
	}
	if err := r.count(0, len(list)); err != nil {
		return nil, err
	}
	values := make([]string, len(list))
	for i, one := range list {
		if values[i], ok = primitive(one); !ok {
			return nil, invalidQuery("$in takes strings, numbers and booleans")
		}
	}
	return values, nil
}

// contains: the items of a list are values under its key; relations are chosen by type and target.
func (r *predicateReader) contains(key string, operand any) (index.Filter, error) {
	if text, ok := primitive(operand); ok {
		return index.Has{Key: key, Values: []string{text}}, nil
	}
	object, ok := operand.(map[string]any)
	switch {
	case !ok:
		return nil, invalidQuery("$contains of %q takes a string, a number, a boolean or an object", clip(key))
	case !strings.EqualFold(key, "relations"):
		return nil, fault.Errorf(fault.Invalid, "Object form of $contains is not supported for field %q", clip(key))
	}
	var kind string
	var targets []string
	seen := map[string]bool{}
	for name, value := range object {
		folded := strings.ToLower(name)
		if seen[folded] {
			return nil, fault.Errorf(fault.Invalid, "Duplicate key %q in $contains for \"relations\"", clip(name))
		}
		seen[folded] = true
		switch folded {
		case "type":
			kind, _ = value.(string)
		case "targetref":
			var err error
			if targets, err = r.targets(value); err != nil {
				return nil, err
			}
		default:
			return nil, fault.Errorf(fault.Invalid, "Unsupported key %q in $contains for \"relations\". Only \"type\" and \"targetRef\" are supported", clip(name))
		}
	}
	if kind == "" {
		return nil, fault.Errorf(fault.Invalid, "The $contains operator for \"relations\" requires a \"type\" string property")
	}
	if targets == nil {
		return index.Exists{Key: "relations." + kind}, nil
	}
	return index.Has{Key: "relations." + kind, Values: targets}, nil
}

func (r *predicateReader) targets(value any) ([]string, error) {
	wrong := fault.Errorf(fault.Invalid, "Unsupported value in $contains for \"relations\": expected a string or { \"$in\": [strings] }")
	if text, ok := value.(string); ok {
		return []string{text}, nil
	}
	object, ok := value.(map[string]any)
	list, isList := object["$in"].([]any)
	switch {
	case !ok || !isList || len(object) != 1:
		return nil, wrong
	case len(list) == 0:
		return nil, fault.Errorf(fault.Invalid, "Empty \"$in\" array for $contains on \"relations\" is not allowed")
	}
	for _, one := range list {
		if _, ok := one.(string); !ok {
			return nil, wrong
		}
	}
	return r.list(list)
}

// primitive gives how a value that is no list and no object is compared.
func primitive(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return fmt.Sprint(v), true
	case json.Number:
		return number(v), true
	}
	return "", false
}

// writePredicate writes what readFilters has read, for a cursor; nil for nil.
func writePredicate(f index.Filter) json.RawMessage {
	if f == nil {
		return nil
	}
	return appendPredicate(nil, f)
}

func appendPredicate(to []byte, f index.Filter) []byte {
	list := func(operator string, parts []index.Filter) []byte {
		to = append(to, `{"`+operator+`":[`...)
		for i, part := range parts {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendPredicate(to, part)
		}
		return append(to, "]}"...)
	}
	switch f := f.(type) {
	case index.All:
		return list("$all", f)
	case index.Any:
		return list("$any", f)
	case index.Exists:
		return append(appendText(append(to, '{'), f.Key), `:{"$exists":true}}`...)
	case index.Has:
		to = append(appendText(append(to, '{'), f.Key), ':')
		if len(f.Values) == 1 {
			return append(appendText(to, f.Values[0]), '}')
		}
		to = append(to, `{"$in":[`...)
		for i, value := range f.Values {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendText(to, value)
		}
		return append(to, "]}}"...)
	}
	panic("backstage: a filter of an address has only keys and values")
}
