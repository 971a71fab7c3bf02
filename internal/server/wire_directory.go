package server

import (
	"strings"
	"time"

	scimface "github.com/roadbed-dev/roadbed/internal/face/api/scim"
	"github.com/roadbed-dev/roadbed/internal/product/directory"
)

func (h *House) wireDirectory() *directory.Service {
	return directory.New(directory.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Access: h.Access, Secrets: h.Secrets, Catalog: h.Catalog, Dial: h.Outbound.DialContext, Now: time.Now, Log: h.Log,
	})
}

// scim serves identity providers that write people and groups.
func (h *House) scim() *scimface.Handler {
	return &scimface.Handler{Directories: h.Directories, Authenticate: h.Identity.Authenticate, Base: strings.TrimSuffix(h.baseURL(), "/"), Log: h.Log}
}
