package tfe

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Agent pools are the worker pools of a space, each a WorkerPool document; their agents are those of Roadbed.
func (h *Handler) poolRoutes() {
	h.handle("organizations/{organization}/agent-pools", h.listPools)
	h.handle("POST organizations/{organization}/agent-pools", h.createPool)
	h.handle("agent-pools/{pool}", h.readPool)
	h.handle("PATCH agent-pools/{pool}", h.updatePool)
	h.handle("DELETE agent-pools/{pool}", h.deletePool)
	h.handle("agent-pools/{pool}/agents", h.listAgents)
	h.handle("agents/{agent}", h.readAgent)
	h.handle("agent-pools/{pool}/authentication-tokens", h.listPoolTokens)
	h.handle("POST agent-pools/{pool}/authentication-tokens", h.createPoolToken)
}

const poolKind = "apool-"

// poolID names a pool by its name, NAMESPACE/NAME; "" for none.
func poolID(name string) string {
	if name == "" {
		return ""
	}
	return poolKind + strings.Replace(name, "/", "~", 1)
}

func poolRef(p pool.Pool) ref.Entity {
	namespace, name, _ := strings.Cut(p.Name, "/")
	return ref.New("workerpool", namespace, name)
}

// poolOf gives the pool that an id names.
func (h *Handler) poolOf(ctx context.Context, id string) (pool.Pool, error) {
	rest, ok := strings.CutPrefix(id, poolKind)
	namespace, name, cut := strings.Cut(rest, "~")
	if !ok || !cut || !ref.ValidName(namespace) || !ref.ValidName(name) {
		return pool.Pool{}, access.NotFound("agent pool " + id)
	}
	return h.Pools.Get(ctx, namespace+"/"+name)
}

func (h *Handler) askedPool(r *http.Request) (pool.Pool, error) {
	return h.poolOf(r.Context(), r.PathValue("pool"))
}

func wirePool(p pool.Pool, of stack.Pooled) object {
	workspaces := []object{}
	for _, id := range of.IDs {
		workspaces = append(workspaces, object{"type": "workspaces", "id": id})
	}
	return resource("agent-pools", poolID(p.Name), object{
		"name": p.Title, "created-at": moment(p.Created), "agent-count": p.Connected, "organization-scoped": true,
	}, object{
		"organization": to("organizations", p.Space), "workspaces": object{"data": workspaces}, "allowed-workspaces": toNone(), "allowed-projects": toNone(), "excluded-workspaces": toNone(),
	})
}

// wirePools gives pools, and the workspaces that name them where a client wants these beside.
func (h *Handler) wirePools(r *http.Request, list []pool.Pool) (data, included []object, err error) {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	pooled, err := h.Stacks.Pooled(r.Context(), names)
	if err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, p := range list {
		data = append(data, wirePool(p, pooled[p.Name]))
		ids = append(ids, pooled[p.Name].IDs...)
	}
	if !slices.Contains(asksFor(r), "workspaces") {
		return data, nil, nil
	}
	if len(ids) > mostRelated {
		return nil, nil, fault.Errorf(fault.TooLarge, "%d workspaces are beside these agent pools, and at most %d are included; ask without include=workspaces", len(ids), mostRelated)
	}
	found, err := h.Stacks.WorkspacesByID(r.Context(), ids)
	if err != nil {
		return nil, nil, err
	}
	var workspaces []stack.Workspace
	for _, id := range ids {
		if ws, ok := found[id]; ok {
			workspaces = append(workspaces, ws)
		}
	}
	included, _, err = h.wireWorkspaces(r, workspaces)
	return data, included, err
}

func (h *Handler) listPools(w http.ResponseWriter, r *http.Request) error {
	p, space, q := pagingOf(r), r.PathValue("organization"), r.URL.Query()
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	if !h.Access.May(r.Context(), "pool:read", space) {
		return many(w, p, 0, nil)
	}
	for _, scope := range []string{"filter[allowed_workspaces][name]", "filter[allowed_projects][name]"} {
		if q.Get(scope) != "" {
			return fault.Errorf(fault.Invalid, "agent pools are not narrowed by %s: all workspaces of an organization may use each of its pools", scope)
		}
	}
	key, down := strings.CutPrefix(q.Get("sort"), "-")
	if key != "" && key != "name" && key != "created-at" {
		return fault.Errorf(fault.Invalid, "agent pools are not sorted by %.100q; by name or created-at, with - in front for the other way round", key)
	}
	list, total, err := h.Pools.Part(r.Context(), space, pool.Query{Search: q.Get("q"), ByCreated: key == "created-at", Down: down, Place: p.place()})
	if err != nil {
		return err
	}
	data, parts, err := h.wirePools(r, list)
	if err != nil {
		return err
	}
	return many(w, p, total, data, parts...)
}

func (h *Handler) answerPool(w http.ResponseWriter, r *http.Request, status int, name string) error {
	p, err := h.Pools.Get(r.Context(), name)
	if err != nil {
		return err
	}
	data, parts, err := h.wirePools(r, []pool.Pool{p})
	if err != nil {
		return err
	}
	return one(w, status, data[0], parts...)
}

