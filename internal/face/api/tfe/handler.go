package tfe

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Prefix is where the protocol lives.
const Prefix = "/api/v2/"

// apiVersion is that of the protocol: cloud blocks ask for 2.5 at least.
const apiVersion = "2.6"

// Sealer keeps what only this server reads again.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Deps are what the protocol speaks for.
type Deps struct {
	Stacks   *stack.Service
	Runs     *run.Service
	Access   *access.Service
	Identity *identity.Service
	Catalog  *catalog.Service
	Secrets  *secret.Service
	Pools    *pool.Service
	Seal     Sealer
	Base     func(ctx context.Context) string // how the client reached the server, without a slash at the end
	TLS      func(ctx context.Context) bool   // whether a browser's cookies are those of TLS
	Names    func(ctx context.Context, ids []string) (map[string]string, error)
	Status   func(err error) int
	Now      func() time.Time
	Log      *slog.Logger
}

// Handler serves the protocol. Whoever asks has been identified before.
type Handler struct {
	Deps
	mux    *http.ServeMux
	bodies *semaphore.Weighted // bytes of states that are taken at a time
}

// New gives the handler.
func New(d Deps) *Handler {
	h := &Handler{Deps: d, mux: http.NewServeMux(), bodies: semaphore.NewWeighted(2 * stack.StateLimit)}
	h.accountRoutes()
	h.organizationRoutes()
	h.workspaceRoutes()
	h.tagRoutes()
	h.bindingRoutes()
	h.variableRoutes()
	h.varsetRoutes()
	h.varsetVariableRoutes()
	h.configurationRoutes()
	h.runRoutes()
	h.runPastRoutes()
	h.resourceRoutes()
	h.tokenRoutes()
	h.planRoutes()
	h.costRoutes()
	h.stateRoutes()
	h.triggerRoutes()
	h.poolRoutes()
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("TFP-API-Version", apiVersion)
	w.Header().Set("TFP-AppName", "Roadbed")
	w.Header().Set("X-RateLimit-Limit", "100")
	h.mux.ServeHTTP(w, r)
}

// handle adds a route for who has signed in.
func (h *Handler) handle(pattern string, serve func(w http.ResponseWriter, r *http.Request) error) {
	h.open(pattern, func(w http.ResponseWriter, r *http.Request) error {
		if actor.From(r.Context()).Kind == actor.Anonymous {
			return fault.Errorf(fault.Unauthenticated, "show a token: run `terraform login` or `tofu login` for this host")
		}
		return serve(w, r)
	})
}

// open adds a route for everybody. A pattern is a method and a path below Prefix.
func (h *Handler) open(pattern string, serve func(w http.ResponseWriter, r *http.Request) error) {
	method, path := split(pattern)
	h.mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		err := bounded(r.URL.RawQuery)
		if err == nil {
			err = serve(w, r)
		}
		if err != nil {
			h.fail(w, r, err)
		}
	})
}

const (
	mostQuery = 8 << 10 // bytes of a query
	mostWords = 200     // that it has between commas: each is a condition that a database weighs for each row
)

// bounded holds what clients narrow lists by to what databases answer soon.
func bounded(query string) error {
	if n := strings.Count(query, ",") + strings.Count(strings.ToUpper(query), "%2C") + strings.Count(query, "&"); len(query) > mostQuery || n > mostWords {
		return fault.Errorf(fault.Invalid, "the query has %d bytes and %d words, and may have %d and %d; ask for less at a time", len(query), n, mostQuery, mostWords)
	}
	return nil
}

func split(pattern string) (method, path string) {
	for i := range pattern {
		if pattern[i] == ' ' {
			return pattern[:i], pattern[i+1:]
		}
	}
	return http.MethodGet, pattern
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := h.Status(err)
	detail := fault.Message(err)
	var locked *stack.LockedError
	if errors.As(err, &locked) {
		status, detail = http.StatusConflict, "the workspace is locked by User or by a run: "+string(locked.Info)
	}
	var at any
	for _, d := range fault.Details(err) {
		detail += "\n" + d.String()
		if at == nil && strings.HasPrefix(d.Field, "/") {
			at = object{"pointer": d.Field}
		}
	}
	if status == http.StatusInternalServerError {
		h.Log.ErrorContext(r.Context(), "a request of the remote protocol ended with an internal error", "path", r.URL.Path, "error", err)
	}
	told := object{"status": strconv.Itoa(status), "title": http.StatusText(status), "detail": detail}
	if at != nil {
		told["source"] = at
	}
	_ = write(w, status, object{"errors": []object{told}})
}

// empty gives a route that answers with a list of nothing, where clients ask for what there is none of here.
func empty(w http.ResponseWriter, r *http.Request) error { return many(w, pagingOf(r), 0, nil) }

// named gives how principals are shown, by their ids.
func (h *Handler) named(ctx context.Context, ids []string) map[string]string {
	names, err := h.Names(ctx, ids)
	if err != nil || names == nil {
		names = map[string]string{}
	}
	for _, id := range ids {
		if names[id] == "" {
			names[id] = id
		}
	}
	return names
}
