package stack

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// RightsToRetry gives what it takes to retry a run beside run:retry: what it takes to begin one. None for a run that is none of a
// stack.
func RightsToRetry(r run.Run) []string {
	var in Input
	if r.Kind != RunKind || json.Unmarshal(r.Input, &in) != nil {
		return nil
	}
	all := []string{Right(in.Type)}
	if in.Reconcile {
		all = append(all, Right(Tracked))
	}
	return all
}

func (s *Service) mayRetry(ctx context.Context, r run.Run) error {
	for _, right := range RightsToRetry(r) {
		if err := s.Access.Authorize(ctx, right, r.Space); err != nil {
			return fault.Wrap(err, "retry run %s", r.ID)
		}
	}
	return nil
}

// beforeRetry asks the policies that are asked before a run begins, of whoever retries it.
func (s *Service) beforeRetry(ctx context.Context, r run.Run) error {
	if err := s.mayRetry(ctx, r); err != nil {
		return err
	}
	stack, err := s.standing(ctx, r.Subject, r.Space)
	if err != nil {
		return err
	}
	return s.mayBeginAs(ctx, stack, inputOf(r), r.Source.Commit)
}

// overtaken tells why a run is not applied without review, though it could be: another one that was begun after it, of a newer
// commit or document, has been applied, or has destroyed the stack. "" where none has.
func (s *Service) overtaken(ctx context.Context, stack Stack, r run.Run) (string, error) {
	var by run.Run
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		q := settlingRuns()
		q.States = []string{finished}
		last, err := s.Runs.EndTx(ctx, tx, []run.Of{{Space: r.Space, Subject: r.Subject}}, q, true)
		by = last[run.Of{Space: r.Space, Subject: r.Subject}]
		return err
	})
	if err != nil || by.ID <= r.ID {
		return "", err
	}
	in, other := inputOf(r), inputOf(by)
	why := fmt.Sprintf("run %s, which was begun after it, has finished", by.ID)
	switch {
	case other.Type == Destroy || in.uploaded() != other.uploaded() || in.Edit < other.Edit:
		return why, nil
	case stack.Remote() || r.Source.Commit == by.Source.Commit:
		return "", nil
	}
	newer, err := s.isBefore(ctx, stack, by.Source.Commit, r.Source.Commit)
	if err != nil || newer {
		return "", err
	}
	return why, nil
}

// uploaded gives the configuration that a run is of; "" for one of a commit.
func (in Input) uploaded() string {
	if in.Upload == nil {
		return ""
	}
	return in.Upload.Configuration
}