func (h *Handler) readPool(w http.ResponseWriter, r *http.Request) error {
	p, err := h.askedPool(r)
	if err != nil {
		return err
	}
	return h.answerPool(w, r, http.StatusOK, p.Name)
}

type poolAttributes struct {
	Name   *string `json:"name"`
	Scoped *bool   `json:"organization-scoped"`
}

// mostTitle bounds the name of a pool, in characters.
const mostTitle = 90

// readPoolAttributes takes what a client says of a pool, and refuses what a pool does not have here.
func readPoolAttributes(w http.ResponseWriter, r *http.Request) (in poolAttributes, err error) {
	q, err := read(w, r, bodyLimit, &in)
	if err != nil {
		return in, err
	}
	if in.Scoped != nil && !*in.Scoped {
		return in, fault.Errorf(fault.Invalid, "an agent pool is for all workspaces of its organization; make a space of its own for those that are to have one alone")
	}
	for _, name := range []string{"allowed-workspaces", "allowed-projects", "excluded-workspaces"} {
		some, err := q.relations(name)
		if err != nil {
			return in, err
		}
		if len(some) > 0 {
			return in, wrongRelation(name, "is not offered: all workspaces of an organization may use each of its pools; make a space of its own for those that are to have one alone")
		}
	}
	if in.Name != nil && (strings.TrimSpace(*in.Name) == "" || utf8.RuneCountInString(*in.Name) > mostTitle) {
		return in, fault.Errorf(fault.Invalid, "Name has between 1 and %d characters", mostTitle)
	}
	return in, nil
}

// freePoolName tells whether no other pool of a space has a name.
func (h *Handler) freePoolName(ctx context.Context, space, name, but string) error {
	taken, err := h.Pools.Titled(ctx, space, name)
	if err == nil && slices.ContainsFunc(taken, func(p pool.Pool) bool { return p.Name != but }) {
		err = nameTaken()
	}
	return err
}

// createPool declares a WorkerPool.
func (h *Handler) createPool(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	if err := h.Access.Authorize(r.Context(), pool.Right, space); err != nil {
		return err
	}
	in, err := readPoolAttributes(w, r)
	if err == nil && in.Name == nil {
		err = fault.Errorf(fault.Invalid, "Name can't be blank")
	}
	free := func() error { return h.freePoolName(r.Context(), space, *in.Name, "") }
	if err == nil {
		err = free()
	}
	if err != nil {
		return err
	}
	d := document.Document{
		APIVersion: "roadbed.dev/v1", Kind: "WorkerPool", Spec: map[string]any{},
		Metadata: document.Metadata{Name: plainName(*in.Name, "pool"), Namespace: stack.HomeNamespace(space), Title: *in.Name},
	}
	if d.Metadata.Title == d.Metadata.Name {
		d.Metadata.Title = ""
	}
	made, err := h.declareTitled(r.Context(), space, d, free)
	if err != nil {
		return err
	}
	return h.answerPool(w, r, http.StatusCreated, made.Namespace+"/"+made.Name)
}

func (h *Handler) updatePool(w http.ResponseWriter, r *http.Request) error {
	p, err := h.askedPool(r)
	if err == nil {
		err = h.Access.Authorize(r.Context(), pool.Right, p.Space)
	}
	if err != nil {
		return err
	}
	in, err := readPoolAttributes(w, r)
	if err == nil && in.Name != nil {
		err = h.freePoolName(r.Context(), p.Space, *in.Name, p.Name)
	}
	if err == nil && in.Name != nil {
		err = h.edit(r.Context(), poolRef(p), func(d *document.Document) (bool, error) {
			title := *in.Name
			if title == d.Metadata.Name {
				title = ""
			}
			changed := d.Metadata.Title != title
			d.Metadata.Title = title
			return changed, nil
		})
	}
	if err != nil {
		return err
	}
	return h.answerPool(w, r, http.StatusOK, p.Name)
}

// deletePool deletes a pool that no workspace names and no run needs: with it go its tokens.
func (h *Handler) deletePool(w http.ResponseWriter, r *http.Request) error {
	p, err := h.askedPool(r)
	if err == nil {
		err = h.Access.Authorize(r.Context(), pool.Right, p.Space)
	}
	if err != nil {
		return err
	}
	pooled, err := h.Stacks.Pooled(r.Context(), []string{p.Name})
	if of := pooled[p.Name]; err == nil && len(of.IDs)+of.Hidden > 0 {
		err = fault.Errorf(fault.Conflict, "agent pool %s has %d workspaces; give them another one first, or none", p.Title, len(of.IDs)+of.Hidden)
	}
	if err == nil {
		err = h.Catalog.Delete(r.Context(), poolRef(p), "")
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// poolMarks gives by the names of pools, as clients know them, those by which runs are marked. One with a slash is the name itself.
func (h *Handler) poolMarks(ctx context.Context, space string, names []string) (marks map[string][]string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	marks = map[string][]string{}
	for _, name := range names {
		if strings.Contains(name, "/") {
			marks[name] = []string{name}
		}
	}
	if !h.Access.May(ctx, "pool:read", space) {
		return marks, nil
	}
	list, err := h.Pools.Titled(ctx, space, names...)
	for _, p := range list {
		marks[p.Title] = append(marks[p.Title], p.Name)
	}
	return marks, err
}
