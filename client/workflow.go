package client

import "time"

// Node is one node of a workflow's run. GET /runs/{id}/graph (run:read); POST /workflows/runs begins one (workflow:create, and each
// scope that its steps ask for).
type Node struct {
	Key      string            `json:"key" doc:"Unique within the run."`
	Name     string            `json:"name"`
	Type     string            `json:"type" example:"Container"`
	Template string            `json:"template,omitempty"`
	Parent   string            `json:"parent,omitempty" doc:"Key of the node that holds it."`
	Depends  []string          `json:"depends" doc:"Keys of the nodes that come before it."`
	Phase    string            `json:"phase" example:"Succeeded"`
	Message  string            `json:"message,omitempty"`
	Step     string            `json:"step,omitempty" doc:"Key of the run's step that does it."`
	Inputs   map[string]string `json:"inputs,omitempty"`
	Outputs  map[string]string `json:"outputs,omitempty"`
	Started  *time.Time        `json:"started,omitempty"`
	Ended    *time.Time        `json:"ended,omitempty"`
}
