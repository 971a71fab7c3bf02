package git_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// bench is a served repository and a folder for clients.
type bench struct {
	t    testing.TB
	git  *git.Git
	dir  string // the bare repository
	home string // of the clients
	url  string

	mu      sync.Mutex // the client between a test and the server is no synchronisation
	options git.ServeOptions
}

// serve says how requests are served from now on.
func (b *bench) serve(o git.ServeOptions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.options = o
}

func setup(t testing.TB) *bench {
	t.Helper()
	lacktest.Programs()
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "repo.git"), home: t.TempDir(), options: git.ServeOptions{Write: true}}
	var err error
	if b.git, err = git.New("", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := b.git.Init(t.Context(), b.dir); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		o := b.options
		b.mu.Unlock()
		o.Path = strings.TrimPrefix(r.URL.Path, "/repo.git/")
		if err := b.git.Serve(w, r, b.dir, o); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL + "/repo.git"
	return b
}

// client runs the git program as a user would, and gives what it says.
func (b *bench) client(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(b.t.Context(), "git", args...)
	cmd.Dir = filepath.Join(b.home, dir)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is client for what has to succeed.
func (b *bench) must(dir string, args ...string) string {
	b.t.Helper()
	out, err := b.client(dir, args...)
	if err != nil {
		b.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// refused is client for what has to be refused with a word.
func (b *bench) refused(word, dir string, args ...string) {
	b.t.Helper()
	out, err := b.client(dir, args...)
	if err == nil || !strings.Contains(out, word) {
		b.t.Fatalf("git %s: %v, want a refusal with %q:\n%s", strings.Join(args, " "), err, word, out)
	}
}

func (b *bench) write(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// commit changes a file in a clone and gives the new head.
func (b *bench) commit(clone, name, content string) string {
	b.t.Helper()
	b.write(filepath.Join(clone, name), content)
	b.must(clone, "add", "-A")
	b.must(clone, "commit", "-q", "-m", "change "+name)
	return b.must(clone, "rev-parse", "HEAD")
}

func (b *bench) refs() map[string]string {
	b.t.Helper()
	refs, err := b.git.Refs(b.t.Context(), b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return refs
}

// whole makes sure that the repository is not damaged.
func (b *bench) whole() {
	b.t.Helper()
	if err := b.git.Check(b.t.Context(), b.dir); err != nil {
		b.t.Fatal(err)
	}
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func request(parent string, changes ...git.FileChange) git.CommitRequest {
	return git.CommitRequest{
		Branch: "main", Parent: parent, Message: "change things", Changes: changes,
		Author: git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: noon},
	}
}
