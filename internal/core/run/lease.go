package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// LeaseTime is how long a worker holds a step without a heartbeat.
const LeaseTime = 30 * time.Second

// tokenTime bounds the life of a step's token; it dies with the step in any case.
const tokenTime = 12 * time.Hour

// blobLimit bounds one artifact of a step, in bytes.
const blobLimit = 2 << 30

// Archives gives the files of a repository at a commit as a tar stream; core/repository does.
type Archives interface {
	ArchiveAt(ctx context.Context, repository, commit, subpath string) (io.ReadCloser, error)
}

// Hub is the door of the workers: it gives the worker.Hub that leases this service's steps.
// The caller (the server, or the face of agents) has checked that the worker may serve the pool.
func (s *Service) Hub(archives Archives) worker.Hub { return &hub{Service: s, archives: archives} }

type hub struct {
	*Service
	archives Archives
	agent    *Agent // nil: the server's own worker, which serves each pool and may do with each lease
	asked    string // id of the lease that is to be given; "" for a new one
}

var _ worker.Hub = (*hub)(nil)

// Lease gives the next ready step of the pool and kind, waiting up to wait for one; nil when there was none.
func (h *hub) Lease(ctx context.Context, name, pool, kind string, wait time.Duration) (*worker.Lease, error) {
	all, err := h.Leases(ctx, name, pool, kind, 1, wait)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// Leases is Lease for at most so many steps, as they are ready.
func (h *hub) Leases(ctx context.Context, name, pool, kind string, most int, wait time.Duration) ([]worker.Lease, error) {
	if h.asked != "" {
		most = 1
	}
	wake, stop := h.DB.Listen(channelReady)
	defer stop()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		leases, busy, err := h.tryLease(ctx, name, pool, kind, most)
		if err != nil || len(leases) > 0 {
			return leases, err
		}
		var soon <-chan time.Time
		if busy {
			soon = time.After(busyWait)
		}
		select {
		case <-wake:
		case <-soon:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// busyWait is how long a worker waits for a step whose run somebody else is changing: its end is told to nobody.
const busyWait = 25 * time.Millisecond

// tryLease reads first, so that idle workers never take the writer. busy tells that a step is ready that could not be
// taken just now.
func (h *hub) tryLease(ctx context.Context, name, pool, kind string, most int) (leases []worker.Lease, busy bool, err error) {
	found := ""
	err = h.DB.Read(ctx, func(tx *store.Tx) (err error) {
		found, err = optional(tx.QueryRow(ctx, "SELECT id FROM run_steps WHERE state = 'ready' AND pool = $1 AND kind = $2 LIMIT 1", pool, kind))
		if err != nil || found == "" {
			return err
		}
		if admitted, err := h.admits(ctx, tx); err != nil || !admitted {
			found = ""
			return err
		}
		return nil
	})
	if err != nil || found == "" {
		return nil, false, err
	}
	var broken *brokenStep
	err = h.DB.Write(store.Ahead(ctx), func(tx *store.Tx) (err error) {
		leases = nil
		if admitted, err := h.admits(ctx, tx); err != nil || !admitted {
			return err
		}
		leases, err = h.lease(ctx, tx, name, pool, kind, most)
		return err
	})
	if errors.As(err, &broken) && broken.before > 0 && broken.before < most { // those before it are not kept waiting
		return h.tryLease(ctx, name, pool, kind, broken.before)
	}
	if errors.As(err, &broken) { // it can't be handed out, for a reason that its run must show
		h.Deps.Log.WarnContext(ctx, "a step can't be handed to a worker", "run", broken.run, "step", broken.step, "error", broken.err)
		return nil, true, h.fail(ctx, broken)
	}
	if err != nil {
		return nil, false, err
	}
	return leases, len(leases) == 0, nil
}

// brokenStep is a step that can't be handed to a worker, such as one whose secret is gone. It ends as failed, or it
// would be the first in its pool for ever.
type brokenStep struct {
	run, step string
	err       error
	before    int // steps that could be handed out before it
}

// breaks makes an error that is a step's own a brokenStep; what may be otherwise in a moment stays as it is.
func breaks(step *Step, err error) error {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Exhausted, fault.Canceled:
		return err
	}
	return &brokenStep{run: step.Run, step: step.ID, err: err}
}

func (b *brokenStep) Error() string { return fault.Message(b.err) }
func (b *brokenStep) Unwrap() error { return b.err }

func (s *Service) fail(ctx context.Context, b *brokenStep) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		return s.Change(ctx, tx, b.run, func(v *View) error {
			for _, step := range v.Steps {
				if step.ID == b.step {
					v.End(step, StepFailed, b.Error())
				}
			}
			return nil
		})
	})
}

