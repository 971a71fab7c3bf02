// Package state speaks the HTTP state backend of Terraform and OpenTofu at /api/state/NAMESPACE/NAME: GET, POST,
// LOCK and UNLOCK, with a token as the password of basic authentication. Besides, people pull a version with
// GET ?version=ID, and push a state from outside with POST ?push=true, and force=true where it would be refused.
package state

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"golang.org/x/sync/semaphore"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Prefix is where the states live.
const Prefix = "/api/state/"

// Handler serves the states of stacks. Whoever asks has been identified before.
type Handler struct {
	stacks *stack.Service
	status func(err error) int
	log    *slog.Logger
	bodies *semaphore.Weighted // bytes
}

const (
	infoLimit = 64 << 10             // bytes that an engine says about its lock
	bodyLimit = 2 * stack.StateLimit // bytes of states that are taken at a time
)

// New gives the handler. status gives the HTTP status of a fault.
func New(stacks *stack.Service, status func(err error) int, log *slog.Logger) *Handler {
	return &Handler{stacks, status, log, semaphore.NewWeighted(bodyLimit)}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	namespace, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	if !ok || !ref.ValidName(namespace) || !ref.ValidName(name) {
		http.Error(w, "the address of a state is "+Prefix+"NAMESPACE/NAME", http.StatusNotFound)
		return
	}
	stackRef := ref.New("stack", namespace, name)
	var err error
	switch r.Method {
	case http.MethodGet:
		err = h.get(w, r, stackRef)
	case http.MethodPost, http.MethodPut:
		err = h.post(w, r, stackRef)
	case "LOCK":
		err = h.withInfo(w, r, func(ctx context.Context, info []byte) error { return h.stacks.Lock(ctx, stackRef, info) })
	case "UNLOCK":
		err = h.withInfo(w, r, func(ctx context.Context, info []byte) error { return h.stacks.Unlock(ctx, stackRef, info, false) })
	default:
		w.Header().Set("Allow", "GET, POST, LOCK, UNLOCK")
		http.Error(w, "a state takes GET, POST, LOCK and UNLOCK; roll back to an older version instead of deleting", http.StatusMethodNotAllowed)
		return
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, stackRef ref.Entity) error {
	version := r.URL.Query().Get("version")
	if len(version) > 60 {
		return fault.Errorf(fault.Invalid, "a version is named by its id, its serial, or latest")
	}
	if version != "" {
		_, data, err := h.stacks.StateOf(r.Context(), stackRef, version)
		if err != nil {
			return err
		}
		send(w, data)
		return nil
	}
	_, data, err := h.stacks.State(r.Context(), stackRef)
	if fault.Is(err, fault.NotFound) {
		// A stack that the caller may not see is refused before; this one has no state so far.
		w.WriteHeader(http.StatusNotFound)
		return nil
	}
	if err != nil {
		return err
	}
	send(w, data)
	return nil
}

func send(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(data) //nolint:gosec // JSON with its content type, never taken for a page
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request, stackRef ref.Entity) error {
	// A state may be large: it is read of those alone who may write it, and not of many at a time.
	if err := h.stacks.MayWriteState(r.Context(), stackRef); err != nil {
		return err
	}
	size := r.ContentLength
	if size < 0 || size > stack.StateLimit {
		size = stack.StateLimit
	}
	if err := h.bodies.Acquire(r.Context(), size); err != nil {
		return fault.Errorf(fault.Canceled, "the request was cut short: %w", err)
	}
	defer h.bodies.Release(size)
	data, err := read(w, r, stack.StateLimit)
	if err != nil {
		return err
	}
	if query := r.URL.Query(); query.Get("push") == "true" {
		_, err := h.stacks.Import(r.Context(), stackRef, data, query.Get("force") == "true")
		return err
	}
	return h.stacks.WriteState(r.Context(), stackRef, r.URL.Query().Get("ID"), r.Header.Get("Content-MD5"), data)
}

func (h *Handler) withInfo(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, info []byte) error) error {
	info, err := read(w, r, infoLimit)
	if err != nil {
		return err
	}
	return do(r.Context(), info)
}

func read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, io.NopCloser(git.PacedBody(w, r)), limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fault.Errorf(fault.TooLarge, "the body is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, fault.Errorf(fault.Canceled, "the request was cut short: %w", err)
	}
	return data, nil
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var locked *stack.LockedError
	if errors.As(err, &locked) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusLocked)
		_, _ = w.Write(locked.Info)
		return
	}
	if fault.Is(err, fault.Unauthenticated) {
		w.Header().Set("WWW-Authenticate", `Basic realm="Roadbed"`)
	}
	if fault.KindOf(err) == fault.Internal {
		h.log.ErrorContext(r.Context(), "state request ended with an internal error", "path", r.URL.Path, "error", err)
	}
	http.Error(w, fault.Message(err), h.status(err))
}
