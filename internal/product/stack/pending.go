package stack

import (
	"context"
	"errors"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Spacelift: a proposed run is pending review when a plan policy warns and an approval policy is attached. It finishes as
// soon as these approve, and fails as soon as they reject. Looking for drift is held up by nobody.

// verdictRefuse is a rejection with which the approval policies reject.
const verdictRefuse = "refuse"

// afterPending: the first review that decides counts.
func afterPending(v *run.View, in Input) error {
	for _, r := range v.Reviews {
		if r.State != pending || r.Time.Before(lastEntered(v)) {
			continue
		}
		switch r.Verdict {
		case "confirm":
			return end(v, in, finished, "approved")
		case verdictRefuse:
			return end(v, in, failed, "the approval policies reject what a plan policy warns of")
		case "discard":
			return v.To(discarded, "discarded")
		}
	}
	return nil
}

// answer takes a vote on a preview, and ends it if the approval policies then agree, or say no.
func (s *Service) answer(ctx context.Context, r run.Run, verdict, note string) error {
	detail, err := s.Runs.Detail(ctx, r.ID)
	if err != nil {
		return err
	}
	stack, err := s.standing(ctx, r.Subject, r.Space)
	if err != nil {
		return err
	}
	said := s.weigh(ctx, r, stack, current(detail), verdict)
	switch {
	case said != nil && !fault.Is(said, fault.Denied), errors.Is(said, policy.ErrUndecided): // nothing is decided, nor noted
		return said
	case said == nil && verdict == "approve":
		verdict = "confirm"
	case said != nil && verdict == "reject" && !errors.Is(said, policy.ErrMoreApprovals):
		verdict = verdictRefuse
	}
	return s.review(ctx, r, verdict, note, detail.Reviews, nil)
}