// lease leases steps in one transaction, in their order.
func (h *hub) lease(ctx context.Context, tx *store.Tx, name, pool, kind string, most int) (all []worker.Lease, err error) {
	lock := ""
	if tx.Dialect() == store.Postgres {
		lock = " FOR UPDATE OF r SKIP LOCKED"
	}
	rows, err := tx.Query(ctx, `SELECT s.id, s.run FROM run_steps s JOIN runs r ON r.id = s.run
 WHERE s.state = 'ready' AND s.pool = $1 AND s.kind = $2 ORDER BY s.priority, s.ready, s.id LIMIT $3`+lock, pool, kind, most)
	type ready struct{ id, run string }
	steps, err := store.Collect(rows, err, func(row store.Row) (s ready, err error) { return s, row.Scan(&s.id, &s.run) })
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		l, err := h.leaseStep(ctx, tx, name, s.run, s.id)
		var broken *brokenStep
		if errors.As(err, &broken) {
			broken.before = len(all)
		}
		if err != nil {
			return nil, err
		}
		if l != nil {
			all = append(all, *l)
		}
	}
	return all, nil
}

// leaseStep leases a step; nil for one that is not ready any more, because another worker was quicker.
func (h *hub) leaseStep(ctx context.Context, tx *store.Tx, name, run, id string) (l *worker.Lease, err error) {
	return l, h.Change(ctx, tx, run, func(v *View) error {
		i := slices.IndexFunc(v.Steps, func(s *Step) bool { return s.ID == id && s.State == StepReady })
		if i < 0 {
			return nil
		}
		step := v.Steps[i]
		if err := h.serves(ctx, tx, v.Run.Space); fault.Is(err, fault.Denied) {
			return breaks(step, err)
		} else if err != nil {
			return err
		}
		given := *step // whose job is not hidden
		if l, err = h.fill(ctx, tx, &given, v.Run.Space, cmp.Or(h.asked, ref.NewID(ref.Lease, v.Now)), v.Now); err != nil {
			return err
		}
		step.State, step.lease, step.LeaseExpires, step.Worker, step.Started = StepLeased, l.ID, l.Expires, name, v.Now
		v.touch(step)
		if v.Run.Started.IsZero() {
			v.Run.Started = v.Now
		}
		return nil
	})
}

// fill gives a lease with all that its step needs.
func (h *hub) fill(ctx context.Context, tx *store.Tx, step *Step, space, id string, now time.Time) (l *worker.Lease, err error) {
	if step.Job, err = h.jobOf(step); err != nil {
		return nil, breaks(step, err)
	}
	l = &worker.Lease{
		ID: id, Step: step.ID, Run: step.Run, Space: space, Attempt: step.Attempt, Job: step.Job,
		Expires: now.Add(LeaseTime), LogStream: step.LogStream(), Last: step.Attempt >= step.MaxAttempts,
	}
	if h.agent != nil {
		if err := h.agent.Fits(ctx, tx, &l.Job); err != nil {
			return nil, breaks(step, err)
		}
	}
	if l.Secrets, err = h.secrets(ctx, tx, space, step.Job.SecretRefs()); err != nil {
		return nil, breaks(step, err)
	}
	if l.Job.Masks, err = h.masks(ctx, tx, space, step.Job); err != nil {
		return nil, breaks(step, err)
	}
	if step.Job.Door {
		l.Token, err = h.Tokens.Workload(ctx, tx, step.Run, step.ID, space, step.Job.Scopes, tokenTime)
		if err != nil {
			return nil, breaks(step, fault.Wrap(err, "make a token for the step"))
		}
	}
	if l.IDToken, err = h.idToken(ctx, tx, space, step); err != nil {
		return nil, breaks(step, err)
	}
	return l, nil
}

// idToken makes what a step shows a cloud, if its job asks for that.
func (s *Service) idToken(ctx context.Context, tx *store.Tx, space string, step *Step) (string, error) {
	if step.Job.IDToken == nil {
		return "", nil
	}
	if s.IDs == nil {
		return "", fault.Errorf(fault.Invalid, "this server gives steps no OIDC tokens")
	}
	token, err := s.IDs.IDToken(ctx, tx, step.Run, step.ID, space, *step.Job.IDToken)
	return token, fault.Wrap(err, "make an OIDC token for the step")
}

func (s *Service) secrets(ctx context.Context, tx *store.Tx, space string, refs []string) (map[string]string, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	return s.Secrets.Hand(ctx, tx, space, refs)
}

