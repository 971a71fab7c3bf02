package worker

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// doorPort is where a step finds the platform's API on its loopback.
const doorPort = 7070

var stepName = regexp.MustCompile(`[^a-z0-9_-]+`)

// command prepares a workspace, runs the job's command in it, and takes the outputs; then the same with the command that
// comes after it, when there is one. ctx ends when the step is canceled, alive only when nobody wants it from this worker any
// more.
// command runs a job's command, and the one that follows, if any. remove removes the workspaces, which nobody waits for.
func (w *Worker) command(ctx, alive context.Context, l Lease, log io.Writer) (result Result, remove func()) {
	id := stepName.ReplaceAllString(strings.ToLower(l.Step), "-")
	id = fmt.Sprintf("%.50s-%d", id, l.Attempt)
	first, err := w.workspace(id)
	if err != nil {
		return failed(log, err), nothing
	}
	remove = func() { first.remove(w, l) }
	result, c := w.stage(ctx, alive, l, first, log)
	if c == nil {
		return result, remove
	}
	said, rest := texts(l.Job.Outputs)
	c.into(alive, said, &result)
	if !l.Job.Then.follows(result) {
		c.into(alive, rest, &result)
		return result, remove
	}
	second, err := w.workspace(id + "-then")
	if err != nil {
		return failed(log, err), remove
	}
	// What the first has left is taken while the second runs.
	var taking sync.WaitGroup
	var broke any
	taking.Go(func() {
		defer func() { broke = recover() }()
		c.into(alive, rest, &result)
	})
	then := w.then(ctx, alive, l, first, second, log)
	if taking.Wait(); broke != nil {
		panic(broke)
	}
	if result.ExitCode == 0 {
		maps.Copy(result.Outputs, then.Outputs)
		maps.Copy(result.Artifacts, then.Artifacts)
		then.Outputs, then.Artifacts = result.Outputs, result.Artifacts
		result = then
	}
	return result, func() { first.remove(w, l); second.remove(w, l) }
}

func nothing() {}

// workspace is the folder of one command.
type workspace struct {
	id, dir string
	root    *os.Root
	filled  map[string]stamps // of each output of what is new: what was there before the command
}

func (w *Worker) workspace(id string) (*workspace, error) {
	dir := filepath.Join(w.Dir, "work", id)
	err := removeAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make a workspace: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	return &workspace{id: id, dir: dir, root: root}, nil
}

func (s *workspace) remove(w *Worker, l Lease) {
	s.root.Close()
	if err := removeAll(s.dir); err != nil {
		w.Log.Warn("remove a workspace", "step", l.Step, "error", err)
	}
}

// stage fills a workspace and runs the job's command in it. The collector takes the outputs; nil where none can be.
func (w *Worker) stage(ctx, alive context.Context, l Lease, in *workspace, log io.Writer) (Result, *collector) {
	spec, release, err := w.spec(ctx, l, in.id, in.dir, log)
	if err != nil {
		return failed(log, err), nil
	}
	defer release()
	begun, err := w.begin(ctx) // many that are leased at once are prepared a few at a time, or all would be late
	if err != nil {
		return failed(log, fmt.Errorf("prepare the workspace: %w", err)), nil
	}
	defer begun()
	if err := w.fill(ctx, l, in.root); err != nil {
		return failed(log, fmt.Errorf("prepare the workspace: %w", err)), nil
	}
	if in.filled, err = stamped(in.root, l.Job.Outputs); err != nil {
		return failed(log, fmt.Errorf("prepare the workspace: %w", err)), nil
	}
	if l.Job.Image != "" && !w.Executor.Capabilities().Images {
		fmt.Fprintf(log, "roadbed: this pool runs steps as processes of its machine; the image %s is not used\n", l.Job.Image)
	}
	for _, less := range held(l.Job.Limits, spec.Limits) {
		fmt.Fprintf(log, "roadbed: this step asks for %s\n", less)
	}
	ended, err := w.execute(ctx, spec, log, begun)
	if err != nil {
		return failed(log, fmt.Errorf("run the command: %w", err)), nil
	}
	if l.Job.Changes && ended.ExitCode == 0 && ended.Reason != execute.ReasonCanceled { // it was asked to end, and had done all
		ended.Reason = ""
	}
	result := Result{ExitCode: ended.ExitCode, Reason: ended.Reason, Message: explain(ended, spec)}
	if result.Message != "" {
		fmt.Fprintf(log, "roadbed: %s\n", result.Message)
	}
	said := map[string]bool{} // what is tried again says nothing again
	note := func(format string, args ...any) {
		if line := fmt.Sprintf("roadbed: "+format+"\n", args...); !said[line] {
			said[line] = true
			_, _ = io.WriteString(log, line)
		}
	}
	return result, &collector{root: in.root, filled: in.filled, note: note, sealed: l.Job.Sealed,
		put:       func(ctx context.Context, r io.Reader) (string, int64, error) { return w.Hub.PutBlob(ctx, l.ID, r) },
		patiently: func(ctx context.Context, do func() error) error { return patiently(ctx, w.Patience, do) }}
}

