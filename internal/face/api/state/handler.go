// Package state speaks the HTTP state backend of Terraform and OpenTofu at /api/state/NAMESPACE/NAME: GET, POST,
// LOCK and UNLOCK, with a token as the password of basic authentication.
package state

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Prefix is where the states live.
const Prefix = "/api/state/"

// Handler serves the states of stacks. Whoever asks has been identified before.
type Handler struct {
	Stacks *stack.Service
	Status func(err error) int // of a fault
	Log    *slog.Logger
}

// infoLimit bounds what an engine says about its lock, in bytes.
const infoLimit = 64 << 10

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
		err = h.withInfo(w, r, func(ctx context.Context, info []byte) error { return h.Stacks.Lock(ctx, stackRef, info) })
	case "UNLOCK":
		err = h.withInfo(w, r, func(ctx context.Context, info []byte) error { return h.Stacks.Unlock(ctx, stackRef, info, false) })
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
	_, data, err := h.Stacks.State(r.Context(), stackRef)
	if fault.Is(err, fault.NotFound) {
		// A stack that the caller may not see is refused before; this one has no state so far.
		w.WriteHeader(http.StatusNotFound)
		return nil
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(data) //nolint:gosec // JSON with its content type, never taken for a page
	return nil
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request, stackRef ref.Entity) error {
	data, err := read(w, r, stack.StateLimit)
	if err != nil {
		return err
	}
	return h.Stacks.WriteState(r.Context(), stackRef, r.URL.Query().Get("ID"), r.Header.Get("Content-MD5"), data)
}

func (h *Handler) withInfo(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, info []byte) error) error {
	info, err := read(w, r, infoLimit)
	if err != nil {
		return err
	}
	return do(r.Context(), info)
}

func read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
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
		h.Log.ErrorContext(r.Context(), "state request ended with an internal error", "path", r.URL.Path, "error", err)
	}
	http.Error(w, fault.Message(err), h.Status(err))
}
