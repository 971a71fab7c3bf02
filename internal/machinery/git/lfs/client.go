package lfs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	mediaType   = "application/vnd.git-lfs+json"
	batchFiles  = 100
	batchBytes  = 4 << 20 // of an answer
	batchTime   = time.Minute
	atOnce      = 4 // transfers
	stallTime   = 2 * time.Minute
	stallBytes  = 60_000 // that a transfer moves in that time, at least
	redirects   = 5
	givenUp     = 10 // so many files fail by what may be well the next time
	saidMost    = 300
	headersMost = 50 // of one file
)

// Client talks with one repository elsewhere. It is safe for concurrent use.
type Client struct {
	remote git.Remote
	base   *url.URL // ends with /info/lfs
	http   *http.Client
	stall  time.Duration
}

// New gives a client of the repository that git reaches as remote; through says what may be dialled.
func New(remote git.Remote, through http.RoundTripper) (*Client, error) {
	base, err := url.Parse(remote.URL)
	if err != nil || base.Host == "" || base.User != nil || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fault.Errorf(fault.Invalid, "the address of the remote is none; write it like https://forge.example.com/OWNER/NAME.git")
	}
	base.Path = strings.TrimSuffix(strings.TrimRight(base.Path, "/"), ".git") + ".git/info/lfs"
	base.RawPath = ""
	c := &Client{remote: remote, base: base, stall: stallTime}
	c.http = &http.Client{Transport: through, CheckRedirect: c.follow}
	return c, nil
}

// follow judges a redirect of a transfer: what was for one host goes to no other.
func (c *Client) follow(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > redirects:
		return fault.Errorf(fault.Invalid, "it leads from one address to the next")
	case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || first.Scheme != "http"):
		return fault.Errorf(fault.Invalid, "it leads from https:// to %.20s://", r.URL.Scheme)
	case !sameHost(r.URL, first):
		clear(r.Header)
	}
	return nil
}

func sameHost(a, b *url.URL) bool { return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) }

// file is one of a batch, as both sides write it.
type file struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`

	Actions map[string]action `json:"actions,omitempty"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

type action struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header"`
}

// Download brings files, some at a time: each is given to keep, which fails when it is not what its name says. keep is
// called by several goroutines. What becomes of each is told to done, by one at a time: nil, or why it can't be had, which
// is final unless it is Unavailable or Exhausted. An error of Download itself ends it early: when the other side does not
// take the question, or fails again and again.
func (c *Client) Download(ctx context.Context, files []git.Pointer, keep func(ctx context.Context, p git.Pointer, content io.Reader) error, done func(p git.Pointer, err error)) error {
	return c.transfer(ctx, "download", files, done, func(ctx context.Context, p git.Pointer, f file) error {
		a, ok := f.Actions["download"]
		if !ok {
			return fault.Errorf(fault.NotFound, "%s has it not", c.host())
		}
		return c.download(ctx, p, a, keep)
	})
}

// Upload sends files that the other side lacks, as Download brings them. open gives the content of one.
func (c *Client) Upload(ctx context.Context, files []git.Pointer, open func(ctx context.Context, p git.Pointer) (io.ReadCloser, error), done func(p git.Pointer, err error)) error {
	return c.transfer(ctx, "upload", files, done, func(ctx context.Context, p git.Pointer, f file) error {
		a, ok := f.Actions["upload"]
		if !ok {
			return nil // it is there
		}
		if err := c.upload(ctx, p, a, open); err != nil {
			return err
		}
		if verify, ok := f.Actions["verify"]; ok {
			return c.verify(ctx, p, verify)
		}
		return nil
	})
}

func (c *Client) host() string { return c.base.Host }

// transfer asks for files in batches and moves those of each.
func (c *Client) transfer(ctx context.Context, operation string, files []git.Pointer, done func(p git.Pointer, err error), one func(ctx context.Context, p git.Pointer, f file) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	failures := 0
	tell := func(p git.Pointer, err error) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			return // cut off, which is told as a whole
		}
		done(p, err)
		if passing(err) {
			if failures++; failures == givenUp {
				cancel(err)
			}
		}
	}
	for len(files) > 0 && ctx.Err() == nil {
		part := files[:min(len(files), batchFiles)]
		files = files[len(part):]
		answered, err := c.batch(ctx, operation, part)
		if err != nil {
			return err
		}
		var all sync.WaitGroup
		slots := make(chan struct{}, atOnce)
		for _, p := range part {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				f, ok := answered[p.OID]
				switch {
				case ctx.Err() != nil:
				case !ok:
					tell(p, fault.Errorf(fault.NotFound, "%s does not tell of it", c.host()))
				case f.Error != nil:
					tell(p, c.refused(f.Error.Code, f.Error.Message))
				default:
					tell(p, one(ctx, p, f))
				}
			})
		}
		all.Wait()
	}
	return context.Cause(ctx)
}

