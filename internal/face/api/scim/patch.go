package scim

import (
	"maps"
	"slices"
	"strings"

	"github.com/elimity-com/scim/schema"
	filter "github.com/scim2/filter-parser/v2"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
)

const mostPath = 1000 // bytes

// operation is one change of a patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Kinds of operations.
const (
	add     = "add"
	replace = "replace"
	remove  = "remove"
)

// patched gives what a resource is after the operations.
func patched(r directory.Resource, operations []operation) (directory.Sent, error) {
	p := patching{kind: r.Kind, at: clone(r.Attributes).(map[string]any)}
	if r.ExternalID != "" {
		p.at["externalId"] = r.ExternalID
	}
	if r.Kind == directory.User {
		p.at["active"] = r.Active
	} else {
		members := make([]any, len(r.Members))
		for i, m := range r.Members {
			members[i] = map[string]any{"value": m.ID}
		}
		p.at["members"] = members
	}
	for _, o := range operations {
		o.Op = strings.ToLower(o.Op)
		if o.Op != add && o.Op != replace && o.Op != remove {
			return directory.Sent{}, wrong(invalidSyntax, "%.50q is no operation; the ones are add, replace and remove", o.Op)
		}
		var err error
		if o.Path == "" {
			err = p.pathless(o)
		} else {
			err = p.one(o, true)
		}
		if err != nil {
			return directory.Sent{}, err
		}
	}
	return sentOf(r.Kind, p.at)
}

// clone copies a value of JSON.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			out[key] = clone(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = clone(inner)
		}
		return out
	}
	return v
}

type patching struct {
	kind string
	at   map[string]any
}

// pathless does an operation whose value is a part of the resource, and whose keys may be paths.
func (p *patching) pathless(o operation) error {
	values, ok := o.Value.(map[string]any)
	if !ok || o.Op == remove {
		return wrong(noTarget, "an operation without a path has an object as its value, and does not remove")
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		part := operation{Op: o.Op, Path: key, Value: values[key]}
		if inner, is := values[key].(map[string]any); is && strings.EqualFold(key, enterprise) {
			for _, name := range slices.Sorted(maps.Keys(inner)) {
				if err := p.one(operation{Op: o.Op, Path: enterprise + ":" + name, Value: inner[name]}, false); err != nil {
					return err
				}
			}
			continue
		}
		if slices.ContainsFunc(schemasOf(p.kind), func(s string) bool { return strings.EqualFold(s, key) }) {
			part.Path = ""
			if err := p.pathless(part); err != nil {
				return err
			}
			continue
		}
		if err := p.one(part, false); err != nil {
			return err
		}
	}
	return nil
}

// one does an operation at a path. strict refuses what is not known, rather than to pass it over.
func (p *patching) one(o operation, strict bool) error {
	if len(o.Path) > mostPath {
		return wrong(invalidPath, "the path has %d bytes; at most %d are taken", len(o.Path), mostPath)
	}
	path, err := filter.ParsePath([]byte(strings.TrimSpace(o.Path)))
	if err != nil {
		if !strict {
			return nil
		}
		return wrong(invalidPath, "the path %.200q can't be read", o.Path)
	}
	if o.Value == nil && o.Op != remove { // nothing is what is left
		o.Op = remove
	}
	known, into := attributesOf(p.kind), p.at
	if strings.EqualFold(path.AttributePath.URI(), enterprise) && p.kind == directory.User {
		known = schema.ExtensionEnterpriseUser().Attributes
		inner, _ := p.at[enterprise].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
		}
		p.at[enterprise] = inner
		into = inner
		defer func() {
			if len(inner) == 0 {
				delete(p.at, enterprise)
			}
		}()
	}
	name := path.AttributePath.AttributeName
	if strings.EqualFold(name, "externalId") {
		return p.external(o)
	}
	a, ok := find(known, name)
	switch {
	case kept(name) && strict && !strings.EqualFold(name, "password") && !strings.EqualFold(name, "schemas"):
		return wrong(mutability, "%s is this server's to say", name)
	case kept(name):
		return nil
	case !ok && strict:
		return wrong(invalidPath, "a %s has no attribute %.100q", p.kind, o.Path)
	case !ok:
		return nil
	}
	sub := path.AttributePath.SubAttributeName()
	if path.ValueExpression != nil {
		sub = path.SubAttributeName()
	}
	if a.MultiValued() {
		return many(a, into, o, path.ValueExpression, sub)
	}
	if path.ValueExpression != nil {
		return wrong(invalidPath, "%s is no list to choose from", a.Name())
	}
	return alone(a, into, o, sub)
}

