package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// step runs one lease to its end. asked ends when the worker is asked to end, work when it must. cleared waits until what the
// step had on the disk is removed, for which nobody else need wait.
func (w *Worker) step(asked, work context.Context, l Lease) (cleared func()) {
	log := w.Log.With("step", l.Step, "run", l.Run, "attempt", l.Attempt)
	// alive ends when nobody wants the step any more from this worker; ctx also when it is canceled, which is
	// still to be reported.
	alive, lose := context.WithCancelCause(work)
	defer lose(nil)
	ctx, cancel := context.WithCancelCause(alive)
	defer cancel(nil)
	if l.Last && l.Job.Kind == KindCommand { // to give it back would lose it: it is asked to end while it can still save and tell
		defer context.AfterFunc(asked, func() {
			if w.Ask <= 0 {
				cancel(errStopped)
				return
			}
			select {
			case <-time.After(w.Ask):
				cancel(errStopped)
			case <-ctx.Done():
			}
		})()
	}
	var watch sync.WaitGroup
	watch.Go(func() { w.beat(alive, l, lose, cancel) })
	watch.Go(func() {
		if w.Hub.AwaitCancel(ctx, l.ID) == nil {
			cancel(errCanceled)
		}
	})

	stream := openLog(alive, l.LogOffset, w.Patience, w.spool(), log, func(ctx context.Context, offset int64, p []byte) error {
		return w.Hub.Log(ctx, l.ID, offset, p)
	})
	secrets := secretsOf(l)
	clear := NewMasker(stream, secrets)
	var told *announced
	if l.Job.AddMasks {
		told = announce(stream, secrets)
		clear = told
	}
	result, remove := w.perform(ctx, alive, l, clear)
	var removing sync.WaitGroup
	if result.ExitCode != 0 { // the rest of the log may want the room on the disk
		remove()
	} else {
		removing.Go(remove)
	}
	result = withoutSecrets(result, secrets)
	if told != nil {
		result = told.hide(result)
	}
	if result.ExitCode != 0 && errors.Is(context.Cause(ctx), errStopped) {
		result.Message = strings.TrimPrefix(result.Message+"; ", "; ") + "the worker was stopped while it ran this step; retry when you have checked what it did"
	}
	if errors.Is(context.Cause(ctx), errCanceled) && result.ExitCode != 0 && (result.Reason == "" || result.Reason == ReasonSetup) {
		result.Reason = execute.ReasonCanceled
	}
	_ = clear.Close() // the stream takes everything
	if err := stream.Close(); err != nil && result.ExitCode == 0 {
		result.ExitCode, result.Reason, result.Message = ExitSetup, ReasonSetup, "the step's log can't be kept: "+fault.Message(err)
	}
	if cause := context.Cause(alive); cause != nil { // a heartbeat may find the lease gone while the report ends it
		log.Info("a step was given back", "reason", cause)
	}
	w.report(alive, l, result)
	lose(nil)
	watch.Wait()
	return removing.Wait
}

// spool gives a log the room on disk that it may take.
func (w *Worker) spool() *spool {
	if w.Spool <= 0 {
		return nil
	}
	return &spool{dir: w.Dir, most: w.Spool}
}

// withoutSecrets takes a step's secrets out of what it gives. What it gave goes along when that changed something, since
// later steps may need it.
func withoutSecrets(r Result, secrets []string) Result {
	hide := Hiding(secrets)
	r.Message = hide(r.Message)
	shown := r
	shown.Outputs, shown.Data = hideOutputs(r.Outputs, hide), HideJSON(r.Data, hide)
	if maps.Equal(shown.Outputs, r.Outputs) && bytes.Equal(shown.Data, r.Data) {
		return r
	}
	shown.Clear = &Clear{Outputs: r.Outputs, Data: r.Data}
	for _, secret := range secrets {
		hide := Hiding([]string{secret})
		if !maps.Equal(hideOutputs(r.Outputs, hide), r.Outputs) || !bytes.Equal(HideJSON(r.Data, hide), r.Data) {
			shown.Clear.Secrets = append(shown.Clear.Secrets, secret)
		}
	}
	return shown
}

func hideOutputs(outputs map[string]string, hide func(string) string) map[string]string {
	if outputs == nil {
		return nil
	}
	out := make(map[string]string, len(outputs))
	for name, text := range outputs {
		out[hide(name)] = hide(text)
	}
	return out
}

