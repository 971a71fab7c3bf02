// Package gitlabtest is a GitLab of our own for tests: it listens on a real address, keeps real repositories that git
// clones from and pushes to, and sends webhooks.
//
// It has what the contract forge needs of GitLab, as GitLab's documentation of its REST API tells. Every answer is checked
// against the types of GitLab's own client library (see conforms): a field that those do not have, or of another type,
// makes the request fail and the test with it. GitLab's OpenAPI document is in no package that a build could read, and
// nothing here was compared with a running GitLab.
package gitlabtest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// Access levels of members.
const (
	Developer  = 30
	Maintainer = 40
	Owner      = 50
)

// Server is a GitLab.
type Server struct {
	URL   string
	Signs bool // deliveries of hooks with a signing token are signed, as newer GitLabs do

	Sent func(body []byte) // sees what webhooks are sent, whether or not there are any; nil for nobody
	Cut  bool              // diffs lack their last file, as those over a limit do

	t       testing.TB
	dir     string
	git     *git.Git
	http    *httptest.Server
	sending sync.WaitGroup

	mu       sync.Mutex
	last     int64 // id that was given last
	users    []*user
	groups   []*group
	projects []*project
	left     int // of the rate
	taken    int // requests
}

type user struct {
	id     int64
	login  string
	name   string
	token  string
	oauth  bool
	scopes []string
}

type group struct {
	id      int64
	path    string
	members map[*user]int
	hooks   []*hook
}

type deployKey struct {
	id      int64
	title   string
	key     string
	canPush bool
	created time.Time
}

type status struct {
	id               int64
	sha, name, state string
	text, url        string
	author           *user
	created          time.Time
}

type project struct {
	id         int64
	path       string
	text       string
	visibility string
	method     string
	archived   bool
	topics     []string
	created    time.Time
	active     time.Time
	creator    *user
	dir        string
	keys       []*deployKey
	hooks      []*hook
	statuses   []*status
	requests   []*request
}

// New starts a GitLab that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	g, err := git.New("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: t.TempDir(), git: g, left: 1_000_000}
	s.http = httptest.NewServer(s.routes())
	s.URL = s.http.URL
	t.Cleanup(func() {
		s.http.Close()
		s.sending.Wait()
	})
	return s
}

// User adds somebody with a personal access token.
func (s *Server) User(login, token string, scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = append(s.users, &user{id: s.id(), login: login, name: strings.ToUpper(login[:1]) + login[1:], token: token, scopes: scopes})
}

// OAuth has somebody's token be one of OAuth.
func (s *Server) OAuth(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user(login).oauth = true
}

// Group adds a group with its own members; a path with slashes is below others.
func (s *Server) Group(path string, members map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &group{id: s.id(), path: path, members: map[*user]int{}}
	for login, level := range members {
		g.members[s.user(login)] = level
	}
	s.groups = append(s.groups, g)
}

// MergeMethod sets the merge method of a project: merge, rebase_merge or ff.
func (s *Server) MergeMethod(path, method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(path).method = method
}

// Topics sets the topics of a project.
func (s *Server) Topics(path string, topics ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(path).topics = topics
}

// Requests tells how many requests were taken.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// Fork makes a copy of a project in another namespace.
func (s *Server) Fork(path, to, login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.project(path)
	p, err := s.create(to, s.user(login))
	if err != nil {
		s.t.Error(err)
		return
	}
	p.text, p.visibility = from.text, from.visibility
	s.run(p, nil, "fetch", "--quiet", from.dir, "+refs/heads/*:refs/heads/*")
}

// Commit writes one file on a branch, which it makes from the default one when it is not there, and gives the commit.
func (s *Server) Commit(path, login, branch, file, text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, by := s.project(path), s.user(login)
	before, from := s.refs(p), ""
	if tip := cmp.Or(s.resolve(p, "refs/heads/"+branch), s.resolve(p, "HEAD")); tip != "" {
		from = "from " + tip + "\n"
	}
	c := s.command(p, by, "fast-import", "--quiet", "--force")
	c.Stdin = strings.NewReader(fmt.Sprintf("commit refs/heads/%s\ncommitter %s <%s@example.com> %d +0000\ndata %d\n%s\n%sM 100644 inline %s\ndata %d\n%s\n",
		branch, by.name, by.login, time.Now().Unix(), len(file), file, from, file, len(text), text))
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Errorf("%v: %s", err, out)
	}
	s.movedRefs(p, by, before)
	return s.resolve(p, "refs/heads/"+branch)
}

// Left sets how many more requests are taken.
func (s *Server) Left(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = n
}

func (s *Server) id() int64 {
	s.last++
	return s.last
}

func (s *Server) user(login string) *user {
	for _, u := range s.users {
		if u.login == login {
			return u
		}
	}
	return nil
}

func (s *Server) group(key string) *group {
	for _, g := range s.groups {
		if strings.EqualFold(g.path, key) || fmt.Sprint(g.id) == key {
			return g
		}
	}
	return nil
}

func (s *Server) project(key string) *project {
	for _, p := range s.projects {
		if strings.EqualFold(p.path, key) || fmt.Sprint(p.id) == key {
			return p
		}
	}
	return nil
}

// level is what somebody may do in a group or a user's own namespace, from the groups above too.
func (s *Server) level(u *user, namespace string) (level int) {
	if namespace == u.login {
		return Owner
	}
	for _, g := range s.groups {
		if namespace == g.path || strings.HasPrefix(namespace, g.path+"/") {
			level = max(level, g.members[u])
		}
	}
	return level
}

func (p *project) namespace() string { return p.path[:strings.LastIndex(p.path, "/")] }
func (p *project) name() string      { return p.path[strings.LastIndex(p.path, "/")+1:] }

func (s *Server) create(path string, by *user) (*project, error) {
	id := s.id()
	p := &project{
		id: id, path: path, visibility: "private", method: "merge", created: now(), active: now(), creator: by,
		dir: filepath.Join(s.dir, fmt.Sprint(id)+".git"),
	}
	if err := s.git.Init(context.Background(), p.dir); err != nil {
		return nil, err
	}
	s.projects = append(s.projects, p)
	return p, nil
}

// now has as many digits as GitLab's times.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// smart serves git over HTTP.
func (s *Server) smart(w http.ResponseWriter, r *http.Request) {
	name, path, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	_, token, _ := r.BasicAuth()
	s.mu.Lock()
	p, u, level := s.project(name), s.byToken(token), 0
	if p != nil && u != nil {
		level = s.level(u, p.namespace())
	}
	s.mu.Unlock()
	write, is := git.Wants(r, path)
	switch {
	case u == nil:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		http.Error(w, "HTTP Basic: Access denied.", http.StatusUnauthorized)
		return
	case !ok || !is || p == nil || level == 0:
		http.NotFound(w, r)
		return
	case write && (level < Developer || p.archived):
		http.Error(w, "You are not allowed to push code to this project.", http.StatusForbidden)
		return
	}
	before := s.refs(p)
	err := s.git.Serve(w, r, p.dir, git.ServeOptions{
		Path: path, PreReceive: func(context.Context, git.Incoming) error { return nil }, Client: u.login, Write: write,
		Ended: func() { s.moved(p, u, before) },
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *Server) byToken(token string) *user {
	for _, u := range s.users {
		if token != "" && u.token == token {
			return u
		}
	}
	return nil
}
