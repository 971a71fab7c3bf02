package tfe

import (
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (h *Handler) configurationRoutes() {
	h.handle("workspaces/{workspace}/configuration-versions", h.listConfigurations)
	h.handle("POST workspaces/{workspace}/configuration-versions", h.createConfiguration)
	h.handle("configuration-versions/{configuration}", h.readConfiguration)
	h.open("PUT configuration-uploads/{pass}", h.upload)
}

// wireConfiguration gives one; with a link to upload it for who has just made it.
func wireConfiguration(c stack.Configuration, upload any) object {
	status, refused := c.Status, any(nil)
	if c.Error != "" {
		refused = c.Error
	}
	return resource("configuration-versions", wireID(c.ID), object{
		"status": status, "speculative": c.Speculative, "provisional": false, "auto-queue-runs": false, "source": "tfe-api", "error": refused,
		"error-message": refused, "upload-url": upload, "status-timestamps": object{}, "changed-files": []string{},
	}, object{"ingress-attributes": to("ingress-attributes", "")})
}

func (h *Handler) createConfiguration(w http.ResponseWriter, r *http.Request) error {
	in := struct {
		Speculative bool `json:"speculative"`
	}{}
	if _, err := read(w, r, bodyLimit, &in); err != nil {
		return err
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	c, err := h.Stacks.NewConfiguration(r.Context(), ws.Ref, in.Speculative)
	if err != nil {
		return err
	}
	upload, err := h.link(r, "configuration-uploads", toUpload, c.ID, uploadTime)
	if err != nil {
		return err
	}
	return one(w, http.StatusCreated, wireConfiguration(c, upload))
}

func (h *Handler) readConfiguration(w http.ResponseWriter, r *http.Request) error {
	c, err := h.Stacks.Configuration(r.Context(), houseID(r.PathValue("configuration"), "cv", "cfg"))
	if err != nil {
		return err
	}
	return one(w, http.StatusOK, wireConfiguration(c, nil))
}

// mostOf bounds how many of a list, which clients page by numbers, are looked at.
const mostOf = 200

func (h *Handler) listConfigurations(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	part, err := h.Stacks.Configurations(r.Context(), ws.Ref, page.Request{Limit: mostOf})
	if err != nil {
		return err
	}
	var all []object
	for _, c := range part.Items {
		all = append(all, wireConfiguration(c, nil))
	}
	p := pagingOf(r)
	return many(w, p, len(all), cut(all, p))
}

func (h *Handler) upload(w http.ResponseWriter, r *http.Request) error {
	ctx, id, err := h.admit(r.Context(), r.PathValue("pass"), toUpload)
	if err != nil {
		return err
	}
	if _, err := h.Stacks.Upload(ctx, id, git.PacedBody(w, r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
