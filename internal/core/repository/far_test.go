package repository_test

import (
	"context"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/outbound"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// far is another machine's repository, as git's own program serves it to who knows its password.
type far struct {
	t        testing.TB
	dir, url string
	work     string // a clone that pushes to it past the server
	password atomic.Value
	before   atomic.Pointer[func(w http.ResponseWriter, r *http.Request) (done bool)]
}

func newFar(t testing.TB) *far {
	t.Helper()
	root := t.TempDir()
	f := &far{t: t, dir: filepath.Join(root, "shop.git"), work: filepath.Join(root, "work")}
	f.git(root, "init", "-q", "--bare", "-b", "trunk", f.dir)
	f.git(root, "--git-dir="+f.dir, "config", "http.receivepack", "true")
	f.git(root, "clone", "-q", f.dir, f.work)
	path, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{Path: path, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + root}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := f.before.Load(); before != nil && (*before)(w, r) {
			return
		}
		want, _ := f.password.Load().(string)
		if _, given, _ := r.BasicAuth(); want != "" && given != want {
			w.Header().Set("WWW-Authenticate", `Basic realm="far"`)
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL + "/shop.git"
	return f
}

func (f *far) git(dir string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + f.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Fay", "GIT_AUTHOR_EMAIL=fay@example.com", "GIT_COMMITTER_NAME=Fay", "GIT_COMMITTER_EMAIL=fay@example.com",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit changes a file there and pushes it to references; it gives the commit.
func (f *far) commit(content string, refs ...string) string {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.work, "x"), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.git(f.work, "add", "-A")
	f.git(f.work, "commit", "-q", "-m", content)
	for _, ref := range refs {
		f.git(f.work, "push", "-q", "-f", "origin", "HEAD:"+ref)
	}
	return f.git(f.work, "rev-parse", "HEAD")
}

// refs gives what is there, as "name commit" lines.
func (f *far) refs() string {
	f.t.Helper()
	return f.git(f.dir, "for-each-ref", "--format=%(refname) %(objectname)")
}

// reach lets the service reach this machine, and nothing else that is not public.
func (b *bench) reach() *outbound.Proxy {
	b.t.Helper()
	guard, err := outbound.New(outbound.Options{Allow: "127.0.0.1"})
	if err != nil {
		b.t.Fatal(err)
	}
	proxy, err := guard.Proxy(storetest.Log(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = proxy.Close() })
	keeper, err := secret.OpenKeeper(b.dir + ".keys")
	if err != nil {
		b.t.Fatal(err)
	}
	b.secrets = secret.New(b.db, b.access(), b.ledger, keeper, time.Now)
	b.Reaches(repository.Reach{Check: guard.Check, Proxy: proxy.URL(), HTTP: guard.Transport(), Seal: keeper, Secrets: b.secrets})
	return proxy
}

// reaches is reach, and runs the service.
func (b *bench) reaches() {
	b.t.Helper()
	b.runs(b.reach().Run)
	b.runs(b.Service.Run)
}

// runs has something live as long as the test.
func (b *bench) runs(live func(ctx context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = live(ctx)
	}()
	b.t.Cleanup(func() { stop(); <-ended })
}

// until gives a repository as adam sees it, once it is as wished.
func (b *bench) until(name string, wished func(r repository.Repository) bool) repository.Repository {
	b.t.Helper()
	var r repository.Repository
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var err error
		if r, err = b.Get(accesstest.As("adam"), name); err == nil && wished(r) {
			return r
		}
		<-time.After(20 * time.Millisecond)
	}
	b.t.Fatalf("%s never came to be as wished: %+v, %+v", name, r, r.Import)
	return r
}

func inState(state string) func(r repository.Repository) bool {
	return func(r repository.Repository) bool { return r.Import != nil && r.Import.State == state }
}

// kept gives one value of the database.
func kept[T any](b *bench, query string) (value T) {
	b.t.Helper()
	if err := b.db.Read(b.t.Context(), func(tx *store.Tx) error { return tx.QueryRow(b.t.Context(), query).Scan(&value) }); err != nil {
		b.t.Fatal(err)
	}
	return value
}
