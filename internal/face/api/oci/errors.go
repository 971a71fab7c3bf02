package oci

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// digestFault is an error about a digest, which the protocol tells from others.
type digestFault struct{ error }

func (e digestFault) Unwrap() error { return e.error }

// chunkFault is an error of an upload of which size bytes have arrived.
type chunkFault struct {
	error
	size int64
}

func (e chunkFault) Unwrap() error { return e.error }

// fail answers an error of a route in the protocol's words; the name that the registry keeps is no client's business.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, at route, err error) {
	status, code := answer(at.kind, fault.KindOf(err))
	var chunk chunkFault
	switch {
	case errors.As(err, new(digestFault)) && fault.Is(err, fault.Invalid):
		code = "DIGEST_INVALID"
	case errors.As(err, &chunk) && fault.Is(err, fault.Conflict):
		status, code = http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID"
		w.Header().Set("Location", r.URL.Path)
		w.Header().Set("Range", "0-"+strconv.FormatInt(max(chunk.size-1, 0), 10))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="roadbed", charset="UTF-8"`)
	}
	if status >= 500 && h.Log != nil {
		h.Log.ErrorContext(r.Context(), "the registry could not answer", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	details := slices.Clone(fault.Details(err))
	if at.kind == "manifests" && fault.Is(err, fault.Invalid) && len(details) > 0 {
		code = "MANIFEST_BLOB_UNKNOWN"
	}
	message := fault.Message(err)
	if at.kept != "" {
		message = strings.ReplaceAll(message, at.kept, at.name)
		for i := range details {
			details[i].Message = strings.ReplaceAll(details[i].Message, at.kept, at.name)
		}
	}
	h.write(w, r, status, code, message, details)
}

// answer maps a fault to a status and to a code of the distribution specification.
func answer(part string, kind fault.Kind) (status int, code string) {
	switch kind {
	case fault.Unauthenticated:
		return http.StatusUnauthorized, "UNAUTHORIZED"
	case fault.Denied:
		return http.StatusForbidden, "DENIED"
	case fault.NotFound:
		return http.StatusNotFound, map[string]string{
			"blobs": "BLOB_UNKNOWN", "uploads": "BLOB_UPLOAD_UNKNOWN", "manifests": "MANIFEST_UNKNOWN",
			"tags": "NAME_UNKNOWN", "name": "NAME_UNKNOWN", "referrers": "NAME_UNKNOWN", "": "UNSUPPORTED",
		}[part]
	case fault.Invalid:
		return http.StatusBadRequest, map[string]string{
			"blobs": "BLOB_UNKNOWN", "uploads": "BLOB_UPLOAD_INVALID", "manifests": "MANIFEST_INVALID",
			"tags": "PAGINATION_NUMBER_INVALID", "name": "NAME_INVALID", "referrers": "UNSUPPORTED", "": "UNSUPPORTED",
		}[part]
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge, "SIZE_INVALID"
	case fault.Exhausted:
		return http.StatusTooManyRequests, "TOOMANYREQUESTS"
	case fault.Conflict, fault.Stale:
		return http.StatusConflict, "BLOB_UPLOAD_INVALID"
	case fault.Unavailable, fault.Canceled:
		return http.StatusServiceUnavailable, "UNAVAILABLE"
	}
	return http.StatusInternalServerError, "UNKNOWN"
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, code, message string, details []fault.Detail) {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Detail  any    `json:"detail,omitempty"`
	}
	entries := []entry{{Code: code, Message: message}}
	if len(details) > 0 {
		entries = nil
		for _, d := range details[:min(len(details), 100)] {
			entries = append(entries, entry{Code: code, Message: d.String(), Detail: map[string]string{"digest": d.Field}})
		}
	}
	content, err := json.Marshal(map[string]any{"errors": entries})
	if err != nil {
		content = []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // the client is gone when this fails
	}
}
