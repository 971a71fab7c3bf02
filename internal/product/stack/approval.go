package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Spacelift: approval policies are asked of a run that is queued, too. Until they approve it does not begin, and of those that
// hold the stack what comes after it waits too; as soon as they reject it fails. Policies of the platform's own packages are
// written for runs that have planned, and are not asked before: each run would wait for a second pair of eyes on nothing.
// Looking for drift is held up by nobody.

// ActionApprove names the platform step that asks the approval policies before a run begins.
const ActionApprove = "stack.approve"

// ApproveInput is what that step is told.
type ApproveInput struct {
	Run string `json:"run"`
}

// approval is what it gives.
type approval struct {
	Approved bool   `json:"approved,omitempty"`
	Rejected bool   `json:"rejected,omitempty"`
	Says     string `json:"says,omitempty"`
}

const (
	stepApproval = "approval"
	votedDown    = "the approval policies reject it" // by a vote
)

// askedQueued tells whether some approval policy is asked of the runs of a stack before they begin.
func (s *Service) askedQueued(ctx context.Context, stack Stack) (bool, error) {
	asked, err := s.Policy.Attached(ctx, "approval", stack.Space, policy.Refs{Subject: stack.Ref.String(), Labels: stack.Spec.Labels, Foreign: true})
	return asked, fault.Wrap(err, "look for approval policies")
}

func (in Input) askedQueued() bool { return in.Given.Asked && in.Type != Drift }

// askApproval asks the approval policies about a run that is queued, without the vote of anybody new.
func (s *Service) askApproval(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var told ApproveInput
	if err := json.Unmarshal(l.Job.Input, &told); err != nil {
		return worker.Result{}, fault.Wrap(err, "read the step's input")
	}
	ctx = asSystem(ctx)
	detail, err := s.Runs.Detail(ctx, told.Run)
	if err != nil {
		return worker.Result{}, err
	}
	stack, err := s.standing(ctx, detail.Run.Subject, detail.Run.Space)
	if err != nil {
		return worker.Result{}, err
	}
	var said approval
	switch err := s.approved(ctx, detail.Run, stack, current(detail)); {
	case err == nil:
		said.Approved = true
	case errors.Is(err, policy.ErrMoreApprovals):
		said.Says = fault.Message(err)
	case errors.Is(err, policy.ErrUndecided):
		return worker.Result{}, err // it is asked anew when the run is retried
	case fault.Is(err, fault.Denied):
		said.Rejected, said.Says = true, fault.Message(err)
	default:
		return worker.Result{}, err
	}
	fmt.Fprintf(log, "approved: %t\n", said.Approved)
	if said.Says != "" {
		fmt.Fprintln(log, said.Says)
	}
	data, err := json.Marshal(said)
	return worker.Result{Data: data, Message: said.Says}, err
}

func approvalStep(r *run.Run) run.Step {
	input, _ := json.Marshal(ApproveInput{r.ID}) // a string always encodes
	return run.Step{
		Key: stepApproval, Title: "Ask the approval policies", Group: "plan",
		Job: worker.Job{Kind: worker.KindPlatform, Action: ActionApprove, Input: input},
	}
}

// approvalOf gives what the approval policies say of a run that is queued, by the step that asked them and by the votes since.
func approvalOf(v *run.View, in Input) (said approval, known bool, err error) {
	if !in.askedQueued() {
		return approval{Approved: true}, true, nil
	}
	for _, r := range v.Reviews {
		switch {
		case r.State != queued:
		case r.Verdict == "confirm":
			return approval{Approved: true}, true, nil
		case r.Verdict == verdictRefuse:
			return approval{Rejected: true, Says: votedDown}, true, nil
		}
	}
	step := v.Step(stepApproval)
	if step == nil || step.State != run.StepSucceeded {
		return said, false, nil
	}
	if err := json.Unmarshal(step.Result.Data, &said); err != nil {
		return said, false, fmt.Errorf("what the approval policies say can't be read: %w", err)
	}
	return said, true, nil
}

// afterApproval tells whether a run that is queued is approved; it fails the run where it is rejected.
func afterApproval(v *run.View, in Input) (approved bool, err error) {
	said, known, err := approvalOf(v, in)
	step := v.Step(stepApproval)
	switch {
	case err != nil:
		return false, v.To(failed, err.Error())
	case !known && step == nil:
		v.Add(approvalStep(v.Run))
		return false, nil
	case !known && !step.State.Done():
		return false, nil
	case !known:
		return false, v.To(failed, "asking the approval policies: "+step.Reason)
	case said.Rejected:
		return false, v.To(failed, said.Says)
	case said.Approved:
		if v.Run.Waiting {
			v.Await(false, "")
		}
		return true, nil
	}
	v.Await(true, "waits for approval before it begins")
	return false, nil
}

// retryApproval has the approval policies asked anew, unless they had approved. What they rejected stays so.
func retryApproval(v *run.View, in Input) error {
	said, known, _ := approvalOf(v, in)
	if known && said.Rejected || v.Run.Reason == votedDown {
		return fault.Errorf(fault.Conflict, "run %s was rejected before it began; start a new one", v.Run.ID)
	}
	if step := v.Step(stepApproval); step != nil && !(known && said.Approved) {
		v.Again(step)
	}
	return nil
}

// HasPlanned tells whether a run that waits for a person has a plan, on which they decide.
func HasPlanned(r run.Run) bool { return r.State != queued }

// hasPlanned holds what is said of a plan to runs that have one.
func hasPlanned(r run.Run) error {
	if !HasPlanned(r) {
		return fault.Errorf(fault.Conflict, "run %s waits for approval before it begins, and has no plan; approve or reject it, or cancel it", r.ID)
	}
	return nil
}
