package workflow_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
)

// subject gives whom the token of a run's step tells of, and the other claims that it asks for.
func (b bundle) subject(t *testing.T, r run.Run, step string) (string, map[string]string) {
	t.Helper()
	var raw string
	err := b.db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), "SELECT job FROM run_steps WHERE run = $1 AND key = $2", r.ID, step).Scan(&raw)
	})
	if err != nil {
		t.Fatalf("step %s: %v", step, err)
	}
	var job worker.Job
	if err := json.Unmarshal([]byte(raw), &job); err != nil || job.IDToken == nil {
		t.Fatalf("step %s asks for no token: %v", step, err)
	}
	return job.IDToken.Subject, job.IDToken.Claims
}

// TestATokenNamesATemplateAsTheCatalogHasIt submits templates of two namespaces by names that are written in several ways.
func TestATokenNamesATemplateAsTheCatalogHasIt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ours := strings.ReplaceAll(asking, "%KIND%", "WorkflowTemplate")
		theirs := [2]string{strings.Replace(ours, "{name: w}", "{name: W, namespace: Payments}", 1), "default"}
		b := setup(t, db, catalog{"w": {ours, "default"}, "Default/W": {ours, "default"}, "payments/w": theirs, "workflowtemplate:PAYMENTS/w": theirs})
		for name, want := range map[string]string{"w": "default/w", "Default/W": "default/w", "payments/w": "payments/w", "workflowtemplate:PAYMENTS/w": "payments/w"} {
			r, err := b.s.Submit(as(t, "dev"), workflow.Submission{Space: "payments", Template: name})
			if err != nil {
				t.Fatal(err)
			}
			subject, claims := b.subject(t, r, "main[0].with")
			if subject != "space:payments:workflow:"+want+":run_type:workflow" || claims["workflow"] != want {
				t.Errorf("%s: the token is for %s, with %v", name, subject, claims)
			}
			if r.Subject != "workflowtemplate:"+want {
				t.Errorf("%s: the run is about %s", name, r.Subject)
			}
			referring := "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: mine}\nspec: {workflowTemplateRef: {name: '" + name + "'}}\n"
			r, err = b.s.Submit(as(t, "dev"), workflow.Submission{Space: "payments", Document: []byte(referring)})
			if err != nil || r.Subject != "workflowtemplate:"+want {
				t.Errorf("what refers to %s: the run is about %q, %v", name, r.Subject, err)
			}
		}
	}, rooms()...)
}
