// Package oci serves the embedded registry at /v2/: the OCI distribution protocol, push and pull, as docker, podman,
// crane, oras and cosign speak it.
//
// Who acts is told by the context, or else by basic authentication with any user name and a token as password.
// Every request but the greeting is for one repository and asks for a right on it before anything is looked at.
package oci

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	registry "github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The actions that a Handler asks for.
const (
	Pull   = "pull"
	Push   = "push"
	Delete = "delete" // of tags, manifests and blobs
)

// Handler serves one registry.
type Handler struct {
	Registry *registry.Registry
	// Authenticate gives who presents a token; Unauthenticated when nobody does.
	Authenticate func(ctx context.Context, token string) (actor.Principal, error)
	// Authorize tells whether who acts in ctx may do action on the repository: Unauthenticated, Denied, or NotFound
	// when it must not even be known to exist. It gives the name under which the registry keeps the repository, which
	// stays when the repository is renamed and is never given to another.
	Authorize func(ctx context.Context, action, repository string) (kept string, err error)
	Log       *slog.Logger
}

// route is what a path asks for.
type route struct {
	name string // repository, as clients call it
	kept string // repository, as the registry calls it
	kind string // blobs, uploads, manifests, tags, referrers
	rest string // digest, reference or upload id; "" for the collection
}

// parsePath reads what comes after /v2/. A repository's name may hold the words that divide the path, so that the
// last of them counts.
func parsePath(path string) (route, bool) {
	if name, found := strings.CutSuffix(path, "/blobs/uploads"); found { // some clients leave the slash out
		return route{name: name, kind: "uploads"}, name != ""
	}
	if name, found := strings.CutSuffix(path, "/tags/list"); found {
		return route{name: name, kind: "tags"}, name != ""
	}
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return route{}, false
	}
	rest, before := path[i+1:], path[:i]
	for _, k := range []struct{ suffix, kind string }{
		{"/blobs/uploads", "uploads"}, {"/blobs", "blobs"}, {"/manifests", "manifests"}, {"/referrers", "referrers"},
	} {
		if name, found := strings.CutSuffix(before, k.suffix); found && name != "" {
			return route{name: name, kind: k.kind, rest: rest}, rest != "" || k.kind == "uploads"
		}
	}
	return route{}, false
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	ctx, err := h.authenticate(r)
	if err != nil {
		h.fail(w, r, route{}, err)
		return
	}
	r = r.WithContext(ctx)
	path, found := strings.CutPrefix(r.URL.Path, "/v2")
	path = strings.TrimPrefix(path, "/")
	switch {
	case found && path == "":
		h.greet(w, r)
		return
	case !found:
		h.fail(w, r, route{}, fault.Errorf(fault.NotFound, "the registry is at /v2/"))
		return
	}
	at, found := parsePath(path)
	if !found {
		h.fail(w, r, route{}, fault.Errorf(fault.NotFound, "the registry has nothing at this path"))
		return
	}
	if err := registry.CheckName(at.name); err != nil {
		h.fail(w, r, route{kind: "name"}, err)
		return
	}
	action := actionOf(r.Method, at.kind)
	if action == "" {
		h.write(w, r, http.StatusMethodNotAllowed, "UNSUPPORTED", r.Method+" means nothing here", nil)
		return
	}
	if at.kept, err = h.Authorize(ctx, action, at.name); err != nil {
		h.fail(w, r, route{kind: "name"}, err)
		return
	}
	if err := h.dispatch(w, r, at); err != nil {
		h.fail(w, r, at, err)
	}
}

// actionOf tells the right that a method needs, or "" for a method that has no meaning there.
func actionOf(method, kind string) string {
	read := method == http.MethodGet || method == http.MethodHead
	switch {
	case kind == "uploads":
		if read || method == http.MethodPost || method == http.MethodPatch || method == http.MethodPut || method == http.MethodDelete {
			return Push
		}
	case read:
		return Pull
	case kind == "manifests" && method == http.MethodPut:
		return Push
	case (kind == "manifests" || kind == "blobs") && method == http.MethodDelete:
		return Delete
	}
	return ""
}

func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, at route) error {
	switch at.kind {
	case "blobs":
		return h.blob(w, r, at)
	case "uploads":
		return h.upload(w, r, at)
	case "manifests":
		return h.manifest(w, r, at)
	case "tags":
		return h.tags(w, r, at)
	}
	return h.referrers(w, r, at)
}

// greet answers what clients ask first: whether this is a registry, and whether they must sign in.
func (h *Handler) greet(w http.ResponseWriter, r *http.Request) {
	if actor.From(r.Context()).Kind == actor.Anonymous {
		h.fail(w, r, route{}, fault.Errorf(fault.Unauthenticated, "sign in with any user name and a token as password"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}")) // the client is gone when this fails
}

// authenticate gives a context in which the one who presents a token acts. Without a token nobody acts: Authorize
// says what nobody may do.
func (h *Handler) authenticate(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if actor.From(ctx).Kind != actor.Anonymous {
		return ctx, nil
	}
	_, token, basic := r.BasicAuth()
	if !basic {
		scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "bearer") {
			return ctx, nil
		}
		token = strings.TrimSpace(credentials)
	}
	p, err := h.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	return actor.With(ctx, p), nil
}
