package tfe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *Handler) variableRoutes() {
	h.handle("workspaces/{workspace}/vars", h.listVariables)
	h.handle("workspaces/{workspace}/all-vars", h.listVariables)
	h.handle("POST workspaces/{workspace}/vars", h.createVariable)
	h.handle("workspaces/{workspace}/vars/{variable}", h.readVariable)
	h.handle("PATCH workspaces/{workspace}/vars/{variable}", h.updateVariable)
	h.handle("DELETE workspaces/{workspace}/vars/{variable}", h.deleteVariable)
}

const (
	ofTerraform   = "terraform"
	ofEnvironment = "env"
	asVariable    = "TF_VAR_" // begins the names of the environment by which an engine gets a variable
)

// variable is one of a workspace: spec.variables are Terraform's, spec.environment the environment's. A sensitive one is a
// secret that the environment names.
type variable struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	Category  string `json:"category"`
	HCL       bool   `json:"hcl"`
	Sensitive bool   `json:"sensitive"`
}

func (v variable) id(ws stack.Workspace) string {
	sum := sha256.Sum256([]byte(ws.ID + "\x00" + v.Category + "\x00" + v.Key))
	return "var-" + hex.EncodeToString(sum[:12])
}

func (v variable) wire(ws stack.Workspace) object {
	var value any = v.Value
	if v.Sensitive {
		value = nil
	}
	return resource("vars", v.id(ws), object{"key": v.Key, "value": value, "category": v.Category, "hcl": v.HCL, "sensitive": v.Sensitive, "description": ""},
		object{"configurable": to("workspaces", ws.ID)})
}

func variablesOf(ws stack.Workspace) (all []variable) {
	for _, name := range slices.Sorted(maps.Keys(ws.Spec.Variables)) {
		v := variable{Key: name, Category: ofTerraform}
		text, isText := ws.Spec.Variables[name].(string)
		if v.Value = text; !isText {
			raw, _ := json.Marshal(ws.Spec.Variables[name]) // it came from JSON
			v.Value, v.HCL = string(raw), true
		}
		all = append(all, v)
	}
	for _, e := range ws.Spec.Environment {
		v := variable{Key: e.Name, Value: e.Value, Category: ofEnvironment, Sensitive: e.SecretRef != ""}
		if key, ok := strings.CutPrefix(e.Name, asVariable); ok {
			v.Key, v.Category = key, ofTerraform
		}
		all = append(all, v)
	}
	return all
}

func (h *Handler) listVariables(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	var all []object
	for _, v := range variablesOf(ws) {
		all = append(all, v.wire(ws))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all)
}

// variable gives the one that a path names.
func (h *Handler) variable(r *http.Request) (stack.Workspace, variable, error) {
	ws, err := h.asked(r)
	if err != nil {
		return ws, variable{}, err
	}
	for _, v := range variablesOf(ws) {
		if v.id(ws) == r.PathValue("variable") {
			return ws, v, nil
		}
	}
	return ws, variable{}, fault.Errorf(fault.NotFound, "workspace %s has no such variable", ws.Name)
}

func (h *Handler) readVariable(w http.ResponseWriter, r *http.Request) error {
	ws, v, err := h.variable(r)
	if err != nil {
		return err
	}
	return one(w, http.StatusOK, v.wire(ws))
}

func (h *Handler) createVariable(w http.ResponseWriter, r *http.Request) error {
	v := variable{Category: ofTerraform}
	if _, err := read(w, r, bodyLimit, &v); err != nil {
		return err
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	for _, have := range variablesOf(ws) {
		if have.id(ws) == v.id(ws) {
			return fault.Errorf(fault.Invalid, "Key has already been taken")
		}
	}
	if err := h.setVariable(r, ws, nil, v); err != nil {
		return err
	}
	return one(w, http.StatusCreated, v.wire(ws))
}

func (h *Handler) updateVariable(w http.ResponseWriter, r *http.Request) error {
	ws, before, err := h.variable(r)
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
	if err := h.setVariable(r, ws, &before, v); err != nil {
		return err
	}
	return one(w, http.StatusOK, v.wire(ws))
}

func (h *Handler) deleteVariable(w http.ResponseWriter, r *http.Request) error {
	ws, v, err := h.variable(r)
	if err != nil {
		return err
	}
	err = h.edit(r.Context(), ws, func(d *document.Document) bool { return dropVariable(d, v) })
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// setVariable writes a variable into the stack's document, in place of one that there was.
func (h *Handler) setVariable(r *http.Request, ws stack.Workspace, before *variable, v variable) error {
	if v.Category != ofTerraform && v.Category != ofEnvironment {
		return fault.Errorf(fault.Invalid, "the category %q is neither terraform nor env", v.Category)
	}
	name := v.Key
	if v.Category == ofTerraform {
		name = asVariable + v.Key
	}
	from := ""
	if v.Sensitive {
		from = ws.Ref.Namespace + "." + ws.Name + "." + v.Key
		if v.Value != "" { // an update that leaves it as it is sends none
			if err := h.Secrets.Put(r.Context(), ws.Space, from, secret.Change{Value: []byte(v.Value)}); err != nil {
				return err
			}
		}
	}
	return h.edit(r.Context(), ws, func(d *document.Document) bool {
		if before != nil {
			dropVariable(d, *before)
		}
		if v.Category == ofTerraform && !v.Sensitive {
			all, _ := d.Spec["variables"].(map[string]any)
			all = clone(all)
			all[v.Key] = v.Value
			d.Spec["variables"] = all
			return true
		}
		entry := map[string]any{"name": name, "value": v.Value}
		if v.Sensitive {
			entry = map[string]any{"name": name, "secretRef": ws.Space + "/" + from}
		}
		all, _ := d.Spec["environment"].([]any)
		d.Spec["environment"] = append(slices.Clone(all), entry)
		return true
	})
}

func dropVariable(d *document.Document, v variable) bool {
	if all, _ := d.Spec["variables"].(map[string]any); v.Category == ofTerraform && !v.Sensitive {
		if _, ok := all[v.Key]; ok {
			all = clone(all)
			delete(all, v.Key)
			d.Spec["variables"] = all
			return true
		}
	}
	name := v.Key
	if v.Category == ofTerraform {
		name = asVariable + v.Key
	}
	all, _ := d.Spec["environment"].([]any)
	left := slices.DeleteFunc(slices.Clone(all), func(e any) bool {
		entry, _ := e.(map[string]any)
		return entry["name"] == name
	})
	d.Spec["environment"] = left
	return len(left) < len(all)
}
