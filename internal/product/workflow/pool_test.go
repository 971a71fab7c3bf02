package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pools are worker pools by name, each for one space.
type pools map[string]string

func (p pools) Usable(_ context.Context, _ *store.Tx, name, space string) error {
	if p[name] != space {
		return fault.Errorf(fault.Invalid, "there is no worker pool %s that the space %s may use", name, space)
	}
	return nil
}

// placed has steps in the pool of the workflow, in one of their own, and in those of another document.
const placed = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w, annotations: {roadbed.dev/pool: eu}}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: plain, template: plain}
        - - {name: own, template: own}
        - - {name: theirs, templateRef: {name: far, template: theirs}}
        - - {name: nearer, templateRef: {name: far, template: nearer}}
        - - {name: bare, templateRef: {name: bare, template: bare}}
    - {name: plain, container: {image: x, command: [x]}}
    - {name: own, metadata: {annotations: {roadbed.dev/pool: payments/us}}, script: {image: x, command: [sh], source: x}}
`

const far = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: far, annotations: {roadbed.dev/pool: payments/asia}}
spec:
  entrypoint: theirs
  templates:
    - {name: theirs, container: {image: x, command: [x]}}
    - {name: nearer, metadata: {annotations: {roadbed.dev/pool: payments/us}}, container: {image: x, command: [x]}}
`

const bare = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: bare}
spec:
  templates:
    - {name: bare, container: {image: x, command: [x]}}
`

// TestStepsRunInTheNearestPoolThatIsNamed submits what names pools in several places.
func TestStepsRunInTheNearestPoolThatIsNamed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, catalog{"far": {far, "payments"}, "bare": {bare, "default"}})
		ours := pools{"default/eu": "payments", "payments/us": "payments", "payments/asia": "payments"}
		b.s.Pools = ours
		n := workflow.Submission{Space: "payments", File: "w.yaml", Document: []byte(placed)}
		r, err := b.s.Submit(as(t, "dev"), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]string{
			{"default/eu", "main[0].plain"}, {"payments/us", "main[1].own"}, {"payments/asia", "main[2].theirs"}, {"payments/us", "main[3].nearer"}, {"default/eu", "main[4].bare"},
		} {
			b.do(t, c[0], c[1], worker.Result{})
		}
		b.want(t, r.ID, "succeeded")

		// What refers to a whole document runs in that one's pool, and in its own where that one names none.
		for _, c := range []struct{ annotations, spec, pool, node string }{
			{"", "workflowTemplateRef: {name: far}", "payments/asia", "theirs"},
			{", annotations: {roadbed.dev/pool: payments/us}", "workflowTemplateRef: {name: far}", "payments/asia", "theirs"},
			{", annotations: {roadbed.dev/pool: payments/asia}", "workflowTemplateRef: {name: far}, entrypoint: nearer", "payments/us", "nearer"},
			{", annotations: {roadbed.dev/pool: eu}", "workflowTemplateRef: {name: bare}, entrypoint: bare", "default/eu", "bare"},
		} {
			n.Document = []byte("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w" + c.annotations + "}\nspec: {" + c.spec + "}\n")
			if _, err := b.s.Submit(as(t, "dev"), n); err != nil {
				t.Fatal(err)
			}
			b.do(t, c.pool, c.node, worker.Result{})
		}

		for gone, says := range map[string]string{"default/eu": "w.yaml:3:", "payments/us": "w.yaml:15:", "payments/asia": "WorkflowTemplate far: "} {
			left := pools{}
			for name, space := range ours {
				if name != gone {
					left[name] = space
				}
			}
			b.s.Pools, n.Document = left, []byte(placed)
			if _, err := b.s.Submit(as(t, "dev"), n); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "no worker pool "+gone) {
				t.Errorf("without %s: %v", gone, err)
			}
		}
		b.s.Pools = nil
		if _, err := b.s.Submit(as(t, "dev"), n); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "no worker pools here") {
			t.Errorf("where there are no pools: %v", err)
		}
	}, rooms()...)
}

// asking has a step with a token, and one without.
const asking = `apiVersion: argoproj.io/v1alpha1
kind: %KIND%
metadata: {name: w}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: with, template: with}
        - - {name: without, template: without}
    - {name: with, metadata: {annotations: {roadbed.dev/oidc-audience: sts.amazonaws.com}}, container: {image: x, command: [x]}}
    - {name: without, container: {image: x, command: [x]}}
