package tfe

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (h *Handler) varsetRoutes() {
	h.handle("organizations/{organization}/varsets", h.listVarsets)
	h.handle("POST organizations/{organization}/varsets", h.createVarset)
	h.handle("workspaces/{workspace}/varsets", h.listVarsetsOfWorkspace)
	h.handle("varsets/{varset}", h.readVarset)
	h.handle("PATCH varsets/{varset}", h.updateVarset)
	h.handle("DELETE varsets/{varset}", h.deleteVarset)
	h.handle("POST varsets/{varset}/relationships/workspaces", func(w http.ResponseWriter, r *http.Request) error { return h.attach(w, r, true) })
	h.handle("DELETE varsets/{varset}/relationships/workspaces", func(w http.ResponseWriter, r *http.Request) error { return h.attach(w, r, false) })
}

// varset is a set of variables: a Context document of a space, which may have files and hooks besides.
type varset struct {
	catalog.Entity
	context stack.Context
}

const (
	varsetKind = "varset-"
	toAll      = stack.Autoattach + "*"
)

func varsetID(r ref.Entity) string { return varsetKind + r.Namespace + "~" + r.Name }

func (s varset) name() string {
	if title := s.Document.Metadata.Title; title != "" {
		return title
	}
	return s.Ref.Name
}

// varset gives the one that a path names.
func (h *Handler) varset(r *http.Request) (varset, error) {
	none := access.NotFound("variable set " + r.PathValue("varset"))
	rest, ok := strings.CutPrefix(r.PathValue("varset"), varsetKind)
	namespace, name, cut := strings.Cut(rest, "~")
	if !ok || !cut || !ref.ValidName(namespace) || !ref.ValidName(name) {
		return varset{}, none
	}
	return h.varsetOf(r.Context(), ref.New("context", namespace, name))
}

func (h *Handler) varsetOf(ctx context.Context, r ref.Entity) (s varset, err error) {
	if s.context, err = h.Stacks.Context(ctx, r); err != nil {
		return s, err
	}
	s.Entity, err = h.Catalog.Get(ctx, r)
	return s, err
}

// varsetsOf gives contexts as sets, in their order, without those whose documents are not there at this moment, or may not be seen.
func (h *Handler) varsetsOf(ctx context.Context, contexts []stack.Context) (all []varset, err error) {
	refs := make([]ref.Entity, len(contexts))
	for i, c := range contexts {
		refs[i] = c.Ref
	}
	documents, err := h.Catalog.ByRefs(ctx, refs)
	if err != nil {
		return nil, err
	}
	for i, c := range contexts {
		if e := documents[i]; e != nil {
			all = append(all, varset{*e, c})
		}
	}
	return all, nil
}

// wireVarsets gives sets with their workspaces and variables, which are asked for at once.
func (h *Handler) wireVarsets(ctx context.Context, all []varset) ([]object, error) {
	contexts := make([]stack.Context, len(all))
	for i, s := range all {
		contexts[i] = s.context
	}
	parts, err := h.Stacks.PartsOf(ctx, contexts)
	if err != nil {
		return nil, err
	}
	data := make([]object, len(all))
	for i, s := range all {
		data[i] = wireVarset(s, parts[s.Ref])
	}
	return data, nil
}

func wireVarset(s varset, parts stack.ContextParts) object {
	workspaces, vars := []object{}, []object{}
	for _, id := range parts.Workspaces {
		workspaces = append(workspaces, object{"type": "workspaces", "id": id})
	}
	for _, v := range withNotes(s.Ref, inEnvironment(s.context.Spec.Variables), parts.Notes) {
		vars = append(vars, object{"type": "vars", "id": v.id})
	}
	return resource("varsets", varsetID(s.Ref), object{
		"name": s.name(), "description": s.context.Spec.Description, "global": slices.Contains(s.context.Spec.Labels, toAll), "priority": false,
		"created-at": moment(s.Created), "updated-at": moment(s.Updated), "var-count": len(vars), "workspace-count": len(workspaces), "project-count": 0,
	}, object{
		"organization": to("organizations", s.Space), "parent": to("organizations", s.Space), "projects": toNone(),
		"workspaces": object{"data": workspaces}, "vars": object{"data": vars},
	})
}

