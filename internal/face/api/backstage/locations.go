package backstage

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// location is a location as Backstage writes it.
type location struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Target    string `json:"target"`
	EntityRef string `json:"entityRef"`
}

func (h *Handler) location(l catalog.Location) location {
	target := l.File().Address(h.base)
	id := l.ID
	if id == "" { // one that is only looked at
		id = "url:" + target
	}
	return location{id, "url", target, h.generated(l.File()).String()}
}

// generated gives the Location entity that Backstage makes for a location that was registered, and names by a hash.
func (h *Handler) generated(f catalog.File) ref.Entity {
	return ref.New("location", "", f.Generated(h.base))
}

// generatedEntity gives that entity. The catalog itself has none, since its locations are no documents.
func (h *Handler) generatedEntity(l catalog.Location) catalog.Entity {
	target := l.File().Address(h.base)
	e := catalog.Entity{Ref: h.generated(l.File()), UID: l.ID, Etag: l.Etag(), Space: l.Space, File: l.File(), Origin: l.File(), Error: l.Error}
	e.Document = document.Document{
		APIVersion: "backstage.io/v1alpha1", Kind: "Location", Metadata: document.Metadata{Name: e.Ref.Name},
		Spec: map[string]any{"type": "url", "target": target},
	}
	if e.File.Location == "" {
		e.File.Location, e.Origin.Location = "new", "new"
	}
	return e
}

// eachLocation calls f with the registered locations that the caller may see, the newest first, until it returns false.
func (h *Handler) eachLocation(c call, f func(catalog.Location) bool) error {
	for part := (page.Request{Limit: page.Most}); ; {
		list, err := h.catalog.Locations(c.Context(), catalog.LocationQuery{}, part)
		if err != nil {
			return err
		}
		for _, l := range list.Items {
			if l.Registered() && !f(l) {
				return nil
			}
		}
		if part.Cursor = list.Next; part.Cursor == "" {
			return nil
		}
	}
}

// byName gives an entity, also one that stands for a location.
func (h *Handler) byName(c call, r ref.Entity) (catalog.Entity, error) {
	e, err := h.catalog.Get(c.Context(), r)
	if !fault.Is(err, fault.NotFound) {
		return e, err
	}
	l, found, err2 := h.generatedFrom(c, r)
	if err2 != nil {
		return e, err2
	}
	if found {
		return h.generatedEntity(l), nil
	}
	return e, err
}

func (h *Handler) generatedFrom(c call, r ref.Entity) (found catalog.Location, ok bool, err error) {
	if r.Kind != "location" || r.Namespace != ref.DefaultNamespace || !strings.HasPrefix(r.Name, catalog.GeneratedPrefix) {
		return found, false, nil
	}
	found, err = h.catalog.GeneratedFrom(c.Context(), r.Name)
	if fault.Is(err, fault.NotFound) {
		return found, false, nil
	}
	return found, err == nil, err
}

func (h *Handler) getAncestry(c call) error {
	r := c.entity()
	ancestors, err := h.catalog.Ancestors(c.Context(), r)
	if fault.Is(err, fault.NotFound) {
		if l, found, err := h.generatedFrom(c, r); err != nil || found {
			if err != nil {
				return err
			}
			ancestors = []catalog.Ancestor{{Entity: h.generatedEntity(l)}}
		} else {
			return fault.Errorf(fault.NotFound, "No such entity %s", clip(r.String()))
		}
	} else if err != nil {
		return err
	}
	seen := map[ref.Entity]bool{}
	out := newStream(c)
	out.text = appendText(append(out.text, `{"rootEntityRef":`...), r.String())
	out.add(`,"items":[`)
	for i := 0; i < len(ancestors); i++ {
		a := ancestors[i]
		parents := a.Parents
		if l := a.Registered; l != nil {
			e := h.generatedEntity(*l)
			parents = append(parents, e.Ref)
			if !seen[e.Ref] {
				seen[e.Ref] = true
				ancestors = append(ancestors, catalog.Ancestor{Entity: e})
			}
		}
		if i > 0 {
			out.add(",")
		}
		out.add(`{"entity":`)
		out.text = h.appendOne(out.text, &a.Entity)
		out.add(`,"parentEntityRefs":[`)
		for j, parent := range parents {
			if j > 0 {
				out.add(",")
			}
			out.text = appendText(out.text, parent.String())
		}
		out.add("]}")
		out.flush()
	}
	out.add("]}")
	return out.end()
}

