package tfe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
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
// secret that the environment names. What the protocol says of it besides is noted beside the document.
type variable struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Description string `json:"description"`
	Category    string `json:"category"`
	HCL         bool   `json:"hcl"`
	Sensitive   bool   `json:"sensitive"`

	id, version, secret string // SPACE/NAME of a sensitive one
}

func (v variable) check() error {
	switch {
	case v.Category != ofTerraform && v.Category != ofEnvironment:
		return fault.Errorf(fault.Invalid, "the category %.100q is neither terraform nor env", v.Category)
	case utf8.RuneCountInString(v.Description) > stack.MostDescription:
		return fault.Errorf(fault.Invalid, "Description is too long (maximum is %d characters)", stack.MostDescription)
	}
	return nil
}

// declaredID gives the id of a variable of which nothing is noted: it has the same as long as it is called so.
func declaredID(of ref.Entity, v variable, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", of, v.Category, v.Key, n))
	return "var-" + hex.EncodeToString(sum[:12])
}

// versionID changes with the value too, which a document may bring.
func (v variable) versionID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%t", v.version, v.Key, v.Value, v.Sensitive))
	return hex.EncodeToString(sum[:12])
}

func (v variable) wire(owner string, of object) object {
	var value any = v.Value
	if v.Sensitive {
		value = nil
	}
	return resource("vars", v.id, object{
		"key": v.Key, "value": value, "category": v.Category, "hcl": v.HCL, "sensitive": v.Sensitive, "description": v.Description, "version-id": v.versionID(),
	}, object{owner: of})
}

func (v variable) wireIn(ws stack.Workspace) object {
	return v.wire("configurable", to("workspaces", ws.ID))
}

// variables gives those of a workspace.
func (h *Handler) variables(ctx context.Context, ws stack.Workspace) ([]variable, error) {
	return h.noted(ctx, ws.Ref, declared(ws.Spec))
}

// noted gives the variables that a document has with what is noted of them.
func (h *Handler) noted(ctx context.Context, of ref.Entity, all []variable) ([]variable, error) {
	notes, err := h.Stacks.VariableNotes(ctx, of)
	if err != nil {
		return nil, err
	}
	return withNotes(of, all, notes), nil
}

// withNotes adds to variables what is noted of them.
func withNotes(of ref.Entity, all []variable, notes []stack.VariableNote) []variable {
	noted, taken := map[[2]string]stack.VariableNote{}, map[string]bool{}
	for _, n := range notes {
		noted[[2]string{n.Category, n.Name}], taken[n.ID] = n, true
	}
	for i := range all {
		v := &all[i]
		if n, ok := noted[[2]string{v.Category, v.Key}]; ok {
			v.id, v.Description, v.version, v.HCL = n.ID, n.Description, n.Version, v.HCL || n.HCL
			continue
		}
		for n := 0; v.id == "" || taken[v.id]; n++ {
			v.id = declaredID(of, *v, n)
		}
	}
	return all
}

// declared gives the variables that a stack's document has.
func declared(spec stack.Spec) (all []variable) {
	for _, name := range slices.Sorted(maps.Keys(spec.Variables)) {
		v := variable{Key: name, Category: ofTerraform}
		text, isText := spec.Variables[name].(string)
		if v.Value = text; !isText {
			raw, _ := json.Marshal(spec.Variables[name]) // it came from JSON
			v.Value, v.HCL = string(raw), true
		}
		all = append(all, v)
	}
	return append(all, inEnvironment(spec.Environment)...)
}

// inEnvironment gives the variables that an environment has.
func inEnvironment(list []stack.Variable) (all []variable) {
	for _, e := range list {
		v := variable{Key: e.Name, Value: e.Value, Category: ofEnvironment, Sensitive: e.SecretRef != "", secret: e.SecretRef}
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
	list, err := h.variables(r.Context(), ws)
	if err != nil {
		return err
	}
	var all []object
	for _, v := range list {
		all = append(all, v.wireIn(ws))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all)
}

// variable gives the one that a path names.
func (h *Handler) variable(r *http.Request) (stack.Workspace, variable, error) {
	ws, err := h.asked(r)
	if err != nil {
		return ws, variable{}, err
	}
	all, err := h.variables(r.Context(), ws)
	if err != nil {
		return ws, variable{}, err
	}
	for _, v := range all {
		if v.id == r.PathValue("variable") {
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
	return one(w, http.StatusOK, v.wireIn(ws))
}

func (h *Handler) createVariable(w http.ResponseWriter, r *http.Request) error {
	q, err := read(w, r, bodyLimit, &variable{})
	if err != nil {
		return err
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	v, err := h.setVariable(r.Context(), ws.Ref, "", q)
	if err != nil {
		return err
	}
	return one(w, http.StatusCreated, v.wireIn(ws))
}

// free tells whether none has the name of a variable.
func free(all []variable, v variable) error {
	for _, have := range all {
		if have.Category == v.Category && have.Key == v.Key {
			return fault.Errorf(fault.Invalid, "Key has already been taken")
		}
	}
	return nil
}

func (h *Handler) updateVariable(w http.ResponseWriter, r *http.Request) error {
	ws, v, err := h.variable(r)
	if err != nil {
		return err
	}
	q, err := read(w, r, bodyLimit, &variable{})
	if err != nil {
		return err
	}
	if v, err = h.setVariable(r.Context(), ws.Ref, v.id, q); err != nil {
		return err
	}
	return one(w, http.StatusOK, v.wireIn(ws))
}

func (h *Handler) deleteVariable(w http.ResponseWriter, r *http.Request) error {
	ws, v, err := h.variable(r)
	if err == nil {
		err = h.dropVariable(r.Context(), ws.Ref, v.id)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// name is that of a variable in an environment.
func (v variable) name() string {
	if v.Category == ofTerraform {
		return asVariable + v.Key
	}
	return v.Key
}

// entry is how a document's environment has a variable.
func (v variable) entry() map[string]any {
	if v.Sensitive {
		return map[string]any{"name": v.name(), "secretRef": v.secret}
	}
	return map[string]any{"name": v.name(), "value": v.Value}
}
