package tfe

import (
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// workspaceOutputs is the type of outputs as parts of a workspace.
const workspaceOutputs = "workspace-outputs"

// besideWorkspace gathers what a client wants beside a workspace.
func (h *Handler) besideWorkspace(r *http.Request, parts *beside, ws stack.Workspace, st stack.WorkspaceStatus) error {
	for _, what := range asksFor(r) {
		switch what {
		case "organization":
			if parts.has("organizations", ws.Space) {
				continue
			}
			e, err := h.spaceDocument(r.Context(), ws.Space)
			if err != nil {
				return err
			}
			parts.add(h.wireOrganization(r, ws.Space, e))
		case "project":
			if !parts.has("projects", ws.Space) {
				parts.add(wireProject(ws.Space))
			}
		case "current_run":
			if st.Current == nil || parts.has("runs", st.Current.ID) {
				continue
			}
			k, err := h.wireRun(r.Context(), *st.Current)
			if err != nil {
				return err
			}
			parts.add(k)
		case "current_state_version":
			if st.State != nil && !parts.has("state-versions", st.State.ID) {
				parts.add(h.wireState(r, *st.State))
			}
		case "current_configuration_version":
			if st.Configuration == "" || parts.has("configuration-versions", st.Configuration) {
				continue
			}
			c, err := h.Stacks.Configuration(r.Context(), st.Configuration)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			parts.add(wireConfiguration(c, nil))
		case "locked_by":
			if st.LockedBy != "" && !parts.has("users", st.LockedBy) {
				parts.add(h.wireUser(r.Context(), st.LockedBy))
			}
		case "outputs":
			besideOutputs(parts, st)
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
