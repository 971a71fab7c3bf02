package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
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

// where is the condition of a list, or that nothing can match.
type where struct {
	store.Where
	none bool
}

// List gives the entities that the reader may see (entity:read) and that match. It fails with fault.Invalid for a
// cursor that is not from this query.
func (s *Service) List(ctx context.Context, q Query) (page Page, err error) {
	w, err := s.where(ctx, q)
	if err != nil || w.none {
		return Page{}, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	after, err := q.position()
	if err != nil {
		return Page{}, err
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return Page{}, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM entities e`+w.String(), w.Args...).Scan(&page.Total); err != nil {
			return err
		}
		paged := w.Clone()
		if after != "" {
			paged.Add("e.ref > " + paged.Arg(after))
		}
		rows, err := tx.Query(ctx, `SELECT `+entityColumns+` FROM entities e`+paged.String()+fmt.Sprintf(` ORDER BY e.ref LIMIT %d`, limit+1), paged.Args...)
		found, err := store.Collect(rows, err, scanRow)
		if err != nil {
			return err
		}
		if len(found) > limit {
			found = found[:limit]
			page.Next = q.cursor(found[limit-1].Ref.String())
		}
		page.Items, err = s.complete(ctx, tx, found, visible)
		return err
	})
	return page, fault.Wrap(err, "list entities")
}

// where puts what the reader may see first.
func (s *Service) where(ctx context.Context, q Query) (*where, error) {
	w := &where{}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return nil, err
	}
	if !visible.All {
		if visible.Empty() || q.Space != "" && !visible.Has(q.Space) {
			return &where{none: true}, nil
		}
		w.Add(w.In("e.space", visible.List()))
	}
	w.Equal("e.space", q.Space)
	w.Equal("e.namespace", strings.ToLower(q.Namespace))
	w.Equal("e.source", q.Source)
	if len(q.Kinds) > 0 {
		w.Add(w.In("e.kind", s.kindNames(q.Kinds)))
	}
	if len(q.Type) > 0 {
		types := make([]string, len(q.Type))
		for i, t := range q.Type {
			types[i] = strings.ToLower(t)
		}
		w.Add(w.In("e.type", types))
	}
	if q.Owner != "" {
		owner, err := ref.Parse(q.Owner, "group", "")
		if err != nil {
			return nil, err
		}
		w.Equal("e.owner", owner.String())
	}
	if q.Failed {
		w.Add("e.error <> ''")
	}
	if len(q.Refs) > 0 {
		if len(q.Refs) > maxRefs {
			return nil, fault.Errorf(fault.TooLarge, "%d references are too many for one list; at most %d are taken", len(q.Refs), maxRefs)
		}
		names := make([]string, len(q.Refs))
		for i, r := range q.Refs {
			names[i] = r.String()
		}
		w.Add(w.In("e.ref", names))
	}
	return w, w.words(q.Text)
}

func (w *where) words(text string) error {
	words := strings.Fields(strings.ToLower(text))
	if len(text) > maxText || len(words) > maxWords {
		return fault.Errorf(fault.Invalid, "the text to look for is too long; at most %d words and %d characters are taken", maxWords, maxText)
	}
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, "\x00", "")
	for _, word := range words {
		w.Add(`e.search LIKE ` + w.Arg("%"+escape.Replace(word)+"%") + ` ESCAPE '\'`)
	}
	return nil
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

func (q Query) position() (string, error) {
	if q.Cursor == "" {
		return "", nil
	}
	var c cursor
	data, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil || c.Query != q.fingerprint() || c.After == "" {
		return "", fault.Errorf(fault.Invalid, "the cursor is not from this list; start again without it")
	}
	return c.After, nil
}

// Facet is one value of a field and how many entities have it.
type Facet struct {
	Value string
	Count int
}

// Facets counts the values of fields among the entities that match and that the reader may see: kind, namespace,
// space, owner, type, source. Values without an entity are left out; of each field the 200 most frequent are given.
func (s *Service) Facets(ctx context.Context, q Query, fields []string) (map[string][]Facet, error) {
	known := map[string]string{"kind": "e.kind", "namespace": "e.namespace", "space": "e.space", "owner": "e.owner", "type": "e.type", "source": "e.source"}
	facets := map[string][]Facet{}
	for _, field := range fields {
		if known[field] == "" {
			return nil, fault.Errorf(fault.Invalid, "%q can't be counted; choose kind, namespace, space, owner, type or source", field)
		}
		facets[field] = nil
	}
	w, err := s.where(ctx, q)
	if err != nil || w.none {
		return facets, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		for field := range facets {
			column := known[field]
			counted := w.Clone()
			counted.Add(column + " <> ''")
			rows, err := tx.Query(ctx, `SELECT `+column+`, COUNT(*) FROM entities e`+counted.String()+` GROUP BY `+column+` ORDER BY COUNT(*) DESC, `+column+` LIMIT 200`, counted.Args...)
			facets[field], err = store.Collect(rows, err, func(r store.Row) (f Facet, err error) { return f, r.Scan(&f.Value, &f.Count) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	return facets, fault.Wrap(err, "count entities")
}

// History gives versions of an entity, the newest first. It is there for deleted entities too. It needs entity:read in
// the entity's last space; otherwise NotFound.
func (s *Service) History(ctx context.Context, r ref.Entity, part page.Request) (versions page.Of[Version], err error) {
	before, err := part.Number()
	if err != nil {
		return versions, err
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return versions, err
	}
	var space string
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT space FROM entity_versions WHERE ref = $1 ORDER BY version DESC LIMIT 1`, r.String()).Scan(&space)
		if err != nil || !visible.Has(space) {
			return err
		}
		versions, err = history(ctx, tx, r, before, part, visible)
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && !visible.Has(space) {
		return page.Of[Version]{}, access.NotFound("entity " + r.String())
	}
	return versions, fault.Wrap(err, "read the history of %s", r)
}
