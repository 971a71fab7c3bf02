package scim

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/elimity-com/scim/schema"
	filter "github.com/scim2/filter-parser/v2"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
)

const (
	mostFilter = 2000 // bytes
	mostDepth  = 20
)

// narrow adds what a filter asks for to a query: as columns, where all of it can be asked so.
func narrow(q *directory.Query, text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	if len(text) > mostFilter {
		return wrong(invalidFilter, "the filter has %d bytes; at most %d are taken", len(text), mostFilter)
	}
	e, err := filter.ParseFilter([]byte(text))
	if err != nil {
		return wrong(invalidFilter, "the filter %.200q can't be read; write it like userName eq \"alice@example.com\"", text)
	}
	m := matcher{kind: q.Kind}
	if err := m.check(e, filterable(q.Kind), 0); err != nil {
		return err
	}
	if !hints(q, e) {
		q.Whole = q.Whole || m.memberships
		q.Match = func(r directory.Resource) bool { return m.holds(e, whole(r)) }
	}
	return nil
}

// hints asks for what a filter asks by columns, and tells whether that is all of it. What is joined by and narrows, even where
// it is not all.
func hints(q *directory.Query, e filter.Expression) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator != filter.AND {
			return false
		}
		left := hints(q, e.Left)
		return hints(q, e.Right) && left
	case *filter.ValuePath:
		inner, ok := e.ValueFilter.(*filter.AttributeExpression)
		return ok && strings.EqualFold(e.AttributePath.AttributeName, "members") && hint(q, "members."+inner.AttributePath.AttributeName, inner)
	case *filter.AttributeExpression:
		name := e.AttributePath.AttributeName
		if sub := e.AttributePath.SubAttributeName(); sub != "" {
			name += "." + sub
		}
		if uri := e.AttributePath.URI(); strings.EqualFold(uri, enterprise) {
			return false
		}
		return hint(q, name, e)
	}
	return false
}

func hint(q *directory.Query, name string, e *filter.AttributeExpression) bool {
	value, ok := e.CompareValue.(string)
	if !ok || value == "" || !strings.EqualFold(string(e.Operator), string(filter.EQ)) {
		return false
	}
	var into *string
	switch strings.ToLower(name) {
	case "id":
		into = &q.ID
	case "externalid":
		into = &q.ExternalID
	case "username":
		if q.Kind == directory.User {
			into = &q.Label
		}
	case "displayname":
		if q.Kind == directory.Group {
			into = &q.Label
		}
	case "members", "members.value":
		if q.Kind == directory.Group {
			into = &q.Member
		}
	}
	if into == nil || *into != "" {
		return false
	}
	*into = unquoted(value)
	return true
}

// unquoted gives a text whose escapes the parser has left.
func unquoted(text string) string {
	var out string
	if json.Unmarshal([]byte(`"`+text+`"`), &out) != nil {
		return text
	}
	return out
}

// filterable gives the attributes that filters may name.
func filterable(kind string) schema.Attributes {
	common := schema.CommonAttributes()
	return append(append(schema.Attributes{}, attributesOf(kind)...), common...)
}

// matcher holds resources against filters.
type matcher struct {
	kind        string
	memberships bool // are asked for
}

// check refuses what names no attribute, and what is nested too deep.
func (m *matcher) check(e filter.Expression, known schema.Attributes, depth int) error {
	if depth > mostDepth {
		return wrong(invalidFilter, "the filter is nested more than %d deep", mostDepth)
	}
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if err := m.check(e.Left, known, depth+1); err != nil {
			return err
		}
		return m.check(e.Right, known, depth+1)
	case *filter.NotExpression:
		return m.check(e.Expression, known, depth+1)
	case *filter.ValuePath:
		a, err := m.attribute(e.AttributePath, known)
		if err != nil {
			return err
		}
		return m.check(e.ValueFilter, a.SubAttributes(), depth+1)
	case *filter.AttributeExpression:
		_, err := m.attribute(e.AttributePath, known)
		return err
	}
	return wrong(invalidFilter, "the filter can't be read")
}

func (m *matcher) attribute(p filter.AttributePath, known schema.Attributes) (schema.CoreAttribute, error) {
	if strings.EqualFold(p.URI(), enterprise) {
		known = schema.ExtensionEnterpriseUser().Attributes
	}
	a, ok := find(known, p.AttributeName)
	if sub := p.SubAttributeName(); ok && sub != "" {
		_, ok = find(a.SubAttributes(), sub)
	}
	if !ok || strings.EqualFold(p.AttributeName, "password") {
		return a, wrong(invalidFilter, "a %s has no attribute %.100q", m.kind, p.String())
	}
	if name := strings.ToLower(a.Name()); name == "members" || name == "groups" {
		m.memberships = true
	}
	return a, nil
}

