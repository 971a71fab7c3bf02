package gitlab

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Public is the address of GitLab's own service.
const Public = "https://gitlab.com"

// Options say which GitLab, and as whom.
type Options struct {
	URL string // of GitLab, without api/v4; Public when ""
	API string // where its API is, with api/v4; "" is below URL
	// Token gives the credentials before each request, so that OAuth tokens may be renewed: a personal, group or project
	// access token, or an OAuth token.
	Token func(ctx context.Context) (Token, error)
	Base  http.RoundTripper
	Now   func() time.Time
	Pause time.Duration // before a request is repeated, and between questions after a rebase; 200 ms when 0
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

// Forge is GitLab with one set of credentials.
type Forge struct {
	api       *gl.Client
	transport *forge.Transport
	root      string // without a slash at the end
	token     func(ctx context.Context) (Token, error)
	pause     time.Duration
}

var _ forge.Forge = (*Forge)(nil)

// New gives GitLab as Options say. Nothing is asked yet.
func New(o Options) (*Forge, error) {
	root := strings.TrimRight(o.URL, "/")
	if root == "" {
		root = Public
	}
	reached := cmp.Or(strings.TrimRight(o.API, "/"), root)
	t, err := forge.NewTransport(forge.TransportOptions{
		URL: reached, Base: o.Base, Now: o.Now, Pause: o.Pause,
		Authorize: func(ctx context.Context) (string, string, error) {
			token, err := o.Token(ctx)
			return "Authorization", "Bearer " + token.Value, err
		},
	})
	if err != nil {
		return nil, err
	}
	api, err := gl.NewAuthSourceClient(gl.Unauthenticated{}, // the transport has the credentials, and repeats
		gl.WithBaseURL(reached), gl.WithHTTPClient(&http.Client{Transport: t}), gl.WithoutRetries(), gl.WithCustomLimiter(unlimited{}), gl.WithUserAgent("roadbed"))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a GitLab: %w", o.URL, err)
	}
	pause := o.Pause
	if pause == 0 {
		pause = 200 * time.Millisecond
	}
	return &Forge{api: api, transport: t, root: root, token: o.Token, pause: pause}, nil
}

// unlimited leaves the limits to the transport.
type unlimited struct{}

func (unlimited) Wait(context.Context) error { return nil }

// Health asks what the token is, and whose.
func (f *Forge) Health(ctx context.Context) (forge.Health, error) {
	var h forge.Health
	token, err := one(f.api.PersonalAccessTokens.GetSinglePersonalAccessToken(gl.WithContext(ctx)))
	switch {
	case err == nil:
		h.Scopes = token.Scopes
		if token.ExpiresAt != nil {
			h.Expires = time.Time(*token.ExpiresAt)
		}
	case fault.Is(err, fault.Invalid): // it is of OAuth
		if h.Scopes, err = f.oauthScopes(ctx); err != nil {
			return h, err
		}
		if t, err := f.token(ctx); err == nil {
			h.Expires = t.Expires
		}
	default:
		return h, err
	}
	if h.Scopes != nil && !slices.Contains(h.Scopes, "api") {
		h.Missing = []string{"api"}
	}
	user, err := one(f.api.Users.CurrentUser(gl.WithContext(ctx)))
	switch {
	case err == nil:
		h.Login = user.Username
	case !fault.Is(err, fault.Denied): // a token that may only reach git does not tell whose it is
		return h, err
	}
	version, err := one(f.api.Metadata.GetMetadata(gl.WithContext(ctx)))
	switch {
	case err == nil:
		h.Version = version.Version
	case !fault.Is(err, fault.Denied) && !fault.Is(err, fault.NotFound):
		return h, err
	}
	h.Rate = f.transport.Rate()
	return h, nil
}

func (f *Forge) oauthScopes(ctx context.Context) ([]string, error) {
	var info struct {
		Scope []string `json:"scope"`
	}
	address := *f.api.BaseURL()
	address.Path = strings.TrimSuffix(address.Path, "api/v4/") + "oauth/token/info"
	r, err := f.api.NewRequestToURL(http.MethodGet, &address, nil, []gl.RequestOptionFunc{gl.WithContext(ctx)})
	if err != nil {
		return nil, wrong(err)
	}
	_, err = f.api.Do(r, &info)
	return info.Scope, wrong(err)
}

