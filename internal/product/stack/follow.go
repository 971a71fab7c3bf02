package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// How runs follow each other along dependencies:
//
// A tracked run of a stack that depends on others has a step that waits until the runs of these, which were under way when
// it began or have come of those since, have finished; then it takes their outputs. When one of them ends otherwise, it is
// canceled. A tracked run that finishes is followed by one of each stack that depends on it, if what these use of it is
// another than their last run was given. A run waits for runs of stacks above its own alone, or for an older one that
// holds its stack, so that none waits for itself.

// ActionInputs names the platform step that takes the outputs of other stacks.
const ActionInputs = "stack.inputs"

// InputsInput is what that step is told.
type InputsInput struct {
	Run string `json:"run"`
}

// Inputs is what it gives.
type Inputs struct {
	Env      map[string]string `json:"env"`
	Versions map[string]string `json:"versions"` // of the states, by stack
}

const jobAfter = "stack.after"

type afterArgs struct {
	Run string `json:"run"`
}

// inputsStep waits until gate lets it go on.
func inputsStep(r *run.Run, in Input, n int) run.Step {
	names := make([]string, len(in.DependsOn))
	for i, d := range in.DependsOn {
		names[i] = stackName(d.Stack)
	}
	input, _ := json.Marshal(InputsInput{r.ID}) // a string always encodes
	return run.Step{
		Key: stepKey("inputs", n), Title: "Wait for " + strings.Join(names, ", "), Group: "plan", State: run.StepWaiting,
		Job: worker.Job{Kind: worker.KindPlatform, Action: ActionInputs, Input: input},
	}
}

// afterInputs tells whether a run has what it needs of other stacks; it moves the run where it can't have it.
func afterInputs(v *run.View, in Input, n int) (ready bool, err error) {
	if len(in.DependsOn) == 0 {
		return true, nil
	}
	step := v.Step(stepKey("inputs", n))
	switch {
	case step == nil:
		v.Add(inputsStep(v.Run, in, n))
		return false, nil
	case !step.State.Done():
		return false, nil
	case step.State == run.StepCanceled:
		return false, v.To(canceled, step.Reason)
	case step.State != run.StepSucceeded:
		return false, end(v, in, failed, "taking the outputs of other stacks: "+step.Reason)
	}
	return true, nil
}

// withInputs gives a run's input with what its stack was given of others for a round.
func withInputs(v *run.View, in Input, n int) Input {
	step := v.Step(stepKey("inputs", n))
	var given Inputs
	if step == nil || json.Unmarshal(step.Result.Given().Data, &given) != nil {
		return in
	}
	env := maps.Clone(in.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, given.Env)
	in.Env = env
	return in
}

// inputs takes the outputs of the stacks that a run's depends on.
func (s *Service) inputs(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var told InputsInput
	if err := json.Unmarshal(l.Job.Input, &told); err != nil {
		return worker.Result{}, fault.Wrap(err, "read the step's input")
	}
	r, in, err := s.runOf(ctx, told.Run)
	if err != nil {
		return worker.Result{}, err
	}
	subject, err := ref.Parse(r.Subject, "stack", ref.DefaultNamespace)
	if err != nil {
		return worker.Result{}, err
	}
	stack, err := s.stackOf(ctx, subject)
	if err == nil {
		err = stack.standsIn(r.Space)
	}
	if err != nil {
		return worker.Result{}, err
	}
	whole := Inputs{Env: map[string]string{}, Versions: map[string]string{}}
	shown := Inputs{Env: map[string]string{}, Versions: whole.Versions}
	var secrets []string
	for _, d := range in.DependsOn {
		values, version, err := s.outputsFor(ctx, stack, d)
		if err != nil {
			return worker.Result{}, err
		}
		whole.Versions[d.Stack] = version
		for _, use := range d.Outputs {
			value, there := values[use.Output]
			switch {
			case !there:
				return worker.Result{}, fault.Errorf(fault.Conflict, "%s has no output %s; apply it first, or take the output out of dependsOn", d.Stack, use.Output)
			case value.Sensitive && !use.Sensitive:
				return worker.Result{}, fault.Errorf(fault.Denied, "output %s of %s is sensitive; say sensitive: true where it is used", use.Output, d.Stack)
			}
			text, err := fitting(d.Stack, use.Output, value.Value)
			if err != nil {
				return worker.Result{}, err
			}
			whole.Env[use.As], shown.Env[use.As] = text, text
			if value.Sensitive {
				shown.Env[use.As] = "(sensitive)"
				secrets = append(secrets, secretTexts(value.Value)...)
			}
			fmt.Fprintf(log, "%s is output %s of %s\n", use.As, use.Output, d.Stack)
		}
	}
	result := worker.Result{Message: "took the outputs of other stacks"}
	if result.Data, err = json.Marshal(shown); err != nil || len(secrets) == 0 {
		return result, err
	}
	data, err := json.Marshal(whole)
	result.Clear = &worker.Clear{Data: data, Secrets: secrets}
	return result, err
}

