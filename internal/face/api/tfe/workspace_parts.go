package tfe

import (
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// workspaceOutputs is the type of outputs as parts of a workspace.
const workspaceOutputs = "workspace-outputs"

// besideWorkspaces gathers what a client wants beside workspaces, each once. All is asked for at once.
func (h *Handler) besideWorkspaces(r *http.Request, list []stack.Workspace, statuses []stack.WorkspaceStatus) ([]object, error) {
	parts := beside{}
	for _, what := range asksFor(r) {
		var err error
		switch what {
		case "organization":
			err = h.besideOrganizations(r, &parts, list)
		case "project":
			for _, ws := range list {
				if !parts.has("projects", ws.Space) {
					parts.add(wireProject(ws.Space))
				}
			}
		case "current_run":
			err = h.besideRuns(r, &parts, list, statuses)
		case "current_state_version":
			for _, st := range statuses {
				if st.State != nil && !parts.has("state-versions", st.State.ID) {
					parts.add(h.wireState(r, *st.State))
				}
			}
		case "current_configuration_version":
			var ids []string
			for _, st := range statuses {
				if st.Configuration != "" {
					ids = append(ids, st.Configuration)
				}
			}
			err = h.besideConfigurations(r, &parts, ids)
		case "locked_by":
			var ids []string
			for _, st := range statuses {
				ids = append(ids, st.LockedBy)
			}
			h.besideUsers(r, &parts, ids)
		case "outputs":
			for _, st := range statuses {
				besideOutputs(&parts, st)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return parts.all, nil
}

// besideOrganizations gathers the organizations of workspaces: a list has one.
func (h *Handler) besideOrganizations(r *http.Request, parts *beside, list []stack.Workspace) error {
	for _, ws := range list {
		if parts.has("organizations", ws.Space) {
			continue
		}
		e, err := h.spaceDocument(r.Context(), ws.Space)
		if err != nil {
			return err
		}
		parts.add(h.wireOrganization(r, ws.Space, e))
	}
	return nil
}

// besideRuns gathers the current runs of workspaces, as far as the caller may see them.
func (h *Handler) besideRuns(r *http.Request, parts *beside, list []stack.Workspace, statuses []stack.WorkspaceStatus) error {
	var runs []run.Run
	for _, st := range statuses {
		if st.Current != nil {
			runs = append(runs, *st.Current)
		}
	}
	details, err := h.Runs.Details(r.Context(), runs)
	if err != nil {
		return err
	}
	for i, st := range statuses {
		if st.Current == nil || parts.has("runs", st.Current.ID) {
			continue
		}
		if d, ok := details[st.Current.ID]; ok {
			parts.add(h.wireRun(r.Context(), d, list[i].ID))
		}
	}
	return nil
}

func besideOutputs(parts *beside, st stack.WorkspaceStatus) {
	if st.State == nil || parts.has("outputs", st.State.ID) {
		return
	}
	for _, o := range wireOutputs(st.State.ID, st.State.Outputs, false) {
		attributes, _ := o["attributes"].(object)
		attributes["output-type"] = attributes["type"]
		delete(attributes, "type")
		parts.add(resource(workspaceOutputs, o["id"].(string), attributes, nil))
	}
}
