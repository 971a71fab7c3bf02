package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// stubs of rooms that this one only passes through.
type tokens struct{}

func (tokens) Workload(_ context.Context, _ *store.Tx, _, step, _ string, _ []string, _ time.Duration) (string, error) {
	return "rbw_" + step, nil
}
func (tokens) EndWorkload(context.Context, *store.Tx, string) error { return nil }

type secrets struct{}

func (secrets) Hand(_ context.Context, _ *store.Tx, _ string, refs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, r := range refs {
		out[r] = "hunter22"
	}
	return out, nil
}

type archives struct{}

func (archives) ArchiveAt(context.Context, string, string, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("")), nil
}

// catalog gives WorkflowTemplates as the catalog does: a text and a space by name.
type catalog map[string][2]string

func (c catalog) WorkflowTemplate(_ context.Context, _ *store.Tx, name string) (document.Document, string, error) {
	entry, found := c[name]
	if !found {
		return document.Document{}, "", fault.Errorf(fault.NotFound, "no such template")
	}
	documents, err := document.Parse(name, []byte(entry[0]), document.Limits{})
	if err != nil {
		return document.Document{}, "", err
	}
	return documents[0], entry[1], nil
}

type bundle struct {
	db    *store.DB
	s     *workflow.Service
	runs  *run.Service
	hub   worker.Hub
	clock *clock
	calls *[]workflow.PluginCall
	blobs string // folder
}

func setup(t *testing.T, db *store.DB, templates catalog) bundle {
	t.Helper()
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l := ledger.New(db, c.Now, slog.Default())
	dir := t.TempDir()
	blobs, err := blob.OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := access.New(db, l, c.Now, slog.Default())
	w := accesstest.New(t, db, a)
	w.SetUp()
	w.Space("payments", "default")
	w.Space("other", "default")
	w.User("dev")
	w.User("reader")
	w.Bind("developer", "payments", "user:default/dev")
	w.Bind("reader", "payments", "user:default/reader")
	b := bundle{db: db, clock: c, calls: &[]workflow.PluginCall{}, blobs: dir}
	b.runs = run.NewService(run.Deps{DB: db, Ledger: l, Blob: blobs, Access: a, Tokens: tokens{}, Secrets: secrets{}, Seal: keeper, Now: c.Now, Log: slog.Default()})
	b.s = workflow.New(workflow.Deps{
		DB: db, Access: a, Runs: b.runs, Templates: templates, Now: c.Now, Log: slog.Default(),
		Plugins: map[string]workflow.Plugin{"note": {
			Check: func(args json.RawMessage) error {
				if !strings.Contains(string(args), "text") {
					return fault.Errorf(fault.Invalid, "note wants text")
				}
				return nil
			},
			Do: func(_ context.Context, lease worker.Lease, _ io.Writer) (worker.Result, error) {
				var call workflow.PluginCall
				err := json.Unmarshal(lease.Job.Input, &call)
				*b.calls = append(*b.calls, call)
				return worker.Result{Outputs: map[string]string{"id": "note-1"}}, err
			},
		}},
		Policy: notOneself{},
	})
	b.hub = b.runs.Hub(archives{})
	return b
}

func rooms() []store.Migrations {
	return []store.Migrations{ledger.Migrations(), access.Migrations(), run.Migrations()}
}

// notOneself is an approval policy.
type notOneself struct{}

func (notOneself) Approved(_ context.Context, _ string, input map[string]any, _ policy.Refs) error {
	if input["session"].(map[string]any)["login"] == input["run"].(map[string]any)["author"] {
		return fault.Errorf(fault.Denied, "nobody approves their own run")
	}
	return nil
}

func as(t *testing.T, name string) context.Context {
	return actor.With(t.Context(), actor.Principal{ID: "pri_" + name, Kind: actor.User, Ref: ref.New("user", "default", name), Name: name})
}