// passing tells whether a file that failed may be had the next time.
func passing(err error) bool {
	return err != nil && (fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Exhausted) || fault.Is(err, fault.Internal) || fault.Is(err, fault.Canceled))
}

// batch asks where files are, or go to.
func (c *Client) batch(ctx context.Context, operation string, files []git.Pointer) (map[string]file, error) {
	ask := struct {
		Operation string   `json:"operation"`
		Transfers []string `json:"transfers"`
		Hash      string   `json:"hash_algo"`
		Objects   []file   `json:"objects"`
	}{operation, []string{"basic"}, "sha256", make([]file, len(files))}
	for i, p := range files {
		ask.Objects[i] = file{OID: p.OID, Size: p.Size}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, batchTime, fault.Errorf(fault.Unavailable, "%s does not answer within %s", c.host(), batchTime))
	defer cancel()
	res, err := c.ask(ctx, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, batchBytes+1))
	switch {
	case err != nil:
		return nil, c.problem(ctx, err)
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusNotImplemented || res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode == http.StatusGone:
		return nil, fault.Errorf(fault.NotFound, "%s keeps no files of Git LFS for this repository", c.host())
	case res.StatusCode != http.StatusOK:
		var said struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(raw, &said) // it need not be JSON
		return nil, c.refused(res.StatusCode, said.Message)
	case len(raw) > batchBytes:
		return nil, fault.Errorf(fault.Invalid, "%s answers a batch of Git LFS with more than %s", c.host(), git.Bytes(batchBytes))
	}
	var answer struct {
		Transfer string `json:"transfer"`
		Hash     string `json:"hash_algo"`
		Objects  []file `json:"objects"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s does not answer a batch as Git LFS does", c.host())
	}
	if cmp.Or(answer.Transfer, "basic") != "basic" || cmp.Or(answer.Hash, "sha256") != "sha256" {
		return nil, fault.Errorf(fault.Invalid, "%s transfers files of Git LFS by %.50q and %.50q; only basic and sha256 are known", c.host(), answer.Transfer, answer.Hash)
	}
	found := make(map[string]file, len(answer.Objects))
	for _, f := range answer.Objects {
		found[f.OID] = f
	}
	return found, nil
}

// ask sends a batch. Without credentials it goes where it is led to, as git does.
func (c *Client) ask(ctx context.Context, body []byte) (*http.Response, error) {
	at := c.base.JoinPath("objects/batch")
	once := *c.http
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range redirects {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Accept", mediaType)
		r.Header.Set("Content-Type", mediaType)
		c.sign(r)
		res, err := once.Do(r)
		if err != nil {
			return nil, c.problem(ctx, err)
		}
		if res.StatusCode < 300 || res.StatusCode > 399 {
			return res, nil
		}
		res.Body.Close()
		to, err := res.Location()
		if err != nil || c.remote.Password != "" || to.Scheme != "https" && to.Scheme != at.Scheme {
			return nil, fault.Errorf(fault.Conflict, "%s says that the repository has moved; name its new address", c.host())
		}
		at = to
	}
	return nil, fault.Errorf(fault.Invalid, "%s leads from one address to the next", c.host())
}

// sign gives the credentials to the host that they are for, and to no other.
func (c *Client) sign(r *http.Request) {
	if c.remote.Password != "" && sameHost(r.URL, c.base) && r.Header.Get("Authorization") == "" {
		r.SetBasicAuth(cmp.Or(c.remote.Username, "x"), c.remote.Password)
	}
}

// request makes what a batch says of one file a request.
func (c *Client) request(ctx context.Context, method string, a action, body io.Reader) (*http.Request, error) {
	at, err := c.base.Parse(a.Href)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return nil, fault.Errorf(fault.Invalid, "%s names an address of a file that is none", c.host())
	}
	if at.Scheme == "http" && c.base.Scheme == "https" {
		return nil, fault.Errorf(fault.Invalid, "%s, which is reached by https://, keeps the file at an http:// address", c.host())
	}
	if len(a.Header) > headersMost {
		return nil, fault.Errorf(fault.Invalid, "%s asks for more than %d headers", c.host(), headersMost)
	}
	r, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s names an address of a file that is none", c.host())
	}
	r.Header.Set("Accept-Encoding", "identity")
	for name, value := range a.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length", "Connection", "Accept-Encoding":
		case "Transfer-Encoding":
			if value == "chunked" && method == http.MethodPut {
				r.TransferEncoding = []string{"chunked"}
			}
		default:
			r.Header.Set(name, value)
		}
	}
	c.sign(r)
	return r, nil
}

func (c *Client) download(ctx context.Context, p git.Pointer, a action, keep func(ctx context.Context, p git.Pointer, content io.Reader) error) error {
	ctx, moved, over := c.watched(ctx)
	defer over()
	r, err := c.request(ctx, http.MethodGet, a, nil)
	if err != nil {
		return err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return c.problem(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return c.refused(res.StatusCode, "")
	}
	body := &exact{r: res.Body, moved: moved, left: p.Size, fails: func(err error) error { return c.problem(ctx, err) }}
	return keep(ctx, p, body)
}

func (c *Client) upload(ctx context.Context, p git.Pointer, a action, open func(ctx context.Context, p git.Pointer) (io.ReadCloser, error)) error {
	ctx, moved, over := c.watched(ctx)
	defer over()
	content, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer content.Close()
	body := io.NopCloser(&exact{r: content, moved: moved, left: p.Size, fails: func(err error) error { return err }})
	if p.Size == 0 {
		body = http.NoBody
	}
	r, err := c.request(ctx, http.MethodPut, a, body)
	if err != nil {
		return err
	}
	r.ContentLength = p.Size
	if len(r.TransferEncoding) > 0 {
		r.ContentLength = -1
	}
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	return c.sent(ctx, r)
}

func (c *Client) verify(ctx context.Context, p git.Pointer, a action) error {
	body, err := json.Marshal(file{OID: p.OID, Size: p.Size})
	if err != nil {
		return err
	}
	ctx, _, over := c.watched(ctx)
	defer over()
	r, err := c.request(ctx, http.MethodPost, a, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Accept", mediaType)
	r.Header.Set("Content-Type", mediaType)
	return fault.Wrap(c.sent(ctx, r), "have it verified")
}

// sent sends a request whose answer says no more than whether it was taken.
func (c *Client) sent(ctx context.Context, r *http.Request) error {
	res, err := c.http.Do(r)
	if err != nil {
		return c.problem(ctx, err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection serves again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return c.refused(res.StatusCode, "")
	}
	return nil
}

// refused makes an error of what the other side answers; said is its words.
func (c *Client) refused(code int, said string) error {
	said = strings.Join(strings.Fields(strings.ToValidUTF8(strings.Map(printed, said), "?")), " ")
	if len(said) > saidMost {
		said = strings.ToValidUTF8(said[:saidMost], "") + "…"
	}
	if said != "" {
		said = ": " + said
	}
	host := c.host()
	switch {
	case code == http.StatusUnauthorized:
		return fault.Foreign(fault.Errorf(fault.Unauthenticated, "%s does not take the credentials for Git LFS; give new ones%s", host, said))
	case code == http.StatusForbidden:
		return fault.Errorf(fault.Denied, "%s takes the credentials, and they may not do this with Git LFS%s", host, said)
	case code == http.StatusNotFound || code == http.StatusGone:
		return fault.Errorf(fault.NotFound, "%s has it not%s", host, said)
	case code == http.StatusRequestEntityTooLarge || code == http.StatusInsufficientStorage || code == 509:
		return fault.Errorf(fault.TooLarge, "%s has no room for it, or has sent enough of Git LFS%s", host, said)
	case code == http.StatusTooManyRequests:
		return fault.Errorf(fault.Exhausted, "%s is asked too often; it is tried again later%s", host, said)
	case code >= 500 || code == http.StatusRequestTimeout:
		return fault.Errorf(fault.Unavailable, "%s answers Git LFS with %d%s", host, code, said)
	}
	return fault.Errorf(fault.Invalid, "%s answers Git LFS with %d%s", host, code, said)
}

func printed(r rune) rune {
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return ' '
	}
	return r
}

// problem tells why nothing was answered, without the address, which may hold what opens it.
func (c *Client) problem(ctx context.Context, err error) error {
	var known *fault.Error
	if errors.As(context.Cause(ctx), &known) || errors.As(err, &known) {
		return known
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	if ctx.Err() != nil {
		return fault.Errorf(fault.Canceled, "the exchange with %s was stopped: %w", c.host(), ctx.Err())
	}
	return fault.Errorf(fault.Unavailable, "the exchange with %s was cut: %s", c.host(), printable(err))
}

func printable(err error) string { return strings.Map(printed, fmt.Sprintf("%.200s", err)) }
