package scaffold

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// MayUndo tells whether a run has ended half way and left something that an undo deletes.
func MayUndo(r run.Run) bool {
	if r.Kind != RunKind || r.State != "failed" && r.State != "canceled" {
		return false
	}
	var output struct{ Made []Made }
	_ = json.Unmarshal(r.Output, &output) // an output of another shape tells of nothing made
	return slices.ContainsFunc(output.Made, func(m Made) bool { return m.State != stateUndone })
}

// Undo deletes what a run has made, the newest first, as the person who asks for it. A run that is under way is stopped
// first. What others have changed since is kept, and the undo fails there.
// Permission: run:cancel and template:use in the run's space, and the right to delete each thing.
// Conflict when the run has finished or is undone.
func (s *Service) Undo(ctx context.Context, runID string) error {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return err
	}
	for _, action := range []string{"run:cancel", "template:use"} {
		if err := s.Access.Authorize(ctx, action, r.Space); err != nil {
			return err
		}
	}
	if r.Kind != RunKind {
		return fault.Errorf(fault.Invalid, "run %s is not of a golden path", runID)
	}
	undoer, err := json.Marshal(caller(ctx))
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE scaffold_tasks SET undo_principal = $1 WHERE run = $2", string(undoer), runID); err != nil {
			return fault.Wrap(err, "write down who undoes run %s", runID)
		}
		return s.Runs.Change(ctx, tx, runID, startUndo)
	})
}

// startUndo moves a run to undoing; advance does the rest.
func startUndo(v *run.View) error {
	if undo := v.Step(undoKey); undo != nil && undo.State.Done() && undo.State != run.StepSucceeded {
		v.Again(undo)
	}
	switch v.Run.State {
	case "undoing":
		return nil
	case "running":
		return v.To("undoing", "what was made is being deleted")
	case "failed", "canceled":
		return v.Reopen("undoing", "what was made is being deleted")
	}
	return fault.Errorf(fault.Conflict, "run %s is %s; delete what it made by itself instead", v.Run.ID, v.Run.State)
}

// runUndo deletes what the run has made. Doing it again goes on where it stopped.
func (s *Service) runUndo(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	t, err := s.getTask(ctx, l.Run)
	if err != nil {
		return worker.Result{}, err
	}
	var made []Made
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		made, err = madeBy(ctx, tx, l.Run)
		return err
	})
	if err != nil {
		return worker.Result{}, err
	}
	masked := t.Hidden.masking(log)
	failure := s.undoAll(ctx, t, made, masked)
	_ = masked.Close() // a log that can't be written doesn't stop the work
	if ctx.Err() != nil {
		return worker.Result{}, ctx.Err()
	}
	return s.result(ctx, t, stepData{}, failure)
}

func (s *Service) undoAll(ctx context.Context, t *task, made []Made, log io.Writer) error {
	as, _, err := s.ctxOf(ctx, t.Undoer)
	if err != nil {
		return err
	}
	if err := s.Access.Authorize(as, "template:use", t.Space); err != nil {
		return err
	}
	for _, m := range slices.Backward(made) {
		if m.State == stateUndone {
			continue
		}
		deleted, err := s.undoOne(as, t, made, m)
		if err != nil {
			return fault.Wrap(err, "delete %s %s", m.Kind, m.Name)
		}
		if deleted {
			fmt.Fprintf(log, "deleted %s %s\n", m.Kind, m.Name)
		}
		if err := s.markUndone(ctx, t, m); err != nil {
			return err
		}
	}
	return nil
}

// undoOne deletes one thing. What is gone already, or was only intended and is not this run's, is left as it is.
func (s *Service) undoOne(ctx context.Context, t *task, made []Made, m Made) (deleted bool, err error) {
	switch m.Kind {
	case MadeLocation:
		if m.ID == "" {
			return s.undoIntendedLocation(ctx, t, made, m)
		}
		err = s.Catalog.Unregister(ctx, m.ID)
	case MadeRepository:
		if m.Commit == "" { // perhaps it was made, and nobody heard of it
			if m.Commit, err = s.ownCommit(ctx, t, m.Name, m.Branch); err != nil {
				return false, err
			}
		}
		pushed := map[string]string{}
		if m.Commit != "" {
			pushed["refs/heads/"+m.Branch] = m.Commit
		}
		err = s.Repositories.DeleteUnchanged(ctx, m.Name, m.ID, pushed) // another one of that name is not missed
		if fault.Is(err, fault.NotFound) {
			if about, there := s.Repositories.Describe(actor.AsSystem(ctx), m.Name); there == nil && about.ID == m.ID {
				return false, fault.Errorf(fault.Denied, "you may not see it any more; somebody who administers it can delete it")
			}
		}
		if fault.Is(err, fault.Conflict) {
			return false, fault.Errorf(fault.Conflict, "%s; delete it by itself if that is not needed", fault.Message(err))
		}
	}
	if err != nil {
		return false, ignoreMissing(err)
	}
	return true, nil
}

// undoIntendedLocation finds a location of which the run did not get to hear the id: registering again tells it.
func (s *Service) undoIntendedLocation(ctx context.Context, t *task, made []Made, m Made) (bool, error) {
	repository, file, ok := splitLocation(m.Name)
	own := slices.ContainsFunc(made, func(other Made) bool {
		return other.Kind == MadeRepository && other.Name == repository && other.State != stateUndone
	})
	if !ok || !own { // one of another's repository may have been there before
		return false, nil
	}
	switch about, err := s.Repositories.Describe(ctx, repository); {
	case err != nil:
		return false, ignoreMissing(err)
	case !slices.ContainsFunc(made, func(other Made) bool { return other.Kind == MadeRepository && other.ID == about.ID }):
		return false, nil
	}
	found, err := s.Catalog.Register(ctx, t.Space, Location{Repository: repository, Path: file})
	if err != nil {
		return false, ignoreMissing(err)
	}
	if err := s.Catalog.Unregister(ctx, found.ID); err != nil {
		return false, ignoreMissing(err)
	}
	return true, nil
}

func ignoreMissing(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func (s *Service) markUndone(ctx context.Context, t *task, m Made) error {
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		fresh, err := tx.Exec(ctx, "UPDATE scaffold_made SET state = $1 WHERE run = $2 AND kind = $3 AND name = $4 AND state <> $1",
			stateUndone, t.Run, m.Kind, m.Name)
		if err != nil || fresh == 0 {
			return err
		}
		return s.tell(ctx, tx, t, t.Undoer, "scaffold.undone", m)
	})
	return fault.Wrap(err, "write down that %s was deleted", m.Name)
}
