package api

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) poolRoutes() {
	const one = "/pools/{namespace}/{name}"
	register(a, operation("listPools", http.MethodGet, "/pools", "pools", "Worker pools, by name, and how they do"), a.listPools)
	register(a, operation("getPool", http.MethodGet, one, "pools", "One worker pool, and how it does"), a.getPool)
	register(a, operation("listAgents", http.MethodGet, one+"/agents", "pools", "The agents of a pool, by name, with what they run"), a.listAgents)
	drain := func(drained bool) func(ctx context.Context, name, agent string) error {
		return func(ctx context.Context, name, agent string) error { return a.Pools.Drain(ctx, name, agent, drained) }
	}
	for _, verb := range []struct {
		id, summary string
		do          func(ctx context.Context, name, agent string) error
	}{
		{"drain", "Have agents end what they run and take nothing more", drain(true)}, {"resume", "Have agents take steps again", drain(false)},
		{"cycle", "Have agents end as soon as they run nothing, so that they are started anew", a.Pools.Cycle},
	} {
		register(a, operation(verb.id+"Pool", http.MethodPost, one+"/"+verb.id, "pools", verb.summary),
			func(ctx context.Context, in *Named) (*body[Pool], error) {
				if err := verb.do(ctx, in.Namespace+"/"+in.Name, ""); err != nil {
					return nil, err
				}
				return a.getPool(ctx, in)
			})
		register(a, operation(verb.id+"Agent", http.MethodPost, one+"/agents/{agent}/"+verb.id, "pools", verb.summary+": one of them"),
			func(ctx context.Context, in *agentInput) (*struct{}, error) {
				return nil, verb.do(ctx, in.Namespace+"/"+in.Name, in.Agent)
			})
	}
	register(a, operation("listPoolTokens", http.MethodGet, one+"/tokens", "pools", "The tokens of a pool, the newest first"), a.listPoolTokens)
	op := operation("createPoolToken", http.MethodPost, one+"/tokens", "pools", "A new token for agents; its secret is shown this once")
	op.DefaultStatus = 201
	register(a, op, a.createPoolToken)
	register(a, operation("revokePoolToken", http.MethodDelete, one+"/tokens/{id}", "pools", "End a token of a pool at once"), a.revokePoolToken)
}

type agentInput struct {
	Named
	Agent string `path:"agent" maxLength:"63"`
}

type listPoolsInput struct {
	Paging
	Space string `query:"space" maxLength:"63" doc:"Only those of this space."`
}

func (a *API) listPools(ctx context.Context, in *listPoolsInput) (*body[List[Pool]], error) {
	part, err := a.Pools.List(ctx, in.Space, in.part())
	return listPart(part, func(p pool.Pool) Pool { return a.wirePool(ctx, p) }), err
}

