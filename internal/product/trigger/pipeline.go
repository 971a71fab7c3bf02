package trigger

import (
	"context"
	"slices"
	"strings"
	"time"

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

// authored gives the commit that a person made: the given one, or the nearest below those that the platform put on
// top of it, which start no pipeline of their own. It is "" when there is none.
func (s *Service) authored(ctx context.Context, repository, commit string) (string, error) {
	for range lineage {
		own, err := s.Repositories.IsPlatformCommit(ctx, repository, commit)
		if err != nil || !own {
			return commit, err
		}
		parents, err := s.Repositories.Parents(ctx, repository, commit)
		if err != nil || len(parents) == 0 {
			return "", err
		}
		commit = parents[0]
	}
	return "", nil
}

// Pipeline tells how the pipelines of a commit stand, and names a run that failed or runs. A commit that the platform
// made is as the one below it that a person made.
func (s *Service) Pipeline(ctx context.Context, repository, ref, commit string) (PipelineState, string, error) {
	commit, err := s.authored(ctx, repository, commit)
	if err != nil || commit == "" {
		return PipelineNone, "", err
	}
	pushed, err := s.Repositories.Pushed(ctx, repository, ref, commit)
	if err != nil {
		return "", "", err
	}
	state, runID := PipelineNone, ""
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT ref, space, spec, updated FROM triggers WHERE repository = $1", repository)
		list, err := store.Collect(rows, err, scanTrigger)
		if err != nil {
			return fault.Wrap(err, "find the triggers of %s", repository)
		}
		for _, t := range list {
			if !t.Spec.On.Push.wantsBranch(ref) {
				continue
			}
			one, id, err := s.pipelineOf(ctx, tx, t, ref, commit, pushed)
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

func (s *Service) pipelineOf(ctx context.Context, tx *store.Tx, t Trigger, ref, commit string, pushed time.Time) (PipelineState, string, error) {
	e, err := store.One(tx.QueryRow(ctx, `SELECT id, trigger_ref, repository, ref, commit_id, outcome, message, run, created
 FROM trigger_events WHERE trigger_ref = $1 AND ref = $2 AND commit_id = $3`, t.Ref.String(), ref, commit), scanEvent, "event")
	switch {
	case fault.Is(err, fault.NotFound):
		if t.willConsider(ref, pushed) {
			return PipelineRunning, "", nil
		}
		return PipelineNone, "", nil
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

// willConsider tells whether a trigger that knows nothing of the head of a branch is about to be asked of it: it looks
// at the branches that it names whenever it changes, and at those of a pattern when they are pushed after that.
func (t Trigger) willConsider(ref string, pushed time.Time) bool {
	return slices.Contains(t.Spec.On.Push.heads(), strings.TrimPrefix(ref, "refs/heads/")) || pushed.After(t.Updated)
}

// succeeded is the state in which a workflow run has passed.
const succeeded = "succeeded"

// Runs is what this room asks of core/run.
type Runs interface {
	GetTx(ctx context.Context, tx *store.Tx, id string) (run.Run, error)
}