// readLocation reads the location of a body.
func (c call) readLocation() (target string, err error) {
	var body struct {
		Type     *string `json:"type"`
		Target   *string `json:"target"`
		Presence *string `json:"presence"`
	}
	var fields map[string]json.RawMessage
	if err := c.object(&fields, false); err != nil {
		return "", err
	}
	for name := range fields {
		if name != "type" && name != "target" && name != "presence" {
			return "", fault.Errorf(fault.Invalid, "Malformed request: unrecognized key %q", clip(name))
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	if err := decode(text, &body); err != nil {
		return "", err
	}
	switch {
	case body.Target == nil:
		return "", missing("target")
	case body.Type == nil:
		return "", missing("type")
	case *body.Type != "url":
		return "", fault.Errorf(fault.Invalid, "Registered locations must be of an allowed type [\"url\"]")
	}
	return *body.Target, nil
}

// place gives what an address names, and the space in which it would be registered: that of its repository.
func (h *Handler) place(c call, address string, adds bool) (space string, t catalog.Target, err error) {
	at := h.catalog.TargetAt
	if adds {
		at = func(ctx context.Context, text string) (catalog.Target, error) {
			return h.catalog.TargetToAdd(ctx, "", text)
		}
	}
	if t, err = at(c.Context(), address); err != nil {
		return "", t, err
	}
	r, err := h.repositories.Get(c.Context(), t.Repository)
	if fault.Is(err, fault.NotFound) {
		err = fault.Errorf(fault.Invalid, "Unable to read url, %s", fault.Message(err))
	}
	return r.Space, t, err
}

func (h *Handler) postLocation(c call) error {
	dryRun := isYes(c.query.Get("dryRun"))
	onConflict, err := c.choice("onConflict", "refresh", "reject")
	if err != nil {
		return err
	}
	address, err := c.readLocation()
	if err != nil {
		return err
	}
	space, target, err := h.place(c, address, !dryRun)
	if err != nil {
		return err
	}
	if dryRun {
		return h.previewLocation(c, space, target)
	}
	if onConflict != "refresh" {
		known, err := h.catalog.FindLocation(c.Context(), space, target)
		if err == nil && known.Registered() {
			return fault.Errorf(fault.Conflict, "Location url:%s already exists", known.File().Address(h.base))
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	l, _, err := h.catalog.AddLocation(c.Context(), space, target)
	if err != nil {
		return err
	}
	writeJSON(c.ResponseWriter, http.StatusCreated, struct {
		Location location `json:"location"`
		Entities []string `json:"entities"`
	}{h.location(l), []string{}})
	return nil
}

// isYes reads a switch as Backstage does.
func isYes(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "y", "yes", "true", "1", "on":
		return true
	}
	return false
}

func (h *Handler) previewLocation(c call, space string, target catalog.Target) error {
	p, err := h.catalog.PreviewLocation(c.Context(), space, target)
	if fault.Is(err, fault.NotFound) {
		err = fault.Errorf(fault.Invalid, "Unable to read url, %s", fault.Message(err))
	}
	if err != nil {
		return err
	}
	l := p.Location
	if l.Error != "" {
		return &fault.Error{Kind: fault.Invalid, Message: l.Error, Details: l.Details}
	}
	l.ID = ""
	wire, err := json.Marshal(h.location(l))
	if err != nil {
		return err
	}
	first := h.generatedEntity(l)
	first.UID = ""
	text := append(append([]byte(`{"exists":`), strconv.FormatBool(p.Location.Existed && p.Location.Registered())...), `,"location":`...)
	text = append(append(text, wire...), `,"entities":[`...)
	text = h.appendOne(text, &first)
	for i := range p.Entities {
		text = h.appendOne(append(text, ','), &p.Entities[i])
	}
	c.sendAs(http.StatusCreated, append(text, "]}"...))
	return nil
}

func (h *Handler) getLocations(c call) error {
	out := newStream(c)
	out.add("[")
	n := 0
	err := h.eachLocation(c, func(l catalog.Location) bool {
		if n > 0 {
			out.add(",")
		}
		n++
		text, err := json.Marshal(struct {
			Data location `json:"data"`
		}{h.location(l)})
		if err == nil { // texts
			out.text = append(out.text, text...)
		}
		out.flush()
		return true
	})
	if err != nil {
		return out.fail(err)
	}
	out.add("]")
	return out.end()
}

// locationCursor is a place in the list of locations.
type locationCursor struct {
	Limit   *int            `json:"limit"`
	AfterID string          `json:"afterId,omitempty"`
	Query   json.RawMessage `json:"query,omitempty"`
}

const (
	defaultLocations = 1000
	mostLocations    = 10_000
)

func (h *Handler) postLocationsByQuery(c call) error {
	var body struct {
		Cursor *string         `json:"cursor"`
		Limit  *float64        `json:"limit"`
		Query  json.RawMessage `json:"query"`
	}
	if err := c.object(&body, true); err != nil {
		return err
	}
	limit, after := defaultLocations, ""
	if body.Cursor != nil {
		at, err := readLocationCursor(*body.Cursor)
		if err != nil {
			return err
		}
		limit, after, body.Query = *at.Limit, at.AfterID, at.Query
	} else if body.Limit != nil {
		if limit = int(min(*body.Limit, mostLocations)); float64(limit) != *body.Limit && *body.Limit < mostLocations || limit < 1 {
			return fault.Errorf(fault.Invalid, "Limit must be a positive integer >= 1")
		}
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
		if err := checkLocationFilter(filter); err != nil {
			return err
		}
	}
	limit = min(limit, mostLocations)
	items := []location{}
	total, more := 0, false
	err := h.eachLocation(c, func(l catalog.Location) bool {
		wire := h.location(l)
		if !matchesLocation(filter, wire) {
			return true
		}
		total++
		switch {
		case after != "" && wire.ID >= after: // the newest are first
		case len(items) < limit:
			items = append(items, wire)
		default:
			more = true
		}
		return true
	})
	if err != nil {
		return err
	}
	var info struct {
		NextCursor string `json:"nextCursor,omitempty"`
	}
	if more {
		text, err := json.Marshal(locationCursor{&limit, items[len(items)-1].ID, body.Query})
		if err != nil {
			return err
		}
		info.NextCursor = base64.StdEncoding.EncodeToString(text)
	}
	writeJSON(c.ResponseWriter, http.StatusOK, struct {
		Items      []location `json:"items"`
		TotalItems int        `json:"totalItems"`
		PageInfo   any        `json:"pageInfo"`
	}{items, total, info})
	return nil
}

func readLocationCursor(text string) (at locationCursor, err error) {
	if text == "" {
		return at, fault.Errorf(fault.Invalid, "Cursor cannot be empty")
	}
	data, err := base64Decode(text)
	if err == nil {
		err = json.Unmarshal(data, &at)
	}
	switch {
	case err != nil:
		return at, fault.Errorf(fault.Invalid, "Malformed cursor, unknown encoding")
	case at.Limit == nil || *at.Limit < 1:
		return at, fault.Errorf(fault.Invalid, "Malformed cursor, it lacks its limit; start again without it")
	}
	return at, nil
}

// locationField gives what a query of locations compares.
func locationField(l location, key string) (string, bool) {
	switch strings.ToLower(key) {
	case "id":
		return l.ID, true
	case "type":
		return l.Type, true
	case "target":
		return l.Target, true
	case "entityref":
		return l.EntityRef, true
	}
	return "", false
}

func checkLocationFilter(f index.Filter) error {
	key := ""
	switch f := f.(type) {
	case index.All:
		return checkLocationFilters(f)
	case index.Any:
		return checkLocationFilters(f)
	case index.Not:
		return checkLocationFilter(f.Filter)
	case index.Has:
		key = f.Key
	case index.Exists:
		key = f.Key
	case index.HasPrefix:
		key = f.Key
	}
	if _, ok := locationField(location{}, key); !ok {
		return fault.Errorf(fault.Invalid, "Invalid filter predicate, expected key to be 'id', 'type', 'target', or 'entityRef', got '%s'", clip(key))
	}
	return nil
}

func checkLocationFilters(list []index.Filter) error {
	for _, f := range list {
		if err := checkLocationFilter(f); err != nil {
			return err
		}
	}
	return nil
}

func matchesLocation(f index.Filter, l location) bool {
	switch f := f.(type) {
	case nil:
		return true
	case index.All:
		for _, part := range f {
			if !matchesLocation(part, l) {
				return false
			}
		}
		return true
	case index.Any:
		for _, part := range f {
			if matchesLocation(part, l) {
				return true
			}
		}
		return false
	case index.Not:
		return !matchesLocation(f.Filter, l)
	case index.Has:
		text, _ := locationField(l, f.Key)
		for _, value := range f.Values {
			if strings.EqualFold(text, value) {
				return true
			}
		}
		return false
	case index.HasPrefix:
		text, _ := locationField(l, f.Key)
		return strings.HasPrefix(strings.ToLower(text), strings.ToLower(f.Prefix))
	}
	return true // every location has each of its fields
}

func (h *Handler) getLocation(c call) error {
	l, err := h.catalog.GetLocation(c.Context(), c.PathValue("id"))
	return h.answerLocation(c, l, err)
}

func (h *Handler) answerLocation(c call, l catalog.Location, err error) error {
	if fault.Is(err, fault.NotFound) && c.PathValue("id") != "" {
		err = fault.Errorf(fault.NotFound, "Found no location with ID %s", clip(c.PathValue("id")))
	}
	if err == nil {
		writeJSON(c.ResponseWriter, http.StatusOK, h.location(l))
	}
	return err
}

func (h *Handler) putLocation(c call) error {
	address, err := c.readLocation()
	if err != nil {
		return err
	}
	if _, err := h.catalog.GetLocation(c.Context(), c.PathValue("id")); err != nil {
		return h.answerLocation(c, catalog.Location{}, err)
	}
	_, target, err := h.place(c, address, false)
	if err != nil {
		return err
	}
	l, err := h.catalog.MoveLocation(c.Context(), c.PathValue("id"), target)
	return h.answerLocation(c, l, err)
}

func (h *Handler) deleteLocation(c call) error {
	err := h.catalog.RemoveLocation(c.Context(), c.PathValue("id"), "")
	if err != nil {
		return h.answerLocation(c, catalog.Location{}, err)
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// getLocationByEntity gives the registered location through which the catalog came to an entity.
func (h *Handler) getLocationByEntity(c call) error {
	r := c.entity()
	e, err := h.byName(c, r)
	if fault.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "found no entity for ref %s", clip(r.String()))
	}
	if err != nil {
		return err
	}
	if e.Origin.Location == "" {
		return fault.Errorf(fault.NotFound, "Found no location of %s, it was applied", clip(r.String()))
	}
	l, err := h.catalog.GetLocation(c.Context(), e.Origin.Location)
	return h.answerLocation(c, l, err)
}
