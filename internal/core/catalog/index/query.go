package index

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Filter chooses entities. Keys and values are compared without case. Nil chooses all.
type Filter interface{ filter() }

type (
	// All is met by what meets each of its filters; with none, by everything.
	All []Filter
	// Any is met by what meets one of its filters; with none, by nothing.
	Any []Filter
	// Not is met by what does not meet Filter.
	Not struct{ Filter Filter }
	// Has is met where one of the values stands under Key.
	Has struct {
		Key    string
		Values []string
	}
	// Exists is met where anything stands under Key, null and texts too long to be compared as well.
	Exists struct{ Key string }
	// HasPrefix is met where a value under Key begins with Prefix.
	HasPrefix struct{ Key, Prefix string }
	// InFolder is met where a value under Key is a path right in one of some folders, which are "" or end in a slash.
	InFolder struct {
		Key     string
		Folders []string
	}
	// Contains is met where Term is a part of a value under one of Keys; without keys, under any that comes from the
	// document.
	Contains struct {
		Keys []string
		Term string
	}
	// Refs is met by the entities of these references. Whoever takes them from outside bounds how many they are.
	Refs []string
	// UnknownOwner is met where KeyOwner names who is not there, or may not be seen.
	UnknownOwner struct{}
	// EmptyOwner is met where KeyOwner names a group that nobody is in, nor in a group below it.
	EmptyOwner struct{}
)

func (All) filter()          {}
func (Any) filter()          {}
func (Not) filter()          {}
func (Has) filter()          {}
func (Exists) filter()       {}
func (HasPrefix) filter()    {}
func (InFolder) filter()     {}
func (Contains) filter()     {}
func (Refs) filter()         {}
func (UnknownOwner) filter() {}
func (EmptyOwner) filter()   {}

// Keys of what the catalog knows of an entity beside its document. Their case counts.
const (
	KeySpace  = "@space"
	KeySource = "@source"
	KeyFile   = "@file"  // its path within its repository
	KeyOwner  = "@owner" // reference of the first owner
	KeyText   = "@text"  // a description that is too long to be compared

	KeyCreated = "@created" // times, as texts that are in the order of the times
	KeyUpdated = "@updated"
)

// Order is one field by which a result is ordered. Entities without a value there come last, in both directions; of
// several values that counts which comes first. What is equal in all fields is ordered by reference.
type Order struct {
	Field string
	Desc  bool
}

// Position is a place in an ordered result: right behind, or in front of, an entity that was there.
type Position struct {
	Values []*string // of the fields of the order; nil for an entity without one
	Ref    string
}

// Query asks for a part of an ordered result.
type Query struct {
	Filter  Filter
	Order   []Order // by reference when nil
	Limit   int     // DefaultLimit when 0, at most MaxLimit
	Offset  int     // counted from After, or from the start
	After   *Position
	Before  *Position // gives the last ones in front of it, in the order of the whole
	NoTotal bool      // spares counting
	Visible access.Set
}

// Bounds of a query.
const (
	DefaultLimit = 200
	MaxLimit     = 10_000
	maxDepth     = 30
	maxFilters   = 2_000
	MaxValues    = 20_000
	maxTerm      = 500
	maxOrder     = 10
)

// Hit is one entity of a result.
type Hit struct {
	Ref      string
	UID      string
	Version  int
	Revision uint64 // another one whenever the entity or its relations changed in this index
}

// Entity gives the reference of a hit.
func (h Hit) Entity() ref.Entity {
	kind, rest, _ := strings.Cut(h.Ref, ":")
	namespace, name, _ := strings.Cut(rest, "/")
	return ref.Entity{Kind: kind, Namespace: namespace, Name: name}
}

// Result is a part of an ordered result.
type Result struct {
	Hits  []Hit
	Total int // of the whole; 0 with NoTotal
	Next  *Position
	Prev  *Position
}

// Count is one value of a key, in the case of its author, and how many entities have it.
type Count struct {
	Value string
	Count int
}

// FacetQuery asks for the values of keys among the entities that are chosen.
type FacetQuery struct {
	Keys    []string
	Filter  Filter
	Limit   int // the most frequent of each key; all when 0
	Visible access.Set
}

// Check tells what is wrong with the bounds of a query.
func (q Query) Check() error {
	switch {
	case len(q.Order) > maxOrder:
		return fault.Errorf(fault.Invalid, "a result can be ordered by at most %d fields", maxOrder)
	case q.After != nil && q.Before != nil:
		return fault.Errorf(fault.Invalid, "a page comes after or before a position, not both")
	case q.Offset < 0 || q.Limit < 0:
		return fault.Errorf(fault.Invalid, "limit and offset can't be negative")
	case q.After != nil && len(q.After.Values) != len(q.Order), q.Before != nil && len(q.Before.Values) != len(q.Order):
		return fault.Errorf(fault.Invalid, "the cursor is of another order; start again without it")
	}
	return Check(q.Filter)
}

// Check tells whether a filter keeps the bounds of depth and size.
func Check(f Filter) error {
	var c checker
	return c.check(f, 0)
}

type checker struct{ filters, values int }

func (c *checker) check(f Filter, depth int) error {
	c.filters++
	if depth > maxDepth || c.filters > maxFilters {
		return fault.Errorf(fault.Invalid, "the filter is too large; at most %d conditions are taken, at most %d deep", maxFilters, maxDepth)
	}
	parts := func(list []Filter) error {
		for _, part := range list {
			if err := c.check(part, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	switch f := f.(type) {
	case All:
		return parts(f)
	case Any:
		return parts(f)
	case Not:
		return c.check(f.Filter, depth+1)
	case Has:
		c.values += len(f.Values)
	case InFolder:
		c.values += len(f.Folders)
	case Contains:
		c.values += len(f.Keys)
		if len(f.Term) > maxTerm {
			return fault.Errorf(fault.Invalid, "the text to look for is too long; at most %d bytes are taken", maxTerm)
		}
	}
	if c.values > MaxValues {
		return fault.Errorf(fault.Invalid, "the filter has too many values; at most %d are taken", MaxValues)
	}
	return nil
}

func (q Query) limit() int {
	if q.Limit == 0 {
		return DefaultLimit
	}
	return min(q.Limit, MaxLimit)
}

// fold is how keys and values are compared.
func fold(text string) string { return strings.ToLower(text) }

const maxKeys = 100

// Check tells what is wrong with the bounds of a query for facets.
func (q FacetQuery) Check() error {
	if len(q.Keys) > maxKeys {
		return fault.Errorf(fault.Invalid, "at most %d keys can be counted at once", maxKeys)
	}
	return Check(q.Filter)
}
