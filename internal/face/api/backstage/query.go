package backstage

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// listing asks for a page of a list.
type listing struct {
	filter  index.Filter
	query   json.RawMessage // the same, as a predicate for the cursor
	order   []orderField
	text    *fullText
	fields  selection
	limit   int
	offset  int
	noTotal bool
	cursor  *cursor // then all but fields and limit come from it
}

const (
	defaultLimit = 200
	atOnce       = 500 // entities that are read at a time
)

func (h *Handler) getByQuery(c call) (err error) {
	l := listing{}
	if l.limit, err = c.whole("limit", defaultLimit); err != nil {
		return err
	}
	if l.offset, err = c.whole("offset", 0); err != nil {
		return err
	}
	total, err := c.choice("totalItems", "include", "exclude")
	if err != nil {
		return err
	}
	l.noTotal = total == "exclude"
	if l.fields, err = readFields(c.query["fields"]); err != nil {
		return err
	}
	if text := c.query.Get("cursor"); text != "" {
		if err := l.from(text); err != nil {
			return err
		}
		return h.answerListing(c, l)
	}
	if l.filter, err = readFilters(c.query["filter"]); err != nil {
		return err
	}
	l.query = writePredicate(l.filter)
	for _, text := range c.query["orderField"] {
		field, order, _ := strings.Cut(text, ",")
		if order == "" {
			order = "asc"
		}
		if order != "asc" && order != "desc" {
			return fault.Errorf(fault.Invalid, "Invalid order field order, must be asc or desc")
		}
		l.order = append(l.order, orderField{field, order})
	}
	if term := c.query.Get("fullTextFilterTerm"); term != "" {
		l.text = &fullText{Term: term, Fields: commas(c.query["fullTextFilterFields"])}
	}
	return h.answerListing(c, l)
}

func commas(lists []string) (all []string) {
	for _, list := range lists {
		for text := range strings.SplitSeq(list, ",") {
			if text = strings.TrimSpace(text); text != "" {
				all = append(all, text)
			}
		}
	}
	return all
}

func (h *Handler) postByQuery(c call) (err error) {
	var body struct {
		Cursor         *string         `json:"cursor"`
		Limit          *float64        `json:"limit"`
		Offset         *float64        `json:"offset"`
		OrderBy        []orderField    `json:"orderBy"`
		FullTextFilter *fullText       `json:"fullTextFilter"`
		Fields         []string        `json:"fields"`
		TotalItems     *string         `json:"totalItems"`
		Query          json.RawMessage `json:"query"`
	}
	if err := c.object(&body, true); err != nil {
		return err
	}
	l := listing{}
	if l.limit, err = count("limit", body.Limit, defaultLimit); err != nil {
		return err
	}
	if l.offset, err = count("offset", body.Offset, 0); err != nil {
		return err
	}
	if l.fields, err = readFields(body.Fields); err != nil {
		return err
	}
	if body.Cursor != nil {
		if *body.Cursor == "" {
			return fault.Errorf(fault.Invalid, "Cursor cannot be empty")
		}
		if err := l.from(*body.Cursor); err != nil {
			return err
		}
		return h.answerListing(c, l)
	}
	if body.TotalItems != nil {
		if *body.TotalItems != "include" && *body.TotalItems != "exclude" {
			return fault.Errorf(fault.Invalid, "request/body/totalItems must be equal to one of the allowed values: include, exclude")
		}
		l.noTotal = *body.TotalItems == "exclude"
	}
	if len(body.Query) > 0 {
		if !isObject(body.Query) {
			return notObject("query")
		}
		if l.filter, err = readPredicate(body.Query); err != nil {
			return err
		}
		l.query = body.Query
	}
	for i, o := range body.OrderBy {
		at := "request/body/orderBy/" + strconv.Itoa(i)
		switch {
		case o.Field == "":
			return fault.Errorf(fault.Invalid, "%s must have required property 'field'", at)
		case o.Order == "":
			return fault.Errorf(fault.Invalid, "%s must have required property 'order'", at)
		case o.Order != "asc" && o.Order != "desc":
			return fault.Errorf(fault.Invalid, "%s/order must be equal to one of the allowed values: asc, desc", at)
		}
	}
	l.order = body.OrderBy
	if body.FullTextFilter != nil && strings.TrimSpace(body.FullTextFilter.Term) != "" {
		l.text = body.FullTextFilter
	}
	return h.answerListing(c, l)
}

