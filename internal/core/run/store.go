package run

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "run", FS: files}
}

const runColumns = `id, kind, space, subject, refs, title, state, reason, terminal, waiting, actor, cause, repository,
 commit_id, ref, input, output, lock_name, COALESCE(run_key, ''), priority, version, cancel_requested, warnings,
 created, started, ended, updated, wake`

func scanRun(row store.Row) (Run, error) {
	var r Run
	var refs, input, output, warnings string
	var terminal, waiting, cancel int
	var created, started, ended, updated, wake int64
	err := row.Scan(&r.ID, &r.Kind, &r.Space, &r.Subject, &refs, &r.Title, &r.State, &r.Reason, &terminal, &waiting,
		&r.Actor, &r.Cause, &r.Source.Repository, &r.Source.Commit, &r.Source.Ref, &input, &output, &r.Lock, &r.Key,
		&r.Priority, &r.Version, &cancel, &warnings, &created, &started, &ended, &updated, &wake)
	if err != nil {
		return Run{}, err
	}
	r.Terminal, r.Waiting, r.CancelRequested = terminal == 1, waiting == 1, cancel == 1
	r.Created, r.Started, r.Ended = store.FromMicros(created), store.FromMicros(started), store.FromMicros(ended)
	r.Updated, r.Wake = store.FromMicros(updated), store.FromMicros(wake)
	r.Input, r.Output = raw(input), raw(output)
	if err := decode(refs, &r.Refs); err != nil {
		return Run{}, err
	}
	return r, decode(warnings, &r.Warnings)
}

func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

func decode(s string, into any) error {
	if s == "" || s == "null" {
		return nil
	}
	return json.Unmarshal([]byte(s), into)
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func getRun(ctx context.Context, tx *store.Tx, id string, lock string) (Run, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+runColumns+" FROM runs WHERE id = $1"+lock, id), scanRun, "run %s", id)
}

// insertRun writes a run, unless one with its key exists, also one that another transaction is just writing; it gives the
// id of the run that is there then.
func insertRun(ctx context.Context, tx *store.Tx, r Run, t Traits, waitsLock int) (id string, err error) {
	refs, err := encode(r.Refs)
	if err != nil {
		return "", err
	}
	var key any
	if r.Key != "" {
		key = r.Key
	}
	n, err := tx.Exec(ctx, `INSERT INTO runs (id, kind, space, subject, refs, title, state, reason, terminal, waiting, actor,
 cause, repository, commit_id, ref, input, output, lock_name, waits_lock, run_key, priority, version, cancel_requested,
 warnings, created, started, ended, updated, wake, marks, words)
 VALUES ($1,$2,$3,$4,$5,$6,$7,'',0,0,$8,$9,$10,$11,$12,$13,'',$14,$15,$16,$17,1,0,'',$18,0,0,$18,0,$19,$20)
 ON CONFLICT (run_key) WHERE run_key IS NOT NULL DO NOTHING`,
		r.ID, r.Kind, r.Space, r.Subject, refs, r.Title, r.State, r.Actor, r.Cause, r.Source.Repository, r.Source.Commit,
		r.Source.Ref, string(r.Input), r.Lock, waitsLock, key, r.Priority, store.Micros(r.Created), t.marks(), t.words())
	if err != nil || n > 0 {
		return r.ID, err
	}
	err = tx.QueryRow(ctx, "SELECT id FROM runs WHERE run_key = $1", r.Key).Scan(&id)
	return id, err
}

