package scaffold

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// stepTime is how long one step of a template may take.
const stepTime = 15 * time.Minute

// Handlers gives the platform actions of this room, for the server's worker.
func (s *Service) Handlers() map[string]worker.Handler {
	return map[string]worker.Handler{StepAction: s.runStep, UndoAction: s.runUndo}
}

// runStep does one step of a golden path, or its outcome. Doing it again after a crash starts from the same workspace
// and finds what the first try has made.
func (s *Service) runStep(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var in stepInput
	if err := json.Unmarshal(l.Job.Input, &in); err != nil {
		return worker.Result{}, fmt.Errorf("read the input of step %s: %w", l.Step, err)
	}
	t, err := s.getTask(ctx, l.Run)
	if err != nil {
		return worker.Result{}, err
	}
	var data stepData
	work, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	masked := t.Hidden.masking(log)
	failure := s.workStep(work, t, in, masked, &data)
	_ = masked.Close() // a log that can't be written doesn't stop the work
	if ctx.Err() != nil {
		return worker.Result{}, ctx.Err()
	}
	if failure != nil && work.Err() != nil {
		failure = fault.Errorf(fault.Exhausted, "the step takes longer than %s", stepTime)
	}
	return s.result(ctx, t, data, failure)
}

// result tells what a step came to, with all that the run has made by now.
func (s *Service) result(ctx context.Context, t *task, data stepData, failure error) (worker.Result, error) {
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		data.Made, err = madeBy(ctx, tx, t.Run)
		return err
	})
	if err != nil {
		return worker.Result{}, err
	}
	var result worker.Result
	if data.Workspace != "" {
		result.Artifacts = map[string]worker.Artifact{"workspace": {Digest: data.Workspace, Kind: "tree"}}
	}
	if failure != nil {
		if fault.Is(failure, fault.Internal) {
			s.Log.ErrorContext(ctx, "golden path step", "run", t.Run, "error", t.Hidden.redact(failure.Error()))
		}
		result.ExitCode, result.Message = 1, t.Hidden.redact(explain(failure))
		if fault.Is(failure, fault.Unavailable) { // the worker tries for a while
			failure = fault.Errorf(fault.Unavailable, "%s", result.Message)
		} else {
			failure = nil
		}
	} else if data.Skipped {
		result.Message = "skipped"
	}
	if result.Data, err = json.Marshal(data); err != nil {
		return worker.Result{}, err
	}
	return result, failure
}

// workStep does the step as the person who started the run, or who continued it, whose rights are asked again.
func (s *Service) workStep(ctx context.Context, t *task, in stepInput, log io.Writer, data *stepData) error {
	as, who, err := s.ctxOf(ctx, t.worksFor())
	if err != nil {
		return err
	}
	if t.Retrier.ID != "" && t.Retrier.ID != t.Principal.ID {
		fmt.Fprintf(log, "works as %s, who continued the run\n", who.Ref)
	}
	if err := s.Access.Authorize(as, "template:use", t.Space); err != nil {
		return err
	}
	template, details := readTemplate(t.Document)
	if len(details) > 0 || in.Index < 0 || in.Index > len(template.Steps) {
		return fault.At("the run's template can't be read any more", details...)
	}
	if !t.Finished.IsZero() {
		return fault.Errorf(fault.Conflict, "the run is too old to be continued; start it anew")
	}
	e, err := s.newExecution(as, t, template, log)
	if err != nil {
		return err
	}
	defer e.Close()
	if err := s.resume(ctx, e, in.Index); err != nil {
		return err
	}
	var output map[string]any
	if in.Outcome {
		output, err = e.outcome(as)
	} else {
		e.keeper = tableKeeper{s, t, template.Steps[in.Index].ID}
		output, data.Skipped, err = e.step(as, in.Index)
	}
	if err != nil {
		return err
	}
	if err := s.keepOutput(t, output, data, !in.Outcome); err != nil {
		return err
	}
	if e.space.dirty {
		data.Workspace, err = s.saveWorkspace(ctx, t, e.space)
	}
	return err
}

// retrier asks whoever continues a run for the right to use a template, and has the run work for them from then on.
func (s *Service) retrier(ctx context.Context, tx *store.Tx, r run.Run) error {
	if err := s.Access.Authorize(ctx, "template:use", r.Space); err != nil {
		return err
	}
	switch actor.From(ctx).Kind {
	case actor.Workload:
		return fault.Errorf(fault.Denied, "a step of a run can't continue a golden path; a person or a machine account can")
	case actor.System: // it has no rights to lend
		return nil
	}
	who, err := json.Marshal(caller(ctx))
	if err == nil {
		_, err = tx.Exec(ctx, "UPDATE scaffold_tasks SET retry_principal = $1 WHERE run = $2", string(who), r.ID)
	}
	return fault.Wrap(err, "write down who continues run %s", r.ID)
}

