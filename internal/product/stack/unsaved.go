package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// An apply that was killed, or whose worker was lost, may have built what the state does not have; one whose state could not
// be taken up, or kept, or has come nowhere, has. Its run keeps the lock of the stack and of the state beyond its end, as a person's lock would:
// what a push asks for waits, and is not applied on such a state by itself. Who retries that run, begins one by hand or
// unlocks the state lets all go on. Who locks the state takes the lock over.

// unsaved tells whether a step that changes what is there has ended in a way in which its program could not save what it did.
func unsaved(step *run.Step) bool {
	if !step.Job.Changes || step.Started.IsZero() {
		return false
	}
	return untaken(step) != "" || killed(step)
}

// killed tells whether a step's program was ended by a signal, or its worker was lost. Programs have codes of their own above
// those of signals.
func killed(step *run.Step) bool {
	if step.State != run.StepFailed && step.State != run.StepCanceled {
		return false
	}
	code := step.Result.ExitCode
	return code == 0 && step.Result.Reason == "" || code > 128 && code <= 192
}

// outputLost is where a step tells, in a line each, of states that its program could not write, or of an end that is none of the
// program's own.
const outputLost = "lost"

// erroredState is the artifact that is the state that an engine could not write.
const erroredState = "errored-state"

var lostSaid = worker.Output{Name: outputLost, Path: "/work/lost", Kind: worker.OutputText, MaxBytes: 64 << 10, Optional: true}

// untaken gives what a step tells of states that were not taken from it; "" for nothing.
func untaken(step *run.Step) string {
	said := strings.TrimSpace(step.Result.Outputs[outputLost])
	taken := 0
	for _, name := range []string{erroredState, pulumiExport} {
		if step.Result.Artifacts[name].Digest != "" {
			taken++
		}
	}
	if said == "" || strings.Count(said, "\n") < taken {
		return ""
	}
	return said
}

// perhapsMissing is what is known of such an end.
const perhapsMissing = "what it did last may be missing in the state, so that the stack is locked for what comes by itself: look at what is there, and retry this run, begin another one by hand, or unlock the state"

// missing gives what of a step's end goes behind why it failed; "" where it could save what it did.
func missing(step *run.Step) string {
	if !unsaved(step) {
		return ""
	}
	if said := untaken(step); said != "" {
		first, _, _ := strings.Cut(said, "\n")
		return "; " + cut(first, 300) + "; " + perhapsMissing
	}
	return "; " + perhapsMissing
}

// lockOf is the lock that a run keeps beyond its end.
func lockOf(run string) string { return handLock + run }

// keptBy gives the run that keeps a lock beyond its end; "" for any other lock.
func keptBy(id string) string {
	if of, ok := strings.CutPrefix(id, handLock); ok && ref.IsID(of, ref.Run) {
		return of
	}
	return ""
}

// lacks tells what a run that has ended has left that the state may lack; "" for nothing, and where another is at work by now, or
// has been: such a run was retried and has waited for its turn since, so that what it knows of the state is no news.
func (s *Service) lacks(ctx context.Context, tx *store.Tx, r run.Run) (string, error) {
	why, since, err := s.left(ctx, tx, r)
	if err != nil || why == "" {
		return "", err
	}
	holder, err := s.Runs.HolderTx(ctx, tx, r.Lock)
	if err != nil || holder == r.ID {
		return why, err
	}
	if holder != "" {
		return "", nil
	}
	settled := settlingRuns()
	settled.States = []string{finished}
	of := run.Of{Space: r.Space, Subject: r.Subject}
	last, err := s.Runs.EndTx(ctx, tx, []run.Of{of}, settled, true)
	if other, there := last[of]; err != nil || there && other.Ended.After(since) {
		return "", err
	}
	return why, nil
}

// left tells what the state may lack of what a run that has ended did last, and when that began; "" for nothing. Of steps only what
// can be seen of sealed ones is asked.
func (s *Service) left(ctx context.Context, tx *store.Tx, r run.Run) (why string, since time.Time, err error) {
	switch {
	case r.Lock == "":
		return "", since, nil
	case r.State == finished:
		why, err = s.unwritten(ctx, tx, r)
		return why, r.Ended, err
	case r.State != failed && r.State != canceled:
		return "", since, nil
	}
	steps, err := s.Runs.StepsTx(ctx, tx, r.ID)
	if err != nil {
		return "", since, err
	}
	var last, adopt, keep *run.Step
	for i := range steps {
		switch step := &steps[i]; {
		case step.Job.Changes:
			last, adopt, keep = step, nil, nil
		case step.Job.Action == ActionAdopt:
			adopt = step
		case step.Job.Action == ActionKeep:
			keep = step
		}
	}
	if last == nil || last.Started.IsZero() {
		return "", since, nil
	}
	var in Input
	_ = json.Unmarshal(r.Input, &in) // it was read before the step was made
	stopped := strings.HasPrefix(r.Reason, stoppedWhile+performing)
	switch {
	case last.Result.Artifacts[erroredState].Digest != "" && (adopt == nil || adopt.State != run.StepSucceeded):
		why = " has left a state that could not be taken up, and the stack's lacks what it did; retry it, which tries that again first"
	case in.remembered() && (keep == nil || keep.State != run.StepSucceeded):
		why = " has left what could not be kept, and the state lacks what it did; retry it, which tries that again first"
	case r.State == canceled && !stopped: // a person has retried it, and canceled that
	case last.Result.Artifacts[erroredState].Digest != "" && untaken(last) == "": // it was taken up
	case killed(last):
		why = " was killed while it changed what is there, and the state may lack what it did last; retry it"
	case unsaved(last):
		why = " ended before it had saved all that it did, and the state may lack that; retry it"
	}
	if why == "" {
		return "", since, nil
	}
	return "run " + r.ID + why + ", begin another one by hand, or unlock the state", last.Started, nil
}

