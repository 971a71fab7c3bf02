package insight

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// RadarSpec is what a TechRadar document says.
type RadarSpec struct {
	Owner     string     `json:"owner,omitempty"`
	Quadrants []Quadrant `json:"quadrants"` // four, clockwise from the upper right
	Rings     []Ring     `json:"rings"`     // the innermost first
	Entries   []Blip     `json:"entries"`
}

// Quadrant is a sort of technologies.
type Quadrant struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
}

// Ring is a stance: adopt, try, hold.
type Ring struct {
	ID          string `json:"id"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Color       string `json:"color,omitempty"`
}

// Blip is a technology.
type Blip struct {
	ID          string   `json:"id"`
	Title       string   `json:"title,omitempty"`
	Quadrant    string   `json:"quadrant"`
	Ring        string   `json:"ring"`
	Description string   `json:"description,omitempty"` // Markdown
	Moved       string   `json:"moved,omitempty"`       // in, out, new; "" has not
	Tag         string   `json:"tag,omitempty"`         // of entities that use it
	Links       []Link   `json:"links,omitempty"`
	Timeline    []Moment `json:"timeline,omitempty"` // the newest first
}

// Link leads elsewhere.
type Link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Moment is when a technology came to a ring.
type Moment struct {
	Date        string `json:"date"` // YYYY-MM-DD
	Ring        string `json:"ring"`
	Description string `json:"description,omitempty"`
}

// Bounds of a TechRadar.
const (
	quadrants   = 4
	maxRings    = 8
	maxBlips    = 500
	maxLinks    = 20
	maxTimeline = 50
	maxAddress  = 2000
)

func readRadar(d document.Document) (spec RadarSpec, wrong []fault.Detail) {
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	m := &mistakes{d: d}
	m.owner(spec.Owner)
	inQuadrants, inRings := map[string]bool{}, map[string]bool{}
	if len(spec.Quadrants) != quadrants {
		m.bad(fmt.Sprintf("needs %d quadrants", quadrants), "write quadrants: [{id: languages, title: Languages}, …]", "quadrants")
	}
	for i, q := range spec.Quadrants {
		m.id(q.ID, inQuadrants, "quadrants", strconv.Itoa(i), "id")
		m.short(q.Title, maxTitle, "quadrants", strconv.Itoa(i), "title")
	}
	if len(spec.Rings) == 0 || len(spec.Rings) > maxRings {
		m.bad(fmt.Sprintf("needs 1 to %d rings, the innermost first", maxRings), "write rings: [{id: adopt, title: Adopt}, …]", "rings")
	}
	for i, r := range spec.Rings {
		at := func(field string) []string { return []string{"rings", strconv.Itoa(i), field} }
		m.id(r.ID, inRings, at("id")...)
		m.short(r.Title, maxTitle, at("title")...)
		m.short(r.Description, maxText, at("description")...)
		m.color(r.Color, at("color")...)
	}
	if len(spec.Entries) > maxBlips {
		m.bad(fmt.Sprintf("has more than %d entries", maxBlips), "make a second radar", "entries")
	}
	seen := map[string]bool{}
	for i, b := range spec.Entries {
		m.blip(b, seen, inQuadrants, inRings, "entries", strconv.Itoa(i))
	}
	return spec, m.wrong
}

func (m *mistakes) blip(b Blip, seen, inQuadrants, inRings map[string]bool, place ...string) {
	at := func(fields ...string) []string { return append(append([]string{}, place...), fields...) }
	m.id(b.ID, seen, at("id")...)
	m.short(b.Title, maxTitle, at("title")...)
	m.short(b.Description, maxText, at("description")...)
	if !inQuadrants[b.Quadrant] {
		m.bad(fmt.Sprintf("%q is none of the quadrants", b.Quadrant), "write the id of one", at("quadrant")...)
	}
	if !inRings[b.Ring] {
		m.bad(fmt.Sprintf("%q is none of the rings", b.Ring), "write the id of one", at("ring")...)
	}
	switch b.Moved {
	case "", "in", "out", "new":
	default:
		m.bad(fmt.Sprintf("%q is no way to move", b.Moved), "write in, out or new, or leave it out", at("moved")...)
	}
	if len(b.Links) > maxLinks || len(b.Timeline) > maxTimeline {
		m.bad(fmt.Sprintf("has more than %d links or %d moments", maxLinks, maxTimeline), "keep those that matter", at()...)
	}
	for i, l := range b.Links {
		if !isAddress(l.URL) {
			m.bad(fmt.Sprintf("%.200q is not an address", l.URL), "write https://…", at("links", strconv.Itoa(i), "url")...)
		}
	}
	for i, x := range b.Timeline {
		if _, err := time.Parse(time.DateOnly, x.Date); err != nil {
			m.bad(fmt.Sprintf("%.50q is not a day", x.Date), `write "2026-05-01"`, at("timeline", strconv.Itoa(i), "date")...)
		}
		if !inRings[x.Ring] {
			m.bad(fmt.Sprintf("%q is none of the rings", x.Ring), "write the id of one", at("timeline", strconv.Itoa(i), "ring")...)
		}
		m.short(x.Description, maxText, at("timeline", strconv.Itoa(i), "description")...)
	}
}

func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(text) <= maxAddress
}

// Radar is a TechRadar document.
type Radar struct {
	Ref         ref.Entity
	Space       string
	Owner       string // reference; "" for none
	Title       string
	Description string
	Spec        RadarSpec
	Users       map[string]int // by entry with a tag: entities with that tag that the reader may see
}

func asRadar(e catalog.Entity) Radar {
	spec, _ := readRadar(e.Document) // it was valid when it was taken
	return Radar{Ref: e.Ref, Space: e.Space, Owner: ownerOf(e), Title: e.Document.Metadata.Title, Description: e.Document.Metadata.Description, Spec: spec}
}

// Radars gives the radars that the reader may see, by reference. Permission: entity:read; others are left out.
func (s *Service) Radars(ctx context.Context, part page.Request) (page.Of[Radar], error) {
	found, err := s.Catalog.List(ctx, catalog.Query{Kinds: []string{"TechRadar"}, Limit: part.Size(), Cursor: part.Cursor})
	list := page.Of[Radar]{Next: found.Next}
	for _, e := range found.Items {
		list.Items = append(list.Items, asRadar(e))
	}
	return list, err
}

// Radar gives a radar, with how many use its entries. Permission: entity:read; otherwise fault.NotFound.
func (s *Service) Radar(ctx context.Context, name ref.Entity) (Radar, error) {
	e, err := s.Catalog.Get(ctx, name)
	if err != nil {
		return Radar{}, err
	}
	r := asRadar(e)
	const tags = "metadata.tags"
	counts, err := s.Catalog.Counts(ctx, index.FacetQuery{Keys: []string{tags}})
	if err != nil {
		return r, err
	}
	by := map[string]int{}
	for _, c := range counts[tags] {
		by[c.Value] = c.Count
	}
	r.Users = map[string]int{}
	for _, b := range r.Spec.Entries {
		if b.Tag != "" {
			r.Users[b.ID] = by[b.Tag]
		}
	}
	return r, nil
}