func (h *Handler) answerVarset(w http.ResponseWriter, r *http.Request, status int, which ref.Entity) error {
	s, err := h.varsetOf(r.Context(), which)
	if err != nil {
		return err
	}
	data, err := h.wireVarsets(r.Context(), []varset{s})
	if err != nil {
		return err
	}
	return one(w, status, data[0])
}

func (h *Handler) listVarsets(w http.ResponseWriter, r *http.Request) error {
	p, space := pagingOf(r), r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	if !h.Access.May(r.Context(), "entity:read", space) { // the documents are the space's
		return many(w, p, 0, nil)
	}
	contexts, total, err := h.Stacks.ContextsPart(r.Context(), space, r.URL.Query().Get("q"), p.place())
	if err != nil {
		return err
	}
	all, err := h.varsetsOf(r.Context(), contexts)
	if err != nil {
		return err
	}
	data, err := h.wireVarsets(r.Context(), all)
	if err != nil {
		return err
	}
	return many(w, p, total, data)
}

// listVarsetsOfWorkspace lists those that a workspace has, of its space and those above as far as the caller may see them.
func (h *Handler) listVarsetsOfWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	given, err := h.Stacks.Environment(r.Context(), ws.Ref)
	if err != nil {
		return err
	}
	refs := make([]ref.Entity, len(given.Contexts))
	for i, c := range given.Contexts {
		refs[i] = c.Ref
	}
	found, err := h.Stacks.ContextsNamed(r.Context(), refs)
	if err != nil {
		return err
	}
	text := strings.ToLower(r.URL.Query().Get("q"))
	var contexts []stack.Context
	for _, of := range refs {
		if c, ok := found[of]; ok && strings.Contains(strings.ToLower(c.Title), text) {
			contexts = append(contexts, c)
		}
	}
	all, err := h.varsetsOf(r.Context(), contexts)
	if err != nil {
		return err
	}
	p := pagingOf(r)
	data, err := h.wireVarsets(r.Context(), cut(all, p))
	if err != nil {
		return err
	}
	return many(w, p, len(all), data)
}

func (h *Handler) readVarset(w http.ResponseWriter, r *http.Request) error {
	s, err := h.varset(r)
	if err != nil {
		return err
	}
	return h.answerVarset(w, r, http.StatusOK, s.Ref)
}

type varsetAttributes struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Global      *bool   `json:"global"`
	Priority    *bool   `json:"priority"`
}

func (a varsetAttributes) check(q request) error {
	projects, err := q.relations("projects")
	if err != nil {
		return err
	}
	parent, err := q.relation("parent")
	switch {
	case err != nil:
		return err
	case a.Priority != nil && *a.Priority:
		return fault.Errorf(fault.Invalid, "a set that has priority is not offered: what a stack's document says counts before its contexts")
	case a.Name != nil && (strings.TrimSpace(*a.Name) == "" || len(*a.Name) > 90):
		return fault.Errorf(fault.Invalid, "Name has between 1 and 90 characters")
	case len(projects) > 0:
		return fault.Errorf(fault.Invalid, "an organization has one project; apply the set to workspaces, or to all of them by global")
	case parent.Type == "projects":
		return fault.Errorf(fault.Invalid, "a set belongs to an organization; projects have none here")
	}
	return nil
}

// change writes into a document what was sent, and the workspaces that it is to be attached to, unless that is nil.
func (a varsetAttributes) change(d *document.Document, attach []any) bool {
	before := d.JSON()
	if a.Name != nil {
		d.Metadata.Title = *a.Name
	}
	if a.Description != nil {
		d.Metadata.Description = *a.Description
		delete(d.Spec, "description")
	}
	if a.Global != nil {
		labels, _ := d.Spec["labels"].([]any)
		labels = slices.DeleteFunc(slices.Clone(labels), func(l any) bool { return l == toAll })
		if *a.Global {
			labels = append(labels, toAll)
		}
		if delete(d.Spec, "labels"); len(labels) > 0 {
			d.Spec["labels"] = labels
		}
	}
	if attach != nil {
		if delete(d.Spec, "attach"); len(attach) > 0 {
			d.Spec["attach"] = attach
		}
	}
	return string(before) != string(d.JSON())
}

