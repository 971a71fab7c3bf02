package server

import (
	"context"
	"maps"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// workerName is the name of the workers in this process. A server takes back at its start what its earlier life leased.
const workerName = "local"

// workers gives the server's own worker, for platform steps, and the one of the default pool.
func (h *House) workers(ctx context.Context) []*worker.Worker {
	handlers := map[string]worker.Handler{}
	maps.Copy(handlers, h.Stacks.Handlers())
	maps.Copy(handlers, h.Delivery.Handlers())
	maps.Copy(handlers, h.Scaffold.Handlers())
	maps.Copy(handlers, h.Workflows.Handlers())
	hub := h.Runs.Hub(h.Repositories.Platform())
	tools, err := worker.DefaultTools(ctx, "")
	if err != nil {
		h.Log.Warn("steps have no tools but the engine", "error", err)
		tools = map[string]worker.Tool{}
	}
	tools[stack.ToolEngine] = h.engine.tool()
	return []*worker.Worker{
		worker.New(worker.Options{
			Name: workerName, Pool: run.ServerPool, Hub: hub, Executor: h.Executor, Dir: h.path("work", "server"),
			Parallel: 4 * h.Options.Workers, Handlers: handlers, Now: time.Now, Log: h.Log,
		}),
		worker.New(worker.Options{
			Name: workerName, Pool: run.DefaultPool, Hub: hub, Executor: h.Executor, Dir: h.path("work", "default"), Tools: tools, Network: h.Options.Network,
			Parallel: h.Options.Workers, Door: h.door(), Now: time.Now, Log: h.Log,
		}),
	}
}
