package tfe

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (h *Handler) workspaceRoutes() {
	h.handle("organizations/{organization}/workspaces", h.listWorkspaces)
	h.handle("POST organizations/{organization}/workspaces", h.createWorkspace)
	h.handle("POST workspaces/{workspace}/actions/lock", h.lock)
	h.handle("POST workspaces/{workspace}/actions/unlock", h.unlock)
	h.handle("POST workspaces/{workspace}/actions/force-unlock", h.forceUnlock)
	for _, at := range []string{"workspaces/{workspace}", "organizations/{organization}/workspaces/{name}"} {
		h.handle(at, h.readWorkspace)
		h.handle("PATCH "+at, h.updateWorkspace)
		h.handle("DELETE "+at, h.deleteWorkspace)
		h.handle("POST "+at+"/actions/safe-delete", h.safeDelete)
	}
}

// asked gives the workspace that a path names, by its id or by its name.
func (h *Handler) asked(r *http.Request) (stack.Workspace, error) {
	if id := r.PathValue("workspace"); id != "" {
		return h.Stacks.Workspace(r.Context(), id)
	}
	return h.Stacks.WorkspaceNamed(r.Context(), r.PathValue("organization"), r.PathValue("name"))
}

func (h *Handler) readWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	return h.answerWorkspace(w, r, http.StatusOK, ws)
}

func (h *Handler) answerWorkspace(w http.ResponseWriter, r *http.Request, status int, ws stack.Workspace) error {
	data, statuses, err := h.wireWorkspaces(r, []stack.Workspace{ws})
	if err != nil {
		return err
	}
	parts, err := h.besideWorkspaces(r, []stack.Workspace{ws}, statuses)
	if err != nil {
		return err
	}
	return one(w, status, data[0], parts...)
}

// wireWorkspaces gives workspaces and how they are. All is asked for at once.
func (h *Handler) wireWorkspaces(r *http.Request, list []stack.Workspace) (data []object, statuses []stack.WorkspaceStatus, err error) {
	statuses, err = h.Stacks.WorkspaceStatuses(r.Context(), list)
	for i, st := range statuses {
		data = append(data, h.wireWorkspace(r.Context(), list[i], st))
	}
	return data, statuses, err
}

