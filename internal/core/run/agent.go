package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Agent is a worker outside of the server. It is given steps of its pool alone, and may do something with those leases
// alone that it holds.
type Agent struct {
	Worker string // as steps name it; it holds a slash, which the name of no server does
	Pool   string
	// Serves tells, in the transaction of a lease, whether steps of a space may be given to the pool.
	Serves func(ctx context.Context, tx *store.Tx, space string) (bool, error)
	// Admits tells, in the transaction of a lease, whether the agent is to be given anything now.
	Admits func(ctx context.Context, tx *store.Tx) (bool, error)
	// Fits holds a job that is given out to what the server and the pool say of images. Denied, with words for the run, for
	// one that may not run there.
	Fits func(ctx context.Context, tx *store.Tx, job *worker.Job) error
}

// AgentHub is what an agent elsewhere works by.
type AgentHub struct{ hub }

// AgentHub gives the hub of an agent whose token was looked at.
func (s *Service) AgentHub(archives Archives, a Agent) *AgentHub {
	return &AgentHub{hub{Service: s, archives: archives, agent: &a}}
}

// LeaseAs is Lease with an id that the agent has chosen: to ask again with it, since the answer was lost, gives the same
// step again, as long as the lease holds.
func (h *AgentHub) LeaseAs(ctx context.Context, id string, wait time.Duration) (*worker.Lease, error) {
	if !ref.IsID(id, ref.Lease) {
		return nil, fault.Errorf(fault.Invalid, "%.64q is not the id of a lease", id)
	}
	ctx = actor.AsSystem(ctx)
	asked := h.hub
	asked.asked = id
	l, err := asked.again(ctx)
	if err != nil || l != nil {
		return l, err
	}
	l, err = asked.Lease(ctx, h.agent.Worker, h.agent.Pool, worker.KindCommand, wait)
	if ctx.Err() != nil { // nobody hears the answer, and the step may have been given all the same
		if err := h.Return(context.WithoutCancel(ctx), id); err != nil {
			return nil, err
		}
		return nil, ctx.Err()
	}
	if err == nil && l == nil { // an earlier request with this id may have got it meanwhile
		return asked.again(ctx)
	}
	return l, err
}

// again gives the lease of the asked id once more; nil when there is none. What the step is given is made anew.
func (h *hub) again(ctx context.Context) (l *worker.Lease, err error) {
	has, err := h.held(ctx, h.asked)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		return nil, err
	}
	err = h.DB.Write(ctx, func(tx *store.Tx) error {
		l = nil
		if _, err := getRun(ctx, tx, has.Run, tx.ForUpdate()); err != nil { // nobody takes the step meanwhile
			return err
		}
		mine, args := h.mine(h.asked)
		step, err := scanStep(tx.QueryRow(ctx, "SELECT "+stepColumns+" FROM run_steps s WHERE s.lease=$1 AND s.state='leased'"+mine, args...))
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := getRun(ctx, tx, step.Run, "")
		if err != nil {
			return err
		}
		if err := h.Tokens.EndWorkload(ctx, tx, step.ID); err != nil {
			return err
		}
		now := h.Now()
		if l, err = h.fill(ctx, tx, step, r.Space, h.asked, now); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE run_steps SET lease_expires=$2 WHERE id=$1", step.ID, store.Micros(l.Expires))
		return err
	})
	if err != nil || l == nil {
		return nil, fault.Wrap(err, "give lease %s again", h.asked)
	}
	if l.LogOffset, err = h.LogSize(ctx, l.ID); err != nil {
		return nil, err
	}
	return l, nil
}

