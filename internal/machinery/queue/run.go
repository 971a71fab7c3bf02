package queue

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Run does jobs until ctx ends, and then waits for those that run; their contexts end with ctx, and they are
// done again by the next server.
func (q *Queue) Run(ctx context.Context) error {
	woken, stop := q.db.Listen(channel)
	defer stop()
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { q.keep(ctx) })
	switch {
	case q.db.Dialect() == store.SQLite:
		// One server has the file, so what runs belongs to an earlier life of this one.
		q.try(ctx, "take up the jobs of a killed server", func(ctx context.Context) error {
			return q.reclaim(ctx, q.now().Add(leaseTime*100))
		})
	case q.server != "":
		q.try(ctx, "take up the jobs of this server's earlier life", func(ctx context.Context) error {
			if err := q.db.Write(ctx, func(tx *store.Tx) error { return forsake(ctx, tx, q.server, q.lease, q.now()) }); err != nil {
				return err
			}
			return q.reclaim(ctx, q.now())
		})
	}
	for {
		pause, err := q.start(ctx, &group)
		if err != nil && ctx.Err() == nil {
			q.log.Warn("jobs could not be looked for; it is tried again", "error", err)
			pause = time.Second
		}
		timer := time.NewTimer(pause)
		select {
		case <-woken:
		case <-q.freed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// Work does the jobs that are due now, and those that they bring, one after the other, and tells how many it
// did. Run does not need it: it is for tests and for commands that end.
func (q *Queue) Work(ctx context.Context) (done int, err error) {
	if err := q.reclaim(ctx, q.now()); err != nil {
		return 0, err
	}
	for {
		if _, err := q.insertPeriodic(ctx); err != nil {
			return done, err
		}
		jobs, _, err := q.lookAndTake(ctx, 1)
		if err != nil || len(jobs) == 0 {
			return done, err
		}
		for _, j := range jobs {
			q.perform(ctx, j)
			done++
		}
	}
}

// start takes what is due and has room, and tells how long to wait without a wake.
func (q *Queue) start(ctx context.Context, group *sync.WaitGroup) (time.Duration, error) {
	for {
		nextPeriod, err := q.insertPeriodic(ctx)
		if err != nil {
			return 0, err
		}
		jobs, next, err := q.lookAndTake(ctx, 64)
		if err != nil {
			return 0, err
		}
		for _, j := range jobs {
			group.Go(func() { q.perform(ctx, j) })
		}
		if len(jobs) > 0 {
			continue
		}
		pause := pollInterval
		for _, at := range []time.Time{next, nextPeriod} {
			if !at.IsZero() {
				pause = min(pause, max(0, at.Sub(q.now())))
			}
		}
		return pause, nil
	}
}

// lookAndTake looks on a snapshot first, so that an idle queue never comes to the writer.
func (q *Queue) lookAndTake(ctx context.Context, limit int) (taken []job, next time.Time, err error) {
	room := q.room()
	if len(room) == 0 {
		return nil, time.Time{}, nil
	}
	var seen []job
	err = q.db.Read(ctx, func(tx *store.Tx) error {
		seen, next, err = due(ctx, tx, room, q.now(), limit)
		return err
	})
	var ids []string
	for _, j := range seen {
		ids = append(ids, j.ID)
	}
	if err != nil || len(ids) == 0 {
		return nil, next, err
	}
	until := q.now().Add(leaseTime)
	err = q.db.Write(ctx, func(tx *store.Tx) error {
		taken, err = take(ctx, tx, ids, q.lease, until)
		return err
	})
	if err != nil {
		return nil, next, err
	}
	q.mu.Lock()
	for _, j := range taken {
		q.running[j.Kind]++
	}
	q.mu.Unlock()
	return taken, next, nil
}

// room tells which kinds may start more jobs, and how many.
func (q *Queue) room() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := map[string]int{}
	for kind, h := range q.handlers {
		if free := h.Concurrency - q.running[kind]; free > 0 {
			room[kind] = free
		}
	}
	return room
}

func (q *Queue) perform(ctx context.Context, j job) {
	h := q.handlers[j.Kind]
	work, cancel := context.WithTimeout(ctx, h.Timeout)
	held := attempt{j.ID, j.Attempt}
	q.mu.Lock()
	q.held[held] = hold{j.Until, cancel}
	q.mu.Unlock()
	err := call(work, h, j)
	cancel()
	o := decide(err, j.Attempt, h.MaxAttempts, ctx.Err() != nil)
	switch {
	case o.dead:
		q.log.Error("a job is given up", "kind", j.Kind, "job", j.ID, "attempt", j.Attempt, "error", err)
	case o.count:
		q.log.Warn("a job will be tried again", "kind", j.Kind, "job", j.ID, "attempt", j.Attempt, "after", o.pause.Round(time.Second), "error", err)
	}
	// What became of it is written even while the server stops, and again while the database can't take it; if that
	// fails too, nobody holds its lease any more and it is done again.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	q.try(ending, "write what became of a job", func(ctx context.Context) error {
		return q.db.Write(ctx, func(tx *store.Tx) error {
			if j.Unique != "" {
				q.db.Notify(tx, channel) // a job of the same key may wait on any server
			}
			return settle(ctx, tx, j, q.lease, o, q.now())
		})
	})
	q.mu.Lock()
	delete(q.held, held)
	q.running[j.Kind]--
	q.mu.Unlock()
	select {
	case q.freed <- struct{}{}:
	default:
	}
}

