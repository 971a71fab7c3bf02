package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Bounds of what is asked of GitHub.
const (
	pageLimit = 100  // items of one page
	listLimit = 2000 // items of a list that is given whole: keys, hooks, checks
)

// Options say which GitHub is meant, and as whom.
type Options struct {
	URL   string // as people open it, such as https://github.example.com; "" is https://github.com
	API   string // where its API is; "" is where GitHub has it for URL
	Token string // a personal access token; or
	App   *App   // an App

	Base  http.RoundTripper // http.DefaultTransport when nil
	Now   func() time.Time
	Pause time.Duration // before a request is repeated; 200 ms when 0
}

// GitHub is one GitHub, seen with one set of credentials.
type GitHub struct {
	web       string // without a slash at its end
	api       *gh.Client
	transport *forge.Transport
	token     string
	app       *app // nil for a token

	mu    sync.Mutex
	login string // "" until it was asked for
}

var _ forge.Forge = (*GitHub)(nil)

// New gives a GitHub. It asks nothing yet.
func New(o Options) (*GitHub, error) {
	web := strings.TrimRight(o.URL, "/")
	if web == "" {
		web = "https://github.com"
	}
	api, err := apiOf(web)
	if err != nil {
		return nil, err
	}
	if o.API != "" {
		api = strings.TrimRight(o.API, "/") + "/"
	}
	if (o.Token == "") == (o.App == nil) {
		return nil, fault.Errorf(fault.Invalid, "GitHub takes either a token or an app")
	}
	g := &GitHub{web: web, token: o.Token}
	authorize := func(context.Context) (string, string, error) { return "Authorization", "Bearer " + o.Token, nil }
	if o.App != nil {
		if g.app, err = newApp(api, o); err != nil {
			return nil, err
		}
		authorize = func(ctx context.Context) (string, string, error) {
			t, err := g.app.tokenFor(ctx, "")
			return "Authorization", "Bearer " + t.value, err
		}
	}
	g.api, g.transport, err = client(api, o, authorize)
	return g, err
}

// apiOf gives the address of the API of a GitHub.
func apiOf(web string) (string, error) {
	u, err := url.Parse(web)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fault.Errorf(fault.Invalid, "%q is not the address of a GitHub; write https://HOST", web)
	}
	switch host := strings.ToLower(u.Host); {
	case host == "github.com", host == "www.github.com":
		return "https://api.github.com/", nil
	case strings.HasSuffix(host, ".ghe.com"):
		return "https://api." + host + "/", nil
	}
	return web + "/api/v3/", nil // an Enterprise Server
}

func client(api string, o Options, authorize func(context.Context) (string, string, error)) (*gh.Client, *forge.Transport, error) {
	transport, err := forge.NewTransport(forge.TransportOptions{URL: api, Authorize: authorize, Base: o.Base, Now: o.Now, Pause: o.Pause, Told: true})
	if err != nil {
		return nil, nil, err
	}
	c := gh.NewClient(&http.Client{Transport: transport})
	c.DisableRateLimitCheck = true // the transport's
	c.UserAgent = "roadbed"
	c.BaseURL, err = url.Parse(api)
	return c, transport, err
}

// told gives the fault within an error of the client library, which wraps it with the address that was asked.
func told(err error) error {
	var known *fault.Error
	var syntax *json.SyntaxError
	var form *json.UnmarshalTypeError
	var way *url.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &syntax), errors.As(err, &form), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Errorf(fault.Unavailable, "GitHub answers in a form that is not known: %w", err)
	case errors.As(err, &way) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return fault.Errorf(fault.Unavailable, "GitHub leads nowhere: %w", err)
	}
	return err
}

// as gives an error another kind when GitHub refused with one of the statuses: it uses some of them in its own ways.
func as(err error, kind fault.Kind, statuses ...int) error {
	status := forge.Status(err)
	for _, s := range statuses {
		if s == status {
			return fault.Errorf(kind, "%w", err)
		}
	}
	return err
}

// taken makes a Conflict of what GitHub refuses as not valid because it is there.
func taken(err error) error {
	if err != nil && strings.Contains(err.Error(), "already exists") {
		return as(err, fault.Conflict, http.StatusUnprocessableEntity)
	}
	return err
}

// get asks for what the library has no safe call for: one that keeps the parts of an address apart.
func (g *GitHub) get(ctx context.Context, path, accept string, into any) error {
	r, err := g.api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return fault.Errorf(fault.Invalid, "%w", err)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	_, err = g.api.Do(ctx, r, into)
	return told(err)
}

func (g *GitHub) text(ctx context.Context, path, accept string) ([]byte, error) {
	var b bytes.Buffer
	err := g.get(ctx, path, accept, &b)
	return b.Bytes(), err
}

// list reads a part of a list by the library's pages.
func list[T, U any](part page.Request, read func(o gh.ListOptions) ([]T, *gh.Response, error), of func(T) U) (page.Of[U], error) {
	return forge.Numbered(part, pageLimit, func(number, size int) ([]U, bool, error) {
		items, answer, err := read(gh.ListOptions{Page: number, PerPage: size})
		if err != nil {
			return nil, false, told(err)
		}
		out := make([]U, 0, len(items))
		for _, x := range items {
			out = append(out, of(x))
		}
		return out, answer.NextPage != 0, nil
	})
}

// whole reads a list to its end.
func whole[T, U any](read func(o gh.ListOptions) ([]T, *gh.Response, error), of func(T) U) ([]U, error) {
	return forge.All(listLimit, func(part page.Request) (page.Of[U], error) { return list(part, read, of) })
}

var (
	ownerPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// split takes a repository's name apart; what is left can't lead elsewhere in an address.
func split(repository string) (owner, name string, err error) {
	owner, name, _ = strings.Cut(repository, "/")
	if !ownerPattern.MatchString(owner) || !namePattern.MatchString(name) || name == "." || name == ".." || strings.HasSuffix(name, ".git") {
		return "", "", fault.Errorf(fault.Invalid, "%.100q is not the name of a repository on GitHub; write OWNER/NAME", repository)
	}
	return owner, name, nil
}

func checkOwner(name string) error {
	if !ownerPattern.MatchString(name) {
		return fault.Errorf(fault.Invalid, "%.100q is not the name of an account on GitHub", name)
	}
	return nil
}

// checkRev takes a branch, a tag or a commit, and gives it as a part of an address.
func checkRev(rev string) (string, error) {
	if rev != "HEAD" && git.CheckBranch(rev) != nil {
		return "", fault.Errorf(fault.Invalid, "%.100q is neither a branch nor a tag nor a commit", rev)
	}
	return escape(rev), nil
}

func checkHash(commit string) error {
	if !git.IsHash(commit) {
		return fault.Errorf(fault.Invalid, "%.100q is not the full name of a commit", commit)
	}
	return nil
}

// escape makes a part of an address of a path; slashes stay.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func number(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.Errorf(fault.NotFound, "GitHub has nothing with the id %.40q", id)
	}
	return n, nil
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

func personOf(u *gh.User) forge.Person {
	if u == nil { // of an account that was deleted
		return forge.Person{}
	}
	return forge.Person{ID: id(u.GetID()), Login: u.GetLogin(), Name: u.GetName(), Email: u.GetEmail(), Bot: u.GetType() == "Bot"}
}