// outputsFor gives the outputs of a stack to one that depends on it.
func (s *Service) outputsFor(ctx context.Context, stack Stack, d Dependency) (map[string]Value, string, error) {
	r, err := ref.Parse(d.Stack, "stack", ref.DefaultNamespace)
	if err != nil {
		return nil, "", err
	}
	upstream, err := s.stackOf(ctx, r)
	if fault.Is(err, fault.NotFound) || err == nil && upstream.Deleted {
		return nil, "", fault.Errorf(fault.Conflict, "%s, on which %s depends, does not exist; apply its document, or take it out of dependsOn", r, stack.Ref)
	}
	if err == nil {
		err = s.mayUse(ctx, stack, upstream)
	}
	if err != nil {
		return nil, "", err
	}
	return s.Outputs(ctx, r, "")
}

func (s *Service) stackOf(ctx context.Context, r ref.Entity) (stack Stack, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		stack, err = getStack(ctx, tx, r, "")
		return err
	})
	return stack, err
}

// runOf gives a run of this room, unauthorised, with its input.
func (s *Service) runOf(ctx context.Context, id string) (r run.Run, in Input, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = s.Runs.GetTx(ctx, tx, id)
		return err
	})
	if err == nil {
		err = json.Unmarshal(r.Input, &in)
	}
	return r, in, fault.Wrap(err, "read run %s", id)
}

// openAbove gives the tracked runs under way of the stacks that one stands on.
func (s *Service) openAbove(ctx context.Context, tx *store.Tx, stack string) (ids []string, err error) {
	above, err := reached(ctx, tx, "stack", stack)
	if err != nil {
		return nil, err
	}
	for _, name := range above {
		list, err := s.openOf(ctx, tx, name, Tracked)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}

// openOf gives the runs of a type that are under way of a stack.
func (s *Service) openOf(ctx context.Context, tx *store.Tx, stack, kind string) (open []run.Run, err error) {
	for cursor := ""; ; {
		page, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: stack, Open: true, Cursor: cursor, Limit: 200})
		if err != nil {
			return nil, err
		}
		for _, r := range page.Runs {
			var in Input
			if json.Unmarshal(r.Input, &in) == nil && in.Type == kind {
				open = append(open, r)
			}
		}
		if cursor = page.Next; cursor == "" {
			return open, nil
		}
	}
}

// await has a run wait for those that are under way above its stack.
func (s *Service) await(ctx context.Context, tx *store.Tx, r run.Run) (waits int, err error) {
	above, err := s.openAbove(ctx, tx, r.Subject)
	if err != nil {
		return 0, err
	}
	for _, id := range above {
		other, err := s.Runs.TakeTx(ctx, tx, id) // whose end comes either before this, or sees that it is waited for
		if err != nil {
			return waits, err
		}
		if other.Terminal {
			continue
		}
		if _, err := tx.Exec(ctx, "INSERT INTO stack_waits (run, upstream) VALUES ($1, $2) ON CONFLICT (run, upstream) DO NOTHING", r.ID, id); err != nil {
			return waits, fault.Wrap(err, "have run %s wait", r.ID)
		}
		waits++
	}
	return waits, nil
}

