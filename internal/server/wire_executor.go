package server

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What --executor may be.
const (
	processExecutor   = "process"
	containerExecutor = "container"
)

// Containers are the options of steps that run in containers.
type Containers struct {
	Host  string
	Image string
	Allow string
}

func containerRows(add func(name, usage string) func(set func(*Options, string) error, get func(*Options) string)) {
	add("executor", "`word`; process: steps run as isolated processes of this machine; container: in containers of an engine, in the image that they ask for")(text(func(o *Options) *string { return &o.Executor }))
	add("container-host", "`socket` of the engine (Docker's API, which Podman serves too), as unix:///PATH; empty for Podman's or Docker's usual one")(text(func(o *Options) *string { return &o.Containers.Host }))
	add("container-image", "`image` of steps that ask for none; needed with --executor container, and has a POSIX shell")(text(func(o *Options) *string { return &o.Containers.Image }))
	add("container-allow", "`images`, with commas, that steps may ask for besides, such as registry.example.com/ci/*; ** for any")(text(func(o *Options) *string { return &o.Containers.Allow }))
}

// checkContainers holds these options to their form.
func (o Options) checkContainers() error {
	switch o.Executor {
	case processExecutor:
		_, err := o.allowedImages()
		return err
	case containerExecutor:
	default:
		return fault.Errorf(fault.Invalid, "executor: %q is neither process nor container", o.Executor)
	}
	return container.Check(o.containers("", nil))
}

// allowedImages tells in which images steps may run, here or on agents; nil where none is named.
func (o Options) allowedImages() (func(image string) error, error) {
	c := o.containers("", nil)
	if c.Image == "" && len(c.Allow) == 0 {
		return nil, nil
	}
	return container.Allowing(c.Image, c.Allow)
}

// agentImages are those in which steps may run on agents: what the server allows, whatever runs its own steps.
func (h *House) agentImages() func(image string) error {
	may, err := h.Options.allowedImages()
	if err != nil { // they were looked at when they were read
		return func(string) error { return err }
	}
	return may
}

func (o Options) containers(dir string, log *slog.Logger) container.Options {
	allow := strings.FieldsFunc(o.Containers.Allow, func(r rune) bool { return r == ',' || r == ' ' })
	return container.Options{Dir: dir, Host: o.Containers.Host, Image: o.Containers.Image, Allow: allow, Log: log}
}

// executors gives what runs applications, and what runs the steps of workflows and stacks; they are the same where no
// containers are asked for. The folders are the executors' own. Whatever takes steps on a machine, the server or a worker
// beside it, gets its executor here.
func (o Options) executors(ctx context.Context, sandboxes, containers string, log *slog.Logger) (*process.Executor, execute.Executor, error) {
	plain, err := process.New(sandboxes, log)
	if err != nil || o.Executor != containerExecutor {
		return plain, plain, err
	}
	steps, err := container.New(ctx, o.containers(containers, log))
	if err != nil {
		plain.Close()
		return nil, nil, err
	}
	return plain, steps, nil
}

// stepImages tells which images stacks may name; nil where steps are processes.
func (h *House) stepImages() stack.Images {
	if e, ok := h.Steps.(*container.Executor); ok {
		return e.May
	}
	return nil
}

// capabilities are those of steps and applications together: what one of them lacks is lacking.
func (h *House) capabilities() execute.Capabilities {
	c := h.Steps.Capabilities()
	if c.Name == containerExecutor {
		apps := h.Executor.Capabilities()
		c.Isolated = c.Isolated && apps.Isolated
		for _, missing := range apps.Missing {
			c.Missing = append(c.Missing, "applications: "+missing)
		}
		c.Missing = slices.Clip(c.Missing)
	}
	return c
}
