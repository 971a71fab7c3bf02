package stack

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// VerdictComment is what somebody says of a run without deciding anything.
const VerdictComment = "comment"

// Comment says something of a run that has not ended; approval policies don't weigh it.
// Permission: run:confirm in the run's space; NotFound for who may not even see it.
func (s *Service) Comment(ctx context.Context, runID, text string) (said run.Review, err error) {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return said, err
	}
	if err := s.Access.Authorize(ctx, "run:confirm", r.Space); err != nil {
		return said, err
	}
	if r.Kind != RunKind {
		return said, access.NotFound("run " + runID)
	}
	if text == "" {
		return said, fault.Errorf(fault.Invalid, "Body can't be blank")
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		return s.Runs.ReviewWith(ctx, tx, r.ID, VerdictComment, text, func(v *run.View) error {
			said = v.Reviews[len(v.Reviews)-1]
			return nil
		})
	})
	return said, err
}
