package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const paintedShop = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: shop
  annotations: {roadbed.dev/stack: "stack:default/net"}
spec:
  source: {repoURL: /git/crew/shop, path: deploy, targetRevision: main}
  destination: {name: local, namespace: shop}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
`

// neverHealthy is a Deployment whose image nobody has.
const neverHealthy = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  progressDeadlineSeconds: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.local/crew/shop:none"}]}
`

func colourOf(colour string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: paint}\ndata: {colour: " + colour + "}\n"
}

// live gives a value of a ConfigMap on the node, "" when it is not there.
func (g *ground) live(name, field string) string {
	g.t.Helper()
	o, err := g.house.Node.Get(g.t.Context(), cluster.Key{Kind: "ConfigMap", Namespace: "shop", Name: name})
	if err != nil && !fault.Is(err, fault.NotFound) {
		g.t.Fatal(err)
	}
	return o.Text("data", field)
}

func (g *ground) shop() client.ApplicationDetail {
	g.t.Helper()
	app, err := client.Get[client.ApplicationDetail](g.t.Context(), g.as["rita"], "/applications/default/shop", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return app
}

// delivers waits until the application is at a commit, says what it says, and paint and outputs are so.
func (g *ground) delivers(commit, says, paint, outputs string) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	var app client.ApplicationDetail
	err := eventually(ctx, func() (bool, error) {
		app = g.shop()
		return app.Revision == commit && strings.Contains(app.Message, says) && g.live("paint", "colour") == paint && g.live("net-outputs", "O") == outputs, nil
	})
	if err != nil {
		g.t.Fatalf("%v: the application is %+v, painted %q with %q; want %.8s, %q, %q with %q", err, app, g.live("paint", "colour"), g.live("net-outputs", "O"), commit, says, paint, outputs)
	}
}

// TestAServiceFollowsItsPipelineAndItsOutputsAndGoesBack delivers with real triggers, states and node.
func TestAServiceFollowsItsPipelineAndItsOutputsAndGoesBack(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", "")) // its repository is not there: its states are what Otto says
		g.apply(onPush("") + "---\n" + paintedShop)
		first := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": echo("hello"), "deploy/paint.yaml": colourOf("one")})
		g.wantState(200, "", "otto", "POST", "", stateFile(1, "l", "red"))
		g.delivers(first, "", "one", "red")
		pipeline := until(t, g.admin, g.event(first).Run, ended)
		if last := g.shop().LastRun; last == nil || pipeline.Ended == nil || last.Created.Before(*pipeline.Ended) {
			t.Errorf("it was synced by %+v; its pipeline ended at %v", last, pipeline.Ended)
		}
		// A commit whose pipeline fails is not deployed.
		wrong := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": strings.Replace(echo("x"), "echo x", "exit 3; echo x", 1), "deploy/paint.yaml": colourOf("two")})
		g.delivers(first, "the pipeline of "+wrong[:8]+" failed", "one", "red")
		// One whose health does not come goes back, with the outputs that came along.
		g.wantState(200, "", "otto", "POST", "", stateFile(2, "l", "blue"))
		bad := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": echo("hello"), "deploy/paint.yaml": colourOf("three"), "deploy/web.yaml": neverHealthy})
		g.delivers(first, bad[:8]+" did not become healthy and was rolled back to "+first[:8], "one", "red")
		good := g.push("alice", "crew/shop", map[string]string{"deploy/paint.yaml": colourOf("four"), "deploy/web.yaml": "# none\n"})
		g.delivers(good, "", "four", "blue")
		// The platform's own commit is deployed without a pipeline, also when a trigger comes after it.
		own, err := g.house.Repositories.Platform().Commit(t.Context(), "crew/shop", git.CommitRequest{
			Branch: "main", Parent: good, Message: "a new digest", Changes: []git.FileChange{{Path: "deploy/paint.yaml", Content: []byte(colourOf("five"))}},
			Author: git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: time.Now()},
		})
		if err != nil {
			t.Fatal(err)
		}
		g.delivers(own, "", "five", "blue")
		g.apply(strings.Replace(onPush(""), "name: shop-push", "name: late", 1))
		g.wantState(200, "", "otto", "POST", "", stateFile(3, "l", "green"))
		g.delivers(own, "", "five", "green")
		// A person goes back.
		history := g.shop().History
		back := map[string]string{"revision": history[len(history)-1].ID}
		if _, err := client.Post[client.Run](t.Context(), g.as["rita"], "/applications/default/shop/rollback", back); !fault.Is(err, fault.Denied) {
			t.Errorf("a reader rolls back: %v", err)
		}
		if _, err := client.Post[client.Run](t.Context(), g.as["alice"], "/applications/default/shop/rollback", back); err != nil {
			t.Fatal(err)
		}
		g.delivers(first, "rolled back to "+first[:8], "one", "red")
	})
}