func (p *patching) external(o operation) error {
	if o.Op == remove {
		delete(p.at, "externalId")
		return nil
	}
	v, err := text("externalId", o.Value)
	if err == nil && v != nil {
		p.at["externalId"] = v
	}
	return err
}

// alone changes an attribute that has one value, or a part of it.
func alone(a schema.CoreAttribute, into map[string]any, o operation, sub string) error {
	name := a.Name()
	if sub == "" {
		if o.Op == remove {
			delete(into, name)
			return nil
		}
		v, err := valueOf(a, o.Value)
		if err != nil {
			return err
		}
		if v == nil {
			delete(into, name)
			return nil
		}
		if part, complex := v.(map[string]any); complex {
			had, _ := into[name].(map[string]any)
			merged := maps.Clone(had)
			if merged == nil {
				merged = map[string]any{}
			}
			maps.Copy(merged, part)
			v = merged
		}
		into[name] = v
		return nil
	}
	inner, _ := into[name].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
	}
	if err := part(a, inner, o, sub); err != nil {
		return err
	}
	if len(inner) == 0 {
		delete(into, name)
	} else {
		into[name] = inner
	}
	return nil
}

// part changes a part of an object.
func part(a schema.CoreAttribute, inner map[string]any, o operation, sub string) error {
	known, ok := find(a.SubAttributes(), sub)
	if !ok {
		return wrong(invalidPath, "%s has no %.100q", a.Name(), sub)
	}
	delete(inner, known.Name())
	if o.Op == remove {
		return nil
	}
	v, err := valueOf(known, o.Value)
	if err == nil && v != nil {
		inner[known.Name()] = v
	}
	return err
}

// many changes an attribute that is a list: all of it, what a filter chooses, or a part of each.
func many(a schema.CoreAttribute, into map[string]any, o operation, chosen filter.Expression, sub string) error {
	have := listed(into[a.Name()])
	var err error
	switch {
	case chosen != nil:
		have, err = some(a, have, o, chosen, sub)
	case sub != "":
		for _, item := range have {
			if m, ok := item.(map[string]any); ok {
				if err := part(a, m, o, sub); err != nil {
					return err
				}
			}
		}
	default:
		have, err = list(a, have, o)
	}
	if err != nil {
		return err
	}
	if have = oneFirst(have); len(have) > mostValues && a.Name() != "members" {
		return wrong(tooMany, "%s has %d values; at most %d are taken", a.Name(), len(have), mostValues)
	}
	if len(have) == 0 && a.Name() != "members" {
		delete(into, a.Name())
	} else {
		into[a.Name()] = have
	}
	return nil
}

// list adds to a list, puts another in its place, or takes from it: what is named, or all.
func list(a schema.CoreAttribute, have []any, o operation) ([]any, error) {
	if o.Op == remove && o.Value == nil {
		return []any{}, nil
	}
	v, err := valueOf(a, o.Value)
	if err != nil {
		return nil, err
	}
	values := listed(v)
	if o.Op == replace {
		have = nil
	}
	named := map[string]bool{}
	for _, item := range values {
		named[key(item)] = true
	}
	if o.Op == remove {
		return slices.DeleteFunc(have, func(item any) bool { return named[key(item)] }), nil
	}
	for _, item := range have {
		delete(named, key(item))
	}
	for _, item := range values {
		if k := key(item); named[k] {
			delete(named, k)
			if isPrimary(item) {
				have = withoutPrimary(have)
			}
			have = append(have, item)
		}
	}
	return have, nil
}

