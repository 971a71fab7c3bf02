package stack

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Spacelift: a proposed run can be promoted to a tracked one at the same commit, if that is newer than what the stack has
// tracked. Here it has to be on the stack's branch, too: what lies beside it was reviewed by nobody. A promoted run plans
// anew, and all holds for it that holds for any tracked run.

// MayPromote tells whether a run is a preview that could be promoted, rights and commits aside.
func MayPromote(r run.Run) bool {
	var in Input
	return r.Kind == RunKind && r.State == finished && json.Unmarshal(r.Input, &in) == nil && in.Type == Proposed && in.Upload == nil
}

// Promote begins a tracked run at the commit of a preview. While one that was promoted from it is under way, that is given.
// Permission: run:read and stack:apply in the run's space. Conflict when its commit is not newer than what is tracked; Invalid
// when it is not on the stack's branch.
func (s *Service) Promote(ctx context.Context, runID string) (run.Run, error) {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return r, err
	}
	if err := s.Access.Authorize(ctx, Right(Tracked), r.Space); err != nil {
		return run.Run{}, err
	}
	if !MayPromote(r) {
		return run.Run{}, fault.Errorf(fault.Conflict, "run %s is no preview of a commit that has finished; only such a run is promoted", runID)
	}
	stack, err := s.standing(ctx, r.Subject, r.Space)
	if err != nil {
		return run.Run{}, err
	}
	if stack.Repository != r.Source.Repository {
		return run.Run{}, fault.Errorf(fault.Conflict, "%s follows %s by now, and run %s is of %s; preview it again", stack.Ref, stack.Repository, runID, r.Source.Repository)
	}
	if err := s.mayRead(ctx, stack); err != nil {
		return run.Run{}, err
	}
	var open *run.Run
	if err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		open, err = s.promotion(ctx, tx, stack, runID)
		return err
	}); err != nil || open != nil {
		return orNone(open), err
	}
	commit, err := s.commit(ctx, stack, Tracked, r.Source.Commit)
	if err != nil {
		return run.Run{}, err
	}
	before, err := s.newer(ctx, stack, commit)
	if err != nil {
		return run.Run{}, err
	}
	ready, err := s.prepare(ctx, stack, commit)
	if err == nil {
		err = s.mayBegin(ctx, stack, Tracked, commit, "")
	}
	if err != nil {
		return run.Run{}, err
	}
	var made run.Run
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate())
		if err != nil {
			return err
		}
		if open, err := s.promotion(ctx, tx, stack, runID); err != nil || open != nil {
			made = orNone(open)
			return err
		}
		tracked, err := s.trackedCommit(ctx, tx, now)
		if err != nil {
			return err
		}
		if tracked != before || !now.Updated.Equal(stack.Updated) || now.Applied != stack.Applied || now.Deleted {
			return fault.Errorf(fault.Conflict, "%s has changed at this moment; look at it, and promote the run again", stack.Ref)
		}
		made, _, err = s.start(ctx, tx, now, Tracked, commit, "", "", ready, func(_ *run.New, in *Input) { in.Promotes = runID })
		if err == nil {
			err = s.letGoOn(ctx, tx, now.Ref, "")
		}
		return err
	})
	return made, err
}

// promotion gives the run under way that was promoted from another; nil for none.
func (s *Service) promotion(ctx context.Context, tx *store.Tx, stack Stack, runID string) (*run.Run, error) {
	open, err := s.openOf(ctx, tx, stack.Ref.String(), Tracked)
	if err != nil {
		return nil, err
	}
	for i := range open {
		var in Input
		if json.Unmarshal(open[i].Input, &in) == nil && in.Promotes == runID {
			return &open[i], nil
		}
	}
	return nil, nil
}

func orNone(r *run.Run) run.Run {
	if r == nil {
		return run.Run{}
	}
	return *r
}

// newer holds a commit to being newer than what a stack has tracked, which it gives.
func (s *Service) newer(ctx context.Context, stack Stack, commit string) (tracked string, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		tracked, err = s.trackedCommit(ctx, tx, stack)
		return err
	})
	if err != nil {
		return tracked, err
	}
	for _, before := range []string{tracked, stack.Applied} {
		after := commit != before
		if after && before != "" {
			if after, err = s.Repositories.IsAncestor(ctx, stack.Repository, before, commit); fault.Is(err, fault.NotFound) {
				err = nil // it is gone, such as after a forced push
			}
		}
		if err == nil && !after {
			err = fault.Errorf(fault.Conflict, "commit %.12s is not newer than %.12s, which %s has tracked already; start a tracked run if you want to go back to it", commit, before, stack.Ref)
		}
		if err != nil {
			return tracked, err
		}
	}
	return tracked, nil
}

// trackedCommit gives the commit of a stack's newest tracked run that is under way or has finished, or else the one that is
// applied; "" for none.
func (s *Service) trackedCommit(ctx context.Context, tx *store.Tx, stack Stack) (string, error) {
	list, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Spaces: []string{stack.Space}, Subject: stack.Ref.String(), Repository: stack.Repository, Limit: 200})
	if err != nil {
		return "", err
	}
	for _, r := range list.Runs {
		var in Input
		branch := branchOf(r.Source.Ref)
		if (!r.Terminal || r.State == finished) && (branch == "" || branch == stack.Branch) && json.Unmarshal(r.Input, &in) == nil && in.Type == Tracked {
			return r.Source.Commit, nil
		}
	}
	return stack.Applied, nil
}
