package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	stackRounds    = 20
	stackResources = 50
)

// stackDocument is the Stack that is planned and applied, and the two who may together confirm what another began.
const stackDocument = `apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: measured}
spec:
  owner: group:default/crew
  source: {repository: default/measured, branch: main}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: reviewers}
spec: {role: admin, space: default, subjects: ["machine:default/first", "machine:default/second"]}
`

// stackFigures measures tracked runs that make 50 resources of terraform_data beside the bare engine doing the same, in
// turns: from the request that starts a run until a client that follows it sees that it waits for a person, beside
// `init && plan -out && show -json`; and from the request that confirms it until the client sees that it has
// finished, both added up, beside the same and `apply`. What is bare has the same files in a fresh folder and its state in a
// file there.
func stackFigures(ctx context.Context, b *bench) error {
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	return b.besideBare(ctx, s, "stack", map[string]string{"main.tf": manyResources(stackResources)}, "")
}

// besideBare runs rounds of both sides, and shows what they took. The engine that is bare has a configuration of its own, or
// none.
func (b *bench) besideBare(ctx context.Context, s *server, name string, files map[string]string, configuration string) error {
	engine, err := enginePath(ctx)
	if err != nil {
		return err
	}
	bare := &bareEngine{program: engine, dir: filepath.Join(b.dir, "bare"), files: files, configuration: configuration}
	runs := &stackRuns{api: s.api, steps: map[string]spread{}}
	if err := runs.prepare(ctx, b.dir, files); err != nil {
		return err
	}
	const warming = 2 // rounds that are not counted
	for round := range warming + stackRounds {
		if round == warming {
			bare.planned, bare.applied = nil, nil
			*runs = stackRuns{api: s.api, reviewers: runs.reviewers, steps: map[string]spread{}}
		}
		for _, side := range turn(round, 2) {
			measure := []func(context.Context) error{bare.round, runs.round}[side]
			if err := measure(ctx); err != nil {
				return err
			}
		}
	}
	bare.planned.show(name + "_bare_plan")
	runs.unconfirmed.show(name + "_unconfirmed")
	b.most(name+"_unconfirmed_to_bare", runs.unconfirmed.ratio(bare.planned), 1.15, "x")
	bare.applied.show(name + "_bare_apply")
	runs.finished.show(name + "_finished")
	b.most(name+"_finished_to_bare", runs.finished.ratio(bare.applied), 1.15, "x")
	for _, part := range runs.order {
		figure(name+"_"+part+"_p50", runs.steps[part].at(0.5), "ms")
	}
	return nil
}

// enginePath gives the engine that the server takes.
func enginePath(ctx context.Context) (string, error) {
	engine, err := exec.CommandContext(ctx, program, "engine").Output()
	if err != nil {
		return "", fmt.Errorf("find the engine: %w; run make engine first", err)
	}
	return strings.TrimSpace(string(engine)), nil
}

func manyResources(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "resource \"terraform_data\" \"part%d\" {\n  input = { name = \"part %d\", size = %d }\n}\n", i, i, i*i)
	}
	return out.String()
}

// bareEngine is the engine as one runs it at home.
type bareEngine struct {
	program, dir     string
	configuration    string // a file of the engine's own; "" for none
	files            map[string]string
	planned, applied spread
}

func (e *bareEngine) round(ctx context.Context) error {
	if err := e.fresh(); err != nil {
		return err
	}
	began := time.Now()
	if err := e.plan(ctx); err != nil {
		return err
	}
	e.planned = append(e.planned, time.Since(began))
	err := e.run(ctx, "apply", "-input=false", "-no-color", "-auto-approve", "plan.bin")
	e.applied = append(e.applied, time.Since(began))
	return err
}

