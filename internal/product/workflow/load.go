package workflow

import (
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Kinds of documents that hold a workflow.
const (
	KindWorkflow         = "Workflow"
	KindWorkflowTemplate = "WorkflowTemplate"
)

// clusterTemplate is read as a WorkflowTemplate, so that a file that holds some can be linted with what uses them.
const clusterTemplate = "ClusterWorkflowTemplate"

// documentLimits bound a file of workflows.
var documentLimits = document.Limits{Bytes: 1 << 20, Documents: 100}

// definition is a document of a workflow, read but not yet checked.
type definition struct {
	document.Document        // as it came, for the lines of errors
	spec              Spec   //
	raw               sieved // its spec as it was decoded
	warnings          []fault.Detail
}

// sieved is a spec without what is not supported, with the template defaults filled in.
type sieved map[string]any

// template tells whether the definition may be a part of others, so that its parameters may come from them.
func (d *definition) template() bool { return d.Kind != KindWorkflow }

// isWorkflow tells whether a document is one of this room's.
func isWorkflow(d document.Document) bool {
	return d.APIVersion == APIVersion && slices.Contains([]string{KindWorkflow, KindWorkflowTemplate, clusterTemplate}, d.Kind)
}

// read decodes a document. What it holds that is not supported is refused by line; what is unknown too.
func read(d document.Document) (*definition, []fault.Detail) {
	if !isWorkflow(d) {
		return nil, []fault.Detail{d.At("it is neither a Workflow nor a WorkflowTemplate of "+APIVersion, "", "kind")}
	}
	def := &definition{Document: d}
	s := &sieve{d: d}
	clean := d.Clone()
	s.spec(clean.Spec)
	def.raw, def.warnings = sieved(clean.Spec), s.ignored
	wrong := s.refused
	if err := document.Decode(clean, &def.spec); err != nil {
		wrong = append(wrong, fault.Details(err)...)
	}
	return def, wrong
}
