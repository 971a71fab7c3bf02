package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Client calls one server. Make it by New.
type Client struct {
	URL   string       // http://127.0.0.1:8080, without a slash at its end
	Token string       // rbt_…; empty for nobody
	HTTP  *http.Client // without a Timeout, which would end what is followed; contexts limit the rest

	seen string // etag that writes are for
}

// When gives a client whose writes are only for a thing as it was seen: with the etag that its answer carried (of a run
// its version, of a secret its checksum, of a branch its commit, of all else its etag), or "*" for one that is there. Otherwise they give
// Stale and change nothing.
func (c *Client) When(etag string) *Client {
	when := *c
	when.seen = etag
	return &when
}

// New gives a client of the server at an address, such as https://roadbed.example.com. It asks for nothing yet. Proxies
// and authorities are those of the environment (HTTPS_PROXY, SSL_CERT_FILE).
func New(address, token string) *Client {
	return &Client{URL: strings.TrimSuffix(address, "/"), Token: token, HTTP: &http.Client{}}
}

// prefix is where the native API lives.
const prefix = "/api/v1"

// answerLimit bounds an answer that is read whole, in bytes.
const answerLimit = 256 << 20

// Problem is how the server tells an error (RFC 9457). Callers of this package get an *Error in its place.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// kinds is the way back from HTTP to faults.
var kinds = map[int]fault.Kind{
	400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Denied, 404: fault.NotFound, 409: fault.Conflict, 412: fault.Stale,
	413: fault.TooLarge, 422: fault.Invalid, 424: fault.Conflict, 429: fault.Exhausted, 499: fault.Canceled,
	502: fault.Unavailable, 503: fault.Unavailable, 504: fault.Unavailable, // the first and the last are a proxy's, whose server is away
}

func (p Problem) fault() error {
	err := &fault.Error{Kind: kinds[p.Status], Message: p.Detail}
	if err.Message == "" {
		err.Message = p.Title
	}
	for _, e := range p.Errors {
		err.Details = append(err.Details, fault.Detail{Field: e.Location, Message: e.Message})
	}
	return err
}

// Ready asks whether the server answers, and its database too; nobody has to be signed in for that. Where it doesn't, the
// error is of the kind Unavailable. It asks once, and waits as long as ctx lets it.
func (c *Client) Ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/readyz", nil)
	if err != nil {
		return fault.Errorf(fault.Invalid, "%q is not the address of a server: %w", c.URL, err)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "%s does not answer: %w", c.URL, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return problem(response)
	}
	return nil
}

// Do calls the API: path is below /api/v1, with what is variable in it escaped (url.PathEscape), in becomes the body as
// JSON (nil for none; a Raw as it is), and the answer is read into out (nil to drop it; a *[]byte takes it as it is, such as a log).
//
// Any method but GET carries a key by which the server does it once, however often it arrives. So a request whose
// connection broke before the answer came is sent again, four times within ten seconds; a server that was not there to
// begin with is not waited for. An answer is at most 256 MiB. A refused request is an *Error of one of the kinds, and so
// is one that nobody answers (Unavailable); when ctx ends, its error is given as it is.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	response, err := c.send(ctx, method, path, query, in, "application/json")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil || response.StatusCode == http.StatusNoContent {
		_, err := io.Copy(io.Discard, io.LimitReader(response.Body, answerLimit))
		return err
	}
	if raw, ok := out.(*[]byte); ok {
		if *raw, err = whole(response.Body, answerLimit); err != nil {
			err = fmt.Errorf("read the answer of %s %s: %w", method, path, err)
		}
		return err
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, answerLimit)).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// whole reads at most limit bytes; what is longer is refused rather than cut.
func whole(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fault.Errorf(fault.TooLarge, "it is larger than %d MiB; follow it, or ask for a part", limit>>20)
	}
	return data, err
}

// Raw is a body that is sent as it is. It comes from the beginning at each call of Open.
type Raw struct {
	Type string // such as application/gzip
	Open func() (io.ReadCloser, error)
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any, accept string) (*http.Response, error) {
	var body []byte
	raw, isRaw := in.(Raw)
	if in != nil && !isRaw {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	address := c.URL + prefix + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a server: %w", c.URL, err)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if isRaw {
		request.Header.Set("Content-Type", raw.Type)
		request.ContentLength, request.GetBody = -1, raw.Open
		if request.Body, err = raw.Open(); err != nil {
			return nil, err
		}
	}
	request.Header.Set("Accept", accept)
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if method != http.MethodGet {
		if !isRaw { // the server does not keep it to compare
			request.Header.Set("Idempotency-Key", rand.Text())
		}
		if c.seen != "" {
			request.Header.Set("If-Match", `"`+c.seen+`"`)
		}
	}
	response, err := c.deliver(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Errorf(fault.Unavailable, "%s does not answer: %w; is the server running?", c.URL, errors.Unwrap(err))
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, problem(response)
}

// pauses lie between the attempts of a request whose connection broke: long enough for a server to be started anew.
var pauses = []time.Duration{200 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second}

// deliver sends a request, and sends it again when its connection broke before the answer came. A server that was not
// there to begin with is not waited for. The key of a write has it done once.
func (c *Client) deliver(request *http.Request) (*http.Response, error) {
	sent := false
	for attempt := 0; ; attempt++ {
		response, err := c.HTTP.Do(request)
		var dial *net.OpError
		sent = sent || err == nil || !errors.As(err, &dial) || dial.Op != "dial"
		underWay := err == nil && attempt > 0 && response.StatusCode == http.StatusConflict && response.Header.Get("Retry-After") != ""
		if err == nil && !underWay || !sent || attempt == len(pauses) || request.Context().Err() != nil {
			return response, err
		}
		if underWay {
			_ = response.Body.Close() // its answer comes with a later attempt
		}
		select {
		case <-request.Context().Done():
			return nil, request.Context().Err()
		case <-time.After(pauses[attempt]):
		}
		if request, err = again(request); err != nil {
			return nil, err
		}
	}
}

// again gives the same request with its body from the beginning.
func again(request *http.Request) (*http.Request, error) {
	next := request.Clone(request.Context())
	if request.GetBody == nil {
		return next, nil
	}
	body, err := request.GetBody()
	next.Body = body
	return next, err
}

func problem(response *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20)) // what came is shown
	var p Problem
	if json.Unmarshal(data, &p) != nil || p.Title == "" {
		p.Detail = strings.TrimSpace(string(data))
	}
	p.Status = response.StatusCode
	if p.Title == "" {
		p.Title = response.Status
	}
	return p.fault()
}

// Get reads one thing: GET, with what is said at Client.Do.
func Get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.Do(ctx, http.MethodGet, path, query, nil, &out)
	return out, err
}

// Post sends something and reads the answer: POST, with what is said at Client.Do. A nil in is an empty object.
func Post[T any](ctx context.Context, c *Client, path string, in any) (T, error) {
	var out T
	if in == nil {
		in = struct{}{}
	}
	err := c.Do(ctx, http.MethodPost, path, nil, in, &out)
	return out, err
}
