package server

import (
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/face/api"
	"github.com/roadbed-dev/roadbed/internal/face/api/tfe"
)

// remote adds the remote protocol of Terraform and OpenTofu, and the sign-in of their terminals.
func (h *House) remote(mux *http.ServeMux) {
	face := tfe.New(tfe.Deps{
		Stacks: h.Stacks, Runs: h.Runs, Access: h.Access, Identity: h.Identity, Catalog: h.Catalog, Secrets: h.Secrets, Pools: h.Pools, Seal: h.Keeper,
		Base: api.BaseOf, TLS: api.SecureOf, Names: h.namesOf, Status: api.HTTPStatus, Now: time.Now, Log: h.Log,
	})
	mux.Handle(tfe.Prefix, h.API.WithOrigin(h.API.Authenticate(face)))
	mux.HandleFunc("GET "+tfe.Discovery, face.ServeDiscovery)
	login := h.API.WithOrigin(face.Login())
	mux.Handle(tfe.Authorize, login)
	mux.Handle(tfe.TokenPath, login)
	mux.Handle(tfe.Pages, face.ServePages())
}
