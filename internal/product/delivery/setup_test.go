package delivery_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

var rooms = []store.Migrations{
	ledger.Migrations(), queue.Migrations(), access.Migrations(), policy.Migrations(), repository.Migrations(), run.Migrations(),
	delivery.Migrations(), node.Migrations(),
}

// bench is the room with real repositories, runs, rights, policies and node around it. The stacks and pipelines, which
// are other products' rooms, are as a test says.
type bench struct {
	*delivery.Service
	t         testing.TB
	db        *store.DB
	ledger    *ledger.Ledger
	taken     int64 // position of the ledger up to which the room has heard
	queue     *queue.Queue
	runs      *run.Service
	hub       worker.Hub
	git       *repository.Service
	node      *node.Node
	world     *accesstest.World
	policies  document.Kind
	documents map[ref.Entity]document.Document
	outside   *outside
	logs      strings.Builder // of all steps
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, setup(t, db)) }, rooms...)
}

func one(t *testing.T) *bench {
	t.Helper()
	return setup(t, storetest.SQLite(t, rooms...))
}

// setup opens the room. Alice develops in the root space, rita may only read it, carol develops in the space lab and
// peter in the space payments.
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
	b := &bench{
		t: t, db: db, ledger: l, queue: queue.New(db, log), documents: map[ref.Entity]document.Document{},
		outside: &outside{outputs: map[ref.Entity]map[string]map[string]delivery.StackOutput{}, versions: map[ref.Entity]string{}, spaces: map[ref.Entity]string{}, states: map[string]delivery.PipelineState{}},
	}
	b.world = accesstest.New(t, db, rights)
	b.world.Space("lab", "default")
	b.world.Space("payments", "default")
	for _, who := range []string{"alice", "rita", "carol", "peter", "adam"} {
		b.world.User(who)
	}
	b.world.Bind("admin", "default", "user:default/adam")
	b.world.Bind("developer", "default", "user:default/alice")
	b.world.Bind("reader", "default", "user:default/rita")
	b.world.Bind("developer", "lab", "user:default/carol")
	b.world.Bind("developer", "payments", "user:default/peter")
	blobs, err := blob.OpenFiles(t.TempDir())
	must(err)
	program, err := git.New("", log)
	must(err)
	b.git, err = repository.New(db, rights, l, program, t.TempDir(), time.Now, log)
	must(err)
	executor, err := process.New(t.TempDir(), log)
	must(err)
	t.Cleanup(executor.Close)
	b.node, err = node.New(node.Options{
		Dir: shortDir(t), DB: db, Executor: executor, Images: folders{}, Now: time.Now, Log: log, CrashDelay: 20 * time.Millisecond, Shutdown: 5 * time.Second,
	})
	must(err)
	decisions := policy.New(db, blobs, rights, l, time.Now, log)
	b.policies = policy.Kinds(decisions)[0]
	b.runs = run.NewService(run.Deps{DB: db, Ledger: l, Blob: blobs, Access: rights, Tokens: noTokens{}, Now: time.Now, Log: log})
	b.hub = b.runs.Hub(b.git.Platform())
	b.Service = delivery.New(delivery.Deps{
		DB: db, Ledger: l, Queue: b.queue, Blob: blobs, Access: rights, Policy: decisions, Runs: b.runs, Repositories: b.git.Platform(),
		Stacks: b.outside, Pipelines: b.outside, Clusters: map[string]cluster.Cluster{delivery.LocalCluster: b.node}, Addresses: []string{"https://roadbed.test"}, Now: time.Now, Log: log,
	})
	return b
}

type noTokens struct{}

func (noTokens) Workload(context.Context, *store.Tx, string, string, string, []string, time.Duration) (string, error) {
	return "", nil
}
func (noTokens) EndWorkload(context.Context, *store.Tx, string) error { return nil }

