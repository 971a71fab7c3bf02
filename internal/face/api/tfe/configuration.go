package tfe

import (
	"io"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

func (h *Handler) configurationRoutes() {
	h.handle("workspaces/{workspace}/configuration-versions", h.listConfigurations)
	h.handle("POST workspaces/{workspace}/configuration-versions", h.createConfiguration)
	h.handle("configuration-versions/{configuration}", h.readConfiguration)
	h.handle("configuration-versions/{configuration}/download", h.downloadConfiguration)
	h.handle("POST configuration-versions/{configuration}/actions/archive", h.archiveConfiguration)
	h.open("PUT configuration-uploads/{pass}", h.upload)
}

// wireConfiguration gives one; with a link to upload it for who has just made it.
func wireConfiguration(c stack.Configuration, upload any) object {
	status, refused := c.Status, any(nil)
	if c.Error != "" {
		refused = c.Error
	}
	return resource("configuration-versions", wireID(c.ID), object{
		"status": status, "speculative": c.Speculative, "provisional": c.Provisional, "auto-queue-runs": false, "source": "tfe-api", "error": refused,
		"error-message": refused, "upload-url": upload, "status-timestamps": object{}, "changed-files": []string{},
	}, object{"ingress-attributes": to("ingress-attributes", "")})
}

func (h *Handler) createConfiguration(w http.ResponseWriter, r *http.Request) error {
	in := struct {
		Speculative bool `json:"speculative"`
		Provisional bool `json:"provisional"`
	}{}
	if _, err := read(w, r, bodyLimit, &in); err != nil {
		return err
	}
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	c, err := h.Stacks.NewConfiguration(r.Context(), ws.Ref, in.Speculative, in.Provisional)
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

func (h *Handler) downloadConfiguration(w http.ResponseWriter, r *http.Request) error {
	content, err := h.Stacks.ConfigurationContent(r.Context(), houseID(r.PathValue("configuration"), "cv", "cfg"))
	if err != nil {
		return err
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, content); err != nil {
		if r.Context().Err() == nil {
			h.Log.ErrorContext(r.Context(), "send a configuration", "configuration", r.PathValue("configuration"), "error", err)
		}
		panic(http.ErrAbortHandler) // the answer has begun: nobody may take it for whole
	}
	return nil
}

func (h *Handler) archiveConfiguration(w http.ResponseWriter, r *http.Request) error {
	err := h.Stacks.ArchiveConfiguration(r.Context(), houseID(r.PathValue("configuration"), "cv", "cfg"))
	if err == nil {
		w.WriteHeader(http.StatusAccepted)
	}
	return err
}

func (h *Handler) listConfigurations(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	p := pagingOf(r)
	list, total, err := h.Stacks.ConfigurationsPart(r.Context(), ws.Ref, p.place())
	if err != nil {
		return err
	}
	var all []object
	for _, c := range list {
		all = append(all, wireConfiguration(c, nil))
	}
	return many(w, p, total, all)
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
