package backstage

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/search"
	"github.com/roadbed-dev/roadbed/internal/product/search/index"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// SearchPrefix is where the API of the search lives.
const SearchPrefix = "/api/search"

// Search serves Backstage's search: documents of the types software-catalog and techdocs.
type Search struct {
	Handler // for who asks, and how errors are told
	service *search.Service
}

// NewSearch gives the handler. authenticate is that of New.
func NewSearch(s *search.Service, authenticate func(ctx context.Context, token string) (actor.Principal, error), log *slog.Logger) *Search {
	h := &Search{Handler: Handler{authenticate: authenticate, mux: http.NewServeMux(), Log: log}, service: s}
	h.mux.HandleFunc("GET "+SearchPrefix+"/query", func(w http.ResponseWriter, r *http.Request) {
		answer, err := h.query(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, fault.Errorf(fault.NotFound, "The search has no operation %s %s", r.Method, clip(r.URL.Path)))
	})
	return h
}

const (
	typeCatalog = "software-catalog"
	typeDocs    = "techdocs"
)

// Bounds of a page, as Backstage has them.
const (
	usualResults = 25
	mostResults  = 100
)

type searchResults struct {
	Results  []searchResult `json:"results"`
	Next     string         `json:"nextPageCursor,omitempty"`
	Previous string         `json:"previousPageCursor,omitempty"`
	Number   int            `json:"numberOfResults"`
}

type searchResult struct {
	Type      string         `json:"type"`
	Document  map[string]any `json:"document"`
	Highlight struct {
		PreTag  string            `json:"preTag"`
		PostTag string            `json:"postTag"`
		Fields  map[string]string `json:"fields"`
	} `json:"highlight"`
	Rank int `json:"rank"`
}

func (h *Search) query(r *http.Request) (searchResults, error) {
	out := searchResults{Results: []searchResult{}}
	asked, err := readSearch(r.URL.RawQuery)
	if err != nil || asked.nothing {
		return out, err
	}
	if n := len(asked.pages); n > 0 {
		asked.Cursor = asked.pages[n-1]
		out.Previous = encodePages(asked.pages[:n-1])
	}
	found, err := h.service.Search(r.Context(), asked.Query)
	if err != nil {
		return out, err
	}
	out.Number = found.Total
	if found.Next != "" && len(asked.pages) < mostPages {
		out.Next = encodePages(append(asked.pages, found.Next))
	}
	tag := "m" + strings.ToLower(rand.Text()[:8])
	for i, hit := range found.Hits {
		result := searchDocument(hit)
		result.Rank = len(asked.pages)*asked.Limit + i + 1
		result.Highlight.PreTag, result.Highlight.PostTag = "<"+tag+">", "</"+tag+">"
		result.Highlight.Fields = map[string]string{}
		for field, pieces := range map[string][]index.Piece{"title": hit.Title, "text": hit.Text} {
			if index.Matches(pieces) {
				result.Highlight.Fields[field] = joinPieces(pieces, result.Highlight.PreTag, result.Highlight.PostTag)
			}
		}
		out.Results = append(out.Results, result)
	}
	return out, nil
}

// searchDocument gives what was found in the form of Backstage's collators.
func searchDocument(hit search.Hit) (r searchResult) {
	of, err := ref.Parse(hit.Ref, "", "")
	if err != nil {
		of = ref.Entity{}
	}
	r.Document = map[string]any{
		"title": joinPieces(hit.Title, "", ""), "text": joinPieces(hit.Text, "", ""), "kind": hit.Kind, "namespace": of.Namespace, "owner": hit.Owner,
		"lifecycle": hit.Lifecycle,
	}
	if hit.In == index.Docs.String() {
		r.Type = typeDocs
		path := (&url.URL{Path: "/docs/" + of.Namespace + "/" + of.Kind + "/" + of.Name + "/" + hit.Path, Fragment: hit.Anchor}).String()
		r.Document["name"], r.Document["path"], r.Document["location"], r.Document["pageTitle"] = of.Name, hit.Path, path, hit.Page
		return r
	}
	r.Type = typeCatalog
	r.Document["componentType"], r.Document["type"] = hit.Type, hit.Type
	r.Document["location"] = "/catalog/" + of.Namespace + "/" + of.Kind + "/" + of.Name
	return r
}

func joinPieces(pieces []index.Piece, before, after string) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Match {
			b.WriteString(before + p.Text + after)
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// searchQuery is what a client asks.
type searchQuery struct {
	search.Query
	pages   []string // cursors of the pages that lead here, its own as the last
	nothing bool     // only types are asked for that there are not
}

// readSearch reads an address as the library qs writes it, which Backstage's clients use: lists as types[0] and types[],
// filters as filters[kind] and filters[kind][0].
func readSearch(raw string) (q searchQuery, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, fault.Errorf(fault.Invalid, "Malformed query of the address")
	}
	filters := map[string][]string{}
	var types []string
	for name, list := range values {
		head, rest, _ := strings.Cut(name, "[")
		key, _, _ := strings.Cut(rest, "]")
		switch head {
		case "types":
			types = append(types, list...)
		case "filters":
			if key == "" {
				return q, fault.Errorf(fault.Invalid, "filters must be an object: filters[kind]=Component")
			}
			filters[key] = append(filters[key], list...)
		}
	}
	q.Text, q.Limit = values.Get("term"), usualResults
	if text := values.Get("pageLimit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > mostResults {
			return q, fault.Errorf(fault.Invalid, "pageLimit must be a number from 1 to %d", mostResults)
		}
	}
	if q.pages, err = decodePages(values.Get("pageCursor")); err != nil {
		return q, err
	}
	if len(types) == 0 || slices.Contains(types, typeCatalog) {
		q.In = append(q.In, index.Entities.String(), index.APIs.String())
	}
	if len(types) == 0 || slices.Contains(types, typeDocs) {
		q.In = append(q.In, index.Docs.String())
	}
	q.nothing = len(q.In) == 0
	return q, q.filter(filters)
}

// filter takes filters. Docs have the fields of the entity whose they are, and name, which entities have not: Backstage's
// collators give it to docs alone.
func (q *searchQuery) filter(filters map[string][]string) error {
	q.ByEntity = true
	for key, values := range filters {
		to := map[string]*[]string{
			"kind": &q.Kinds, "type": &q.Types, "componentType": &q.Types, "owner": &q.Owners, "lifecycle": &q.Lifecycles,
			"namespace": &q.Namespaces, "name": &q.Names,
		}[key]
		if to == nil {
			return fault.Errorf(fault.Invalid, "Unknown filter '%s'; kind, type, owner, lifecycle, namespace and name are known", clip(key))
		}
		for _, v := range values {
			if v != "" {
				*to = append(*to, v)
			}
		}
	}
	return nil
}

// mostPages is how far a client can turn pages, since a cursor has the way back in it.
const mostPages = 40

func encodePages(pages []string) string {
	if pages == nil {
		pages = []string{}
	}
	data, err := json.Marshal(pages)
	if err != nil {
		panic(err) // texts
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func decodePages(text string) (pages []string, err error) {
	if text == "" {
		return nil, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &pages)
	}
	if err != nil || len(pages) > mostPages {
		return nil, fault.Errorf(fault.Invalid, "pageCursor is not one that a search gave")
	}
	return pages, nil
}