// gate lets a run that is ready take its inputs, when the runs for which it waits have finished, or cancels it, when one of
// them has ended otherwise. It can be called at any time.
func (s *Service) gate(ctx context.Context, tx *store.Tx, id string) error {
	r, err := s.Runs.TakeTx(ctx, tx, id)
	if err != nil {
		return err
	}
	var in Input
	if err := json.Unmarshal(r.Input, &in); err != nil || len(in.DependsOn) == 0 {
		return nil //nolint:nilerr // one that can't be read is failed as it advances
	}
	if r.Terminal {
		_, err := tx.Exec(ctx, "DELETE FROM stack_waits WHERE run = $1", id)
		return fault.Wrap(err, "end the waiting of run %s", id)
	}
	if r.State != ready && r.State != replanning {
		return nil // it comes here again
	}
	if in.Type != Tracked {
		return s.pass(ctx, tx, id, func(v *run.View, step *run.Step) { v.Release(step) })
	}
	rows, err := tx.Query(ctx, "SELECT upstream FROM stack_waits WHERE run = $1 ORDER BY upstream", id)
	above, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return fault.Wrap(err, "read for what run %s waits", id)
	}
	waits := 0
	for _, up := range above {
		other, err := s.Runs.TakeTx(ctx, tx, up)
		switch {
		case err != nil:
			return err
		case !other.Terminal:
			waits++
			continue
		case other.State != finished:
			replaced, err := s.replaced(ctx, tx, other)
			if err != nil {
				return err
			}
			if replaced { // by one that has applied
				break
			}
			if _, err := tx.Exec(ctx, "DELETE FROM stack_waits WHERE run = $1", id); err != nil { // a retry waits for what is under way then
				return fault.Wrap(err, "end the waiting of run %s", id)
			}
			why := fmt.Sprintf("%s, on which it depends, was not applied: its run %s %s", other.Subject, other.ID, endedAs(other.State))
			return s.pass(ctx, tx, id, func(v *run.View, step *run.Step) { v.End(step, run.StepCanceled, why) })
		}
		if _, err := tx.Exec(ctx, "DELETE FROM stack_waits WHERE run = $1 AND upstream = $2", id, up); err != nil {
			return fault.Wrap(err, "end the waiting of run %s", id)
		}
	}
	if waits > 0 {
		return nil
	}
	if waits, err = s.await(ctx, tx, r); err != nil || waits > 0 {
		return err
	}
	return s.pass(ctx, tx, id, func(v *run.View, step *run.Step) { v.Release(step) })
}

func endedAs(state string) string {
	if state == failed {
		return "failed"
	}
	return "was " + state
}

// pass does something with the step of a run that waits.
func (s *Service) pass(ctx context.Context, tx *store.Tx, id string, fn func(v *run.View, step *run.Step)) error {
	return s.Runs.Change(ctx, tx, id, func(v *run.View) error {
		if step := v.Step(stepKey("inputs", round(v)+1)); step != nil && step.State == run.StepWaiting {
			fn(v, step)
		}
		return nil
	})
}

// Bounds of what follows a run that has ended: what waits for it is let go on however long the rest takes.
const (
	followTime   = 90 * time.Second
	followOne    = 20 * time.Second
	followGiveUp = 24 * time.Hour // after its end; then the page of the stack says why nothing follows
	followTries  = 26             // last longer than that
)

// after has what depends on a stack follow a run of it that has ended. What fails holds up nothing else, and is tried again.
func (s *Service) after(ctx context.Context, id string) error {
	r, in, err := s.runOf(ctx, id)
	if err != nil {
		return err
	}
	failures := s.begun(ctx, r, in) // before those that wait: some of them wait for what follows, too
	var waiting []string
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT run FROM stack_waits WHERE upstream = $1 ORDER BY run", id)
		waiting, err = store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
		return err
	})
	failures = append(failures, fault.Wrap(err, "find what waits for run %s", id))
	for _, other := range waiting {
		failures = append(failures, s.DB.Write(ctx, func(tx *store.Tx) error { return s.gate(ctx, tx, other) }))
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if r.State == finished && in.Type == Destroy && in.DeleteStack {
		return s.takeAway(ctx, r)
	}
	return nil
}

