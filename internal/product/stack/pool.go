package stack

import (
	"context"
	"fmt"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Pools is what this room asks of core/pool.
type Pools interface {
	// Usable fails with Invalid for a pool that what is of a space may not name.
	Usable(ctx context.Context, tx *store.Tx, name, space string) error
}

// checkPool completes the name of the worker pool.
func (s *Spec) checkPool(d document.Document, bad func(message, hint string, at ...string)) {
	if s.WorkerPool == "" {
		return
	}
	name, err := pool.Name(s.WorkerPool, d.Ref().Namespace)
	if err != nil {
		bad(fmt.Sprintf("%.200q is not a worker pool", s.WorkerPool), "write NAMESPACE/NAME of a WorkerPool", "spec", "workerPool")
		return
	}
	s.WorkerPool = name
}

// mayUsePool refuses a stack whose worker pool is not there for its space. Runs look again when a step is given out.
func (s *Service) mayUsePool(ctx context.Context, tx *store.Tx, c document.Change, spec Spec) error {
	if spec.WorkerPool == "" {
		return nil
	}
	err := s.Pools.Usable(ctx, tx, spec.WorkerPool, c.Space)
	if fault.Is(err, fault.Invalid) {
		return fault.At(fmt.Sprintf("Stack %s is not valid", c.New.Metadata.Name), c.New.At(fault.Message(err), "", "spec", "workerPool"))
	}
	return err
}

// poolInput is a worker pool as Spacelift shows it: the server's own is public.
func poolInput(name string) map[string]any {
	in := map[string]any{"public": name == "", "labels": []string{}}
	if name != "" {
		in["id"], in["name"] = name, name
	}
	return in
}
