package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/once"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
)

func (a *API) workflowRoutes() {
	op := operation("submitWorkflow", http.MethodPost, "/workflows/runs", "workflows", "Start a workflow from its document, or from a template of the catalog")
	op.DefaultStatus = 201
	register(a, op, a.submitWorkflow)
	register(a, operation("lintWorkflow", http.MethodPost, "/workflows/lint", "workflows", "Check a file of workflows"), a.lintWorkflow)
	register(a, operation("getGraph", http.MethodGet, "/runs/{id}/graph", "runs", "The nodes of a workflow's run, as they stand"), a.getGraph)
}

type submitWorkflowInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"A second submission with the same key gives the run of the first."`
	Body struct {
		File       string            `json:"file,omitempty" maxLength:"500" doc:"Where the document was read, for errors."`
		Document   string            `json:"document,omitempty" maxLength:"2097152" doc:"One Workflow or WorkflowTemplate."`
		Template   string            `json:"template,omitempty" maxLength:"200" doc:"Name of a WorkflowTemplate of the catalog, instead of a document."`
		Arguments  map[string]string `json:"arguments,omitempty"`
		Space      string            `json:"space,omitempty" maxLength:"63" doc:"Empty for the root space."`
		Repository string            `json:"repository,omitempty" maxLength:"200"`
		Commit     string            `json:"commit,omitempty" maxLength:"64"`
	}
}

func (a *API) submitWorkflow(ctx context.Context, in *submitWorkflowInput) (*tagged[RunDetail], error) {
	b := in.Body
	if b.Space == "" {
		b.Space = "default"
	}
	source := run.Source{Repository: b.Repository}
	if b.Repository != "" { // whoever may not read the repository gets no run that does
		commit, err := a.Repositories.Resolve(ctx, b.Repository, b.Commit)
		if err != nil {
			return nil, err
		}
		source.Commit = commit
	}
	key := ""
	if in.Key != "" {
		me, err := a.me(ctx)
		if err != nil {
			return nil, err
		}
		key = "submit:" + me.ID + ":" + in.Key
	}
	r, err := a.Workflows.Submit(once.Unmarked(ctx), workflow.Submission{
		Space: b.Space, File: b.File, Document: []byte(b.Document), Template: b.Template, Arguments: b.Arguments, Source: source, Key: key,
	})
	if err != nil {
		return nil, err
	}
	return a.getRun(ctx, &RunInput{r.ID})
}

func (a *API) lintWorkflow(_ context.Context, in *lintInput) (*body[LintReport], error) {
	report, err := a.Workflows.Lint(in.Body.File, []byte(in.Body.Document))
	return lintReport(report.Warnings), err
}

func (a *API) getGraph(ctx context.Context, in *RunInput) (*body[List[Node]], error) {
	nodes, err := a.Workflows.Graph(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	items := make([]Node, len(nodes))
	for i, n := range nodes {
		items[i] = Node{
			Key: n.Key, Name: n.Name, Type: n.Type, Template: n.Template, Parent: n.Parent, Depends: append([]string{}, n.Depends...),
			Phase: string(n.Phase), Message: n.Message, Step: n.Step, Inputs: n.Inputs, Outputs: n.Outputs.Parameters,
			Started: moment(n.Started), Ended: moment(n.Ended),
		}
	}
	return list(items, ""), nil
}