// resume gives an execution what the steps before have left: outputs, workspace, and whether one has failed.
func (s *Service) resume(ctx context.Context, e *execution, index int) error {
	var steps []run.Step
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		steps, err = s.Runs.StepsTx(ctx, tx, e.task.Run)
		return err
	})
	if err != nil {
		return err
	}
	byKey := map[string]*run.Step{}
	for i := range steps {
		byKey[steps[i].Key] = &steps[i]
	}
	digest := ""
	for _, step := range e.template.Steps[:index] {
		done := byKey[step.ID]
		data, ok := dataOf(done)
		if done == nil || done.State == run.StepFailed {
			e.failed = true
		}
		if !ok || done.State != run.StepSucceeded {
			continue
		}
		output, err := s.outputOf(data)
		if err != nil {
			return err
		}
		e.outputs[step.ID] = map[string]any{"output": output}
		if data.Workspace != "" {
			digest = data.Workspace
		}
	}
	if digest != "" {
		e.space, err = s.loadWorkspace(ctx, e.task, digest)
	}
	return err
}

// saveWorkspace keeps a workspace as a blob; sealed when the form has secrets, since files may hold them.
func (s *Service) saveWorkspace(ctx context.Context, t *task, w *workspace) (string, error) {
	packed, err := w.pack()
	if err == nil && !t.Hidden.empty() {
		packed, err = s.Seal.Seal(packed)
	}
	if err != nil {
		return "", err
	}
	digest, _, err := s.Blob.Put(ctx, bytes.NewReader(packed), 2*workspaceBytes)
	return digest, fault.Wrap(err, "keep the workspace of run %s", t.Run)
}

func (s *Service) loadWorkspace(ctx context.Context, t *task, digest string) (*workspace, error) {
	content, _, err := s.Blob.Open(ctx, digest)
	if err != nil {
		return nil, fault.Wrap(err, "open the workspace of run %s", t.Run)
	}
	defer content.Close()
	packed, err := io.ReadAll(io.LimitReader(content, 2*workspaceBytes+1))
	if err == nil && !t.Hidden.empty() {
		packed, err = s.Seal.Open(packed)
	}
	if err != nil {
		return nil, fault.Wrap(err, "read the workspace of run %s", t.Run)
	}
	return unpack(packed)
}

// keepOutput keeps what a step gives: for people without secrets, and sealed beside it for the later steps, when those
// are to know more.
func (s *Service) keepOutput(t *task, output map[string]any, data *stepData, later bool) error {
	data.Output, _ = t.Hidden.redactValue(output).(map[string]any)
	if !later || reflect.DeepEqual(normal(data.Output), normal(output)) {
		return nil
	}
	plain, err := json.Marshal(output)
	if err == nil {
		data.Sealed, err = s.Seal.Seal(plain)
	}
	return fault.Wrap(err, "seal the output of a step of run %s", t.Run)
}

// outputOf gives the output of an earlier step as it was.
func (s *Service) outputOf(data stepData) (map[string]any, error) {
	output := data.Output
	if len(data.Sealed) > 0 {
		plain, err := s.Seal.Open(data.Sealed)
		if err == nil {
			err = json.Unmarshal(plain, &output)
		}
		if err != nil {
			return nil, fault.Wrap(err, "open the output of a step")
		}
	}
	if output == nil {
		output = map[string]any{}
	}
	return output, nil
}

// ended closes the record of a run that nothing can continue any more, and drops its secrets. A failed or canceled one
// keeps them for a while: it may go on.
func (s *Service) ended(ctx context.Context, tx *store.Tx, r run.Run) error {
	if r.State != "finished" && r.State != "undone" {
		return nil
	}
	now := store.Micros(s.Now())
	_, err := tx.Exec(ctx, "UPDATE scaffold_lineage SET finished = $1 WHERE run = $2 AND finished = 0", now, r.ID)
	if err == nil {
		_, err = tx.Exec(ctx, "UPDATE scaffold_tasks SET finished = $1, sealed = NULL WHERE run = $2", now, r.ID)
	}
	return fault.Wrap(err, "finish run %s", r.ID)
}

// keepSecrets is how long the secrets of a run that has not come to its end are kept.
const keepSecrets = 14 * 24 * time.Hour

// Run drops the secrets of runs that nobody has continued. It lives until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTicker(time.Hour)
	defer timer.Stop()
	for {
		if err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "drop the secrets of old golden path runs", "error", err)
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Expire drops the secrets of runs that started too long ago to be continued.
func (s *Service) Expire(ctx context.Context) error {
	now := s.Now()
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE scaffold_tasks SET finished = $1, sealed = NULL WHERE finished = 0 AND created < $2",
			store.Micros(now), store.Micros(now.Add(-keepSecrets)))
		return err
	})
}
