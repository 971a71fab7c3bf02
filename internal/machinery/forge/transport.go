package forge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what is exchanged with a forge.
const (
	answerLimit = 32 << 20 // bytes of an answer that is not streamed
	errorLimit  = 64 << 10 // bytes of an answer that is an error
	attempts    = 4        // of a request that may be repeated
	patience    = 30 * time.Second
)

// Transport is how a body's client library reaches its forge. What a forge answers with 400 or more, RoundTrip gives as
// an error, a fault, and not as an answer: client libraries hand it on, wrapped in a url.Error. The zero value is not
// usable; see NewTransport.
type Transport struct {
	base      http.RoundTripper
	home      *url.URL
	authorize func(ctx context.Context) (header, value string, err error)
	seen      *seen
	told      bool
	now       func() time.Time
	pause     time.Duration // before the first repetition; each later one takes twice as long

	mu    sync.Mutex
	rate  Rate
	quiet time.Time // until when the forge wants to be left alone
}

// TransportOptions say how a forge is reached.
type TransportOptions struct {
	URL string // of the forge's API; credentials are sent to its host alone
	// Authorize gives the header with the credentials for each request; short-lived ones may be got anew.
	Authorize func(ctx context.Context) (header, value string, err error)
	Base      http.RoundTripper // http.DefaultTransport when nil
	Now       func() time.Time
	Pause     time.Duration // before a request is repeated; 200 ms when 0
	Keep      int64         // bytes of answers that are kept for conditional requests; 16 MB when 0
	Told      bool          // the forge tells what came of each change
}

// NewTransport gives a transport. Invalid when the address is none.
func NewTransport(o TransportOptions) (*Transport, error) {
	home, err := url.Parse(o.URL)
	if err != nil || home.Host == "" || home.Scheme != "https" && home.Scheme != "http" || home.User != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a forge; write https://HOST", o.URL)
	}
	base := o.Base
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{
		base: base, home: home, authorize: o.Authorize, now: o.Now, pause: cmp.Or(o.Pause, 200*time.Millisecond),
		seen: newSeen(cmp.Or(o.Keep, 16<<20)), told: o.Told,
	}, nil
}

// Rate gives what the forge said last of its limit.
func (t *Transport) Rate() Rate {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rate
}

type streamKey struct{}

// Streamed gives a context whose answers are not read at once, not kept and not bounded: archives.
func Streamed(ctx context.Context) context.Context { return context.WithValue(ctx, streamKey{}, true) }

type knownKey struct{}

// Known is what is known of an answer already, so that it is sent again only when it has changed.
type Known struct {
	Mark      string // that came with the answer; "" for all forges that give none
	Unchanged bool   // it is what it was then, and the read has failed for that
	answered  bool
}

// Conditional gives a context whose first read that is answered is conditional, and brings k to the answer. Such an answer
// is not kept: who polls many things remembers less of each than what a forge says of it.
func Conditional(ctx context.Context, k *Known) context.Context {
	return context.WithValue(ctx, knownKey{}, k)
}

// limited is why a forge is not asked now.
type limited struct{ until time.Time }

func (l *limited) Error() string {
	return "the limit ends at " + l.until.UTC().Format(time.TimeOnly) + " UTC"
}

// Until tells when a forge whose limit is reached (fault.Exhausted) may be asked again.
func Until(err error) (time.Time, bool) {
	l := &limited{}
	if errors.As(err, &l) {
		return l.until, true
	}
	return time.Time{}, false
}

// refused is an answer that is an error.
type refused struct {
	status int
	words  string
}

func (r *refused) Error() string { return r.words }

// Status gives the HTTP status with which a forge refused; 0 when err is of another kind.
func Status(err error) int {
	r := &refused{}
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// RoundTrip sends a request as the contract says.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.mayAsk(); err != nil {
		return nil, err
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	for attempt := 1; ; attempt++ {
		answer, err := t.once(r)
		if err == nil || !reads || attempt == attempts || !fault.Is(err, fault.Unavailable) || r.Context().Err() != nil {
			return answer, err
		}
		pause := t.pause << (attempt - 1)
		pause += rand.N(pause/2 + 1)
		wait := time.NewTimer(pause)
		select {
		case <-r.Context().Done():
			wait.Stop()
			return nil, err
		case <-wait.C:
		}
	}
}