// outside is what other products' rooms say: outputs of stacks and states of pipelines.
type outside struct {
	mu       sync.Mutex
	outputs  map[ref.Entity]map[string]map[string]delivery.StackOutput // by version
	versions map[ref.Entity]string
	spaces   map[ref.Entity]string
	states   map[string]delivery.PipelineState // by commit; none when it is not there
}

func (o *outside) Outputs(_ context.Context, stack ref.Entity, want string) (map[string]delivery.StackOutput, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if want == "" {
		want = o.versions[stack]
	}
	outputs, ok := o.outputs[stack][want]
	if want != "" && !ok {
		return nil, "", fault.Errorf(fault.NotFound, "outputs %s of %s", want, stack)
	}
	return maps.Clone(outputs), want, nil
}

func (o *outside) SpaceOf(_ context.Context, stack ref.Entity) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	space, ok := o.spaces[stack]
	if !ok {
		return "", fault.Errorf(fault.NotFound, "%s", stack)
	}
	return space, nil
}

func (o *outside) Pipeline(_ context.Context, _, _, commit string) (delivery.PipelineState, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if state, ok := o.states[commit]; ok {
		return state, "run_pipeline", nil
	}
	return delivery.PipelineNone, "", nil
}

func (o *outside) pipeline(commit string, state delivery.PipelineState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.states[commit] = state
}

// stack makes a stack of a space whose newest state has these outputs; a name with a ! is sensitive. It says so in the
// ledger, as product/stack does.
func (b *bench) stack(name, space, version string, outputs map[string]string) {
	b.t.Helper()
	r := ref.Entity{Kind: "stack", Namespace: "default", Name: name}
	b.outside.mu.Lock()
	b.outside.spaces[r], b.outside.versions[r] = space, version
	if b.outside.outputs[r] == nil {
		b.outside.outputs[r] = map[string]map[string]delivery.StackOutput{}
	}
	values := map[string]delivery.StackOutput{}
	b.outside.outputs[r][version] = values
	for key, value := range outputs {
		raw, _ := json.Marshal(value)
		plain := strings.TrimSuffix(key, "!")
		values[plain] = delivery.StackOutput{Value: raw, Sensitive: plain != key}
	}
	b.outside.mu.Unlock()
	b.write(func(tx *store.Tx) error {
		_, err := b.ledger.Append(actor.AsSystem(b.t.Context()), tx, ledger.Entry{Space: space, Type: "stack.outputs-changed", Subject: r.String(), Data: json.RawMessage("{}")})
		return err
	})
}

func (b *bench) write(fn func(tx *store.Tx) error) {
	b.t.Helper()
	if err := b.db.Write(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// start runs the node, so that there are pods, until the test ends.
func (b *bench) start() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.node.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("node: %v", err)
		}
	})
}

// follow lets the room watch the cluster until the given function is called.
func (b *bench) follow() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("follow: %v", err)
		}
	}
}

// ask sends a GET through the node's proxy.
func (b *bench) ask(host string) (int, string) {
	w := httptest.NewRecorder()
	b.node.Ingress().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+host+"/", nil))
	return w.Code, w.Body.String()
}

// folders are images that lie in folders: registry.local/team/shop:TAG is the program of clustertest.
type folders struct{}

func (folders) Unpack(_ context.Context, image, dest string) (node.ImageConfig, error) {
	if !strings.HasPrefix(image, "registry.local/team/shop") {
		return node.ImageConfig{}, fault.Errorf(fault.NotFound, "there is no image %s", image)
	}
	if err := os.Mkdir(dest, 0o755); err != nil {
		return node.ImageConfig{}, err
	}
	data, err := os.ReadFile(filepath.Join(os.Getenv(built), "app"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dest, "app"), data, 0o700)
	}
	return node.ImageConfig{Digest: "sha256:1", Entrypoint: []string{"/app"}, Ports: []int{8080}}, err
}

// shortDir gives a folder whose path leaves room for the names of sockets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