// begun begins what follows a run that has finished, and gives what failed of it.
func (s *Service) begun(ctx context.Context, r run.Run, in Input) (failures []error) {
	if r.State != finished {
		return nil
	}
	if in.Type == Tracked {
		return s.followAll(ctx, r)
	}
	ctx, stop := context.WithTimeout(ctx, followTime)
	defer stop()
	switch {
	case in.Type == Drift && in.Reconcile:
		return []error{s.reconcileDrift(ctx, r, in)}
	case in.Type == Destroy && in.Cascade != "":
		_, err := s.cascade(ctx, in.Cascade, r.Actor, r.ID)
		return []error{err}
	}
	return nil
}

// followAll begins runs of the stacks that depend on one, as far as what they use of it is another than they were given. One that
// can't be begun holds up no other: they come in any order, so that where some hang each of the others comes before them at some time.
func (s *Service) followAll(ctx context.Context, r run.Run) []error {
	return s.followWithin(ctx, r, context.WithTimeout)
}

// followWithin is followAll by a clock of the caller's.
func (s *Service) followWithin(ctx context.Context, r run.Run, by clock) (failures []error) {
	var below []edge
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		below, err = edges(ctx, tx, "upstream", []string{r.Subject})
		return err
	})
	if err != nil {
		return []error{err}
	}
	all, stop := by(ctx, followTime) // to give up takes none of it
	defer stop()
	rand.Shuffle(len(below), func(i, j int) { below[i], below[j] = below[j], below[i] })
	for _, e := range below {
		err := all.Err()
		if err == nil {
			_, err = inTimeBy(by, all, followOne, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.follow(ctx, e, r) })
		}
		if err != nil && all.Err() != nil {
			err = &fault.Error{Kind: fault.Unavailable, Message: fmt.Sprintf("what it needs, such as its repository, and what others need that follow the same run, has not answered within %s", followTime), Err: err}
		}
		if err != nil {
			failures = append(failures, s.giveUp(ctx, e, r, err))
		}
	}
	return failures
}

// giveUp tells on the page of a stack why no run of it follows, where that was tried for long enough. One that was not asked this
// time may have followed before, or have no need to.
func (s *Service) giveUp(ctx context.Context, e edge, after run.Run, why error) error {
	if s.Now().Sub(after.Ended) < followGiveUp {
		return fault.Wrap(why, "have %s follow", e.Stack)
	}
	stack, owes, err := s.owes(ctx, e)
	if err == nil && !owes {
		return nil
	}
	said := fmt.Sprintf("it did not follow run %s of %s, on which it depends: %s; begin a run by hand", after.ID, after.Subject, fault.Message(why))
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate()); err != nil {
			return ignoreGone(err)
		}
		if _, follows, err := s.Runs.ByKeyTx(ctx, tx, e.key(after)); err != nil || follows {
			return err
		}
		return s.sayTx(ctx, tx, stack.Ref, said)
	})
}

// key is that of the run by which a stack follows another's, of which there is one.
func (e edge) key(after run.Run) string { return fmt.Sprintf("after:%s:%s", e.Stack, after.ID) }

func (s *Service) follow(ctx context.Context, e edge, after run.Run) error {
	stack, owes, err := s.owes(ctx, e)
	if err != nil || !owes {
		return err
	}
	name := stack.Ref
	if err := s.mayRead(ctx, stack); err != nil {
		return s.unless(ctx, stack, err)
	}
	from, err := s.originOf(ctx, stack, Tracked)
	if err != nil {
		return s.unless(ctx, stack, err)
	}
	if err := s.mayBeginAs(ctx, stack, Input{Type: Tracked, TriggeredBy: after.Subject}, from.commit); err != nil {
		return s.unless(ctx, stack, err)
	}
	made, err := s.prepareAfter(ctx, stack, from, after)
	if err != nil {
		return s.unless(ctx, stack, err)
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := getStack(ctx, tx, name, tx.ForUpdate())
		if err != nil || now.Deleted || now.Space != stack.Space {
			return err
		}
		kept, err := s.staysDestroyed(ctx, tx, now)
		if err != nil {
			return err
		}
		if kept != "" {
			return s.sayTx(ctx, tx, name, fmt.Sprintf("it did not follow run %s of %s, on which it depends: %s", after.ID, after.Subject, kept))
		}
		open, err := s.openOf(ctx, tx, e.Stack, Tracked)
		if err != nil {
			return err
		}
		for i, r := range open {
			if (r.State == queued || r.State == ready) && (i == 0 || !passable(r)) { // it will take what is there then
				return nil
			}
		}
		r, existed, err := s.startOrigin(ctx, tx, now, Tracked, from, e.key(after), after.Actor, made, func(_ *run.New, in *Input) { in.follow(now.Spec, after) })
		if in := inputOf(after); err == nil && !existed && in.Workflow != "" {
			err = s.noteTriggered(ctx, tx, in.Workflow, r, after)
		}
		return err
	})
}

