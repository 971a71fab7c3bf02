//go:build !linux || !(amd64 || arm64)

package container

import (
	"context"
	"runtime"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Executor is for Linux.
type Executor struct{ *group.Executor }

// New is for Linux; elsewhere there is no such executor.
func New(context.Context, Options) (*Executor, error) {
	return nil, fault.Errorf(fault.Unavailable, "containers need a server on Linux, and this one is on %s %s; leave --executor out", runtime.GOOS, runtime.GOARCH)
}

// Capabilities are none.
func (e *Executor) Capabilities() execute.Capabilities { return execute.Capabilities{} }

// Engine is none.
func (e *Executor) Engine() string { return "" }

// May refuses every image.
func (e *Executor) May(string) error {
	return fault.Errorf(fault.Denied, "there are no containers here")
}

// Close does nothing.
func (e *Executor) Close() error { return nil }
