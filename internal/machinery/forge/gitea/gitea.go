package gitea

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
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Options say which Gitea, and as whom.
type Options struct {
	URL string // of Gitea, without api/v1
	API string // where its API is, with api/v1; "" is below URL
	// Token gives the credentials before each request, so that OAuth tokens may be renewed: an access token of a person,
	// or an OAuth token.
	Token func(ctx context.Context) (Token, error)
	Base  http.RoundTripper
	Now   func() time.Time
	Pause time.Duration // before something is asked again; 200 ms when 0
}

// Token is one set of credentials.
type Token struct {
	Value   string
	Expires time.Time // zero: it doesn't, or that is not known
}

// Fixed gives a token that is never renewed.
func Fixed(value string) func(context.Context) (Token, error) {
	return func(context.Context) (Token, error) { return Token{Value: value}, nil }
}

// Forge is a Gitea with one set of credentials.
type Forge struct {
	client    *http.Client
	transport *forge.Transport
	root      string // without a slash at the end, and so is api
	api       string
	token     func(ctx context.Context) (Token, error)
	pause     time.Duration
	most      atomic.Int64 // items of a page; 0 until it was asked
}

var _ forge.Forge = (*Forge)(nil)

// New gives a Gitea as Options say. Nothing is asked yet.
func New(o Options) (*Forge, error) {
	f := &Forge{root: strings.TrimRight(o.URL, "/"), token: o.Token, pause: cmp.Or(o.Pause, 200*time.Millisecond)}
	if f.api = strings.TrimRight(o.API, "/"); f.api == "" {
		f.api = f.root + "/api/v1"
	}
	t, err := forge.NewTransport(forge.TransportOptions{
		URL: f.api, Base: o.Base, Now: o.Now, Pause: f.pause,
		Authorize: func(ctx context.Context) (string, string, error) {
			token, err := o.Token(ctx)
			return "Authorization", "token " + token.Value, err
		},
	})
	if err != nil {
		return nil, err
	}
	f.transport, f.client = t, &http.Client{Transport: t}
	return f, nil
}

// neededScopes are those that the contract needs of a token.
var neededScopes = []string{"write:repository", "write:issue", "write:organization", "read:user"}

// Health asks what the token is, and whose.
func (f *Forge) Health(ctx context.Context) (forge.Health, error) {
	var token struct {
		Scopes []string `json:"scopes"`
		User   *person  `json:"user"`
	}
	var h forge.Health
	err := f.get(ctx, "/token", nil, &token)
	switch {
	case err == nil:
		h.Login, h.Scopes = token.User.person().Login, token.Scopes
		for _, s := range neededScopes {
			level, of, _ := strings.Cut(s, ":")
			if !slices.Contains(h.Scopes, "all") && !slices.Contains(h.Scopes, s) && (level == "write" || !slices.Contains(h.Scopes, "write:"+of)) {
				h.Missing = append(h.Missing, s)
			}
		}
	case fault.Is(err, fault.NotFound): // before 1.27, and with OAuth
		var me person
		err = f.get(ctx, "/user", nil, &me)
		h.Login = me.person().Login
		if fault.Is(err, fault.Denied) {
			h.Missing, err = []string{"read:user"}, nil
		}
	}
	if err != nil {
		return forge.Health{}, err
	}
	var version struct {
		Version string `json:"version"`
	}
	if err := f.get(ctx, "/version", nil, &version); err != nil && !fault.Is(err, fault.Denied) {
		return forge.Health{}, err
	}
	t, err := f.token(ctx)
	if err != nil {
		return forge.Health{}, err
	}
	h.Version, h.Expires, h.Rate = version.Version, t.Expires, f.transport.Rate()
	return h, nil
}

// Clone gives the address under Gitea's own, whatever host it takes itself for: the token goes nowhere else.
func (f *Forge) Clone(ctx context.Context, repository string) (forge.Clone, error) {
	if _, err := at(repository); err != nil {
		return forge.Clone{}, err
	}
	token, err := f.token(ctx)
	if err != nil {
		return forge.Clone{}, err
	}
	return forge.Clone{URL: f.root + "/" + repository + ".git", Username: "token", Password: token.Value, Expires: token.Expires}, nil
}

