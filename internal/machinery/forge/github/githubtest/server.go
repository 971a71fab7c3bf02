// Package githubtest is a GitHub for tests: a real HTTP server over real git repositories, with what the body of
// forge for GitHub asks for. Each request that it takes and each answer that it gives, and each webhook that it sends,
// is checked against GitHub's own description of its API where that is there (see Description).
package githubtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is on the server at first.
const (
	Organization = "acme"
	Team         = "builders" // of the organization; Bob is its only member
	Ann          = "ann"      // owns the organization
	Bob          = "bob"      // a member
	AppSlug      = "roadbed-test"
	AppID        = "4711"
)

// prefix of the API's addresses, as on an Enterprise Server.
const prefix = "/api/v3"

// Server is a GitHub.
type Server struct {
	URL    string
	t      testing.TB
	dir    string
	checks *checker // nil when there is no description
	key    *rsa.PrivateKey
	client *http.Client
	queue  chan *delivery

	mu           sync.Mutex
	last         int64 // id that was given
	left         int   // requests until the rate limit
	busy         int   // requests that are refused as too many, from now on
	accounts     map[string]*account
	tokens       map[string]*grant
	repositories []*repository
	hooks        []*hook // of the organization
	installation int64
}

type account struct {
	id          int64
	login, kind string
	created     time.Time
}

// grant is what a token is good for.
type grant struct {
	who        *account
	app        bool
	ends       time.Time       // zero: never
	repository map[string]bool // by its name; nil: all
	token      string
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		t: t, dir: t.TempDir(), key: key, last: 1000, left: 5000, accounts: map[string]*account{}, tokens: map[string]*grant{},
		client: &http.Client{Timeout: 10 * time.Second}, queue: make(chan *delivery, 1000), checks: newChecker(t),
	}
	for _, a := range [][2]string{{Organization, "Organization"}, {Ann, "User"}, {Bob, "User"}, {AppSlug + "[bot]", "Bot"}} {
		s.accounts[a[0]] = &account{id: s.id(), login: a[0], kind: a[1], created: time.Now()}
	}
	s.installation = s.id()
	for _, login := range []string{Ann, Bob} {
		s.tokens["ghp_"+login] = &grant{who: s.accounts[login]}
	}
	server := httptest.NewServer(s.routes())
	s.URL = server.URL
	ctx, stop := context.WithCancel(context.Background())
	sent := make(chan bool)
	go func() {
		defer close(sent)
		s.send(ctx)
	}()
	t.Cleanup(func() {
		server.Close()
		stop()
		<-sent
		if s.checks != nil {
			t.Logf("%d messages held what GitHub's description says", s.checks.count())
		}
	})
	return s
}

// Token gives the personal access token of somebody.
func (s *Server) Token(login string) string { return "ghp_" + login }

// AppKey gives the app's private key, as GitHub does.
func (s *Server) AppKey() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(s.key)})
}

// Installation gives the id of the app's installation on the organization.
func (s *Server) Installation() int64 { return s.installation }

// Busy makes the server refuse its next requests for a second rate limit.
func (s *Server) Busy(requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = requests
}

// id gives a new one; s.mu is held, or the server is not started yet.
func (s *Server) id() int64 {
	s.last++
	return s.last
}

type obj = map[string]any

// call is one request that is being answered; s.mu is held.
type call struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	who  *grant
	repo *repository // that the address names
	body obj
	form string // content type of the answer, when it is not JSON
}

// answer is what a handler gives: its body is JSON, or bytes.
type answer struct {
	status int
	body   any
}

func ok(body any) answer   { return answer{http.StatusOK, body} }
func made(body any) answer { return answer{http.StatusCreated, body} }
func gone() answer         { return answer{http.StatusNoContent, nil} }

func fail(status int, message string) answer {
	return answer{status, obj{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}}
}

func missing() answer { return fail(http.StatusNotFound, "Not Found") }

// invalid is GitHub's answer to what does not hold.
func invalid(resource, field, message string) answer {
	e := obj{"resource": resource, "code": "custom", "field": field, "message": message}
	return answer{http.StatusUnprocessableEntity, obj{"message": "Validation Failed", "errors": []any{e}, "documentation_url": "https://docs.github.com/rest", "status": "422"}}
}

func (c *call) text(name string) string {
	v, _ := c.body[name].(string) // anything else is refused by the description
	return v
}

func (c *call) flag(name string) bool {
	v, _ := c.body[name].(bool)
	return v
}

func (c *call) path(name string) string  { return c.r.PathValue(name) }
func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