func (h *Handler) wireWorkspace(ctx context.Context, ws stack.Workspace, st stack.WorkspaceStatus) object {
	may := func(action string) bool { return h.Access.May(ctx, action, ws.Space) }
	states := may("stack:state") || may("stack:state-read")
	attributes := object{
		"name": ws.Name, "description": ws.Description, "created-at": moment(ws.Created), "updated-at": moment(ws.Updated), "execution-mode": "remote", "operations": true,
		"auto-apply": ws.Spec.Autodeploy, "auto-apply-run-trigger": ws.Spec.DeploysFollowing(), "locked": st.Locked(), "terraform-version": "latest", "working-directory": ws.Path, "tag-names": ws.Tags,
		"speculative-enabled": true, "structured-run-output-enabled": false, "queue-all-runs": false, "allow-destroy-plan": true, "can-queue-destroy-plan": may("stack:destroy"),
		"file-triggers-enabled": !ws.Remote(), "global-remote-state": false, "assessments-enabled": false, "environment": "default", "source": "tfe-api",
		"resource-count": 0, "workspace-kpis-runs-count": st.Runs, "trigger-prefixes": []string{}, "trigger-patterns": []string{}, "vcs-repo": nil,
		"actions":            object{"is-destroyable": true},
		"setting-overwrites": object{"execution-mode": ws.Spec.WorkerPool != "", "agent-pool": ws.Spec.WorkerPool != ""},
		"permissions": object{
			"can-update": may("entity:write"), "can-destroy": may("entity:delete"), "can-force-delete": may("entity:delete"),
			"can-queue-run": may("stack:plan"), "can-queue-apply": may("stack:apply"), "can-queue-destroy": may("stack:destroy"),
			"can-lock": may("stack:state"), "can-unlock": states, "can-force-unlock": may("stack:unlock"), "can-read-settings": true, "can-read-variable": true,
			"can-read-state-versions": states, "can-read-state-outputs": true, "can-create-state-versions": may("stack:state"), "can-update-variable": may("entity:write"),
		},
	}
	if !ws.Remote() {
		attributes["vcs-repo"] = object{"identifier": ws.Repository, "display-identifier": ws.Repository, "branch": ws.Branch, "service-provider": "roadbed"}
	}
	if ws.Spec.WorkerPool != "" {
		attributes["execution-mode"] = inAgents
	}
	relations := object{
		"agent-pool": to("agent-pools", poolID(ws.Spec.WorkerPool)), "organization": to("organizations", ws.Space), "project": to("projects", projectOf(ws.Space)), "current-run": to("runs", ""), "current-state-version": to("state-versions", ""),
		"current-configuration-version": to("configuration-versions", wireID(st.Configuration)), "locked-by": to("users", st.LockedBy),
		"tag-bindings": bindingsOf(ws),
	}
	variables := withNotes(ws.Ref, declared(ws.Spec), st.Notes)
	listed := make([]object, len(variables))
	for i, v := range variables {
		listed[i] = object{"type": "vars", "id": v.id}
	}
	relations["vars"] = object{"data": listed}
	outputs := []object{}
	if st.State != nil {
		attributes["resource-count"] = st.State.Resources
		relations["current-state-version"] = to("state-versions", wireID(st.State.ID))
		for _, name := range slices.Sorted(maps.Keys(st.State.Outputs)) {
			outputs = append(outputs, object{"type": workspaceOutputs, "id": outputID(st.State.ID, name)})
		}
	}
	relations["outputs"] = object{"data": outputs}
	if st.Current != nil {
		relations["current-run"] = to("runs", wireID(st.Current.ID))
	}
	if st.Holds && !st.LockedByHand() {
		relations["locked-by"] = to("runs", wireID(st.Current.ID))
	}
	data := resource("workspaces", ws.ID, attributes, relations)
	data["links"] = object{"self": Prefix + "organizations/" + ws.Space + "/workspaces/" + ws.Name, "self-html": Pages + ws.Space + "/workspaces/" + ws.Name}
	return data
}

func words(text string) (all []string) {
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			all = append(all, word)
		}
	}
	return all
}

// workspaceAttributes are those that mean something here. A pointer that is nil was not sent.
type workspaceAttributes struct {
	Name             *string `json:"name"`
	Description      *string `json:"description"`
	AutoApply        *bool   `json:"auto-apply"`
	AutoApplyAfter   *bool   `json:"auto-apply-run-trigger"`
	WorkingDirectory *string `json:"working-directory"`
	ExecutionMode    *string `json:"execution-mode"`
	AgentPool        *string `json:"agent-pool-id"`
	Overwrites       struct {
		ExecutionMode *bool `json:"execution-mode"`
	} `json:"setting-overwrites"` // false is for what the organization says, which is remote
	VCS json.RawMessage `json:"vcs-repo"`
}

// Where the runs of a workspace run.
const (
	inServer = "remote"
	inAgents = "agent"
)

// mode gives where the runs are to run; "" where that was not sent.
func (a workspaceAttributes) mode() string {
	if own := a.Overwrites.ExecutionMode; a.ExecutionMode == nil && own != nil && !*own {
		return inServer
	}
	return textOf(a.ExecutionMode)
}

