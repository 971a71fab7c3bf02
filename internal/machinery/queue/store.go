package queue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

type job struct {
	ID, Kind, Unique string
	Args             []byte
	RunAt, Until     time.Time // Until is the end of its lease
	Attempt          int
}

// insert brings a waiting job of the same key forward instead of adding a second one.
func insert(ctx context.Context, tx *store.Tx, j job, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO jobs (id, kind, unique_key, args, state, run_at, created) VALUES ($1, $2, $3, $4, 0, $5, $6)
ON CONFLICT (kind, unique_key) WHERE state = 0 AND unique_key <> ''
DO UPDATE SET run_at = CASE WHEN excluded.run_at < jobs.run_at THEN excluded.run_at ELSE jobs.run_at END`,
		j.ID, j.Kind, j.Unique, string(j.Args), store.Micros(j.RunAt), store.Micros(now))
	return err
}

// waiting gives the kinds of jobs that wait, and when the first of each may start. It goes from kind to kind, however many
// jobs there are of each.
func waiting(ctx context.Context, tx *store.Tx) (first map[string]int64, err error) {
	rows, err := tx.Query(ctx, `WITH RECURSIVE kinds (kind) AS (
  SELECT MIN(kind) FROM jobs WHERE state = 0
  UNION ALL
  SELECT (SELECT MIN(j.kind) FROM jobs j WHERE j.state = 0 AND j.kind > kinds.kind) FROM kinds WHERE kinds.kind IS NOT NULL)
SELECT kind, (SELECT MIN(j.run_at) FROM jobs j WHERE j.state = 0 AND j.kind = kinds.kind) FROM kinds WHERE kind IS NOT NULL`)
	first = map[string]int64{}
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var kind string
		var at int64
		err := r.Scan(&kind, &at)
		first[kind] = at
		return struct{}{}, err
	})
	return first, err
}

// due gives ids of jobs that may start now, oldest first, of each kind as many as there is room for, and when the next one
// may.
func due(ctx context.Context, tx *store.Tx, room map[string]int, now time.Time, limit int) (ids []job, next time.Time, err error) {
	first, err := waiting(ctx, tx)
	if err != nil {
		return nil, time.Time{}, err
	}
	type waits struct {
		job
		at int64
	}
	var all []waits
	soonest := int64(0)
	later := func(at int64) {
		if at > 0 && (soonest == 0 || at < soonest) {
			soonest = at
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(first)) {
		most := min(room[kind], limit)
		if most <= 0 {
			continue
		}
		if first[kind] > store.Micros(now) {
			later(first[kind])
			continue
		}
		// A job whose key is running waits for its end, which wakes the loop.
		rows, err := tx.Query(ctx, `SELECT id, run_at FROM jobs WHERE state = 0 AND run_at <= $1 AND kind = $2
AND NOT EXISTS (SELECT 1 FROM jobs r WHERE jobs.unique_key <> '' AND r.state = 1 AND r.kind = jobs.kind AND r.unique_key = jobs.unique_key)
ORDER BY run_at, id LIMIT $3`, now, kind, most)
		some, err := store.Collect(rows, err, func(r store.Row) (w waits, err error) {
			w.Kind = kind
			return w, r.Scan(&w.ID, &w.at)
		})
		if err != nil {
			return nil, time.Time{}, err
		}
		all = append(all, some...)
		var at int64
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MIN(run_at), 0) FROM jobs WHERE state = 0 AND run_at > $1 AND kind = $2`, now, kind).Scan(&at); err != nil {
			return nil, time.Time{}, err
		}
		later(at)
	}
	slices.SortFunc(all, func(a, b waits) int { return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.ID, b.ID)) })
	for _, w := range all[:min(limit, len(all))] {
		ids = append(ids, w.job)
	}
	return ids, store.FromMicros(soonest), nil
}

// take leases those of the jobs that nobody else has taken since they were seen.
func take(ctx context.Context, tx *store.Tx, ids []string, lease string, until time.Time) ([]job, error) {
	in, args := list(3, ids)
	rows, err := tx.Query(ctx, `UPDATE jobs SET state = 1, attempt = attempt + 1, lease = $1, lease_until = $2
WHERE id IN (SELECT id FROM jobs WHERE state = 0 AND id IN (`+in+`)`+tx.SkipLocked()+`) RETURNING id, kind, unique_key, args, attempt`,
		append([]any{lease, store.Micros(until)}, args...)...)
	return store.Collect(rows, err, func(r store.Row) (j job, err error) {
		var args string
		err = r.Scan(&j.ID, &j.Kind, &j.Unique, &args, &j.Attempt)
		j.Args, j.Until = []byte(args), until
		return j, err
	})
}