func count(name string, n *float64, def int) (int, error) {
	const most = 1 << 30
	switch {
	case n == nil:
		return def, nil
	case *n < 0:
		return 0, fault.Errorf(fault.Invalid, "request/body/%s must be >= 0", name)
	case *n > most:
		return most, nil
	}
	return int(*n), nil
}

// from takes the list of a cursor.
func (l *listing) from(text string) error {
	c, err := readCursor(text)
	if err != nil {
		return err
	}
	if len(c.Query) > 0 {
		if l.filter, err = readPredicate(c.Query); err != nil {
			return err
		}
	}
	l.cursor, l.query, l.order, l.text, l.offset, l.noTotal = &c, c.Query, c.OrderFields, c.FullTextFilter, 0, true
	return nil
}

// asked gives the query of a listing. As in Backstage, one field orders, and entities without a value there are not in the
// list.
func (l *listing) asked() index.Query {
	q := index.Query{Filter: l.filter, Offset: l.offset, NoTotal: l.noTotal}
	sort := ""
	if len(l.order) > 0 {
		sort = l.order[0].Field
		q.Order = []index.Order{{Field: sort, Desc: l.order[0].Order == "desc"}}
		q.Filter = both(q.Filter, index.HasPrefix{Key: sort})
	}
	if l.text != nil && strings.TrimSpace(l.text.Term) != "" {
		keys := l.text.Fields
		if len(keys) == 0 && sort != "" {
			keys = []string{sort}
		}
		q.Filter = both(q.Filter, index.Contains{Keys: keys, Term: strings.TrimSpace(l.text.Term)})
	}
	return q
}

func (h *Handler) answerListing(c call, l listing) error {
	q := l.asked()
	backwards := false
	var total *int
	if l.cursor != nil {
		if total = l.cursor.TotalItems; total == nil {
			total = new(int)
		}
		if backwards = l.cursor.IsPrevious; backwards {
			q.Before = l.cursor.position()
		} else {
			q.After = l.cursor.position()
		}
	}
	out := newStream(c)
	out.add(`{"items":[`)
	var next, previous *index.Position
	for sent := 0; ; {
		q.Limit = min(max(l.limit-sent, 1), atOnce)
		if backwards { // what is in front of a place is one part
			q.Limit = min(max(l.limit, 1), index.MaxLimit)
		}
		found, err := h.catalog.Hits(c.Context(), q)
		if err != nil {
			return out.fail(err)
		}
		if total == nil {
			total = &found.Total
		}
		if l.limit == 0 {
			break
		}
		if err := h.items(out, l.fields, found.Hits, sent > 0, ""); err != nil {
			return err
		}
		if sent == 0 {
			previous = found.Prev
		}
		next = found.Next
		if sent += q.Limit; backwards || next == nil || sent >= l.limit {
			break
		}
		q.After, q.Offset, q.NoTotal = next, 0, true
	}
	out.add(`],"totalItems":` + strconv.Itoa(*total) + `,"pageInfo":{`)
	if next != nil {
		out.add(`"nextCursor":"` + l.at(next, false, *total) + `"`)
	}
	if previous != nil && l.cursor != nil {
		if next != nil {
			out.add(",")
		}
		out.add(`"prevCursor":"` + l.at(previous, true, *total) + `"`)
	}
	out.add("}}")
	return out.end()
}

// at gives the cursor of a place in the list.
func (l *listing) at(p *index.Position, previous bool, total int) string {
	c := cursor{
		OrderFields: append([]orderField{}, l.order[:min(len(l.order), 1)]...), FullTextFilter: l.text, OrderFieldValues: place(p),
		IsPrevious: previous, Query: l.query, TotalItems: &total,
	}
	return c.encode()
}