// follow has a run be one of those that follow another. Dependencies have no circle by themselves; with trigger policies they may,
// so that it stays in the workflow of such, which ends.
func (in *Input) follow(spec Spec, after run.Run) {
	in.Autodeploy = spec.DeploysFollowing()
	of := inputOf(after)
	in.TriggeredBy, in.Workflow, in.Depth = after.Subject, of.Workflow, of.Depth
}

// Follows tells whether a run has begun since one of a stack has finished on which its own depends.
func (in Input) Follows() bool {
	return in.Type == Tracked && strings.HasPrefix(in.TriggeredBy, "stack:")
}

// prepareAfter is prepare for a run that follows another: it applies the changes of that one, too.
func (s *Service) prepareAfter(ctx context.Context, stack Stack, from origin, after run.Run) (prepared, error) {
	ready, err := s.prepareOrigin(ctx, stack, from)
	if err != nil {
		return ready, err
	}
	var in Input
	if err := json.Unmarshal(after.Input, &in); err != nil {
		return ready, fault.Wrap(err, "read the input of run %s", after.ID)
	}
	for _, who := range in.authorsOf(after) {
		if !slices.Contains(ready.authors, who) {
			ready.authors = append(ready.authors, who)
		}
	}
	return ready, nil
}

// unless shows on a stack's page why no run of it follows.
func (s *Service) unless(ctx context.Context, stack Stack, err error) error {
	if err == nil {
		return nil
	}
	return s.say(ctx, stack, err)
}

// noteUsed keeps what a run that has finished was given.
func (s *Service) noteUsed(ctx context.Context, tx *store.Tx, id string, in Input) error {
	if len(in.DependsOn) == 0 {
		return nil
	}
	steps, err := s.Runs.StepsTx(ctx, tx, id)
	if err != nil {
		return err
	}
	var given Inputs
	for _, step := range steps {
		if strings.HasPrefix(step.Key, "inputs") && step.State == run.StepSucceeded {
			if err := json.Unmarshal(step.Result.Data, &given); err != nil {
				return fault.Wrap(err, "read what run %s was given", id)
			}
		}
	}
	for upstream, version := range given.Versions {
		_, err := tx.Exec(ctx, "UPDATE stack_dependencies SET used = $3 WHERE stack = $1 AND upstream = $2", in.Stack, upstream, version)
		if err != nil {
			return fault.Wrap(err, "note what run %s was given", id)
		}
	}
	return nil
}

// lookAbove has the stacks considered first on which one stands and that follow the same branch, so that its run knows of
// theirs.
func (s *Service) lookAbove(ctx context.Context, stack Stack, head string) error {
	for _, d := range stack.Spec.DependsOn {
		r, err := ref.Parse(d.Stack, "stack", ref.DefaultNamespace)
		if err != nil {
			return err
		}
		above, err := s.stackOf(ctx, r)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if above.Repository == stack.Repository && above.Branch == stack.Branch && above.Seen != head && !above.Deleted {
			if err := s.reconcile(ctx, d.Stack); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) subscribeAfter() {
	queue.Handle(s.Queue, jobAfter, queue.HandleOptions{Timeout: 2 * time.Minute, MaxAttempts: followTries}, func(ctx context.Context, a afterArgs) error {
		return s.after(actor.AsSystem(ctx), a.Run)
	})
}
