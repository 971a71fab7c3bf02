package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// lend brings the engines that steps ask for: the agent's own, or the version that they name, which is on this machine, comes
// from the server, or is downloaded. Modules and providers are named by the server's address, as the agent has it.
func (a *agent) lend(ctx context.Context, l worker.Lease, tool string, log io.Writer) (worker.Tool, error) {
	if name, wanted, ok := stack.ParseProgram(tool); ok {
		p, err := a.programOf(ctx, l, tool, name, wanted, log)
		if err != nil {
			return worker.Tool{}, err
		}
		return worker.Beside(name, p.Path), nil
	}
	t, err := a.engineOf(ctx, l, tool, log)
	if err != nil {
		return t, err
	}
	if a.shares && l.Job.Env["ROADBED_MIRROR"] != "" {
		a.door.Compare(ctx, l.Token)
	}
	return reachingRegistry(a.withMirror(t), registryHostOf(a.Server)), nil
}

func (a *agent) engineOf(ctx context.Context, l worker.Lease, tool string, log io.Writer) (worker.Tool, error) {
	name, version, chosen := stack.ParseTool(tool)
	switch {
	case chosen:
		if p, err := a.engine.cache.Here(ctx, name, version); !fault.Is(err, fault.NotFound) {
			return shown(p.Path, p.String()), err
		}
	case tool != stack.ToolEngine:
		return worker.Tool{}, fault.Errorf(fault.NotFound, "this agent has no tool %s", tool)
	case a.engine.path() != "":
		return a.engine.tool(), nil
	}
	if g := a.given.Load(); g != nil && !chosen && time.Since(g.asked) < askEngineAgain {
		if p, err := a.engine.cache.Here(ctx, g.name, g.version); !fault.Is(err, fault.NotFound) {
			return shown(p.Path, p.String()), err
		}
	}
	p, err := a.fromServer(ctx, l, tool, log)
	if err == nil && !chosen {
		a.given.Store(&givenEngine{p.Name, p.Version, time.Now()})
	}
	switch {
	case err == nil:
		return shown(p.Path, p.String()), nil
	case ctx.Err() != nil:
		return worker.Tool{}, err
	case !chosen && fault.Is(err, fault.NotFound): // it may be downloaded at this moment
		return a.engine.tool(), nil
	case !chosen:
		return worker.Tool{}, err
	}
	refused(log, err)
	t, own := a.engine.lend(ctx, tool, log)
	if own != nil {
		return t, fault.Errorf(fault.KindOf(own), "%s; the server gives none: %s", fault.Message(own), fault.Message(err))
	}
	return t, nil
}

// programOf brings a vendor's program: this machine's own where it will do, else one that was kept before, else the server's,
// else one that is downloaded.
func (a *agent) programOf(ctx context.Context, l worker.Lease, tool, name string, wanted toolchain.Wanted, log io.Writer) (toolchain.Program, error) {
	version := wanted.Exact()
	if version == "" && !wanted.Latest() {
		var here []string
		if own, there := a.engine.Machine(ctx, name, true); there {
			here = append(here, own)
		}
		if version = wanted.Newest(here); version == "" {
			for _, p := range a.engine.cache.Local(ctx, name) {
				here = append(here, p.Version)
			}
			version = wanted.Newest(here)
		}
	}
	if version != "" {
		if p, err := a.engine.cache.Here(ctx, name, version); !fault.Is(err, fault.NotFound) {
			return p, err
		}
	}
	p, err := a.fromServer(ctx, l, tool, log)
	switch {
	case err == nil && (p.Name != name || !wanted.Allows(p.Version)):
		return p, fault.Errorf(fault.Conflict, "the server gives %s instead of %s", p, tool)
	case err == nil, ctx.Err() != nil:
		return p, err
	}
	refused(log, err)
	own, ownErr := a.engine.bring(ctx, name, wanted, log)
	if ownErr != nil {
		return own, fault.Errorf(fault.KindOf(ownErr), "%s; the server gives none: %s", fault.Message(ownErr), fault.Message(err))
	}
	return own, nil
}

// refused tells of a program of the server's that was not taken, such as one with another checksum than it was told with: another
// one is looked for elsewhere.
func refused(log io.Writer, err error) {
	if fault.Is(err, fault.Conflict) {
		fmt.Fprintf(log, "roadbed: %s\n", fault.Message(err))
	}
}

// givenEngine is the engine that the server has itself, of which it is asked anew after a while: it may have another one by then.
type givenEngine struct {
	name, version string
	asked         time.Time
}

const askEngineAgain = 10 * time.Minute

// fromServer fetches an engine from the server, by the right of the step that asks for it, and keeps it.
func (a *agent) fromServer(ctx context.Context, l worker.Lease, tool string, log io.Writer) (toolchain.Program, error) {
	name, version, r, err := a.askEngine(ctx, l, tool)
	if err != nil {
		return toolchain.Program{}, err
	}
	used := false
	open := func(context.Context) (toolchain.Received, error) {
		used = true
		return r, nil
	}
	p, err := a.engine.cache.Receive(ctx, name, version, a.Server, log, open)
	if !used {
		_ = r.Body.Close() // another step has brought it
	}
	if asked, of, chosen := stack.ParseTool(tool); err == nil && chosen && (asked != name || of != version) {
		return p, fault.Errorf(fault.Conflict, "the server gives %s instead of %s", p, tool)
	}
	return p, err
}

// askEngine waits for a server that is away.
func (a *agent) askEngine(ctx context.Context, l worker.Lease, tool string) (name, version string, r toolchain.Received, err error) {
	began := time.Now()
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		name, version, r, err = a.hub.Engine(ctx, l.ID, tool)
		if !fault.Is(err, fault.Unavailable) || ctx.Err() != nil || time.Since(began)+pause > agentPatience {
			return name, version, r, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// withMirror adds to an engine what it takes to reach the server's mirror, and what is unpacked of it here.
func (a *agent) withMirror(t worker.Tool) worker.Tool {
	t.Mounts = append(t.Mounts, execute.Mount{Source: a.authority(), Target: authorityDir, ReadOnly: true})
	t.Env["ROADBED_AUTHORITY"] = authorityDir
	if a.shares {
		t.Mounts = append(t.Mounts, execute.Mount{Source: filepath.Clean(a.mirror.Shared()), Target: sharedDir, ReadOnly: true})
		t.Env["ROADBED_SHARED"] = sharedDir
	}
	return t
}

func (a *agent) authority() string { return filepath.Join(a.Dir, "authority") }

// secureDoor makes the agent's door speak TLS too.
func (a *agent) secureDoor(door net.Listener) (net.Listener, error) {
	return secured(door, a.authority(), filepath.Join(a.Dir, "keys"), time.Now)
}
