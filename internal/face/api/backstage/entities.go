package backstage

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (h *Handler) getEntities(c call) error {
	filter, err := readFilters(c.query["filter"])
	if err != nil {
		return err
	}
	fields, err := readFields(c.query["fields"])
	if err != nil {
		return err
	}
	q := index.Query{Filter: filter, NoTotal: true}
	if q.Order, err = readOrder(c.query["order"]); err != nil {
		return err
	}
	limit, offset, paged, err := c.paging()
	if err != nil {
		return err
	}
	if !paged && len(q.Order) > 0 { // as in Backstage: one field orders, and what has no value there is left out
		q.Order = q.Order[:1]
		q.Filter = both(q.Filter, index.HasPrefix{Key: q.Order[0].Field})
	}
	q.Offset = offset
	if paged && limit < math.MaxInt {
		more, err := h.isMore(c, q, limit)
		if err != nil {
			return err
		}
		if more {
			c.ResponseWriter.Header().Set("Link", c.nextLink(limit, offset+limit))
		}
	}
	out := newStream(c)
	out.add("[")
	for sent := 0; sent < limit; {
		q.Limit = min(limit-sent, atOnce)
		found, err := h.catalog.Hits(c.Context(), q)
		if err != nil {
			return out.fail(err)
		}
		if err := h.items(out, fields, found.Hits, sent > 0, ""); err != nil {
			return err
		}
		if sent += q.Limit; found.Next == nil {
			break
		}
		q.After, q.Offset = found.Next, 0
	}
	out.add("]")
	return out.end()
}

// isMore tells whether there is anything behind a page: the header that says so comes before the page.
func (h *Handler) isMore(c call, q index.Query, limit int) (bool, error) {
	q.Offset, q.Limit = q.Offset+limit, 1
	result, err := h.catalog.Hits(c.Context(), q)
	return len(result.Hits) > 0, err
}

func readOrder(texts []string) (order []index.Order, err error) {
	for _, text := range texts {
		direction, field, ok := strings.Cut(text, ":")
		if !ok || field == "" || direction != "asc" && direction != "desc" {
			return nil, fault.Errorf(fault.Invalid, "Invalid order parameter %q, expected \"<asc or desc>:<field name>\"", clip(text))
		}
		order = append(order, index.Order{Field: field, Desc: direction == "desc"})
	}
	return order, nil
}

// offsetCursor is the place of a page, as the header Link names it.
type offsetCursor struct {
	Limit  *int `json:"limit,omitempty"`
	Offset *int `json:"offset,omitempty"`
}

func (c call) paging() (limit, offset int, paged bool, err error) {
	if limit, err = c.whole("limit", math.MaxInt); err != nil {
		return 0, 0, false, err
	}
	if offset, err = c.whole("offset", 0); err != nil {
		return 0, 0, false, err
	}
	if text := c.query.Get("after"); text != "" {
		var a offsetCursor
		data, err := base64Decode(text)
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		if err != nil {
			return 0, 0, false, fault.Errorf(fault.Invalid, "Malformed after cursor, could not be parsed")
		}
		if a.Limit != nil {
			limit = *a.Limit
		}
		if a.Offset != nil {
			offset = *a.Offset
		}
		if offset < 0 || offset > math.MaxInt32 {
			return 0, 0, false, fault.Errorf(fault.Invalid, "Malformed after cursor, offset was not a number")
		}
	}
	if limit <= 0 {
		return 0, 0, false, fault.Errorf(fault.Invalid, "Invalid limit, must be greater than zero")
	}
	return limit, offset, c.query.Has("limit") || c.query.Has("offset") || c.query.Has("after"), nil
}

// nextLink gives the header that names the next page, relative to the catalog as Backstage's is.
func (c call) nextLink(limit, offset int) string {
	data, err := json.Marshal(offsetCursor{&limit, &offset})
	if err != nil {
		panic(err) // two numbers
	}
	query := url.Values{}
	for name, values := range c.query {
		query[name] = values
	}
	query.Del("offset")
	query.Set("after", base64.StdEncoding.EncodeToString(data))
	return fmt.Sprintf(`<%s?%s>; rel="next"`, strings.TrimPrefix(c.URL.Path, Prefix), query.Encode())
}

func (h *Handler) getByUID(c call) error {
	uid := c.PathValue("uid")
	e, err := h.catalog.ByUID(c.Context(), uid)
	if fault.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "No entity with uid %s", clip(uid))
	}
	return h.answerOne(c, e, err)
}

// deleteByUID is done as well when there is nothing of that uid to be seen.
func (h *Handler) deleteByUID(c call) error {
	e, err := h.catalog.ByUID(c.Context(), c.PathValue("uid"))
	if err == nil {
		err = h.catalog.Delete(c.Context(), e.Ref, "")
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func (c call) entity() ref.Entity {
	return ref.New(c.PathValue("kind"), c.PathValue("namespace"), c.PathValue("name"))
}

func (h *Handler) getByName(c call) error {
	r := c.entity()
	hits, err := h.catalog.Lookup(c.Context(), []string{r.String()})
	if err != nil {
		return err
	}
	out := newStream(c)
	if err := h.items(out, nil, hits, false, ""); err != nil {
		return err
	}
	if len(out.text) > 0 {
		return out.end()
	}
	e, err := h.byName(c, r)
	if fault.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "No entity named '%s' found, with kind '%s' in namespace '%s'",
			clip(c.PathValue("name")), clip(c.PathValue("kind")), clip(c.PathValue("namespace")))
	}
	return h.answerOne(c, e, err)
}

