package tfe

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Tags with values are the labels of a document whose keys have no prefix: those that have one are of programs.
func (h *Handler) bindingRoutes() {
	h.handle("workspaces/{workspace}/tag-bindings", h.listBindings("tag-bindings"))
	h.handle("workspaces/{workspace}/effective-tag-bindings", h.listBindings("effective-tag-bindings"))
	h.handle("PATCH workspaces/{workspace}/tag-bindings", h.addBindings)
}

// mostBindings bounds those of one workspace.
const mostBindings = 10

func bindingID(key string) string { return "tb-" + key }

func wireBinding(kind, key, value string) object {
	return resource(kind, bindingID(key), object{"key": key, "value": value}, nil)
}

func bindingsOf(ws stack.Workspace) object {
	all := []object{}
	for _, key := range slices.Sorted(maps.Keys(ws.Labels)) {
		all = append(all, object{"type": "tag-bindings", "id": bindingID(key)})
	}
	return object{"data": all}
}

func (h *Handler) listBindings(kind string) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		ws, err := h.asked(r)
		if err != nil {
			return err
		}
		var all []object
		for _, key := range slices.Sorted(maps.Keys(ws.Labels)) {
			all = append(all, wireBinding(kind, key, ws.Labels[key]))
		}
		return many(w, paging{1, max(len(all), 1)}, len(all), all)
	}
}

// bind writes bindings into a document, in place of all others or beside them.
func bind(d *document.Document, bindings []identifier, all bool) error {
	labels := map[string]string{}
	for key, value := range d.Metadata.Labels {
		if !all || strings.Contains(key, "/") {
			labels[key] = value
		}
	}
	for _, b := range bindings {
		if b.Attributes.Key == "" || strings.Contains(b.Attributes.Key, "/") {
			return fault.Errorf(fault.Invalid, "%.100q is not the key of a tag", b.Attributes.Key)
		}
		labels[b.Attributes.Key] = b.Attributes.Value
	}
	own := 0
	for key := range labels {
		if !strings.Contains(key, "/") {
			own++
		}
	}
	if own > mostBindings {
		return fault.Errorf(fault.Invalid, "cannot exceed %d bindings per resource", mostBindings)
	}
	if d.Metadata.Labels = labels; len(labels) == 0 {
		d.Metadata.Labels = nil
	}
	return nil
}

func (h *Handler) addBindings(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	var in struct {
		Data []identifier `json:"data"`
	}
	if err := decode(w, r, bodyLimit, &in); err != nil {
		return err
	}
	if len(in.Data) > mostTags {
		return fault.Errorf(fault.TooLarge, "at most %d are named at once", mostTags)
	}
	err = h.edit(r.Context(), ws.Ref, func(d *document.Document) (bool, error) {
		before := d.Metadata.Labels
		err := bind(d, in.Data, false)
		return !maps.Equal(before, d.Metadata.Labels), err
	})
	if err != nil {
		return err
	}
	if ws, err = h.Stacks.Workspace(r.Context(), ws.ID); err != nil {
		return err
	}
	var all []object // those that were sent come first
	for _, b := range in.Data {
		key := b.Attributes.Key
		if value, ok := ws.Labels[key]; ok {
			all = append(all, wireBinding("tag-bindings", key, value))
			delete(ws.Labels, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(ws.Labels)) {
		all = append(all, wireBinding("tag-bindings", key, ws.Labels[key]))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all)
}

// boundTo gives what workspaces are narrowed to by their tags with values.
func boundTo(q url.Values) (labels map[string]string) {
	labels = map[string]string{}
	for i := range mostBindings {
		if key := q.Get(fmt.Sprintf("filter[tagged][%d][key]", i)); key != "" {
			labels[key] = q.Get(fmt.Sprintf("filter[tagged][%d][value]", i))
		}
	}
	return labels
}
