package group

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Body is what one kind of executor does in its own way.
type Body interface {
	// Launch starts a command and returns when it runs. life ends with the command.
	Launch(life context.Context, q *Request) (*Launched, error)
	// Clear ends what an earlier life started with this id, and removes what it left. Nothing there is no error.
	Clear(ctx context.Context, id string) error
	// Leftovers gives the ids that have something on this machine, whoever started them.
	Leftovers(ctx context.Context) ([]string, error)
}

// Executor runs commands by a body. It keeps what it needs below its folder; two executors must not share one.
type Executor struct {
	dir  string // absolute
	log  *slog.Logger
	body Body

	mu      sync.Mutex
	running map[string]*running
}

// New makes the folder if it is missing; nobody else may enter it. Body must be called before the first Start.
func New(dir string, log *slog.Logger) (*Executor, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the executor's folder: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "run")} {
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
	return &Executor{dir: dir, log: log, running: map[string]*running{}}, nil
}

// By says who runs the commands.
func (e *Executor) By(b Body) { e.body = b }

// Dir gives the executor's folder, absolute and without links.
func (e *Executor) Dir() string { return e.dir }

// Home gives the folder of a command.
func (e *Executor) Home(id string) string { return filepath.Join(e.dir, "run", id) }

// Log is never nil.
func (e *Executor) Log() *slog.Logger { return e.log }

// Prefix begins the names of what this executor makes outside its folder.
func (e *Executor) Prefix() string {
	sum := sha256.Sum256([]byte(e.dir))
	return "roadbed-" + hex.EncodeToString(sum[:4]) + "-"
}

// Launched is a command as a body started it.
type Launched struct {
	PID  int
	Term func() // asks it to end
	Kill func() // ends all of it; may be called often, and after the end
	// Wait blocks until nothing of the command is left, and tells how it ended and whether memory was short.
	Wait func() (result execute.Result, memory bool, err error)
}

// Request is a checked Spec with the folders and files that belong to it. Workspace is never empty.
type Request struct {
	execute.Spec
	Home, Tmp string
	In, Out   *os.File // the command's; the executor closes them when it runs
	Forwards  *Forwards
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
			if err := e.body.Clear(ctx, r.id); err != nil {
				e.leave(r)
				r.finish(execute.Result{}, false, err)
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
	q := &Request{Spec: spec, Home: e.Home(spec.ID), Forwards: NewForwards()}
	q.Tmp = filepath.Join(q.Home, "tmp")
	defer func() {
		if err != nil {
			q.Forwards.Close()
			os.RemoveAll(q.Home)
		}
	}()
	if err := os.MkdirAll(q.Tmp, 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", spec.ID, err)
	}
	if q.Workspace == "" {
		q.Workspace = filepath.Join(q.Home, "work")
		if err := os.MkdirAll(q.Workspace, 0o700); err != nil {
			return fmt.Errorf("make the workspace of %s: %w", spec.ID, err)
		}
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open a pipe for the output of %s: %w", spec.ID, err)
	}
	q.Out = writer
	feeder, err := q.openStdin()
	if err != nil {
		reader.Close()
		writer.Close()
		return err
	}
	begun := time.Now()
	l, err := e.body.Launch(life, q)
	q.In.Close()
	writer.Close()
	if err != nil {
		reader.Close()
		closeFile(feeder)
		return err
	}
	r.adopt(l, &output{to: out, limit: spec.Limits.Output, goesOn: spec.Saving > 0, over: func() { r.end(execute.ReasonOutput, spec.Saving) }, done: make(chan struct{})})
	go r.out.copy(reader)
	if spec.Limits.Time > 0 {
		r.after(spec.Limits.Time, func() { r.end(execute.ReasonTime, max(execute.StopGrace, spec.Saving)) })
	}
	diskDone := make(chan struct{})
	go func() {
		defer close(diskDone)
		q.watchDisk(life, r)
	}()
	go func() {
		result, memory, err := l.Wait()
		result.Started, result.Ended = begun, time.Now()
		// Without a process namespace something may have got away with the pipe in its hands.
		_ = reader.SetReadDeadline(time.Now().Add(5 * time.Second))
		<-r.out.done
		reader.Close()
		closeFile(feeder)
		q.Forwards.Close()
		release()
		<-diskDone
		if err == nil {
			err = fault.Wrap(r.out.err, "write the output of %s", spec.ID)
		}
		if err := os.RemoveAll(q.Home); err != nil {
			e.log.Warn("remove the folder of a step", "id", spec.ID, "error", err)
		}
		e.leave(r)
		r.finish(result, memory, err)
	}()
	return nil
}

// adopt takes over the launched command. A Stop that came before it does its work now.
func (r *running) adopt(l *Launched, out *output) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid, r.out = l.PID, out
	cancel := r.kill
	r.term = l.Term
	r.kill = func() { cancel(); l.Kill() }
	if r.reason != "" {
		l.Kill()
	}
}

// openStdin gives the command's standard input, and our end of it when something must be copied in. The copy ends
// when the command has ended and Spec.Stdin's Read returns.
func (q *Request) openStdin() (*os.File, error) {
	if q.Stdin == nil {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return nil, fmt.Errorf("open an empty input: %w", err)
		}
		q.In = f
		return nil, nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe for the input of %s: %w", q.ID, err)
	}
	q.In = reader
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

// Reap kills what earlier lives left behind; see execute.Executor.
func (e *Executor) Reap(ctx context.Context, keep func(id string) bool) error {
	ids, err := e.body.Leftovers(ctx)
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
	return e.body.Clear(ctx, id)
}