// mayAsk refuses while the limit is known to be reached: asking on makes some forges shut a client out.
func (t *Transport) mayAsk() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rate.Limit > 0 && t.rate.Left == 0 && t.now().Before(t.rate.Reset) {
		return fault.Errorf(fault.Exhausted, "%s takes %d requests and all are used: %w", t.home.Host, t.rate.Limit, &limited{t.rate.Reset})
	}
	if !t.quiet.IsZero() && t.now().Before(t.quiet) {
		return fault.Errorf(fault.Exhausted, "%s was asked too often: %w", t.home.Host, &limited{t.quiet})
	}
	return nil
}

func (t *Transport) once(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	streamed := ctx.Value(streamKey{}) != nil
	cancel := context.CancelFunc(func() {})
	if !streamed {
		ctx, cancel = context.WithTimeout(ctx, patience)
	}
	defer cancel()
	sent := r.Clone(ctx)
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		sent.Body = body
	}
	if t.authorize != nil && strings.EqualFold(r.URL.Host, t.home.Host) && r.URL.Scheme == t.home.Scheme {
		header, value, err := t.authorize(ctx)
		if err != nil {
			return nil, err
		}
		if header != "" {
			sent.Header.Set(header, value)
		}
	}
	var kept *answer
	known, _ := ctx.Value(knownKey{}).(*Known)
	switch {
	case streamed || r.Method != http.MethodGet:
		known = nil
	case known != nil && !known.answered:
		(&answer{etag: known.Mark}).ask(sent.Header)
	default:
		known = nil
		kept = t.seen.find(r)
		kept.ask(sent.Header)
	}
	got, err := t.base.RoundTrip(sent)
	var refusal *fault.Error
	switch {
	case errors.As(err, &refusal): // such as an address that may not be reached: asking again does not help
		return nil, fault.Wrap(refusal, "%s", t.home.Host)
	case err != nil:
		return nil, fault.Errorf(fault.Unavailable, "%s does not answer: %w", t.home.Host, err)
	}
	t.note(got.Header)
	if streamed && got.StatusCode < 400 {
		return got, nil
	}
	defer got.Body.Close()
	if got.StatusCode >= 400 {
		said, _ := io.ReadAll(io.LimitReader(got.Body, errorLimit)) // what came is all that there is to show
		return nil, t.fault(got, said)
	}
	switch {
	case got.StatusCode != http.StatusNotModified:
	case kept != nil:
		return kept.again(r), nil
	case known != nil:
		known.Unchanged, known.answered = true, true
		return nil, fault.Errorf(fault.Stale, "%s has nothing new", t.home.Host)
	}
	body, err := io.ReadAll(io.LimitReader(got.Body, answerLimit+1))
	switch {
	case err != nil: // half a page
		return nil, fault.Errorf(fault.Unavailable, "%s ended in the middle of its answer: %w", t.home.Host, err)
	case len(body) > answerLimit:
		return nil, fault.Errorf(fault.TooLarge, "%s answers %s with more than %d MB", t.home.Host, r.URL.Path, answerLimit>>20)
	}
	if t.empty(sent, got, body) {
		return nil, fault.Errorf(fault.Unavailable, "%s answers %s in a form that is not known: with nothing", t.home.Host, r.URL.Path)
	}
	switch {
	case r.Method != http.MethodGet || got.StatusCode != http.StatusOK:
	case known != nil:
		known.Mark, known.answered = got.Header.Get("ETag"), true
	default:
		t.seen.keep(r, got, body)
	}
	got.Body, got.Request = io.NopCloser(bytes.NewReader(body)), r
	return got, nil
}

// empty tells whether an answer that was to be JSON says nothing at all: client libraries take that for a thing without a
// name, or for none.
func (t *Transport) empty(sent *http.Request, got *http.Response, body []byte) bool {
	accept := sent.Header.Get("Accept")
	if got.StatusCode > http.StatusCreated || !strings.Contains(accept, "json") || strings.Contains(accept, ".raw") ||
		strings.HasSuffix(sent.URL.Path, "/raw") { // a file may be empty
		return false
	}
	switch form := string(bytes.TrimSpace(body[:min(len(body), 32)])); form {
	case "":
		return t.told || sent.Method == http.MethodGet
	case "null":
		return true
	default:
		return strings.Join(strings.Fields(form), "") == "{}"
	}
}

