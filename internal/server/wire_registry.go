package server

import (
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/roadbed-dev/roadbed/internal/face/api"
	registryface "github.com/roadbed-dev/roadbed/internal/face/api/registry"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/registry"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// wireRegistry joins modules and providers with the repositories that they come from, and with the engine that tests them.
func (h *House) wireRegistry() *registry.Service {
	return registry.New(registry.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Blob: h.Blob, Access: h.Access, Runs: h.Runs, Repositories: h.Repositories.Platform(), Policy: h.Policy,
		Engine: registry.Engine{Tool: stack.ToolEngine, Begin: stack.EngineBegin(), Config: stack.EngineConfig(), Host: h.registryHost(), Mirror: h.Stacks.EngineMirror},
		Now:    time.Now, Log: h.Log,
	})
}

// registryHost is the host by which engines name this server's modules and providers. They want a dot in it.
func (h *House) registryHost() string { return registryHostOf(h.baseURL()) }

func registryHostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	if u.Hostname() == "localhost" {
		if u.Port() == "" {
			return "127.0.0.1"
		}
		return net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.Host
}

// reachingRegistry tells a tool that is an engine the host by which modules and providers of this server are named.
func (h *House) reachingRegistry(engine worker.Tool) worker.Tool {
	return reachingRegistry(engine, h.registryHost())
}

func reachingRegistry(engine worker.Tool, host string) worker.Tool {
	engine.Env["ROADBED_REGISTRY"] = host
	return engine
}

// registries adds the registry protocols.
func (h *House) registries(mux *http.ServeMux) {
	face := h.API.WithOrigin(h.API.Authenticate(registryface.New(registryface.Deps{
		Registry: h.Modules, Identity: h.Identity, Seal: h.Keeper, Status: api.HTTPStatus, Now: time.Now, Log: h.Log,
	})))
	for _, prefix := range []string{registryface.Modules, registryface.Providers, registryface.Files} {
		mux.Handle(prefix, face)
	}
}