// Return gives back a step that the agent has not begun: it is as if it had not been leased. What is not held is returned
// already.
func (h *AgentHub) Return(ctx context.Context, leaseID string) error {
	ctx = actor.AsSystem(ctx)
	step, err := h.held(ctx, leaseID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return fault.Wrap(h.DB.Write(ctx, func(tx *store.Tx) error {
		return h.Change(ctx, tx, step.Run, func(v *View) error {
			for _, p := range v.Steps {
				if p.ID != step.ID || p.State != StepLeased || p.lease != leaseID {
					continue
				}
				p.State, p.Reason, p.lease, p.Worker, p.Started = StepReady, "", "", "", time.Time{}
				if p.cancelRequest {
					p.State, p.Reason, p.Ended = StepCanceled, "canceled", v.Now
				}
				v.touch(p)
				return h.Tokens.EndWorkload(ctx, tx, p.ID)
			}
			return nil
		})
	}), "give back step %s", step.ID)
}

// agentLog is how much an agent may say of a step, in bytes: the worker's own bound is below it.
const agentLog = 256 << 20

// Log is worker.Hub's, with a bound of this server's own.
func (h *AgentHub) Log(ctx context.Context, leaseID string, offset int64, p []byte) error {
	if offset > agentLog {
		return fault.Errorf(fault.TooLarge, "the log of a step has at most %d bytes", agentLog)
	}
	return h.hub.Log(ctx, leaseID, offset, p)
}

// Report is worker.Hub's. An agent is believed what its job asks for, and no artifacts but those that it has put.
func (h *AgentHub) Report(ctx context.Context, leaseID string, r worker.Result) error {
	ctx = actor.AsSystem(ctx)
	step, err := h.held(ctx, leaseID)
	if fault.Is(err, fault.NotFound) { // lost, or told before
		return h.hub.Report(ctx, leaseID, r)
	}
	if err != nil {
		return err
	}
	if r, err = h.own(ctx, step, r); err != nil {
		return err
	}
	return h.hub.Report(ctx, leaseID, r)
}

// own leaves of a result what its job asks for. Invalid for an artifact that the step has not put: it would be another's.
func (h *hub) own(ctx context.Context, step *Step, r worker.Result) (worker.Result, error) {
	job, err := h.jobOf(step)
	if err != nil {
		return r, err
	}
	asked := map[string]bool{}
	for _, o := range job.Outputs {
		asked[o.Name] = true
	}
	if job.Then != nil {
		for _, o := range job.Then.Outputs {
			asked[o.Name] = true
		}
	}
	texts := func(all map[string]string) (map[string]string, error) {
		kept := map[string]string{}
		for name, text := range all {
			if len(text) > worker.MaxText {
				return nil, fault.Errorf(fault.TooLarge, "output %.100q has more than %d bytes", name, worker.MaxText)
			}
			if asked[name] {
				kept[name] = text
			}
		}
		return kept, nil
	}
	r.Data = nil // of platform actions
	if r.Outputs, err = texts(r.Outputs); err != nil {
		return r, err
	}
	if r.Clear != nil {
		clear := *r.Clear
		clear.Data = nil
		if clear.Outputs, err = texts(clear.Outputs); err != nil {
			return r, err
		}
		r.Clear = &clear
	}
	artifacts := map[string]worker.Artifact{}
	err = h.DB.Read(ctx, func(tx *store.Tx) error {
		for name, a := range r.Artifacts {
			if !asked[name] {
				continue
			}
			put, err := optional(tx.QueryRow(ctx, "SELECT digest FROM run_step_blobs WHERE step=$1 AND digest=$2", step.ID, a.Digest))
			if err != nil {
				return err
			}
			if put == "" {
				return fault.Errorf(fault.Invalid, "step %s has put no artifact %.100s", step.ID, a.Digest)
			}
			a.Sealed = job.Sealed
			artifacts[name] = a
		}
		return nil
	})
	r.Artifacts = artifacts
	return r, err
}

// Asks fails with NotFound unless the job of a leased step asks for a tool.
func (h *AgentHub) Asks(ctx context.Context, leaseID, tool string) error {
	step, err := h.held(ctx, leaseID)
	if err != nil {
		return err
	}
	job, err := h.jobOf(step)
	if err != nil {
		return err
	}
	if slices.Contains(job.Tools, tool) || job.Then != nil && slices.Contains(job.Then.Tools, tool) {
		return nil
	}
	return fault.Errorf(fault.NotFound, "step %s asks for no tool %.100s", step.ID, tool)
}

// LogSize tells how many bytes of the log of a leased step are kept.
func (h *hub) LogSize(ctx context.Context, leaseID string) (int64, error) {
	step, err := h.held(ctx, leaseID)
	if err != nil {
		return 0, err
	}
	_, size, _, err := h.Blob.ReadAt(ctx, step.LogStream(), 0, nil)
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	return size, err
}

// Holds tells whether a step is leased to the agent.
func (h *AgentHub) Holds(ctx context.Context, step string) (held bool, err error) {
	mine, args := h.mine(step)
	err = h.DB.Read(ctx, func(tx *store.Tx) error {
		id, err := optional(tx.QueryRow(ctx, "SELECT id FROM run_steps WHERE id=$1 AND state='leased'"+mine, args...))
		held = id != ""
		return err
	})
	return held, err
}

// Leased is a step that a worker has.
type Leased struct {
	Worker, Run, Space, Step, Title string
	Started                         time.Time
}

// LeasedTx gives the steps of a pool that workers have, the oldest first, unauthorised.
func (s *Service) LeasedTx(ctx context.Context, tx *store.Tx, pool string) ([]Leased, error) {
	rows, err := tx.Query(ctx, `SELECT s.worker, s.run, r.space, s.id, s.title, s.started FROM run_steps s JOIN runs r ON r.id = s.run
 WHERE s.state = 'leased' AND s.pool = $1 ORDER BY s.started, s.id LIMIT 1000`, pool)
	return store.Collect(rows, err, func(row store.Row) (l Leased, err error) {
		var started int64
		err = row.Scan(&l.Worker, &l.Run, &l.Space, &l.Step, &l.Title, &started)
		l.Started = store.FromMicros(started)
		return l, err
	})
}

// WaitingTx counts the steps that are ready for a pool, unauthorised.
func (s *Service) WaitingTx(ctx context.Context, tx *store.Tx, pool string) (n int, err error) {
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM run_steps WHERE state = 'ready' AND pool = $1", pool).Scan(&n)
	return n, err
}

// NeedingTx counts the runs that have not ended and have a mark, or a step of a pool that has not ended, unauthorised.
func (s *Service) NeedingTx(ctx context.Context, tx *store.Tx, pool, mark string) (n int, err error) {
	w := &store.Where{}
	w.Add("terminal = 0")
	w.Add("(" + w.Has("marks", " "+mark+" ") + " OR EXISTS (SELECT 1 FROM run_steps s WHERE s.run = runs.id AND s.state IN ('waiting', 'ready', 'leased') AND s.pool = " + w.Arg(pool) + "))")
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM runs"+w.String(), w.Args...).Scan(&n)
	return n, fault.Wrap(err, "count the runs that need the pool %s", pool)
}

// Rouse has idle workers look again for steps, after the transaction.
func (s *Service) Rouse(tx *store.Tx) { s.DB.Notify(tx, channelReady) }

// mine gives a condition that holds what is asked for to the agent, with its arguments behind the others.
func (h *hub) mine(args ...any) (condition string, all []any) {
	if h.agent == nil {
		return "", args
	}
	n := len(args)
	return fmt.Sprintf(" AND pool = $%d AND worker = $%d", n+1, n+2), append(args, h.agent.Pool, h.agent.Worker)
}

func (h *hub) admits(ctx context.Context, tx *store.Tx) (bool, error) {
	if h.agent == nil {
		return true, nil
	}
	return h.agent.Admits(ctx, tx)
}

func (h *hub) serves(ctx context.Context, tx *store.Tx, space string) error {
	if h.agent == nil {
		return nil
	}
	if served, err := h.agent.Serves(ctx, tx, space); err != nil || served {
		return err
	}
	return fault.Errorf(fault.Denied, "the worker pool %s does not serve the space %s any more; name another one, or have an administrator share it", h.agent.Pool, space)
}

var _ worker.Hub = (*AgentHub)(nil)

// Check fails with NotFound when the agent holds no such lease, and has reported none.
func (h *AgentHub) Check(ctx context.Context, leaseID string) error {
	mine, args := h.mine(leaseID)
	return h.DB.Read(ctx, func(tx *store.Tx) error {
		id, err := optional(tx.QueryRow(ctx, "SELECT id FROM run_steps WHERE lease=$1"+mine, args...))
		if err == nil && id == "" {
			err = lost(leaseID)
		}
		return err
	})
}
