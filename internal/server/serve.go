package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/oidc"
	"github.com/roadbed-dev/roadbed/internal/face/api"
	agentface "github.com/roadbed-dev/roadbed/internal/face/api/agent"
	backstageface "github.com/roadbed-dev/roadbed/internal/face/api/backstage"
	gitface "github.com/roadbed-dev/roadbed/internal/face/api/git"
	hooksface "github.com/roadbed-dev/roadbed/internal/face/api/hooks"
	ociface "github.com/roadbed-dev/roadbed/internal/face/api/oci"
	providersface "github.com/roadbed-dev/roadbed/internal/face/api/providers"
	scimface "github.com/roadbed-dev/roadbed/internal/face/api/scim"
	"github.com/roadbed-dev/roadbed/internal/face/api/state"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/web"
)

// Handler serves everything on one port: applications by their host names, then the protocols by their paths, then
// the portal.
func (h *House) Handler() http.Handler {
	mux, native := h.protocols()
	mux.Handle(hook.Prefix, hooksface.New(h.Hooks, time.Now, h.Log))
	mux.Handle(scimface.Prefix, h.scim())
	h.remote(mux)
	h.agents(mux)
	mux.Handle(oidc.Discovery, h.OIDC.Handler())
	mux.Handle(oidc.JWKS, h.OIDC.Handler())
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/openapi-3.0.json", "/api/docs", "/schemas/"} {
		mux.Handle(path, native)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", h.metrics())
	mux.Handle("/", web.Handler())
	believed, _ := readProxies(h.Options.Proxies) // complete has looked
	return believed.believe(h.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.Node.Serves(r.Host) {
			h.Node.Ingress().ServeHTTP(w, r)
			return
		}
		harden(w.Header())
		mux.ServeHTTP(w, r.WithContext(identity.From(store.Lend(r.Context()), r.RemoteAddr)))
	})))
}

// protocols serves what people and steps work with.
func (h *House) protocols() (mux *http.ServeMux, native http.Handler) {
	native = h.API.WithOrigin(h.API.Authenticate(h.API.Handler()))
	mux = http.NewServeMux()
	mux.Handle("/api/v1/", native)
	mux.Handle(state.Prefix, h.API.WithOrigin(h.API.Authenticate(state.New(h.Stacks, api.HTTPStatus, h.Log))))
	mux.Handle("/git/", &gitface.Handler{
		Repositories: h.Repositories, Large: h.Repositories, Seal: h.Keeper, Base: h.baseURL(), Names: h.namesOf, Authenticate: h.Identity.Authenticate, Log: h.Log,
	})
	mux.Handle(backstageface.Prefix+"/", backstageface.New(h.Catalog, h.Repositories, h.Identity.Authenticate, h.baseURL(), h.Log))
	mux.Handle(backstageface.SearchPrefix+"/", backstageface.NewSearch(h.Search, h.Identity.Authenticate, h.Log))
	mux.Handle(providersface.Prefix, h.API.WithOrigin(h.API.Authenticate(&providersface.Handler{
		Mirror: h.Mirror, Seal: h.Keeper, Authenticate: h.Identity.Authenticate, Status: api.HTTPStatus, Now: time.Now, Log: h.Log,
	})))
	h.registries(mux)
	mux.Handle("/v2/", &ociface.Handler{Registry: h.Registry, Authenticate: h.Identity.Authenticate, Authorize: h.authorizeImage, Log: h.Log})
	return mux, native
}

// namesOf gives how principals are shown.
func (h *House) namesOf(ctx context.Context, ids []string) (names map[string]string, err error) {
	names = make(map[string]string, len(ids))
	if len(ids) == 0 {
		return names, nil
	}
	err = h.DB.Read(ctx, func(tx *store.Tx) error {
		found, err := h.Identity.Names(ctx, tx, ids)
		for _, id := range ids {
			names[id] = id
			if d, ok := found[id]; ok {
				names[id] = d.Name
			}
		}
		return err
	})
	return names, err
}

// DoorHandler serves steps: the protocols, for the tokens of steps alone. Applications are not reached through it, since
// it is no way into a network that a step was not granted.
func (h *House) DoorHandler() http.Handler {
	mux, _ := h.protocols()
	return h.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w.Header())
		mux.ServeHTTP(w, r.WithContext(identity.AtDoor(r.Context())))
	}))
}

// harden sets what every answer of ours carries.
func harden(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
}

