package search

import (
	"time"

	"github.com/roadbed-dev/roadbed/internal/product/search/index"
)

// Query asks for things by words. The values of one field are alternatives; every field that has any narrows.
type Query struct {
	// Text is words, which must all occur: begun, or with a typo. Those in quotes are taken as they are. KEY:VALUE is a value of
	// one of the fields below: in, kind, type, owner, lifecycle, space, namespace.
	Text       string
	In         []string // entities (but APIs), apis, docs, runs
	Kinds      []string
	Types      []string // spec.type, or the kind of a run
	Owners     []string // references; a bare name is a group in the namespace default
	Lifecycles []string
	Spaces     []string
	Namespaces []string
	Names      []string // only the docs of entities that are called so, and nothing else
	ByEntity   bool     // docs are held to the kinds, types, owners, lifecycles and namespaces by the entities whose they are; else they have none
	Facets     []string // what to count: kind, type, owner, lifecycle, space, namespace
	Limit      int      // page.Usual when 0, at most page.Most
	Cursor     string   // Next of the page before, with the same query
}

// Answer is a page of what was found, the best first.
type Answer struct {
	Hits     []Hit
	Next     string
	Total    int                      // as far as the reader may see
	In       []index.Count            // how many of each kind of thing match the rest of the query
	Facets   map[string][]index.Count // by name of Query.Facets: what the values of each would give with the rest of the query; the index.MostCounts most frequent
	Typos    bool                     // few things have the words, so those that differ by a typo were taken, too
	Building bool                     // the index is being made, so that things may be missing
}

// Hit is a thing that was found.
type Hit struct {
	In    string // entities, apis, docs, runs
	Score int
	Title []index.Piece
	Text  []index.Piece // what else matches, or what the thing is; nil when there is nothing to say

	Ref       string // the entity; of docs the one whose they are, of a run its subject
	Kind      string // of the entity, as its document writes it
	Type      string // of the entity, or the kind of the run
	Owner     string // reference
	Lifecycle string
	Space     string

	Path    string // of docs: the page, "" for the first
	Anchor  string // of docs: the heading
	Page    string // of docs: the page's title
	Run     string // id
	State   string // of the run
	Updated time.Time
}

// Bounds.
const (
	mostFilters = 50 // values of one field
	excerptSize = 180
	keptRuns    = 10_000 // the newest
)
