package backstage

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxBody bounds the body of a request, in bytes. Backstage's client sends references in parts of 90 KiB.
const maxBody = 1 << 20

// call is one request to one operation.
type call struct {
	http.ResponseWriter
	*http.Request
	query url.Values
}

// parameters reads the query of an address. One that the operation does not know is refused, and one without a value,
// since a filter that is misspelt would choose everything.
func parameters(r *http.Request, known []string) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "Malformed query of the address")
	}
	for name, values := range query {
		// Some clients write the parameters that come several times as name[].
		plain := strings.TrimSuffix(name, "[]")
		if !slices.Contains(known, plain) {
			return nil, fault.Errorf(fault.Invalid, "Unknown query parameter '%s'", clip(name))
		}
		if slices.Contains(values, "") {
			return nil, fault.Errorf(fault.Invalid, "Empty value found for query parameter '%s'", plain)
		}
		if plain != name {
			query[plain] = append(query[plain], values...)
			delete(query, name)
		}
	}
	return query, nil
}

// whole reads a parameter that is a whole number from 0; def when it is not there.
func (c call) whole(name string, def int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0, fault.Errorf(fault.Invalid, "request/query/%s must be integer", name)
	case n < 0:
		return 0, fault.Errorf(fault.Invalid, "request/query/%s must be >= 0", name)
	}
	return int(min(n, math.MaxInt32)), nil
}

// choice reads a parameter that is one of some values, or "".
func (c call) choice(name string, values ...string) (string, error) {
	text := c.query.Get(name)
	if text != "" && !slices.Contains(values, text) {
		return "", fault.Errorf(fault.Invalid, "request/query/%s must be equal to one of the allowed values: %s", name, strings.Join(values, ", "))
	}
	return text, nil
}

// object reads the body as an object with some fields; anything but JSON is refused. An empty body is an object without fields
// where it may be left out.
func (c call) object(into any, optional bool) error {
	kind := c.Request.Header.Get("Content-Type")
	data, err := io.ReadAll(http.MaxBytesReader(c.ResponseWriter, io.NopCloser(git.PacedBody(c.ResponseWriter, c.Request)), maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fault.Errorf(fault.TooLarge, "request entity too large, at most %d bytes are taken", maxBody)
	case err != nil:
		return fault.Errorf(fault.Canceled, "the request was cut short: %w", err)
	case len(data) == 0 && optional:
		return nil
	}
	if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
		if kind == "" {
			kind = "undefined"
		}
		return fault.Errorf(fault.Invalid, "unsupported media type %s", clip(kind))
	}
	if text := bytes.TrimSpace(data); len(text) == 0 || text[0] != '{' {
		return fault.Errorf(fault.Invalid, "request/body must be object")
	}
	return decode(data, into)
}

// decode reads JSON and says what is wrong in the words of Backstage's validator.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		where := "request/body"
		if wrong.Field != "" {
			where += "/" + strings.ReplaceAll(wrong.Field, ".", "/")
		}
		return fault.Errorf(fault.Invalid, "%s must be %s", where, typeName(wrong))
	}
	if err != nil {
		return fault.Errorf(fault.Invalid, "Malformed JSON: %s", clip(err.Error()))
	}
	return nil
}

func typeName(wrong *json.UnmarshalTypeError) string {
	switch kind := wrong.Type.Kind().String(); kind {
	case "slice":
		return "array"
	case "struct", "map":
		return "object"
	case "bool":
		return "boolean"
	case "float64", "int":
		return "number"
	default:
		return kind
	}
}

func missing(name string) error {
	return fault.Errorf(fault.Invalid, "request/body must have required property '%s'", name)
}

// isObject tells whether a field of a body is an object.
func isObject(value json.RawMessage) bool { return len(value) > 0 && value[0] == '{' }

func notObject(name string) error {
	return fault.Errorf(fault.Invalid, "request/body/%s must be object", name)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // the client is gone when this can't be written
}

// send answers JSON that is written already.
func (c call) send(body []byte) { c.sendAs(http.StatusOK, body) }

func (c call) sendAs(status int, body []byte) {
	header := c.ResponseWriter.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	c.WriteHeader(status)
	paced, done := git.Paced(c.ResponseWriter)
	defer done()
	_, _ = paced.Write(body) // as above
}
