package scaffold

import (
	"maps"
	"slices"
	"strconv"
)

// shape is what a value of a template has to be, as Backstage's schema of templates says. What that knows nothing of is free.
type shape struct {
	text, flag, mapping, list bool // which kinds of values are taken
	filled                    bool // a text must have something in it
	fields                    map[string]shape
	others                    *shape // of a mapping's other fields
	items                     *shape
}

func specShape() shape {
	text, filled := shape{text: true}, shape{text: true, filled: true}
	condition := shape{text: true, flag: true}
	tags := shape{mapping: true, fields: map[string]shape{"tags": {list: true, items: &text}}}
	list := func(fields map[string]shape) shape {
		return shape{list: true, items: &shape{mapping: true, fields: fields}}
	}
	decorators := list(map[string]shape{"id": text, "input": {mapping: true}})
	return shape{mapping: true, fields: map[string]shape{
		"type": filled, "owner": filled, "lifecycle": filled,
		"parameters": {
			mapping: true, fields: map[string]shape{permissions: tags},
			list: true, items: &shape{mapping: true, fields: map[string]shape{"when": condition, permissions: tags}},
		},
		"secrets": {mapping: true, fields: map[string]shape{"schema": {mapping: true}}},
		"presentation": {mapping: true, fields: map[string]shape{
			"buttonLabels": {mapping: true, fields: map[string]shape{"backButtonText": text, "createButtonText": text, "reviewButtonText": text}},
		}},
		"EXPERIMENTAL_recovery":       {mapping: true, fields: map[string]shape{"EXPERIMENTAL_strategy": text}},
		"EXPERIMENTAL_formDecorators": decorators,
		"formDecorators":              decorators,
		"steps":                       list(map[string]shape{"id": text, "name": text, "action": text, "input": {mapping: true}, "if": condition, permissions: tags}),
		"output": {mapping: true, others: &text, fields: map[string]shape{
			"links": list(map[string]shape{"if": condition, "url": filled, "entityRef": filled, "title": filled, "icon": filled}),
			"text":  list(map[string]shape{"if": condition, "title": filled, "icon": filled, "content": text}),
		}},
	}}
}

// shaped tells what of a value is not as it has to be, where nothing else has been told of it.
func (r *reader) shaped(value any, s shape, path ...string) {
	switch value := value.(type) {
	case string:
		if s.text {
			if s.filled && value == "" {
				r.unlessTold("must not be empty", path)
			}
			return
		}
	case bool:
		if s.flag {
			return
		}
	case []any:
		if s.list {
			for i, item := range value {
				r.shaped(item, *s.items, append(slices.Clone(path), strconv.Itoa(i))...)
			}
			return
		}
	case map[string]any:
		if s.mapping {
			for _, key := range slices.Sorted(maps.Keys(value)) {
				field, known := s.fields[key]
				switch {
				case !known && s.others == nil:
					continue
				case !known:
					field = *s.others
				}
				r.shaped(value[key], field, append(slices.Clone(path), key)...)
			}
			return
		}
	}
	r.unlessTold("must be "+s.word(), path)
}

func (r *reader) unlessTold(message string, path []string) {
	if !r.toldOf(path) {
		r.wrong(message, "", path...)
	}
}

func (s shape) word() string {
	switch {
	case s.text && s.flag:
		return "true, false or an expression"
	case s.list && s.mapping:
		return "a mapping or a list of them"
	case s.list:
		return "a list"
	case s.mapping:
		return "a mapping"
	}
	return "text"
}
