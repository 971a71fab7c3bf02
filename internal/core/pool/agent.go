package pool

import (
	"context"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	workers "github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Welcome is what an agent is told when it has said that it is there.
type Welcome struct {
	Pool    string
	Drained bool // it is given nothing until its pool, or it, is resumed
	Ends    bool // it has nothing to do, and is to end
}

// Greet notes that an agent is there. What an earlier life of it held is given back. Unauthenticated for a token that is
// not good; Conflict while another agent of the pool has the name.
func (s *Service) Greet(ctx context.Context, secret string, g Greeting) (Welcome, error) {
	p, _, err := s.authenticate(ctx, secret)
	if err != nil {
		return Welcome{}, err
	}
	if err := g.check(); err != nil {
		return Welcome{}, err
	}
	now, reborn, ends := s.Now(), false, false
	a := Agent{Pool: p.Name, Name: g.Name, About: g.About, Leaving: g.Leaving, Joined: now, Seen: now, home: g.Home, life: g.Life}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if p, err = byName(ctx, tx, p.Name); err != nil {
			return err
		}
		if lock := tx.ForUpdate(); lock != "" { // of two first greetings under one name, one is the second
			if _, err := store.One(tx.QueryRow(ctx, columns+" WHERE name = $1"+lock, p.Name), scan, "worker pool %s", p.Name); err != nil {
				return err
			}
		}
		before, err := agentByName(ctx, tx, p.Name, g.Name, tx.ForUpdate())
		switch {
		case fault.Is(err, fault.NotFound):
			reborn = false
			return saveAgent(ctx, tx, a)
		case err != nil:
			return err
		case before.home != g.Home && now.Sub(before.Seen) <= silence: // one that is leaving ends what it has
			return fault.Errorf(fault.Conflict, "worker pool %s has an agent %s already, which works in another folder; give this one another name with --name", p.Name, g.Name)
		}
		reborn = before.life != g.Life
		a.Drained, a.ending = before.Drained, before.ending
		if err := saveAgent(ctx, tx, a); err != nil || !a.cycled() {
			return err
		}
		leased, err := s.Runs.LeasedTx(ctx, tx, p.Name)
		ends = !slices.ContainsFunc(leased, func(l run.Leased) bool { return l.Worker == worker(p.Name, g.Name) })
		return err
	})
	if err != nil {
		return Welcome{}, fault.Wrap(err, "greet agent %s", g.Name)
	}
	if reborn {
		if err := s.Runs.Release(actor.AsSystem(ctx), worker(p.Name, g.Name)); err != nil {
			return Welcome{}, err
		}
	}
	return Welcome{Pool: p.Name, Drained: p.Drained || a.Drained, Ends: ends}, nil
}

// Hub gives what an agent works by, once its token has been looked at: Unauthenticated when that is not good, Stale when
// the process that asks has never greeted, or another one has since.
func (s *Service) Hub(ctx context.Context, archives run.Archives, secret, name, life string) (*run.AgentHub, error) {
	p, token, err := s.authenticate(ctx, secret)
	if err != nil {
		return nil, err
	}
	var a Agent
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		a, err = agentByName(ctx, tx, p.Name, name, "")
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.Errorf(fault.Stale, "worker pool %s does not know the agent %.63s; it has to say hello first", p.Name, name)
	case err != nil:
		return nil, fault.Wrap(err, "look for agent %s", name)
	case a.life != life:
		return nil, fault.Errorf(fault.Stale, "another process is the agent %s of worker pool %s by now", name, p.Name)
	}
	containers := a.About.Executor == Containers
	return s.Runs.AgentHub(archives, run.Agent{
		Worker: worker(p.Name, name), Pool: p.Name,
		Serves: func(ctx context.Context, tx *store.Tx, space string) (bool, error) {
			now, err := byName(ctx, tx, p.Name)
			if err != nil {
				return false, err
			}
			return s.serves(ctx, now, space)
		},
		Admits: func(ctx context.Context, tx *store.Tx) (bool, error) { // as it is now: the request may have waited for a while
			n := 0
			err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM pool_agents a JOIN pools p ON p.name = a.pool JOIN pool_tokens t ON t.pool = a.pool
 WHERE a.pool = $1 AND a.name = $2 AND a.life = $3 AND a.drained = 0 AND a.leaving = 0 AND a.ending <> a.life AND p.drained = 0
 AND t.id = $4 AND t.revoked = 0 AND (t.expires = 0 OR t.expires > $5)`, p.Name, name, life, token, store.Micros(s.Now())).Scan(&n)
			return n > 0, err
		},
		Fits: func(ctx context.Context, tx *store.Tx, job *workers.Job) error {
			now, err := byName(ctx, tx, p.Name)
			if err != nil {
				return err
			}
			return s.fits(now, containers, job)
		},
	}), nil
}

// Known fails with Unauthenticated for what is no good token of a pool.
func (s *Service) Known(ctx context.Context, secret string) (pool string, err error) {
	p, _, err := s.authenticate(ctx, secret)
	return p.Name, err
}

// Bye notes that an agent has ended: what it still held is given to others.
func (s *Service) Bye(ctx context.Context, secret, name, life string) error {
	p, _, err := s.authenticate(ctx, secret)
	if err != nil {
		return err
	}
	n := int64(0)
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		n, err = tx.Exec(ctx, "UPDATE pool_agents SET leaving = 1, seen = $4 WHERE pool = $1 AND name = $2 AND life = $3",
			p.Name, name, life, store.Micros(s.Now().Add(-silence-time.Second)))
		return err
	})
	if err != nil || n == 0 {
		return fault.Wrap(err, "note the end of agent %s", name)
	}
	return s.Runs.Release(actor.AsSystem(ctx), worker(p.Name, name))
}