// key tells one element of a list from another.
func key(item any) string {
	m, ok := item.(map[string]any)
	if !ok {
		text, _ := item.(string)
		return text
	}
	value, _ := m["value"].(string)
	kind, _ := m["type"].(string)
	if kind == directory.User || kind == directory.Group { // of a member, whose id tells it
		kind = ""
	}
	if value == "" { // an address
		value, _ = m["formatted"].(string)
	}
	return strings.ToLower(value + "\n" + kind)
}

func isPrimary(item any) bool {
	m, _ := item.(map[string]any)
	return m["primary"] == true
}

func withoutPrimary(items []any) []any {
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			delete(m, "primary")
		}
	}
	return items
}

// oneFirst leaves one element the primary one: the last that says so.
func oneFirst(items []any) []any {
	last := -1
	for i, item := range items {
		if isPrimary(item) {
			last = i
		}
	}
	for i, item := range items {
		if m, ok := item.(map[string]any); ok && i != last && m["primary"] == true {
			m["primary"] = false
		}
	}
	return items
}

// some changes those elements of a list that a filter chooses. Where none is there, one is made that the filter would choose.
func some(a schema.CoreAttribute, have []any, o operation, chosen filter.Expression, sub string) ([]any, error) {
	m := matcher{kind: a.Name()}
	if err := m.check(chosen, a.SubAttributes(), 0); err != nil {
		return nil, wrong(invalidPath, "the path chooses by what %s has not", a.Name())
	}
	found := false
	var out []any
	for _, item := range have {
		element, ok := item.(map[string]any)
		if !ok || !m.holds(chosen, element) {
			out = append(out, item)
			continue
		}
		found = true
		stays, err := changed(a, element, o, sub)
		if err != nil {
			return nil, err
		}
		if stays {
			out = append(out, element)
		}
	}
	if found || o.Op == remove {
		return out, nil
	}
	element := map[string]any{}
	if !says(element, chosen, a) {
		return nil, wrong(noTarget, "no element of %s is as the path says", a.Name())
	}
	stays, err := changed(a, element, o, sub)
	if err == nil && stays {
		out = append(out, element)
	}
	return out, err
}

// changed does an operation on an element, and tells whether something is left of it.
func changed(a schema.CoreAttribute, element map[string]any, o operation, sub string) (stays bool, err error) {
	if sub != "" {
		if err := part(a, element, o, sub); err != nil {
			return false, err
		}
		_, has := element["value"]
		_, had := find(a.SubAttributes(), "value")
		return has || !had || !strings.EqualFold(sub, "value"), nil
	}
	if o.Op == remove {
		return false, nil
	}
	v, err := single(a, o.Value)
	values, ok := v.(map[string]any)
	if err != nil || !ok {
		return true, err
	}
	maps.Copy(element, values)
	return true, nil
}

// says fills an element with what a filter asks to be equal, and tells whether that is all it asks.
func says(element map[string]any, e filter.Expression, a schema.CoreAttribute) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		return e.Operator == filter.AND && says(element, e.Left, a) && says(element, e.Right, a)
	case *filter.AttributeExpression:
		known, ok := find(a.SubAttributes(), e.AttributePath.AttributeName)
		if !ok || !strings.EqualFold(string(e.Operator), string(filter.EQ)) {
			return false
		}
		want := e.CompareValue
		if text, is := want.(string); is {
			want = unquoted(text)
		}
		v, err := valueOf(known, want)
		if err != nil || v == nil {
			return false
		}
		element[known.Name()] = v
		return true
	}
	return false
}
