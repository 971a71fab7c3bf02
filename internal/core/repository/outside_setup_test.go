package repository_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// away is a forge with one repository, served by git. The server's stories use a real forge; what is told here is what
// this room makes of what a forge says.
type away struct {
	t   testing.TB
	git *git.Git
	dir string
	url string

	mu       sync.Mutex
	there    forge.Repository
	fails    error
	unseen   error // in place of content
	leaves   bool  // after it said what the repository is
	cut      bool  // lists of files are
	unmarked bool  // it gives no ETag, as Gitea
	terms    repository.Terms
	password string
	asked    atomic.Int64 // by the API
	same     atomic.Int64 // answers that nothing has changed
	api      *http.Client
	lists    atomic.Int64 // by git, for references
	packs    atomic.Int64 // by git, for objects
	spoken   atomic.Int64 // by git, for either, with the credentials that the room was given
	gate     atomic.Pointer[func()]
}

func newAway(t testing.TB) *away {
	t.Helper()
	a := &away{t: t, dir: filepath.Join(t.TempDir(), "shop.git"), password: "rbt_secret"}
	var err error
	if a.git, err = git.New("", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := a.git.Init(t.Context(), a.dir); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api" {
			a.answer(w, r)
			return
		}
		a.mu.Lock()
		password := a.password
		a.mu.Unlock()
		if _, given, _ := r.BasicAuth(); given != password {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		if user, _, _ := r.BasicAuth(); user == "token" {
			a.spoken.Add(1)
		}
		_, path, _ := strings.Cut(r.URL.Path, ".git/")
		switch path {
		case git.PathInfoRefs:
			a.lists.Add(1)
		case git.PathUploadPack:
			a.packs.Add(1)
		}
		if gate := a.gate.Load(); gate != nil {
			(*gate)()
		}
		if err := a.git.Serve(w, r, a.dir, git.ServeOptions{Write: true, Path: path}); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	a.there = thereAtFirst()
	if a.api, err = apiAt(a.url); err != nil {
		t.Fatal(err)
	}
	return a
}

func apiAt(url string) (*http.Client, error) {
	transport, err := forge.NewTransport(forge.TransportOptions{URL: url})
	return &http.Client{Transport: transport}, err
}

// answer says what the repository is, once.
func (a *away) answer(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	text, err := json.Marshal(a.there)
	a.mu.Unlock()
	if err != nil {
		a.t.Error(err)
	}
	mark := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(text)))
	a.mu.Lock()
	unmarked := a.unmarked
	a.mu.Unlock()
	if !unmarked {
		w.Header().Set("ETag", mark)
	}
	if r.Header.Get("If-None-Match") == mark {
		a.same.Add(1)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(text) // who has gone is told by the test
}

func thereAtFirst() forge.Repository {
	return forge.Repository{ID: "7", Name: "acme/Shop", DefaultBranch: "main", URL: "https://forge.example.com/acme/Shop", Changed: time.Unix(1000, 0)}
}

func (a *away) Forge(_ context.Context, integration string) (forge.Forge, error) {
	if integration != "default/forge" {
		return nil, fault.Errorf(fault.NotFound, "there is no integration %s", integration)
	}
	return awayForge{away: a}, nil
}

func (a *away) Use(ctx context.Context, integration string) error {
	if integration != "default/forge" || actor.From(ctx).ID == accesstestID("carol") {
		return fault.Errorf(fault.NotFound, "there is no integration %s", integration)
	}
	return nil
}

func (a *away) Terms(context.Context, string) (repository.Terms, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.terms, nil
}

func accesstestID(who string) string { return actor.From(accesstest.As(who)).ID }

func (a *away) Account(_ context.Context, _ *store.Tx, host, login string) (string, error) {
	if host == "forge.example.com" && login == "bob-at-forge" {
		return accesstestID("bob"), nil
	}
	return "", nil
}

// awayForge is what the room asks of a forge.
type awayForge struct {
	forge.Forge // what is not below is not asked for
	*away
}

