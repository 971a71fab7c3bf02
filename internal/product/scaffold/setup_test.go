package scaffold_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rooms = []store.Migrations{ledger.Migrations(), access.Migrations(), repository.Migrations(), run.Migrations(), scaffold.Migrations()}

// bench is the room with real repositories, runs, rights and blobs around it, and a catalog that knows what the tests put in.
type bench struct {
	*scaffold.Service
	t       testing.TB
	db      *store.DB
	runs    *run.Service
	hub     worker.Hub
	git     *repository.Service
	catalog *shelf
	world   *accesstest.World
	people  *people
	faults  *faults
	cutOff  string        // what the job holds whose next report a kill cuts off
	late    time.Duration // how much later than it is the room thinks it is
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, setup(t, db)) }, rooms...)
}

func one(t *testing.T) *bench {
	t.Helper()
	return setup(t, storetest.SQLite(t, rooms...))
}

// setup opens the room. Alice develops in the root space, rita may only read it, carol develops in the space lab alone.
func setup(t testing.TB, db *store.DB) *bench {
	t.Helper()
	log := storetest.Log(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l := ledger.New(db, time.Now, log)
	rights := access.New(db, l, time.Now, log)
	b := &bench{t: t, db: db, people: &people{map[string]bool{}, map[string]bool{}}, faults: &faults{}}
	b.world = accesstest.New(t, db, rights)
	b.world.Space("lab", "default")
	for _, who := range []string{"alice", "bob", "rita", "adam", "carol"} {
		b.world.User(who)
	}
	b.world.Bind("developer", "default", "user:default/alice", "user:default/bob")
	b.world.Bind("developer", "lab", "user:default/carol")
	b.world.Bind("reader", "default", "user:default/rita")
	b.world.Bind("admin", "default", "user:default/adam")
	blobs, err := blob.OpenFiles(t.TempDir())
	must(err)
	keeper, err := secret.OpenKeeper(t.TempDir())
	must(err)
	program, err := git.New("", log)
	must(err)
	b.git, err = repository.New(db, rights, l, program, t.TempDir(), time.Now, log)
	must(err)
	b.runs = run.NewService(run.Deps{DB: db, Ledger: l, Blob: blobs, Access: rights, Tokens: noTokens{}, Now: time.Now, Log: log})
	b.hub = b.runs.Hub(b.git.Platform())
	b.catalog = &shelf{git: b.git, rights: rights, entities: map[ref.Entity]scaffold.Entity{}, locations: map[string][]ref.Entity{}, faults: b.faults}
	b.Service, err = scaffold.New(scaffold.Deps{
		DB: db, Ledger: l, Blob: blobs, Access: rights, Runs: b.runs, Repositories: repositories{b.git, b.faults}, Catalog: b.catalog,
		People: b.people, Seal: keeper, BaseURL: func() string { return "https://roadbed.test" }, Log: log,
		Now: func() time.Time { return time.Now().Add(b.late) },
	})
	must(err)
	return b
}

type noTokens struct{}

func (noTokens) Workload(context.Context, *store.Tx, string, string, string, []string, time.Duration) (string, error) {
	return "", nil
}
func (noTokens) EndWorkload(context.Context, *store.Tx, string) error { return nil }

// people knows everybody that accesstest does, save who is gone, and which tokens have ended.
type people struct{ gone, ended map[string]bool }

func (p *people) Resume(_ context.Context, who actor.Principal) (actor.Principal, error) {
	if p.ended[who.Token] {
		return who, fault.Errorf(fault.Unauthenticated, "the token or session has ended; sign in again")
	}
	return who, nil
}

func (p *people) Principal(_ context.Context, id string) (actor.Principal, error) {
	for _, name := range []string{"alice", "bob", "rita", "adam", "carol"} {
		if who := actor.From(accesstest.As(name)); who.ID == id && !p.gone[name] {
			return who, nil
		}
	}
	return actor.Principal{}, fault.Errorf(fault.NotFound, "no principal %s", id)
}

// faults stops the server (as far as the code under test can tell) right after the n-th change to the world outside.
type faults struct {
	mu    sync.Mutex
	count int
	at    int  // 0: never
	fails bool // the change is told as failed, and the server lives on
}

var errCrash = errors.New("the server was killed")

func (f *faults) changed(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if err == nil && f.count == f.at {
		return errCrash
	}
	return err
}

// repositories is the real room behind the interface, as the server joins them.
type repositories struct {
	*repository.Service
	faults *faults
}

func (r repositories) Create(ctx context.Context, n scaffold.NewRepository) error {
	_, err := r.Service.Create(ctx, repository.NewRepository{
		ID: n.ID, Space: n.Space, Namespace: n.Namespace, Name: n.Name, Description: n.Description, DefaultBranch: n.DefaultBranch,
	})
	return r.faults.changed(err)
}

func (r repositories) NewRepositoryID() string { return repository.NewID(time.Now()) }

func (r repositories) Describe(ctx context.Context, name string) (scaffold.Repository, error) {
	found, err := r.Service.Get(ctx, name)
	return scaffold.Repository{ID: found.ID, Space: found.Space, DefaultBranch: found.DefaultBranch, Head: found.Head, Creator: found.CreatedBy}, err
}

func (r repositories) Commit(ctx context.Context, name string, c git.CommitRequest) (string, error) {
	commit, err := r.Service.CommitFiles(ctx, name, c)
	return commit, r.faults.changed(err)
}

func (r repositories) Log(ctx context.Context, name, revision string, limit int) ([]git.Commit, error) {
	part, err := r.Service.Log(ctx, name, revision, "", page.Request{Limit: limit})
	return part.Items, err
}

func (r repositories) DeleteUnchanged(ctx context.Context, name, id string, refs map[string]string) error {
	return r.faults.changed(r.Service.DeleteUnchanged(ctx, name, id, refs))
}

func (r repositories) ArchiveAt(ctx context.Context, name, commit, folder string) (io.ReadCloser, error) {
	return r.Platform().ArchiveAt(ctx, name, commit, folder)
}

func (r repositories) FileAt(ctx context.Context, name, commit, file string, limit int64) ([]byte, error) {
	return r.Platform().ReadFile(ctx, name, commit, file, limit)
}

// shelf is a small catalog: it reads a file of a repository once, when it is registered.
type shelf struct {
	git       *repository.Service
	rights    *access.Service
	faults    *faults
	mu        sync.Mutex
	entities  map[ref.Entity]scaffold.Entity
	locations map[string][]ref.Entity
}

func (s *shelf) Get(ctx context.Context, r ref.Entity) (scaffold.Entity, error) {
	s.mu.Lock()
	e, ok := s.entities[r]
	s.mu.Unlock()
	if !ok {
		return e, access.NotFound(r.String())
	}
	return e, s.rights.ReadOrNotFound(ctx, "entity:read", e.Space, r.String())
}

func (s *shelf) Register(ctx context.Context, space string, l scaffold.Location) (scaffold.Registered, error) {
	if err := s.rights.Authorize(ctx, "location:write", space); err != nil {
		return scaffold.Registered{}, err
	}
	id := l.Repository + ":" + l.Path
	s.mu.Lock()
	defer s.mu.Unlock()
	_, existed := s.locations[id]
	out := scaffold.Registered{ID: "loc_" + id, Existed: existed}
	commit, err := s.git.Platform().Head(ctx, l.Repository, "")
	var data []byte
	if err == nil {
		data, err = s.git.Platform().ReadFile(ctx, l.Repository, commit, l.Path, 1<<20)
	}
	if err != nil {
		out.Error = fault.Message(err)
		s.locations[id] = nil
		return out, s.faults.changed(nil)
	}
	documents, err := document.Parse(l.Path, data, document.Limits{})
	if err != nil {
		out.Error = err.Error()
	}
	for _, d := range documents {
		out.Entities = append(out.Entities, d.Ref())
		s.entities[d.Ref()] = scaffold.Entity{Ref: d.Ref(), Space: space, Document: d, Repository: l.Repository, Commit: commit, Path: l.Path}
	}
	s.locations[id] = out.Entities
	return out, s.faults.changed(nil)
}

func (s *shelf) Unregister(_ context.Context, location string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.TrimPrefix(location, "loc_")
	entities, ok := s.locations[id]
	if !ok {
		return access.NotFound("location " + location)
	}
	for _, e := range entities {
		delete(s.entities, e)
	}
	delete(s.locations, id)
	return s.faults.changed(nil)
}

// template puts files into a repository of the platform's and registers its template.yaml files.
func (b *bench) template(space string, files map[string]string) string {
	b.t.Helper()
	ctx := actor.AsSystem(context.Background())
	name := "paths-" + strings.ToLower(path.Base(b.t.Name())) + "-" + space
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
	if _, err := b.git.Create(ctx, repository.NewRepository{Space: space, Namespace: "golden", Name: name}); err != nil {
		b.t.Fatal(err)
	}
	var changes []git.FileChange
	for file, content := range files {
		changes = append(changes, git.FileChange{Path: file, Content: []byte(content)})
	}
	_, err := b.git.CommitFiles(ctx, "golden/"+name, git.CommitRequest{
		Branch: "main", Message: "golden paths", Changes: changes, Author: git.Signature{Name: "P", Email: "p@x", When: time.Now()},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	for file := range files {
		if path.Base(file) == "template.yaml" {
			if got, err := b.catalog.Register(ctx, space, scaffold.Location{Repository: "golden/" + name, Path: file}); err != nil || got.Error != "" {
				b.t.Fatal(err, got.Error)
			}
		}
	}
	b.faults.count = 0
	return "golden/" + name
}

// filesOf gives the files below a folder by their paths in it.
func filesOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// drain does the steps of all runs until none is ready. After a crash the worker's steps are taken from it, as at the
// start of a server.
func (b *bench) drain() {
	b.t.Helper()
	ctx := actor.AsSystem(context.Background())
	for {
		lease, err := b.hub.Lease(ctx, "server-1", run.ServerPool, worker.KindPlatform, 0)
		if err != nil {
			b.t.Fatal(err)
		}
		if lease == nil {
			return
		}
		var log strings.Builder
		result, err := b.Handlers()[lease.Job.Action](ctx, *lease, &log)
		if err == nil && result.ExitCode != 0 && b.faults.count == b.faults.at && b.faults.at > 0 && !b.faults.fails {
			b.faults.at = 0
			if err := b.runs.Release(ctx, "server-1"); err != nil {
				b.t.Fatal(err)
			}
			continue
		}
		if err != nil {
			b.t.Fatalf("handler: %v", err)
		}
		if err := b.hub.Log(ctx, lease.ID, 0, []byte(log.String())); err != nil {
			b.t.Fatal(err)
		}
		if b.cutOff != "" && strings.Contains(lease.Job.Action+string(lease.Job.Input), b.cutOff) {
			b.cutOff = ""
			if err := b.runs.Release(ctx, "server-1"); err != nil {
				b.t.Fatal(err)
			}
			continue
		}
		if err := b.hub.Report(ctx, lease.ID, result); err != nil {
			b.t.Fatal(err)
		}
	}
}

// use starts a golden path as somebody and does its steps.
func (b *bench) use(who string, n scaffold.NewRun) run.Detail {
	b.t.Helper()
	id, err := b.Start(accesstest.As(who), n)
	if err != nil {
		b.t.Fatalf("start: %v", err)
	}
	b.drain()
	return b.detail(id)
}

func (b *bench) detail(id string) run.Detail {
	b.t.Helper()
	d, err := b.runs.Detail(accesstest.As("adam"), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// file gives a file of a repository's head.
func (b *bench) file(repository, name string) string {
	b.t.Helper()
	data, err := b.git.ReadFile(accesstest.As("adam"), repository, "", name, 1<<20)
	if err != nil {
		b.t.Fatalf("%s of %s: %v", name, repository, err)
	}
	return string(data)
}

func output(t testing.TB, r run.Run) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(r.Output, &out); err != nil {
		t.Fatalf("output %s: %v", r.Output, err)
	}
	return out
}
