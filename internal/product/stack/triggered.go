package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Trigger policies name stacks that are to run when a run of another has ended. All that follow of one first run are a
// workflow, which is bounded in depth and number: policies may go round in circles.

const (
	jobTrigger  = "stack.trigger"
	jobNotify   = "stack.notify"
	lookTimeout = time.Minute
	mostDeep    = 10  // runs after one another
	maxWorkflow = 200 // runs of one workflow
)

func asSystem(ctx context.Context) context.Context { return actor.AsSystem(ctx) }

type endedArgs struct {
	Run     string `json:"run"`
	Entry   string `json:"entry,omitempty"` // of the ledger, that is followed
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Version int64  `json:"version,omitempty"`
}

func (s *Service) subscribeEnds() {
	queue.Handle(s.Queue, jobTrigger, queue.HandleOptions{Timeout: 2 * time.Minute, MaxAttempts: followTries}, s.triggerAfter)
	queue.Handle(s.Queue, jobNotify, queue.HandleOptions{Timeout: lookTimeout}, s.notifyOf)
	s.Ledger.Subscribe("stack.policies", []string{"run.state-changed"}, s.movedOn)
}

// movedOn asks for the decisions that follow of a run's new state, where there are policies for them.
func (s *Service) movedOn(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var change struct {
		To       string `json:"to"`
		Reason   string `json:"reason"`
		Terminal bool   `json:"terminal"`
		Kind     string `json:"run_kind"`
	}
	if err := json.Unmarshal(e.Data, &change); err != nil || change.Kind != RunKind {
		return nil
	}
	if tell, err := s.Policy.AnyTx(ctx, tx, "notification"); err != nil {
		return err
	} else if tell && change.To != judging { // it is planning still, to policies
		if err := s.Queue.Insert(ctx, tx, jobNotify, endedArgs{Run: e.Run, Entry: e.ID, State: change.To, Reason: clip(change.Reason)}, queue.InsertOptions{Unique: e.ID}); err != nil {
			return err
		}
	}
	if !change.Terminal {
		return nil
	}
	any, err := s.Policy.AnyTx(ctx, tx, "trigger")
	if err != nil || !any {
		return err
	}
	return s.Queue.Insert(ctx, tx, jobTrigger, endedArgs{Run: e.Run}, queue.InsertOptions{Unique: e.Run})
}

// triggerAfter starts what the trigger policies name. Doing it twice starts nothing twice: a run is made once for each
// run that has ended and each stack.
func (s *Service) triggerAfter(ctx context.Context, args endedArgs) error {
	ctx = asSystem(ctx)
	r, stack, in, err := s.ofRun(ctx, args.Run)
	if err != nil || onlyPlans(in.Type) || !r.Terminal {
		return ignoreGone(err)
	}
	refs := policy.Refs{Run: r.ID, Subject: r.Subject, Labels: stack.Spec.Labels}
	d, asked, err := s.Policy.Consult(ctx, "trigger", r.Space, refs, func() (any, error) { return s.triggerInput(ctx, r, stack, in) })
	if err != nil || !asked || d.Denied() {
		return fault.Wrap(err, "ask the trigger policies")
	}
	var all []triggers
	for _, g := range d.Given("trigger") {
		if name, ok := g.Value.(string); ok {
			all = append(all, triggers{g.Policy, d.SpaceOf(g.Policy), name})
		}
	}
	return s.triggerAll(ctx, r, stack, in, all, context.WithTimeout)
}

// triggers is a stack that a policy of a space names.
type triggers struct{ policy, space, stack string }

// triggerAll starts what is named. One that can't be started holds up no other, as in followAll. What may succeed by itself is tried
// again for a day, and what failed is told when nothing is tried any more.
func (s *Service) triggerAll(ctx context.Context, r run.Run, stack Stack, in Input, named []triggers, by clock) error {
	whole, stop := by(ctx, followTime)
	defer stop()
	failures := make([]map[string]any, len(named))
	var again []error
	for _, i := range rand.Perm(len(named)) {
		one := named[i]
		err := whole.Err()
		if err == nil {
			_, err = inTimeBy(by, whole, followOne, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, s.trigger(ctx, r, in, one.policy, one.space, one.stack)
			})
		}
		if err == nil {
			continue
		}
		why := fault.Message(err)
		if passing(err) { // it may be of what who reads of the run may not read of
			again = append(again, fault.Wrap(err, "start %s, which %s names", clip(one.stack), one.policy))
			why = "what it needs, such as its repository, could not be had for a day"
		}
		failures[i] = map[string]any{"policy": one.policy, "stack": clip(one.stack), "reason": clip(why)}
	}
	if len(again) > 0 && s.Now().Sub(r.Ended) < followGiveUp {
		return errors.Join(again...)
	}
	return s.notTriggered(ctx, r, stack, slices.DeleteFunc(failures, func(f map[string]any) bool { return f == nil }))
}

