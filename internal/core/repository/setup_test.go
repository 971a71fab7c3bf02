package repository_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if url := os.Getenv("ROADBED_TEST_CHILD"); url != "" {
		child(url, os.Getenv("ROADBED_TEST_DIR"))
		return
	}
	goleak.VerifyTestMain(m)
}

var rooms = []store.Migrations{ledger.Migrations(), access.Migrations(), secret.Migrations(), repository.Migrations()}

// bench is a service with people, served over HTTP, and a folder for git clients. A client's password is the name of
// who it is.
type bench struct {
	*repository.Service
	t       testing.TB
	db      *store.DB
	ledger  *ledger.Ledger
	world   *accesstest.World
	secrets *secret.Service // see reach
	dir     string
	home    string
	url     string
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, setup(t, db, t.TempDir())) }, rooms...)
}

// setup opens the service over a database and a folder. Alice and bob may write in the space default, rita may read it,
// adam administers everything, and carol only develops in the space lab.
func setup(t testing.TB, db *store.DB, dir string) *bench {
	t.Helper()
	b := open(t, db, dir)
	b.world = accesstest.New(t, db, b.access())
	b.world.Space("lab", "default")
	for _, who := range []string{"alice", "bob", "rita", "adam", "carol"} {
		b.world.User(who)
	}
	b.world.Bind("developer", "default", "user:default/alice", "user:default/bob")
	b.world.Bind("developer", "lab", "user:default/carol")
	b.world.Bind("reader", "default", "user:default/rita")
	b.world.Bind("admin", "default", "user:default/adam")
	return b
}

func (b *bench) access() *access.Service {
	return access.New(b.db, b.ledger, time.Now, storetest.Log(b.t))
}

// open is setup on a database that has its people.
func open(t testing.TB, db *store.DB, dir string) *bench {
	t.Helper()
	log := storetest.Log(t)
	g, err := git.New("", log)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: db, ledger: ledger.New(db, time.Now, log), dir: dir, home: t.TempDir()}
	if b.Service, err = repository.New(db, b.access(), b.ledger, g, dir, time.Now, log); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler(b.Service))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func handler(s *repository.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, who, ok := r.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/git/"), ".git/")
		ctx := accesstest.As(who)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(r.Context(), cancel)()
		if err := s.ServeGit(w, r.WithContext(ctx), name, path); err != nil {
			http.Error(w, fault.KindOf(err).String()+": "+fault.Message(err), http.StatusForbidden)
		}
	})
}

func (b *bench) address(who, name string) string {
	return repository.CloneURL(strings.Replace(b.url, "://", "://x:"+who+"@", 1), name)
}

// client runs git as a user would.
func (b *bench) client(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = filepath.Join(b.home, dir)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com",
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (b *bench) must(dir string, args ...string) string {
	b.t.Helper()
	out, err := b.client(dir, args...)
	if err != nil {
		b.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (b *bench) refused(word, dir string, args ...string) {
	b.t.Helper()
	out, err := b.client(dir, args...)
	if err == nil || !strings.Contains(out, word) {
		b.t.Fatalf("git %s: %v, want a refusal with %q:\n%s", strings.Join(args, " "), err, word, out)
	}
}

// commit changes a file in a clone and gives the new head.
func (b *bench) commit(clone, name, content string) string {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.home, clone, name), []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.must(clone, "add", "-A")
	b.must(clone, "commit", "-q", "-m", "change "+name)
	return b.must(clone, "rev-parse", "HEAD")
}

// create makes a repository as alice.
func (b *bench) create(name string) repository.Repository {
	b.t.Helper()
	_, name, _ = strings.Cut(name, "/")
	r, err := b.Create(accesstest.As("alice"), repository.NewRepository{Name: name})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// entries gives what the ledger says of a repository, sealed, oldest first.
func (b *bench) entries(name string) []ledger.Entry {
	b.t.Helper()
	ctx := context.Background()
	for {
		n, err := b.ledger.Seal(ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	var found []ledger.Entry
	for after := int64(0); ; {
		var page []ledger.Entry
		err := b.db.Read(ctx, func(tx *store.Tx) (err error) {
			page, err = b.ledger.List(ctx, tx, ledger.Query{After: after, Ref: repository.Subject(name), Types: []string{"repository.", "mirror."}, Limit: 1000})
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if len(page) == 0 {
			return found
		}
		found = append(found, page...)
		after = page[len(page)-1].Position
	}
}

// pushes gives "actor ref old new platform" of the pushes, hashes shortened.
func (b *bench) pushes(name string) []string {
	b.t.Helper()
	var lines []string
	for _, e := range b.entries(name) {
		if e.Type != "repository.pushed" {
			continue
		}
		var p repository.Push
		if err := json.Unmarshal(e.Data, &p); err != nil {
			b.t.Fatal(err)
		}
		if p.Repository != name || e.Space == "" {
			b.t.Errorf("the entry %s is of %s in space %q", e.Data, p.Repository, e.Space)
		}
		line := e.Actor + " " + p.Ref + " " + short(p.Old) + " " + short(p.New)
		if p.Platform {
			line += " platform"
		}
		lines = append(lines, line)
	}
	return lines
}

func short(hash string) string { return hash[:7] }

// same compares lines.
func (b *bench) same(what string, got []string, want ...string) {
	b.t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
