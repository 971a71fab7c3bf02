package search

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	entities "github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/search/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Documentation is what this room needs of docs. Nothing of it asks for rights: this room does.
type Documentation interface {
	// Sites gives sites with pages, by id; all of them when ids is nil.
	Sites(ctx context.Context, ids []string) ([]Site, error)
	// Sections gives parts of a site, by their numbers; all of them when numbers is nil.
	Sections(ctx context.Context, site string, numbers []int) ([]Section, error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Access       *access.Service
	Catalog      *catalog.Service
	Repositories *repository.Service
	Runs         *run.Service
	Docs         Documentation
	Log          *slog.Logger
}

// Service finds things. It is safe for concurrent use.
type Service struct {
	Deps
	index *index.Index
	shelf shelf
	built atomic.Bool
	runs  int // since the oldest were left out
}

// New gives the service. Run makes its index.
func New(d Deps) *Service {
	return &Service{Deps: d, index: index.New(), shelf: shelf{sites: map[string]Site{}, repositories: map[string]Repository{}}}
}

// Stats tells how large the index of this server is.
func (s *Service) Stats() index.Stats { return s.index.Stats() }

// Search gives a page of what matches and the reader may see: entities and APIs by entity:read, runs by run:read, docs by
// repository:read of their repository and entity:read of an entity whose they are. It fails with fault.Invalid for a cursor
// of another query and for a query beyond its bounds. Something that is deleted while it is found is left out of the page.
func (s *Service) Search(ctx context.Context, q Query) (Answer, error) {
	visible, err := s.Access.Spaces(ctx, "entity:read")
	if err != nil {
		return Answer{}, err
	}
	runs, err := s.Access.Spaces(ctx, "run:read")
	if err != nil {
		return Answer{}, err
	}
	asked, err := q.parse()
	if err != nil {
		return Answer{}, err
	}
	asked.Limit = page.Request{Limit: q.Limit}.Size()
	if asked.After, err = q.position(); err != nil {
		return Answer{}, err
	}
	wanted, err := s.wanted(ctx, q, asked)
	if err != nil {
		return Answer{}, err
	}
	building := !s.built.Load()
	s.shelf.mu.RLock()
	docs := reader{shelf: &s.shelf, entity: visible.Has, asked: map[string]bool{}, read: func(r Repository) bool {
		return s.Access.AuthorizeObject(ctx, repository.Read, r.Space, r.Name) == nil
	}}
	asked.Sees = func(in index.In, place string) bool {
		if len(q.Names) > 0 && in != index.Docs {
			return false
		}
		switch in {
		case index.Docs:
			return docs.sees(place) && (wanted == nil || docs.has(place, wanted))
		case index.Runs:
			return runs.Has(place)
		}
		return visible.Has(place)
	}
	found := s.index.Find(asked)
	s.shelf.mu.RUnlock()
	a := Answer{Total: found.Total, Typos: found.Typos, Building: building, Facets: map[string][]index.Count{}}
	for in, n := range found.In {
		if n > 0 {
			a.In = append(a.In, index.Count{Value: index.In(in).String(), Count: n})
		}
	}
	for f, counts := range found.Counts {
		if asked.Counted[f] {
			a.Facets[index.Facet(f).String()] = counts
		}
	}
	if found.More {
		a.Next = q.cursor(found.Hits[len(found.Hits)-1].Position)
	}
	a.Hits, err = s.describe(ctx, found.Hits, asked.Words, found.Typos, wanted)
	return a, fault.Wrap(err, "read what was found")
}

// parse makes a query of the index.
func (q Query) parse() (asked index.Query, err error) {
	p := index.Parse(q.Text, func(key, value string) bool {
		if key == "in" {
			_, known := index.ParseIn(strings.ToLower(value))
			return known
		}
		_, known := index.ParseFacet(key)
		return known
	})
	if len(q.Text) > index.MaxText || p.More {
		return asked, fault.Errorf(fault.Invalid, "the text to look for is too long; at most %d words and %d bytes are taken", index.MaxWords, index.MaxText)
	}
	asked.Words = p.Words
	for _, name := range append(slices.Clone(q.In), p.Values["in"]...) {
		in, known := index.ParseIn(strings.ToLower(name))
		if !known {
			return asked, fault.Errorf(fault.Invalid, "%.100q can't be searched; choose entities, apis, docs or runs", name)
		}
		asked.In = append(asked.In, in)
	}
	for _, name := range q.Facets {
		if f, known := index.ParseFacet(name); known {
			asked.Counted[f] = true
		}
	}
	for f, values := range map[index.Facet][]string{
		index.Kind: q.Kinds, index.Type: q.Types, index.Owner: q.Owners, index.Lifecycle: q.Lifecycles, index.Space: q.Spaces,
		index.Namespace: q.Namespaces,
	} {
		values = append(slices.Clone(values), p.Values[f.String()]...)
		if len(values) > mostFilters {
			return asked, fault.Errorf(fault.Invalid, "%d values of %s are too many; at most %d are taken", len(values), f, mostFilters)
		}
		for _, v := range values {
			switch f {
			case index.Owner:
				owner, err := ref.Parse(v, "group", "")
				if err != nil {
					return asked, err
				}
				v = owner.String()
			case index.Kind, index.Type, index.Lifecycle, index.Namespace:
				v = strings.ToLower(v)
			}
			asked.Where[f] = append(asked.Where[f], v)
		}
	}
	if len(q.Names) > mostFilters {
		return asked, fault.Errorf(fault.Invalid, "%d names are too many; at most %d are taken", len(q.Names), mostFilters)
	}
	if q.ByEntity {
		for _, f := range ofEntities {
			asked.Aside[index.Docs][f] = true
		}
	}
	return asked, nil
}

// ofEntities are the facets that docs have by the entities whose they are.
var ofEntities = [...]index.Facet{index.Kind, index.Type, index.Owner, index.Lifecycle, index.Namespace}

// wanted tells by its reference of which entity docs are asked for; it is nil where any will do.
func (s *Service) wanted(ctx context.Context, q Query, asked index.Query) (func(name string) bool, error) {
	any := len(q.Names) == 0
	for _, f := range ofEntities {
		any = any && (!q.ByEntity || asked.Where[f] == nil)
	}
	if any {
		return nil, nil
	}
	has := func(f index.Facet, value string) bool {
		return !q.ByEntity || asked.Where[f] == nil || slices.Contains(asked.Where[f], value)
	}
	names := make([]string, len(q.Names))
	for i, name := range q.Names {
		names[i] = strings.ToLower(name)
	}
	called := func(name string) bool {
		e := stored(name)
		return (len(names) == 0 || slices.Contains(names, e.Name)) && has(index.Kind, e.Kind) && has(index.Namespace, e.Namespace)
	}
	if !q.ByEntity || asked.Where[index.Type] == nil && asked.Where[index.Owner] == nil && asked.Where[index.Lifecycle] == nil {
		return called, nil
	}
	var of entities.All
	for f, key := range map[index.Facet]string{index.Type: "spec.type", index.Owner: entities.KeyOwner, index.Lifecycle: "spec.lifecycle"} {
		if values := asked.Where[f]; values != nil {
			of = append(of, entities.Has{Key: key, Values: values})
		}
	}
	matches, err := s.Catalog.Matching(ctx, of)
	if err != nil {
		return nil, err
	}
	return func(name string) bool { return called(name) && matches(name) }, nil
}

// cursor is where a page ended, and of which query.
type cursor struct {
	Score int    `json:"s"`
	Key   string `json:"k"`
	Query string `json:"q"`
}

func (q Query) fingerprint() string {
	q.Cursor, q.Limit, q.Facets = "", 0, nil
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", q))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (q Query) cursor(at index.Position) string {
	data, err := json.Marshal(cursor{at.Score, at.Key, q.fingerprint()})
	if err != nil {
		panic(err) // texts and a number
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
	if err != nil || c.Query != q.fingerprint() || c.Key == "" {
		return nil, fault.Errorf(fault.Invalid, "the cursor is not from this search; start again without it")
	}
	return &index.Position{Score: c.Score, Key: c.Key}, nil
}
