package stack

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// waiting gives a stack run that waits for review and that the caller may act on.
func (s *Service) waiting(ctx context.Context, runID, action string) (run.Run, error) {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return r, err
	}
	if err := s.Access.Authorize(ctx, action, r.Space); err != nil {
		return r, err
	}
	if r.Kind != RunKind {
		return r, fault.Errorf(fault.Conflict, "run %s is a %s, not a stack run", runID, r.Kind)
	}
	if r.State != unconfirmed && r.State != pending && !(r.State == queued && r.Waiting) {
		return r, fault.Errorf(fault.Conflict, "run %s is %s; only a run that is unconfirmed or pending_review takes a review, or one that waits for approval before it begins", runID, r.State)
	}
	_, err = s.standing(ctx, r.Subject, r.Space)
	return r, err
}

// Confirm lets a run's plan be applied, if the approval policies agree. A confirmation counts as an approval.
// Permission: run:confirm in the run's space. Denied with the policies' words; Conflict when it does not wait.
func (s *Service) Confirm(ctx context.Context, runID, note string) error {
	r, err := s.waiting(ctx, runID, "run:confirm")
	if err == nil {
		err = hasPlanned(r)
	}
	if err != nil {
		return err
	}
	detail, err := s.Runs.Detail(ctx, runID)
	if err != nil {
		return err
	}
	stack, err := s.standing(ctx, r.Subject, r.Space)
	if err != nil {
		return err
	}
	if err := s.approved(ctx, r, stack, current(detail)); err != nil {
		return err
	}
	return s.review(ctx, r, "confirm", note, detail.Reviews, nil)
}

// Discard ends a run that waits for review. Permission: run:confirm in the run's space.
func (s *Service) Discard(ctx context.Context, runID, note string) error {
	return s.vote(ctx, runID, "discard", note)
}

// Approve and Reject are votes that the approval policies weigh. Of a preview that is pending review they decide at once, if
// the policies do. Permission: run:confirm in the run's space.
func (s *Service) Approve(ctx context.Context, runID, note string) error {
	return s.vote(ctx, runID, "approve", note)
}

// Reject votes against a run; see Approve.
func (s *Service) Reject(ctx context.Context, runID, note string) error {
	return s.vote(ctx, runID, "reject", note)
}

func (s *Service) vote(ctx context.Context, runID, verdict, note string) error {
	r, err := s.waiting(ctx, runID, "run:confirm")
	if err != nil {
		return err
	}
	if verdict == "discard" {
		err = hasPlanned(r)
	}
	if err != nil {
		return err
	}
	if r.State != unconfirmed && verdict != "discard" {
		return s.answer(ctx, r, verdict, note)
	}
	return s.review(ctx, r, verdict, note, nil, nil)
}

// review records a verdict on the run as it was read: if it moved on in between, or somebody voted after the votes that
// the verdict was weighed with, nothing is recorded.
func (s *Service) review(ctx context.Context, r run.Run, verdict, note string, weighed []run.Review, with func(v *run.View) error) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := s.Runs.TakeTx(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if now.State != r.State || string(now.Output) != string(r.Output) {
			return fault.Errorf(fault.Conflict, "run %s has moved on to %s; look at it again", r.ID, now.State)
		}
		votes, err := s.Runs.ReviewsTx(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if (verdict == "confirm" || verdict == verdictRefuse) && len(votes) != len(weighed) {
			return fault.Errorf(fault.Conflict, "somebody reviewed run %s at this moment; look at it again", r.ID)
		}
		return s.Runs.ReviewWith(ctx, tx, r.ID, verdict, note, with)
	})
}

// approved asks the approval policies. With none attached, whoever may confirm decides alone.
func (s *Service) approved(ctx context.Context, r run.Run, stack Stack, reviews []run.Review) error {
	return s.weigh(ctx, r, stack, reviews, "approve")
}

// weigh asks the approval policies with the caller's vote beside those of others.
func (s *Service) weigh(ctx context.Context, r run.Run, stack Stack, reviews []run.Review, mine string) error {
	if r.State == judging { // whether it is applied unseen: to policies that is what they decide of an unconfirmed run
		r.State = unconfirmed
	}
	me := actor.From(ctx)
	approvals, rejections := []any{}, []any{}
	vote := func(by, state, note string, at any) map[string]any {
		return map[string]any{"author": by, "state": shouted(state), "note": note, "session": s.session(ctx, by), "request": map[string]any{"timestamp_ns": at}}
	}
	switch own := vote(me.ID, r.State, "", s.Now().UnixNano()); {
	case me.Kind == actor.System: // nobody confirms what is applied without review
	case mine == "approve":
		approvals = append(approvals, own)
	default:
		rejections = append(rejections, own)
	}
	for _, v := range latestVotes(reviews) {
		switch {
		case v.Verdict == "approve" && v.Actor != me.ID:
			approvals = append(approvals, vote(v.Actor, v.State, v.Note, nanos(v.Time)))
		case v.Verdict == "reject" && (mine == "approve" || v.Actor != me.ID):
			rejections = append(rejections, vote(v.Actor, v.State, v.Note, nanos(v.Time)))
		}
	}
	about, err := s.runInput(ctx, r)
	if err != nil {
		return err
	}
	of, err := s.stackSeen(ctx, stack, &r)
	if err != nil {
		return err
	}
	input := map[string]any{
		"run": about, "stack": of,
		"reviews": map[string]any{"current": map[string]any{"approvals": approvals, "rejections": rejections}, "older": []any{}},
		"session": map[string]any{"login": me.ID, "groups": texts(me.Groups), "teams": teams(me.Groups)},
		"request": map[string]any{"timestamp_ns": s.Now().UnixNano()},
	}
	return s.Policy.Approved(ctx, r.Space, input, policy.Refs{Run: r.ID, Subject: r.Subject, Labels: stack.Spec.Labels, Foreign: r.State == queued})
}

// current gives the reviews of the newest plan: what somebody said of an earlier one is not said of this.
func current(d run.Detail) []run.Review {
	var judged time.Time
	for _, step := range d.Steps {
		if strings.HasPrefix(step.Key, "judge") && step.Ended.After(judged) {
			judged = step.Ended
		}
	}
	return slices.DeleteFunc(slices.Clone(d.Reviews), func(v run.Review) bool { return v.State != d.Run.State || v.Time.Before(judged) })
}

// latestVotes gives each person's newest vote.
func latestVotes(reviews []run.Review) []run.Review {
	newest := map[string]int{}
	var out []run.Review
	for _, v := range reviews {
		if v.Verdict != "approve" && v.Verdict != "reject" {
			continue
		}
		if i, ok := newest[v.Actor]; ok {
			out[i] = v
			continue
		}
		newest[v.Actor] = len(out)
		out = append(out, v)
	}
	return out
}
