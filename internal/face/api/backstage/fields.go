package backstage

import (
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of a selection of fields.
const (
	maxFields     = 200
	maxFieldText  = 500
	maxFieldParts = 40
)

// selection is the fields that an answer keeps of each entity; none keeps all.
type selection [][]string

// readFields reads lists of fields with commas.
func readFields(lists []string) (selection, error) {
	var chosen selection
	seen := map[string]bool{}
	for _, list := range lists {
		for field := range strings.SplitSeq(list, ",") {
			field = strings.TrimSpace(field)
			if field == "" || seen[field] {
				continue
			}
			seen[field] = true
			parts := strings.Split(field, ".")
			switch {
			case strings.Contains(field, "["):
				return nil, fault.Errorf(fault.Invalid, "Invalid field %q, array type fields are not supported", field)
			case len(field) > maxFieldText || len(parts) > maxFieldParts:
				return nil, fault.Errorf(fault.Invalid, "Invalid field, a field has at most %d characters and %d parts", maxFieldText, maxFieldParts)
			case len(chosen) == maxFields:
				return nil, fault.Errorf(fault.Invalid, "Invalid fields, at most %d are taken", maxFields)
			}
			chosen = append(chosen, parts)
		}
	}
	return chosen, nil
}

// picked is a part of an entity that is kept.
type picked struct {
	key   string
	value []byte // whole; nil when only parts of it are kept
	array bool
	parts []*picked
}

// pick appends what is kept of an entity.
func (s selection) pick(to, entity []byte) []byte {
	if len(s) == 0 {
		return append(to, entity...)
	}
	root := &picked{}
	for _, field := range s {
		root.take(entity, field)
	}
	return root.write(to)
}

// take walks along a field. A key may itself have dots, as annotations do: what is not a key is taken together with the
// part behind it.
func (p *picked) take(value []byte, field []string) {
	var path []string
	var arrays []bool
	key := ""
	for i, part := range field {
		key += part
		isArray := len(value) > 0 && value[0] == '['
		next := member(value, key)
		if isArray {
			next = element(value, key)
		}
		if next == nil {
			if i == len(field)-1 {
				return
			}
			key += "."
			continue
		}
		path, arrays, value, key = append(path, key), append(arrays, isArray), next, ""
	}
	at := p
	for i, key := range path {
		if at.value != nil {
			return // all of it is kept
		}
		at.array = arrays[i]
		at = at.part(key)
	}
	at.value, at.parts = value, nil
}

func (p *picked) part(key string) *picked {
	for _, q := range p.parts {
		if q.key == key {
			return q
		}
	}
	q := &picked{key: key}
	p.parts = append(p.parts, q)
	return q
}

func (p *picked) write(to []byte) []byte {
	if p.value != nil {
		return append(to, p.value...)
	}
	if p.array {
		return p.writeArray(to)
	}
	to = append(to, '{')
	for i, part := range p.parts {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendText(to, part.key), ':')
		to = part.write(to)
	}
	return append(to, '}')
}

// writeArray keeps the places of items, so that those before the last that is kept are null.
func (p *picked) writeArray(to []byte) []byte {
	number := func(q *picked) int {
		n, _ := strconv.Atoi(q.key)
		return n
	}
	slices.SortFunc(p.parts, func(a, b *picked) int { return number(a) - number(b) })
	to = append(to, '[')
	next := 0
	for _, part := range p.parts {
		for ; next < number(part); next++ {
			to = append(to, "null,"...)
		}
		to = append(part.write(to), ',')
		next++
	}
	return append(to[:len(to)-1], ']')
}