func (c *call) number(name string) int64 {
	n, err := strconv.ParseInt(c.path(name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// accept tells whether the caller asked for a media type.
func (c *call) accept(kind string) bool {
	return strings.HasPrefix(c.r.Header.Get("Accept"), "application/vnd.github."+kind)
}

// paged gives the page of a list that was asked for, with the links to others.
func (c *call) paged(all []any) []any {
	size, err := strconv.Atoi(c.query("per_page"))
	if err != nil || size < 1 {
		size = 30
	}
	size = min(size, 100)
	number, err := strconv.Atoi(c.query("page"))
	if err != nil || number < 1 {
		number = 1
	}
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		u := *c.r.URL
		q := u.Query()
		link := func(page int, rel string) string {
			q.Set("page", strconv.Itoa(page))
			u.RawQuery = q.Encode()
			return fmt.Sprintf(`<%s%s>; rel="%s"`, c.URL, u.String(), rel)
		}
		c.w.Header().Set("Link", link(number+1, "next")+", "+link((len(all)+size-1)/size, "last"))
	}
	return append([]any{}, all[from:to]...)
}

// each builds a list.
func each[T any](all []T, of func(T) obj) []any {
	out := []any{}
	for _, x := range all {
		out = append(out, of(x))
	}
	return out
}

// operation is one of the API's, which is named as in GitHub's description.
type operation struct {
	method, template string
	do               func(c *call) answer
}

// router finds operations by their addresses: those that take slashes in a part come last.
func (s *Server) router(all []operation) http.HandlerFunc {
	patterns := make([]*regexp.Regexp, len(all))
	slices.SortStableFunc(all, func(a, b operation) int {
		return strings.Count(pattern(a.template), ".*") - strings.Count(pattern(b.template), ".*")
	})
	for i, o := range all {
		patterns[i] = regexp.MustCompile("^" + prefix + pattern(o.template) + "$")
	}
	return func(w http.ResponseWriter, r *http.Request) {
		for i, o := range all {
			found := patterns[i].FindStringSubmatch(r.URL.EscapedPath())
			if o.method != r.Method || found == nil {
				continue
			}
			for j, name := range patterns[i].SubexpNames() {
				value, err := url.PathUnescape(found[j])
				if err != nil {
					value = found[j]
				}
				if name != "" {
					r.SetPathValue(name, value)
				}
			}
			s.handle(o, w, r)
			return
		}
		s.t.Errorf("the fake has no %s %s", r.Method, r.URL.Path)
		http.NotFound(w, r)
	}
}

// pattern gives a template as a pattern: some parts have slashes.
func pattern(template string) string {
	for _, name := range []string{"path", "branch", "basehead", "tree_sha"} {
		template = strings.Replace(template, "{"+name+"}", "(?<"+name+">.*)", 1)
	}
	if whole, ok := strings.CutSuffix(template, "/{ref}"); ok {
		template = whole + "/(?<ref>.*)"
	}
	return regexp.MustCompile(`{(\w+)}`).ReplaceAllString(template, "(?<$1>[^/]+)")
}

// handle answers one request.
func (s *Server) handle(o operation, w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 10<<20))
	if err != nil {
		return // the caller went away
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Server: s, w: w, r: r, body: obj{}}
	if len(raw) > 0 && json.Unmarshal(raw, &c.body) != nil {
		c.write(fail(http.StatusBadRequest, "Problems parsing JSON"), o.method, o.template)
		return
	}
	s.checks.request(o.method, o.template, r.URL.Query(), raw)
	c.write(c.serve(o.do, o.template), o.method, o.template)
}

func (c *call) serve(do func(c *call) answer, template string) answer {
	signed := strings.TrimPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(template, "/app") {
		if !c.signedByApp(signed) {
			return fail(http.StatusUnauthorized, "A JSON web token could not be decoded")
		}
		return do(c)
	}
	c.who = c.granted(signed)
	if c.who == nil {
		return fail(http.StatusUnauthorized, "Bad credentials")
	}
	if c.busy > 0 {
		c.busy--
		return fail(http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
	}
	c.left--
	if strings.HasPrefix(template, "/repos/{owner}/{repo}") {
		if c.repo = c.find(c.path("owner") + "/" + c.path("repo")); c.repo == nil || !c.who.may(c.repo) {
			return missing()
		}
	}
	if strings.HasPrefix(template, "/orgs/{org}") && c.path("org") != Organization {
		return missing()
	}
	return do(c)
}

// granted gives what a token is for; nil when it is for nothing.
func (s *Server) granted(token string) *grant {
	g := s.tokens[token]
	if g == nil || !g.ends.IsZero() && time.Now().After(g.ends) {
		return nil
	}
	return g
}

func (g *grant) may(r *repository) bool { return g.repository == nil || g.repository[r.name] }

func (c *call) write(a answer, method, template string) {
	h := c.w.Header()
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(c.left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	if c.who != nil && !c.who.app {
		h.Set("X-OAuth-Scopes", "admin:org_hook, delete_repo, read:org, repo")
	}
	text, isText := a.body.([]byte)
	if !isText && a.body != nil {
		var err error
		if text, err = json.Marshal(a.body); err != nil {
			c.t.Errorf("%s %s: %v", method, template, err)
		}
		c.form = "application/json; charset=utf-8"
	}
	c.checks.answer(method, template, a.status, c.form, text, c.r.Header.Get("Accept"))
	if c.form != "" {
		h.Set("Content-Type", c.form)
	}
	if method == http.MethodGet && a.status == http.StatusOK {
		sum := sha256.Sum256(append(text, h.Get("Link")...))
		mark := `W/"` + hex.EncodeToString(sum[:]) + `"`
		h.Set("ETag", mark)
		if c.r.Header.Get("If-None-Match") == mark {
			c.left++ // it costs nothing
			h.Set("X-RateLimit-Remaining", strconv.Itoa(c.left))
			c.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	c.w.WriteHeader(a.status)
	if _, err := io.Copy(c.w, bytes.NewReader(text)); err != nil {
		return // the caller went away
	}
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}
