package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	registry "github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// blob serves GET, HEAD (with ranges) and DELETE of a blob.
func (h *Handler) blob(w http.ResponseWriter, r *http.Request, at route) error {
	d, err := registry.ParseDigest(at.rest)
	if err != nil {
		return digestFault{err}
	}
	ctx := r.Context()
	if r.Method == http.MethodDelete {
		if err := h.Registry.DeleteBlob(ctx, at.kept, d); err != nil {
			return err
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	if r.Method == http.MethodHead { // a pusher that asks whether it must send it
		if _, err := h.Registry.StatBlob(ctx, at.kept, d); err != nil {
			return err
		}
	}
	b, err := h.Registry.OpenBlob(ctx, at.kept, d)
	if err != nil {
		return err
	}
	defer b.Close()
	header := w.Header()
	header.Set("Docker-Content-Digest", string(d))
	header.Set("Content-Type", "application/octet-stream")
	header.Set("ETag", `"`+string(d)+`"`)
	header.Set("Cache-Control", "private, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, b)
	return nil
}

// upload serves what a push of a blob needs: in one request, in one stream, in chunks, or from another repository.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request, at route) error {
	ctx := r.Context()
	if at.rest == "" {
		if r.Method != http.MethodPost {
			return fault.Errorf(fault.NotFound, "an upload starts with POST")
		}
		return h.startUpload(w, r, at)
	}
	switch r.Method {
	case http.MethodPatch:
		offset, err := chunkStart(r)
		if err != nil {
			return err
		}
		size, err := h.Registry.Append(ctx, at.kept, at.rest, offset, r.Body)
		if err != nil {
			return chunkFault{err, size}
		}
		h.uploadState(w, at, at.rest, size)
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		return h.finishUpload(w, r, at, at.rest)
	case http.MethodDelete:
		if err := h.Registry.CancelUpload(ctx, at.kept, at.rest); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		return fault.Errorf(fault.NotFound, "an upload starts without an id")
	default:
		size, err := h.Registry.UploadSize(ctx, at.kept, at.rest)
		if err != nil {
			return err
		}
		h.uploadState(w, at, at.rest, size)
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

func (h *Handler) startUpload(w http.ResponseWriter, r *http.Request, at route) error {
	ctx, query := r.Context(), r.URL.Query()
	if mount, from := query.Get("mount"), query.Get("from"); mount != "" && from != "" && h.mount(ctx, at.kept, mount, from) {
		h.created(w, at.name, "blobs", mount)
		return nil
	}
	id, err := h.Registry.StartUpload(ctx, at.kept)
	if err != nil {
		return err
	}
	if query.Get("digest") != "" {
		if err := h.finishUpload(w, r, at, id); err != nil {
			// Nobody knows the id, so nobody can go on with it; what is gone already is as well.
			return errors.Join(err, ignoreNotFound(h.Registry.CancelUpload(context.WithoutCancel(ctx), at.kept, id)))
		}
		return nil
	}
	h.uploadState(w, at, id, 0)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func ignoreNotFound(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// mount takes a blob from another repository if the caller may pull there. If not, for whatever reason, the client
// is told to upload, as the specification has it, and learns nothing about that repository.
func (h *Handler) mount(ctx context.Context, to, digest, from string) bool {
	d, err := registry.ParseDigest(digest)
	if err != nil || registry.CheckName(from) != nil {
		return false
	}
	kept, err := h.Authorize(ctx, Pull, from)
	return err == nil && h.Registry.Mount(ctx, kept, to, d) == nil
}

func (h *Handler) finishUpload(w http.ResponseWriter, r *http.Request, at route, id string) error {
	d, err := registry.ParseDigest(r.URL.Query().Get("digest"))
	if err != nil {
		return digestFault{err}
	}
	offset, err := chunkStart(r)
	if err != nil {
		return err
	}
	size, err := h.Registry.Finish(r.Context(), at.kept, id, offset, r.Body, d)
	if fault.Is(err, fault.Invalid) {
		return digestFault{err}
	}
	if err != nil {
		return chunkFault{err, size}
	}
	h.created(w, at.name, "blobs", string(d))
	return nil
}

// chunkStart gives where a chunk says that it starts, or -1 when it doesn't say.
func chunkStart(r *http.Request) (int64, error) {
	value := r.Header.Get("Content-Range")
	if value == "" {
		return -1, nil
	}
	var from, to int64
	if n, err := fmt.Sscanf(value, "%d-%d", &from, &to); err != nil || n != 2 || from < 0 || to < from {
		return 0, fault.Errorf(fault.Invalid, "Content-Range must be FROM-TO")
	}
	if r.ContentLength >= 0 && r.ContentLength != to-from+1 {
		return 0, fault.Errorf(fault.Invalid, "Content-Range names %d bytes, but %d are sent", to-from+1, r.ContentLength)
	}
	return from, nil
}

func (h *Handler) uploadState(w http.ResponseWriter, at route, id string, size int64) {
	w.Header().Set("Location", "/v2/"+at.name+"/blobs/uploads/"+id)
	w.Header().Set("Docker-Upload-UUID", id)
	w.Header().Set("Range", "0-"+strconv.FormatInt(max(size-1, 0), 10))
}

func (h *Handler) created(w http.ResponseWriter, name, kind, digest string) {
	w.Header().Set("Location", "/v2/"+name+"/"+kind+"/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// manifest serves GET, HEAD, PUT and DELETE of a manifest.
func (h *Handler) manifest(w http.ResponseWriter, r *http.Request, at route) error {
	ctx := r.Context()
	switch r.Method {
	case http.MethodPut:
		m, err := h.Registry.PutManifest(ctx, at.kept, at.rest, r.Header.Get("Content-Type"), r.Body)
		if err != nil {
			return err
		}
		if m.Subject != "" {
			w.Header().Set("OCI-Subject", string(m.Subject))
		}
		h.created(w, at.name, "manifests", string(m.Digest))
		return nil
	case http.MethodDelete:
		if err := h.Registry.DeleteManifest(ctx, at.kept, at.rest); err != nil {
			return err
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	m, err := h.Registry.Manifest(ctx, at.kept, at.rest)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", m.MediaType)
	header.Set("Docker-Content-Digest", string(m.Digest))
	header.Set("ETag", `"`+string(m.Digest)+`"`)
	if r.Header.Get("If-None-Match") == `"`+string(m.Digest)+`"` {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Length", strconv.Itoa(len(m.Content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(m.Content) // the client is gone when this fails
	}
	return nil
}

// maxTags bounds one page of tags.
const maxTags = 1000

func (h *Handler) tags(w http.ResponseWriter, r *http.Request, at route) error {
	query, limit := r.URL.Query(), maxTags
	if n := query.Get("n"); n != "" {
		asked, err := strconv.Atoi(n)
		if err != nil || asked < 0 {
			return fault.Errorf(fault.Invalid, "n must be a number")
		}
		limit = min(asked, maxTags)
	}
	tags, more, err := h.Registry.Tags(r.Context(), at.kept, query.Get("last"), limit)
	if err != nil {
		return err
	}
	if more && len(tags) > 0 {
		next := url.Values{"n": {strconv.Itoa(limit)}, "last": {tags[len(tags)-1]}}
		w.Header().Set("Link", "</v2/"+at.name+"/tags/list?"+next.Encode()+`>; rel="next"`)
	}
	if tags == nil {
		tags = []string{}
	}
	return writeJSON(w, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{at.name, tags})
}

func (h *Handler) referrers(w http.ResponseWriter, r *http.Request, at route) error {
	d, err := registry.ParseDigest(at.rest)
	if err != nil {
		return digestFault{err}
	}
	kind := r.URL.Query().Get("artifactType")
	found, err := h.Registry.Referrers(r.Context(), at.kept, d, kind)
	if err != nil {
		return err
	}
	if kind != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	return writeJSON(w, registry.TypeIndex, struct {
		SchemaVersion int                   `json:"schemaVersion"`
		MediaType     string                `json:"mediaType"`
		Manifests     []registry.Descriptor `json:"manifests"`
	}{2, registry.TypeIndex, found})
}

func writeJSON(w http.ResponseWriter, mediaType string, body any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	_, _ = w.Write(content) // the client is gone when this fails
	return nil
}
