package tfe

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *Handler) tagRoutes() {
	h.handle("organizations/{organization}/tags", h.listSpaceTags)
	h.handle("DELETE organizations/{organization}/tags", h.deleteSpaceTags)
	h.handle("POST tags/{tag}/relationships/workspaces", h.tagWorkspaces)
	h.handle("workspaces/{workspace}/relationships/tags", h.listTags)
	h.handle("POST workspaces/{workspace}/relationships/tags", func(w http.ResponseWriter, r *http.Request) error {
		return h.changeTags(w, r, func(have []string, tag string) []string {
			if slices.Contains(have, tag) {
				return have
			}
			return append(have, tag)
		})
	})
	h.handle("DELETE workspaces/{workspace}/relationships/tags", func(w http.ResponseWriter, r *http.Request) error {
		return h.changeTags(w, r, func(have []string, tag string) []string {
			return slices.DeleteFunc(have, func(t string) bool { return t == tag })
		})
	})
}

// tagsOf gives the tags of a space's workspaces, each with those that have it.
func (h *Handler) tagsOf(r *http.Request, space string) (map[string][]stack.Tagged, error) {
	list, err := h.Stacks.Tagged(r.Context(), space)
	if err != nil {
		return nil, err
	}
	tags := map[string][]stack.Tagged{}
	for _, ws := range list {
		for _, tag := range ws.Tags {
			tags[tag] = append(tags[tag], ws)
		}
	}
	return tags, nil
}

func (h *Handler) listSpaceTags(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	tags, err := h.tagsOf(r, space)
	if err != nil {
		return err
	}
	text, without := r.URL.Query().Get("q"), r.URL.Query().Get("filter[exclude][taggable][id]")
	var names []string
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		has := slices.ContainsFunc(tags[tag], func(ws stack.Tagged) bool { return ws.ID == without })
		if strings.Contains(tag, text) && !has {
			names = append(names, tag)
		}
	}
	p := pagingOf(r)
	var all []object
	for _, tag := range cut(names, p) {
		all = append(all, wireTag(space, tag, len(tags[tag])))
	}
	return many(w, p, len(names), all)
}

// deleteSpaceTags takes tags from all workspaces of a space, as far as the caller may.
func (h *Handler) deleteSpaceTags(w http.ResponseWriter, r *http.Request) error {
	names, err := identifiers(w, r)
	if err != nil {
		return err
	}
	tags, err := h.tagsOf(r, r.PathValue("organization"))
	if err != nil {
		return err
	}
	for _, id := range names {
		tag := strings.TrimPrefix(id, tagKind)
		for _, ws := range tags[tag] {
			if err := h.edit(r.Context(), ws.Ref, func(d *document.Document) (bool, error) {
				before := len(d.Metadata.Tags)
				d.Metadata.Tags = slices.DeleteFunc(d.Metadata.Tags, func(t string) bool { return t == tag })
				return len(d.Metadata.Tags) != before, nil
			}); err != nil {
				return err
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tagWorkspaces gives several workspaces a tag.
func (h *Handler) tagWorkspaces(w http.ResponseWriter, r *http.Request) error {
	ids, err := identifiers(w, r)
	if err != nil {
		return err
	}
	tag := strings.TrimPrefix(r.PathValue("tag"), tagKind)
	for _, id := range ids {
		ws, err := h.Stacks.Workspace(r.Context(), id)
		if err == nil {
			err = h.edit(r.Context(), ws.Ref, func(d *document.Document) (bool, error) {
				if slices.Contains(d.Metadata.Tags, tag) {
					return false, nil
				}
				d.Metadata.Tags = append(d.Metadata.Tags, tag)
				return true, nil
			})
		}
		if err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// identifiers reads the ids of the resources that a request names, at most mostTags.
func identifiers(w http.ResponseWriter, r *http.Request) ([]string, error) {
	var in struct {
		Data []identifier `json:"data"`
	}
	if err := decode(w, r, bodyLimit, &in); err != nil {
		return nil, err
	}
	if len(in.Data) > mostTags {
		return nil, fault.Errorf(fault.TooLarge, "at most %d are named at once", mostTags)
	}
	ids := make([]string, len(in.Data))
	for i, d := range in.Data {
		ids[i] = d.ID
	}
	return ids, nil
}

func wireTag(space, name string, workspaces int) object {
	return resource("tags", tagKind+name, object{"name": name, "instance-count": workspaces}, object{"organization": to("organizations", space)})
}

// tagKind begins the ids of tags, which their names end.
const tagKind = "tag-"

func (h *Handler) listTags(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	all := make([]object, len(ws.Tags))
	for i, tag := range ws.Tags {
		all[i] = wireTag(ws.Space, tag, 1)
	}
	p := pagingOf(r)
	return many(w, p, len(all), cut(all, p))
}

// mostTags bounds how many are sent at once.
const mostTags = 100

func (h *Handler) changeTags(w http.ResponseWriter, r *http.Request, change func(have []string, tag string) []string) error {
	var in struct {
		Data []identifier `json:"data"`
	}
	if err := decode(w, r, bodyLimit, &in); err != nil {
		return err
	}
	if len(in.Data) > mostTags {
		return fault.Errorf(fault.TooLarge, "at most %d tags are changed at once", mostTags)
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	err = h.edit(r.Context(), ws.Ref, func(d *document.Document) (bool, error) {
		before := slices.Clone(d.Metadata.Tags)
		for _, tag := range in.Data {
			name := tag.Attributes.Name
			if name == "" {
				name = strings.TrimPrefix(tag.ID, tagKind)
			}
			d.Metadata.Tags = change(d.Metadata.Tags, name)
		}
		return !slices.Equal(before, d.Metadata.Tags), nil
	})
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
