package pool

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Deps are what the service stands on.
type Deps struct {
	DB     *store.DB
	Access *access.Service
	Ledger *ledger.Ledger
	Runs   *run.Service
	Images func(image string) error // whether steps may run in an image, as the server has it; nil: in none
	Now    func() time.Time
	Log    *slog.Logger
}

// Service keeps worker pools. It is safe for concurrent use.
type Service struct {
	Deps

	mu   sync.Mutex
	used map[string]time.Time // id of a token → last use that is not written yet
}

// New gives the service. It needs the tables of Migrations, and Run.
func New(d Deps) *Service { return &Service{Deps: d, used: map[string]time.Time{}} }

const tidying = time.Minute // between two looks at what is to be forgotten; the last use of a token is exact to this

// Run writes down when tokens were used and forgets agents that have been gone for long, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx = actor.AsSystem(ctx)
	tick := time.NewTicker(tidying)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer stop()
			return s.tidy(last)
		}
		if err := s.tidy(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("worker pools: tidy up; it is tried again", "error", err)
		}
	}
}

func (s *Service) tidy(ctx context.Context) error {
	s.mu.Lock()
	used := s.used
	s.used = make(map[string]time.Time, len(used))
	s.mu.Unlock()
	return fault.Wrap(s.DB.Write(ctx, func(tx *store.Tx) error {
		for id, at := range used {
			if _, err := tx.Exec(ctx, "UPDATE pool_tokens SET used = $2 WHERE id = $1 AND used < $2", id, store.Micros(at)); err != nil {
				return err
			}
		}
		return forget(ctx, tx, s.Now().Add(-memory))
	}), "forget agents that are gone")
}

// clean gives the full name that is meant; only a full one is taken.
func clean(name string) (string, error) {
	namespace, rest, ok := strings.Cut(name, "/")
	if !ok || namespace == "" || rest == "" || strings.Contains(rest, "/") || len(name) > 200 {
		return "", fault.Errorf(fault.Invalid, "%.200q is not the name of a worker pool; write NAMESPACE/NAME", name)
	}
	return strings.ToLower(name), nil
}

// lookup gives a pool to the platform, which asks for no right.
func (s *Service) lookup(ctx context.Context, name string) (p Pool, err error) {
	if name, err = clean(name); err != nil {
		return p, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if p, err = byName(ctx, tx, name); err != nil {
			return err
		}
		return s.count(ctx, tx, &p)
	})
	return p, err
}

