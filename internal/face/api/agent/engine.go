package agent

import (
	"context"
	"io"
	"runtime"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Engines gives the engines that this server has.
type Engines interface {
	// Give gives the engine that a job calls tool; NotFound for what is none. It may have to be downloaded first.
	Give(ctx context.Context, tool string) (Engine, error)
}

// Engine is a program, with its SHA-256 in hex.
type Engine struct {
	Name, Version, Sum string
	Size               int64
	Program            io.ReadCloser
}

func system() string { return runtime.GOOS + "/" + runtime.GOARCH }

// engine gives one that the step's job asks for, to an agent on a machine of the server's kind.
func (h *Handler) engine(c call) (any, error) {
	tool, on := c.r.URL.Query().Get(remote.QueryTool), c.r.URL.Query().Get(remote.QuerySystem)
	if err := c.hub.Asks(c.ctx, c.lease, tool); err != nil {
		return nil, err
	}
	if on != system() {
		return nil, fault.Errorf(fault.NotFound, "this server has engines for %s and none for %.40s", system(), on)
	}
	e, err := h.Engines.Give(c.ctx, tool)
	if err != nil {
		return nil, err
	}
	c.w.Header().Set(remote.HeaderEngine, e.Name+"@"+e.Version)
	c.w.Header().Set(remote.HeaderSum, e.Sum)
	c.w.Header().Set("Content-Length", strconv.FormatInt(e.Size, 10))
	return stream{e.Program}, nil
}