// settle writes what became of a job, if its lease still holds.
func settle(ctx context.Context, tx *store.Tx, j job, lease string, o outcome, now time.Time) error {
	const held = ` WHERE id = $1 AND lease = $2 AND attempt = $3 AND state = 1`
	attempt := j.Attempt
	if !o.count {
		attempt--
	}
	switch {
	case o.done:
		_, err := tx.Exec(ctx, `DELETE FROM jobs`+held, j.ID, lease, j.Attempt)
		return err
	case o.dead:
		_, err := tx.Exec(ctx, `UPDATE jobs SET state = 2, error = $4, run_at = $5`+held, j.ID, lease, j.Attempt, clip(o.err), store.Micros(now))
		return err
	}
	// One of the same key that waits already does the same.
	if _, err := tx.Exec(ctx, `DELETE FROM jobs`+held+` AND `+superseded, j.ID, lease, j.Attempt); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE jobs SET state = 0, lease = '', attempt = $4, error = $5, run_at = $6`+held,
		j.ID, lease, j.Attempt, attempt, clip(o.err), store.Micros(now.Add(o.pause)))
	return err
}

const superseded = `unique_key <> '' AND EXISTS (SELECT 1 FROM jobs w WHERE w.state = 0 AND w.kind = jobs.kind AND w.unique_key = jobs.unique_key)`

// reclaim gives back the jobs whose lease ends before a time: those of a killed server. limits are the attempts
// that each kind has.
func reclaim(ctx context.Context, tx *store.Tx, before time.Time, limits map[string]int) (int64, error) {
	const ended = `state = 1 AND lease_until < $1`
	at := store.Micros(before)
	if _, err := tx.Exec(ctx, `DELETE FROM jobs WHERE `+ended+` AND `+superseded, at); err != nil {
		return 0, err
	}
	for kind, limit := range limits {
		_, err := tx.Exec(ctx, `UPDATE jobs SET state = 2, run_at = lease_until, error = 'each server that tried it was killed' WHERE `+ended+` AND kind = $2 AND attempt >= $3`, at, kind, limit)
		if err != nil {
			return 0, err
		}
	}
	return tx.Exec(ctx, `UPDATE jobs SET state = 0, lease = '' WHERE `+ended, at)
}

// forsake ends the leases of a server's earlier lives; lease is its present one.
func forsake(ctx context.Context, tx *store.Tx, server, lease string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE jobs SET lease_until = $1 WHERE state = 1 AND lease <> $2 AND substr(lease, 1, length($3)) = $3`,
		store.Micros(now)-1, lease, server+"/")
	return err
}

// extend gives those of the jobs that the lease still holds.
func extend(ctx context.Context, tx *store.Tx, lease string, ids []string, until time.Time) (map[attempt]bool, error) {
	in, args := list(3, ids)
	rows, err := tx.Query(ctx, `UPDATE jobs SET lease_until = $2 WHERE state = 1 AND lease = $1 AND id IN (`+in+`) RETURNING id, attempt`,
		append([]any{lease, store.Micros(until)}, args...)...)
	kept := map[attempt]bool{}
	_, err = store.Collect(rows, err, func(r store.Row) (a attempt, err error) {
		err = r.Scan(&a.job, &a.number)
		kept[a] = true
		return a, err
	})
	return kept, err
}

func forget(ctx context.Context, tx *store.Tx, before time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM jobs WHERE state = 2 AND run_at < $1`, store.Micros(before))
	return err
}

// Counts tell how many jobs there are, for metrics and doctor.
type Counts struct{ Waiting, Running, Dead int64 }

// Count counts the jobs.
func Count(ctx context.Context, tx *store.Tx) (c Counts, err error) {
	err = tx.QueryRow(ctx, `SELECT COALESCE(SUM(CASE state WHEN 0 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE state WHEN 1 THEN 1 ELSE 0 END), 0),
COALESCE(SUM(CASE state WHEN 2 THEN 1 ELSE 0 END), 0) FROM jobs`).Scan(&c.Waiting, &c.Running, &c.Dead)
	return c, err
}

// list gives placeholders from $first on, and the arguments for them.
func list(first int, values []string) (string, []any) {
	var b strings.Builder
	args := make([]any, len(values))
	for i, value := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
		args[i] = value
	}
	return b.String(), args
}

func clip(text string) string {
	const most = 2000
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return strings.ReplaceAll(text, "\x00", "")
}
