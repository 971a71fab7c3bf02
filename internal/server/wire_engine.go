package server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// engine is the program that plans and applies, as soon as there is one.
type engine struct {
	dir      string // where a download goes
	download bool
	program  atomic.Pointer[string]
	log      *slog.Logger
}

func findEngine(o Options, dir string, log *slog.Logger) *engine {
	e := &engine{dir: dir, download: o.Download, log: log}
	program, err := stack.FindEngine(o.Engine, dir, stack.BuiltEngine())
	if err != nil {
		log.Error("stacks have no engine", "error", err)
		e.download = false // what was configured is meant
	}
	if program != "" {
		e.program.Store(&program)
	}
	return e
}

func (e *engine) path() string {
	if p := e.program.Load(); p != nil {
		return *p
	}
	return ""
}

// run downloads an engine when there is none. Without a network, stacks fail with words that tell what to do.
func (e *engine) run(ctx context.Context) error {
	if e.path() == "" && e.download {
		e.fetch(ctx)
	}
	<-ctx.Done()
	return nil
}

// fetch downloads until it has the engine. A network that is away may come.
func (e *engine) fetch(ctx context.Context) {
	for pause := time.Minute; ; pause = min(2*pause, time.Hour) {
		program, err := stack.Download(ctx, e.dir)
		if err == nil {
			e.program.Store(&program)
			e.log.Info("downloaded the engine of stacks", "path", program)
			return
		}
		if ctx.Err() != nil {
			return
		}
		e.log.Warn("stacks have no engine: put tofu on the PATH, name it with --engine, or run make tools", "error", err, "tried again in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// toolDir is where the engine stands inside a step.
const toolDir = "/tools/engine"

// tool gives the engine as a tool of the pool. Without one, the folder into which it may be downloaded is shown, so
// that it is found there by the time a stack needs it.
func (e *engine) tool() worker.Tool {
	program := e.path()
	if program == "" {
		return worker.Tool{
			Mounts: []execute.Mount{{Source: e.dir, Target: toolDir, ReadOnly: true}},
			Env:    map[string]string{"ROADBED_ENGINE": toolDir + "/tofu"}, Path: []string{toolDir},
		}
	}
	inside := stack.EngineIn(toolDir, program)
	return worker.Tool{
		Mounts: []execute.Mount{{Source: program, Target: inside, ReadOnly: true}},
		Env:    map[string]string{"ROADBED_ENGINE": inside},
		Path:   []string{toolDir},
	}
}
