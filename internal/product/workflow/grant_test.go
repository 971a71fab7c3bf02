package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestStepsGetNoMoreThanWhoSubmits submits documents of one's own, which nobody pushed to the repository.
func TestStepsGetNoMoreThanWhoSubmits(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, catalog{"ours": {pipeline, "default"}})
		referring := submission("")
		referring.Document = []byte("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec: {workflowTemplateRef: {name: ours}}\n")
		inline := submission("")
		inline.Document = []byte(`apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - name: write
            inline:
              metadata: {annotations: {roadbed.dev/door: "true", roadbed.dev/scopes: artifact:write}}
              container: {image: x, command: [x]}
`)
		for _, c := range []struct {
			what   string
			scopes []string
			s      workflow.Submission
			says   string // "" when it is submitted
		}{
			{"a narrow token", []string{"workflow:create", "repository:read"}, submission(""), "pipeline.yaml:23:"},
			{"in a WorkflowTemplate", []string{"workflow:create", "repository:read"}, referring, "WorkflowTemplate ours: roadbed.dev/scopes"},
			{"within a step", []string{"workflow:create", "repository:read"}, inline, "pipeline.yaml:11:"},
			{"another repository", []string{"workflow:create", "artifact:read", "artifact:write=team/other"}, submission(""), "artifact:write"},
			{"just enough", []string{"workflow:create", "artifact:read", "artifact:write=team/shop"}, submission(""), ""},
		} {
			who := actor.From(as(t, "dev"))
			who.Scopes = c.scopes
			r, err := b.s.Submit(actor.With(t.Context(), who), c.s)
			if c.says != "" {
				if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v, want denied with %q", c.what, err, c.says)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
			b.do(t, run.DefaultPool, "main.test", worker.Result{})
			l := b.do(t, run.DefaultPool, "main.pack", worker.Result{Outputs: map[string]string{"parameter-digest": "sha256:1\n"}})
			if got := fmt.Sprint(l.Job.Scopes); got != "[artifact:write=team/shop artifact:read]" {
				t.Errorf("%s: the scopes are %s", c.what, got)
			}
			b.want(t, r.ID, "waiting")
		}
	}, rooms()...)
}

// TestALimitThatATagBringsIsHeldToTheMost gives a step a limit that no linter could see.
func TestALimitThatATagBringsIsHeldToTheMost(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, rooms()...)
	b := setup(t, db, nil)
	b.s.Most = execute.Limits{Memory: 1 << 30, Time: time.Hour}
	for memory, want := range map[string]string{"1Gi": "", "2Gi": "resources.limits.memory: 2Gi is over 1024 MiB"} {
		s := submission("")
		s.Arguments = map[string]string{"memory": memory}
		s.Document = []byte(`apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  arguments: {parameters: [{name: memory}]}
  templates:
    - {name: main, container: {image: x, command: [x], resources: {limits: {memory: "{{workflow.parameters.memory}}"}}}}
`)
		r, err := b.s.Submit(as(t, "dev"), s)
		if err != nil {
			t.Fatal(err)
		}
		if want != "" {
			if ended := b.want(t, r.ID, "error"); !strings.Contains(ended.Reason, want) {
				t.Errorf("%s: the reason is %q", memory, ended.Reason)
			}
			continue
		}
		if l := b.do(t, run.DefaultPool, "main", worker.Result{}); l.Job.Limits != (execute.Limits{Memory: 1 << 30}) {
			t.Errorf("%s: the limits are %+v", memory, l.Job.Limits)
		}
	}
}
