package backstage

import (
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// problems are Backstage's names for what can go wrong, with their statuses.
var problems = map[fault.Kind]struct {
	status int
	name   string
}{
	fault.Invalid:         {http.StatusBadRequest, "InputError"},
	fault.Unauthenticated: {http.StatusUnauthorized, "AuthenticationError"},
	fault.Denied:          {http.StatusForbidden, "NotAllowedError"},
	fault.NotFound:        {http.StatusNotFound, "NotFoundError"},
	fault.Conflict:        {http.StatusConflict, "ConflictError"},
	fault.Stale:           {http.StatusConflict, "ConflictError"},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, "PayloadTooLargeError"},
	fault.Exhausted:       {http.StatusTooManyRequests, "TooManyRequestsError"},
	fault.Unavailable:     {http.StatusServiceUnavailable, "ServiceUnavailableError"},
	fault.Canceled:        {http.StatusServiceUnavailable, "ServiceUnavailableError"},
	fault.Internal:        {http.StatusInternalServerError, "Error"},
}

// fail answers an error in Backstage's form; what is internal is logged and not shown.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	kind := fault.KindOf(err)
	if kind == fault.Internal {
		h.Log.ErrorContext(r.Context(), "catalog request ended with an internal error", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	p := problems[kind]
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Roadbed"`)
	}
	type named struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	writeJSON(w, p.status, struct {
		Error   named `json:"error"`
		Request struct {
			Method string `json:"method"`
			URL    string `json:"url"`
		} `json:"request"`
		Response struct {
			StatusCode int `json:"statusCode"`
		} `json:"response"`
	}{
		Error: named{p.name, message(err)},
		Request: struct {
			Method string `json:"method"`
			URL    string `json:"url"`
		}{r.Method, clip(strings.TrimPrefix(r.URL.RequestURI(), Prefix))},
		Response: struct {
			StatusCode int `json:"statusCode"`
		}{p.status},
	})
}

// message tells an error with its places.
func message(err error) string {
	lines := []string{fault.Message(err)}
	for _, d := range fault.Details(err) {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "; ")
}
