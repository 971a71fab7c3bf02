package server

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/product/trigger"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// wireDelivery joins applications with the outputs of stacks and the pipelines of pushes.
func (h *House) wireDelivery(clusters map[string]cluster.Cluster) *delivery.Service {
	return delivery.New(delivery.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Blob: h.Blob, Access: h.Access, Policy: h.Policy, Runs: h.Runs, Repositories: h.Repositories.Platform(),
		Stacks: outputs{h.Stacks}, Pipelines: pipelines{h.Triggers}, Clusters: clusters, Addresses: []string{h.baseURL()}, Now: time.Now, Log: h.Log,
	})
}

type outputs struct{ stacks *stack.Service }

func (o outputs) Outputs(ctx context.Context, r ref.Entity, want string) (map[string]delivery.StackOutput, string, error) {
	values, version, err := o.stacks.Outputs(ctx, r, want)
	out := make(map[string]delivery.StackOutput, len(values))
	for name, v := range values {
		out[name] = delivery.StackOutput{Value: v.Value, Sensitive: v.Sensitive}
	}
	return out, version, err
}

func (o outputs) SpaceOf(ctx context.Context, r ref.Entity) (string, error) {
	s, err := o.stacks.Get(actor.AsSystem(ctx), r)
	return s.Space, err
}

type pipelines struct{ triggers *trigger.Service }

func (p pipelines) Pipeline(ctx context.Context, repository, ref, commit string) (delivery.PipelineState, string, error) {
	state, run, err := p.triggers.Pipeline(ctx, repository, ref, commit)
	return delivery.PipelineState(state), run, err
}
