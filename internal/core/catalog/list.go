package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Query chooses entities; every field that is set narrows, and the values of one field are alternatives.
type Query struct {
	Kinds     []string // names or plurals, without case
	Refs      []ref.Entity
	Space     string // that space alone
	Namespace string
	Owner     string   // reference; a bare name is a group in the namespace default
	Type      []string // spec.type, without case
	Text      string   // words that all occur in name, title, description or tags
	Source    string   // name of an apply, or "location:" and an id
	Failed    bool     // only those with an Error
	Limit     int      // 50 when 0, at most 500
	Cursor    string   // Next of the page before, with the same query

	At time.Time // as it was then, for List alone; the zero time is the present
}

// Page is a part of a list, by reference.
type Page struct {
	Items []Entity
	Next  string // "" at the end
	Total int    // of all pages, as far as the reader may see
}

const (
	defaultLimit = 50
	maxLimit     = 500
	maxText      = 200
	maxWords     = 10
	maxRefs      = 500
)

// List gives the entities that the reader may see (entity:read) and that match. It fails with fault.Invalid for a
// cursor that is not from this query.
//
// With At it gives them as they were, also those that are gone by now. Rights are those of today in the space that each
// had. It counts no total, and a part may have fewer items than asked for, or none, and still go on. Of Failed there is no
// history: that is fault.Invalid.
func (s *Service) List(ctx context.Context, q Query) (page Page, err error) {
	if !q.At.IsZero() {
		return s.listAt(ctx, q)
	}
	f, err := s.filter(ctx, q)
	if err != nil {
		return Page{}, err
	}
	after, err := q.position()
	if err != nil {
		return Page{}, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	found, err := s.Find(ctx, index.Query{Filter: f, Limit: min(limit, maxLimit), After: after})
	if err != nil {
		return Page{}, fault.Wrap(err, "list entities")
	}
	page.Items, page.Total = found.Items, found.Total
	if found.Next != nil {
		page.Next = q.cursor(found.Next.Ref)
	}
	return page, nil
}

// textKeys are what a list is looked through for words.
var textKeys = []string{"metadata.name", "metadata.title", "metadata.description", index.KeyText, "metadata.tags"}

// filter gives what a query asks of the index.
func (s *Service) filter(ctx context.Context, q Query) (index.All, error) {
	var all index.All
	has := func(key string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			all = append(all, index.Has{Key: key, Values: values})
		}
	}
	has("kind", s.kindNames(q.Kinds)...)
	has(index.KeySpace, q.Space)
	has("metadata.namespace", q.Namespace)
	has(index.KeySource, q.Source)
	has("spec.type", q.Type...)
	if q.Owner != "" {
		owner, err := ref.Parse(q.Owner, "group", "")
		if err != nil {
			return nil, err
		}
		has(index.KeyOwner, owner.String())
	}
	if len(q.Refs) > 0 {
		if len(q.Refs) > maxRefs {
			return nil, fault.Errorf(fault.TooLarge, "%d references are too many for one list; at most %d are taken", len(q.Refs), maxRefs)
		}
		all = append(all, index.Refs(texts(q.Refs)))
	}
	if q.Failed {
		failed, err := s.failed(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, failed)
	}
	words := strings.Fields(strings.ToLower(q.Text))
	if len(q.Text) > maxText || len(words) > maxWords {
		return nil, fault.Errorf(fault.Invalid, "the text to look for is too long; at most %d words and %d characters are taken", maxWords, maxText)
	}
	for _, word := range words {
		all = append(all, index.Contains{Keys: textKeys, Term: word})
	}
	return all, nil
}

// failed gives the entities whose source's latest text was not taken. That is no version of theirs, so the index knows
// nothing of it.
func (s *Service) failed(ctx context.Context) (refs index.Refs, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT ref FROM entities WHERE error <> '' ORDER BY ref LIMIT $1`, index.MaxValues)
		refs, err = store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
		return err
	})
	return refs, fault.Wrap(err, "list the entities that failed")
}

// kindNames takes names and plurals; an unknown one matches nothing.
func (s *Service) kindNames(kinds []string) []string {
	names := make([]string, len(kinds))
	for i, name := range kinds {
		names[i] = strings.ToLower(name)
		if kind, ok := s.registry.ByName(name); ok {
			names[i] = strings.ToLower(kind.Name)
		}
	}
	return names
}

// A cursor is where the page before ended, and of which query.
type cursor struct {
	After string `json:"a"`
	Query string `json:"q"`
}

func (q Query) fingerprint() string {
	q.Cursor, q.Limit = "", 0
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", q))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (q Query) cursor(after string) string {
	data, err := json.Marshal(cursor{after, q.fingerprint()})
	if err != nil {
		panic(err) // two texts
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func (q Query) position() (*index.Position, error) {
	if q.Cursor == "" {
		return nil, nil
	}
	var c cursor
	data, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil || c.Query != q.fingerprint() || c.After == "" {
		return nil, fault.Errorf(fault.Invalid, "the cursor is not from this list; start again without it")
	}
	return &index.Position{Ref: c.After}, nil
}

// Facet is one value of a field and how many entities have it.
type Facet struct {
	Value string
	Count int
}

// facetKeys are where the fields stand that can be counted; of some the case does not matter.
var facetKeys = map[string]struct {
	key    string
	folded bool
}{
	"kind": {"kind", true}, "namespace": {"metadata.namespace", true}, "space": {index.KeySpace, false},
	"owner": {index.KeyOwner, false}, "type": {"spec.type", true}, "source": {index.KeySource, false},
}

const mostFacets = 200

// Facets counts the values of fields among the entities that match and that the reader may see: kind, namespace,
// space, owner, type, source. Values without an entity are left out; of each field the 200 most frequent are given.
func (s *Service) Facets(ctx context.Context, q Query, fields []string) (map[string][]Facet, error) {
	var keys []string
	for _, field := range fields {
		if facetKeys[field].key == "" {
			return nil, fault.Errorf(fault.Invalid, "%q can't be counted; choose kind, namespace, space, owner, type or source", field)
		}
		keys = append(keys, facetKeys[field].key)
	}
	f, err := s.filter(ctx, q)
	if err != nil {
		return nil, err
	}
	counts, err := s.Counts(ctx, index.FacetQuery{Keys: keys, Filter: f})
	if err != nil {
		return nil, fault.Wrap(err, "count entities")
	}
	facets := make(map[string][]Facet, len(fields))
	for _, field := range fields {
		facets[field] = facetsOf(counts[facetKeys[field].key], facetKeys[field].folded)
	}
	return facets, nil
}

func facetsOf(counts []index.Count, folded bool) []Facet {
	var list []Facet
	at := map[string]int{}
	for _, c := range counts {
		if folded {
			c.Value = strings.ToLower(c.Value)
		}
		i, known := at[c.Value]
		switch {
		case c.Value == "":
		case known:
			list[i].Count += c.Count
		default:
			at[c.Value] = len(list)
			list = append(list, Facet(c))
		}
	}
	slices.SortFunc(list, func(a, b Facet) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) })
	return list[:min(len(list), mostFacets)]
}
