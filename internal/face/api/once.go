package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadbed-dev/roadbed/internal/machinery/once"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	// onceHeader is a key of the sender's, by which a request that is sent again is answered again and not done again.
	onceHeader = "Idempotency-Key"
	// replayedHeader tells that an answer is that of an earlier request with the same key.
	replayedHeader = "Idempotency-Replayed"
	maxBody        = 4 << 20
	maxKeptAnswer  = 256 << 10
)

// showsSecret are the operations whose answers hold what is shown only once: they are not kept.
var showsSecret = []string{Prefix + "/tokens", Prefix + "/signin-links", Prefix + "/session"}

// keptHeaders are those of an answer that are given again.
var keptHeaders = []string{"Content-Type", "ETag", "Location"}

// onlyOnce does a write with an Idempotency-Key once, and answers it again when it is sent again.
func (a *API) onlyOnce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(onceHeader)
		caller := actor.From(r.Context())
		if key == "" || !unsafe(r.Method) || caller.Kind == actor.Anonymous || makesNothing(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
				err = fault.Errorf(fault.TooLarge, "the request has more than %d bytes", maxBody)
			} else {
				err = fault.Errorf(fault.Invalid, "read the request: %w", err)
			}
			a.WriteProblem(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		request := once.Request{Caller: caller.ID + " " + caller.Token, Target: r.Method + " " + r.URL.RequestURI(), Key: key, Body: body}
		earlier, err := a.Once.Begin(r.Context(), request)
		switch {
		case err != nil:
			if fault.Is(err, fault.Conflict) {
				w.Header().Set("Retry-After", "1")
			}
			a.WriteProblem(w, r, err)
		case earlier != nil && earlier.Lost:
			a.WriteProblem(w, r, fault.Errorf(fault.Conflict,
				"the server ended while it did this request, and something came of it. Look at what is there, and ask anew with another Idempotency-Key if something is missing"))
		case earlier != nil && earlier.Secret:
			a.WriteProblem(w, r, fault.Errorf(fault.Conflict,
				"this request was done before; its answer can't be shown again, because it was secret or large. Look at what it made, or ask anew with another Idempotency-Key"))
		case earlier != nil:
			for name, value := range earlier.Header {
				w.Header().Set(name, value)
			}
			w.Header().Set(replayedHeader, "true")
			w.WriteHeader(earlier.Status)
			_, _ = w.Write(earlier.Body) // the client is gone when this can't be written
		default:
			a.answerOnce(w, r, next, request)
		}
	})
}

// makesNothing tells whether a request, though a POST, may as well be done again. What it answers is not kept: a preview
// shows the secrets that it was given.
func makesNothing(path string) bool {
	return strings.HasPrefix(path, Prefix+"/templates/") && strings.HasSuffix(path, "/preview") || strings.HasSuffix(path, "/lint") || path == Prefix+"/docs/check" || isPush(path)
}

// isPush tells whether a path is that of a push to a source: it may be large, and doing it again changes nothing.
func isPush(path string) bool {
	return strings.HasPrefix(path, Prefix+"/sources/") && strings.HasSuffix(path, "/entities")
}

// answerOnce does the request and keeps the answer before it is sent.
func (a *API) answerOnce(w http.ResponseWriter, r *http.Request, next http.Handler, request once.Request) {
	settle := context.WithoutCancel(r.Context())
	answered := false
	defer func() {
		if answered {
			return
		}
		if err := a.Once.Forget(settle, request); err != nil {
			a.Log.ErrorContext(settle, "can't forget a request that failed: it is answered again when it counts as lost", "error", err)
		}
	}()
	answer := &heldAnswer{header: w.Header(), status: http.StatusOK}
	next.ServeHTTP(answer, r.WithContext(a.Once.Mark(r.Context(), request)))
	if answer.status/100 == 2 {
		kept := once.Answer{Status: answer.status, Header: map[string]string{}, Body: answer.body.Bytes()}
		kept.Secret = slices.Contains(showsSecret, r.URL.Path) || poolTokens.MatchString(r.URL.Path) || answer.body.Len() > maxKeptAnswer
		for _, name := range keptHeaders {
			if value := answer.header.Get(name); value != "" {
				kept.Header[name] = value
			}
		}
		if err := a.Once.Finish(settle, request, kept); err != nil {
			a.Log.ErrorContext(settle, "can't keep the answer to a request with an Idempotency-Key", "error", err)
		}
		answered = true
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // the client is gone when this can't be written
}

// heldAnswer holds an answer back until it is kept.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header         { return h.header }
func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }

// describeOnce writes the header into the description of every write.
func (a *API) describeOnce() {
	longest := once.MaxKey
	for _, path := range a.OpenAPI().Paths {
		for _, op := range []*huma.Operation{path.Post, path.Put, path.Patch, path.Delete} {
			if op == nil || isPublic(*op) || slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == onceHeader }) {
				continue
			}
			op.Parameters = append(op.Parameters, &huma.Param{
				Name: onceHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest},
				Description: "A random text of the sender's. A request that is sent again with the same one within a day is answered again and not done again.",
			})
		}
	}
}
