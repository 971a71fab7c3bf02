package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Query chooses entities; every field that is set narrows, and the values of one field are alternatives, save those of Tags.
type Query struct {
	Kinds     []string // names or plurals, without case
	Refs      []ref.Entity
	Space     []string // those spaces alone
	Namespace []string
	Owner     []string // references; a bare name is a group in the namespace default
	Below     bool     // also what the groups below those of Owner have, as far as the reader may see them
	Type      []string // spec.type, without case
	Lifecycle []string // spec.lifecycle, without case
	System    []string // references; a bare name is a system in the namespace default
	Tags      []string // all of them
	Text      string   // words that all occur in name, title, description or tags
	Source    string   // name of an apply, or "location:" and an id
	Location  string   // id: only what it brought, and what the locations brought that it led to
	Mine      bool     // only those that the reader owns, or a group that the reader is in, nested ones included
	Starred   bool     // only those that the reader has starred
	Gaps      []Gap    // only those that lack one of these
	Failed    bool     // only those with an Error
	Orphan    bool     // only those that no file declares any more
	Sort      string   // ref, name, title, owner, kind, type, lifecycle, created or updated, with "-" in front for downwards; "" is ref
	Limit     int      // 50 when 0, at most 500
	Cursor    string   // Next of the page before, with the same query

	At time.Time // as it was then, for List and Facets alone; the zero time is the present
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
// history, nor of Orphan, Location, Gaps and Sort: that is fault.Invalid.
func (s *Service) List(ctx context.Context, q Query) (page Page, err error) {
	if !q.At.IsZero() {
		return s.listAt(ctx, q)
	}
	f, err := s.filter(ctx, q)
	if err != nil {
		return Page{}, err
	}
	order, err := q.order()
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
	found, err := s.Find(ctx, index.Query{Filter: f, Order: order, Limit: min(limit, maxLimit), After: after})
	if err != nil {
		return Page{}, fault.Wrap(err, "list entities")
	}
	page.Items, page.Total = found.Items, found.Total
	if found.Next != nil {
		page.Next = q.cursor(*found.Next)
	}
	return page, nil
}

// textKeys are what a list is looked through for words.
var textKeys = []string{"metadata.name", "metadata.title", "metadata.description", index.KeyText, "metadata.tags"}

// filter gives what a query asks of the index.
func (s *Service) filter(ctx context.Context, q Query) (index.All, error) {
	q, err := s.withBelow(ctx, q)
	if err != nil {
		return nil, err
	}
	var all index.All
	has := func(key string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			all = append(all, index.Has{Key: key, Values: values})
		}
	}
	has("kind", s.kindNames(q.Kinds)...)
	has(index.KeySpace, q.Space...)
	has("metadata.namespace", q.Namespace...)
	has(index.KeySource, q.Source)
	if q.Location != "" {
		from, err := s.fromLocation(ctx, q.Location)
		if err != nil {
			return nil, err
		}
		all = append(all, from)
	}
	has("spec.type", q.Type...)
	has("spec.lifecycle", q.Lifecycle...)
	owners, err := references(q.Owner, "group")
	if err != nil {
		return nil, err
	}
	has(index.KeyOwner, texts(owners)...)
	systems, err := references(q.System, "system")
	if err != nil {
		return nil, err
	}
	has("relations.partOf", texts(systems)...)
	for _, tag := range q.Tags {
		has("metadata.tags", tag)
	}
	if q.Mine {
		all = append(all, index.Has{Key: index.KeyOwner, Values: mine(ctx)})
	}
	if q.Starred {
		starred, err := s.starred(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, starred)
	}
	if len(q.Gaps) > 0 {
		gaps, err := s.lacking(ctx, q.Gaps)
		if err != nil {
			return nil, err
		}
		all = append(all, gaps)
	}
	if len(q.Refs) > 0 {
		if len(q.Refs) > maxRefs {
			return nil, fault.Errorf(fault.TooLarge, "%d references are too many for one list; at most %d are taken", len(q.Refs), maxRefs)
		}
		all = append(all, index.Refs(texts(q.Refs)))
	}
	for _, mark := range []struct {
		wanted    bool
		condition string
	}{{q.Failed, isFailed}, {q.Orphan, isOrphan}} {
		if mark.wanted {
			marked, err := s.marked(ctx, mark.condition)
			if err != nil {
				return nil, err
			}
			all = append(all, marked)
		}
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

// withBelow gives a query that names the groups below its owners, in place of asking for them.
func (s *Service) withBelow(ctx context.Context, q Query) (Query, error) {
	if !q.Below || len(q.Owner) == 0 {
		return q, nil
	}
	parsed, err := references(q.Owner, "group")
	if err != nil {
		return q, err
	}
	owners := texts(parsed)
	x, visible, err := s.seen(ctx)
	if err != nil {
		return q, err
	}
	walked := x.Walk(index.Walk{From: owners, Follow: []string{"parentOf"}, Depth: index.MaxDepth, Visible: visible})
	for _, n := range walked.Nodes {
		if n.More {
			return q, tooManyBelow(walked, n, owners)
		}
	}
	q.Owner, q.Below = append(owners, groupsIn(walked)...), false
	return q, nil
}

// tooManyBelow tells which bound the groups below some owners go beyond, where a walk has stopped at one.
func tooManyBelow(walked index.Graph, at index.Node, owners []string) error {
	of := clip(strings.Join(owners, ", "))
	switch {
	case at.Depth >= index.MaxDepth:
		return fault.Errorf(fault.TooLarge, "there are more than %d levels of groups below %s, down to %s; name those that are wanted", index.MaxDepth, of, at.Ref)
	case len(walked.Nodes) >= index.MaxNodes:
		return fault.Errorf(fault.TooLarge, "there are more than %d groups below %s; name those that are wanted", index.MaxNodes, of)
	}
	return fault.Errorf(fault.TooLarge, "the groups below %s have more than %d relations to each other; name those that are wanted", of, index.MaxEdges)
}

// Conditions on what the catalog notes of an entity that is no version of it, so that the index knows nothing of it.
const (
	isFailed = `error <> ''`
	isOrphan = `orphan = 1`
)

// marked gives the entities of which a condition holds. They are read once as long as nothing is written.
func (s *Service) marked(ctx context.Context, condition string) (index.Refs, error) {
	return s.marks.Of(ctx, s.db, condition, func() (refs index.Refs, err error) {
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT ref FROM entities WHERE `+condition)
			refs, err = store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
			return err
		})
		return refs, fault.Wrap(err, "list the entities that are marked")
	})
}

// references reads those of a field.
func references(names []string, kind string) (all []ref.Entity, err error) {
	for _, name := range names {
		r, err := ref.Parse(name, kind, "")
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// mine gives the references of the reader and of all groups that the reader is in.
func mine(ctx context.Context) []string {
	who := actor.From(ctx)
	if who.Ref.IsZero() {
		return nil
	}
	return append([]string{who.Ref.String()}, who.Groups...)
}

// orders are the fields by which a list can be sorted.
func orders() map[string][]string {
	return map[string][]string{
		"": nil, "ref": nil, "name": {"metadata.name"}, "title": {"metadata.title", "metadata.name"}, "owner": {index.KeyOwner}, "kind": {"kind"},
		"type": {"spec.type"}, "lifecycle": {"spec.lifecycle"}, "created": {index.KeyCreated}, "updated": {index.KeyUpdated},
	}
}

// order gives the order of a list; entities without a value come last in either direction.
func (q Query) order() ([]index.Order, error) {
	name, down := strings.CutPrefix(q.Sort, "-")
	fields, known := orders()[name]
	if !known || down && len(fields) == 0 {
		return nil, fault.Errorf(fault.Invalid, "a list is not sorted by %q; choose name, title, owner, kind, type, lifecycle, created or updated, with - in front for downwards", q.Sort)
	}
	var order []index.Order
	for _, field := range fields {
		order = append(order, index.Order{Field: field, Desc: down})
	}
	return order, nil
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
	After  string    `json:"a"`
	Values []*string `json:"v,omitempty"` // of the fields of the order
	Query  string    `json:"q"`
}

func (q Query) fingerprint() string {
	q.Cursor, q.Limit = "", 0
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", q))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (q Query) cursor(after index.Position) string {
	data, err := json.Marshal(cursor{after.Ref, after.Values, q.fingerprint()})
	if err != nil {
		panic(err) // texts
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
	return &index.Position{Values: c.Values, Ref: c.After}, nil
}
