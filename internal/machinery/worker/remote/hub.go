package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Options say which server, and who asks.
type Options struct {
	Server string                 // https://roadbed.example.com, without a slash at its end
	Token  func() (string, error) // read for each request, so that it can be replaced
	HTTP   http.RoundTripper
	Hello  Hello // without Life and Leaving
	Now    func() time.Time
	Log    *slog.Logger
}

// Hub asks a server. It is safe for concurrent use.
type Hub struct {
	o      Options
	life   string
	client *http.Client

	mu     sync.Mutex
	asked  string          // id of a lease whose answer was not heard
	unsure map[string]bool // leases of whose log it is not known how much has arrived
}

var _ worker.Hub = (*Hub)(nil)

// New gives a hub. It asks for nothing yet.
func New(o Options) *Hub {
	return &Hub{o: o, life: rand.Text(), unsure: map[string]bool{}, client: &http.Client{
		Transport: o.HTTP,
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			return fault.Errorf(fault.Invalid, "the server sends to %s; give that as --server", next.URL.Host)
		},
	}}
}

// How long requests may take that wait for nothing.
const (
	quick = 10 * time.Second
	slow  = 60 * time.Second // with something to carry
)

// request sends one and gives the answer of a server that did what was asked.
func (h *Hub) request(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	address := h.o.Server + Prefix + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a server: %w", h.o.Server, err)
	}
	token, err := h.o.Token()
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "read the token: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set(HeaderName, h.o.Hello.Name)
	r.Header.Set(HeaderLife, h.life)
	answer, err := h.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var own *fault.Error
		if errors.As(err, &own) {
			return nil, own
		}
		return nil, fault.Errorf(fault.Unavailable, "%s does not answer: %w", h.o.Server, errors.Unwrap(err))
	}
	if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusNoContent {
		return answer, nil
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "read what %s answers: %w", h.o.Server, err)
	}
	return nil, faultOf(answer.Header.Get(HeaderFault), answer.Status, said)
}

// call is request with JSON both ways. found is false for an answer without content.
func (h *Hub) call(ctx context.Context, limit time.Duration, method, path string, query url.Values, in, out any) (found bool, err error) {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	var body io.Reader
	switch in := in.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(in)
	default:
		raw, err := json.Marshal(in)
		if err != nil {
			return false, fmt.Errorf("encode a request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	answer, err := h.request(ctx, method, path, query, body)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Errorf(fault.Unavailable, "%s does not answer in %s", h.o.Server, limit)
	}
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNoContent {
		return false, nil
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, MaxLease+1))
	if err == nil && len(raw) > MaxLease {
		return false, fault.Errorf(fault.TooLarge, "the server answers with more than %d MiB", MaxLease>>20)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(raw, out)
	}
	if err != nil { // it was cut
		return false, fault.Errorf(fault.Unavailable, "read what %s answers: %w", h.o.Server, err)
	}
	return true, nil
}

// Greet says hello.
func (h *Hub) Greet(ctx context.Context, leaving bool) (w Welcome, err error) {
	hello := h.o.Hello
	hello.Life, hello.Leaving = h.life, leaving
	_, err = h.call(ctx, quick, http.MethodPost, "hello", nil, hello, &w)
	return w, err
}

// Bye says that the agent has ended.
func (h *Hub) Bye(ctx context.Context) error {
	_, err := h.call(ctx, quick, http.MethodPost, "bye", nil, nil, nil)
	return err
}

// Lease implements worker.Hub. When ctx ends before an answer has come, what may have been given is given back.
func (h *Hub) Lease(ctx context.Context, _, _, kind string, wait time.Duration) (*worker.Lease, error) {
	if kind != worker.KindCommand {
		return nil, fault.Errorf(fault.Invalid, "agents take only commands")
	}
	h.mu.Lock()
	if h.asked == "" {
		h.asked = ref.NewID(ref.Lease, h.o.Now())
	}
	id := h.asked
	h.mu.Unlock()
	wait = min(wait, MaxWait)
	var l Lease
	found, err := h.call(ctx, wait+slow, http.MethodPost, "lease", url.Values{"id": {id}, "wait": {strconv.FormatInt(wait.Milliseconds(), 10)}}, nil, &l)
	if err == nil || ctx.Err() != nil {
		h.mu.Lock()
		h.asked = ""
		h.mu.Unlock()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		h.giveBack(context.WithoutCancel(ctx), id)
		return nil, err
	case err != nil || !found:
		return nil, err
	}
	return l.lease(h.o.Now()), nil
}

// giveBack returns a lease of which it is not known whether it was given. A server that is away finds the lease run out.
func (h *Hub) giveBack(ctx context.Context, id string) {
	if _, err := h.call(ctx, quick, http.MethodPost, "leases/"+id+"/return", nil, nil, nil); err != nil {
		h.o.Log.Warn("give back what was not begun", "lease", id, "error", err)
	}
}

