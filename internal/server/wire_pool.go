package server

import (
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/face/api"
	agentface "github.com/roadbed-dev/roadbed/internal/face/api/agent"
	workerremote "github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
)

func (h *House) wirePools() {
	h.Pools = pool.New(pool.Deps{DB: h.DB, Access: h.Access, Ledger: h.Ledger, Runs: h.Runs, Images: h.agentImages(), Now: time.Now, Log: h.Log})
	for _, k := range pool.Kinds(h.Pools) {
		h.Kinds.Register(k)
	}
}

// agents serves the agents of worker pools, and through them the steps that these have.
func (h *House) agents(mux *http.ServeMux) {
	mux.Handle(workerremote.Prefix, agentface.New(agentface.Deps{
		Pools: h.Pools, Identity: h.Identity, Archives: h.Repositories.Platform(), Door: h.DoorHandler(), Engines: givenEngines{h.engine}, Status: api.HTTPStatus, Now: time.Now, Log: h.Log,
	}))
}
