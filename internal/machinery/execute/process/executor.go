package process

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Executor runs commands as processes of this machine. It keeps what it needs below its folder; two executors
// must not share one.
type Executor struct {
	dir      string // absolute
	log      *slog.Logger
	platform *platform
	caps     execute.Capabilities

	mu      sync.Mutex
	running map[string]*running
}

var _ execute.Executor = (*Executor)(nil)

// New finds out what this machine can isolate, by doing it once. dir is made if missing; nobody else may enter it.
func New(dir string, log *slog.Logger) (*Executor, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the executor's folder: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "run"), filepath.Join(dir, "root")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make the executor's folder: %w", err)
		}
	}
	// A link on the way would make what is mounted differ from what is checked.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("open the executor's folder: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := &Executor{dir: dir, log: log, running: map[string]*running{}}
	if err := e.openPlatform(); err != nil {
		return nil, err
	}
	if !e.caps.Isolated {
		log.Warn("steps are not isolated on this machine", "missing", e.caps.Missing)
	}
	return e, nil
}

// prefix begins the names of what this executor makes outside its folder.
func (e *Executor) prefix() string {
	sum := sha256.Sum256([]byte(e.dir))
	return "roadbed-" + hex.EncodeToString(sum[:4]) + "-"
}

// Capabilities says what is isolated and bounded here.
func (e *Executor) Capabilities() execute.Capabilities {
	c := e.caps
	c.Missing = slices.Clone(c.Missing)
	return c
}

// launched is a command as the platform started it.
type launched struct {
	pid  int
	term func()
	kill func()
	// wait blocks until nothing of the command is left, and tells how it ended and whether memory was short.
	wait func() (result execute.Result, memory bool, err error)
}

// request is a checked Spec with the folders and files that belong to it.
type request struct {
	execute.Spec
	home, tmp string
	stdin     *os.File
	out       *os.File
	forwards  *forwards
}

// Start runs a command; see execute.Executor.
func (e *Executor) Start(ctx context.Context, spec execute.Spec, out io.Writer) (execute.Process, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, fault.Errorf(fault.Canceled, "start %s: %w", spec.ID, cause)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{id: spec.ID, kill: cancel, term: cancel, done: make(chan struct{})}
	if err := e.enter(ctx, r); err != nil {
		cancel()
		return nil, err
	}
	unwatch := context.AfterFunc(ctx, func() { r.end(execute.ReasonCanceled, 0) })
	err := e.start(life, r, spec, out, func() { unwatch(); cancel() })
	if err != nil {
		unwatch()
		cancel()
		e.leave(r)
		r.finish(execute.Result{}, false, err)
		if cause := context.Cause(ctx); cause != nil {
			return nil, fault.Errorf(fault.Canceled, "start %s: %w", spec.ID, cause)
		}
		return nil, err
	}
	return r, nil
}

// enter takes the ID for r, when whatever had it is gone.
func (e *Executor) enter(ctx context.Context, r *running) error {
	for {
		e.mu.Lock()
		before := e.running[r.id]
		if before == nil {
			e.running[r.id] = r
			e.mu.Unlock()
			if err := e.clear(ctx, r.id); err != nil {
				e.leave(r)
				return err
			}
			return nil
		}
		e.mu.Unlock()
		before.Stop(0)
		select {
		case <-before.done:
		case <-ctx.Done():
			return fault.Errorf(fault.Canceled, "end the earlier %s: %w", r.id, context.Cause(ctx))
		}
	}
}

func (e *Executor) leave(r *running) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[r.id] == r {
		delete(e.running, r.id)
	}
}

// start prepares what a command needs, launches it and leaves its care to a goroutine that ends with it.
func (e *Executor) start(life context.Context, r *running, spec execute.Spec, out io.Writer, release func()) (err error) {
	q := &request{Spec: spec, home: filepath.Join(e.dir, "run", spec.ID), forwards: newForwards()}
	q.tmp = filepath.Join(q.home, "tmp")
	defer func() {
		if err != nil {
			q.forwards.close()
			os.RemoveAll(q.home)
		}
	}()
	if err := os.MkdirAll(q.tmp, 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", spec.ID, err)
	}
	if q.Workspace == "" {
		q.Workspace = filepath.Join(q.home, "work")
		if err := os.MkdirAll(q.Workspace, 0o700); err != nil {
			return fmt.Errorf("make the workspace of %s: %w", spec.ID, err)
		}
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open a pipe for the output of %s: %w", spec.ID, err)
	}
	q.out = writer
	feeder, err := q.openStdin()
	if err != nil {
		reader.Close()
		writer.Close()
		return err
	}
	begun := time.Now()
	l, err := e.launch(life, q)
	q.stdin.Close()
	writer.Close()
	if err != nil {
		reader.Close()
		closeFile(feeder)
		return err
	}
	r.adopt(l, &output{to: out, limit: spec.Limits.Output, over: func() { r.end(execute.ReasonOutput, 0) }, done: make(chan struct{})})
	go r.out.copy(reader)
	if spec.Limits.Time > 0 {
		r.after(spec.Limits.Time, func() { r.end(execute.ReasonTime, execute.StopGrace) })
	}
	diskDone := make(chan struct{})
	go func() {
		defer close(diskDone)
		q.watchDisk(life, r)
	}()
	go func() {
		result, memory, err := l.wait()
		result.Started, result.Ended = begun, time.Now()
		// Without a process namespace something may have got away with the pipe in its hands.
		_ = reader.SetReadDeadline(time.Now().Add(5 * time.Second))
		<-r.out.done
		reader.Close()
		closeFile(feeder)
		q.forwards.close()
		release()
		<-diskDone
		if err == nil {
			err = fault.Wrap(r.out.err, "write the output of %s", spec.ID)
		}
		if err := os.RemoveAll(q.home); err != nil {
			e.log.Warn("remove the folder of a step", "id", spec.ID, "error", err)
		}
		e.leave(r)
		r.finish(result, memory, err)
	}()
	return nil
}