// send asks the API. path is escaped already; in is its body and out takes the answer, both nil for none.
func (f *Forge) send(ctx context.Context, method, path string, query url.Values, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fault.Wrap(err, "write a request to Gitea")
		}
		body = bytes.NewReader(text)
	}
	answer, err := f.open(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if out == nil {
		return answer.Header, nil
	}
	var said json.RawMessage
	err = json.NewDecoder(answer.Body).Decode(&said)
	if form := string(said); err == nil && (form == "{}" || form == "null" && reflect.TypeOf(out).Elem().Kind() != reflect.Slice) { // null is a list without anything
		err = fmt.Errorf("%s is nothing", form)
	}
	if err == nil {
		err = json.Unmarshal(said, out)
	}
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "Gitea answers in a form that is not known: %w", err)
	}
	return answer.Header, nil
}

func (f *Forge) open(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	address := f.api + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%.200q is no address: %w", address, err)
	}
	r.Header.Set("User-Agent", "roadbed")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := f.client.Do(r)
	var known *fault.Error
	switch {
	case err == nil:
		return answer, nil
	case errors.As(err, &known):
		return nil, known
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, err
	}
	return nil, fault.Errorf(fault.Unavailable, "ask Gitea: %w", err)
}

func (f *Forge) get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := f.send(ctx, http.MethodGet, path, query, nil, out)
	return err
}

// bounded reads what is streamed: TooLarge when it has more than limit bytes.
func (f *Forge) bounded(ctx context.Context, what, path string, query url.Values, limit int64) ([]byte, error) {
	answer, err := f.open(forge.Streamed(ctx), http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, fault.Errorf(fault.Unavailable, "Gitea ended in the middle of %s: %w", what, err)
	case int64(len(text)) > limit:
		return nil, fault.Errorf(fault.TooLarge, "%s has more than %d bytes", what, limit)
	}
	return text, nil
}

// unless gives err, or what a look tells instead when Gitea answered that something went wrong inside: so it does for
// some things that are not there.
func unless(err error, look func() error) error {
	if err == nil || !fault.Is(err, fault.Unavailable) || forge.Status(err) == 0 {
		return err
	}
	if other := look(); fault.Is(other, fault.NotFound) {
		return other
	}
	return err
}

// name is what Gitea takes for an owner, a repository or a team.
var name = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,255}$`)

func checkName(what, s string) error {
	if !name.MatchString(s) || strings.Trim(s, ".") == "" {
		return fault.Errorf(fault.Invalid, "%.100q is not the name of %s", s, what)
	}
	return nil
}

// at gives where the API has a repository, or something of it: the parts are escaped, slashes in them stay. Nothing that
// is not a name reaches an address.
func at(repository string, parts ...string) (string, error) {
	owner, repo, ok := strings.Cut(repository, "/")
	lower := strings.ToLower(repo)
	if !ok || checkName("", owner) != nil || checkName("", repo) != nil || strings.HasSuffix(lower, ".git") || strings.HasSuffix(lower, ".wiki") {
		return "", fault.Errorf(fault.Invalid, "%.100q is not the name of a repository; write it like owner/name", repository)
	}
	return "/repos/" + owner + "/" + repo + under(parts), nil
}

func under(parts []string) string {
	var b strings.Builder
	for _, part := range parts {
		for segment := range strings.SplitSeq(part, "/") {
			b.WriteString("/" + url.PathEscape(segment))
		}
	}
	return b.String()
}

// atOrganization gives where the API has an organization.
func atOrganization(organization string, parts ...string) (string, error) {
	if err := checkName("an organization", organization); err != nil {
		return "", err
	}
	return "/orgs/" + organization + under(parts), nil
}

func checkRev(rev string) error {
	if err := git.CheckBranch(rev); err != nil {
		return fault.Errorf(fault.Invalid, "%.100q is not a branch, a tag or a commit", rev)
	}
	return nil
}

func checkCommit(commit string) error {
	if !git.IsHash(commit) {
		return fault.Errorf(fault.Invalid, "%.100q is not a commit", commit)
	}
	return nil
}

// checkPath refuses what is not the clean path of something in a repository.
func checkPath(path string) error {
	if clean, err := git.CheckPath(path); err != nil || clean != path {
		return fault.Errorf(fault.Invalid, "%.100q is not a path in a repository", path)
	}
	return nil
}

// number reads an id, which all are numbers.
func number(what, id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.Errorf(fault.NotFound, "Gitea has no %s %.100q", what, id)
	}
	return n, nil
}

func text(id int64) string { return strconv.FormatInt(id, 10) }

// wait waits before something is asked again.
func (f *Forge) wait(ctx context.Context, turn int) error {
	t := time.NewTimer(f.pause << turn)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for Gitea: %w", context.Cause(ctx))
	case <-t.C:
		return nil
	}
}