func secretsOf(l Lease) []string {
	secrets := slices.Clone(l.Job.Masks)
	for _, value := range l.Secrets {
		secrets = append(secrets, value)
	}
	return append(secrets, l.Token, l.IDToken)
}

// perform gives the result of a job, whatever happens, and what removes the job's workspaces.
func (w *Worker) perform(ctx, alive context.Context, l Lease, log io.Writer) (result Result, remove func()) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error("a step broke the worker's code", "step", l.Step, "panic", p, "stack", string(debug.Stack()))
			result = Result{ExitCode: ExitSetup, Reason: ReasonSetup, Message: "a defect of the platform; the server's log has the details"}
			remove = nothing
		}
	}()
	switch l.Job.Kind {
	case KindCommand:
		return w.command(ctx, alive, l, log)
	case KindPlatform:
		return w.platform(ctx, l, log), nothing
	}
	return failed(log, fault.Errorf(fault.Invalid, "this worker does not know jobs of kind %q", l.Job.Kind)), nothing
}

func (w *Worker) platform(ctx context.Context, l Lease, log io.Writer) Result {
	handle := w.Handlers[l.Job.Action]
	if handle == nil {
		return failed(log, fault.Errorf(fault.Invalid, "this worker does not know the action %q", l.Job.Action))
	}
	var result Result
	var err error
	err = patiently(ctx, w.Patience, func() error {
		if result, err = handle(ctx, l, log); fault.Is(err, fault.Unavailable) {
			w.Log.Warn("a platform action waits for what it needs", "action", l.Job.Action, "step", l.Step, "error", Masked(err.Error(), secretsOf(l)))
		}
		return err
	})
	if err == nil {
		return result
	}
	if fault.KindOf(err) == fault.Internal {
		w.Log.Error("a platform action broke", "action", l.Job.Action, "step", l.Step, "error", Masked(err.Error(), secretsOf(l)))
	}
	result.Message = fault.Message(err)
	if result.ExitCode == 0 {
		result.ExitCode = 1
	}
	for _, d := range fault.Details(err) {
		result.Message += "\n  " + d.String()
	}
	fmt.Fprintf(log, "roadbed: %s\n", result.Message)
	return result
}

// failed is the result of a step that could not be prepared. The log tells why.
func failed(log io.Writer, err error) Result {
	message := err.Error()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		message = "the disk of the worker is full; free some space and retry"
	}
	fmt.Fprintf(log, "roadbed: %s\n", message)
	return Result{ExitCode: ExitSetup, Reason: ReasonSetup, Message: message}
}

// beat extends the lease until ctx ends. A lease that could not be extended in its time counts as lost: someone
// else may hold the step by then.
func (w *Worker) beat(ctx context.Context, l Lease, lose, cancel context.CancelCauseFunc) {
	ttl := l.Expires.Sub(w.Now())
	every := min(max(ttl/3, 50*time.Millisecond), 2*time.Second)
	ttl = max(ttl, 3*every)
	expires := time.Now().Add(ttl)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		// A Hub that hangs must not hold back the end of the lease.
		call, done := context.WithDeadline(ctx, expires)
		asked := time.Now()
		canceled, err := w.Hub.Heartbeat(call, l.ID)
		done()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			expires = asked.Add(ttl)
			if canceled {
				cancel(errCanceled)
			}
		case fault.Is(err, fault.NotFound) || fault.Is(err, fault.Stale) || !time.Now().Before(expires):
			lose(errLost)
			return
		default:
			w.Log.Warn("extend a lease", "step", l.Step, "error", err)
		}
	}
}

// report tells the result until it holds, or the lease is lost.
func (w *Worker) report(alive context.Context, l Lease, result Result) {
	if context.Cause(alive) != nil {
		return
	}
	err := retry(alive, func() error { return w.Hub.Report(alive, l.ID, result) })
	if kind := fault.KindOf(err); kind == fault.Invalid || kind == fault.TooLarge { // its run must come to know that it ended
		w.Log.Error("a step's result can't be kept", "step", l.Step, "error", err)
		result = Result{ExitCode: ExitSetup, Reason: ReasonSetup, Message: "what the step gave can't be kept: " + fault.Message(err)}
		err = retry(alive, func() error { return w.Hub.Report(alive, l.ID, result) })
	}
	if err != nil && !fault.Is(err, fault.NotFound) && alive.Err() == nil {
		w.Log.Error("report a step", "step", l.Step, "error", err)
	}
}