// fresh makes a folder with nothing but the files.
func (e *bareEngine) fresh() error {
	if err := os.RemoveAll(e.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return err
	}
	for name, content := range e.files {
		if err := os.WriteFile(filepath.Join(e.dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// plan makes a plan and reads it.
func (e *bareEngine) plan(ctx context.Context) error {
	for _, args := range [][]string{{"init", "-input=false", "-no-color"}, {"plan", "-input=false", "-no-color", "-out=plan.bin"}, {"show", "-json", "plan.bin"}} {
		if err := e.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// run runs a command whose words go to a file, as a shell's > does.
func (e *bareEngine) run(ctx context.Context, args ...string) error {
	said, err := os.Create(filepath.Join(e.dir, args[0]+".out"))
	if err != nil {
		return err
	}
	defer said.Close()
	c := exec.CommandContext(ctx, e.program, args...)
	c.Dir, c.Stdout, c.Stderr = e.dir, said, said
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.dir, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	if e.configuration != "" {
		c.Env = append(c.Env, "TF_CLI_CONFIG_FILE="+e.configuration)
	}
	if err := c.Run(); err != nil {
		told, _ := os.ReadFile(said.Name()) // what it says is for the message alone
		return fmt.Errorf("the bare engine's %s: %w\n%s", args[0], err, told)
	}
	return nil
}

// stackRuns measures tracked runs by the public API.
type stackRuns struct {
	api                   *client.Client
	reviewers             [2]*client.Client // a run that applies a commit once more needs both
	unconfirmed, finished spread
	steps                 map[string]spread // of each part of a run
	order                 []string          // of their names
}

// somebody gives a client of one who has begun nothing.
func (r *stackRuns) somebody(ctx context.Context, name string) (*client.Client, error) {
	if _, err := client.Post[client.Machine](ctx, r.api, "/machines", map[string]string{"name": name}); err != nil {
		return nil, err
	}
	token, err := client.Post[client.NewToken](ctx, r.api, "/tokens", map[string]string{"name": "bench", "owner": "machine:default/" + name})
	return client.New(r.api.URL, token.Secret), err
}

// push makes a repository with files.
func (r *stackRuns) push(ctx context.Context, dir, name string, files map[string]string) error {
	me, err := newPerson(filepath.Join(dir, "home"), r.api.Token)
	if err != nil {
		return err
	}
	made, err := client.Post[client.Repository](ctx, r.api, "/repositories", map[string]string{"name": name})
	if err != nil {
		return err
	}
	work := filepath.Join(me.home, name)
	if _, err := me.git(ctx, "", "init", "--quiet", work); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", "resources"}, {"push", "--quiet", made.CloneURL, "main"}} {
		if _, err := me.git(ctx, work, args...); err != nil {
			return err
		}
	}
	return nil
}

// prepare pushes the files and declares the stack, whose first run, which begins by itself, is not measured.
func (r *stackRuns) prepare(ctx context.Context, dir string, files map[string]string) (err error) {
	if err := r.push(ctx, dir, "measured", files); err != nil {
		return err
	}
	if _, err := client.Post[client.List[client.Applied]](ctx, r.api, "/apply", map[string]any{"documents": stackDocument, "source": "bench"}); err != nil {
		return err
	}
	for i, name := range []string{"first", "second"} {
		if r.reviewers[i], err = r.somebody(ctx, name); err != nil {
			return err
		}
	}
	return r.discardFirst(ctx, 1)
}

// discardFirst discards the runs that begin by the declaration of n stacks.
func (r *stackRuns) discardFirst(ctx context.Context, n int) error {
	for late := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		page, err := client.Get[client.List[client.Run]](ctx, r.api, "/runs", url.Values{"kind": {"stack"}})
		if err != nil {
			return err
		}
		if len(page.Items) < n {
			if time.Now().After(late) {
				return fmt.Errorf("of %d stacks %d have started a run within two minutes", n, len(page.Items))
			}
			continue
		}
		for _, first := range page.Items {
			if _, err := r.until(ctx, first.ID, "unconfirmed"); err != nil {
				return err
			}
			if _, err := client.Post[client.RunDetail](ctx, r.api, "/runs/"+first.ID+"/discard", nil); err != nil {
				return err
			}
		}
		return nil
	}
}

// until follows a run until it is in a state.
func (r *stackRuns) until(ctx context.Context, id, state string) (client.RunDetail, error) {
	var last client.RunDetail
	err := r.api.FollowRun(ctx, id, func(d client.RunDetail) (bool, error) {
		last = d
		if d.Terminal && d.State != state {
			return true, fmt.Errorf("run %s is %s, and was to be %s: %s", id, d.State, state, d.Reason)
		}
		return d.State == state, nil
	})
	return last, err
}

func (r *stackRuns) round(ctx context.Context) error {
	began := time.Now()
	made, err := r.begin(ctx, "tracked")
	if err != nil {
		return err
	}
	planned, err := r.until(ctx, made.ID, "unconfirmed")
	if err != nil {
		return err
	}
	reached := time.Now()
	r.unconfirmed = append(r.unconfirmed, reached.Sub(began))
	if err := r.approve(ctx, made.ID); err != nil {
		return err
	}
	seen := time.Now()
	applied, err := r.confirm(ctx, made.ID)
	if err != nil {
		return err
	}
	r.finished = append(r.finished, r.unconfirmed[len(r.unconfirmed)-1]+time.Since(seen))
	r.keep("request", made.Created.Sub(began))
	r.parts(planned, made.Created, reached)
	r.parts(applied, seen, time.Now())
	gone, err := r.begin(ctx, "destroy") // the next one begins with nothing again
	if err != nil {
		return err
	}
	if _, err := r.until(ctx, gone.ID, "unconfirmed"); err != nil {
		return err
	}
	if err := r.approve(ctx, gone.ID); err != nil {
		return err
	}
	_, err = r.confirm(ctx, gone.ID)
	return err
}

// approve is what the other reviewer does.
func (r *stackRuns) approve(ctx context.Context, id string) error {
	_, err := client.Post[client.RunDetail](ctx, r.reviewers[1], "/runs/"+id+"/approve", map[string]string{})
	return err
}

func (r *stackRuns) begin(ctx context.Context, kind string) (client.Run, error) {
	return client.Post[client.Run](ctx, r.api, "/stacks/default/measured/runs", map[string]string{"type": kind})
}

func (r *stackRuns) confirm(ctx context.Context, id string) (client.RunDetail, error) {
	if _, err := client.Post[client.RunDetail](ctx, r.reviewers[0], "/runs/"+id+"/confirm", map[string]string{}); err != nil {
		return client.RunDetail{}, err
	}
	return r.until(ctx, id, "finished")
}

// parts notes what a run's steps took between two moments, from the taking by a worker to the end, and what was between them.
func (r *stackRuns) parts(d client.RunDetail, from, to time.Time) {
	steps := slices.SortedFunc(slices.Values(d.Steps), func(a, b client.Step) int { return a.Position - b.Position })
	for _, s := range steps {
		if s.Started == nil || s.Ended == nil || s.Ended.Before(from) {
			continue
		}
		r.keep("before_"+s.Key, s.Started.Sub(from))
		r.keep("step_"+s.Key, s.Ended.Sub(*s.Started))
		from = *s.Ended
	}
	r.keep("until_"+d.State, to.Sub(from))
}

func (r *stackRuns) keep(name string, took time.Duration) {
	if _, ok := r.steps[name]; !ok {
		r.order = append(r.order, name)
	}
	r.steps[name] = append(r.steps[name], took)
}