`

// TestATokenSaysWhoVouchesForTheWorkflow has workflows that were pushed, that the catalog has, and that somebody submits, who
// may name any repository that they read.
func TestATokenSaysWhoVouchesForTheWorkflow(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		own := strings.ReplaceAll(asking, "%KIND%", "Workflow")
		b := setup(t, db, catalog{"w": {strings.ReplaceAll(asking, "%KIND%", "WorkflowTemplate"), "default"}})
		source := run.Source{Repository: "team/shop", Commit: "c0ffee", Ref: "refs/heads/main"}
		for what, c := range map[string]struct {
			n       workflow.Submission
			push    bool
			subject string
			claims  map[string]string
		}{
			"pushed": {workflow.Submission{Document: []byte(own), Source: source}, true, "space:payments:repository:team/shop:ref:refs/heads/main:run_type:workflow",
				map[string]string{"run_type": "workflow", "repository": "team/shop", "ref": "refs/heads/main", "commit": "c0ffee"}},
			"of the catalog": {workflow.Submission{Template: "w", Source: source}, false, "space:payments:workflow:default/w:run_type:workflow",
				map[string]string{"run_type": "workflow", "workflow": "default/w"}},
			"submitted": {workflow.Submission{Document: []byte(own), Source: source}, false, "space:payments:submitted:pri_dev:run_type:workflow",
				map[string]string{"run_type": "workflow", "submitted": "pri_dev"}},
		} {
			c.n.Space = "payments"
			submit := b.s.Submit
			if c.push {
				submit = b.s.SubmitFor
			}
			r, err := submit(as(t, "dev"), c.n)
			if err != nil {
				t.Fatal(err)
			}
			// No room of tokens is there, so that the step can't be handed out; what it asks for is with it.
			if l, err := b.hub.Lease(t.Context(), "w", run.DefaultPool, worker.KindCommand, 0); l != nil || err != nil {
				t.Fatalf("%s: %+v, %v", what, l, err)
			}
			var asked *worker.IDToken
			d := b.want(t, r.ID, "failed")
			if !strings.Contains(d.Reason, "no OIDC tokens") {
				t.Errorf("%s: the run says %q", what, d.Reason)
			}
			err = db.Read(t.Context(), func(tx *store.Tx) error {
				var raw string
				var job worker.Job
				if err := tx.QueryRow(t.Context(), "SELECT job FROM run_steps WHERE run = $1", r.ID).Scan(&raw); err != nil {
					return err
				}
				err := json.Unmarshal([]byte(raw), &job)
				if asked = job.IDToken; !job.Sealed {
					t.Errorf("%s: what the step leaves is not sealed", what)
				}
				return err
			})
			if err != nil || asked == nil || asked.Audience != "sts.amazonaws.com" || asked.Subject != c.subject {
				t.Fatalf("%s: it asks for %+v, %v", what, asked, err)
			}
			for name, want := range c.claims {
				if asked.Claims[name] != want || len(asked.Claims) != len(c.claims) {
					t.Errorf("%s: the claims are %v", what, asked.Claims)
				}
			}
		}
	}, rooms()...)
}

// TestAnnotationsOfPoolsAndTokensAreLinted writes them wrongly, or where they mean nothing.
func TestAnnotationsOfPoolsAndTokensAreLinted(t *testing.T) {
	t.Parallel()
	s := workflow.ForTest(nil)
	for document, want := range map[string]string{
		"metadata:\n  name: w\n  annotations:\n    roadbed.dev/pool: a/b/c\nspec:\n  entrypoint: a\n  templates:\n  - {name: a, suspend: {}}":                                                     `6: roadbed.dev/pool: "a/b/c" is not the name of a worker pool`,
		"metadata:\n  name: w\n  annotations:\n    roadbed.dev/oidc-audience: x\nspec:\n  entrypoint: a\n  templates:\n  - {name: a, suspend: {}}":                                                `6: roadbed.dev/oidc-audience is for containers and scripts`,
		"metadata: {name: w}\nspec:\n  entrypoint: a\n  templates:\n  - name: a\n    suspend: {}\n    metadata:\n      annotations:\n        roadbed.dev/pool: eu":                                `11: roadbed.dev/pool is of no use on a template of type suspend`,
		"metadata: {name: w}\nspec:\n  entrypoint: a\n  templates:\n  - name: a\n    container: {command: [x]}\n    metadata:\n      annotations:\n        roadbed.dev/pool: '{{workflow.name}}'": `11: roadbed.dev/pool: "{{workflow.name}}" is not the name of a worker pool`,
		"metadata: {name: w}\nspec:\n  entrypoint: a\n  templates:\n  - name: a\n    container: {command: [x]}\n    metadata:\n      annotations:\n        roadbed.dev/oidc-audience: two words":  `11: roadbed.dev/oidc-audience: "two words" can't be an audience`,
	} {
		_, err := s.Lint("w.yaml", []byte("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n"+document))
		if !slices.ContainsFunc(fault.Details(err), func(d fault.Detail) bool { return strings.HasPrefix(fmt.Sprintf("%d: %s", d.Line, d.Message), want) }) {
			t.Errorf("%s\n%v\nwant %s", document, err, want)
		}
	}
}
