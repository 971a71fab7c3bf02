package backstage

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Prefix is where the catalog's API lives.
const Prefix = "/api/catalog"

// Handler serves the catalog.
type Handler struct {
	catalog      *catalog.Service
	repositories *repository.Service
	authenticate func(ctx context.Context, token string) (actor.Principal, error)
	base         string
	mux          *http.ServeMux
	Log          *slog.Logger
}

// New gives the handler. authenticate gives who presents a token, Unauthenticated when nobody does; base is the address of
// this server, under which hosted repositories are.
func New(c *catalog.Service, r *repository.Service, authenticate func(ctx context.Context, token string) (actor.Principal, error), base string, log *slog.Logger) *Handler {
	h := &Handler{catalog: c, repositories: r, authenticate: authenticate, base: strings.TrimSuffix(base, "/"), mux: http.NewServeMux(), Log: log}
	const one = "{kind}/{namespace}/{name}"
	h.on("GET /entities", h.getEntities, "filter", "fields", "limit", "offset", "after", "order")
	h.on("GET /entities/by-query", h.getByQuery, "filter", "fields", "limit", "offset", "orderField", "cursor", "totalItems", "fullTextFilterTerm", "fullTextFilterFields")
	h.on("POST /entities/by-query", h.postByQuery)
	h.on("GET /entities/by-uid/{uid}", h.getByUID)
	h.on("DELETE /entities/by-uid/{uid}", h.deleteByUID)
	h.on("GET /entities/by-name/"+one, h.getByName)
	h.on("GET /entities/by-name/"+one+"/ancestry", h.getAncestry)
	h.on("POST /entities/by-refs", h.postByRefs, "filter")
	h.on("GET /entity-facets", h.getFacets, "facet", "filter")
	h.on("POST /entity-facets", h.postFacets)
	h.on("POST /refresh", h.postRefresh)
	h.on("GET /locations", h.getLocations)
	h.on("POST /locations", h.postLocation, "dryRun", "onConflict")
	h.on("POST /locations/by-query", h.postLocationsByQuery)
	h.on("GET /locations/{id}", h.getLocation)
	h.on("PUT /locations/{id}", h.putLocation)
	h.on("DELETE /locations/{id}", h.deleteLocation)
	h.on("GET /locations/by-entity/"+one, h.getLocationByEntity)
	h.on("POST /analyze-location", h.postAnalyze)
	h.on("POST /validate-entity", h.postValidate)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, fault.Errorf(fault.NotFound, "The catalog has no operation %s %s", r.Method, clip(r.URL.Path)))
	})
	return h
}

// on has an operation answered that takes these parameters.
func (h *Handler) on(pattern string, do func(call) error, known ...string) {
	method, path, _ := strings.Cut(pattern, " ")
	h.mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		query, err := parameters(r, known)
		if err == nil {
			err = do(call{w, r, query})
		}
		if err != nil {
			h.fail(w, r, err)
		}
	})
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, err := h.identify(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if path := r.URL.Path; len(path) > 1 && strings.HasSuffix(path, "/") {
		r.URL.Path, r.URL.RawPath = strings.TrimSuffix(path, "/"), strings.TrimSuffix(r.URL.RawPath, "/")
	}
	h.mux.ServeHTTP(w, r)
}

// identify gives the request as that of whoever presents a token.
func (h *Handler) identify(r *http.Request) (*http.Request, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "bearer") {
		return r, fault.Errorf(fault.Unauthenticated, "Missing credentials; send a token of this server as Authorization: Bearer TOKEN")
	}
	return h.as(r, token)
}

func (h *Handler) as(r *http.Request, token string) (*http.Request, error) {
	p, err := h.authenticate(r.Context(), token)
	if err != nil {
		return r, err
	}
	return r.WithContext(actor.With(r.Context(), p)), nil
}