// unwritten tells of a run that has applied a plan by which other resources are in the state, and of which no state has come: what
// its hooks and its configuration export can have the engine write elsewhere. "" for any other.
func (s *Service) unwritten(ctx context.Context, tx *store.Tx, r run.Run) (string, error) {
	var out Output
	if word := inputOf(r).Vendor.Word(); word != vendorEngine && word != vendorTerragrunt || json.Unmarshal(r.Output, &out) != nil || out.Summary.listed() == 0 {
		return "", nil
	}
	subject, err := parseStack(r.Subject)
	if err != nil {
		return "", err
	}
	v, err := currentState(ctx, tx, subject)
	if err == nil && v.Run != r.ID { // somebody has written another one since
		err = tx.QueryRow(ctx, "SELECT COALESCE(MAX(run), '') FROM stack_states WHERE stack = $1 AND run = $2", r.Subject, r.ID).Scan(&v.Run)
	}
	if err != nil && !fault.Is(err, fault.NotFound) || v.Run == r.ID {
		return "", err
	}
	return fmt.Sprintf("run %s has applied its plan (%s), and no state has come of that, as where a hook has the engine write it elsewhere: the stack's lacks what it did; look for it, and begin another one by hand, or unlock the state to push it", r.ID, out.Summary), nil
}

// remembered tells whether the next plan stands on what the platform keeps of an apply.
func (in Input) remembered() bool {
	return in.Vendor.Kubernetes != nil || in.Vendor.Pulumi != nil && in.Vendor.Pulumi.LoginURL == ""
}

// holdUnsaved has a run keep its locks where the state may lack what it did, in the transaction that ends it. Where an engine has
// the lock of the state just now, as one in a terminal, the run keeps that of the stack alone until the engine is done.
func (s *Service) holdUnsaved(ctx context.Context, tx *store.Tx, r run.Run) error {
	why, err := s.lacks(ctx, tx, r)
	if err != nil || why == "" {
		return err
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
	held, err := s.Runs.HoldTx(ctx, tx, r.Lock, lockOf(r.ID)) // one that was retried may hold none
	if err == nil && !held {
		err = s.Runs.HandTx(ctx, tx, r.Lock, r.ID, lockOf(r.ID))
	}
	if fault.Is(err, fault.Conflict) { // another has taken it at this moment
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.keepLock(ctx, tx, r, why); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE stacks SET message = $2 WHERE ref = $1", r.Subject, why); err != nil {
		return fault.Wrap(err, "say why %s is locked", r.Subject)
	}
	return s.note(ctx, tx, stack, "stack.state-locked", r.ID, map[string]any{"lock": lockOf(r.ID), "reason": why})
}

// keepLock gives a run that has ended the lock of its state, unless somebody else has it: unlock does then.
func (s *Service) keepLock(ctx context.Context, tx *store.Tx, r run.Run, why string) error {
	now := s.Now()
	info, err := json.Marshal(map[string]string{
		"ID": lockOf(r.ID), "Operation": "kept", "Info": why, "Who": "run " + r.ID, "Version": "", "Path": r.Subject, "Created": now.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,$3,'',$4,$5)
 ON CONFLICT (stack) DO UPDATE SET lock_id=excluded.lock_id, info=excluded.info, run='', actor=excluded.actor, created=excluded.created WHERE stack_locks.run = $6`,
		r.Subject, lockOf(r.ID), string(info), "system", store.Micros(now), r.ID)
	return fault.Wrap(err, "keep the lock of %s", r.Subject)
}

// keeper gives the run that keeps a stack's locks beyond its end, or that of the stack alone; "" for none.
func (s *Service) keeper(ctx context.Context, tx *store.Tx, subject ref.Entity) (string, error) {
	l, err := getLock(ctx, tx, subject, "")
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	if by := keptBy(l.ID); by != "" {
		return by, nil
	}
	holder, err := s.Runs.HolderTx(ctx, tx, LockName(subject))
	return keptBy(holder), err
}

// keepOn gives the lock of a state, which an engine has freed, to the run that keeps that of the stack.
func (s *Service) keepOn(ctx context.Context, tx *store.Tx, stack Stack) error {
	by, err := s.keeper(ctx, tx, stack.Ref)
	if err != nil || by == "" {
		return err
	}
	r, err := s.Runs.GetTx(ctx, tx, by)
	if err != nil {
		return err
	}
	why, _, err := s.left(ctx, tx, r)
	if err != nil {
		return err
	}
	return s.keepLock(ctx, tx, r, why)
}

// letGoOn frees the locks that a run of a stack keeps beyond its end; of one run alone, unless that is "".
func (s *Service) letGoOn(ctx context.Context, tx *store.Tx, subject ref.Entity, of string) error {
	by, err := s.keeper(ctx, tx, subject)
	if err != nil || by == "" || of != "" && by != of {
		return err
	}
	stack, err := getStack(ctx, tx, subject, tx.ForUpdate())
	if err != nil {
		return err
	}
	if now, err := s.keeper(ctx, tx, subject); err != nil || now != by { // meanwhile
		return err
	}
	l, err := getLock(ctx, tx, subject, tx.ForUpdate())
	if err == nil && keptBy(l.ID) == by {
		return s.unlock(ctx, tx, stack, l, true)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := s.freeByHand(ctx, tx, stack, lockOf(by)); err != nil { // an engine has that of the state
		return err
	}
	return s.note(ctx, tx, stack, "stack.state-unlocked", "", map[string]any{"lock": lockOf(by), "forced": true})
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
