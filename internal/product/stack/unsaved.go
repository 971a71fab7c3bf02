package stack

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// An apply that was killed, or whose worker was lost, may have built what the state does not have. Its run keeps the lock of
// the stack and of the state beyond its end, as a person's lock would: what a push asks for waits, and is not applied on such
// a state by itself. Who retries that run, begins one by hand or unlocks the state lets all go on. Who locks the state takes
// the lock over.

// unsaved tells whether a step that changes what is there has ended in a way in which its program could not save what it did.
func unsaved(step *run.Step) bool {
	switch {
	case !step.Job.Changes || step.Started.IsZero():
		return false
	case (step.State == run.StepFailed || step.State == run.StepCanceled) && step.Result.ExitCode == 0 && step.Result.Reason == "": // its worker was lost
		return true
	}
	return (step.State == run.StepFailed || step.State == run.StepCanceled) && step.Result.ExitCode > 128
}

// perhapsMissing is what is known of such an end.
const perhapsMissing = "what it did last may be missing in the state, so that the stack is locked for what comes by itself: look at what is there, and retry this run, begin another one by hand, or unlock the state"

// lockOf is the lock that a run keeps beyond its end.
func lockOf(run string) string { return handLock + run }

// keptBy gives the run that keeps a lock beyond its end; "" for any other lock.
func keptBy(id string) string {
	if of, ok := strings.CutPrefix(id, handLock); ok && ref.IsID(of, ref.Run) {
		return of
	}
	return ""
}

// holdUnsaved has a run keep its locks where its newest step that changes something could not save, in the transaction that
// ends it. Where somebody else has the lock of the state by now, that holds up the runs.
func (s *Service) holdUnsaved(ctx context.Context, tx *store.Tx, r run.Run) error {
	if r.Lock == "" || r.State != failed && (r.State != canceled || r.Reason != stoppedWhile+performing) {
		return nil
	}
	steps, err := s.Runs.StepsTx(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	var last *run.Step
	for i := range steps {
		if steps[i].Job.Changes {
			last = &steps[i]
		}
	}
	if last == nil || !unsaved(last) || last.Result.Artifacts["errored-state"].Digest != "" {
		return nil
	}
	subject, err := parseStack(r.Subject)
	if err != nil {
		return err
	}
	stack, err := getStack(ctx, tx, subject, tx.ForUpdate())
	if fault.Is(err, fault.NotFound) || err == nil && stack.standsIn(r.Space) != nil {
		return nil
	}
	if err != nil {
		return err
	}
	now := s.Now()
	why := "run " + r.ID + " was killed while it changed what is there, and the state may lack what it did last; retry it, begin another one by hand, or unlock the state"
	info, err := json.Marshal(map[string]string{
		"ID": lockOf(r.ID), "Operation": "kept", "Info": why, "Who": "run " + r.ID, "Version": "", "Path": r.Subject, "Created": now.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,$3,'',$4,$5)
 ON CONFLICT (stack) DO UPDATE SET lock_id=excluded.lock_id, info=excluded.info, run='', actor=excluded.actor, created=excluded.created WHERE stack_locks.run = $6`,
		r.Subject, lockOf(r.ID), string(info), "system", store.Micros(now), r.ID)
	if err != nil || n == 0 {
		return fault.Wrap(err, "keep the lock of %s", r.Subject)
	}
	if err := s.Runs.HandTx(ctx, tx, r.Lock, r.ID, lockOf(r.ID)); err != nil && !fault.Is(err, fault.Conflict) { // it may hold none
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE stacks SET message = $2 WHERE ref = $1", r.Subject, why); err != nil {
		return fault.Wrap(err, "say why %s is locked", r.Subject)
	}
	return s.note(ctx, tx, stack, "stack.state-locked", r.ID, map[string]any{"lock": lockOf(r.ID), "reason": why})
}

// letGoOn frees the lock that a run of a stack keeps beyond its end; of one run alone, unless that is "".
func (s *Service) letGoOn(ctx context.Context, tx *store.Tx, subject ref.Entity, of string) error {
	l, err := getLock(ctx, tx, subject, "")
	if fault.Is(err, fault.NotFound) || err == nil && (keptBy(l.ID) == "" || of != "" && keptBy(l.ID) != of) {
		return nil
	}
	if err != nil {
		return err
	}
	stack, err := getStack(ctx, tx, subject, tx.ForUpdate())
	if err != nil {
		return err
	}
	if l, err = getLock(ctx, tx, subject, tx.ForUpdate()); fault.Is(err, fault.NotFound) || err == nil && keptBy(l.ID) == "" {
		return nil // meanwhile
	}
	if err != nil {
		return err
	}
	return s.unlock(ctx, tx, stack, l, true)
}

// takeKept gives a person the lock that a run keeps beyond its end; false where none does.
func (s *Service) takeKept(ctx context.Context, tx *store.Tx, stack Stack, id, info, reason string) (taken bool, err error) {
	me := actor.From(ctx)
	if me.Run != "" {
		return false, nil
	}
	if _, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate()); err != nil {
		return false, err
	}
	l, err := getLock(ctx, tx, stack.Ref, tx.ForUpdate())
	if fault.Is(err, fault.NotFound) || err == nil && keptBy(l.ID) == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, "UPDATE stack_locks SET lock_id = $2, info = $3, run = '', actor = $4, created = $5 WHERE stack = $1", stack.Ref.String(), id, info, me.ID, store.Micros(s.Now())); err != nil {
		return false, err
	}
	if err := s.Runs.HandTx(ctx, tx, LockName(stack.Ref), l.ID, id); err != nil {
		return false, err
	}
	if err := s.unsayKept(ctx, tx, stack, l.ID); err != nil {
		return false, err
	}
	return true, s.note(ctx, tx, stack, "stack.state-locked", keptBy(l.ID), map[string]any{"lock": id, "reason": reason})
}

// unsayKept takes from a stack's page why it was locked.
func (s *Service) unsayKept(ctx context.Context, tx *store.Tx, stack Stack, id string) error {
	by := keptBy(id)
	if by == "" {
		return nil
	}
	_, err := tx.Exec(ctx, "UPDATE stacks SET message = '' WHERE ref = $1 AND message LIKE $2", stack.Ref.String(), "run "+by+" %")
	return fault.Wrap(err, "forget why %s was locked", stack.Ref)
}

// retried asks for what it takes to begin a run of that type, and frees what the run has kept: it finds what there is by its next
// plan.
func (s *Service) retried(ctx context.Context, tx *store.Tx, r run.Run) error {
	if err := s.mayRetry(ctx, r); err != nil {
		return err
	}
	subject, err := parseStack(r.Subject)
	if err != nil {
		return err
	}
	stack, err := getStack(ctx, tx, subject, "")
	if err == nil {
		err = stack.standsIn(r.Space)
	}
	if err != nil {
		return err
	}
	return s.letGoOn(ctx, tx, subject, r.ID)
}
