package tfe

import (
	"net/http"

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
	q, err := read(w, r, bodyLimit, &variable{})
	if err != nil {
		return err
	}
	v, err := h.setVariable(r.Context(), s.Ref, "", q)
	if err != nil {
		return err
	}
	return one(w, http.StatusCreated, v.wireOf(s))
}

func (h *Handler) updateVarsetVariable(w http.ResponseWriter, r *http.Request) error {
	s, v, err := h.varsetVariable(r)
	if err != nil {
		return err
	}
	q, err := read(w, r, bodyLimit, &variable{})
	if err != nil {
		return err
	}
	if v, err = h.setVariable(r.Context(), s.Ref, v.id, q); err != nil {
		return err
	}
	return one(w, http.StatusOK, v.wireOf(s))
}

func (h *Handler) deleteVarsetVariable(w http.ResponseWriter, r *http.Request) error {
	s, v, err := h.varsetVariable(r)
	if err == nil {
		err = h.dropVariable(r.Context(), s.Ref, v.id)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
