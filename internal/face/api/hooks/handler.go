// Package hooks takes the webhooks of forges at /hooks/NAMESPACE/NAME, where NAMESPACE/NAME is an integration. It reads a
// delivery within bounds and hands it on; what is signed is kept when the answer is 202, and known already when it is
// 200. Nobody is signed in here: the signature is all that counts.
package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	patience  = 10 * time.Second // for room to read a delivery in
	slowest   = 64 << 10         // bytes a second in which a body comes at the least
	retryTime = "30"             // seconds
)

// Receiver is what this face asks of core/hook.
type Receiver interface {
	Receive(ctx context.Context, in hook.Incoming) (hook.Receipt, error)
}

// Handler serves what is below /hooks/; mount it there with the prefix kept.
type Handler struct {
	hooks Receiver
	gate  *gate
	now   func() time.Time
	log   *slog.Logger
}

// New gives the handler.
func New(hooks Receiver, now func() time.Time, log *slog.Logger) *Handler {
	return &Handler{hooks, newGate(now), now, log}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	size := r.ContentLength
	if size < 0 || size > hook.BodyLimit {
		size = hook.BodyLimit
	}
	// Also for what is not read here: the server reads on behind an answer, to use the connection again.
	_ = control.SetReadDeadline(h.now().Add(patience + time.Duration(size)*time.Second/slowest)) // fails where there is no connection, as in tests
	integration, ok := named(r.URL.Path)
	switch {
	case !ok:
		http.Error(w, "forges send webhooks to /hooks/NAMESPACE/NAME, the name of an integration", http.StatusNotFound)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "forges send webhooks here, by POST", http.StatusMethodNotAllowed)
		return
	}
	receipt, err := h.take(w, r, integration)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	status, message := http.StatusAccepted, "the delivery is kept and will be handled"
	if receipt.Known {
		status, message = http.StatusOK, "the delivery is already there"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"delivery": receipt.Number, "message": message}) // the client may be gone
}

// named gives the integration that a path names.
func named(path string) (string, bool) {
	namespace, name, ok := strings.Cut(strings.TrimPrefix(path, hook.Prefix), "/")
	if !ok || !ref.ValidName(namespace) || !ref.ValidName(name) {
		return "", false
	}
	return strings.ToLower(namespace + "/" + name), true
}

// take reads a delivery and has it kept.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, integration string) (receipt hook.Receipt, err error) {
	if r.ContentLength > hook.BodyLimit {
		return receipt, tooLarge()
	}
	ctx, stop := context.WithTimeout(r.Context(), patience)
	defer stop()
	pass, err := h.gate.enter(ctx, r.RemoteAddr)
	if err != nil {
		return receipt, err
	}
	defer func() { pass.leave(fault.Is(err, fault.Unauthenticated)) }()
	body, err := read(ctx, r, pass)
	if err != nil {
		return receipt, err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // as above
	return h.hooks.Receive(r.Context(), hook.Incoming{Integration: integration, Header: r.Header, Body: body, Client: pass.client.name})
}

func tooLarge() error {
	return fault.Errorf(fault.TooLarge, "the delivery has more than %d MiB", hook.BodyLimit>>20)
}

// read gives the body. Room for it is taken as it comes, so that who announces much and sends nothing holds nothing.
func read(ctx context.Context, r *http.Request, p *pass) ([]byte, error) {
	size := r.ContentLength
	if size < 0 {
		size = hook.BodyLimit
	}
	room := min(size+bytesFree, firstRoom)
	if err := p.take(ctx, room); err != nil {
		return nil, err
	}
	body := make([]byte, 0, room)
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > hook.BodyLimit:
			return nil, tooLarge()
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, fault.Errorf(fault.Invalid, "the delivery did not come to its end: %w", err)
		}
		if len(body) == cap(body) {
			more := min(int64(cap(body))*3, size+bytesFree-int64(cap(body)))
			if err := p.take(ctx, more); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, int64(cap(body))+more), body...)
		}
	}
}

// fail answers in plain text, which a forge shows beside the delivery.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	switch fault.KindOf(err) {
	case fault.Invalid:
		status = http.StatusBadRequest
	case fault.Unauthenticated:
		status = http.StatusUnauthorized
	case fault.TooLarge:
		status = http.StatusRequestEntityTooLarge
	case fault.Exhausted:
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", retryTime)
	case fault.Unavailable, fault.Canceled:
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryTime)
	default:
		h.log.ErrorContext(r.Context(), "take a webhook", "path", r.URL.Path, "error", err)
	}
	http.Error(w, fault.Message(err), status)
}