func (a awayForge) GetRepository(ctx context.Context, name string) (r forge.Repository, err error) {
	a.asked.Add(1)
	a.mu.Lock()
	fails := a.fails
	a.mu.Unlock()
	if fails != nil {
		return r, fails
	}
	if name == "acme/gone" {
		return r, fault.Errorf(fault.NotFound, "there is no repository %s", name)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"/api", nil)
	if err != nil {
		return r, err
	}
	answer, err := a.api.Do(request)
	if err != nil {
		return r, err
	}
	defer answer.Body.Close()
	a.set(func(a *away) {
		if a.leaves {
			a.fails = fault.Errorf(fault.NotFound, "there is no repository %s", name)
		}
	})
	return r, json.NewDecoder(answer.Body).Decode(&r)
}

func (a awayForge) ListRepositories(_ context.Context, owner string, part page.Request) (page.Of[forge.Repository], error) {
	if owner == "empty" {
		return page.Of[forge.Repository]{}, nil
	}
	if owner == "other" {
		if part.Cursor == "" {
			return page.Of[forge.Repository]{Items: []forge.Repository{{ID: "9", Name: "other/one"}}, Next: "1"}, nil
		}
		return page.Of[forge.Repository]{Items: []forge.Repository{{ID: "10", Name: "other/two"}}}, nil
	}
	return page.Of[forge.Repository]{Items: []forge.Repository{a.there, {ID: "8", Name: "acme/other"}}}, nil
}

func (a awayForge) Clone(context.Context, string) (forge.Clone, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return forge.Clone{URL: a.url + "/acme/shop.git", Username: "token", Password: "rbt_secret"}, nil
}

// set changes what the forge says.
func (a *away) set(fn func(a *away)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn(a)
}

func (a *away) address() string {
	return strings.Replace(a.url, "://", "://x:"+a.password+"@", 1) + "/acme/shop.git"
}

func (a *away) refs() map[string]string {
	a.t.Helper()
	refs, err := a.git.Refs(context.Background(), a.dir)
	if err != nil {
		a.t.Fatal(err)
	}
	return refs
}

// outside is a bench whose repository default/shop lives at a forge, and a clone of that.
func outside(t *testing.T, fn func(t *testing.T, b *bench, a *away)) {
	t.Helper()
	each(t, func(t *testing.T, b *bench) {
		a := newAway(t)
		b.Join(repository.OutsideOptions{Forges: a, Accounts: a})
		b.must("", "clone", "-q", a.address(), "work")
		fn(t, b, a)
	})
}

// connect makes default/shop, and fetches it.
func (b *bench) connect() repository.Repository {
	b.t.Helper()
	ctx := accesstest.As("alice")
	if _, err := b.Connect(ctx, repository.NewOutside{Integration: "default/forge", Remote: "acme/Shop"}); err != nil {
		b.t.Fatal(err)
	}
	return b.fetch()
}

func (b *bench) fetch() repository.Repository {
	b.t.Helper()
	r, err := b.Fetch(accesstest.As("alice"), "default/shop")
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// mirrors makes sure that forge, mirror and rows say the same, and that the mirror is whole.
func (b *bench) mirrors(a *away, r repository.Repository) {
	b.t.Helper()
	rows, err := b.Refs(accesstest.As("adam"), "default/shop")
	if err != nil {
		b.t.Fatal(err)
	}
	mirror, err := a.git.Refs(context.Background(), filepath.Join(b.dir, r.ID+".git"))
	if err != nil {
		b.t.Fatal(err)
	}
	there := map[string]string{}
	for name, hash := range a.refs() {
		if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
			there[name] = hash
		}
	}
	if len(rows) != len(there) || len(mirror) != len(there) {
		b.t.Errorf("the forge has %v, the mirror %v, the rows %v", there, mirror, rows)
	}
	for _, row := range rows {
		if there[row.Name] != row.Hash || mirror[row.Name] != row.Hash {
			b.t.Errorf("%s is at %q at the forge, at %q in the mirror and at %s in the rows", row.Name, there[row.Name], mirror[row.Name], row.Hash)
		}
	}
	if out, err := exec.Command("git", "--git-dir="+filepath.Join(b.dir, r.ID+".git"), "fsck", "--full", "--strict").CombinedOutput(); err != nil {
		b.t.Errorf("git fsck: %v\n%s", err, out)
	}
}

// types gives the types of the entries of default/shop.
func (b *bench) types() (types []string) {
	b.t.Helper()
	for _, e := range b.entries("default/shop") {
		types = append(types, strings.TrimPrefix(e.Type, "repository."))
	}
	return types
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