// whole gives all that a filter may ask of a resource.
func whole(r directory.Resource) map[string]any { return call{Handler: &Handler{}}.wire(r) }

// holds tells whether a resource, or a part of one, is as a filter says.
func (m *matcher) holds(e filter.Expression, r map[string]any) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator == filter.AND {
			return m.holds(e.Left, r) && m.holds(e.Right, r)
		}
		return m.holds(e.Left, r) || m.holds(e.Right, r)
	case *filter.NotExpression:
		return !m.holds(e.Expression, r)
	case *filter.ValuePath:
		for _, part := range listed(valueAt(r, e.AttributePath)) {
			if inner, ok := part.(map[string]any); ok && m.holds(e.ValueFilter, inner) {
				return true
			}
		}
		return false
	case *filter.AttributeExpression:
		return m.compares(e, leaves(valueAt(r, e.AttributePath), e.AttributePath.SubAttributeName()))
	}
	return false
}

func (m *matcher) compares(e *filter.AttributeExpression, values []any) bool {
	op := filter.CompareOperator(strings.ToLower(string(e.Operator)))
	if op == filter.PR {
		return len(values) > 0
	}
	if op == filter.NE {
		for _, v := range values {
			if compared(filter.EQ, v, e.CompareValue, m.exact(e.AttributePath)) {
				return false
			}
		}
		return true
	}
	for _, v := range values {
		if compared(op, v, e.CompareValue, m.exact(e.AttributePath)) {
			return true
		}
	}
	return false
}

// exact tells whether an attribute is compared with its case.
func (m *matcher) exact(p filter.AttributePath) bool {
	switch strings.ToLower(p.AttributeName) {
	case "id", "externalid":
		return true
	}
	return false
}

func valueAt(r map[string]any, p filter.AttributePath) any {
	if strings.EqualFold(p.URI(), enterprise) {
		r, _ = r[enterprise].(map[string]any)
	}
	return r[keyOf(r, p.AttributeName)]
}

// keyOf gives the key of an attribute in whatever case it is there.
func keyOf(r map[string]any, name string) string {
	if _, has := r[name]; has {
		return name
	}
	for key := range r {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return name
}

func listed(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// leaves gives the values of an attribute: of objects a part, which is value when none is named.
func leaves(v any, sub string) (all []any) {
	for _, part := range listed(v) {
		m, ok := part.(map[string]any)
		if !ok {
			all = append(all, part)
			continue
		}
		name := sub
		if name == "" {
			name = "value"
		}
		if leaf, has := m[keyOf(m, name)]; has {
			all = append(all, leaf)
		} else if sub == "" && len(m) > 0 {
			all = append(all, m)
		}
	}
	return all
}

func compared(op filter.CompareOperator, have, want any, exact bool) bool {
	switch have := have.(type) {
	case bool:
		w, ok := want.(bool)
		if text, is := want.(string); is {
			w, ok = strings.EqualFold(text, "true"), strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
		}
		return op == filter.EQ && ok && have == w
	case string:
		w, ok := want.(string)
		return ok && texts(op, have, unquoted(w), exact)
	case float64:
		var w float64
		switch n := want.(type) {
		case int:
			w = float64(n)
		case float64:
			w = n
		default:
			return false
		}
		return ordered(op, have, w)
	}
	return false
}

func ordered[T string | float64](op filter.CompareOperator, have, want T) bool {
	switch op {
	case filter.EQ:
		return have == want
	case filter.GT:
		return have > want
	case filter.GE:
		return have >= want
	case filter.LT:
		return have < want
	case filter.LE:
		return have <= want
	}
	return false
}

func texts(op filter.CompareOperator, have, want string, exact bool) bool {
	if a, err := time.Parse(time.RFC3339, have); err == nil {
		if b, err := time.Parse(time.RFC3339, want); err == nil {
			return ordered(op, float64(a.UnixMilli()), float64(b.UnixMilli()))
		}
	}
	if !exact {
		have, want = strings.ToLower(have), strings.ToLower(want)
	}
	switch op {
	case filter.CO:
		return strings.Contains(have, want)
	case filter.SW:
		return strings.HasPrefix(have, want)
	case filter.EW:
		return strings.HasSuffix(have, want)
	}
	return ordered(op, have, want)
}