func updateRun(ctx context.Context, tx *store.Tx, r *Run, t Traits, waitsLock int) error {
	warnings, err := encode(r.Warnings)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE runs SET title=$2, state=$3, reason=$4, terminal=$5, waiting=$6, output=$7, waits_lock=$8,
 priority=$9, version=$10, cancel_requested=$11, warnings=$12, started=$13, ended=$14, updated=$15, wake=$16,
 marks=$17, words=$18 WHERE id=$1`,
		r.ID, r.Title, r.State, r.Reason, flag(r.Terminal), flag(r.Waiting), string(r.Output), waitsLock,
		r.Priority, r.Version, flag(r.CancelRequested), warnings, store.Micros(r.Started), store.Micros(r.Ended),
		store.Micros(r.Updated), store.Micros(r.Wake), t.marks(), t.words())
	return err
}

const stepColumns = `s.id, s.run, s.key, s.title, s.state, s.reason, s.attempt, s.max_attempts, s.pool, s.job, s.result,
 s.position, s.step_group, s.data, s.ready, s.started, s.ended, COALESCE(s.lease, ''), s.lease_expires, s.cancel_requested, s.worker`

func scanStep(row store.Row) (*Step, error) {
	var s Step
	var job, result, data string
	var ready, started, ended, expires int64
	var cancel int
	err := row.Scan(&s.ID, &s.Run, &s.Key, &s.Title, &s.State, &s.Reason, &s.Attempt, &s.MaxAttempts, &s.Pool, &job,
		&result, &s.Position, &s.Group, &data, &ready, &started, &ended, &s.lease, &expires, &cancel, &s.Worker)
	if err != nil {
		return nil, err
	}
	s.Ready, s.Started, s.Ended = store.FromMicros(ready), store.FromMicros(started), store.FromMicros(ended)
	s.LeaseExpires, s.cancelRequest, s.Data = store.FromMicros(expires), cancel == 1, raw(data)
	var j storedJob
	if err := decode(job, &j); err != nil {
		return nil, fmt.Errorf("step %s: read job: %w", s.ID, err)
	}
	var r storedResult
	if err := decode(result, &r); err != nil {
		return nil, fmt.Errorf("step %s: read result: %w", s.ID, err)
	}
	s.Job, s.sealedJob, s.Result, s.sealedResult = j.Job, j.Whole, r.Result, r.Given
	return &s, nil
}

func getSteps(ctx context.Context, tx *store.Tx, run string) ([]*Step, error) {
	rows, err := tx.Query(ctx, "SELECT "+stepColumns+" FROM run_steps s WHERE s.run = $1 ORDER BY s.position, s.id", run)
	return store.Collect(rows, err, scanStep)
}

func saveStep(ctx context.Context, tx *store.Tx, s *Step, priority int) error {
	result, err := encode(storedResult{s.Result, s.sealedResult})
	if err != nil {
		return err
	}
	var lease any
	if s.lease != "" {
		lease = s.lease
	}
	if !s.fresh { // a lease that stays was perhaps renewed meanwhile: heartbeats take no run's row
		_, err = tx.Exec(ctx, `UPDATE run_steps SET state=$2, reason=$3, attempt=$4, max_attempts=$5, result=$6, data=$7, ready=$8,
 started=$9, ended=$10, lease=$11, lease_expires=CASE WHEN lease=$11 THEN lease_expires ELSE $12 END, cancel_requested=$13, worker=$14
 WHERE id=$1`,
			s.ID, string(s.State), s.Reason, s.Attempt, s.MaxAttempts, result, string(s.Data), store.Micros(s.Ready),
			store.Micros(s.Started), store.Micros(s.Ended), lease, store.Micros(s.LeaseExpires), flag(s.cancelRequest), s.Worker)
		return err
	}
	stored := storedJob{Job: s.Job}
	if s.sealedJob != nil {
		stored = storedJob{shownJob(s.Job), s.sealedJob}
	}
	job, err := encode(stored)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO run_steps (id, run, key, title, state, reason, attempt, max_attempts, pool, priority, job,
 result, position, step_group, data, ready, started, ended, lease, lease_expires, cancel_requested, worker, kind)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,NULL,0,0,'',$19)`,
		s.ID, s.Run, s.Key, s.Title, string(s.State), s.Reason, s.Attempt, s.MaxAttempts, s.Pool, -priority, job, result,
		s.Position, s.Group, string(s.Data), store.Micros(s.Ready), store.Micros(s.Started), store.Micros(s.Ended), s.Job.Kind)
	return err
}

func getReviews(ctx context.Context, tx *store.Tx, run string) ([]Review, error) {
	rows, err := tx.Query(ctx, "SELECT "+reviewColumns+" FROM run_reviews WHERE run = $1 ORDER BY id", run)
	return store.Collect(rows, err, scanReview)
}

const reviewColumns = "id, run, actor, verdict, note, state, created"

func scanReview(row store.Row) (r Review, err error) {
	var created int64
	err = row.Scan(&r.ID, &r.Run, &r.Actor, &r.Verdict, &r.Note, &r.State, &created)
	r.Time = store.FromMicros(created)
	return r, err
}

// takeLock gives the run its lock when it is free and no other waiting run goes before.
func takeLock(ctx context.Context, tx *store.Tx, r *Run, now time.Time) (bool, error) {
	// A run that is just letting go of the lock has looked for who waits, and would not see this one.
	holder, err := optional(tx.QueryRow(ctx, "SELECT run FROM run_locks WHERE name = $1"+tx.ForUpdate(), r.Lock))
	if err != nil || holder != "" {
		return holder == r.ID, err
	}
	first, err := firstWaiter(ctx, tx, r.Lock)
	if err != nil || (first != "" && first != r.ID) {
		return false, err
	}
	n, err := tx.Exec(ctx, "INSERT INTO run_locks (name, run, taken) VALUES ($1,$2,$3) ON CONFLICT (name) DO NOTHING",
		r.Lock, r.ID, store.Micros(now))
	return n == 1, err
}

func lockHolder(ctx context.Context, tx *store.Tx, name string) (string, error) {
	return optional(tx.QueryRow(ctx, "SELECT run FROM run_locks WHERE name = $1", name))
}

func firstWaiter(ctx context.Context, tx *store.Tx, name string) (string, error) {
	return optional(tx.QueryRow(ctx, `SELECT id FROM runs WHERE lock_name = $1 AND waits_lock > 0
 ORDER BY priority DESC, id LIMIT 1`, name))
}

// dropLock frees the run's lock and wakes the next run that waits for it.
func dropLock(ctx context.Context, tx *store.Tx, r *Run, now time.Time) error {
	return freeLock(ctx, tx, r.Lock, r.ID, now)
}

func freeLock(ctx context.Context, tx *store.Tx, name, holder string, now time.Time) error {
	n, err := tx.Exec(ctx, "DELETE FROM run_locks WHERE name = $1 AND run = $2", name, holder)
	if err != nil || n == 0 {
		return err
	}
	return wakeWaiter(ctx, tx, name, now)
}

// wakeFirst wakes the run that goes first among those that wait for a lock, if nobody holds that.
func wakeFirst(ctx context.Context, tx *store.Tx, name string, now time.Time) error {
	holder, err := lockHolder(ctx, tx, name)
	if err != nil || holder != "" {
		return err
	}
	return wakeWaiter(ctx, tx, name, now)
}

func wakeWaiter(ctx context.Context, tx *store.Tx, name string, now time.Time) error {
	next, err := firstWaiter(ctx, tx, name)
	if err != nil || next == "" {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE runs SET wake = $2 WHERE id = $1", next, store.Micros(now))
	return err
}
