package group

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// running is a started command.
type running struct {
	id   string
	pid  int
	out  *output
	term func() // asks the command to end
	kill func() // ends the whole group; may be called often, and after the end

	mu     sync.Mutex
	reason string
	folder string // of reason disk: which one was too full, if it was one
	timers []*time.Timer
	over   bool

	done   chan struct{} // closed when result and err are set and nothing of the command is left
	result execute.Result
	err    error
}

func (r *running) PID() int { return r.pid }

func (r *running) Wait(ctx context.Context) (execute.Result, error) {
	select {
	case <-r.done:
		return r.result, r.err
	default:
	}
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return execute.Result{}, context.Cause(ctx)
	}
}

func (r *running) Stop(grace time.Duration) { r.end(execute.ReasonCanceled, grace) }

// end ends the command; the first reason given is the one that is told.
func (r *running) end(reason string, grace time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	if r.reason == "" {
		r.reason = reason
	}
	if grace <= 0 {
		r.kill()
		return
	}
	r.term()
	r.timers = append(r.timers, time.AfterFunc(grace, r.kill))
}

// full ends a command that holds too much disk; folder is the one of its own that does, if it is one alone.
func (r *running) full(folder string, grace time.Duration) {
	r.mu.Lock()
	if r.reason == "" {
		r.folder = folder
	}
	r.mu.Unlock()
	r.end(execute.ReasonDisk, grace)
}

// after calls fn once d has passed, unless the command has ended by then.
func (r *running) after(d time.Duration, fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.timers = append(r.timers, time.AfterFunc(d, fn))
	}
}

// finish publishes the result.
func (r *running) finish(result execute.Result, memory bool, err error) {
	r.mu.Lock()
	r.over = true
	for _, t := range r.timers {
		t.Stop()
	}
	result.Reason, result.Full = r.reason, r.folder
	r.mu.Unlock()
	switch {
	case result.Reason != "":
	case memory && result.ExitCode != 0:
		result.Reason = execute.ReasonMemory
	case result.Signal != "":
		result.Reason = execute.ReasonSignal
	}
	r.result, r.err = result, err
	close(r.done)
}

// output copies what a command writes, up to a limit.
type output struct {
	to     io.Writer
	limit  int64 // 0: none
	goesOn bool  // past the limit, and what it writes then is lost
	over   func()
	done   chan struct{}
	err    error
}

// cut is the last line of an output whose command goes on.
func (o *output) cut() string {
	return fmt.Sprintf("\nroadbed: the log ends here: it has its %d bytes. The command goes on, and what it says is not kept.\n", o.limit)
}

// copy reads until the last writer is gone. A reader that can't write on keeps reading, so that nobody blocks.
func (o *output) copy(from io.Reader) {
	defer close(o.done)
	buffer := make([]byte, 32<<10)
	var written int64
	for full := false; ; {
		n, err := from.Read(buffer)
		p := buffer[:n]
		past := o.limit > 0 && written+int64(n) > o.limit
		if past {
			p = p[:o.limit-written]
		}
		written += int64(len(p))
		if past && !full {
			if full = true; o.goesOn {
				p = append(slices.Clone(p), o.cut()...)
			} else {
				o.over()
			}
		}
		if len(p) > 0 && o.err == nil && o.to != nil {
			if _, o.err = o.to.Write(p); o.err != nil {
				o.over()
			}
		}
		if err != nil {
			return
		}
	}
}

// relay joins two connections until both directions are over; the end of one is passed on as half a close.
func relay(a, b halfCloser) {
	var both sync.WaitGroup
	pass := func(to, from halfCloser) {
		if _, err := io.Copy(to, from); err != nil && !errors.Is(err, io.EOF) {
			// One side is broken: the other must not wait for it.
			to.Close()
			from.Close()
			return
		}
		_ = to.CloseWrite() // the sandbox may have ended
	}
	both.Go(func() { pass(a, b) })
	both.Go(func() { pass(b, a) })
	both.Wait()
	a.Close()
	b.Close()
}

type halfCloser interface {
	io.ReadWriteCloser
	CloseWrite() error
}
