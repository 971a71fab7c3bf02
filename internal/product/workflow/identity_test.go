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

// bringing has steps that take the repository's files, those of a cache, those of another step, and none.
const bringing = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: w}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: build, template: build}
        - - {name: files, template: files}
          - {name: cache, template: cache}
          - {name: handed, template: handed, arguments: {artifacts: [{name: file, from: "{{steps.build.outputs.artifacts.file}}"}]}}
          - {name: raw, template: handed, arguments: {artifacts: [{name: file, raw: {data: text}}]}}
          - {name: none, template: none}
    - name: build
      container: {image: x, command: [x]}
      outputs: {artifacts: [{name: file, path: /work/file}]}
    - name: files
      metadata: {annotations: {roadbed.dev/oidc-audience: sts.amazonaws.com, roadbed.dev/checkout: /work/src}}
      container: {image: x, command: [sh, deploy.sh]}
    - name: cache
      metadata: {annotations: {roadbed.dev/oidc-audience: sts.amazonaws.com, roadbed.dev/caches: bin=/cache/bin}}
      container: {image: x, command: [x]}
    - name: handed
      metadata: {annotations: {roadbed.dev/oidc-audience: sts.amazonaws.com}}
      inputs: {artifacts: [{name: file, path: /work/file}]}
      container: {image: x, command: [sh, /work/file]}
    - name: none
      metadata: {annotations: {roadbed.dev/oidc-audience: sts.amazonaws.com}}
      container: {image: x, command: [x]}
`

// TestATemplateDoesNotVouchForWhatItsSubmitterBrings submits a template of the catalog with a repository of one's own.
func TestATemplateDoesNotVouchForWhatItsSubmitterBrings(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, catalog{"w": {bringing, "default"}})
		source := run.Source{Repository: "team/shop", Commit: "c0ffee", Ref: "refs/heads/main"}
		says := func(r run.Run, step, who, claim string) {
			t.Helper()
			subject, claims := b.subject(t, r, step)
			if subject != "space:payments:"+who+":run_type:workflow" || claims[claim] == "" || claim != "repository" && len(claims) != 2 {
				t.Errorf("%s: the token is for %s, with %v; want %s", step, subject, claims, who)
			}
		}
		r, err := b.s.Submit(as(t, "dev"), workflow.Submission{Space: "payments", Template: "w", Source: source})
		if err != nil {
			t.Fatal(err)
		}
		made := worker.Result{Artifacts: map[string]worker.Artifact{"artifact-file": {Digest: "sha256:" + strings.Repeat("0", 64), Size: 1, Kind: "file"}}}
		b.do(t, run.DefaultPool, "main[0].build", made)
		for _, step := range []string{"files", "cache", "handed"} {
			says(r, "main[1]."+step, "submitted:pri_dev", "submitted")
		}
		for _, step := range []string{"raw", "none"} {
			says(r, "main[1]."+step, "workflow:default/w", "workflow")
		}
		if err := b.runs.Cancel(as(t, "dev"), r.ID); err != nil {
			t.Fatal(err)
		}

		// What was pushed has the files of the same push.
		r, err = b.s.SubmitFor(as(t, "dev"), workflow.Submission{Space: "payments", Document: []byte(bringing), Source: source})
		if err != nil {
			t.Fatal(err)
		}
		b.do(t, run.DefaultPool, "main[0].build", made)
		says(r, "main[1].files", "repository:team/shop:ref:refs/heads/main", "repository")
	}, rooms()...)
}