func (a *API) getPool(ctx context.Context, in *Named) (*body[Pool], error) {
	p, err := a.Pools.Get(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(a.wirePool(ctx, p)), nil
}

func (a *API) wirePool(ctx context.Context, p pool.Pool) Pool {
	r, err := ref.Parse(p.Name, "workerpool", "")
	if err != nil { // a name that the catalog has taken
		r = ref.New("workerpool", "", p.Name)
	}
	w := Pool{
		Ref: r.String(), Namespace: r.Namespace, Name: r.Name, Space: p.Space, Description: p.Description, Shared: p.Shared, Image: p.Image, Drained: p.Drained,
		Agents: p.Agents, Connected: p.Connected, Running: p.Running, Waiting: p.Waiting, Can: []string{},
	}
	if a.Access.May(ctx, pool.Right, p.Space) {
		w.Can = append(w.Can, "admin")
		if a.Access.May(ctx, "entity:delete", p.Space) {
			w.Can = append(w.Can, "delete")
		}
	}
	return w
}

type poolPartInput struct {
	Named
	Paging
}

func (a *API) listAgents(ctx context.Context, in *poolPartInput) (*body[List[Agent]], error) {
	part, err := a.Pools.Agents(ctx, in.Namespace+"/"+in.Name, in.part())
	return listPart(part, wireAgent), err
}

func wireAgent(g pool.Agent) Agent {
	w := Agent{
		Name: g.Name, State: g.State, Drained: g.Drained, Version: g.Version, System: g.System, Host: g.Host, Executor: g.Executor, Parallel: g.Parallel,
		Tools: g.Tools, Joined: g.Joined.UTC(), Seen: g.Seen.UTC(), Steps: make([]AgentStep, len(g.Steps)), Others: g.Hidden,
	}
	for i, s := range g.Steps {
		w.Steps[i] = AgentStep{Run: s.Run, Step: s.Step, Title: s.Title, Started: s.Started.UTC()}
	}
	return w
}

func (a *API) listPoolTokens(ctx context.Context, in *poolPartInput) (*body[List[PoolToken]], error) {
	part, err := a.Pools.Tokens(ctx, in.Namespace+"/"+in.Name, in.part())
	return listPart(part, wirePoolToken), err
}

func wirePoolToken(t pool.Token) PoolToken {
	return PoolToken{ID: t.ID, Name: t.Name, Created: t.Created.UTC(), Expires: moment(t.Expires), Used: moment(t.Used), Revoked: moment(t.Revoked)}
}

type createPoolTokenInput struct {
	Named
	Body struct {
		Name    string     `json:"name" minLength:"1" maxLength:"100"`
		Expires *time.Time `json:"expires,omitempty" doc:"At most ten years ahead; it does not end by itself when absent."`
	}
}

func (a *API) createPoolToken(ctx context.Context, in *createPoolTokenInput) (*body[NewPoolToken], error) {
	expires := time.Time{}
	if in.Body.Expires != nil {
		expires = *in.Body.Expires
	}
	t, secret, err := a.Pools.CreateToken(ctx, in.Namespace+"/"+in.Name, in.Body.Name, expires)
	if err != nil {
		return nil, err
	}
	return answer(NewPoolToken{PoolToken: wirePoolToken(t), Secret: secret}), nil
}

type poolTokenInput struct {
	Named
	ID string `path:"id" maxLength:"64"`
}

func (a *API) revokePoolToken(ctx context.Context, in *poolTokenInput) (*struct{}, error) {
	return nil, a.Pools.RevokeToken(ctx, in.Namespace+"/"+in.Name, in.ID)
}

// tellWaits says of steps that no agent has taken why that is, and of the run, when it has no reason of its own.
func (a *API) tellWaits(ctx context.Context, r *Run, steps []run.Step, wire []Step) error {
	said := map[string]string{}
	for i, s := range steps {
		if s.State != run.StepReady || s.Pool == run.DefaultPool || s.Pool == run.ServerPool {
			continue
		}
		why, known := said[s.Pool]
		if !known {
			var err error
			if why, err = a.Pools.Waits(ctx, s.Pool); err != nil {
				return err
			}
			said[s.Pool] = why
		}
		if why == "" {
			continue
		}
		if wire[i].Reason != "" {
			why = wire[i].Reason + "; " + why
		}
		wire[i].Reason = why
		if r.Reason == "" && !r.Terminal {
			r.Reason = why
		}
	}
	return nil
}

// waitRun waits until a run has changed. Where it waits for an agent it looks again now and then: that one has come is no
// change of the run.
func (a *API) waitRun(ctx context.Context, id string, seen int64, waits string) (run.Run, error) {
	if waits == "" {
		return a.Runs.Wait(ctx, id, seen)
	}
	within, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	r, err := a.Runs.Wait(within, id, seen)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return a.Runs.Get(ctx, id)
	}
	return r, err
}

// waitsFor tells what a run says of steps that no agent has taken.
func waitsFor(d RunDetail) string {
	for _, s := range d.Steps {
		if s.State == string(run.StepReady) && s.Reason != "" {
			return s.Reason
		}
	}
	return ""
}

// poolTokens is where tokens of pools are made.
var poolTokens = regexp.MustCompile(`^` + Prefix + `/pools/[^/]+/[^/]+/tokens$`)