// adopt takes over the launched command. A Stop that came before it does its work now.
func (r *running) adopt(l *launched, out *output) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid, r.out = l.pid, out
	cancel := r.kill
	r.term = l.term
	r.kill = func() { cancel(); l.kill() }
	if r.reason != "" {
		l.kill()
	}
}

// openStdin gives the command's standard input, and our end of it when something must be copied in. The copy ends
// when the command has ended and Spec.Stdin's Read returns.
func (q *request) openStdin() (*os.File, error) {
	if q.Stdin == nil {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return nil, fmt.Errorf("open an empty input: %w", err)
		}
		q.stdin = f
		return nil, nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe for the input of %s: %w", q.ID, err)
	}
	q.stdin = reader
	go func() {
		_, _ = io.Copy(writer, q.Stdin) // a command need not read its input
		writer.Close()
	}()
	return writer, nil
}

func closeFile(f *os.File) {
	if f != nil {
		f.Close()
	}
}

// watchDisk ends a command when one of its own folders holds more than that may, or all of them, with what those that
// it shares have grown by since it began to look, more than Limits.Disk.
func (q *request) watchDisk(ctx context.Context, r *running) {
	limit := q.Limits.Disk
	if limit <= 0 && !slices.ContainsFunc(q.Owns, func(f execute.Folder) bool { return f.Limit > 0 }) {
		return
	}
	var shared []string
	for _, m := range q.Mounts {
		own := slices.ContainsFunc(q.Owns, func(f execute.Folder) bool {
			return m.Source == f.Path || strings.HasPrefix(m.Source, f.Path+string(filepath.Separator))
		})
		if !m.ReadOnly && !own {
			shared = append(shared, m.Source)
		}
	}
	ticks := time.NewTicker(2 * time.Second)
	defer ticks.Stop()
	before := int64(-1)
	for first := true; ; first = false {
		holds := int64(0)
		for _, f := range q.Owns {
			n := used(ctx, []string{f.Path}, cmp.Or(max(f.Limit, limit), math.MaxInt64))
			if f.Limit > 0 && n > f.Limit {
				r.full(f.Path)
				return
			}
			holds += n
		}
		if len(shared) > 0 && limit > 0 && !first { // a command that ends at once need not wait for a large cache
			now := used(ctx, shared, math.MaxInt64)
			if before < 0 {
				before = now
			}
			holds += max(0, now-before)
		}
		if limit > 0 && holds+used(ctx, []string{q.Workspace, q.tmp}, limit) > limit {
			r.full("")
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// used adds up the sizes of files, and stops counting over limit.
func used(ctx context.Context, dirs []string, limit int64) (total int64) {
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil || total > limit {
				return filepath.SkipAll
			}
			if err != nil {
				return nil // it was removed meanwhile
			}
			if info, err := d.Info(); err == nil {
				total += allocated(info)
			}
			return nil
		})
	}
	return total
}

// Reap kills what earlier lives left behind; see execute.Executor.
func (e *Executor) Reap(ctx context.Context, keep func(id string) bool) error {
	ids, err := e.leftovers()
	if err != nil {
		return fmt.Errorf("look for what earlier lives left: %w", err)
	}
	var all []error
	for _, id := range ids {
		if keep != nil && keep(id) {
			continue
		}
		all = append(all, e.reap(ctx, id))
	}
	return errors.Join(all...)
}

// reap clears an id that nothing of this life has. It holds the id meanwhile, so that a Start waits.
func (e *Executor) reap(ctx context.Context, id string) error {
	r := &running{id: id, kill: func() {}, term: func() {}, done: make(chan struct{})}
	e.mu.Lock()
	if e.running[id] != nil {
		e.mu.Unlock()
		return nil
	}
	e.running[id] = r
	e.mu.Unlock()
	defer r.finish(execute.Result{}, false, nil)
	defer e.leave(r)
	e.log.Info("ending what an earlier life left", "id", id)
	return e.clear(ctx, id)
}
