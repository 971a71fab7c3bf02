//go:build linux && (amd64 || arm64)

package container

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ready has an image at hand and gives its variables. One that is not there is pulled, which the command's output tells.
func (e *Executor) ready(ctx context.Context, image string, q *group.Request) ([]string, error) {
	variables, err := e.variables(ctx, image)
	if !errdefs.IsNotFound(err) {
		return variables, e.asked(err, "look for the image %s", image)
	}
	fmt.Fprintf(q.Out, "roadbed: pulling the image %s\n", image)
	if err := e.pull(ctx, image); err != nil {
		return nil, err
	}
	variables, err = e.variables(ctx, image)
	return variables, e.asked(err, "look for the image %s", image)
}

func (e *Executor) asked(err error, what string, args ...any) error {
	if err == nil {
		return nil
	}
	return e.unavailable(err, what, args...)
}

// variables gives the environment that an image brings, as NAME=VALUE.
func (e *Executor) variables(ctx context.Context, image string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	found, err := e.api.ImageInspect(ctx, image)
	if err != nil || found.Config == nil {
		return nil, err
	}
	return found.Config.Env, nil
}

func (e *Executor) pull(ctx context.Context, image string) error {
	bounded, cancel := context.WithTimeout(ctx, e.options.Pull)
	defer cancel()
	pulling, err := e.api.ImagePull(bounded, image, client.ImagePullOptions{})
	if err == nil {
		err = errors.Join(pulling.Wait(bounded), pulling.Close())
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.Errorf(fault.Canceled, "pull the image %s: %w", image, context.Cause(ctx))
	case bounded.Err() != nil:
		return fault.Errorf(fault.Unavailable, "the image %s is not here, and could not be pulled within %s", image, e.options.Pull)
	}
	return fault.Errorf(fault.Unavailable, "the image %s is not here, and can't be pulled: %w; is its name right, and may this machine's engine read it?", image, err)
}