// masks gives what a job hides besides its own secrets. A secret that is gone has nothing to be hidden.
func (s *Service) masks(ctx context.Context, tx *store.Tx, space string, job worker.Job) ([]string, error) {
	masks := slices.Clip(job.Masks)
	for _, r := range job.MaskRefs {
		values, err := s.Secrets.Hand(ctx, tx, space, []string{r})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		for _, value := range values {
			masks = append(masks, value)
		}
	}
	return masks, nil
}

// Heartbeat renews a lease; canceled tells the worker to stop the step. NotFound when the lease is lost.
func (h *hub) Heartbeat(ctx context.Context, leaseID string) (canceled bool, err error) {
	err = h.DB.Write(ctx, func(tx *store.Tx) error {
		mine, args := h.mine(leaseID, store.Micros(h.Now().Add(LeaseTime)))
		n, err := tx.Exec(ctx, "UPDATE run_steps SET lease_expires=$2 WHERE lease=$1 AND state='leased'"+mine, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return lost(leaseID)
		}
		var flag int
		err = tx.QueryRow(ctx, "SELECT cancel_requested FROM run_steps WHERE lease=$1", leaseID).Scan(&flag)
		canceled = flag == 1
		return err
	})
	return canceled, err
}

// AwaitCancel returns nil once the leased step is to be canceled. A notice that is lost is made good by the heartbeats.
func (h *hub) AwaitCancel(ctx context.Context, leaseID string) error {
	wake, stop := h.DB.Listen(channelStop)
	defer stop()
	for {
		_, canceled, err := h.heldAs(ctx, leaseID)
		if err != nil || canceled {
			return err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func lost(leaseID string) error {
	return fault.Errorf(fault.NotFound, "lease %s is lost: the step was given to another worker or has ended", leaseID)
}

func (h *hub) held(ctx context.Context, leaseID string) (step *Step, err error) {
	err = h.DB.Read(ctx, func(tx *store.Tx) error {
		mine, args := h.mine(leaseID)
		step, err = scanStep(tx.QueryRow(ctx, "SELECT "+stepColumns+" FROM run_steps s WHERE s.lease=$1 AND s.state='leased'"+mine, args...))
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil, lost(leaseID)
	}
	return step, err
}

// heldAs is held for what is asked for many times a second: the log of the leased attempt, and whether it is to be canceled.
func (h *hub) heldAs(ctx context.Context, leaseID string) (stream string, canceled bool, err error) {
	var step Step
	cancel := 0
	err = h.DB.Read(ctx, func(tx *store.Tx) error {
		mine, args := h.mine(leaseID)
		return tx.QueryRow(ctx, "SELECT run, id, attempt, cancel_requested FROM run_steps WHERE lease=$1 AND state='leased'"+mine, args...).
			Scan(&step.Run, &step.ID, &step.Attempt, &cancel)
	})
	if fault.Is(err, fault.NotFound) {
		return "", false, lost(leaseID)
	}
	return step.LogStream(), cancel == 1, err
}

// Log appends to the log of the leased attempt. It is idempotent at an offset.
func (h *hub) Log(ctx context.Context, leaseID string, offset int64, p []byte) error {
	stream, _, err := h.heldAs(ctx, leaseID)
	if err != nil {
		return err
	}
	_, err = h.Blob.Append(ctx, stream, offset, p)
	return err
}

// Report ends the leased step. Reporting the same lease again is taken as done.
func (h *hub) Report(ctx context.Context, leaseID string, result worker.Result) error {
	stream := ""
	err := h.DB.Write(ctx, func(tx *store.Tx) error {
		stream = ""
		mine, args := h.mine(leaseID)
		step, err := scanStep(tx.QueryRow(ctx, "SELECT "+stepColumns+" FROM run_steps s WHERE s.lease=$1"+mine, args...))
		if fault.Is(err, fault.NotFound) {
			return lost(leaseID)
		}
		if err != nil {
			return err
		}
		if step.State.Done() { // told before; perhaps its log could not be sealed
			stream = step.LogStream()
		}
		if step.State != StepLeased {
			return nil
		}
		return h.Change(ctx, tx, step.Run, func(v *View) error {
			for _, p := range v.Steps {
				if p.ID != step.ID || p.lease != leaseID {
					continue
				}
				stream = p.LogStream()
				if p.State == StepLeased {
					finish(v, p, result)
					if err := h.named(ctx, tx, p.ID, result); err != nil {
						return err
					}
				}
				return h.Tokens.EndWorkload(ctx, tx, step.ID)
			}
			return lost(leaseID) // meanwhile
		})
	})
	return h.sealed(ctx, stream, err)
}

// finish sets what a worker reports. The lease stays with the step, so that a repeated report finds it.
func finish(v *View, s *Step, result worker.Result) {
	v.logs = append(v.logs, s.LogStream())
	result.Message, result.Reason = plain(result.Message), clip(plain(result.Reason), 100)
	s.Result, s.sealedResult, s.Ended = result, nil, v.Now
	switch {
	case result.Reason == "canceled":
		s.State, s.Reason = StepCanceled, "canceled"
	case result.Reason == "" && result.ExitCode == 0:
		s.State, s.Reason = StepSucceeded, clip(result.Message, 4000)
	case s.Job.Kind == worker.KindPlatform && result.Message != "":
		s.State, s.Reason = StepFailed, clip(result.Message, 4000)
	default:
		s.State, s.Reason = StepFailed, failure(result)
	}
	v.touch(s)
}

// plain gives text that every database takes.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func failure(r worker.Result) string {
	var parts []string
	switch r.Reason {
	case "":
		parts = append(parts, fmt.Sprintf("exit code %d", r.ExitCode))
	case "time":
		parts = append(parts, "ended at its time limit")
	case "memory":
		parts = append(parts, "ended at its memory limit")
	case "output":
		parts = append(parts, "ended at its output limit")
	default:
		parts = append(parts, r.Reason)
	}
	if r.Message != "" {
		parts = append(parts, clip(r.Message, 4000))
	}
	return strings.Join(parts, ": ")
}

func (h *hub) PutBlob(ctx context.Context, leaseID string, r io.Reader) (string, int64, error) {
	step, err := h.held(ctx, leaseID)
	if err != nil {
		return "", 0, err
	}
	job, err := h.jobOf(step)
	if err != nil {
		return "", 0, err
	}
	if !job.Sealed {
		return h.keep(ctx, step.ID, r)
	}
	plain := &counted{Reader: r}
	sealed := h.Seal.Sealing(plain)
	defer sealed.Close()
	digest, _, err := h.keep(ctx, step.ID, sealed)
	if err != nil {
		return "", 0, err
	}
	return digest, plain.n, nil
}

// keep puts an artifact of a step; of an agent's it is noted, so that it goes when the step does not name it in the end.
func (h *hub) keep(ctx context.Context, step string, r io.Reader) (digest string, size int64, err error) {
	if h.agent == nil {
		return h.Blob.Put(ctx, r, blobLimit)
	}
	return h.put(ctx, step, r)
}

// counted counts what is read through it, in bytes.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// GetBlob gives a blob that the leased job names; any other is NotFound, so that a worker reads no more than its step may.
func (h *hub) GetBlob(ctx context.Context, leaseID, digest string) (io.ReadCloser, error) {
	step, err := h.held(ctx, leaseID)
	if err != nil {
		return nil, err
	}
	job, err := h.jobOf(step)
	if err != nil {
		return nil, err
	}
	there, sealed := names(job, digest)
	if !there {
		return nil, fault.Errorf(fault.NotFound, "step %s names no blob %s", step.ID, digest)
	}
	r, _, err := h.Blob.Open(ctx, digest)
	if err != nil || !sealed {
		return r, err
	}
	plain, err := h.Seal.Opening(r)
	if err != nil {
		r.Close()
		return nil, err
	}
	return opened{plain, r}, nil
}

// opened is what a sealed blob holds.
type opened struct {
	io.Reader
	io.Closer
}

// names tells whether a job may read a blob, and whether the blob is sealed.
func names(j worker.Job, digest string) (there, sealed bool) {
	for _, f := range j.Files {
		if f.Blob == digest {
			return true, f.Sealed
		}
	}
	for _, s := range j.Sources {
		if s.Blob == digest {
			return true, s.Sealed
		}
	}
	return false, false
}

// Archive gives the files of a source that the leased job names.
func (h *hub) Archive(ctx context.Context, leaseID, repository, commit, subpath string) (io.ReadCloser, error) {
	step, err := h.held(ctx, leaseID)
	if err != nil {
		return nil, err
	}
	job, err := h.jobOf(step)
	if err != nil {
		return nil, err
	}
	for _, src := range job.Sources {
		if src.Repository == repository && src.Commit == commit && src.Subpath == subpath {
			return h.archives.ArchiveAt(ctx, repository, commit, subpath)
		}
	}
	return nil, fault.Errorf(fault.NotFound, "step %s names no source %s at %s", step.ID, repository, commit)
}
