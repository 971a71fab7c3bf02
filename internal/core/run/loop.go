package run

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// safety is how often the loop looks even when nobody woke it.
const safety = 5 * time.Second

// batch is how many due runs one look takes.
const batch = 100

// tendedAtOnce bounds the runs of a look that are changed at the same time.
const tendedAtOnce = 8

// Run expires leases, fires timers, hands locks over and sees to it that logs are sealed, until ctx ends. Several servers may do it at once: each
// change is made under the run's row and looks again at what it found.
func (s *Service) Run(ctx context.Context) error {
	ctx = actor.AsSystem(ctx)
	wake, stop := s.DB.Listen(channelWake)
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var tidying sync.WaitGroup
	tidying.Go(func() { s.tidy(ctx) })
	defer tidying.Wait()
	for {
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		next, err := s.Tick(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("runs: look for what is due", "error", err)
		}
		timer.Reset(next)
	}
}

// Tick does what is due now and tells when to look again.
func (s *Service) Tick(ctx context.Context) (next time.Duration, err error) {
	now := s.Now()
	type due struct{ id, step string }
	var list []due
	soonest := int64(0)
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		list, soonest = nil, 0
		rows, err := tx.Query(ctx, "SELECT id, wake FROM runs WHERE wake > 0 ORDER BY wake LIMIT $1", batch)
		_, err = store.Collect(rows, err, func(row store.Row) (struct{}, error) {
			var d due
			var at int64
			err := row.Scan(&d.id, &at)
			if at <= store.Micros(now) {
				list = append(list, d)
			} else if soonest == 0 || at < soonest {
				soonest = at
			}
			return struct{}{}, err
		})
		if err != nil {
			return err
		}
		// Whoever lets go of a lock wakes the next, so this finds nothing, unless somebody stepped aside meanwhile.
		rows, err = tx.Query(ctx, `SELECT r.id FROM runs r WHERE r.waits_lock > 0 AND r.waits_lock = 1 AND NOT EXISTS (SELECT 1 FROM run_locks l WHERE l.name = r.lock_name)
 AND NOT EXISTS (SELECT 1 FROM runs k WHERE k.lock_name = r.lock_name AND k.waits_lock > 0 AND k.waits_lock = 2 AND (k.priority > r.priority OR k.priority = r.priority AND k.id < r.id))
 ORDER BY r.priority DESC, r.id LIMIT $1`, batch)
		_, err = store.Collect(rows, err, func(row store.Row) (struct{}, error) {
			var d due
			err := row.Scan(&d.id)
			list = append(list, d)
			return struct{}{}, err
		})
		if err != nil {
			return err
		}
		rows, err = tx.Query(ctx, "SELECT run, id FROM run_steps WHERE state = 'leased' AND lease_expires <= $1 ORDER BY lease_expires LIMIT $2", store.Micros(now), batch)
		_, err = store.Collect(rows, err, func(row store.Row) (struct{}, error) {
			var d due
			err := row.Scan(&d.id, &d.step)
			list = append(list, d)
			return struct{}{}, err
		})
		return err
	})
	if err != nil {
		return time.Second, fault.Wrap(err, "find due runs")
	}
	var tended errgroup.Group // several at a time, which SQLite commits together: runs that wait for them hold no place
	tended.SetLimit(tendedAtOnce)
	steps := map[string][]string{} // of each run
	for _, d := range list {
		steps[d.id] = append(steps[d.id], d.step)
	}
	for _, d := range list {
		mine := steps[d.id]
		if delete(steps, d.id); mine == nil {
			continue
		}
		tended.Go(func() error {
			for _, step := range mine {
				if err := s.tend(ctx, d.id, step); err != nil {
					s.Log.Error("runs: carry on", "run", d.id, "step", step, "error", err)
				}
			}
			return nil
		})
	}
	_ = tended.Wait() // what failed is logged, and found again
	if err := s.shorten(ctx, now); err != nil {
		return time.Second, err
	}
	more, err := s.sealEnded(ctx)
	if err != nil {
		return time.Second, err
	}
	if more || len(list) >= batch {
		return 0, nil
	}
	next = safety
	if soonest > 0 {
		next = min(next, max(0, store.FromMicros(soonest).Sub(s.Now())))
	}
	return next, nil
}

// farAhead is how much later than now no lease ends that was given or renewed by this clock.
const farAhead = 5 * time.Minute

// shorten gives leases from before the clock went back the time of a new one: a worker that lives renews it, and of one
// that is gone the step is not waited for until the clock is where it was.
func (s *Service) shorten(ctx context.Context, now time.Time) error {
	limit, n := store.Micros(now.Add(farAhead)), 0
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM run_steps WHERE state = 'leased' AND lease_expires > $1", limit).Scan(&n)
	})
	if err != nil || n == 0 {
		return fault.Wrap(err, "look for leases of another time")
	}
	s.Log.Warn("the clock went back; steps whose worker is gone are taken over soon", "steps", n)
	return fault.Wrap(s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE run_steps SET lease_expires = $2 WHERE state = 'leased' AND lease_expires > $1", limit, store.Micros(now.Add(LeaseTime)))
		return err
	}), "shorten leases")
}

