package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// Options say who a worker is and what it has to offer.
type Options struct {
	Name, Pool string
	Hub        Hub
	Executor   execute.Executor   // nil: takes no commands
	Dir        string             // of this worker alone: workspaces and caches
	Tools      map[string]Tool    // what jobs may ask for
	Lend       Lender             // brings tools that are not among them; nil for none
	Parallel   int                // commands at a time; default 2. Platform actions have as many places of their own, at least 4
	Handlers   map[string]Handler // platform actions; none: takes no platform steps
	Door       string             // unix socket of the platform's API; "": jobs that want it are refused
	Network    bool               // grant jobs that ask for it the host's network
	Limits     execute.Limits     // for what a job leaves open
	Most       execute.Limits     // which no job gets past, whatever it says; see limits
	CacheBytes int64              // that caches may hold together before the least lately used go; default 20 GiB
	Grace      time.Duration      // for running steps when the worker ends; default 10 s
	Ask        time.Duration      // of the grace, in which commands on their last attempt are not asked to end yet
	Saving     time.Duration      // between asking a command that changes things to end at a limit, and killing it; default 5 min
	Patience   time.Duration      // how long a platform action, a source or an output is tried again while something that it needs is away; default 30 s
	Spool      int64              // bytes of a step's log that are kept on disk while the Hub is away, before the step waits
	Now        func() time.Time
	Log        *slog.Logger
}

// Worker takes and runs steps.
type Worker struct {
	Options
	steps  sync.WaitGroup
	begins chan struct{} // places for those that are being prepared; see command
	caches sync.Mutex    // guards the making and pruning of caches
	uses   map[string]int
	pruned time.Time // when the caches were looked at last
}

const (
	leaseWait   = 30 * time.Second
	cancelGrace = 10 * time.Second // between asking a canceled command to end and killing it
)

// New gives a worker that has not started yet.
func New(o Options) *Worker {
	if o.Parallel <= 0 {
		o.Parallel = 2
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Saving <= 0 {
		o.Saving = 5 * time.Minute
	}
	if o.Patience <= 0 {
		o.Patience = 30 * time.Second
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Limits = withDefaults(o.Limits, execute.Limits{
		Memory: 4 << 30, Processes: execute.DefaultProcesses, Output: 64 << 20, Time: time.Hour, Disk: 20 << 30,
	})
	o.Most = withDefaults(o.Most, execute.Limits{
		Memory: 16 << 30, Processes: execute.DefaultProcesses, Output: 64 << 20, Time: 12 * time.Hour, Disk: 20 << 30,
	})
	return &Worker{Options: o, uses: map[string]int{}, begins: make(chan struct{}, max(4, 2*runtime.NumCPU()))}
}

// withDefaults fills the zero fields of l.
func withDefaults(l, defaults execute.Limits) execute.Limits {
	fill := func(to *int64, from int64) {
		if *to == 0 {
			*to = from
		}
	}
	fill(&l.Memory, defaults.Memory)
	fill(&l.Output, defaults.Output)
	fill(&l.Disk, defaults.Disk)
	if l.Processes == 0 {
		l.Processes = defaults.Processes
	}
	if l.CPU == 0 {
		l.CPU = defaults.CPU
	}
	if l.Time == 0 {
		l.Time = defaults.Time
	}
	return l
}

// limits gives what a command is held to: what its job says, or the pool for what the job leaves open, and never more
// than the pool's most. Most.CPU is 0 where a command may have all cores.
func (w *Worker) limits(job execute.Limits) execute.Limits {
	l := withDefaults(job, w.Limits)
	l.Memory, l.Output, l.Disk = within(l.Memory, w.Most.Memory), within(l.Output, w.Most.Output), within(l.Disk, w.Most.Disk)
	l.Processes, l.CPU, l.Time = within(l.Processes, w.Most.Processes), within(l.CPU, w.Most.CPU), within(l.Time, w.Most.Time)
	return l
}

// held tells what a job asks for and does not get.
func held(asked, got execute.Limits) (out []string) {
	add := func(less bool, what string, asked, got any) {
		if less {
			out = append(out, fmt.Sprintf("%v %s; this pool gives it %v", asked, what, got))
		}
	}
	add(asked.Memory > got.Memory, "MiB of memory", asked.Memory>>20, got.Memory>>20)
	add(asked.CPU > got.CPU, "thousandths of a processor", asked.CPU, got.CPU)
	add(asked.Time > got.Time, "of time", asked.Time, got.Time)
	add(asked.Disk > got.Disk, "MiB of disk", asked.Disk>>20, got.Disk>>20)
	add(asked.Processes > got.Processes, "processes", asked.Processes, got.Processes)
	return out
}

// within holds a limit to the most; what is not positive would be none.
func within[T int | int64 | time.Duration](l, most T) T {
	if most > 0 && (l <= 0 || l > most) {
		return most
	}
	return max(l, 0)
}

// Run takes and runs steps until ctx ends. It first removes what an earlier life, however it ended, left behind.
//
// When ctx ends it takes no more steps and gives the running ones Options.Grace to end by themselves. Those that
// have not ended then are killed and given back: nothing is reported of them, so that another worker takes
// them when their lease expires. Commands on their last attempt, which nobody would take, are asked to end before that,
// after Options.Ask, and have four fifths of what is left of the grace for it, so that what they saved is kept and their end
// is told. Run returns when nothing of any step is left here.
func (w *Worker) Run(ctx context.Context) error {
	unlock, err := w.own()
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.clean(ctx); err != nil {
		return err
	}
	// Steps outlive ctx by the grace.
	work, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(w.Grace, func() { end(errDrained) })
	})
	defer stop()
	var lanes sync.WaitGroup
	if w.Executor != nil {
		lanes.Go(func() { w.lane(ctx, work, KindCommand, w.Parallel) })
	}
	if len(w.Handlers) > 0 {
		lanes.Go(func() { w.lane(ctx, work, KindPlatform, max(4, w.Parallel)) })
	}
	lanes.Wait()
	<-ctx.Done()
	w.steps.Wait()
	return nil
}

