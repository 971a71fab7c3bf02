package workflow_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/product/workflow"
)

// BenchmarkNext evaluates a dag of a thousand tasks in rows of ten, half of them done.
func BenchmarkNext(b *testing.B) {
	dag := &workflow.DAG{}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	facts := workflow.Facts{Leaves: map[string]workflow.Leaf{}, Now: now, Created: now, Started: now}
	for i := range 1000 {
		t := workflow.Task{Name: fmt.Sprintf("t%d", i), Template: "leaf"}
		if i >= 10 {
			t.Dependencies = []string{fmt.Sprintf("t%d", i-10)}
			value := workflow.Text(fmt.Sprintf("{{tasks.t%d.outputs.parameters.p}}", i-10))
			t.Arguments.Parameters = []workflow.Parameter{{Name: "p", Value: &value}}
		}
		dag.Tasks = append(dag.Tasks, t)
		if i < 500 {
			facts.Leaves["main."+t.Name] = workflow.Leaf{Phase: workflow.Succeeded, Started: now, Ended: now, Values: workflow.Values{Parameters: map[string]string{"p": "v"}}}
		}
	}
	none := workflow.Text("")
	p := &workflow.Plan{Spec: workflow.Spec{Entrypoint: "main", Templates: []workflow.Template{
		{Name: "main", DAG: dag},
		{Name: "leaf", Container: &workflow.Container{Command: []string{"true"}}, Inputs: workflow.Inputs{Parameters: []workflow.Parameter{{Name: "p", Default: &none}}}},
	}}}
	for b.Loop() {
		if out := workflow.Next(p, "run_1", facts); len(out.Starts) != 10 {
			b.Fatalf("%d start", len(out.Starts))
		}
	}
}