// begin waits for a place among the steps that are being prepared; begun gives it back, once.
func (w *Worker) begin(ctx context.Context) (begun func(), err error) {
	select {
	case w.begins <- struct{}{}:
		return sync.OnceFunc(func() { <-w.begins }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// execute runs the command and calls begun when it runs. A canceled one is asked to end first; a lost one is killed.
func (w *Worker) execute(ctx context.Context, spec execute.Spec, log io.Writer, begun func()) (execute.Result, error) {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	grace := func() time.Duration { return w.grace(context.Cause(ctx), spec.Saving) }
	var started atomic.Bool // what is still being started, as while its image is pulled, has nothing to save
	stop := context.AfterFunc(ctx, func() {
		if grace() == 0 || !started.Load() {
			kill()
		}
	})
	defer stop()
	if w.Executor.Capabilities().Images { // one may have to be pulled, which holds up nobody
		begun()
	}
	p, err := w.Executor.Start(life, spec, log)
	begun()
	if err != nil {
		return execute.Result{}, err
	}
	started.Store(true)
	unwatch := context.AfterFunc(ctx, func() {
		if g := grace(); g > 0 {
			p.Stop(g)
		}
	})
	defer unwatch()
	return p.Wait(context.WithoutCancel(ctx))
}

// grace is how long a command has to end that is asked to; 0 where nobody wants it any more. One that changes things saves first
// what it did.
func (w *Worker) grace(cause error, saving time.Duration) time.Duration {
	switch {
	case errors.Is(cause, errCanceled):
		return max(cancelGrace, saving)
	case errors.Is(cause, errStopped):
		return max(w.Grace-w.Ask, 0) * 4 / 5
	}
	return 0
}

// explain says in words why a command was ended.
func explain(r execute.Result, s execute.Spec) string {
	l, killed := s.Limits, ""
	if s.Saving > 0 && r.Signal == "SIGKILL" {
		killed = fmt.Sprintf(", and was killed: it was asked to end, and had %s for that", s.Saving)
	}
	switch r.Reason {
	case execute.ReasonTime:
		return fmt.Sprintf("the step ran longer than its %s", l.Time) + killed
	case execute.ReasonOutput:
		return fmt.Sprintf("the step wrote more than its %d bytes of output", l.Output)
	case execute.ReasonMemory:
		return fmt.Sprintf("the step needed more than its %d MiB of memory", l.Memory>>20)
	case execute.ReasonDisk:
		return fmt.Sprintf("the step needed more than its %d MiB of disk", l.Disk>>20) + killed
	case execute.ReasonCanceled:
		return "the step was canceled"
	case execute.ReasonSignal:
		if r.Signal == "SIGKILL" {
			return "the command was ended by SIGKILL, which the platform did not send: somebody on its machine did, or the kernel, for want of memory"
		}
		return "the command was ended by " + r.Signal
	}
	return ""
}

// fill writes sources and files into the workspace.
func (w *Worker) fill(ctx context.Context, l Lease, root *os.Root) error {
	left := defaultBounds()
	for _, s := range l.Job.Sources {
		dir, err := below(s.Path)
		if err != nil {
			return err
		}
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := w.source(ctx, l, s, root, dir, &left); err != nil {
			return fault.Wrap(err, "source %s%s", s.Repository, s.Blob)
		}
	}
	for _, f := range slices.Concat(l.Job.Files, idTokenFile(l)) {
		if err := w.file(ctx, l, f, root, &left); err != nil {
			return fault.Wrap(err, "file %s", f.Path)
		}
	}
	return nil
}

func (w *Worker) source(ctx context.Context, l Lease, s Source, root *os.Root, dir string, left *bounds) error {
	if s.Blob == "" {
		r, err := w.fetch(ctx, func() (io.ReadCloser, error) {
			return w.Hub.Archive(ctx, l.ID, s.Repository, s.Commit, s.Subpath)
		})
		if err != nil {
			return err
		}
		defer r.Close()
		return unpack(root, dir, r, left)
	}
	r, err := w.fetch(ctx, func() (io.ReadCloser, error) { return w.Hub.GetBlob(ctx, l.ID, s.Blob) })
	if err != nil {
		return err
	}
	defer r.Close()
	plain, err := gzip.NewReader(r)
	if err != nil {
		return fault.Errorf(fault.Invalid, "it is not a tar.gz: %w", err)
	}
	return unpack(root, dir, plain, left)
}

// fetch opens something at the Hub, and waits for a Hub that is away.
func (w *Worker) fetch(ctx context.Context, open func() (io.ReadCloser, error)) (r io.ReadCloser, err error) {
	err = patiently(ctx, w.Patience, func() error {
		r, err = open()
		return err
	})
	return r, err
}

func (w *Worker) file(ctx context.Context, l Lease, f File, root *os.Root, left *bounds) error {
	name, err := below(f.Path)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(f.Mode) & 0o777
	if mode == 0 {
		mode = 0o644
	}
	var content io.Reader = strings.NewReader(f.Content)
	if f.Secret != "" {
		value, ok := l.Secrets[f.Secret]
		if !ok {
			return fault.Errorf(fault.NotFound, "the secret %s, for %s, is not there", f.Secret, f.Path)
		}
		content = strings.NewReader(value)
	}
	if f.Blob != "" {
		r, err := w.fetch(ctx, func() (io.ReadCloser, error) { return w.Hub.GetBlob(ctx, l.ID, f.Blob) })
		if err != nil {
			return err
		}
		defer r.Close()
		content = r
	}
	return write(root, name, mode, content, left)
}

// write makes a file, in place of what is there.
func write(root *os.Root, name string, mode os.FileMode, content io.Reader, left *bounds) error {
	if err := replace(root, name); err != nil {
		return err
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(content, left.bytes+1))
	if left.bytes -= n; err == nil && left.bytes < 0 {
		err = fault.Errorf(fault.TooLarge, "the workspace is too large")
	}
	return errors.Join(err, out.Close())
}

// spec gives what the executor is to run. release is called when it has ended.
func (w *Worker) spec(ctx context.Context, l Lease, id, dir string, log io.Writer) (_ execute.Spec, release func(), err error) {
	j := l.Job
	if j.Network && !w.Network {
		return execute.Spec{}, nil, fault.Errorf(fault.Denied, "the pool %s grants its steps no network; who runs its server can, by --network", w.Pool)
	}
	if j.OwnImage && !w.Executor.Capabilities().Images {
		return execute.Spec{}, nil, fault.Errorf(fault.Denied, "the image %s can't be used: the pool %s runs steps as processes of its machine; take the image out, or have the pool run containers (--executor container)", j.Image, w.Pool)
	}
	s := execute.Spec{
		ID: id, Argv: j.Argv, Dir: j.Dir, Image: j.Image, Workspace: dir, Network: j.Network,
		Env: maps.Clone(j.Env), Limits: w.limits(j.Limits),
	}
	if j.Changes {
		s.Saving = w.Saving
	}
	if s.Env == nil {
		s.Env = map[string]string{}
	}
	setDefault(s.Env, "CI", "true")
	s.Env["ROADBED_RUN"], s.Env["ROADBED_STEP"], s.Env["ROADBED_SPACE"] = l.Run, l.Step, l.Space
	for name, ref := range j.SecretEnv {
		value, ok := l.Secrets[ref]
		if !ok {
			return s, nil, fault.Errorf(fault.NotFound, "the secret %s, for %s, is not there", ref, name)
		}
		s.Env[name] = value
	}
	giveIDToken(l, &s)
	if j.Door {
		if err := w.door(l, &s); err != nil {
			return s, nil, err
		}
	}
	places, err := w.tools(ctx, l, &s, log)
	if err != nil {
		return s, nil, err
	}
	release, err = w.mountCaches(l.Space, j, &s)
	if err != nil {
		return s, nil, err
	}
	if len(places) > 0 {
		setDefault(s.Env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
		s.Env["PATH"] = strings.Join(append(places, s.Env["PATH"]), ":")
	}
	return s, release, nil
}

func setDefault(env map[string]string, name, value string) {
	if _, ok := env[name]; !ok {
		env[name] = value
	}
}

// door opens the platform's API to the step.
func (w *Worker) door(l Lease, s *execute.Spec) error {
	if w.Door == "" {
		return fault.Errorf(fault.Unavailable, "the pool %s has no way to the platform's API", w.Pool)
	}
	port := doorPort
	if s.Network || !w.Executor.Capabilities().Isolated {
		// The loopback is the host's; others may have the usual port.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a port for the door: %w", err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	s.Dial = append(s.Dial, execute.Forward{Socket: w.Door, Port: port})
	s.Env["ROADBED_URL"] = fmt.Sprintf("http://127.0.0.1:%d", port)
	s.Env["ROADBED_TOKEN"] = l.Token
	return nil
}

// tools shows the tools of a job and gives what goes before PATH.
func (w *Worker) tools(ctx context.Context, l Lease, s *execute.Spec, log io.Writer) ([]string, error) {
	var places []string
	j := l.Job
	for _, name := range j.Tools {
		t, ok := w.Tools[name]
		if !ok && w.Lend != nil {
			lent, err := w.Lend(ctx, l, name, log)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
			t, ok = lent, err == nil
		}
		if !ok {
			return nil, fault.Errorf(fault.NotFound, "the pool %s has no tool %s; install it on the pool's machine and start its worker again. It has: %s", w.Pool, name,
				strings.Join(slices.Sorted(maps.Keys(w.Tools)), ", "))
		}
		if lost := t.lost(); lost != "" {
			return nil, fault.Errorf(fault.NotFound, "the pool %s has lost its tool %s: %s is not there; put it back and retry", w.Pool, name, lost)
		}
		places = append(places, t.show(name, j, s)...)
	}
	for _, name := range j.Extras {
		t, ok := w.Tools[name]
		if !ok || slices.Contains(j.Tools, name) {
			continue
		}
		if lost := t.lost(); lost != "" {
			fmt.Fprintf(log, "roadbed: the pool %s has lost its tool %s: %s is not there; the step goes on without it\n", w.Pool, name, lost)
			continue
		}
		places = append(places, t.show(name, j, s)...)
	}
	return places, nil
}

// lost gives what of a tool is not on the machine any more; "" when all of it is.
func (t Tool) lost() string {
	for _, m := range t.Mounts {
		if _, err := os.Stat(m.Source); errors.Is(err, fs.ErrNotExist) {
			return m.Source
		}
	}
	return ""
}

// show gives a tool to a step, and what goes before PATH for it.
func (t Tool) show(name string, j Job, s *execute.Spec) []string {
	s.Mounts = append(s.Mounts, t.Mounts...)
	for k, v := range t.Env {
		setDefault(s.Env, k, v)
	}
	for _, c := range j.Caches {
		if c.Name == name {
			for k, v := range t.CacheEnv {
				setDefault(s.Env, k, strings.ReplaceAll(v, "{cache}", c.Path))
			}
		}
	}
	return t.Path
}
