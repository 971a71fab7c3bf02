package tfe

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Run triggers are the dependencies of stacks: spec.dependsOn of the workspace that is run after another.
func (h *Handler) triggerRoutes() {
	h.handle("workspaces/{workspace}/run-triggers", h.listTriggers)
	h.handle("POST workspaces/{workspace}/run-triggers", h.createTrigger)
	h.handle("run-triggers/{trigger}", h.readTrigger)
	h.handle("DELETE run-triggers/{trigger}", h.deleteTrigger)
}

const (
	triggerKind   = "rt-"
	workspaceKind = "ws-"
)

// triggerID names a trigger by both of its workspaces: there is one of each two.
func triggerID(t stack.RunTrigger) string {
	return triggerKind + strings.TrimPrefix(t.Workspace.ID, workspaceKind) + "~" + strings.TrimPrefix(t.Source.ID, workspaceKind)
}

// trigger gives the one that a path names.
func (h *Handler) trigger(r *http.Request) (stack.RunTrigger, error) {
	none := access.NotFound("run trigger " + r.PathValue("trigger"))
	rest, ok := strings.CutPrefix(r.PathValue("trigger"), triggerKind)
	ws, upstream, cut := strings.Cut(rest, "~")
	if !ok || !cut {
		return stack.RunTrigger{}, none
	}
	t, err := h.Stacks.RunTrigger(r.Context(), workspaceKind+ws, workspaceKind+upstream)
	if fault.Is(err, fault.NotFound) {
		err = none
	}
	return t, err
}

func wireTrigger(t stack.RunTrigger) object {
	return resource("run-triggers", triggerID(t), object{
		"created-at": moment(t.Created), "workspace-name": t.Workspace.Name, "sourceable-name": t.Source.Name,
	}, object{"workspace": to("workspaces", t.Workspace.ID), "sourceable": to("workspaces", t.Source.ID)})
}

// besideTriggers gathers the workspaces that a client wants beside triggers, each once.
func (h *Handler) besideTriggers(r *http.Request, list []stack.RunTrigger) ([]object, error) {
	parts := beside{}
	var found []stack.Workspace
	for _, what := range asksFor(r) {
		for _, t := range list {
			of := t.Workspace
			if what == "sourceable" {
				of = t.Source
			} else if what != "workspace" {
				continue
			}
			if !parts.has("workspaces", of.ID) {
				found = append(found, of)
			}
		}
	}
	data, _, err := h.wireWorkspaces(r, found)
	return data, err
}

func (h *Handler) listTriggers(w http.ResponseWriter, r *http.Request) error {
	const inbound, outbound = "inbound", "outbound"
	way := r.URL.Query().Get("filter[run-trigger][type]")
	if way != inbound && way != outbound {
		return fault.Errorf(fault.Invalid, "filter[run-trigger][type] is %.100q; write inbound for what the workspace is run after, or outbound for what is run after it", way)
	}
	p := pagingOf(r)
	list, total, err := h.Stacks.RunTriggers(r.Context(), r.PathValue("workspace"), way == outbound, p.place())
	if err != nil {
		return err
	}
	parts, err := h.besideTriggers(r, list)
	if err != nil {
		return err
	}
	data := make([]object, len(list))
	for i, t := range list {
		data[i] = wireTrigger(t)
	}
	return many(w, p, total, data, parts...)
}

func (h *Handler) answerTrigger(w http.ResponseWriter, r *http.Request, status int, t stack.RunTrigger) error {
	parts, err := h.besideTriggers(r, []stack.RunTrigger{t})
	if err != nil {
		return err
	}
	return one(w, status, wireTrigger(t), parts...)
}

func (h *Handler) readTrigger(w http.ResponseWriter, r *http.Request) error {
	t, err := h.trigger(r)
	if err != nil {
		return err
	}
	return h.answerTrigger(w, r, http.StatusOK, t)
}

// dependencies gives what a document depends on, as it has it, and where another stack is among these; -1 where it is not.
func dependencies(d *document.Document, on ref.Entity) (all []any, at int) {
	all, _ = d.Spec["dependsOn"].([]any)
	return all, slices.IndexFunc(all, func(one any) bool {
		entry, _ := one.(map[string]any)
		text, _ := entry["stack"].(string)
		r, err := ref.Parse(text, "stack", d.Ref().Namespace)
		return err == nil && r == on
	})
}

