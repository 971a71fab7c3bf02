package trigger

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// PipelineState is how the pipelines of a commit stand.
type PipelineState string

const (
	PipelineNone    PipelineState = "none"    // no trigger is interested in it
	PipelineRunning PipelineState = "running" // one runs, or is about to
	PipelinePassed  PipelineState = "passed"
	PipelineFailed  PipelineState = "failed"
)

// lineage bounds how many commits of the platform in a row are looked through.
const lineage = 50

// Pipeline tells how the pipelines of a commit stand, and names a run that failed or runs. A commit that the platform
// made is as its parent is, since it starts no pipeline of its own.
func (s *Service) Pipeline(ctx context.Context, repository, ref, commit string) (PipelineState, string, error) {
	for range lineage {
		own, err := s.Repositories.IsPlatformCommit(ctx, repository, commit)
		if err != nil {
			return "", "", err
		}
		if !own {
			break
		}
		parents, err := s.Repositories.Parents(ctx, repository, commit)
		if err != nil || len(parents) == 0 {
			return PipelineNone, "", err
		}
		commit = parents[0]
	}
	state, runID := PipelineNone, ""
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT ref, space, spec, updated FROM triggers WHERE repository = $1", repository)
		list, err := store.Collect(rows, err, scanTrigger)
		if err != nil {
			return fault.Wrap(err, "find the triggers of %s", repository)
		}
		for _, t := range list {
			if !t.Spec.On.Push.wantsBranch(ref) {
				continue
			}
			one, id, err := s.pipelineOf(ctx, tx, t, ref, commit)
			if err != nil {
				return err
			}
			if rank(one) > rank(state) {
				state, runID = one, id
			}
		}
		return nil
	})
	return state, runID, err
}

// rank orders states by how much they hold a deployment up.
func rank(s PipelineState) int {
	switch s {
	case PipelinePassed:
		return 1
	case PipelineRunning:
		return 2
	case PipelineFailed:
		return 3
	}
	return 0
}

func (s *Service) pipelineOf(ctx context.Context, tx *store.Tx, t Trigger, ref, commit string) (PipelineState, string, error) {
	e, err := store.One(tx.QueryRow(ctx, `SELECT id, trigger_ref, repository, ref, commit_id, outcome, message, run, created
 FROM trigger_events WHERE trigger_ref = $1 AND ref = $2 AND commit_id = $3`, t.Ref.String(), ref, commit), scanEvent, "event")
	switch {
	case fault.Is(err, fault.NotFound):
		return PipelineRunning, "", nil // it is asked in a moment
	case err != nil:
		return "", "", err
	case e.Outcome == Skipped:
		return PipelineNone, "", nil
	case e.Outcome == Refused:
		return PipelineFailed, t.Ref.String() + ": " + e.Message, nil
	}
	r, err := s.Runs.GetTx(ctx, tx, e.Run)
	switch {
	case err != nil:
		return "", "", err
	case !r.Terminal:
		return PipelineRunning, r.ID, nil
	case r.State == succeeded:
		return PipelinePassed, r.ID, nil
	}
	return PipelineFailed, r.ID, nil
}

// succeeded is the state in which a workflow run has passed.
const succeeded = "succeeded"

// Runs is what this room asks of core/run.
type Runs interface {
	GetTx(ctx context.Context, tx *store.Tx, id string) (run.Run, error)
}
