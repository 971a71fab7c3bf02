package server

import (
	"context"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
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
	is       func() string // what the program says that it is; see product
	log      *slog.Logger
}

func findEngine(o Options, dir string, log *slog.Logger) *engine {
	e := &engine{dir: dir, download: o.Download, log: log, is: func() string { return downloaded }}
	program, err := stack.FindEngine(o.Engine, dir, stack.BuiltEngine())
	if err != nil {
		log.Error("stacks have no engine", "error", err)
		e.download = false // what was configured is meant
	}
	if program != "" {
		e.program.Store(&program)
		told := make(chan string, 1)
		go func() { told <- product(program) }() // while the server starts; tool waits for it
		e.is = sync.OnceValue(func() string { return <-told })
	}
	return e
}

// downloaded is what the engine is where there was none.
const downloaded = "OpenTofu v" + stack.EngineVersion

// product gives what a program says it is, such as "OpenTofu v1.12.6"; "" when it does not tell.
func product(program string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, program, "version")
	c.Dir = "/"
	c.Env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin", "CHECKPOINT_DISABLE=1"}
	c.WaitDelay = time.Second
	out, err := c.Output()
	first, _, _ := strings.Cut(string(out), "\n")
	if err != nil || len(first) > 100 {
		return ""
	}
	return strings.TrimSpace(first)
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
			Env:    map[string]string{"ROADBED_ENGINE": toolDir + "/tofu", stack.EngineIs: downloaded}, Path: []string{toolDir},
		}
	}
	inside := stack.EngineIn(toolDir, program)
	return worker.Tool{
		Mounts: []execute.Mount{{Source: program, Target: inside, ReadOnly: true}},
		Env:    map[string]string{"ROADBED_ENGINE": inside, stack.EngineIs: e.is()},
		Path:   []string{toolDir},
	}
}