// mostFailures bounds how many stacks that could not be started are told of one run.
const mostFailures = 20

// notTriggered tells of stacks that trigger policies have named, and that could not be started: on the page of the stack whose run
// has ended, and in the ledger.
func (s *Service) notTriggered(ctx context.Context, r run.Run, stack Stack, failures []map[string]any) error {
	if len(failures) == 0 {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		stack, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate())
		if err != nil || stack.Deleted || stack.Space != r.Space {
			return err
		}
		for _, what := range failures[:min(len(failures), mostFailures)] {
			if err := s.note(ctx, tx, stack, "stack.trigger-failed", r.ID, what); err != nil {
				return err
			}
		}
		text := clip(fmt.Sprintf("after run %s a trigger policy (%v) names stack %v, which could not be started: %v", r.ID, failures[0]["policy"], failures[0]["stack"], failures[0]["reason"]))
		return s.sayTx(ctx, tx, stack.Ref, text)
	})
}

func ignoreGone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// ofRun gives a run with its stack and its input.
func (s *Service) ofRun(ctx context.Context, id string) (r run.Run, stack Stack, in Input, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if r, err = s.Runs.GetTx(ctx, tx, id); err != nil {
			return err
		}
		subject, err := ref.Parse(r.Subject, "stack", ref.DefaultNamespace)
		if err != nil {
			return err
		}
		if stack, err = getStack(ctx, tx, subject, ""); err != nil {
			return err
		}
		return json.Unmarshal(r.Input, &in)
	})
	return r, stack, in, err
}

// trigger starts a tracked run of one stack, which lies in the policy's space or below.
func (s *Service) trigger(ctx context.Context, after run.Run, in Input, by, space, name string) error {
	target, err := ref.Parse(name, "stack", ref.DefaultNamespace)
	if err != nil {
		return err
	}
	var stack Stack
	root, depth, runs := in.Workflow, in.Depth+1, 0
	if root == "" {
		root = after.ID
	}
	nowhere := fault.Errorf(fault.NotFound, "there is no such stack in space %s, where the policy holds, and below", space)
	begun := false
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if stack, err = getStack(ctx, tx, target, ""); fault.Is(err, fault.NotFound) {
			return nowhere
		} else if err != nil {
			return err
		}
		if _, begun, err = s.Runs.ByKeyTx(ctx, tx, triggerKey(after, stack)); err != nil || begun {
			return err
		}
		return tx.QueryRow(ctx, "SELECT count(*) FROM stack_triggered WHERE workflow = $1", root).Scan(&runs)
	})
	if err != nil || begun {
		return err
	}
	within, err := s.Access.Within(ctx, stack.Space, space)
	switch {
	case err != nil:
		return err
	case !within: // who reads of it may not know of others
		return nowhere
	case stack.Deleted:
		return fault.Errorf(fault.Conflict, "the document of %s is deleted", target)
	case depth > mostDeep:
		return fault.Errorf(fault.Conflict, "%d runs have started one another already; the policies go round in a circle", mostDeep)
	case runs >= maxWorkflow:
		return fault.Errorf(fault.Conflict, "%d runs have followed of run %s already", maxWorkflow, root)
	}
	near, err := s.Access.Within(ctx, stack.Space, after.Space)
	if err != nil {
		return err
	}
	err = s.triggerOne(ctx, after, stack, by, root, depth)
	if err == nil || near || passing(err) {
		return err
	}
	// Who reads of the run that has ended may not read of this stack.
	if err := s.say(ctx, stack, fault.Wrap(err, "trigger policy %s has named it after run %s", by, after.ID)); err != nil {
		return err
	}
	return fault.Errorf(fault.Conflict, "it could not be started; its own page says why")
}

