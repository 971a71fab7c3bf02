package tfe

import (
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// answerRuns answers with a part of the runs of stacks that are asked for, newest first.
func (h *Handler) answerRuns(w http.ResponseWriter, r *http.Request, q run.Query) error {
	q.Kinds = []string{stack.RunKind}
	var marks map[string][]string
	if len(q.Spaces) == 1 {
		var err error
		if marks, err = h.poolMarks(r.Context(), q.Spaces[0], words(r.URL.Query().Get("filter[agent_pool_names]"))); err != nil {
			return err
		}
	}
	narrow(r, &q, marks)
	p := pagingOf(r)
	list, total, err := h.Runs.Part(r.Context(), q, p.place())
	if err != nil {
		return err
	}
	data, parts, err := h.wireRuns(r, list)
	if err != nil {
		return err
	}
	return many(w, p, total, data, parts...)
}

// narrow adds to a query what a client narrows a list of runs to; the marks are those of the pools that it names.
func narrow(r *http.Request, to *run.Query, marks map[string][]string) {
	q := r.URL.Query()
	among := func(name string, choices func(word string) []run.Choice) {
		if asked := words(q.Get(name)); len(asked) > 0 {
			all := []run.Choice{}
			for _, word := range asked {
				all = append(all, choices(word)...)
			}
			to.Any = append(to.Any, all)
		}
	}
	among("filter[status]", choices)
	among("filter[operation]", operation)
	among("filter[source]", func(word string) []run.Choice {
		switch word {
		case runSource:
			return []run.Choice{{Not: []string{stack.MarkFollows}}}
		case triggerSource:
			return []run.Choice{{Has: []string{stack.MarkFollows}}}
		}
		return nil
	})
	among("filter[agent_pool_names]", func(word string) (all []run.Choice) {
		for _, name := range marks[word] {
			all = append(all, run.Choice{Has: []string{stack.MarkPool(name)}})
		}
		return all
	})
	if names := words(q.Get("filter[workspace_names]")); len(names) > 0 {
		to.Names = names
	}
	to.Beginning = q.Get("search[commit]")
	if text := q.Get("search[basic]"); text != "" {
		to.Texts = []string{text, strings.Replace(text, "run-", "run_", 1)} // in an id of the house, too
	}
	if user := q.Get("search[user]"); user != "" {
		to.Actors = func(w *store.Where, column string) string { return identity.Shown(w, column, user) }
	}
}

// wireRuns gives runs, and what a client wants beside them, each once. All is asked for at once.
func (h *Handler) wireRuns(r *http.Request, list []run.Detail) (data, included []object, err error) {
	ctx := r.Context()
	subjects := make([]ref.Entity, len(list))
	for i, d := range list {
		if subjects[i], err = ref.Parse(d.Run.Subject, "stack", ref.DefaultNamespace); err != nil {
			return nil, nil, err
		}
	}
	workspaces, err := h.Stacks.WorkspacesOf(ctx, subjects)
	if err != nil {
		return nil, nil, err
	}
	for i, d := range list {
		data = append(data, h.wireRun(ctx, d, workspaces[subjects[i]].ID))
	}
	parts := beside{}
	for _, what := range asksFor(r) {
		switch what {
		case "workspace":
			var beside []stack.Workspace
			for _, of := range subjects {
				if ws, ok := workspaces[of]; ok && !parts.has("workspaces", ws.ID) {
					beside = append(beside, ws)
				}
			}
			wired, _, err := h.wireWorkspaces(r, beside)
			if err != nil {
				return nil, nil, err
			}
			parts.all = append(parts.all, wired...)
		case "plan", "apply":
			err = h.besidePhases(r, &parts, what, list)
		case "cost_estimate":
			for _, d := range list {
				parts.add(wireEstimate(d))
			}
		case "created_by":
			var ids []string
			for _, d := range list {
				ids = append(ids, d.Run.Actor)
			}
			h.besideUsers(r, &parts, ids)
		case "configuration_version":
			var ids []string
			for _, d := range list {
				if in := inputOf(d.Run); in.Upload != nil {
					ids = append(ids, in.Upload.Configuration)
				}
			}
			err = h.besideConfigurations(r, &parts, ids)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return data, parts.all, nil
}

// besidePhases gathers the plans or the applies of runs.
func (h *Handler) besidePhases(r *http.Request, parts *beside, what string, list []run.Detail) error {
	wire := h.wirePlan
	if what == "apply" {
		wire = h.wireApply
	}
	for _, d := range list {
		if parts.has(what, d.Run.ID) {
			continue
		}
		data, err := wire(r, d)
		if err != nil {
			return err
		}
		parts.add(data)
	}
	return nil
}

// besideUsers gathers principals.
func (h *Handler) besideUsers(r *http.Request, parts *beside, ids []string) {
	names := h.named(r.Context(), ids)
	for _, id := range ids {
		if id != "" && !parts.has("users", id) {
			parts.add(wireUser(names, id))
		}
	}
}

// besideConfigurations gathers those of some configurations that are there.
func (h *Handler) besideConfigurations(r *http.Request, parts *beside, ids []string) error {
	found, err := h.Stacks.ConfigurationsNamed(r.Context(), ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if c, ok := found[id]; ok && !parts.has("configuration-versions", id) {
			parts.add(wireConfiguration(c, nil))
		}
	}
	return nil
}