// Heartbeat implements worker.Hub.
func (h *Hub) Heartbeat(ctx context.Context, lease string) (bool, error) {
	var c Canceled
	_, err := h.call(ctx, quick, http.MethodPost, at(lease, "renew"), nil, nil, &c)
	return c.Canceled, err
}

// AwaitCancel implements worker.Hub.
func (h *Hub) AwaitCancel(ctx context.Context, lease string) error {
	for {
		var c Canceled
		_, err := h.call(ctx, MaxWait+quick, http.MethodGet, at(lease, "cancel"), nil, nil, &c)
		switch {
		case err == nil && c.Canceled:
			return nil
		case fault.Is(err, fault.NotFound):
			return err
		case err != nil:
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Log implements worker.Hub. After a failure it asks first how much has arrived, and sends the rest.
func (h *Hub) Log(ctx context.Context, lease string, offset int64, p []byte) error {
	h.mu.Lock()
	unsure := h.unsure[lease]
	h.mu.Unlock()
	if unsure {
		var has LogSize
		if _, err := h.call(ctx, quick, http.MethodGet, at(lease, "log"), nil, nil, &has); err != nil {
			return err
		}
		if skip := min(max(has.Size-offset, 0), int64(len(p))); skip > 0 {
			offset, p = offset+skip, p[skip:]
		}
	}
	var err error
	if len(p) > 0 {
		_, err = h.call(ctx, slow, http.MethodPut, at(lease, "log"), url.Values{"offset": {strconv.FormatInt(offset, 10)}}, p, nil)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if delete(h.unsure, lease); err != nil {
		h.unsure[lease] = true
	}
	return err
}

// Report implements worker.Hub.
func (h *Hub) Report(ctx context.Context, lease string, r worker.Result) error {
	_, err := h.call(ctx, slow, http.MethodPost, at(lease, "report"), nil, FromResult(r), nil)
	if err == nil {
		h.mu.Lock()
		delete(h.unsure, lease)
		h.mu.Unlock()
	}
	return err
}

// PutBlob implements worker.Hub.
func (h *Hub) PutBlob(ctx context.Context, lease string, r io.Reader) (string, int64, error) {
	answer, err := h.request(ctx, http.MethodPut, at(lease, "blobs"), nil, io.NopCloser(r))
	if err != nil {
		return "", 0, err
	}
	defer answer.Body.Close()
	var s Stored
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&s); err != nil {
		return "", 0, fault.Errorf(fault.Unavailable, "read what %s answers: %w", h.o.Server, err)
	}
	return s.Digest, s.Size, nil
}

// GetBlob implements worker.Hub.
func (h *Hub) GetBlob(ctx context.Context, lease, digest string) (io.ReadCloser, error) {
	return h.open(ctx, at(lease, "blobs/"+url.PathEscape(digest)), nil)
}

// Archive implements worker.Hub.
func (h *Hub) Archive(ctx context.Context, lease, repository, commit, subpath string) (io.ReadCloser, error) {
	return h.open(ctx, at(lease, "archive"), url.Values{"repository": {repository}, "commit": {commit}, "subpath": {subpath}})
}

func (h *Hub) open(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	answer, err := h.request(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

func at(lease, what string) string { return "leases/" + url.PathEscape(lease) + "/" + what }

// Run says hello again and again until ctx ends, and tells when the server drains the agent or takes it on again. The
// first hello has been said. When the server wants the agent to end, end is called.
func (h *Hub) Run(ctx context.Context, first Welcome, leaving <-chan struct{}, end func()) {
	drained, away, left := first.Drained, false, false
	every := time.Duration(max(first.Hello, 1)) * time.Second
	tick := time.NewTimer(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-leaving:
			leaving, left = nil, true
		case <-tick.C:
		}
		w, err := h.Greet(ctx, left)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !away || !fault.Is(err, fault.Unavailable) {
				h.o.Log.Warn("the server does not take this agent's hello; it is said again", "error", err)
			}
			away = true
			if tick.Reset(every); fault.Is(err, fault.Unavailable) {
				tick.Reset(time.Second)
			}
			continue
		case away:
			away = false
			h.o.Log.Info("the server is back", "pool", w.Pool)
		}
		if w.Drained != drained {
			drained = w.Drained
			if drained {
				h.o.Log.Info("the server drains this agent: it ends what it has and is given nothing more", "pool", w.Pool)
			} else {
				h.o.Log.Info("the server gives steps to this agent again", "pool", w.Pool)
			}
		}
		if w.Ends && !left {
			h.o.Log.Info("the server asks this agent to be started anew, and it has nothing to do", "pool", w.Pool)
			end()
		}
		tick.Reset(every)
	}
}

// CleanServer gives the address of a server in the form of Options.Server.
func CleanServer(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", fault.Errorf(fault.Invalid, "%q is not the address of a server; write it like https://roadbed.example.com", text)
	}
	return u.Scheme + "://" + u.Host, nil
}
