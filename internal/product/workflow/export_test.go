package workflow

import (
	"context"
	"log/slog"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// memory gives WorkflowTemplates from texts, all of the space default.
type memory map[string]string

func (m memory) WorkflowTemplate(_ context.Context, _ *store.Tx, name string) (document.Document, string, error) {
	text, found := m[name]
	if !found {
		return document.Document{}, "", fault.Errorf(fault.NotFound, "no template")
	}
	documents, err := document.Parse(name+".yaml", []byte(text), document.Limits{})
	if err != nil {
		return document.Document{}, "", err
	}
	return documents[0], "default", nil
}

// ForTest gives a service that can lint and plan, with the plugins of that name.
func ForTest(templates map[string]string, plugins ...string) *Service {
	s := &Service{Deps{Templates: memory(templates), Log: slog.New(slog.DiscardHandler), Plugins: map[string]Plugin{}}}
	for _, name := range plugins {
		s.Plugins[name] = Plugin{}
	}
	return s
}

// PlanForTest gives the plan of a document.
func PlanForTest(file string, data []byte, templates map[string]string, arguments map[string]string) (*Plan, error) {
	n := Submission{Space: "default", File: file, Document: data, Arguments: arguments, Source: run.Source{Repository: "team/shop", Commit: "abc", Ref: "refs/heads/main"}}
	p, _, err := ForTest(templates, "deploy-image").plan(context.Background(), nil, n, []string{"default"})
	return p, err
}

// GraphForTest gives the nodes of a run.
func GraphForTest(r *run.Run, steps []*run.Step, now time.Time) ([]Node, error) {
	list := make([]run.Step, len(steps))
	for i := range steps {
		list[i] = *steps[i]
	}
	return graph(r, list, now)
}

var (
	EvaluateWhen  = evaluateWhen
	ParseDuration = parseDuration
	ParseQuantity = parseQuantity
)

// Depends evaluates a depends over phases.
func Depends(text string, phases map[string]Phase) (bool, error) {
	d, err := parseDepends(text)
	if err != nil {
		return false, err
	}
	return d.holds(func(task string) taskResult { return taskResult{phase: phases[task]} }), nil
}

// Fill fills tags with parameters of the workflow, for fuzzing.
func Fill(text string, parameters map[string]string) (string, error) {
	return (&scope{run: &globals{name: "w", parameters: parameters}, has: true, item: map[string]any{"a": "b"}}).must(text)
}
