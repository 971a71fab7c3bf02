package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// statuses is the one map from faults to HTTP.
var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Invalid: 422, fault.Unauthenticated: 401, fault.Denied: 403, fault.NotFound: 404,
	fault.Conflict: 409, fault.Stale: 412, fault.TooLarge: 413, fault.Exhausted: 429, fault.Unavailable: 503, fault.Canceled: 499,
}

// HTTPStatus gives the HTTP status of an error. 401 is only of the caller's own sign-in: where another server, such as a
// forge, does not take the credentials that this one has for it, it is 424.
func HTTPStatus(err error) int {
	if fault.Is(err, fault.Unauthenticated) && fault.IsForeign(err) {
		return http.StatusFailedDependency
	}
	return statuses[fault.KindOf(err)]
}

// problem turns an error into a problem document; what is internal is logged and not shown.
func (a *API) problem(ctx context.Context, err error) *huma.ErrorModel {
	kind := fault.KindOf(err)
	if kind == fault.Internal {
		a.Log.ErrorContext(ctx, "request ended with an internal error", "error", err)
	}
	status := HTTPStatus(err)
	problem := &huma.ErrorModel{Status: status, Title: title(status, kind), Detail: fault.Message(err), Type: "about:blank"}
	for _, d := range fault.Details(err) {
		problem.Errors = append(problem.Errors, &huma.ErrorDetail{Message: message(d), Location: location(d)})
	}
	return problem
}

func title(status int, k fault.Kind) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return k.String()
}

func message(d fault.Detail) string {
	if d.Hint == "" {
		return d.Message
	}
	return d.Message + " (" + d.Hint + ")"
}

// location gives file:line:column field, as far as it is known.
func location(d fault.Detail) string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d", d.Line)
		if d.Column > 0 {
			fmt.Fprintf(&b, ":%d", d.Column)
		}
	}
	if d.Field != "" {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(d.Field)
	}
	return b.String()
}

// WriteProblem answers a request outside of huma with a problem document.
func (a *API) WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	problem := a.problem(r.Context(), err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(problem.Status)
	writeJSON(w, problem)
}

// refuseUnknown answers what no route is for, in the same form as every other error.
func (a *API) refuseUnknown(w http.ResponseWriter, r *http.Request) {
	methods := allowed{http.Header{}}
	a.mux.ServeHTTP(methods, r)
	allow := methods.header.Get("Allow")
	if allow == "" {
		a.WriteProblem(w, r, fault.Errorf(fault.NotFound, "there is nothing at %s; /api/docs on this server lists what there is", r.URL.Path))
		return
	}
	w.Header().Set("Allow", allow)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusMethodNotAllowed)
	writeJSON(w, &huma.ErrorModel{Type: "about:blank", Title: http.StatusText(http.StatusMethodNotAllowed), Status: http.StatusMethodNotAllowed, Detail: r.Method + " means nothing here; it takes " + allow})
}

// allowed hears what a mux says of a path that it has no route for.
type allowed struct{ header http.Header }

func (a allowed) Header() http.Header         { return a.header }
func (a allowed) WriteHeader(int)             {}
func (a allowed) Write(p []byte) (int, error) { return len(p), nil }

func signedIn(ctx context.Context) error {
	if actor.From(ctx).Kind == actor.Anonymous {
		return fault.Errorf(fault.Unauthenticated, "sign in first: run `roadbed login`, or send a token as Authorization: Bearer")
	}
	return nil
}
