package tfe

import (
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

func (h *Handler) accountRoutes() {
	h.open("ping", func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	h.handle("account/details", h.account)
	h.handle("organizations/{organization}/entitlement-set", h.entitlements)
	h.handle("organizations/{organization}/capacity", h.capacity)
	h.handle("organizations/{organization}/runs/queue", h.queue)
	h.handle("organizations/{organization}/projects", h.projects)
	for _, none := range []string{"teams", "oauth-clients", "run-tasks", "policies", "policy-sets"} {
		h.handle("organizations/{organization}/"+none, h.nothing)
	}
}

func (h *Handler) account(w http.ResponseWriter, r *http.Request) error {
	p := actor.From(r.Context())
	return one(w, http.StatusOK, resource("users", p.ID, object{
		"username": p.Ref.Name, "email": nil, "avatar-url": "", "is-service-account": p.Kind != actor.User, "v2-only": true,
		"permissions": object{"can-create-organizations": h.Access.May(r.Context(), "space:admin", access.Root), "can-change-email": false, "can-change-username": false},
	}, nil))
}

func (h *Handler) entitlements(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	return one(w, http.StatusOK, resource("entitlement-sets", space, object{
		"operations": true, "state-storage": true, "private-module-registry": false, "teams": false, "vcs-integrations": false, "agents": true,
		"audit-logging": true, "cost-estimation": true, "sentinel": false, "sso": false, "run-tasks": false, "configuration-designer": false,
		"self-serve-billing": false, "usage-reporting": false,
	}, nil))
}

// openRuns asks for those of a space that have not ended.
func (h *Handler) openRuns(r *http.Request) (run.Query, error) {
	space := r.PathValue("organization")
	return run.Query{Kinds: []string{stack.RunKind}, Spaces: []string{space}, Open: true}, h.Stacks.MaySpace(r.Context(), space)
}

func (h *Handler) capacity(w http.ResponseWriter, r *http.Request) error {
	q, err := h.openRuns(r)
	if err != nil {
		return err
	}
	open, err := h.Runs.Count(r.Context(), q)
	if err != nil {
		return err
	}
	q.Any = [][]run.Choice{choices("pending")}
	pending, err := h.Runs.Count(r.Context(), q)
	if err != nil {
		return err
	}
	return one(w, http.StatusOK, resource("organization-capacity", r.PathValue("organization"), object{"pending": pending, "running": max(open-pending, 0)}, nil))
}

func (h *Handler) queue(w http.ResponseWriter, r *http.Request) error {
	q, err := h.openRuns(r)
	if err != nil {
		return err
	}
	return h.answerRuns(w, r, q)
}

// projectOf names the one project of an organization: a space has its children instead.
func projectOf(space string) string { return "prj-" + space }

func (h *Handler) projects(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	if asked := r.URL.Query().Get("filter[names]"); asked != "" && asked != projectName {
		return empty(w, r)
	}
	return many(w, pagingOf(r), 1, []object{wireProject(space)})
}

const projectName = "Default Project"

func wireProject(space string) object {
	return resource("projects", projectOf(space), object{"name": projectName, "description": "Everything of the space " + space + "."}, object{"organization": to("organizations", space)})
}

func (h *Handler) nothing(w http.ResponseWriter, r *http.Request) error {
	if err := h.Stacks.MaySpace(r.Context(), r.PathValue("organization")); err != nil {
		return err
	}
	return empty(w, r)
}
