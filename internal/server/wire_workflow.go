package server

import (
	"context"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/product/trigger"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// wireWorkflow joins workflows with the catalog's templates and with what other products do as plugins. Delivery is
// built later, so its plugin finds it when it is called.
func (h *House) wireWorkflow() *workflow.Service {
	return workflow.New(workflow.Deps{
		DB: h.DB, Access: h.Access, Runs: h.Runs, Templates: templates{h.Catalog}, Most: h.most(), Policy: h.Policy, Pools: h.Pools, Now: time.Now, Log: h.Log,
		Plugins: map[string]workflow.Plugin{
			delivery.PluginDeployImage: {Check: delivery.CheckDeployImage, Do: func(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
				return h.Delivery.DeployImage(ctx, l, log)
			}},
		},
	})
}

// templates are the catalog's WorkflowTemplates.
type templates struct{ catalog *catalog.Service }

func (t templates) WorkflowTemplate(ctx context.Context, tx *store.Tx, name string) (document.Document, string, error) {
	r, err := ref.Parse(name, "workflowtemplate", ref.DefaultNamespace)
	if err != nil {
		return document.Document{}, "", err
	}
	e, err := t.catalog.GetTx(ctx, tx, r)
	return e.Document, e.Space, err
}

// submitter starts the workflows of triggers, which have authorised them.
type submitter struct{ workflows *workflow.Service }

func (s submitter) SubmitFile(ctx context.Context, n trigger.Submission) (string, error) {
	r, err := s.workflows.SubmitFor(ctx, workflow.Submission{
		Space: n.Space, File: n.File, Document: n.Document, Arguments: n.Arguments, Source: n.Source, Subject: n.Subject, Refs: n.Refs,
		Key: n.Key, Cause: n.Cause, Actor: n.Actor,
	})
	return r.ID, err
}
