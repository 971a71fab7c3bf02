package server

import (
	"context"
	"io"

	agentface "github.com/roadbed-dev/roadbed/internal/face/api/agent"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// givenEngines gives agents the engines of this server, for steps that ask for them.
type givenEngines struct{ *engine }

func (g givenEngines) Give(ctx context.Context, tool string) (agentface.Engine, error) {
	p := toolchain.Program{Path: g.path()}
	if name, wanted, ok := stack.ParseProgram(tool); ok {
		if name == stack.ToolPulumi { // it is many files
			return agentface.Engine{}, fault.Errorf(fault.NotFound, "this server gives agents no Pulumi; they bring it themselves")
		}
		var err error
		if p, err = g.bring(ctx, name, wanted, io.Discard); err != nil && ctx.Err() == nil { // the agent may have a way
			err = fault.Errorf(fault.NotFound, "%s", fault.Message(err))
		}
		if err != nil {
			return agentface.Engine{}, err
		}
	} else if name, version, ok := stack.ParseTool(tool); ok {
		var err error
		p, err = g.cache.Get(ctx, name, version, io.Discard)
		if fault.Is(err, fault.Unavailable) && ctx.Err() == nil { // it can't be had here; the agent may have a way
			err = fault.Errorf(fault.NotFound, "%s", fault.Message(err))
		}
		if err != nil {
			return agentface.Engine{}, err
		}
	} else if tool == stack.ToolEngine && p.Path != "" {
		p.Name, p.Version = g.Own(ctx)
	}
	if p.Name == "" {
		return agentface.Engine{}, fault.Errorf(fault.NotFound, "this server has no engine %.100s", tool)
	}
	f, sum, err := p.Read()
	if err != nil {
		return agentface.Engine{}, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return agentface.Engine{}, fault.Errorf(fault.Unavailable, "read %s: %w", p.Path, err)
	}
	return agentface.Engine{Name: p.Name, Version: p.Version, Sum: sum, Size: info.Size(), Program: f}, nil
}
