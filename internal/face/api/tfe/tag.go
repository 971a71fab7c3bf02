package tfe

import (
	"net/http"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *Handler) tagRoutes() {
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

func wireTag(name string) object {
	return resource("tags", "tag-"+name, object{"name": name, "instance-count": 1}, nil)
}

func (h *Handler) listTags(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	all := make([]object, len(ws.Tags))
	for i, tag := range ws.Tags {
		all[i] = wireTag(tag)
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
	err = h.edit(r.Context(), ws, func(d *document.Document) bool {
		before := slices.Clone(d.Metadata.Tags)
		for _, tag := range in.Data {
			name := tag.Attributes.Name
			if name == "" && len(tag.ID) > 4 {
				name = tag.ID[4:]
			}
			d.Metadata.Tags = change(d.Metadata.Tags, name)
		}
		return !slices.Equal(before, d.Metadata.Tags)
	})
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