func (h *Handler) answerOne(c call, e catalog.Entity, err error) error {
	if err == nil {
		c.send(h.appendOne(nil, &e))
	}
	return err
}

// maxRefs bounds the references of one request. Backstage's client asks for at most 1,000 at a time.
const maxRefs = 5000

func (h *Handler) postByRefs(c call) error {
	var body struct {
		EntityRefs *[]string       `json:"entityRefs"`
		Fields     []string        `json:"fields"`
		Query      json.RawMessage `json:"query"`
	}
	if err := c.object(&body, false); err != nil {
		return err
	}
	switch {
	case body.EntityRefs == nil:
		return missing("entityRefs")
	case len(*body.EntityRefs) > maxRefs:
		return fault.Errorf(fault.TooLarge, "%d references are too many for one request, at most %d are taken", len(*body.EntityRefs), maxRefs)
	case len(body.Query) > 0 && !isObject(body.Query):
		return notObject("query")
	}
	fields, err := readFields(body.Fields)
	if err != nil {
		return err
	}
	filter, err := readFilters(c.query["filter"])
	if err != nil {
		return err
	}
	if len(body.Query) > 0 {
		query, err := readPredicate(body.Query)
		if err != nil {
			return err
		}
		filter = both(filter, query)
	}
	refs, err := h.wanted(c, *body.EntityRefs, filter)
	if err != nil {
		return err
	}
	out := newStream(c)
	out.add(`{"items":[`)
	for from := 0; from < len(refs); from += atOnce {
		hits, err := h.catalog.Lookup(c.Context(), refs[from:min(from+atOnce, len(refs))])
		if err != nil {
			return out.fail(err)
		}
		if err := h.items(out, fields, hits, from > 0, "null"); err != nil {
			return err
		}
	}
	out.add("]}")
	return out.end()
}

// wanted gives references, with "" for one that does not match the filter.
func (h *Handler) wanted(c call, refs []string, filter index.Filter) ([]string, error) {
	if filter == nil || len(refs) == 0 {
		return refs, nil
	}
	result, err := h.catalog.Hits(c.Context(), index.Query{Filter: index.All{index.Refs(refs), filter}, Limit: len(refs), NoTotal: true})
	if err != nil {
		return nil, err
	}
	matching := map[string]bool{}
	for _, hit := range result.Hits {
		matching[hit.Ref] = true
	}
	chosen := make([]string, len(refs))
	for i, name := range refs {
		if matching[name] {
			chosen[i] = name
		}
	}
	return chosen, nil
}

func (h *Handler) getFacets(c call) error {
	filter, err := readFilters(c.query["filter"])
	if err != nil {
		return err
	}
	if len(c.query["facet"]) == 0 {
		return fault.Errorf(fault.Invalid, "request/query must have required property 'facet'")
	}
	return h.answerFacets(c, c.query["facet"], filter)
}

func (h *Handler) postFacets(c call) error {
	var body struct {
		Facets *[]string       `json:"facets"`
		Query  json.RawMessage `json:"query"`
	}
	if err := c.object(&body, false); err != nil {
		return err
	}
	if body.Facets == nil {
		return missing("facets")
	}
	var facets []string
	for _, facet := range *body.Facets {
		if facet != "" {
			facets = append(facets, facet)
		}
	}
	if len(facets) == 0 {
		return fault.Errorf(fault.Invalid, "Missing or empty facets parameter")
	}
	var filter index.Filter
	if len(body.Query) > 0 {
		if !isObject(body.Query) {
			return notObject("query")
		}
		var err error
		if filter, err = readPredicate(body.Query); err != nil {
			return err
		}
	}
	return h.answerFacets(c, facets, filter)
}

const maxFacets = 100

func (h *Handler) answerFacets(c call, facets []string, filter index.Filter) error {
	if len(facets) > maxFacets {
		return fault.Errorf(fault.Invalid, "%d facets are too many for one request, at most %d are taken", len(facets), maxFacets)
	}
	counts, err := h.catalog.Counts(c.Context(), index.FacetQuery{Keys: facets, Filter: filter})
	if err != nil {
		return err
	}
	out := newStream(c)
	out.add(`{"facets":{`)
	seen := map[string]bool{}
	for _, facet := range facets {
		if seen[facet] {
			continue
		}
		if len(seen) > 0 {
			out.add(",")
		}
		seen[facet] = true
		out.text = append(appendText(out.text, facet), `:[`...)
		list := slices.Clone(counts[facet])
		slices.SortFunc(list, func(a, b index.Count) int { return strings.Compare(a.Value, b.Value) })
		for i, one := range list {
			if i > 0 {
				out.add(",")
			}
			out.text = appendText(append(out.text, `{"value":`...), one.Value)
			out.text = append(strconv.AppendInt(append(out.text, `,"count":`...), int64(one.Count), 10), '}')
			out.flush()
		}
		out.add("]")
	}
	out.add("}}")
	return out.end()
}