func (h *Handler) createTrigger(w http.ResponseWriter, r *http.Request) error {
	q, err := read(w, r, bodyLimit, &struct{}{})
	if err != nil {
		return err
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	on, err := q.relation("sourceable")
	if err != nil {
		return err
	}
	if on.ID == "" {
		return wrongRelation("sourceable", "is missing; name the workspace after which this one is run")
	}
	upstream, err := h.Stacks.Workspace(r.Context(), on.ID)
	if err != nil {
		return err
	}
	if upstream.Ref == ws.Ref {
		return wrongRelation("sourceable", "is the workspace itself; name another one")
	}
	if err := h.Stacks.MayFollow(r.Context(), ws, upstream); err != nil {
		return err
	}
	err = h.edit(r.Context(), ws.Ref, func(d *document.Document) (bool, error) {
		all, at := dependencies(d, upstream.Ref)
		if at >= 0 {
			return false, wrongRelation("sourceable", "has already been taken: the document of "+ws.Name+" depends on "+upstream.Name)
		}
		d.Spec["dependsOn"] = append(slices.Clone(all), map[string]any{"stack": upstream.Ref.String(), "always": true})
		return true, nil
	})
	if err != nil {
		return err
	}
	t, err := h.Stacks.RunTrigger(r.Context(), ws.ID, upstream.ID)
	if err != nil {
		return err
	}
	return h.answerTrigger(w, r, http.StatusCreated, t)
}

// mostFollowers bounds the triggers that go with the workspace after which they run others.
const mostFollowers = 100

// dropTriggers takes the triggers away by which others are run after a workspace that is to be deleted. Conflict, before any has
// gone, where something stands by it that is more than a trigger, or may not be changed here.
func (h *Handler) dropTriggers(ctx context.Context, ws stack.Workspace) error {
	e, err := h.Catalog.Get(ctx, ws.Ref)
	if err == nil {
		err = h.Access.Authorize(ctx, "entity:delete", ws.Space)
	}
	if err != nil || strings.Contains(e.Source, ":") && !e.Orphan { // of which who deletes it is told
		return err
	}
	list, all, err := h.Stacks.Followers(ctx, ws.ID, mostFollowers)
	if err != nil {
		return err
	}
	var stay []string
	for _, f := range list {
		of, err := h.Catalog.Get(ctx, f.Ref)
		if err == nil {
			err = h.mayEdit(ctx, of)
		}
		switch kind := fault.KindOf(err); {
		case err != nil && kind != fault.Denied && kind != fault.Conflict && kind != fault.NotFound:
			return err
		case err != nil || !onlyTrigger(&of.Document, ws.Ref):
			stay = append(stay, f.Space+"/"+f.Name)
		}
	}
	if hidden := all - len(list); hidden > 0 {
		stay = append(stay, fmt.Sprintf("%d that are not shown to you", hidden))
	}
	if len(stay) > 0 {
		return fault.Errorf(fault.Conflict, "workspace %s is followed by %s, of which you can't take the triggers away here; have it taken out of spec.dependsOn of their documents first", ws.Name, strings.Join(stay, ", "))
	}
	for _, f := range list {
		err := h.edit(ctx, f.Ref, func(d *document.Document) (bool, error) {
			return onlyTrigger(d, ws.Ref) && undepend(d, ws.Ref), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// onlyTrigger tells whether what a document says of another stack is what createTrigger writes.
func onlyTrigger(d *document.Document, on ref.Entity) bool {
	all, at := dependencies(d, on)
	if at < 0 {
		return false
	}
	entry, _ := all[at].(map[string]any)
	outputs, _ := entry["outputs"].([]any)
	return entry["always"] == true && len(outputs) == 0
}

// undepend takes another stack out of a document, and tells whether it was there.
func undepend(d *document.Document, on ref.Entity) bool {
	all, at := dependencies(d, on)
	if at < 0 {
		return false
	}
	left := slices.Delete(slices.Clone(all), at, at+1)
	if d.Spec["dependsOn"] = left; len(left) == 0 {
		delete(d.Spec, "dependsOn")
	}
	return true
}

// deleteTrigger takes a dependency out of a document. One by which the stack is given outputs stays: its runs need them.
func (h *Handler) deleteTrigger(w http.ResponseWriter, r *http.Request) error {
	t, err := h.trigger(r)
	if err != nil {
		return err
	}
	err = h.edit(r.Context(), t.Workspace.Ref, func(d *document.Document) (bool, error) {
		all, at := dependencies(d, t.Source.Ref)
		if at < 0 {
			return false, nil
		}
		entry, _ := all[at].(map[string]any)
		if outputs, _ := entry["outputs"].([]any); len(outputs) > 0 {
			return false, fault.Errorf(fault.Conflict, "%s is given %d outputs of %s, which its runs need; change spec.dependsOn of its document", t.Workspace.Ref, len(outputs), t.Source.Ref)
		}
		return undepend(d, t.Source.Ref), nil
	})
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