// check holds what was sent to what is offered.
func (a workspaceAttributes) check() error {
	mode, pool := a.mode(), textOf(a.AgentPool)
	switch {
	case mode != "" && mode != inServer && mode != inAgents:
		return fault.Errorf(fault.Invalid, "the execution mode %.100q is not offered; workspaces of this server run remotely, or by the agents of a pool", mode)
	case mode == inAgents && pool == "":
		return fault.Errorf(fault.Invalid, "the execution mode agent takes a pool; name it by agent-pool-id")
	case mode == inServer && pool != "":
		return fault.Errorf(fault.Invalid, "agent-pool-id goes with the execution mode agent, not with remote")
	}
	if len(a.VCS) > 0 && string(a.VCS) != "null" {
		return fault.Errorf(fault.Invalid, "a stack gets its repository by its document; declare it with spec.source.repository")
	}
	return nil
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// resolve puts in place of the id of a pool its name: of one that the caller has to see, unless the workspace has it, where nothing
// changes.
func (a *workspaceAttributes) resolve(ctx context.Context, h *Handler, has string) error {
	if id := textOf(a.AgentPool); id == "" || id == poolID(has) {
		a.AgentPool = nil
		return nil
	}
	p, err := h.poolOf(ctx, *a.AgentPool)
	a.AgentPool = &p.Name
	return err
}

// change writes into a document what was sent, with the pool by its name, and tells whether that changes it.
func (a workspaceAttributes) change(d *document.Document) bool {
	before := d.JSON()
	if a.AgentPool != nil {
		d.Spec["workerPool"] = *a.AgentPool
	} else if a.mode() == inServer {
		delete(d.Spec, "workerPool")
	}
	if a.Description != nil {
		d.Metadata.Description = *a.Description
	}
	if a.AutoApply != nil {
		if delete(d.Spec, "autodeploy"); *a.AutoApply {
			d.Spec["autodeploy"] = true
		}
	}
	if a.AutoApplyAfter != nil {
		follows, said := d.Spec["autodeployFollowing"].(bool)
		if !said {
			follows, _ = d.Spec["autodeploy"].(bool)
		}
		if follows != *a.AutoApplyAfter {
			d.Spec["autodeployFollowing"] = *a.AutoApplyAfter
		}
	}
	if a.WorkingDirectory != nil {
		source, _ := d.Spec["source"].(map[string]any)
		source = clone(source)
		if delete(source, "path"); *a.WorkingDirectory != "" {
			source["path"] = *a.WorkingDirectory
		}
		d.Spec["source"] = source
	}
	return string(before) != string(d.JSON())
}

func clone(m map[string]any) map[string]any {
	out := make(map[string]any, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// createWorkspace declares a stack without a repository.
func (h *Handler) createWorkspace(w http.ResponseWriter, r *http.Request) error {
	var in workspaceAttributes
	q, err := read(w, r, bodyLimit, &in)
	if err != nil {
		return err
	}
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	if in.Name == nil || !ref.ValidName(*in.Name) {
		return fault.Errorf(fault.Invalid, "the name of a workspace has letters, digits, '-', '_' and '.', at most 63")
	}
	if err := in.check(); err != nil {
		return err
	}
	if err := in.resolve(r.Context(), h, ""); err != nil {
		return err
	}
	name := strings.ToLower(*in.Name)
	switch _, err := h.Stacks.WorkspaceNamed(r.Context(), space, name); {
	case err == nil:
		return nameTaken()
	case !fault.Is(err, fault.NotFound):
		return err
	}
	d := document.Document{
		APIVersion: "roadbed.dev/v1", Kind: "Stack", Metadata: document.Metadata{Name: name, Namespace: stack.HomeNamespace(space)},
		Spec: map[string]any{"owner": actor.From(r.Context()).Ref.String(), "source": map[string]any{"upload": true}},
	}
	tags, err := q.relations("tags")
	if err != nil {
		return err
	}
	for _, tag := range tags {
		d.Metadata.Tags = append(d.Metadata.Tags, tag.Attributes.Name)
	}
	bindings, err := q.relations("tag-bindings")
	if err == nil {
		err = bind(&d, bindings, true)
	}
	if err != nil {
		return err
	}
	in.change(&d)
	if err := h.declare(r.Context(), space, d); err != nil {
		return err
	}
	ws, err := h.Stacks.WorkspaceNamed(r.Context(), space, name)
	if err != nil {
		return err
	}
	return h.answerWorkspace(w, r, http.StatusCreated, ws)
}

func (h *Handler) updateWorkspace(w http.ResponseWriter, r *http.Request) error {
	var in workspaceAttributes
	q, err := read(w, r, bodyLimit, &in)
	if err != nil {
		return err
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if err := in.resolve(r.Context(), h, ws.Spec.WorkerPool); err != nil {
		return err
	}
	if in.Name != nil && !strings.EqualFold(*in.Name, ws.Name) {
		return fault.Errorf(fault.Invalid, "a stack keeps its name; make another one and bring the state over")
	}
	bindings, err := q.relations("tag-bindings")
	if err != nil {
		return err
	}
	err = h.edit(r.Context(), ws.Ref, func(d *document.Document) (bool, error) {
		before := d.Metadata.Labels
		if q.says("tag-bindings") {
			if err := bind(d, bindings, true); err != nil {
				return false, err
			}
		}
		changed := in.change(d)
		return changed || !maps.Equal(before, d.Metadata.Labels), nil
	})
	if err != nil {
		return err
	}
	if ws, err = h.Stacks.Workspace(r.Context(), ws.ID); err != nil {
		return err
	}
	return h.answerWorkspace(w, r, http.StatusOK, ws)
}

// deleteWorkspace deletes a workspace, and the triggers by which others are run after it.
func (h *Handler) deleteWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err == nil {
		err = h.dropTriggers(r.Context(), ws)
	}
	if err == nil {
		err = h.Catalog.Delete(stack.Unfollowed(r.Context()), ws.Ref, "")
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// safeDelete deletes a workspace that manages nothing.
func (h *Handler) safeDelete(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	o, err := h.Stacks.WorkspaceStatus(r.Context(), ws)
	switch {
	case err != nil:
		return err
	case o.Locked():
		return fault.Errorf(fault.Conflict, "the workspace is locked; unlock it first")
	case o.State != nil && o.State.Resources > 0:
		return fault.Errorf(fault.Conflict, "the workspace manages %d resources; destroy them first, or delete it with -force", o.State.Resources)
	}
	if err = h.deleteWorkspace(w, r); fault.Is(err, fault.Conflict) { // of which clients would say that it manages something
		err = &fault.Error{Kind: fault.Invalid, Message: fault.Message(err), Err: err}
	}
	return err
}

func (h *Handler) lock(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := decode(w, r, bodyLimit, &in); err != nil {
		return err
	}
	return h.locking(w, r, func(ws stack.Workspace) error { return h.Stacks.LockWorkspace(r.Context(), ws.Ref, in.Reason) })
}

func (h *Handler) unlock(w http.ResponseWriter, r *http.Request) error {
	return h.locking(w, r, func(ws stack.Workspace) error {
		err := h.Stacks.UnlockWorkspace(r.Context(), ws.Ref)
		if held := (*stack.LockedError)(nil); !errors.As(err, &held) && !fault.Is(err, fault.Conflict) {
			return err
		}
		if st, wrong := h.Stacks.WorkspaceStatus(r.Context(), ws); wrong == nil && st.Holds && !st.LockedByHand() {
			return fault.Errorf(fault.Conflict, "the workspace is locked by Run %s; apply, discard or cancel it", wireID(st.Current.ID))
		}
		return err
	})
}

func (h *Handler) forceUnlock(w http.ResponseWriter, r *http.Request) error {
	return h.locking(w, r, func(ws stack.Workspace) error {
		st, err := h.Stacks.WorkspaceStatus(r.Context(), ws)
		if err != nil {
			return err
		}
		if st.Lock == "" {
			return fault.Errorf(fault.Conflict, "the workspace is not locked")
		}
		return h.Stacks.Unlock(r.Context(), ws.Ref, nil, true)
	})
}

func (h *Handler) locking(w http.ResponseWriter, r *http.Request, do func(ws stack.Workspace) error) error {
	ws, err := h.asked(r)
	if err == nil {
		err = do(ws)
	}
	if err != nil {
		return err
	}
	return h.answerWorkspace(w, r, http.StatusOK, ws)
}
