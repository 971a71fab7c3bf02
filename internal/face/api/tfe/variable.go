package tfe

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
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
	return h.noted(ctx, ws.Ref, declared(ws))
}

// noted gives the variables that a document has with what is noted of them.
func (h *Handler) noted(ctx context.Context, of ref.Entity, all []variable) ([]variable, error) {
	notes, err := h.Stacks.VariableNotes(ctx, of)
	if err != nil {
		return nil, err
	}
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
	return all, nil
}

// declared gives the variables that a stack's document has.
func declared(ws stack.Workspace) (all []variable) {
	for _, name := range slices.Sorted(maps.Keys(ws.Spec.Variables)) {
		v := variable{Key: name, Category: ofTerraform}
		text, isText := ws.Spec.Variables[name].(string)
		if v.Value = text; !isText {
			raw, _ := json.Marshal(ws.Spec.Variables[name]) // it came from JSON
			v.Value, v.HCL = string(raw), true
		}
		all = append(all, v)
	}
	return append(all, inEnvironment(ws.Spec.Environment)...)
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
	v := variable{Category: ofTerraform}
	if _, err := read(w, r, bodyLimit, &v); err != nil {
		return err
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	if err := free(declared(ws), v); err != nil {
		return err
	}
	v.id = "var-" + strings.ToLower(rand.Text())
	if v, err = h.setVariable(r, ws, nil, v); err != nil {
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
	if v.Category != before.Category || v.Key != before.Key {
		if err := free(declared(ws), v); err != nil {
			return err
		}
	}
	if v, err = h.setVariable(r, ws, &before, v); err != nil {
		return err
	}
	return one(w, http.StatusOK, v.wireIn(ws))
}

func (h *Handler) deleteVariable(w http.ResponseWriter, r *http.Request) error {
	ws, v, err := h.variable(r)
	if err == nil {
		err = h.edit(r.Context(), ws, func(d *document.Document) bool { return dropVariable(d, v) })
	}
	if err == nil {
		err = h.Stacks.ForgetVariable(r.Context(), ws.Ref, v.id)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// setVariable writes a variable into the stack's document, in place of one that there was, and notes what has no place there.
func (h *Handler) setVariable(r *http.Request, ws stack.Workspace, before *variable, v variable) (variable, error) {
	if err := v.check(); err != nil {
		return v, err
	}
	if err := h.writeVariable(r, ws, before, v); err != nil {
		return v, err
	}
	return h.note(r.Context(), ws.Ref, v)
}

// note keeps what a document has no place for, and gives the variable as it is shown.
func (h *Handler) note(ctx context.Context, of ref.Entity, v variable) (variable, error) {
	n, err := h.Stacks.NoteVariable(ctx, of, stack.VariableNote{ID: v.id, Category: v.Category, Name: v.Key, Description: v.Description, HCL: v.HCL})
	if v.version = n.Version; v.Sensitive {
		v.Value = ""
	}
	return v, err
}

func (h *Handler) writeVariable(r *http.Request, ws stack.Workspace, before *variable, v variable) error {
	if err := h.keepSecret(r.Context(), ws.Space, ws.Ref.Namespace+"."+ws.Name, &v); err != nil {
		return err
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
		all, _ := d.Spec["environment"].([]any)
		d.Spec["environment"] = append(slices.Clone(all), v.entry())
		return true
	})
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

// keepSecret makes the value of a sensitive variable a secret of a space. Of a value that an update leaves as it is, none is
// sent.
func (h *Handler) keepSecret(ctx context.Context, space, of string, v *variable) error {
	if !v.Sensitive || v.Value == "" && v.secret != "" {
		return nil
	}
	where, name, own := strings.Cut(v.secret, "/")
	if !own || where != space {
		name = of + "." + v.Key + "." + v.id[len("var-"):][:6] // another variable had this name, perhaps
	}
	if err := h.Secrets.Put(ctx, space, name, secret.Change{Value: []byte(v.Value)}); err != nil {
		return err
	}
	v.secret = space + "/" + name
	return nil
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
	all, _ := d.Spec["environment"].([]any)
	left := without(all, v)
	d.Spec["environment"] = left
	return len(left) < len(all)
}

// without gives the entries of an environment but that of a variable.
func without(all []any, v variable) []any {
	return slices.DeleteFunc(slices.Clone(all), func(e any) bool {
		entry, _ := e.(map[string]any)
		return entry["name"] == v.name()
	})
}
