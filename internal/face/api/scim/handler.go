package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Prefix is where directories are written to.
const Prefix = "/scim/v2/"

// Bounds of a request.
const (
	mostBody       = 4 << 20
	mostOperations = 1000
	mostPage       = 200
	usualPage      = 100
	retries        = 3 // of a patch that another request has overtaken
)

// Handler answers identity providers.
type Handler struct {
	Directories  *directory.Service
	Authenticate func(ctx context.Context, token string) (actor.Principal, error)
	Base         string // of this server, without a slash at its end
	Log          *slog.Logger
}

// call is one request about a directory.
type call struct {
	*Handler
	w         http.ResponseWriter
	r         *http.Request
	directory string // NAMESPACE/NAME
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostBody)
	if err := h.serve(w, r); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			err = typed{tooMany, fault.Errorf(fault.TooLarge, "the body has more than %d bytes", mostBody)}
		}
		h.fail(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "bearer") {
		return fault.Errorf(fault.Unauthenticated, "send a token of this server as Authorization: Bearer TOKEN")
	}
	p, err := h.Authenticate(r.Context(), token)
	if err != nil {
		return err
	}
	r = r.WithContext(actor.With(r.Context(), p))
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, Prefix), "/"), "/")
	if len(parts) < 3 || len(parts) > 5 {
		return noEndpoint()
	}
	d, err := h.Directories.Begin(r.Context(), parts[0]+"/"+parts[1])
	if err != nil {
		return err
	}
	c := call{h, w, r, d.Name}
	endpoint, rest := parts[2], parts[3:]
	if kind, ok := map[string]string{"Users": directory.User, "Groups": directory.Group}[endpoint]; ok {
		return c.resources(kind, rest)
	}
	if r.Method != http.MethodGet {
		return noEndpoint()
	}
	return c.describe(endpoint, strings.Join(rest, "/"))
}

func noEndpoint() error {
	return fault.Errorf(fault.NotFound, "there is no such endpoint; the ones are Users, Groups, Schemas, ResourceTypes and ServiceProviderConfig")
}

func (c call) resources(kind string, rest []string) error {
	switch {
	case len(rest) == 0 && c.r.Method == http.MethodGet:
		q := c.r.URL.Query()
		start, count, err := paging(q.Get("startIndex"), q.Get("count"))
		if err != nil {
			return err
		}
		return c.list(kind, asked{Filter: q.Get("filter"), StartIndex: &start, Count: &count, Attributes: words(q["attributes"]), ExcludedAttributes: words(q["excludedAttributes"])})
	case len(rest) == 0 && c.r.Method == http.MethodPost:
		return c.create(kind)
	case len(rest) == 1 && rest[0] == ".search" && c.r.Method == http.MethodPost:
		var a asked
		if err := c.body(&a); err != nil {
			return err
		}
		return c.list(kind, a)
	case len(rest) != 1:
		return noEndpoint()
	}
	id := rest[0]
	switch c.r.Method {
	case http.MethodGet:
		return c.get(kind, id)
	case http.MethodPut:
		return c.replace(kind, id)
	case http.MethodPatch:
		return c.patch(kind, id)
	case http.MethodDelete:
		return c.remove(kind, id)
	}
	return noEndpoint()
}

// words gives names that are separated by commas.
func words(values []string) (all []string) {
	for _, v := range values {
		for word := range strings.SplitSeq(v, ",") {
			if word = strings.TrimSpace(word); word != "" {
				all = append(all, word)
			}
		}
	}
	return all
}

func paging(start, count string) (from, most int, err error) {
	from, most = 1, usualPage
	for _, x := range []struct {
		text string
		into *int
	}{{start, &from}, {count, &most}} {
		if x.text == "" {
			continue
		}
		if *x.into, err = strconv.Atoi(x.text); err != nil {
			return 0, 0, wrong(invalidValue, "%.50q is not a number of startIndex or count", x.text)
		}
	}
	return from, most, nil
}

// body reads a JSON body. A NUL, which no text here may hold, is told with its place.
func (c call) body(into any) error {
	raw, err := io.ReadAll(c.r.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return wrong(invalidSyntax, "the body is not the JSON that is expected: %.200s", err.Error())
	}
	if !bytes.Contains(raw, []byte(`\u0000`)) {
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return wrong(invalidSyntax, "the body is not JSON: %.200s", err.Error())
	}
	if at, has := nulIn(value, ""); has {
		return wrong(invalidValue, "%.200s holds a NUL character (U+0000), which no text here may hold", at)
	}
	return nil
}

