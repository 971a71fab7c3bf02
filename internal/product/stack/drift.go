package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	newest, err := tx.Exec(ctx, "UPDATE stacks SET drift = $2, drift_checked = $3, drifted = $4 WHERE ref = $1 AND space = $5 AND drift_checked <= $3",
		in.Stack, string(text), store.Micros(d.Checked), btoi(d.Found), r.Space)
	if err != nil {
		return fault.Wrap(err, "note the drift of %s", in.Stack)
	}
	if newest > 0 {
		if err := s.markDrifted(ctx, tx, r, in); err != nil {
			return err
		}
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

// driftedMost bounds the resources of one look that are marked, the first by their keys.
const driftedMost = 1000

// drifted gives the resources of a plan that are not as they were applied: what the plan would do, by their keys.
func (p Plan) drifted() map[string]string {
	all := map[string]string{}
	for _, c := range p.Changes {
		if c.Mode != "data" && !slices.Contains([]string{"no-op", "read", ""}, c.Action) {
			all[listKey(cmp.Or(c.PreviousAddr, c.Address))] = c.Action
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all))[min(len(all), driftedMost):] {
		delete(all, key)
	}
	return all
}

// markDrifted marks the resources of a stack that a run found to differ, and takes the marks of earlier ones away.
func (s *Service) markDrifted(ctx context.Context, tx *store.Tx, r run.Run, in Input) error {
	if _, err := tx.Exec(ctx, "UPDATE stack_resources SET drift = '' WHERE stack = $1 AND drift <> ''", in.Stack); err != nil {
		return fault.Wrap(err, "forget what of %s had drifted", in.Stack)
	}
	if in.Type != Drift {
		return nil
	}
	steps, err := s.Runs.StepsTx(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	var verdict Verdict
	var judged time.Time
	for _, step := range steps {
		if (step.Key != "judge" && !strings.HasPrefix(step.Key, "judge-")) || step.State != run.StepSucceeded || step.Ended.Before(judged) {
			continue
		}
		verdict, judged = Verdict{}, step.Ended
		if err := json.Unmarshal(step.Result.Data, &verdict); err != nil {
			return fault.Wrap(err, "read what run %s found", r.ID)
		}
	}
	byAction := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(verdict.Drifted)) {
		action := verdict.Drifted[key]
		byAction[action] = append(byAction[action], key)
	}
	for _, action := range slices.Sorted(maps.Keys(byAction)) {
		for part := range slices.Chunk(byAction[action], rowsAtOnce) {
			w := &store.Where{}
			set := w.Arg(action)
			w.Equal("stack", in.Stack)
			w.Add(w.In("key", part))
			if _, err := tx.Exec(ctx, "UPDATE stack_resources SET drift = "+set+w.String(), w.Args...); err != nil {
				return fault.Wrap(err, "mark what of %s has drifted", in.Stack)
			}
		}
	}
	return nil
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
	kept := ""
	err = s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if kept, err = s.staysDestroyed(ctx, tx, stack); err != nil || kept != "" {
			return err
		}
		_, _, err = s.startOrigin(ctx, tx, stack, Tracked, from, "reconcile:"+r.ID, r.Actor, ready, func(_ *run.New, made *Input) {
			made.Drift, made.TriggeredBy = true, in.TriggeredBy
		})
		return err
	})
	if err == nil && kept != "" {
		err = s.say(ctx, stack, fault.Errorf(fault.Conflict, "what run %s found is not taken back: %s", r.ID, kept))
	}
	return err
}

// staysDestroyed tells why nothing that comes by itself brings a stack back: it was destroyed, or is to be; "" where it stands.
func (s *Service) staysDestroyed(ctx context.Context, tx *store.Tx, stack Stack) (why string, err error) {
	open, err := s.openOf(ctx, tx, stack.Ref.String(), Destroy)
	if err != nil {
		return "", err
	}
	if len(open) > 0 {
		return fmt.Sprintf("run %s is to destroy the stack", open[0].ID), nil
	}
	return s.destroyed(ctx, tx, stack)
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
