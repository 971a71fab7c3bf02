package tfe

import (
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// orders are what clients sort workspaces by.
var orders = map[string]string{"": stack.ByName, "name": stack.ByName, "current-run.created-at": stack.ByCurrent, "latest-change-at": stack.ByChange}

func (h *Handler) listWorkspaces(w http.ResponseWriter, r *http.Request) error {
	p, q := pagingOf(r), r.URL.Query()
	space := r.PathValue("organization")
	query := stack.WorkspaceQuery{
		Search: q.Get("search[name]"), Wildcard: q.Get("search[wildcard-name]"), Tags: words(q.Get("search[tags]")), Without: words(q.Get("search[exclude-tags]")),
		Labels: boundTo(q), Place: p.place(),
	}
	key, down := strings.CutPrefix(q.Get("sort"), "-")
	order, known := orders[key]
	if query.Order, query.Down = order, down; !known {
		return fault.Errorf(fault.Invalid, "workspaces are not sorted by %.100q; by name, current-run.created-at or latest-change-at, with - in front for the other way round", key)
	}
	if statuses := words(q.Get("filter[current-run][status]")); len(statuses) > 0 {
		query.Current = []run.Choice{}
		for _, status := range statuses {
			query.Current = append(query.Current, choices(status)...)
		}
	}
	if project := q.Get("filter[project][id]"); project != "" && project != projectOf(space) {
		if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
			return err
		}
		return many(w, p, 0, nil)
	}
	list, total, err := h.Stacks.Workspaces(r.Context(), space, query)
	if err != nil {
		return err
	}
	data, statuses, err := h.wireWorkspaces(r, list)
	if err != nil {
		return err
	}
	parts, err := h.besideWorkspaces(r, list, statuses)
	if err != nil {
		return err
	}
	return many(w, p, total, data, parts...)
}
