package scim

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const errorSchema = "urn:ietf:params:scim:api:messages:2.0:Error"

// Words for what is wrong (RFC 7644, 3.12).
const (
	invalidFilter = "invalidFilter"
	invalidPath   = "invalidPath"
	invalidSyntax = "invalidSyntax"
	invalidValue  = "invalidValue"
	mutability    = "mutability"
	noTarget      = "noTarget"
	tooMany       = "tooMany"
	uniqueness    = "uniqueness"
)

// typed is an error with SCIM's word for it.
type typed struct {
	word string
	error
}

func (t typed) Unwrap() error { return t.error }

func wrong(word, format string, args ...any) error {
	return typed{word, fault.Errorf(fault.Invalid, format, args...)}
}

func statusOf(err error) (status int, word string) {
	switch fault.KindOf(err) {
	case fault.Invalid:
		return http.StatusBadRequest, invalidValue
	case fault.Unauthenticated:
		return http.StatusUnauthorized, ""
	case fault.Denied:
		return http.StatusForbidden, ""
	case fault.NotFound:
		return http.StatusNotFound, ""
	case fault.Conflict:
		return http.StatusConflict, uniqueness
	case fault.Stale:
		return http.StatusPreconditionFailed, ""
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge, tooMany
	case fault.Exhausted:
		return http.StatusTooManyRequests, ""
	case fault.Unavailable, fault.Canceled:
		return http.StatusServiceUnavailable, ""
	}
	return http.StatusInternalServerError, ""
}

// fail answers an error in SCIM's form; what is internal is logged and not shown.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, word := statusOf(err)
	if t, ok := err.(typed); ok { //nolint:errorlint // it is the outermost
		word = t.word
	}
	if status == http.StatusInternalServerError {
		h.Log.ErrorContext(r.Context(), "SCIM request ended with an internal error", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Roadbed"`)
	}
	body := map[string]any{"schemas": []string{errorSchema}, "status": strconv.Itoa(status), "detail": fault.Message(err)}
	if word != "" {
		body["scimType"] = word
	}
	write(w, status, body)
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}
