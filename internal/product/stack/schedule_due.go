package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Runs of schedules are of nobody. So who declares a schedule is held to what its runs take by hand.

type scheduleArgs struct {
	Stack string `json:"stack"`
}

// rights gives what it takes to do by hand what a schedule does. A destruction at its time is confirmed by nobody where the stack
// is deployed without review.
func (s Schedule) rights(autodeploy bool) []string {
	all := []string{Right(s.Do)}
	if s.Do == Destroy && autodeploy {
		all = append(all, "run:confirm")
	}
	if s.Reconcile {
		all = append(all, Right(Tracked))
	}
	return all
}

// mayDeclare refuses schedules that are new, or destroy without review since now, and that who declares them may not have; made is
// when the document was. What the file of a repository says is of whoever may push there: what its branch may do is theirs by a
// push, and a task is not, so that it is taken only of a location by which anybody could be given the right to it. Stacks of a
// set are their set's.
func (s *Service) mayDeclare(ctx context.Context, tx *store.Tx, c document.Change, made time.Time, had, now Spec, field ...string) error {
	for i, one := range now.Schedules {
		known := slices.Contains(had.Schedules, one)
		if known && (one.Do != Destroy || had.Autodeploy || !now.Autodeploy) {
			continue
		}
		if strings.HasPrefix(c.Source, setPrefix) { // some of its stacks may be older than the schedule
			continue
		}
		at := append(slices.Clone(field), fmt.Sprint(i))
		if times, err := one.times(made); err == nil && !known && one.After != "" && times.Next(s.Now()).IsZero() {
			return fault.At("it has a schedule that is over", c.New.At(fmt.Sprintf("%s after the document was made is over: that was at %s", one.After, made.UTC().Format(time.RFC3339)),
				"write a longer time, or at: with a time", append(at, "after")...))
		}
		if err := s.maySchedule(ctx, tx, c, one, now.Autodeploy); fault.Is(err, fault.Denied) {
			what := fmt.Sprintf("a schedule with do: %s takes what it takes by hand: %s", one.Do, fault.Message(err))
			return &fault.Error{Kind: fault.Denied, Message: "it has a schedule that is not taken", Err: err, Details: []fault.Detail{c.New.At(what, "have somebody apply it who may", append(at, "do")...)}}
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) maySchedule(ctx context.Context, tx *store.Tx, c document.Change, one Schedule, autodeploy bool) error {
	if c.Commit != "" || actor.From(ctx).Kind == actor.System {
		if one.Do != Task {
			return nil
		}
		trusted, err := s.Documents.MayGiveRights(ctx, tx, c.Source)
		if err == nil && !trusted {
			err = fault.Errorf(fault.Denied, "%s, which nobody has who pushes a file; an administrator applies it, or trusts the location for RoleBinding", Right(Task))
		}
		return err
	}
	for _, right := range one.rights(autodeploy) {
		if err := s.Access.Authorize(ctx, right, c.Space); err != nil {
			return err
		}
	}
	return nil
}

// schedule asks for a look at a stack's schedules when the first is due.
func (s *Service) schedule(ctx context.Context, tx *store.Tx, r ref.Entity, spec Spec, made, after time.Time) error {
	return s.lookAt(ctx, tx, r, spec.next(made, after, nil))
}

func (s *Service) lookAt(ctx context.Context, tx *store.Tx, r ref.Entity, due time.Time) error {
	if due.IsZero() {
		return nil
	}
	return s.Queue.Insert(ctx, tx, jobSchedule, scheduleArgs{r.String()}, queue.InsertOptions{Unique: r.String(), RunAt: due})
}

// scheduled begins the runs that are due. What was missed while no server ran is done once. What can't begin does not hold up
// what else is due, nor what comes next.
func (s *Service) scheduled(ctx context.Context, name string) error {
	r, err := parseStack(name)
	if err != nil {
		return err
	}
	stack, err := s.stackOf(ctx, r)
	if fault.Is(err, fault.NotFound) || err == nil && stack.Deleted {
		return nil
	}
	if err != nil {
		return err
	}
	now := s.Now()
	type word struct {
		kind string
		data map[string]any
	}
	var words []word // of what could not begin, and why
	var left []Overdue
	why := "" // something was left out
	looked := false
	for i, one := range stack.Spec.Schedules {
		times, err := one.times(stack.Created)
		if err != nil {
			continue // it was checked
		}
		was, again := stack.overdue(i)
		if again && was.again().After(now) {
			left = append(left, was)
			continue
		}
		due := times.Next(stack.Scheduled)
		if again {
			due = store.FromMicros(was.Due)
		}
		if due.IsZero() || due.After(now) {
			continue
		}
		looked = true
		skipped, err := inTime(ctx, scheduleOne, func(ctx context.Context) (string, error) {
			return s.due(ctx, stack, one, fmt.Sprintf("schedule:%s:%d:%d", name, i, store.Micros(due)))
		})
		switch {
		case err == nil && skipped == "":
			continue
		case err == nil:
			why = skipped
			words = append(words, word{"stack.schedule-skipped", map[string]any{"do": one.Do, "reason": clip(skipped)}})
			continue
		case ctx.Err() != nil:
			return err
		}
		was.Schedule, was.Due = i, store.Micros(due)
		next, again, tell := was.failed(one, err, now)
		if again {
			left = append(left, next)
		}
		if !tell {
			continue
		}
		if err := s.sayText(ctx, stack, fault.Message(err)); err != nil {
			return err
		}
		words = append(words, word{"stack.schedule-failed", map[string]any{"do": one.Do, "reason": clip(fault.Message(err))}})
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		fresh, err := getStack(ctx, tx, r, tx.ForUpdate())
		if err != nil {
			return err
		}
		if fresh.Edit == stack.Edit && fresh.Created.Equal(stack.Created) { // else nothing of it has been looked at
			if err := fresh.looked(ctx, tx, now, left); err != nil {
				return err
			}
		}
		again, err := s.sayLeftOut(ctx, tx, r, why, looked)
		if err != nil {
			return err
		}
		for _, w := range words {
			if again && w.kind == "stack.schedule-skipped" {
				continue
			}
			if err := s.note(ctx, tx, fresh, w.kind, "", w.data); err != nil {
				return err
			}
		}
		return s.lookAt(ctx, tx, r, fresh.next(fresh.Scheduled))
	})
}

// sayLeftOut shows on a stack's page why what was due is left out, and tells whether that is why it was left out the last time:
// then it is said already. Why a state is locked stays there.
func (s *Service) sayLeftOut(ctx context.Context, tx *store.Tx, r ref.Entity, why string, looked bool) (again bool, err error) {
	before := ""
	if err := tx.QueryRow(ctx, "SELECT left_out FROM stacks WHERE ref = $1", r.String()).Scan(&before); err != nil {
		return false, fault.Wrap(err, "read why nothing was begun of %s", r)
	}
	if !looked || before == why {
		return before != "", nil
	}
	if _, err := tx.Exec(ctx, "UPDATE stacks SET left_out = $2 WHERE ref = $1", r.String(), why); err != nil || why == "" {
		return false, fault.Wrap(err, "note why nothing was begun of %s", r)
	}
	return false, fault.Wrap(s.sayTx(ctx, tx, r, why), "say why nothing was begun of %s", r)
}

// due begins a run at its time, of nobody, or tells why it is left out.
func (s *Service) due(ctx context.Context, stack Stack, one Schedule, key string) (skipped string, err error) {
	err = s.mayRead(ctx, stack)
	if err == nil {
		err = stack.Spec.Vendor.can(one.Do)
	}
	if err == nil && one.Do == Destroy {
		err = s.free(ctx, stack)
	}
	if err != nil {
		return "", err
	}
	from, err := s.originOf(ctx, stack, one.Do)
	if err == nil && one.Do == Drift {
		skipped, err = s.unsteady(ctx, stack, one.IgnoreState)
	}
	if err != nil || skipped != "" {
		return skipped, err
	}
	if err := s.mayBeginAs(ctx, stack, Input{Type: one.Do, Drift: one.Do == Drift, Command: one.Command, TriggeredBy: one.triggers()}, from.commit); err != nil {
		return "", err
	}
	ready, err := s.prepareOrigin(ctx, stack, from)
	if err != nil {
		return "", err
	}
	return "", s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate())
		if err != nil || now.Edit != stack.Edit || now.standsIn(stack.Space) != nil { // it is looked at again, as it is by now
			return err
		}
		_, _, err = s.startOrigin(ctx, tx, stack, one.Do, from, key, "", ready, func(_ *run.New, in *Input) {
			in.Scheduled, in.Command, in.Reconcile, in.DeleteStack, in.TriggeredBy = true, one.Command, one.Reconcile, one.DeleteStack, one.triggers()
		})
		return err
	})
}

