package tfe

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *Handler) varsetVariableRoutes() {
	h.handle("varsets/{varset}/relationships/vars", h.listVarsetVariables)
	h.handle("POST varsets/{varset}/relationships/vars", h.createVarsetVariable)
	h.handle("varsets/{varset}/relationships/vars/{variable}", h.readVarsetVariable)
	h.handle("PATCH varsets/{varset}/relationships/vars/{variable}", h.updateVarsetVariable)
	h.handle("DELETE varsets/{varset}/relationships/vars/{variable}", h.deleteVarsetVariable)
}

func (v variable) wireOf(s varset) object {
	return v.wire("varset", to("varsets", varsetID(s.Ref)))
}

func (h *Handler) listVarsetVariables(w http.ResponseWriter, r *http.Request) error {
	s, err := h.varset(r)
	if err != nil {
		return err
	}
	list, err := h.noted(r.Context(), s.Ref, inEnvironment(s.context.Spec.Variables))
	if err != nil {
		return err
	}
	var all []object
	for _, v := range list {
		all = append(all, v.wireOf(s))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all)
}

// varsetVariable gives the set and the variable that a path names.
func (h *Handler) varsetVariable(r *http.Request) (varset, variable, error) {
	s, err := h.varset(r)
	if err != nil {
		return s, variable{}, err
	}
	list, err := h.noted(r.Context(), s.Ref, inEnvironment(s.context.Spec.Variables))
	if err != nil {
		return s, variable{}, err
	}
	for _, v := range list {
		if v.id == r.PathValue("variable") {
			return s, v, nil
		}
	}
	return s, variable{}, fault.Errorf(fault.NotFound, "variable set %s has no such variable", s.name())
}

func (h *Handler) readVarsetVariable(w http.ResponseWriter, r *http.Request) error {
	s, v, err := h.varsetVariable(r)
	if err != nil {
		return err
	}
	return one(w, http.StatusOK, v.wireOf(s))
}

func (h *Handler) createVarsetVariable(w http.ResponseWriter, r *http.Request) error {
	s, err := h.varset(r)
	if err != nil {
		return err
	}
	v := variable{Category: ofTerraform}
	if _, err := read(w, r, bodyLimit, &v); err != nil {
		return err
	}
	if err := free(inEnvironment(s.context.Spec.Variables), v); err != nil {
		return err
	}
	v.id = "var-" + strings.ToLower(rand.Text())
	if v, err = h.setVarsetVariable(r, s, nil, v); err != nil {
		return err
	}
	return one(w, http.StatusCreated, v.wireOf(s))
}

func (h *Handler) updateVarsetVariable(w http.ResponseWriter, r *http.Request) error {
	s, before, err := h.varsetVariable(r)
	if err != nil {
		return err
	}
	v := before
	if _, err := read(w, r, bodyLimit, &v); err != nil {
		return err
	}
	if before.Sensitive && !v.Sensitive {
		return fault.Errorf(fault.Invalid, "a variable that is sensitive stays so; delete it and make it anew")
	}
	if v.name() != before.name() {
		if err := free(inEnvironment(s.context.Spec.Variables), v); err != nil {
			return err
		}
	}
	if v, err = h.setVarsetVariable(r, s, &before, v); err != nil {
		return err
	}
	return one(w, http.StatusOK, v.wireOf(s))
}

// setVarsetVariable writes a variable into the context's document, in place of one that there was.
func (h *Handler) setVarsetVariable(r *http.Request, s varset, before *variable, v variable) (variable, error) {
	if err := v.check(); err != nil {
		return v, err
	}
	if err := h.keepSecret(r.Context(), s.Space, s.Ref.Namespace+"."+s.Ref.Name, &v); err != nil {
		return v, err
	}
	err := h.editDocument(r.Context(), s.Ref, func(d *document.Document) bool {
		all, _ := d.Spec["variables"].([]any)
		if before != nil {
			all = without(all, *before)
		}
		d.Spec["variables"] = append(slices.Clone(all), v.entry())
		return true
	})
	if err != nil {
		return v, err
	}
	return h.note(r.Context(), s.Ref, v)
}

func (h *Handler) deleteVarsetVariable(w http.ResponseWriter, r *http.Request) error {
	s, v, err := h.varsetVariable(r)
	if err == nil {
		err = h.editDocument(r.Context(), s.Ref, func(d *document.Document) bool {
			all, _ := d.Spec["variables"].([]any)
			left := without(all, v)
			d.Spec["variables"] = left
			return len(left) < len(all)
		})
	}
	if err == nil {
		err = h.Stacks.ForgetVariable(r.Context(), s.Ref, v.id)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