// do leases the next step of a pool, which must be of that node, and reports.
func (b bundle) do(t *testing.T, pool, node string, r worker.Result) *worker.Lease {
	t.Helper()
	kind := worker.KindCommand
	if pool == run.ServerPool {
		kind = worker.KindPlatform
	}
	l, err := b.hub.Lease(t.Context(), "w", pool, kind, 0)
	if err != nil || l == nil {
		t.Fatalf("lease of %s: %v, %v", node, l, err)
	}
	got := l.Job.Env["ROADBED_NODE"]
	if handler := b.s.Handlers()[l.Job.Action]; handler != nil {
		if r, err = handler(t.Context(), *l, io.Discard); err != nil {
			t.Fatal(err)
		}
		got = (*b.calls)[len(*b.calls)-1].Node
	}
	if got != node {
		t.Fatalf("leased %q, want %s", got, node)
	}
	if err := b.hub.Report(t.Context(), l.ID, r); err != nil {
		t.Fatal(err)
	}
	return l
}

func (b bundle) want(t *testing.T, id, state string) run.Run {
	t.Helper()
	d, err := b.runs.Detail(actor.AsSystem(t.Context()), id)
	if err != nil {
		t.Fatal(err)
	}
	if d.Run.State != state {
		t.Fatalf("the run is %s (%s), want %s", d.Run.State, d.Run.Reason, state)
	}
	return d.Run
}

const pipeline = `
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: shop}
spec:
  entrypoint: main
  arguments: {parameters: [{name: commit}, {name: goflags, value: -race}]}
  templates:
    - name: main
      dag:
        tasks:
          - {name: test, template: go, arguments: {parameters: [{name: args, value: "test {{workflow.parameters.goflags}}"}]}}
          - {name: pack, depends: test, template: pack}
          - {name: ask, depends: pack, template: ask}
          - {name: note, depends: ask, template: note, arguments: {parameters: [{name: digest, value: "{{tasks.pack.outputs.parameters.digest}}"}]}}
    - name: go
      inputs: {parameters: [{name: args}]}
      metadata:
        annotations: {roadbed.dev/tools: go, roadbed.dev/caches: go-build=/cache/go-build, roadbed.dev/checkout: /work/src}
      container: {image: golang, command: [sh, -c], args: ["go {{inputs.parameters.args}} ./..."], resources: {limits: {memory: 1Gi, cpu: 500m}}}
    - name: pack
      metadata:
        annotations: {roadbed.dev/tools: "go,roadbed", roadbed.dev/checkout: /work/src, roadbed.dev/door: "true", roadbed.dev/scopes: "artifact:write,artifact:read"}
      activeDeadlineSeconds: 60
      container:
        image: x
        command: [roadbed, image, pack]
        env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: signing, key: token}}}]
      outputs: {parameters: [{name: digest, valueFrom: {path: /work/digest}}]}
    - {name: ask, suspend: {}}
    - name: note
      inputs: {parameters: [{name: digest}]}
      plugin: {roadbed/note: {text: "made {{inputs.parameters.digest}}"}}
      outputs: {parameters: [{name: id}]}
`

func submission(key string) workflow.Submission {
	return workflow.Submission{
		Space: "payments", File: ".roadbed/pipeline.yaml", Document: []byte(pipeline), Subject: "component:default/shop", Key: key,
		Source: run.Source{Repository: "team/shop", Commit: "c0ffee", Ref: "refs/heads/main"},
	}
}

