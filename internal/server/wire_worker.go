package server

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// nameFile holds the server's name in its data folder.
const nameFile = "server"

// serverName gives the name that a server keeps as long as its data folder: under it, it takes back at its start what
// its earlier life had leased, and leaves alone what other servers of the same database hold.
func serverName(path string) (string, error) {
	name, err := os.ReadFile(path)
	if err == nil && len(name) > 0 {
		return string(name), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fault.Errorf(fault.Unavailable, "read the server's name: %w", err)
	}
	made := "server-" + strings.ToLower(rand.Text()[:8])
	err = os.WriteFile(path+".part", []byte(made), 0o600)
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, "keep the server's name: %w", err)
	}
	return made, nil
}

// most is what no step gets past.
func (h *House) most() execute.Limits { return h.Options.most() }

func (o Options) most() execute.Limits {
	return execute.Limits{Memory: int64(o.StepMemory) << 30, Time: o.StepTime, Output: o.output}
}

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
	for tool, program := range map[string]string{
		stack.ToolPulumi: h.Options.pulumi, stack.ToolTerragrunt: h.Options.terragrunt, stack.ToolKubectl: h.Options.kubectl, stack.ToolInfracost: h.Options.infracost,
	} {
		if program != "" {
			tools[tool] = worker.Beside(tool, program)
		}
	}
	tools[stack.ToolEngine] = h.reachingRegistry(h.withMirror(h.engine.tool()))
	return []*worker.Worker{
		worker.New(worker.Options{
			Name: h.name, Pool: run.ServerPool, Hub: hub, Executor: h.Executor, Dir: h.path("work", "server"),
			Most: h.most(), Parallel: 4 * h.Options.Workers, Handlers: handlers, Grace: h.Options.Drain, Patience: h.Options.patience, Now: time.Now, Log: h.Log,
		}),
		worker.New(worker.Options{
			Name: h.name, Pool: run.DefaultPool, Hub: hub, Executor: h.Steps, Dir: h.path("work", "default"), Tools: tools, Lend: h.lend, Network: h.Options.Network,
			Most: h.most(), Parallel: h.Options.Workers, Door: h.door(), Grace: h.Options.Drain, Patience: h.Options.patience, Now: time.Now, Log: h.Log,
		}),
	}
}
