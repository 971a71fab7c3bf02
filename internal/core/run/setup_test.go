package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func rooms() []store.Migrations {
	return []store.Migrations{ledger.Migrations(), access.Migrations(), run.Migrations()}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond) // two things never happen at once
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// tokens notes which steps have a token.
type tokens struct {
	mu   sync.Mutex
	live map[string]bool
}

func (t *tokens) Workload(_ context.Context, tx *store.Tx, _, step, _ string, scopes []string, _ time.Duration) (string, error) {
	if slices.Contains(scopes, "wrong") {
		return "", fault.Errorf(fault.Invalid, "wrong is no scope")
	}
	tx.OnCommit(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.live[step] = true
	})
	return "rbw_" + step, nil
}

func (t *tokens) EndWorkload(_ context.Context, tx *store.Tx, step string) error {
	tx.OnCommit(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.live, step)
	})
	return nil
}

func (t *tokens) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.live)
}

// secrets knows one secret.
type secrets struct{}

func (secrets) Hand(_ context.Context, _ *store.Tx, _ string, refs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, r := range refs {
		if r != "default/known" {
			return nil, fault.Errorf(fault.NotFound, "secret %s is not there", r)
		}
		out[r] = "hunter22"
	}
	return out, nil
}

type noArchives struct{}

func (noArchives) ArchiveAt(context.Context, string, string, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(nil)), nil
}

type bundle struct {
	db     *store.DB
	runs   *run.Service
	hub    worker.Hub
	clock  *clock
	tokens *tokens
	ledger *ledger.Ledger
	access *access.Service
	ctx    context.Context // the platform
	dir    string          // of the blobs
}

// plan is what the kind of these tests is told: keys of steps, one after the other.
type plan struct {
	Steps       []string
	MaxAttempts int
	Once        string // key of the step that has one attempt
	Secret      string
	Scope       string
	Output      string // name of a file that each step gives
	Review      bool
	WakeAfter   time.Duration
	Aside       bool // it stands aside until somebody says something
	Keeps       bool // it keeps its place until then
}

// kind runs the steps of a plan one after the other, then may wait for a review.
func kind() run.Kind {
	return run.Kind{
		Name: "test", Initial: "queued",
		States: map[string]run.State{
			"queued": {WaitsLock: true, Next: []string{"running", "canceled"}}, "running": {Next: []string{"waiting", "done", "failed", "canceled"}},
			"waiting": {Waiting: true, Next: []string{"done", "failed", "canceled"}}, "done": {Terminal: true}, "failed": {Terminal: true}, "canceled": {Terminal: true},
		},
		Advance: func(v *run.View) error {
			var p plan
			if err := json.Unmarshal(v.Run.Input, &p); err != nil {
				return err
			}
			if v.Run.CancelRequested {
				if v.Open() > 0 {
					return nil
				}
				return v.To("canceled", "canceled")
			}
			if v.Run.State == "queued" {
				if !v.Locked || p.Aside && len(v.Reviews) == 0 {
					return nil
				}
				if p.WakeAfter > 0 && v.Now.Before(v.Run.Created.Add(p.WakeAfter)) {
					v.WakeAt(v.Run.Created.Add(p.WakeAfter))
					return nil
				}
				return v.To("running", "")
			}
			for _, key := range p.Steps {
				step := v.Step(key)
				if step == nil {
					s := run.Step{Key: key, Title: key, MaxAttempts: p.MaxAttempts, Job: worker.Job{Kind: worker.KindCommand, Argv: []string{"true"}, Door: true}}
					if key == p.Once {
						s.MaxAttempts = 1
					}
					if p.Scope != "" {
						s.Job.Scopes = []string{p.Scope}
					}
					if p.Output != "" {
						s.Job.Outputs = []worker.Output{{Name: p.Output, Path: "out", Kind: worker.OutputFile}}
					}
					if p.Secret != "" {
						s.Job.SecretEnv = map[string]string{"PASSWORD": p.Secret}
					}
					v.Add(s)
					return nil
				}
				if !step.State.Done() {
					return nil
				}
				if key == "stuck" {
					return errors.New("nobody knows what comes after this step")
				}
				if step.State != run.StepSucceeded {
					return v.To("failed", step.Reason)
				}
			}
			if p.Review && v.Run.State == "running" {
				return v.To("waiting", "look at it")
			}
			if p.Review && len(v.Reviews) == 0 {
				return nil
			}
			return v.To("done", "")
		},
		Turn: func(v *run.View) run.Turn {
			var p plan
			switch err := json.Unmarshal(v.Run.Input, &p); {
			case err != nil || len(v.Reviews) > 0:
			case p.Aside:
				return run.TurnAside
			case p.Keeps:
				return run.TurnKeeps
			}
			return run.TurnTakes
		},
		Retry: func(v *run.View) error {
			for _, s := range v.Steps {
				if s.State != run.StepSucceeded {
					v.Again(s)
				}
			}
			return v.Reopen("queued", "retried")
		},
	}
}

func setup(t *testing.T, db *store.DB) bundle {
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
	b := bundle{db: db, clock: c, dir: dir, tokens: &tokens{live: map[string]bool{}}, ledger: l, access: a, ctx: actor.AsSystem(context.Background())}
	b.runs = run.NewService(run.Deps{DB: db, Ledger: l, Blob: blobs, Access: a, Tokens: b.tokens, Secrets: secrets{}, Seal: keeper, Now: c.Now, Log: slog.Default()})
	b.runs.Register(kind())
	b.hub = b.runs.Hub(noArchives{})
	return b
}

// beside gives a second server of the same database, on a handle of its own. They share what servers share: the key, where
// logs rest, and the time.
func (b bundle) beside(db *store.DB) bundle {
	d := b.runs.Deps
	b.db, b.ledger = db, ledger.New(db, b.clock.Now, d.Log)
	b.access = access.New(db, b.ledger, b.clock.Now, d.Log)
	d.DB, d.Ledger, d.Access = db, b.ledger, b.access
	b.runs = run.NewService(d)
	b.runs.Register(kind())
	b.hub = b.runs.Hub(noArchives{})
	return b
}

func (b bundle) create(t *testing.T, n run.New, p plan) run.Run {
	t.Helper()
	n.Kind, n.Input = "test", p
	if n.Space == "" {
		n.Space = "default"
	}
	var r run.Run
	err := b.db.Write(b.ctx, func(tx *store.Tx) (err error) {
		r, _, err = b.runs.Create(b.ctx, tx, n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b bundle) lease(t *testing.T, name string) *worker.Lease {
	t.Helper()
	l, err := b.hub.Lease(b.ctx, name, run.DefaultPool, worker.KindCommand, 0)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (b bundle) detail(t *testing.T, id string) run.Detail {
	t.Helper()
	d, err := b.runs.Detail(b.ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (b bundle) want(t *testing.T, id, state string) run.Detail {
	t.Helper()
	d := b.detail(t, id)
	if d.Run.State != state {
		t.Fatalf("run is %s (%s), want %s; steps %s", d.Run.State, d.Run.Reason, state, tell(d.Steps))
	}
	return d
}

func tell(steps []run.Step) string {
	out := ""
	for _, s := range steps {
		out += fmt.Sprintf("%s:%s/%d ", s.Key, s.State, s.Attempt)
	}
	return out
}
