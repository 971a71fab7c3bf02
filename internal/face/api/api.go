package api

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/oidc"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/once"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/product/discovery"
	"github.com/roadbed-dev/roadbed/internal/product/docs"
	"github.com/roadbed-dev/roadbed/internal/product/insight"
	"github.com/roadbed-dev/roadbed/internal/product/mirror"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/product/registry"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/product/search"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/product/trigger"
	"github.com/roadbed-dev/roadbed/internal/product/webhook"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Prefix is where the native API lives.
const Prefix = "/api/v1"

// Rooms are what the API speaks for.
type Rooms struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Access       *access.Service
	Identity     *identity.Service
	Secrets      *secret.Service
	OIDC         *oidc.Service
	Policy       *policy.Service
	Kinds        *document.Registry
	Catalog      *catalog.Service
	Hooks        *hook.Service
	Repositories *repository.Service
	Runs         *run.Service
	Pools        *pool.Service
	Stacks       *stack.Service
	Workflows    *workflow.Service
	Scaffold     *scaffold.Service
	Delivery     *delivery.Service
	Triggers     *trigger.Service
	Webhooks     *webhook.Service
	Integrations *integration.Service
	Proposals    *proposal.Service
	Docs         *docs.Service
	Search       *search.Service
	Discovery    *discovery.Service
	Insight      *insight.Service
	Modules      *registry.Service
	Directories  *directory.Service
	Mirror       *mirror.Service
	Once         *once.Answers
}

// Options say how the server is reached.
type Options struct {
	Version  string
	BaseURL  string // how browsers reach the server, without a slash at the end; "" takes it from each request
	Features func() Features
	Beat     time.Duration // between the beats of live streams, 20 s when zero
	Now      func() time.Time
	Log      *slog.Logger
}

// API serves the native API.
type API struct {
	Rooms
	Options
	huma    huma.API
	mux     *http.ServeMux
	streams *http.ServeMux // of which only the patterns count
	names   store.Gathered[string, identity.Display]
}

// New builds the API with all its routes.
func New(rooms Rooms, opts Options) *API {
	if opts.Beat <= 0 {
		opts.Beat = 20 * time.Second
	}
	a := &API{Rooms: rooms, Options: opts, mux: http.NewServeMux(), streams: http.NewServeMux()}
	a.names.Time, a.names.Ask = namesTime, a.readNames
	config := huma.DefaultConfig("Roadbed", opts.Version)
	config.Info.Description = "The native API of Roadbed. Errors are problem documents (RFC 9457); lists are paged by cursor; live things are server-sent events that continue after Last-Event-ID."
	config.DocsPath = "" // the portal's policy on content allows no scripts from elsewhere; docs.go serves a page of ours
	config.CreateHooks = nil
	config.Transformers = nil
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "A token of a user, a machine or a step of a run."},
		"session": {Type: "apiKey", In: "cookie", Name: identity.CookieName(false), Description: "A browser's session; unsafe methods also need the header X-CSRF-Token."},
	}
	config.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	a.huma = humago.New(a.mux, config)
	a.huma.UseMiddleware(a.refuseAnonymous)
	a.routes()
	return a
}

func (a *API) routes() {
	a.sessionRoutes()
	a.tokenRoutes()
	a.machineRoutes()
	a.oidcRoutes()
	a.entityRoutes()
	a.pastRoutes()
	a.graphRoutes()
	a.applyRoutes()
	a.keepRoutes()
	a.editRoutes()
	a.locationRoutes()
	a.sourceRoutes()
	a.discoveryRoutes()
	a.hookRoutes()
	a.repositoryRoutes()
	a.proposalRoutes()
	a.documentationRoutes()
	a.definitionRoutes()
	a.searchRoutes()
	a.scorecardRoutes()
	a.factRoutes()
	a.moduleRoutes()
	a.providerMirrorRoutes()
	a.templateRoutes()
	a.runRoutes()
	a.logRoutes()
	a.stackRoutes()
	a.providerRoutes()
	a.workflowRoutes()
	a.applicationRoutes()
	a.triggerRoutes()
	a.webhookRoutes()
	a.integrationRoutes()
	a.poolRoutes()
	a.directoryRoutes()
	a.ledgerRoutes()
	a.eventRoutes()
	a.logFileRoutes()
	a.policyRoutes()
	a.secretRoutes()
	a.spaceRoutes()
	a.homeRoutes()
	a.statusRoutes()
	a.docsRoutes()
	a.describeOnce()
	a.describeRights()
}

// OpenAPI gives the document that describes the API.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

// Streams tells whether a request is for a live stream.
func (a *API) Streams(r *http.Request) bool {
	_, pattern := a.streams.Handler(r)
	return pattern != ""
}

// Handler serves the API; Authenticate has put the principal into the context.
func (a *API) Handler() http.Handler {
	known := a.onlyOnce(a.mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := a.mux.Handler(r); pattern == "" {
			a.refuseUnknown(w, r)
			return
		}
		known.ServeHTTP(w, r)
	})
}

// public marks operations that anyone may call.
const public = "public"

// operation describes one route. Its id names the method of generated clients.
func operation(id, method, path, noun, summary string) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: Prefix + path, Tags: []string{noun}, Summary: summary, MaxBodyBytes: maxBody}
	switch method {
	case http.MethodGet:
		op.Errors = []int{401, 403, 404, 422}
	default:
		op.Errors = []int{401, 403, 404, 409, 413, 422}
	}
	return op
}

// refuseAnonymous lets only public operations be called by nobody.
func (a *API) refuseAnonymous(c huma.Context, next func(huma.Context)) {
	if op := c.Operation(); !isPublic(*op) {
		if err := signedIn(c.Context()); err != nil {
			_ = huma.WriteErr(a.huma, c, http.StatusUnauthorized, fault.Message(err)) // the client is gone when this can't be written
			return
		}
	}
	next(c)
}

// register adds a route that turns faults into problem documents.
func register[I, O any](a *API, op huma.Operation, fn func(ctx context.Context, in *I) (*O, error)) {
	if _, ok := reflect.TypeFor[I]().FieldByName("IfMatch"); ok {
		op.Errors = append(slices.Clone(op.Errors), http.StatusPreconditionFailed)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

func isPublic(op huma.Operation) bool { return op.Metadata[public] == true }

// open marks an operation as public.
func open(op huma.Operation) huma.Operation {
	op.Metadata = map[string]any{public: true}
	op.Security = []map[string][]string{}
	return op
}

// body is an answer with nothing but a body.
type body[T any] struct{ Body T }

func answer[T any](v T) *body[T] { return &body[T]{v} }

// created is an answer to what made something.
type created[T any] struct {
	Status int
	Body   T
}

func list[T any](items []T, next string) *body[List[T]] {
	if items == nil {
		items = []T{}
	}
	return answer(List[T]{Items: items, Next: next})
}

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most."`
	Cursor string `query:"cursor" maxLength:"2000" doc:"The next of the page before."`
}

func (p Paging) part() page.Request { return page.Request{Cursor: p.Cursor, Limit: p.Limit} }

// listPart answers with a part of a list.
func listPart[T, W any](part page.Of[T], wire func(T) W) *body[List[W]] {
	items := make([]W, len(part.Items))
	for i, x := range part.Items {
		items[i] = wire(x)
	}
	return list(items, part.Next)
}

// none is the input of what takes none.
type none struct{}

// words splits a list that was given with commas.
func words(s string) []string {
	var out []string
	for _, w := range strings.Split(s, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// moment gives a time for the wire; nil when it is not set.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