// tend calls Advance for a run whose timer is due, and takes a lost step from its worker.
func (s *Service) tend(ctx context.Context, run, step string) error {
	stream := ""
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		stream = ""
		return s.Change(ctx, tx, run, func(v *View) error {
			for _, p := range v.Steps {
				if p.ID == step && p.State == StepLeased && !p.LeaseExpires.After(v.Now) {
					if renewed, err := renewed(ctx, tx, p, v.Now); err != nil || renewed {
						return err
					}
					stream = p.LogStream()
					lose(v, p)
					return s.Tokens.EndWorkload(ctx, tx, p.ID)
				}
			}
			return nil
		})
	})
	return s.sealed(ctx, stream, err)
}

// renewed tells whether a step's worker has made its lease last since the step was read, and keeps it from doing so from now
// on: heartbeats take no run's row.
func renewed(ctx context.Context, tx *store.Tx, step *Step, now time.Time) (bool, error) {
	var expires int64
	err := tx.QueryRow(ctx, "SELECT lease_expires FROM run_steps WHERE id = $1"+tx.ForUpdate(), step.ID).Scan(&expires)
	return expires > store.Micros(now), fault.Wrap(err, "look at the lease of step %s", step.ID)
}

// sealed seals the log of an attempt whose end has been written.
func (s *Service) sealed(ctx context.Context, stream string, err error) error {
	if err != nil || stream == "" {
		return err
	}
	return fault.Wrap(s.Blob.Seal(ctx, stream), "seal log %s", stream)
}

// sealEnded seals the logs of attempts that have ended, at most a batch of them, and forgets those. Whoever ends an
// attempt seals its log right after; this is for what could not be sealed then, such as when the server was killed
// between the two. It tells whether there are more.
func (s *Service) sealEnded(ctx context.Context) (more bool, err error) {
	var streams, left []string
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT stream FROM run_ended_logs ORDER BY ended, stream LIMIT $1", batch)
		streams, err = store.Collect(rows, err, func(row store.Row) (stream string, err error) { return stream, row.Scan(&stream) })
		return err
	})
	if err != nil || len(streams) == 0 {
		return false, fault.Wrap(err, "find the logs of ended attempts")
	}
	for _, stream := range streams {
		if err := s.Blob.Seal(ctx, stream); err != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			s.Log.Error("runs: seal a log; it is tried again", "log", stream, "error", err)
			left = append(left, stream)
		}
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, stream := range streams {
			do, args := "DELETE FROM run_ended_logs WHERE stream = $1", []any{stream}
			if slices.Contains(left, stream) { // the others go before it
				do, args = "UPDATE run_ended_logs SET ended = $2 WHERE stream = $1", append(args, store.Micros(s.Now()))
			}
			if _, err := tx.Exec(ctx, do, args...); err != nil {
				return err
			}
		}
		return nil
	})
	return len(streams) == batch && len(left) < batch, fault.Wrap(err, "forget the logs that are sealed")
}

// lose takes a step from a worker that no longer answers.
func lose(v *View, p *Step) {
	v.logs = append(v.logs, p.LogStream())
	who := p.Worker
	p.lease, p.Worker = "", ""
	switch {
	case p.cancelRequest:
		p.State, p.Reason, p.Ended = StepCanceled, "canceled; its worker "+who+" was lost", v.Now
	case p.Attempt < p.MaxAttempts:
		p.Attempt++
		p.State, p.Reason, p.Ready = StepReady, "worker "+who+" was lost; trying again", v.Now
	default:
		p.State, p.Reason, p.Ended = StepFailed, "worker "+who+" was lost while it ran this step; retry when you have checked what it did", v.Now
	}
	v.touch(p)
}

// Release takes all steps from the named worker at once, as if their leases had run out. A server calls it at its
// start for its own worker, whose earlier life has ended.
func (s *Service) Release(ctx context.Context, name string) error {
	ctx = actor.AsSystem(ctx)
	var list [][2]string
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT run, id FROM run_steps WHERE state = 'leased' AND worker = $1", name)
		list, err = store.Collect(rows, err, func(row store.Row) ([2]string, error) {
			var pair [2]string
			return pair, row.Scan(&pair[0], &pair[1])
		})
		return err
	})
	if err != nil {
		return fault.Wrap(err, "find steps of worker %s", name)
	}
	for _, pair := range list {
		stream := ""
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			stream = ""
			return s.Change(ctx, tx, pair[0], func(v *View) error {
				for _, p := range v.Steps {
					if p.ID == pair[1] && p.State == StepLeased && p.Worker == name {
						stream = p.LogStream()
						lose(v, p)
						return s.Tokens.EndWorkload(ctx, tx, p.ID)
					}
				}
				return nil
			})
		})
		if err := s.sealed(ctx, stream, err); err != nil {
			return fault.Wrap(err, "release step %s", pair[1])
		}
	}
	return nil
}
