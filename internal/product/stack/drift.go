package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Drifts is how what is there differs from what a stack's branch says, as the newest look found it.
type Drifts struct {
	Checked time.Time `json:"checked"` // zero before the first look
	Found   bool      `json:"found"`
	Run     string    `json:"run"`               // that looked, or that applied
	Summary string    `json:"summary,omitempty"` // what a plan would change
}

// A run that looks for drift plans at the commit that was applied last, changes nothing, and holds up nothing.

// noteDrift keeps what a run has found.
func (s *Service) noteDrift(ctx context.Context, tx *store.Tx, r run.Run, in Input) error {
	var out Output
	if len(r.Output) > 0 {
		if err := json.Unmarshal(r.Output, &out); err != nil {
			return fault.Wrap(err, "read output of run %s", r.ID)
		}
	}
	d := Drifts{Checked: r.Ended, Run: r.ID}
	if in.Type == Drift {
		if d.Found = !out.Summary.Empty(); d.Found {
			d.Summary = out.Summary.String()
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	// Of two runs that looked at the same time the one counts that ended last.
	if _, err := tx.Exec(ctx, "UPDATE stacks SET drift = $2, drift_checked = $3, drifted = $4 WHERE ref = $1 AND drift_checked <= $3", in.Stack, string(text), store.Micros(d.Checked), btoi(d.Found)); err != nil {
		return fault.Wrap(err, "note the drift of %s", in.Stack)
	}
	if in.Type != Drift || !d.Found {
		return nil
	}
	subject, err := parseStack(in.Stack)
	if err != nil {
		return err
	}
	stack, err := getStack(ctx, tx, subject, tx.ForUpdate())
	if err != nil || stack.Deleted || stack.Space != r.Space {
		return err
	}
	return s.note(ctx, tx, stack, "stack.drifted", r.ID, map[string]any{"summary": d.Summary})
}

// reconcileDrift begins a tracked run where one has found drift, unless a run of what has changed is on its way. What is
// applied was reviewed, so that who had the look begun alone has a part in it.
func (s *Service) reconcileDrift(ctx context.Context, r run.Run, in Input) error {
	var out Output
	if err := json.Unmarshal(r.Output, &out); err != nil || out.Summary.Empty() {
		return fault.Wrap(err, "read output of run %s", r.ID)
	}
	subject, err := parseStack(r.Subject)
	if err != nil {
		return err
	}
	stack, err := s.stackOf(ctx, subject)
	if err != nil || stack.Deleted || stack.Space != r.Space || !stack.stands(r.Source.Commit) {
		return err
	}
	from := origin{commit: r.Source.Commit}
	if stack.Remote() {
		from, err = s.originOf(ctx, stack, Tracked)
		if err == nil && (in.Upload == nil || from.upload.ID != in.Upload.Configuration) { // another one was applied since
			return nil
		}
	}
	if err == nil {
		err = s.mayBeginAs(ctx, stack, Input{Type: Tracked, Drift: true, TriggeredBy: in.TriggeredBy}, from.commit)
	}
	var ready prepared
	if err == nil {
		ready, err = s.prepareOrigin(ctx, stack, from)
	}
	if err != nil {
		return s.unless(ctx, stack, err)
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, _, err := s.startOrigin(ctx, tx, stack, Tracked, from, "reconcile:"+r.ID, r.Actor, ready, func(_ *run.New, made *Input) {
			made.Drift, made.TriggeredBy = true, in.TriggeredBy
		})
		return err
	})
}

// appliedCommit gives the commit at which drift is looked for.
func (s *Service) appliedCommit(stack Stack) (string, error) {
	if stack.Applied == "" {
		return "", fault.Errorf(fault.Conflict, "nothing of %s is applied yet, so that nothing can have drifted; apply it first", stack.Ref)
	}
	return stack.Applied, nil
}

// OnlyPlans tells whether a run changes nothing.
func (in Input) OnlyPlans() bool { return onlyPlans(in.Type) }

// onlyPlans tells whether runs of a type change nothing.
func onlyPlans(kind string) bool { return slices.Contains([]string{Proposed, Drift}, kind) }

// priority has what changes something go before what only plans, and that before what looks for drift.
func priority(kind string) int {
	switch kind {
	case Proposed:
		return -10
	case Drift:
		return -20
	}
	return 0
}

// planned is how a run ends that only plans.
func planned(in Input, sum Summary) string {
	switch {
	case in.Type != Drift:
		return sum.String()
	case sum.Empty():
		return "no drift"
	}
	return fmt.Sprintf("drifted: %s", sum)
}