// note remembers what the forge says of its limit.
func (t *Transport) note(h http.Header) {
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		limit, err := strconv.Atoi(h.Get(prefix + "Limit"))
		left, err2 := strconv.Atoi(h.Get(prefix + "Remaining"))
		reset, err3 := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64)
		if err == nil && err2 == nil && err3 == nil {
			t.mu.Lock()
			t.rate = Rate{Limit: limit, Left: left, Reset: time.Unix(reset, 0)}
			t.mu.Unlock()
			return
		}
	}
}

// fault turns an answer into an error, with the forge's own words.
func (t *Transport) fault(got *http.Response, said []byte) error {
	words := t.home.Host + " says: " + message(got, said)
	if until, limits := t.limit(got, words); limits {
		t.mu.Lock()
		t.quiet = until
		t.mu.Unlock()
		return fault.Errorf(fault.Exhausted, "%s: %w", words, &limited{until})
	}
	kind := fault.Invalid
	switch {
	case got.StatusCode == http.StatusUnauthorized:
		kind = fault.Unauthenticated
		words += "; its credentials are wrong or have ended"
	case got.StatusCode == http.StatusForbidden:
		kind = fault.Denied
		if needs := got.Header.Get("X-Accepted-OAuth-Scopes"); needs != "" {
			words += "; it takes a token with one of the scopes " + needs
		}
		if needs := got.Header.Get("X-Accepted-GitHub-Permissions"); needs != "" {
			words += "; it takes an app or a fine-grained token with the permissions " + needs
		}
	case got.StatusCode == http.StatusNotFound, got.StatusCode == http.StatusGone:
		kind = fault.NotFound
	case got.StatusCode == http.StatusConflict, got.StatusCode == http.StatusMethodNotAllowed: // of what can't be merged now
		kind = fault.Conflict
	case got.StatusCode == http.StatusPreconditionFailed:
		kind = fault.Stale
	case got.StatusCode == http.StatusRequestEntityTooLarge:
		kind = fault.TooLarge
	case got.StatusCode >= 500:
		kind = fault.Unavailable
	}
	return fault.Foreign(fault.Errorf(kind, "%w", &refused{got.StatusCode, words}))
}

// limit tells whether an answer is one of too many requests, and until when.
func (t *Transport) limit(got *http.Response, words string) (until time.Time, limits bool) {
	wait, err := strconv.Atoi(got.Header.Get("Retry-After"))
	rate := t.Rate()
	switch {
	case got.StatusCode == http.StatusTooManyRequests, got.StatusCode == http.StatusForbidden && err == nil:
	case got.StatusCode == http.StatusForbidden && strings.Contains(words, "secondary rate limit"): // GitHub's, which no header tells
	case got.StatusCode == http.StatusForbidden && rate.Limit > 0 && rate.Left == 0 && t.now().Before(rate.Reset):
		return rate.Reset, true
	default:
		return until, false
	}
	switch {
	case err == nil:
		return t.now().Add(time.Duration(min(max(wait, 1), 86400)) * time.Second), true
	case rate.Left == 0 && rate.Reset.After(t.now()):
		return rate.Reset, true
	}
	return t.now().Add(time.Minute), true
}

// message finds the forge's words in an error: each has another form.
func message(got *http.Response, said []byte) string {
	var form struct {
		Message any    `json:"message"`
		Error   any    `json:"error"`
		Reason  string `json:"error_description"`
		Errors  []any  `json:"errors"`
	}
	text := ""
	if json.Unmarshal(said, &form) == nil {
		for _, part := range append([]any{form.Message, form.Error, form.Reason}, form.Errors...) {
			if w := wordsOf(part); w != "" {
				text += "; " + w
			}
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimPrefix(text, "; "))
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return strings.TrimSpace(got.Status + " " + text)
}

func wordsOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		if m, ok := v["message"].(string); ok {
			return m
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}
