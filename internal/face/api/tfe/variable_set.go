package tfe

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// inDocument gives the variables that a document has, a stack's or a context's, with what is noted of them.
func (h *Handler) inDocument(ctx context.Context, d document.Document) (all []variable, err error) {
	if d.Kind == "Context" {
		var spec stack.ContextSpec
		err = document.DecodeLoose(d, &spec)
		all = inEnvironment(spec.Variables)
	} else {
		var spec stack.Spec
		err = document.DecodeLoose(d, &spec)
		all = declared(spec)
	}
	if err != nil {
		return nil, err
	}
	return h.noted(ctx, d.Ref(), all)
}

// setVariable makes a variable of a workspace or a set what was sent, a new one for the id "". What was not sent stays as it is in
// the document that is changed. What has no place there is noted.
func (h *Handler) setVariable(ctx context.Context, of ref.Entity, id string, sent request) (v variable, err error) {
	anew := id == ""
	if anew {
		id = "var-" + strings.ToLower(rand.Text())
	}
	err = h.editEntity(ctx, of, func(e catalog.Entity, d *document.Document) (bool, error) {
		all, err := h.inDocument(ctx, *d)
		if err != nil {
			return false, err
		}
		before := (*variable)(nil)
		if v = (variable{id: id, Category: ofTerraform}); !anew {
			if before = withID(all, id); before == nil {
				return false, noVariable(of)
			}
			v = *before
		}
		if err := sent.into(&v); err != nil {
			return false, err
		}
		if err := v.follows(before, all); err != nil {
			return false, err
		}
		if err := h.keepSecret(ctx, e, &v); err != nil {
			return false, err
		}
		v.write(d, before)
		return true, nil
	})
	if err != nil {
		return v, err
	}
	return h.note(ctx, of, v, sent)
}

func (h *Handler) dropVariable(ctx context.Context, of ref.Entity, id string) error {
	err := h.edit(ctx, of, func(d *document.Document) (bool, error) {
		all, err := h.inDocument(ctx, *d)
		if err != nil {
			return false, err
		}
		v := withID(all, id)
		if v == nil {
			return false, noVariable(of)
		}
		return v.drop(d), nil
	})
	if err != nil {
		return err
	}
	return h.Stacks.ForgetVariable(ctx, of, id)
}

func noVariable(of ref.Entity) error {
	return fault.Errorf(fault.NotFound, "%s has no such variable", of)
}

func withID(all []variable, id string) *variable {
	if i := slices.IndexFunc(all, func(v variable) bool { return v.id == id }); i >= 0 {
		return &all[i]
	}
	return nil
}

// follows tells whether a variable may take the place of one that there was, or be beside all others.
func (v variable) follows(before *variable, all []variable) error {
	if err := v.check(); err != nil {
		return err
	}
	if before != nil && before.Sensitive && !v.Sensitive {
		return fault.Errorf(fault.Invalid, "a variable that is sensitive stays so; delete it and make it anew")
	}
	if before != nil && v.Category == before.Category && v.Key == before.Key {
		return nil
	}
	return free(all, v)
}

// note keeps what was sent that a document has no place for, and gives the variable as it is shown.
func (h *Handler) note(ctx context.Context, of ref.Entity, v variable, sent request) (variable, error) {
	var said struct {
		Description *string `json:"description"`
		HCL         *bool   `json:"hcl"`
	}
	if err := sent.into(&said); err != nil {
		return v, err
	}
	if v.HCL { // or was so by its value in the document, in place of which there is a text now
		said.HCL = &v.HCL
	}
	n, err := h.Stacks.NoteVariable(ctx, of, stack.VariableChange{ID: v.id, Category: v.Category, Name: v.Key, Description: said.Description, HCL: said.HCL})
	if v.version, v.Description, v.HCL = n.Version, n.Description, n.HCL; v.Sensitive {
		v.Value = ""
	}
	return v, err
}

// keepSecret makes the value of a sensitive variable a secret of the space of its document, as who may change that. Of a value that
// an update leaves as it is, none is sent. A secret that was not made for this very variable stays as it is: others may be given it.
func (h *Handler) keepSecret(ctx context.Context, e catalog.Entity, v *variable) error {
	if !v.Sensitive || v.Value == "" && v.secret != "" {
		return nil
	}
	if err := h.mayEdit(ctx, e); err != nil {
		return err
	}
	begins, ends := e.Ref.Namespace+"."+e.Ref.Name+".", "."+v.id[len("var-"):][:6] // another variable had this name, perhaps
	space, name, _ := strings.Cut(v.secret, "/")
	if space != e.Space || !strings.HasPrefix(name, begins) || !strings.HasSuffix(name, ends) {
		name = begins + v.Key + ends
	}
	if err := h.Secrets.Put(ctx, e.Space, name, secret.Change{Value: []byte(v.Value)}); err != nil {
		return err
	}
	v.secret = e.Space + "/" + name
	return nil
}

// environmentIn names the part of a document's spec that is an environment.
func environmentIn(d *document.Document) string {
	if d.Kind == "Context" {
		return "variables"
	}
	return "environment"
}

// plainIn tells whether a variable is one of those of a stack that are no environment.
func (v variable) plainIn(d *document.Document) bool {
	return d.Kind != "Context" && v.Category == ofTerraform && !v.Sensitive
}

// write writes a variable into a document, in place of one that there was.
func (v variable) write(d *document.Document, before *variable) {
	value := any(v.Value)
	if before != nil {
		plain, _ := d.Spec["variables"].(map[string]any)
		if was, ok := plain[before.Key]; ok && before.plainIn(d) && v.Value == before.Value {
			value = was // perhaps no text
		}
		before.drop(d)
	}
	if v.plainIn(d) {
		all, _ := d.Spec["variables"].(map[string]any)
		all = clone(all)
		all[v.Key] = value
		d.Spec["variables"] = all
		return
	}
	all, _ := d.Spec[environmentIn(d)].([]any)
	d.Spec[environmentIn(d)] = append(slices.Clone(all), v.entry())
}

// drop takes a variable out of a document, and tells whether it was there.
func (v variable) drop(d *document.Document) bool {
	if all, _ := d.Spec["variables"].(map[string]any); v.plainIn(d) {
		if _, ok := all[v.Key]; ok {
			all = clone(all)
			delete(all, v.Key)
			d.Spec["variables"] = all
			return true
		}
	}
	all, _ := d.Spec[environmentIn(d)].([]any)
	left := slices.DeleteFunc(slices.Clone(all), func(e any) bool {
		entry, _ := e.(map[string]any)
		return entry["name"] == v.name()
	})
	d.Spec[environmentIn(d)] = left
	return len(left) < len(all)
}
