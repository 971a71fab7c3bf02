// Package providers speaks the provider network mirror protocol of Terraform and OpenTofu at /v1/providers-mirror/:
// HOST/NAMESPACE/TYPE/index.json, VERSION.json and the archives below them. Engines send the token that their credentials
// for the host have, but not when they fetch an archive: its address has a pass in it.
package providers

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
	"github.com/roadbed-dev/roadbed/internal/product/mirror"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Prefix is where the mirror is.
const Prefix = "/v1/providers-mirror/"

// Handler serves the mirror. Whoever asks has been identified before, or has a pass.
type Handler struct {
	Mirror *mirror.Service
	Seal   Sealer
	// Authenticate gives who presents a token; Unauthenticated when nobody does.
	Authenticate func(ctx context.Context, token string) (actor.Principal, error)
	Status       func(err error) int // HTTP status of a fault
	Now          func() time.Time
	Log          *slog.Logger
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the mirror takes GET; add packages with roadbed mirror add", http.StatusMethodNotAllowed)
		return
	}
	if err := h.answer(w, r); err != nil {
		h.fail(w, r, err)
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) error {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	if len(parts) != 4 && len(parts) != 5 {
		return fault.Errorf(fault.NotFound, "the mirror has HOST/NAMESPACE/TYPE/index.json, VERSION.json and archives")
	}
	n, err := provider.ParseName(strings.Join(parts[:3], "/"))
	if err != nil {
		return fault.Errorf(fault.NotFound, "%s", fault.Message(err))
	}
	file := parts[len(parts)-1]
	if len(parts) == 5 {
		ctx, err := h.admit(r.Context(), parts[3], n)
		if err != nil {
			return err
		}
		r = r.WithContext(ctx)
	}
	if version, ok := strings.CutSuffix(file, ".json"); ok {
		if version == "index" {
			return h.index(w, r, n)
		}
		return h.version(w, r, n, version)
	}
	kind, version, platform, err := provider.ParseFile(file)
	if err != nil || kind != n.Type {
		return fault.Errorf(fault.NotFound, "%.250q is no archive of %s", file, n)
	}
	return h.archive(w, r, provider.Package{Name: n, Version: version, Platform: platform})
}

func (h *Handler) index(w http.ResponseWriter, r *http.Request, n provider.Name) error {
	versions, err := h.Mirror.Versions(r.Context(), n)
	if err != nil {
		return err
	}
	out := struct {
		Versions map[string]struct{} `json:"versions"`
	}{map[string]struct{}{}}
	for v := range versions {
		out.Versions[v] = struct{}{}
	}
	return send(w, out)
}

type archive struct {
	URL    string   `json:"url"`
	Hashes []string `json:"hashes,omitempty"`
}

func (h *Handler) version(w http.ResponseWriter, r *http.Request, n provider.Name, version string) error {
	all, err := h.Mirror.Archives(r.Context(), n, version)
	if err != nil {
		return err
	}
	out := struct {
		Archives map[string]archive `json:"archives"`
	}{map[string]archive{}}
	before, err := h.pass(r, n)
	if err != nil {
		return err
	}
	for platform, hashes := range all {
		p := provider.Package{Name: n, Version: version, Platform: platform}
		out.Archives[platform] = archive{before + p.File(), hashes}
	}
	return send(w, out)
}

func (h *Handler) archive(w http.ResponseWriter, r *http.Request, p provider.Package) error {
	f, record, err := h.Mirror.Open(r.Context(), p)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Etag", strconv.Quote(record.SHA256))
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	http.ServeContent(w, r, p.File(), record.Time, f)
	return nil
}

func send(w http.ResponseWriter, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(data)
	return nil
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := h.Status(err)
	if status >= 500 {
		h.Log.Error("give a provider", "path", r.URL.Path, "error", err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Roadbed"`)
	}
	w.Header().Set(remote.HeaderFault, fault.KindOf(err).String()) // agents keep what this mirror has
	http.Error(w, fault.Message(err), status)
}