// stacksOf gives the references of the workspaces that a request relates to; nil where it says nothing of them.
func (h *Handler) stacksOf(ctx context.Context, q request) ([]any, error) {
	if !q.says("workspaces") {
		return nil, nil
	}
	related, err := q.relations("workspaces")
	if err != nil {
		return nil, err
	}
	attach := []any{}
	for _, to := range related {
		ws, err := h.Stacks.Workspace(ctx, to.ID)
		if err != nil {
			return nil, err
		}
		attach = append(attach, ws.Ref.String())
	}
	return attach, nil
}

// createVarset declares a context.
func (h *Handler) createVarset(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	var in varsetAttributes
	q, err := read(w, r, bodyLimit, &in)
	if err == nil {
		err = in.check(q)
	}
	if err == nil && in.Name == nil {
		err = fault.Errorf(fault.Invalid, "Name can't be blank")
	}
	if err != nil {
		return err
	}
	attach, err := h.stacksOf(r.Context(), q)
	if err != nil {
		return err
	}
	free := func() error { return h.freeName(r.Context(), space, *in.Name, ref.Entity{}) }
	if err := free(); err != nil {
		return err
	}
	d := document.Document{
		APIVersion: "roadbed.dev/v1", Kind: "Context", Spec: map[string]any{"owner": actor.From(r.Context()).Ref.String()},
		Metadata: document.Metadata{Name: plainName(*in.Name, "variables"), Namespace: stack.HomeNamespace(space)},
	}
	in.change(&d, attach)
	made, err := h.declareTitled(r.Context(), space, d, free)
	if err != nil {
		return err
	}
	return h.answerVarset(w, r, http.StatusCreated, made)
}

// freeName tells whether no other set of a space has a name.
func (h *Handler) freeName(ctx context.Context, space, name string, but ref.Entity) error {
	taken, err := h.Stacks.TitleTaken(ctx, space, name, but)
	if taken {
		return nameTaken()
	}
	return err
}

// plainName makes of a name one that a document may have; of one with nothing of that, another.
func plainName(text, otherwise string) string {
	plain := strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(text)), "-")
	if plain = strings.Trim(plain[:min(len(plain), 50)], "-"); plain == "" {
		return otherwise
	}
	return plain
}

func (h *Handler) updateVarset(w http.ResponseWriter, r *http.Request) error {
	s, err := h.varset(r)
	if err != nil {
		return err
	}
	var in varsetAttributes
	q, err := read(w, r, bodyLimit, &in)
	if err == nil {
		err = in.check(q)
	}
	if err != nil {
		return err
	}
	attach, err := h.stacksOf(r.Context(), q)
	if err == nil && in.Name != nil {
		err = h.freeName(r.Context(), s.Space, *in.Name, s.Ref)
	}
	if err == nil {
		err = h.edit(r.Context(), s.Ref, func(d *document.Document) (bool, error) { return in.change(d, attach), nil })
	}
	if err != nil {
		return err
	}
	return h.answerVarset(w, r, http.StatusOK, s.Ref)
}

func (h *Handler) deleteVarset(w http.ResponseWriter, r *http.Request) error {
	s, err := h.varset(r)
	if err == nil {
		err = h.Catalog.Delete(r.Context(), s.Ref, "")
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// attach attaches a set to workspaces, or takes it from them.
func (h *Handler) attach(w http.ResponseWriter, r *http.Request, on bool) error {
	s, err := h.varset(r)
	if err != nil {
		return err
	}
	ids, err := identifiers(w, r)
	if err != nil {
		return err
	}
	for _, id := range ids {
		ws, err := h.Stacks.Workspace(r.Context(), id)
		if err != nil {
			return err
		}
		name := ws.Ref.String()
		if !on && slices.Contains(ws.Spec.Contexts, s.Ref.String()) {
			return fault.Errorf(fault.Conflict, "workspace %s names the set in its document; take it out there", ws.Name)
		}
		err = h.edit(r.Context(), s.Ref, func(d *document.Document) (bool, error) {
			all, _ := d.Spec["attach"].([]any)
			left := slices.DeleteFunc(slices.Clone(all), func(have any) bool {
				text, _ := have.(string)
				at, err := ref.Parse(text, "stack", d.Ref().Namespace)
				return err == nil && at == ws.Ref
			})
			if on {
				left = append(left, name)
			}
			d.Spec["attach"] = left
			return len(left) != len(all), nil
		})
		if err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
