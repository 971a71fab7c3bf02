package stack

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Prioritize has a run go before others in its queues, or takes that back.
// Permission: run:prioritize in the run's space. Conflict for one that has ended, or is none of a stack.
func (s *Service) Prioritize(ctx context.Context, runID string, first bool) error {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return err
	}
	if err := s.Access.Authorize(ctx, "run:prioritize", r.Space); err != nil {
		return err
	}
	if r.Kind != RunKind {
		return fault.Errorf(fault.Conflict, "run %s is a %s; only runs of stacks are prioritized", runID, r.Kind)
	}
	var in Input
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return fault.Wrap(err, "read the input of run %s", runID)
	}
	next := priority(in.Type)
	if first {
		next = prioritized
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error { return s.Runs.Prioritize(ctx, tx, runID, next) })
}

// Prioritized tells whether a run goes before others.
func Prioritized(r run.Run) bool { return r.Kind == RunKind && r.Priority >= prioritized }

// Wait is what a run waits for.
type Wait struct {
	For      string // lock, runs, worker, state, external
	Reason   string
	Behind   string // the run that holds the stack, or goes before it; "" for none that may be read
	Position int    // in the queue, from 1
	Queued   int    // how many are in it
}

// WaitOf tells for what a run waits; nil when it waits for nothing, or for a person.
// The caller has read the run.
func (s *Service) WaitOf(ctx context.Context, r run.Run, steps []run.Step) (w *Wait, err error) {
	if r.Terminal || r.Kind != RunKind {
		return nil, nil
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w, err = s.waitOf(ctx, tx, r, steps)
		return err
	})
	return w, err
}

func (s *Service) waitOf(ctx context.Context, tx *store.Tx, r run.Run, steps []run.Step) (*Wait, error) {
	if aside := externalWait(r, steps); aside != nil {
		return aside, nil
	}
	if r.State == queued && r.Waiting {
		return nil, nil
	}
	if r.State == queued {
		holder, waiting, err := s.Runs.QueueTx(ctx, tx, r.Lock)
		if err != nil {
			return nil, err
		}
		w := &Wait{For: "lock", Queued: len(waiting)}
		for i, other := range waiting {
			if other.ID == r.ID {
				w.Position = i + 1
			}
		}
		switch {
		case holder != nil:
			w.Behind, w.Reason = holder.ID, "waits for run "+holder.ID+", which holds the stack"
		case w.Position > 1:
			w.Behind, w.Reason = waiting[w.Position-2].ID, "other runs of the stack go first"
		default:
			w.For, w.Reason = "state", "waits for the lock of the state"
			if who, err := s.lockedByHand(ctx, tx, r.Subject); err != nil {
				return nil, err
			} else if who != "" {
				w.Reason = "waits for the lock of the state, which " + who
			}
		}
		return w, nil
	}
	for _, step := range steps {
		switch step.State {
		case run.StepWaiting:
			return &Wait{For: "runs", Reason: "waits for runs of the stacks on which it depends"}, nil
		case run.StepReady:
			ahead, err := s.Runs.AheadTx(ctx, tx, r, step)
			if err != nil {
				return nil, err
			}
			return &Wait{For: "worker", Position: ahead + 1, Queued: ahead + 1, Reason: "waits for a worker of pool " + step.Pool}, nil
		}
	}
	return nil, nil
}

// QueueOf gives the runs of a stack that are under way, in the order in which they go on: the one that holds the stack, then
// those that wait for it, then those that hold up nothing. At most 200.
// Permission: stack:read and run:read in its space; NotFound for who may not see the stack.
func (s *Service) QueueOf(ctx context.Context, r ref.Entity) (all []Waiting, err error) {
	stack, err := s.read(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.Access.Authorize(ctx, "run:read", stack.Space); err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err = s.queueOf(ctx, tx, stack)
		return err
	})
	return all, err
}

// Waiting is a run in the queue of a stack.
type Waiting struct {
	Run   run.Run
	Holds bool  // the stack
	Wait  *Wait // nil when it goes on, or waits for a person
}

func (s *Service) queueOf(ctx context.Context, tx *store.Tx, stack Stack) (all []Waiting, err error) {
	holder, waiting, err := s.Runs.QueueTx(ctx, tx, LockName(stack.Ref))
	if err != nil {
		return nil, err
	}
	list := []run.Run{}
	seen := map[string]bool{}
	add := func(r run.Run) {
		if !seen[r.ID] && r.Space == stack.Space && len(list) < mostQueued {
			seen[r.ID] = true
			list = append(list, r)
		}
	}
	if holder != nil {
		add(*holder)
	}
	for _, r := range waiting {
		add(r)
	}
	others, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Spaces: []string{stack.Space}, Subject: stack.Ref.String(), Open: true, Limit: mostQueued})
	if err != nil {
		return nil, err
	}
	for _, r := range others.Runs {
		add(r)
	}
	for _, r := range list {
		steps, err := s.Runs.StepsTx(ctx, tx, r.ID)
		if err != nil {
			return nil, err
		}
		w, err := s.waitOf(ctx, tx, r, steps)
		if err != nil {
			return nil, err
		}
		all = append(all, Waiting{Run: r, Holds: holder != nil && holder.ID == r.ID, Wait: w})
	}
	return all, nil
}

const mostQueued = 200