var (
	errDrained  = errors.New("the worker ends")
	errLost     = errors.New("the lease was lost")
	errCanceled = errors.New("the step was canceled")
	errStopped  = errors.New("the worker is asked to end")
)

// own makes sure that the folder is this worker's alone, until unlock or the end of the process.
func (w *Worker) own() (unlock func(), err error) {
	for _, dir := range []string{"work", "caches"} {
		if err := os.MkdirAll(filepath.Join(w.Dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make the worker's folder: %w", err)
		}
	}
	f, err := os.OpenFile(filepath.Join(w.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the worker's folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the worker's folder %s; is another worker using it? %w", w.Dir, err)
	}
	return func() {
		// Closing alone would leave the lock to a program that is being started at this moment, until it has begun.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		f.Close()
	}, nil
}

// clean ends and removes what an earlier life left.
func (w *Worker) clean(ctx context.Context) error {
	if w.Executor != nil {
		if err := w.Executor.Reap(ctx, nil); err != nil {
			return fmt.Errorf("end the steps of an earlier life: %w", err)
		}
	}
	left, err := os.ReadDir(filepath.Join(w.Dir, "work"))
	if err != nil {
		return fmt.Errorf("look for workspaces of an earlier life: %w", err)
	}
	for _, entry := range left {
		if err := removeAll(filepath.Join(w.Dir, "work", entry.Name())); err != nil {
			return fmt.Errorf("remove a workspace of an earlier life: %w", err)
		}
	}
	w.prune(w.CacheBytes)
	return nil
}

// lane takes steps of one kind while ctx lives and a place is free, and runs them in work.
func (w *Worker) lane(ctx, work context.Context, kind string, places int) {
	free := make(chan struct{}, places)
	for wait := time.Duration(0); ; {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		taken := 1
		for more := true; more && taken < leasedAtOnce; {
			select {
			case free <- struct{}{}:
				taken++
			default:
				more = false
			}
		}
		leases, err := w.lease(ctx, kind, taken)
		for range taken - len(leases) {
			<-free
		}
		if ctx.Err() != nil && len(leases) == 0 {
			return
		}
		if len(leases) == 0 {
			if err == nil {
				wait = 0
				continue
			}
			w.Log.Warn("ask for a step", "kind", kind, "error", err)
			wait = min(max(2*wait, 100*time.Millisecond), 10*time.Second)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			continue
		}
		wait = 0
		for _, l := range leases {
			w.steps.Go(func() {
				cleared := w.step(ctx, work, l)
				<-free
				cleared()
			})
		}
	}
}

// leasedAtOnce bounds the steps of one question: they are leased in one transaction, before any of them begins.
const leasedAtOnce = 128

// lease asks for steps, for as many as the hub gives at a time.
func (w *Worker) lease(ctx context.Context, kind string, most int) ([]Lease, error) {
	if several, ok := w.Hub.(Several); ok {
		return several.Leases(ctx, w.Name, w.Pool, kind, most, leaseWait)
	}
	l, err := w.Hub.Lease(ctx, w.Name, w.Pool, kind, leaseWait)
	if err != nil || l == nil {
		return nil, err
	}
	return []Lease{*l}, nil
}

// removeAll removes a folder, also where a step left folders without write permission.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
