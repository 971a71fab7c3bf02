package tfe

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	agentKind     = "agent-"
	poolTokenKind = ref.PoolToken + "-"
)

// agentStatus gives the word that clients know for how an agent does.
func agentStatus(a pool.Agent) string {
	switch {
	case a.State == pool.Gone && a.Leaving:
		return "exited"
	case a.State == pool.Gone:
		return "unknown"
	case len(a.Steps)+a.Hidden > 0:
		return "busy"
	}
	return "idle"
}

func wireAgent(a pool.Agent) object {
	return resource("agents", agentKind+strings.Replace(a.Pool, "/", "~", 1)+"~"+a.Name, object{
		"name": a.Name, "status": agentStatus(a), "last-ping-at": moment(a.Seen), "ip-address": nil,
	}, object{"agent-pool": to("agent-pools", poolID(a.Pool))})
}

func (h *Handler) listAgents(w http.ResponseWriter, r *http.Request) error {
	p, err := h.askedPool(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	since := time.Time{}
	if text := q.Get("filter[last-ping-since]"); text != "" {
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return fault.Errorf(fault.Invalid, "filter[last-ping-since] %.100q is no time; write it as 2026-01-02T15:04:05Z", text)
		}
	}
	key, down := strings.CutPrefix(q.Get("sort"), "-")
	if key != "" && key != "created-at" {
		return fault.Errorf(fault.Invalid, "agents are not sorted by %.100q; by created-at, with - in front for the other way round", key)
	}
	list, err := h.Pools.AllAgents(r.Context(), p.Name)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(a pool.Agent) bool { return a.Seen.Before(since) })
	if key != "" {
		slices.SortStableFunc(list, func(a, b pool.Agent) int { return a.Joined.Compare(b.Joined) })
	}
	if down {
		slices.Reverse(list)
	}
	part := pagingOf(r)
	var data []object
	for _, a := range cut(list, part) {
		data = append(data, wireAgent(a))
	}
	return many(w, part, len(list), data)
}

func (h *Handler) readAgent(w http.ResponseWriter, r *http.Request) error {
	none := access.NotFound("agent " + r.PathValue("agent"))
	rest, ok := strings.CutPrefix(r.PathValue("agent"), agentKind)
	at := strings.LastIndexByte(rest, '~')
	if !ok || at < 0 {
		return none
	}
	p, err := h.poolOf(r.Context(), poolKind+rest[:at])
	if fault.Is(err, fault.NotFound) {
		return none
	}
	if err != nil {
		return err
	}
	list, err := h.Pools.AllAgents(r.Context(), p.Name)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.Name == rest[at+1:] {
			return one(w, http.StatusOK, wireAgent(a))
		}
	}
	return none
}

// wirePoolToken gives a token of a pool; with its secret for who has just made it.
func wirePoolToken(t pool.Token, secret any) object {
	return resource("authentication-tokens", wireID(t.ID), object{
		"created-at": moment(t.Created), "last-used-at": moment(t.Used), "description": t.Name, "token": secret, "expired-at": moment(t.Expires),
	}, object{"created-by": to("users", t.CreatedBy)})
}

func (h *Handler) listPoolTokens(w http.ResponseWriter, r *http.Request) error {
	p, err := h.askedPool(r)
	if err != nil {
		return err
	}
	list, err := h.Pools.TokensInUse(r.Context(), p.Name)
	if err != nil {
		return err
	}
	part := pagingOf(r)
	var data []object
	for _, t := range cut(list, part) {
		data = append(data, wirePoolToken(t, nil))
	}
	return many(w, part, len(list), data)
}

func (h *Handler) createPoolToken(w http.ResponseWriter, r *http.Request) error {
	p, err := h.askedPool(r)
	if err != nil {
		return err
	}
	if err := h.Access.Authorize(r.Context(), pool.Right, p.Space); err != nil {
		return err
	}
	in := struct {
		Description string    `json:"description"`
		Expires     time.Time `json:"expired-at"`
	}{}
	if _, err := read(w, r, bodyLimit, &in); err != nil {
		return err
	}
	t, secret, err := h.Pools.CreateToken(r.Context(), p.Name, in.Description, in.Expires)
	if err != nil {
		return err
	}
	return one(w, http.StatusCreated, wirePoolToken(t, secret))
}

// poolToken gives the token of a pool that a path names.
func (h *Handler) poolToken(r *http.Request) (pool.Token, error) {
	return h.Pools.TokenInUse(r.Context(), houseID(r.PathValue("token"), ref.PoolToken, ref.PoolToken))
}

func (h *Handler) readPoolToken(w http.ResponseWriter, r *http.Request) error {
	t, err := h.poolToken(r)
	if err != nil {
		return err
	}
	return one(w, http.StatusOK, wirePoolToken(t, nil))
}

func (h *Handler) deletePoolToken(w http.ResponseWriter, r *http.Request) error {
	t, err := h.poolToken(r)
	if err == nil {
		err = h.Pools.RevokeToken(r.Context(), t.Pool, t.ID)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
