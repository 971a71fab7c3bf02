package insight

import (
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spec is what a Scorecard document says.
type Spec struct {
	Owner  string  `json:"owner,omitempty"`
	Filter Filter  `json:"filter,omitzero"`
	Levels []Level `json:"levels"` // the lowest first
	Rules  []Rule  `json:"rules"`
}

// Filter chooses entities. Every field that is set narrows; the values of one field are alternatives, save those of Tags and
// Labels. All but tags and labels are compared without case.
type Filter struct {
	Kinds      []string          `json:"kinds,omitempty"`
	Types      []string          `json:"types,omitempty"`      // spec.type
	Lifecycles []string          `json:"lifecycles,omitempty"` // spec.lifecycle
	Owners     []string          `json:"owners,omitempty"`     // references; a bare name is a group in the scorecard's namespace
	Systems    []string          `json:"systems,omitempty"`    // references; a bare name is a system in the scorecard's namespace
	Namespaces []string          `json:"namespaces,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Level is a group of rules. Color is one of the portal's: gray, red, pink, grape, violet, indigo, blue, cyan, teal, green, lime,
// yellow, orange, or of metals bronze, silver, gold, platinum.
type Level struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Color string `json:"color,omitempty"`
}

// Rule is one thing that is wanted of an entity.
type Rule struct {
	ID          string `json:"id"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Level       string `json:"level"`
	Expression  string `json:"expression"`
	Remedy      string `json:"remedy,omitempty"` // what to do when it fails; Markdown
}

// Scorecard is the projection of a Scorecard document.
type Scorecard struct {
	Ref         ref.Entity
	Space       string
	Owner       string // reference; "" for none
	Title       string
	Description string
	Spec        Spec
	Judging     bool      // not everything is judged by what it says now
	Judged      time.Time // when everything was judged last; zero for never
	Error       string    // why it can't judge; what it said before stays
}

// Result is what a scorecard says of an entity.
type Result struct {
	Scorecard string // reference
	Entity    string // reference
	Space     string // of the entity
	Owner     string // of the entity; "" for none
	Level     string // name; "" for none
	Failed    []string
	Errors    map[string]string // by rule: why it could not be evaluated
	Since     time.Time         // it is at this level
	Updated   time.Time
}

// Verdict is what the rules say of an entity.
type Verdict struct {
	Level  string
	Failed []string // ids of rules, in their order
	Errors map[string]string
	Unread []string // rules whose facts could not be read; they are as they were, or fail when they are new
}

// verdict gives the level that failing some rules leaves: the highest one of which, and below which, none fails.
func (s Spec) verdict(failed func(rule string) bool) (v Verdict) {
	failing := map[string]bool{}
	for _, r := range s.Rules {
		if failed(r.ID) {
			v.Failed = append(v.Failed, r.ID)
			failing[r.Level] = true
		}
	}
	for _, l := range s.Levels {
		if failing[l.Name] {
			break
		}
		v.Level = l.Name
	}
	return v
}

// next gives the level above one; "" when there is none.
func (s Spec) next(level string) string {
	at := slices.IndexFunc(s.Levels, func(l Level) bool { return l.Name == level })
	if at+1 < len(s.Levels) {
		return s.Levels[at+1].Name
	}
	return ""
}

// missing gives the rules that an entity must still pass for the level above its own.
func (s Spec) missing(level string, failed []string) (rules []Rule) {
	next := s.next(level)
	for _, r := range s.Rules {
		if r.Level == next && slices.Contains(failed, r.ID) {
			rules = append(rules, r)
		}
	}
	return rules
}

// chooses tells whether the filter takes an entity. namespace is that of the scorecard.
func (f Filter) chooses(e catalog.Entity, namespace string) bool {
	d := e.Document
	is := func(list []string, value string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, value) })
	}
	if !is(f.Kinds, d.Kind) || !is(f.Types, e.Type) || !is(f.Lifecycles, text(d, "lifecycle")) || !is(f.Namespaces, e.Ref.Namespace) {
		return false
	}
	if len(f.Owners) > 0 && !names(f.Owners, "group", namespace, e.Owner) {
		return false
	}
	if len(f.Systems) > 0 {
		system, err := ref.Parse(text(d, "system"), "system", e.Ref.Namespace)
		if err != nil || !names(f.Systems, "system", namespace, system) {
			return false
		}
	}
	for _, tag := range f.Tags {
		if !slices.Contains(d.Metadata.Tags, tag) {
			return false
		}
	}
	for key, value := range f.Labels {
		if d.Metadata.Labels[key] != value {
			return false
		}
	}
	return true
}

func text(d document.Document, field string) string {
	value, _ := d.Spec[field].(string)
	return value
}

// names tells whether one of some references is that of an entity.
func names(refs []string, kind, namespace string, of ref.Entity) bool {
	return slices.ContainsFunc(refs, func(text string) bool {
		r, err := ref.Parse(text, kind, namespace)
		return err == nil && r == of
	})
}

// Counts are how many entities there are, at which levels, and how many fail which rules.
type Counts struct {
	Entities int            `json:"n"`
	Levels   map[string]int `json:"l,omitempty"` // by name; "" is none
	Failed   map[string]int `json:"f,omitempty"` // by rule
}

// add counts others in, times times.
func (c *Counts) add(o Counts, times int) {
	c.Entities += times * o.Entities
	c.Levels = added(c.Levels, o.Levels, times)
	c.Failed = added(c.Failed, o.Failed, times)
}

func added(to, of map[string]int, times int) map[string]int {
	if to == nil {
		to = map[string]int{}
	}
	for key, n := range of {
		if to[key] += times * n; to[key] == 0 {
			delete(to, key)
		}
	}
	return to
}

// counted is what one result counts.
func counted(level string, failed []string) Counts {
	c := Counts{Entities: 1, Levels: map[string]int{level: 1}, Failed: map[string]int{}}
	for _, rule := range failed {
		c.Failed[rule] = 1
	}
	return c
}
