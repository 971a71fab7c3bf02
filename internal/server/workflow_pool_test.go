package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// inPool is a workflow, or a template of one, whose step says where it runs.
func inPool(kind, pool string) string {
	return `apiVersion: argoproj.io/v1alpha1
kind: ` + kind + `
metadata:
  name: placed
  annotations: {roadbed.dev/pool: ` + pool + `}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, 'echo "of $ROADBED_SPACE"']}
`
}

// TestWorkflowsRunInPoolsOfTheirSpaces has workflows of several spaces name a pool of one, shared and not, and an agent run one.
func TestWorkflowsRunInPoolsOfTheirSpaces(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: payments}, spec: {parent: default}}\n---\n{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: cards}, spec: {parent: payments}}\n")
		in := func(space, documents string) error {
			_, err := client.Post[client.List[client.Applied]](ctx, g.admin, "/apply", map[string]any{"documents": documents, "source": "test-" + space, "space": space})
			return err
		}
		submit := func(space, pool string) (client.RunDetail, error) {
			return client.Post[client.RunDetail](ctx, g.admin, "/workflows/runs", map[string]string{"document": inPool("Workflow", pool), "space": space})
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(in("payments", poolDocument("eu", "")))
		for space, served := range map[string]bool{"payments": true, "cards": false, "default": false} {
			_, err := submit(space, "default/eu")
			if served != (err == nil) || !served && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), ":5:") || !strings.Contains(err.Error(), "that the space "+space+" may use")) {
				t.Errorf("a workflow of %s in the pool of payments: %v", space, err)
			}
			if space == "payments" {
				continue
			}
			if err := in(space, inPool("WorkflowTemplate", "default/eu")); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "that the space "+space+" may use") {
				t.Errorf("a template of %s is declared: %v", space, err)
			}
		}
		must(in("payments", inPool("WorkflowTemplate", "eu")))
		must(in("payments", poolDocument("eu", "shared: true")))
		below, err := submit("cards", "default/eu")
		must(err)
		until(t, g.admin, below.ID, func(r client.RunDetail) bool { return strings.Contains(r.Reason, "none has ever connected") })

		// A real agent takes them all, and says so.
		a := g.helper("one", g.url, g.poolToken("eu").Secret)
		below = until(t, g.admin, below.ID, ended)
		g.wantRun(below, "succeeded", "")
		if s := below.Steps[0]; s.Worker != "default/eu/one" || !strings.Contains(g.log(below.ID, s.Key), "of cards") {
			t.Errorf("the step is %+v", s)
		}
		of, err := client.Post[client.RunDetail](ctx, g.admin, "/workflows/runs", map[string]string{"template": "placed", "space": "payments"})
		must(err)
		g.wantRun(until(t, g.admin, of.ID, ended), "succeeded", "")
		a.kill()

		// A pool that serves the space no more when the step is given out.
		below, err = submit("cards", "eu")
		must(err)
		must(in("payments", poolDocument("eu", "")))
		h := g.asAgent("two", g.poolToken("eu").Secret)
		if l, err := h.Lease(ctx, "", "", worker.KindCommand, 2*time.Second); l != nil && l.Run == below.ID || err != nil {
			t.Errorf("a step of a space that the pool serves no more is given out: %+v, %v", l, err)
		}
		below = until(t, g.admin, below.ID, ended)
		if below.State == "succeeded" || !strings.Contains(below.Reason, "does not serve the space cards any more") {
			t.Errorf("the run is %s: %s", below.State, below.Reason)
		}
	})
}

// tokenFlow is a pipeline of which one step shows a cloud who it is.
const tokenFlow = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: flow}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: nobody}]}
  templates:
  - name: main
    steps:
    - - {name: with, template: with}
    - - {name: without, template: without}
  - name: with
    metadata: {annotations: {roadbed.dev/oidc-audience: sts.amazonaws.com}}
    script:
      image: busybox
      command: [sh]
      source: |
        @TELLS@
        cp "$ROADBED_OIDC_TOKEN_FILE" /work/given
    outputs: {parameters: [{name: given, valueFrom: {path: /work/given}}]}
  - name: without
    script: {image: busybox, command: [sh], source: 'echo "token [${ROADBED_OIDC_TOKEN:-}${SPACELIFT_OIDC_TOKEN:-}]"; ls /work/roadbed.oidc || echo no file'}
`

// TestACloudTrustsAWorkflow has a verifier look at the tokens of a pipeline that was pushed, of a template of the catalog, and of
// a document that somebody submits.
func TestACloudTrustsAWorkflow(t *testing.T) {
	t.Parallel()
	const issuer = "http://roadbed.test"
	flow := strings.ReplaceAll(tokenFlow, "@TELLS@", strings.ReplaceAll(tells, "\n      ", "\n        "))
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.BaseURL = database, issuer
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		cloud := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}}}
		defer cloud.CloseIdleConnections()
		ctx := gooidc.ClientContext(t.Context(), cloud)
		says := func(id, step, subject string, want map[string]any) {
			t.Helper()
			token := g.tokenOf(id, step)
			provider, err := gooidc.NewProvider(ctx, issuer)
			if err != nil {
				t.Fatal(err)
			}
			got, err := provider.Verifier(&gooidc.Config{ClientID: "sts.amazonaws.com"}).Verify(ctx, token)
			if err != nil {
				t.Fatal(err)
			}
			claims := map[string]any{}
			if err := got.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if got.Subject != subject || got.Expiry.Sub(got.IssuedAt) != time.Hour || claims["run"] != id || claims["space"] != "default" || claims["run_type"] != "workflow" {
				t.Errorf("the token says %v; want the subject %s", claims, subject)
			}
			for _, name := range []string{"repository", "ref", "commit", "workflow"} {
				if claims[name] != want[name] {
					t.Errorf("the token says %s %v; want %v", name, claims[name], want[name])
				}
			}
			g.hidesEverywhere(id, token)
			g.wantNoted(id, "oidc.issued", 1)
			wantInOrder(t, g.log(id, strings.Replace(step, "[0].with", "[1].without", 1)), "token []", "no file")
		}
		g.apply(onPush(""))
		commit := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": flow})
		pushed := g.event(commit).Run
		g.wantRun(until(t, g.admin, pushed, ended), "succeeded", "")
		says(pushed, "main[0].with", "space:default:repository:crew/shop:ref:refs/heads/main:run_type:workflow", map[string]any{"repository": "crew/shop", "ref": "refs/heads/main", "commit": commit})

		submitted, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"document": flow, "repository": "crew/shop", "commit": "main"})
		if err != nil {
			t.Fatal(err)
		}
		submitted = until(t, g.admin, submitted.ID, ended)
		g.wantRun(submitted, "succeeded", "")
		says(submitted.ID, "main[0].with", "space:default:submitted:"+submitted.Actor.ID+":run_type:workflow", nil)

		g.apply(strings.Replace(flow, "{name: flow}", "{name: flow, namespace: crew}", 1))
		catalog, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"template": "Crew/flow", "repository": "crew/shop", "commit": "main"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, catalog.ID, ended), "succeeded", "")
		says(catalog.ID, "main[0].with", "space:default:workflow:crew/flow:run_type:workflow", map[string]any{"workflow": "crew/flow"})
	})
}