func call(ctx context.Context, h *handler, j job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h.work(ctx, j.Args)
}

// try repeats a write that met another one of the same key, as PostgreSQL's servers can; within the time that ctx has for
// it, also one that the database could not take.
func (q *Queue) try(ctx context.Context, what string, fn func(context.Context) error) {
	_, bounded := ctx.Deadline()
	var err error
	for n := 0; ; n++ {
		err = fn(ctx)
		if !(fault.Is(err, fault.Conflict) && n < 2) && !(fault.Is(err, fault.Unavailable) && bounded) {
			break
		}
		select {
		case <-time.After(min(time.Second, 10*time.Millisecond<<n)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err != nil && (bounded || ctx.Err() == nil) {
		q.log.Error(what, "error", err)
	}
}

// keep holds the leases of what runs here, and gives back those of servers that are gone.
func (q *Queue) keep(ctx context.Context) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		q.try(ctx, "hold the leases of jobs", q.holdLeases)
		q.try(ctx, "take up the jobs of a killed server", func(ctx context.Context) error { return q.reclaim(ctx, q.now()) })
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// holdLeases extends the leases of what is in work here, and ends the attempts whose leases somebody else has or that may
// end before the next look: two attempts at one job never work at the same time.
func (q *Queue) holdLeases(ctx context.Context) error {
	q.mu.Lock()
	var ids []string
	for a := range q.held {
		ids = append(ids, a.job)
	}
	q.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	until, kept := q.now().Add(leaseTime), map[attempt]bool{}
	bounded, done := context.WithTimeout(ctx, heartbeat)
	defer done()
	err := q.db.Write(bounded, func(tx *store.Tx) (err error) {
		kept, err = extend(bounded, tx, q.lease, ids, until)
		return err
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	for a, h := range q.held {
		switch {
		case err == nil && kept[a]:
			q.held[a] = hold{until, h.cancel}
		case err == nil && !slices.Contains(ids, a.job): // begun meanwhile
		case err == nil || !q.now().Add(heartbeat).Before(h.until):
			h.cancel()
		}
	}
	return err
}

func (q *Queue) reclaim(ctx context.Context, before time.Time) error {
	var ended, old int64
	err := q.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM jobs WHERE state = 1 AND lease_until < $1), (SELECT COUNT(*) FROM jobs WHERE state = 2 AND run_at < $2)`,
			store.Micros(before), store.Micros(q.now().Add(-keepDead))).Scan(&ended, &old)
	})
	if err != nil || ended+old == 0 {
		return err
	}
	limits := map[string]int{}
	for kind, h := range q.handlers {
		limits[kind] = h.MaxAttempts
	}
	return q.db.Write(ctx, func(tx *store.Tx) error {
		n, err := reclaim(ctx, tx, before, limits)
		if err != nil {
			return err
		}
		if n > 0 {
			q.log.Info("jobs of a server that is gone are done again", "jobs", n)
			q.db.Notify(tx, channel)
		}
		return forget(ctx, tx, q.now().Add(-keepDead))
	})
}

// insertPeriodic inserts the periodic jobs that are due, and gives the time of the next one.
func (q *Queue) insertPeriodic(ctx context.Context) (next time.Time, err error) {
	for _, p := range q.periods {
		at, err := q.period(ctx, p)
		if err != nil {
			return time.Time{}, err
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next, nil
}

func (q *Queue) period(ctx context.Context, p period) (next time.Time, err error) {
	now := q.now()
	var at int64
	err = q.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT next_at FROM job_periods WHERE kind = $1`, p.kind).Scan(&at)
	})
	latest := now.Add(p.interval) // an interval that became shorter holds at once
	switch {
	case fault.Is(err, fault.NotFound):
	case err != nil:
		return time.Time{}, err
	case store.FromMicros(at).After(now) && !store.FromMicros(at).After(latest):
		return store.FromMicros(at), nil
	}
	err = q.db.Write(ctx, func(tx *store.Tx) error {
		// The row as it was seen: another server that was quicker has changed it, and then nothing is done.
		n, err := tx.Exec(ctx, `INSERT INTO job_periods (kind, next_at) VALUES ($1, $2)
ON CONFLICT (kind) DO UPDATE SET next_at = excluded.next_at WHERE job_periods.next_at = $3`, p.kind, store.Micros(latest), at)
		if err != nil || n == 0 {
			return err
		}
		return q.Insert(ctx, tx, p.kind, p.args, InsertOptions{Unique: "every"})
	})
	return latest, err
}