// nulIn gives the place of the first text, or name of an attribute, that holds a NUL.
func nulIn(v any, at string) (string, bool) {
	switch v := v.(type) {
	case string:
		return at, strings.Contains(v, "\x00")
	case []any:
		for i, item := range v {
			if at, has := nulIn(item, fmt.Sprintf("%s[%d]", at, i)); has {
				return at, true
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner := strings.TrimPrefix(at+"."+strings.ReplaceAll(name, "\x00", `\0`), ".")
			if strings.Contains(name, "\x00") {
				return "the name of " + inner, true
			}
			if at, has := nulIn(v[name], inner); has {
				return at, true
			}
		}
	}
	return "", false
}

// seen gives the version that If-Match names; 0 for any.
func (c call) seen() (int64, error) {
	tag := strings.Trim(strings.TrimPrefix(strings.TrimSpace(c.r.Header.Get("If-Match")), "W/"), `"`)
	if tag == "" || tag == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(tag, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.Errorf(fault.Stale, "If-Match %.50q is no version that this server has given", tag)
	}
	return n, nil
}

func tag(r directory.Resource) string { return `W/"` + strconv.FormatInt(r.Version, 10) + `"` }

// answer gives a resource.
func (c call) answer(status int, r directory.Resource) error {
	q := c.r.URL.Query()
	location := c.location(r.Kind, r.ID)
	c.w.Header().Set("ETag", tag(r))
	if status == http.StatusCreated {
		c.w.Header().Set("Location", location)
	}
	write(c.w, status, chosen(c.wire(r), words(q["attributes"]), words(q["excludedAttributes"])))
	return nil
}

func (c call) location(kind, id string) string {
	return c.Base + Prefix + c.directory + "/" + kind + "s/" + id
}

func (c call) get(kind, id string) error {
	r, err := c.Directories.Resource(c.r.Context(), c.directory, kind, id)
	if err != nil {
		return err
	}
	if none := c.r.Header.Get("If-None-Match"); none != "" && none == tag(r) {
		c.w.Header().Set("ETag", tag(r))
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return c.answer(http.StatusOK, r)
}

func (c call) create(kind string) error {
	in, err := c.sent(kind)
	if err != nil {
		return err
	}
	r, err := c.Directories.CreateResource(c.r.Context(), c.directory, kind, in)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, r)
}

func (c call) replace(kind, id string) error {
	version, err := c.seen()
	if err != nil {
		return err
	}
	in, err := c.sent(kind)
	if err != nil {
		return err
	}
	if kind == directory.Group && in.Members == nil {
		in.Members = []string{} // what is not said is gone
	}
	r, err := c.Directories.ReplaceResource(c.r.Context(), c.directory, kind, id, version, in)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, r)
}

func (c call) remove(kind, id string) error {
	version, err := c.seen()
	if err != nil {
		return err
	}
	if err := c.Directories.DeleteResource(c.r.Context(), c.directory, kind, id, version); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// sent reads a whole resource.
func (c call) sent(kind string) (directory.Sent, error) {
	var body map[string]any
	if err := c.body(&body); err != nil {
		return directory.Sent{}, err
	}
	attributes, err := cleaned(kind, body)
	if err != nil {
		return directory.Sent{}, err
	}
	return sentOf(kind, attributes)
}

// patch changes a resource as the operations say, all or none.
func (c call) patch(kind, id string) error {
	version, err := c.seen()
	if err != nil {
		return err
	}
	var body struct {
		Operations []operation `json:"Operations"`
	}
	if err := c.body(&body); err != nil {
		return err
	}
	if n := len(body.Operations); n == 0 || n > mostOperations {
		return wrong(invalidSyntax, "there are %d Operations; 1 to %d are taken", n, mostOperations)
	}
	for try := 1; ; try++ {
		r, err := c.Directories.Resource(c.r.Context(), c.directory, kind, id)
		if err != nil {
			return err
		}
		if version != 0 && version != r.Version {
			return fault.Errorf(fault.Stale, "%s has changed meanwhile; read it again", id)
		}
		in, err := patched(r, body.Operations)
		if err != nil {
			return err
		}
		now, err := c.Directories.ReplaceResource(c.r.Context(), c.directory, kind, id, r.Version, in)
		if fault.Is(err, fault.Stale) && version == 0 && try < retries {
			continue
		}
		if err != nil {
			return err
		}
		if kind == directory.Group && c.r.URL.Query().Get("attributes") == "" { // which may be long
			c.w.Header().Set("ETag", tag(now))
			c.w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return c.answer(http.StatusOK, now)
	}
}

// asked is a query, as it is sent to .search.
type asked struct {
	Filter             string   `json:"filter"`
	StartIndex         *int     `json:"startIndex"`
	Count              *int     `json:"count"`
	Attributes         []string `json:"attributes"`
	ExcludedAttributes []string `json:"excludedAttributes"`
}

func (c call) list(kind string, a asked) error {
	q := directory.Query{Kind: kind, Start: 1, Count: usualPage, Whole: wants(kind, a)}
	if a.StartIndex != nil {
		q.Start = max(*a.StartIndex, 1)
	}
	if a.Count != nil {
		q.Count = min(max(*a.Count, 0), mostPage)
	}
	if err := narrow(&q, a.Filter); err != nil {
		return err
	}
	part, total, err := c.Directories.Resources(c.r.Context(), c.directory, q)
	if err != nil {
		return err
	}
	items := make([]any, len(part))
	for i, r := range part {
		items[i] = chosen(c.wire(r), a.Attributes, a.ExcludedAttributes)
	}
	write(c.w, http.StatusOK, map[string]any{
		"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": total, "startIndex": q.Start, "itemsPerPage": len(items), "Resources": items,
	})
	return nil
}

// wants tells whether the memberships are among what is asked for.
func wants(kind string, a asked) bool {
	name := map[string]string{directory.User: "groups", directory.Group: "members"}[kind]
	is := func(other string) bool { return strings.EqualFold(bare(other), name) }
	if len(a.Attributes) > 0 {
		return slices.ContainsFunc(a.Attributes, is)
	}
	return !slices.ContainsFunc(a.ExcludedAttributes, is)
}