func (s *Service) triggerOne(ctx context.Context, after run.Run, stack Stack, by, root string, depth int) error {
	if err := s.mayRead(ctx, stack); err != nil {
		return err
	}
	from, err := s.originOf(ctx, stack, Tracked)
	if err != nil {
		return err
	}
	if err := s.mayBeginAs(ctx, stack, Input{Type: Tracked, TriggeredBy: by}, from.commit); err != nil {
		return err
	}
	ready, err := s.prepareOrigin(ctx, stack, from)
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		made, existed, err := s.startOrigin(ctx, tx, stack, Tracked, from, triggerKey(after, stack), "", ready, func(_ *run.New, in *Input) {
			in.TriggeredBy, in.Workflow, in.Depth = by, root, depth
		})
		if err != nil || existed {
			return err
		}
		return s.noteTriggered(ctx, tx, root, made, after)
	})
}

// triggerKey is that of the run of a stack that trigger policies begin after another, of which there is one.
func triggerKey(after run.Run, stack Stack) string {
	return fmt.Sprintf("stack-trigger:%s:%s", after.ID, stack.Ref)
}

// noteTriggered counts a run among those of its workflow.
func (s *Service) noteTriggered(ctx context.Context, tx *store.Tx, workflow string, r, after run.Run) error {
	_, err := tx.Exec(ctx, "INSERT INTO stack_triggered (workflow, run, after, stack) VALUES ($1, $2, $3, $4)", workflow, r.ID, after.ID, r.Subject)
	return fault.Wrap(err, "note run %s of a workflow", r.ID)
}

// triggerInput is Spacelift's shape of a trigger policy's input. The stacks are those of the run's space and below: whoever
// may read the decision may see them.
func (s *Service) triggerInput(ctx context.Context, r run.Run, stack Stack, in Input) (any, error) {
	var stacks []map[string]any
	var workflow []any
	root := in.Workflow
	if root == "" {
		root = r.ID
	}
	below, err := s.Access.Below(ctx, r.Space)
	if err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		seen, err := stacksIn(ctx, tx, below, mostStacks)
		if err != nil {
			return err
		}
		if stacks, err = s.stacksSeen(ctx, tx, seen); err != nil {
			return err
		}
		workflow, err = s.workflowInput(ctx, tx, root)
		return err
	})
	if err != nil {
		return nil, err
	}
	about, err := s.runInput(ctx, r)
	if err != nil {
		return nil, err
	}
	of, err := s.stackSeen(ctx, stack, &r)
	return map[string]any{
		"run": about, "stack": of, "stacks": stacks, "workflow": workflow,
		"request": map[string]any{"timestamp_ns": s.Now().UnixNano()},
	}, err
}

// stacksIn gives the first stacks of some spaces, by reference.
func stacksIn(ctx context.Context, tx *store.Tx, spaces access.Set, most int) ([]Stack, error) {
	w := &store.Where{}
	w.Add("deleted = 0")
	if !spaces.All {
		w.Add(w.In("space", spaces.List()))
	}
	rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks"+w.String()+" ORDER BY ref LIMIT "+w.Arg(most), w.Args...)
	all, err := store.Collect(rows, err, scanStack)
	return all, fault.Wrap(err, "read the stacks")
}

// mostStacks bounds the stacks that trigger policies see.
const mostStacks = 5000

// workflowInput gives the runs of a workflow, the first one among them.
func (s *Service) workflowInput(ctx context.Context, tx *store.Tx, root string) ([]any, error) {
	rows, err := tx.Query(ctx, "SELECT run FROM stack_triggered WHERE workflow = $1 ORDER BY run LIMIT 1000", root)
	ids, err := store.Collect(rows, err, func(row store.Row) (id string, err error) { return id, row.Scan(&id) })
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, id := range append([]string{root}, ids...) {
		r, err := s.Runs.GetTx(ctx, tx, id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		kind := inputOf(r).Type
		subject, err := ref.Parse(r.Subject, "stack", ref.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		all = append(all, map[string]any{"id": r.ID, "stack_id": stackID(subject.String()), "state": stateInput(r, kind), "type": typeInput(kind)})
	}
	return all, nil
}