// unsteady tells why drift of a stack is not looked for now; "" when it is. While something is applied it is never: what would
// be found is what comes in a moment.
func (s *Service) unsteady(ctx context.Context, stack Stack, whatever bool) (why string, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if gone, err := s.destroyed(ctx, tx, stack); err != nil || gone != "" {
			why = "drift was not looked for, since " + gone
			return err
		}
		last, err := s.lastRuns(ctx, tx, []Stack{stack})
		if err != nil {
			return err
		}
		r, there := last[subject(stack)]
		switch {
		case !there || r.State == finished || whatever && r.State != confirmed && r.State != applying:
		case whatever:
			why = fmt.Sprintf("drift was not looked for, since run %s is %s", r.ID, r.State)
		default:
			why = fmt.Sprintf("drift was not looked for, since run %s is %s and not finished; with ignoreState in the schedule it is", r.ID, r.State)
		}
		return nil
	})
	return why, err
}

// destroyed tells why what of a stack is missing has not drifted: it was destroyed, or is about to be; "" where it stands. What
// was applied before is not brought back by a look for drift.
func (s *Service) destroyed(ctx context.Context, tx *store.Tx, stack Stack) (why string, err error) {
	settled := settlingRuns()
	settled.States = []string{finished}
	last, err := s.Runs.EndTx(ctx, tx, []run.Of{subject(stack)}, settled, true)
	if err != nil {
		return "", err
	}
	if r, there := last[subject(stack)]; there && inputOf(r).Type == Destroy {
		return fmt.Sprintf("run %s has destroyed the stack; apply it again first", r.ID), nil
	}
	return "", nil
}