// count tells how a pool does.
func (s *Service) count(ctx context.Context, tx *store.Tx, p *Pool) error {
	now := store.Micros(s.Now().Add(-silence))
	err := tx.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN seen >= $2 THEN 1 ELSE 0 END), 0),
 COALESCE(SUM(CASE WHEN seen >= $2 AND drained = 0 AND leaving = 0 AND ending <> life THEN 1 ELSE 0 END), 0) FROM pool_agents WHERE pool = $1`, p.Name, now).Scan(&p.Agents, &p.Connected, &p.Taking)
	if err != nil {
		return err
	}
	if p.Waiting, err = s.Runs.WaitingTx(ctx, tx, p.Name); err != nil {
		return err
	}
	leased, err := s.Runs.LeasedTx(ctx, tx, p.Name)
	p.Running = len(leased)
	return err
}

// Get gives a pool to whoever has pool:read in its space; otherwise NotFound.
func (s *Service) Get(ctx context.Context, name string) (Pool, error) { return s.reach(ctx, name, "") }

// reach gives a pool to whoever may read it and has a right there, when one is named.
func (s *Service) reach(ctx context.Context, name, right string) (Pool, error) {
	p, err := s.lookup(ctx, name)
	if fault.Is(err, fault.NotFound) {
		err = access.NotFound("worker pool " + name)
	}
	if err != nil {
		return Pool{}, err
	}
	if err := s.Access.ReadOrNotFound(ctx, "pool:read", p.Space, "worker pool "+name); err != nil {
		return Pool{}, err
	}
	if right == "" {
		return p, nil
	}
	return p, s.Access.Authorize(ctx, right, p.Space)
}

// List gives the pools of the spaces in which the caller has pool:read, by name; space narrows it to one.
func (s *Service) List(ctx context.Context, space string, part page.Request) (list page.Of[Pool], err error) {
	visible, err := s.Access.Spaces(ctx, "pool:read")
	if err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		if !visible.All {
			w.Add(w.In("space", visible.List()))
		}
		w.Equal("space", space)
		w.After("name", part.Cursor)
		rows, err := tx.Query(ctx, columns+w.String()+"ORDER BY name LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scan)
		if err != nil {
			return err
		}
		list = page.Cut(all, part, func(p Pool) string { return p.Name })
		for i := range list.Items {
			if err := s.count(ctx, tx, &list.Items[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, fault.Wrap(err, "list worker pools")
}

// Agents gives the agents of a pool, by name, with the runs of theirs that the caller may read. Permission: pool:read in
// the pool's space; otherwise NotFound.
func (s *Service) Agents(ctx context.Context, name string, part page.Request) (list page.Of[Agent], err error) {
	_, err = s.agents(ctx, name, func(all []Agent) []Agent {
		list = page.From(all, part, func(a Agent) string { return a.Name })
		return list.Items
	})
	return list, err
}

// AllAgents is Agents for who reads them by the numbers of pages: they are all read each time.
func (s *Service) AllAgents(ctx context.Context, name string) ([]Agent, error) {
	return s.agents(ctx, name, func(all []Agent) []Agent { return all })
}

// agents gives those of the agents of a pool that are chosen of all, which tell in place how they do.
func (s *Service) agents(ctx context.Context, name string, choose func(all []Agent) []Agent) (list []Agent, err error) {
	p, err := s.reach(ctx, name, "")
	if err != nil {
		return nil, err
	}
	readable, err := s.Access.Spaces(ctx, "run:read")
	if err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := agentsOf(ctx, tx, p.Name)
		if err != nil {
			return err
		}
		leased, err := s.Runs.LeasedTx(ctx, tx, p.Name)
		if err != nil {
			return err
		}
		list = choose(all)
		now := s.Now()
		for i := range list {
			a := &list[i]
			a.State = a.stateAt(now, p)
			for _, l := range leased {
				switch {
				case l.Worker != worker(p.Name, a.Name):
				case readable.Has(l.Space):
					a.Steps = append(a.Steps, Step{Run: l.Run, Step: l.Step, Title: l.Title, Started: l.Started})
				default:
					a.Hidden++
				}
			}
		}
		return nil
	})
	return list, fault.Wrap(err, "list the agents of worker pool %s", name)
}

// Drain has a pool's agents, or one of them, end what they have and take nothing more, or take again. Permission:
// pool:admin in the pool's space.
func (s *Service) Drain(ctx context.Context, name, agent string, drained bool) error {
	p, err := s.reach(ctx, name, Right)
	if err != nil {
		return err
	}
	flag := 0
	if drained {
		flag = 1
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		var n int64
		if agent == "" {
			n, err = tx.Exec(ctx, "UPDATE pools SET drained = $2 WHERE name = $1 AND drained <> $2", p.Name, flag)
		} else {
			if _, err := agentByName(ctx, tx, p.Name, agent, ""); err != nil {
				return err
			}
			n, err = tx.Exec(ctx, "UPDATE pool_agents SET drained = $3 WHERE pool = $1 AND name = $2 AND drained <> $3", p.Name, agent, flag)
		}
		if err != nil || n == 0 {
			return err
		}
		if !drained {
			s.Runs.Rouse(tx)
		}
		kind, data := "pool.resumed", map[string]any{}
		if drained {
			kind = "pool.drained"
		}
		if agent != "" {
			data["agent"] = agent
		}
		return s.tell(ctx, tx, p, kind, data)
	})
	return fault.Wrap(err, "drain worker pool %s", name)
}

// Cycle has a pool's agents, or one of them, end as soon as they have nothing to do, and gives them nothing more until
// then: whatever keeps them running starts them anew. Permission: pool:admin in the pool's space.
func (s *Service) Cycle(ctx context.Context, name, agent string) error {
	p, err := s.reach(ctx, name, Right)
	if err != nil {
		return err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		w, data := &store.Where{}, map[string]any{}
		w.Equal("pool", p.Name)
		w.Add("ending <> life")
		if agent != "" {
			if _, err := agentByName(ctx, tx, p.Name, agent, ""); err != nil {
				return err
			}
			w.Equal("name", agent)
			data["agent"] = agent
		}
		n, err := tx.Exec(ctx, "UPDATE pool_agents SET ending = life"+w.String(), w.Args...)
		if err != nil || n == 0 {
			return err
		}
		return s.tell(ctx, tx, p, "pool.cycled", data)
	})
	return fault.Wrap(err, "cycle worker pool %s", name)
}

func (s *Service) tell(ctx context.Context, tx *store.Tx, p Pool, kind string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Type: kind, Space: p.Space, Subject: "workerpool:" + p.Name, Data: raw})
	return err
}

// Waits says why steps that are ready for a pool are not run; "" when an agent may take them at any moment. It asks for
// no right: who sees the run may know.
func (s *Service) Waits(ctx context.Context, name string) (string, error) {
	p, err := s.lookup(ctx, name)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
		return "waits for the worker pool " + name + ", which is not there any more; name another one and start a new run", nil
	}
	return waits(p), err
}