func (b bundle) status(t *testing.T) (status workflow.Status) {
	t.Helper()
	err := b.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		status, err = b.s.PipelineStatus(t.Context(), tx, "team/shop", "c0ffee")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func TestAPipelineFromPushToEnd(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, nil)
		if got := b.status(t); got != workflow.StatusNone {
			t.Errorf("before: %s", got)
		}
		r, err := b.s.Submit(as(t, "dev"), submission("trigger:1"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.s.SubmitFor(as(t, "dev"), submission("trigger:1"))
		if err != nil || again.ID != r.ID {
			t.Errorf("the same key gives run %s, %v; want %s", again.ID, err, r.ID)
		}
		if got := b.status(t); got != workflow.StatusRunning {
			t.Errorf("meanwhile: %s", got)
		}
		l := b.do(t, run.DefaultPool, "main.test", worker.Result{})
		if got := strings.Join(l.Job.Argv, " "); got != "sh -c go test -race ./..." || l.Job.Dir != "/work/src" || l.Job.Limits.Memory != 1<<30 || l.Job.Limits.CPU != 500 {
			t.Errorf("job = %+v", l.Job)
		}
		if len(l.Job.Sources) != 1 || l.Job.Sources[0].Commit != "c0ffee" || l.Job.Sources[0].Path != "src" || l.Job.Caches[0].Path != "/cache/go-build" || l.Job.Door {
			t.Errorf("job = %+v", l.Job)
		}
		l = b.do(t, run.DefaultPool, "main.pack", worker.Result{Outputs: map[string]string{"parameter-digest": "sha256:1\n"}})
		if got := fmt.Sprint(l.Job.Scopes); got != "[artifact:write=team/shop artifact:read]" || l.Token == "" || l.Job.SecretEnv["TOKEN"] != "payments/signing#token" || l.Job.Limits.Time != time.Minute {
			t.Errorf("job = %+v", l.Job)
		}
		b.want(t, r.ID, "waiting")
		if err := b.s.Resume(as(t, "dev"), r.ID, "", ""); !fault.Is(err, fault.Denied) {
			t.Errorf("self-approval: %v, want denied", err)
		}
		if err := b.s.Resume(as(t, "reader"), r.ID, "", ""); !fault.Is(err, fault.Denied) {
			t.Errorf("a reader: %v, want denied", err)
		}
		if err := b.s.Resume(actor.AsSystem(t.Context()), r.ID, "main.other", ""); !fault.Is(err, fault.Conflict) {
			t.Errorf("another node: %v, want conflict", err)
		}
		if err := b.s.Resume(actor.AsSystem(t.Context()), r.ID, "main.ask", "looks good"); err != nil {
			t.Fatal(err)
		}
		b.do(t, run.ServerPool, "main.note", worker.Result{})
		ended := b.want(t, r.ID, "succeeded")
		if call := (*b.calls)[0]; string(call.Args) != `{"text":"made sha256:1"}` || call.Source.Repository != "team/shop" || call.Space != "payments" {
			t.Errorf("call = %+v %s", call, call.Args)
		}
		if got := b.status(t); got != workflow.StatusSucceeded {
			t.Errorf("after: %s", got)
		}
		nodes, err := b.s.Graph(as(t, "reader"), ended.ID)
		if err != nil || len(nodes) != 5 || nodes[4].Outputs.Parameters["id"] != "note-1" {
			t.Errorf("graph = %+v, %v", nodes, err)
		}
		if _, err := b.s.Graph(as(t, "stranger"), ended.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("graph for a stranger: %v, want not found", err)
		}
	}, rooms()...)
}

func TestWhatIsWrongIsRefusedBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, catalog{
			"ours":   {strings.Replace(pipeline, "{name: shop}", "{name: ours}", 1), "default"},
			"theirs": {pipeline, "other"},
		})
		from := func(text string) workflow.Submission {
			s := submission("")
			s.Document = []byte(text)
			return s
		}
		header := "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
		for what, c := range map[string]struct {
			s    workflow.Submission
			kind fault.Kind
			says string
		}{
			"no such template":    {workflow.Submission{Space: "payments", Template: "nothing"}, fault.NotFound, "no WorkflowTemplate"},
			"of another space":    {workflow.Submission{Space: "payments", Template: "theirs"}, fault.NotFound, "no WorkflowTemplate"},
			"ref of another":      {from(header + "spec:\n  workflowTemplateRef: {name: theirs}\n"), fault.Invalid, "pipeline.yaml:5:"},
			"a missing argument":  {workflow.Submission{Space: "payments", Template: "ours"}, fault.Invalid, "no value is given"},
			"a plugin's argument": {from(strings.Replace(pipeline, "text:", "words:", 1)), fault.Invalid, "note wants text"},
			"two documents":       {from(pipeline + "---\n" + pipeline), fault.Invalid, "one Workflow"},
			"an unknown field":    {from(strings.Replace(pipeline, "entrypoint", "entryPoint", 1)), fault.Invalid, `did you mean entrypoint?`},
			"a secret scope":      {from(strings.Replace(pipeline, "artifact:write,artifact:read", "space:admin", 1)), fault.Invalid, "can't be given to a step"},
		} {
			_, err := b.s.Submit(as(t, "dev"), c.s)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %v with %q", what, err, c.kind, c.says)
			}
		}
		if _, err := b.s.Submit(as(t, "reader"), submission("")); !fault.Is(err, fault.Denied) {
			t.Errorf("a reader: %v, want denied", err)
		}
		if page, err := b.runs.List(actor.AsSystem(t.Context()), run.Query{}); err != nil || len(page.Runs) != 0 {
			t.Errorf("runs = %v, %v; want none", page.Runs, err)
		}
		s := workflow.Submission{Space: "payments", Template: "ours", Arguments: map[string]string{"commit": "abc"}}
		r, err := b.s.Submit(as(t, "dev"), s)
		if err != nil || r.Subject != "workflowtemplate:default/ours" {
			t.Fatalf("submit = %+v, %v", r, err)
		}
		l, err := b.hub.Lease(t.Context(), "w", run.DefaultPool, worker.KindCommand, 0)
		if err != nil || l != nil { // the template wants a checkout, and there is no repository
			t.Fatalf("lease = %+v, %v", l, err)
		}
		if ended := b.want(t, r.ID, "error"); !strings.Contains(ended.Reason, "submitted without one") {
			t.Errorf("reason = %q", ended.Reason)
		}
	}, rooms()...)
}

func TestTimersAndRetryGoThroughTheStore(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, nil)
		s := submission("")
		s.Document = []byte(`
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: timers-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: pause, template: pause}
        - - {name: try, template: try}
    - {name: pause, suspend: {duration: 30s}}
    - {name: try, container: {image: x, command: ["true"]}, retryStrategy: {limit: 1, backoff: {duration: 10s}}}
`)
		r, err := b.s.Submit(as(t, "dev"), s)
		if err != nil {
			t.Fatal(err)
		}
		tick := func(d time.Duration) {
			t.Helper()
			b.clock.add(d)
			if _, err := b.runs.Tick(actor.AsSystem(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		b.want(t, r.ID, "running")
		tick(31 * time.Second)
		b.do(t, run.DefaultPool, "main[1].try(0)", worker.Result{ExitCode: 3})
		if l, err := b.hub.Lease(t.Context(), "w", run.DefaultPool, worker.KindCommand, 0); err != nil || l != nil {
			t.Fatalf("leased %v, %v before the pause is over", l, err)
		}
		tick(11 * time.Second)
		b.do(t, run.DefaultPool, "main[1].try(1)", worker.Result{ExitCode: 3})
		b.want(t, r.ID, "failed")
		if got := b.status(t); got != workflow.StatusFailed {
			t.Errorf("status = %s", got)
		}
		if err := b.runs.Retry(as(t, "dev"), r.ID); err != nil {
			t.Fatal(err)
		}
		b.do(t, run.DefaultPool, "main[1].try(1)", worker.Result{})
		b.want(t, r.ID, "succeeded")
		if got := b.status(t); got != workflow.StatusSucceeded {
			t.Errorf("status = %s", got)
		}
		again, err := b.s.Submit(as(t, "dev"), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.runs.Cancel(as(t, "dev"), again.ID); err != nil {
			t.Fatal(err)
		}
		b.want(t, again.ID, "canceled")
	}, rooms()...)
}