// takeAway deletes the document of a stack that a schedule has destroyed and said to delete, unless that was changed since.
func (s *Service) takeAway(ctx context.Context, r run.Run) error {
	var stack Stack
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		stack, err = s.mayTakeAway(ctx, tx, r, "")
		return err
	})
	if err == nil {
		err = s.Documents.Delete(context.WithValue(ctx, takenAway{}, r), stack.Ref, "")
	}
	switch {
	case err == nil || fault.Is(err, fault.NotFound) || errors.Is(err, errStays):
		return nil
	case errors.Is(err, errBusy):
		return queue.Again(time.Minute)
	}
	err = fault.Wrap(err, "run %s has destroyed it, and the document stays", r.ID)
	if err := s.say(ctx, stack, err); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		return s.note(ctx, tx, stack, "stack.schedule-failed", r.ID, map[string]any{"do": Destroy, "reason": clip(fault.Message(err))})
	})
}

// takenAway is by what the transaction that deletes a document knows the run after which it goes.
type takenAway struct{}

var (
	errStays = errors.New("its document stays")
	errBusy  = errors.New("a run of it can't be stopped")
)

// mayTakeAway gives the stack that a run has destroyed, if its document still goes with that: else it fails with errStays, with
// errBusy while something is under way, or tells people why. It is asked once more in the transaction that deletes the document.
func (s *Service) mayTakeAway(ctx context.Context, tx *store.Tx, r run.Run, lock string) (stack Stack, err error) {
	subject, err := parseStack(r.Subject)
	if err != nil {
		return stack, err
	}
	if stack, err = getStack(ctx, tx, subject, lock); err != nil {
		return stack, err
	}
	wanted := slices.ContainsFunc(stack.Spec.Schedules, func(one Schedule) bool { return one.Do == Destroy && one.DeleteStack })
	if stack.Deleted || stack.Space != r.Space || stack.Created.After(r.Created) || !wanted {
		return stack, errStays
	}
	left, err := currentState(ctx, tx, subject)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return stack, err
	}
	if left.Resources > 0 {
		return stack, fault.Errorf(fault.Conflict, "its state holds %s again", plural(left.Resources, "resource", "resources"))
	}
	busy, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: r.Subject, Open: true, States: []string{confirmed, applying, performing}, Limit: 1})
	if err == nil && len(busy.Runs) > 0 {
		err = errBusy
	}
	return stack, err
}

func (s *Service) subscribeSchedules() {
	queue.Handle(s.Queue, jobSchedule, queue.HandleOptions{Timeout: time.Minute + maxSchedules*scheduleOne}, func(ctx context.Context, a scheduleArgs) error {
		return s.scheduled(actor.AsSystem(ctx), a.Stack)
	})
	queue.Handle(s.Queue, jobSchedules, queue.HandleOptions{Timeout: 10 * time.Minute}, func(ctx context.Context, _ struct{}) error {
		return s.lookAtLate(actor.AsSystem(ctx))
	})
	s.Queue.Every(jobSchedules, schedulesEvery, struct{}{})
}

func parseStack(name string) (ref.Entity, error) {
	return ref.Parse(name, "stack", ref.DefaultNamespace)
}
