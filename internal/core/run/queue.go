package run

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// mostQueued bounds the runs of one queue that are told.
const mostQueued = 500

// Prioritize gives a run another place among those that wait for its lock, and its steps one among those that wait for a
// worker; greater goes first. The product has authorised it. Conflict when the run has ended.
func (s *Service) Prioritize(ctx context.Context, tx *store.Tx, id string, priority int) error {
	return s.Change(ctx, tx, id, func(v *View) error {
		if err := asSeen(ctx, v.Run); err != nil {
			return err
		}
		if v.Run.Terminal {
			return fault.Errorf(fault.Conflict, "run %s has ended (%s) and waits for nothing", id, v.Run.State)
		}
		if v.Run.Priority == priority {
			return nil
		}
		v.Run.Priority, v.dirty = priority, true
		if _, err := tx.Exec(ctx, "UPDATE run_steps SET priority = $2 WHERE run = $1 AND state IN ('waiting', 'ready')", id, -priority); err != nil {
			return fault.Wrap(err, "prioritize the steps of run %s", id)
		}
		return s.note(ctx, tx, v.Run, "run.prioritized", "", map[string]any{"priority": priority, "state": v.Run.State})
	})
}

// QueueTx gives the run that holds a lock, nil for none, and those that wait for it in their order, to a product,
// unauthorised.
func (s *Service) QueueTx(ctx context.Context, tx *store.Tx, lock string) (holder *Run, waiting []Run, err error) {
	if lock == "" {
		return nil, nil, nil
	}
	id, err := lockHolder(ctx, tx, lock)
	if err != nil {
		return nil, nil, err
	}
	if ref.IsID(id, ref.Run) { // else it is held by somebody
		r, err := getRun(ctx, tx, id, "")
		if err != nil {
			return nil, nil, err
		}
		holder = &r
	}
	rows, err := tx.Query(ctx, "SELECT "+runColumns+" FROM runs WHERE lock_name = $1 AND waits_lock > 0 ORDER BY priority DESC, id LIMIT $2", lock, mostQueued)
	waiting, err = store.Collect(rows, err, scanRun)
	return holder, waiting, fault.Wrap(err, "read the queue of %s", lock)
}

// HoldTx takes a lock for something that is no run, by a name of the product's that is no run's id, so that runs wait for it;
// false when it is held. Unauthorised.
func (s *Service) HoldTx(ctx context.Context, tx *store.Tx, lock, holder string) (held bool, err error) {
	n, err := tx.Exec(ctx, "INSERT INTO run_locks (name, run, taken) VALUES ($1,$2,$3) ON CONFLICT (name) DO NOTHING", lock, holder, store.Micros(s.Now()))
	return n == 1, fault.Wrap(err, "take lock %s", lock)
}

// FreeTx gives a lock back that HoldTx took, and wakes the next run that waits for it. It can be called at any time.
func (s *Service) FreeTx(ctx context.Context, tx *store.Tx, lock, holder string) error {
	if err := freeLock(ctx, tx, lock, holder, s.Now()); err != nil {
		return fault.Wrap(err, "free lock %s", lock)
	}
	s.DB.Notify(tx, channelWake)
	return nil
}

// HandTx gives a lock that a run or something else holds to something that is no run, as HoldTx does, so that runs go on waiting
// for it. Unauthorised.
func (s *Service) HandTx(ctx context.Context, tx *store.Tx, lock, from, to string) error {
	n, err := tx.Exec(ctx, "UPDATE run_locks SET run = $3 WHERE name = $1 AND run = $2", lock, from, to)
	if err == nil && n == 0 {
		err = fault.Errorf(fault.Conflict, "%s does not hold %s", from, lock)
	}
	return fault.Wrap(err, "hand lock %s on", lock)
}

// AheadTx counts the steps that go to a worker before one that is ready, unauthorised.
func (s *Service) AheadTx(ctx context.Context, tx *store.Tx, r Run, step Step) (n int, err error) {
	kind := step.Job.Kind
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM run_steps WHERE state = 'ready' AND pool = $1 AND kind = $2
 AND (priority < $3 OR priority = $3 AND (ready < $4 OR ready = $4 AND id < $5))`, step.Pool, kind, -r.Priority, store.Micros(step.Ready), step.ID).Scan(&n)
	return n, fault.Wrap(err, "count the steps before %s", step.ID)
}