// Clone gives the address under GitLab's own, whatever host it takes itself for: the token goes nowhere else.
func (f *Forge) Clone(ctx context.Context, repository string) (forge.Clone, error) {
	if err := checkRepository(repository); err != nil {
		return forge.Clone{}, err
	}
	token, err := f.token(ctx)
	if err != nil {
		return forge.Clone{}, err
	}
	return forge.Clone{URL: f.root + "/" + repository + ".git", Username: "oauth2", Password: token.Value, Expires: token.Expires}, nil
}

// one takes the answer of a call without its headers.
func one[T any](v T, _ *gl.Response, err error) (T, error) { return v, wrong(err) }

// done takes the answer of a call that gives nothing.
func done(_ *gl.Response, err error) error { return wrong(err) }

// wrong takes a fault out of what the client library wraps it in.
func wrong(err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fault.Errorf(fault.Unavailable, "GitLab answers in a form that is not known: %w", err)
}

// mostPerPage is how many items GitLab gives at once.
const mostPerPage = 100

// list reads a part of a list. as may leave an item out, so that a part has less than was asked for.
func list[T, U any](part page.Request, read func(o gl.ListOptions) ([]T, *gl.Response, error), as func(T) (U, bool)) (page.Of[U], error) {
	got, err := forge.Numbered(part, mostPerPage, func(number, size int) ([]T, bool, error) {
		items, answer, err := read(gl.ListOptions{Page: int64(number), PerPage: int64(size)})
		if err != nil {
			return nil, false, wrong(err)
		}
		return items, answer.NextPage != 0, nil
	})
	out := page.Of[U]{Next: got.Next}
	for _, item := range got.Items {
		if u, ok := as(item); ok {
			out.Items = append(out.Items, u)
		}
	}
	return out, err
}

// whole reads a list to its end, but no more than most items; cut tells that there were more.
func whole[T any](most int, read func(o gl.ListOptions) ([]T, *gl.Response, error)) (out []T, cut bool, err error) {
	for o := (gl.ListOptions{Page: 1, PerPage: mostPerPage}); ; o.Page++ {
		items, answer, err := read(o)
		if err != nil {
			return nil, false, wrong(err)
		}
		out = append(out, items...)
		switch {
		case len(out) > most:
			return out[:most], true, nil
		case answer.NextPage == 0 || len(items) == 0:
			return out, false, nil
		}
	}
}

// segment is a group or a project as it stands in an address.
var segment = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*$`)

// checkGroup refuses what is not the full path of a group or a user: nothing else reaches an address.
func checkGroup(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 255 || !segment.MatchString(part) || strings.Contains(part, "..") || strings.Trim(part, ".") == "" ||
			strings.HasSuffix(part, ".git") || strings.HasSuffix(part, ".atom") {
			return fault.Errorf(fault.Invalid, "%.100q is not the path of a GitLab group; write it like group or group/subgroup", name)
		}
	}
	return nil
}

// checkRepository refuses what is not the full path of a project.
func checkRepository(name string) error {
	if err := checkGroup(name); err != nil || !strings.Contains(name, "/") {
		return fault.Errorf(fault.Invalid, "%.100q is not the path of a GitLab project; write it like group/project or group/subgroup/project", name)
	}
	return nil
}

// checkAt refuses a repository or a revision that can't be one, and gives the revision for GitLab.
func checkAt(repository, rev string) (string, error) {
	if err := checkRepository(repository); err != nil {
		return "", err
	}
	if rev == "" {
		return "HEAD", nil
	}
	if err := git.CheckBranch(rev); err != nil {
		return "", fault.Errorf(fault.Invalid, "%.100q is not a branch, a tag or a commit", rev)
	}
	return rev, nil
}

// checkID refuses what is no number, as all ids of GitLab are.
func checkID(id, what string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.Errorf(fault.NotFound, "GitLab has no %s %.100q", what, id)
	}
	return n, nil
}

func when(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// robot is the login of a project's or a group's access token, or of a service account.
var robot = regexp.MustCompile(`^((project|group)_\d+_bot(_?[0-9a-f]+)?|service_account_.*)$`)

func person(id int64, login, name string) forge.Person {
	p := forge.Person{Login: login, Name: name, Bot: robot.MatchString(login)}
	if id != 0 {
		p.ID = strconv.FormatInt(id, 10)
	}
	return p
}

func basic(u *gl.BasicUser) forge.Person {
	if u == nil {
		return forge.Person{}
	}
	return person(u.ID, u.Username, u.Name)
}

// optional gives nil for "", which leaves a parameter out.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
