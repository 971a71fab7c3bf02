package registry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/product/registry"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where the protocols live.
const (
	Modules   = "/v1/modules/"
	Providers = "/v1/providers/"
	Files     = "/v1/registry-files/" // archives and sums, by links
)

// Sealer keeps what only this server reads again.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Deps are what the protocols speak for.
type Deps struct {
	Registry *registry.Service
	Identity *identity.Service
	Seal     Sealer
	Status   func(err error) int
	Now      func() time.Time
	Log      *slog.Logger
}

// Handler serves the protocols. Whoever asks has been identified before.
type Handler struct {
	Deps
	mux *http.ServeMux
}

// New gives the handler.
func New(d Deps) *Handler {
	h := &Handler{Deps: d, mux: http.NewServeMux()}
	h.handle("GET "+Modules+"{space}/{name}/{system}/versions", h.versions)
	h.handle("GET "+Modules+"{space}/{name}/{system}/{version}/download", h.download)
	h.handle("GET "+Providers+"{space}/{type}/versions", h.providerVersions)
	h.handle("GET "+Providers+"{space}/{type}/{version}/download/{os}/{arch}", h.providerPackage)
	h.open("GET "+Files+"{pass}/{name}", h.file)
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// handle adds a route for who has signed in.
func (h *Handler) handle(pattern string, serve func(w http.ResponseWriter, r *http.Request) error) {
	h.open(pattern, func(w http.ResponseWriter, r *http.Request) error {
		if actor.From(r.Context()).Kind == actor.Anonymous {
			return fault.Errorf(fault.Unauthenticated, "show a token: run terraform login or tofu login for this host, or set TF_TOKEN_ and the host's name")
		}
		return serve(w, r)
	})
}

func (h *Handler) open(pattern string, serve func(w http.ResponseWriter, r *http.Request) error) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			h.fail(w, r, err)
		}
	})
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := h.Status(err)
	if status == http.StatusInternalServerError {
		h.Log.ErrorContext(r.Context(), "a request of the registry protocol ended with an internal error", "path", r.URL.Path, "error", err)
	}
	answer(w, status, object{"errors": []string{fault.Message(err)}})
}

type object map[string]any

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone reads nothing
}

func (h *Handler) versions(w http.ResponseWriter, r *http.Request) error {
	versions, err := h.Registry.Offered(r.Context(), addressOf(r))
	if err != nil {
		return err
	}
	list := make([]object, len(versions))
	for i, v := range versions {
		list[i] = object{"version": v}
	}
	answer(w, http.StatusOK, object{"modules": []object{{"versions": list}}})
	return nil
}

func addressOf(r *http.Request) registry.Address {
	return registry.Address{Space: r.PathValue("space"), Name: r.PathValue("name"), System: r.PathValue("system")}
}

func (h *Handler) download(w http.ResponseWriter, r *http.Request) error {
	a, version := addressOf(r), r.PathValue("version")
	if _, _, err := h.Registry.Download(r.Context(), a, version); err != nil {
		return err
	}
	link, err := h.link(r, pass{Module: &a, Version: version}, "module.tar.gz")
	if err != nil {
		return err
	}
	w.Header().Set("X-Terraform-Get", link)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) providerVersions(w http.ResponseWriter, r *http.Request) error {
	offered, err := h.Registry.OfferedProvider(r.Context(), r.PathValue("space"), r.PathValue("type"))
	if err != nil {
		return err
	}
	list := make([]object, len(offered))
	for i, v := range offered {
		platforms := make([]object, len(v.Platforms))
		for j, p := range v.Platforms {
			platforms[j] = object{"os": p.OS, "arch": p.Arch}
		}
		list[i] = object{"version": v.Version, "protocols": v.Protocols, "platforms": platforms}
	}
	answer(w, http.StatusOK, object{"versions": list})
	return nil
}

func (h *Handler) providerPackage(w http.ResponseWriter, r *http.Request) error {
	at := provider{r.PathValue("space"), r.PathValue("type"), r.PathValue("os"), r.PathValue("arch")}
	version := r.PathValue("version")
	p, err := h.Registry.ProviderPackage(r.Context(), at.Space, at.Type, version, at.OS, at.Arch)
	if err != nil {
		return err
	}
	links := map[string]string{}
	for part, name := range map[string]string{partArchive: p.Filename, partSums: "SHA256SUMS", partSignature: "SHA256SUMS.sig"} {
		if links[part], err = h.link(r, pass{Provider: &at, Version: version, Part: part}, name); err != nil {
			return err
		}
	}
	answer(w, http.StatusOK, object{
		"protocols": p.Protocols, "os": p.OS, "arch": p.Arch, "filename": p.Filename, "shasum": p.Sum,
		"download_url": links[partArchive], "shasums_url": links[partSums], "shasums_signature_url": links[partSignature],
		"signing_keys": object{"gpg_public_keys": []object{{"key_id": p.KeyID, "ascii_armor": p.KeyArmor, "trust_signature": "", "source": "", "source_url": nil}}},
	})
	return nil
}

// file gives what a link is for, by the rights of who asked for it, as they are now.
func (h *Handler) file(w http.ResponseWriter, r *http.Request) error {
	ctx, p, err := h.admit(r.Context(), r.PathValue("pass"))
	if err != nil {
		return err
	}
	if p.Module != nil {
		digest, _, err := h.Registry.Download(ctx, *p.Module, p.Version)
		if err != nil {
			return err
		}
		return h.send(ctx, w, digest, "application/gzip")
	}
	found, err := h.Registry.ProviderPackage(ctx, p.Provider.Space, p.Provider.Type, p.Version, p.Provider.OS, p.Provider.Arch)
	if err != nil {
		return err
	}
	switch p.Part {
	case partSums:
		return sendBytes(w, found.Sums)
	case partSignature:
		return sendBytes(w, found.Signature)
	}
	return h.send(ctx, w, found.Blob, "application/zip")
}

func (h *Handler) send(ctx context.Context, w http.ResponseWriter, digest, kind string) error {
	content, size, err := h.Registry.Open(ctx, digest)
	if err != nil {
		return err
	}
	defer content.Close()
	head(w, kind, size)
	_, _ = io.Copy(w, content) // a client that is gone reads nothing
	return nil
}

func sendBytes(w http.ResponseWriter, data []byte) error {
	head(w, "application/octet-stream", int64(len(data)))
	_, _ = w.Write(data)
	return nil
}

func head(w http.ResponseWriter, kind string, size int64) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", "attachment")
}