// authorizeImage asks for the right on the repository whose image it is. The registry keeps images by the id of their
// repository.
func (h *House) authorizeImage(ctx context.Context, action, name string) (kept string, err error) {
	right := map[string]string{ociface.Pull: "artifact:read", ociface.Push: "artifact:write", ociface.Delete: "artifact:delete"}[action]
	if actor.From(ctx).Kind == actor.Anonymous {
		return "", fault.Errorf(fault.Unauthenticated, "sign in to use the registry")
	}
	repository, err := h.Repositories.Platform().Get(ctx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	none := fault.Errorf(fault.NotFound, "there is no repository %s, or you may not see it; make it before you push its image", name)
	if err != nil {
		return "", none
	}
	err = h.Access.AuthorizeObject(ctx, right, repository.Space, name)
	if action == ociface.Pull && fault.Is(err, fault.Denied) { // whoever pushes may see what is there
		err = h.Access.AuthorizeObject(ctx, "artifact:write", repository.Space, name)
	}
	if fault.Is(err, fault.Denied) && !h.Access.May(ctx, "artifact:read", repository.Space) {
		return "", none
	}
	return repository.ID, err
}

// ready tells whether requests can be answered: not while the server ends, nor when the database does not answer or has
// other tables than this program's, as one that was emptied or restored meanwhile.
func (h *House) ready(w http.ResponseWriter, r *http.Request) {
	if h.ending.Load() {
		http.Error(w, "the server ends", http.StatusServiceUnavailable)
		return
	}
	ctx, stop := context.WithTimeout(r.Context(), 2*time.Second)
	defer stop()
	if err := h.DB.Migrated(ctx, Migrations()...); err != nil {
		h.Log.Warn("not ready", "error", err)
		http.Error(w, "the database does not answer, or its tables are not up to date", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// door is the unix socket through which isolated steps reach this server. The address of a socket is short, so that a
// long data folder gets its door in the folder for temporary files.
func (h *House) door() string {
	path := h.path("door", "api.sock")
	if len(path) < 100 {
		return path
	}
	return filepath.Join(os.TempDir(), "roadbed-"+shortHash(h.Options.Data), "api.sock")
}

// ownFolder makes a folder that nobody else can reach. One that somebody else has made before, as anybody may in the
// folder for temporary files, is refused.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s belongs to somebody else, or others can reach it; remove it, or give a shorter --data", dir)
	}
	return nil
}

// Serve answers on the listener until ctx ends, then lets requests end.
func (h *House) Serve(ctx context.Context, listener net.Listener) error {
	return h.serve(ctx, listener, h.onlySecured(h.Handler()))
}

// ServeDoor answers steps until ctx ends, then lets requests end.
func (h *House) ServeDoor(ctx context.Context) error {
	if err := ownFolder(filepath.Dir(h.door())); err != nil {
		return fault.Errorf(fault.Unavailable, "make the folder of the door: %w", err)
	}
	if err := os.Remove(h.door()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault.Errorf(fault.Unavailable, "clear the door: %w", err)
	}
	door, err := net.Listen("unix", h.door())
	if err != nil {
		return fault.Errorf(fault.Unavailable, "open the door: %w", err)
	}
	defer os.Remove(filepath.Dir(h.door())) // of which there may be many beside other temporary files
	if door, err = h.secureDoor(door); err != nil {
		return err
	}
	return h.serve(ctx, door, h.DoorHandler())
}

func (h *House) serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	streams, leave := context.WithCancel(base)
	defer leave()
	server := &http.Server{
		Handler: h.streamsUntil(streams, handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fault.Wrap(err, "serve")
	case <-ctx.Done():
	}
	h.ending.Store(true)
	draining, stop := context.WithTimeout(context.WithoutCancel(ctx), h.Options.Drain)
	defer stop()
	time.AfterFunc(h.Options.Drain/4, leave) // so that their readers come back elsewhere, and the rest has time to end
	if err := server.Shutdown(draining); err != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fault.Wrap(err, "serve")
	}
	return nil
}

// streamsUntil ends live streams, also those of applications, with ctx; other requests go on.
func (h *House) streamsUntil(ctx context.Context, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.streams(r) || r.Header.Get("Upgrade") != "" || strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			within, stop := context.WithCancel(r.Context())
			defer stop()
			defer context.AfterFunc(ctx, stop)()
			r = r.WithContext(within)
		}
		handler.ServeHTTP(w, r)
	})
}

// streams tells whether a request is for a live stream of the platform itself.
func (h *House) streams(r *http.Request) bool {
	return !h.Node.Serves(r.Host) && (h.API.Streams(r) || agentface.Waits(r))
}
