package server

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const manifests = `apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NS}
data: {level: info}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: NS}
stringData: {password: a-word-nobody-sees}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: outputs, namespace: NS}
data: {address: https://shop.example.org}
`

const ownKind = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trains.NS.example.org}
spec:
  group: NS.example.org
  scope: Namespaced
  names: {kind: Train, plural: trains, singular: train}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: NS.example.org/v1
kind: Train
metadata: {name: express, namespace: NS}
spec: {cars: 3}
`

// TestManifestsArePlannedReviewedAndApplied tells the life of a stack of manifests in a real cluster, which
// ROADBED_TEST_KUBECONFIG names: one for tests alone, which can be reached from here.
func TestManifestsArePlannedReviewedAndApplied(t *testing.T) {
	config := os.Getenv("ROADBED_TEST_KUBECONFIG")
	if config == "" {
		t.Skip("no cluster: name a kubeconfig in ROADBED_TEST_KUBECONFIG")
	}
	kubeconfig, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Network = database, true
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/kubeconfig", nil, map[string]any{"value": string(kubeconfig)}, nil); err != nil {
			t.Fatal(err)
		}
		ns := "shop-" + strings.ToLower(string(h.DB.Dialect()))
		kubectl := func(args ...string) string {
			t.Helper()
			out, err := exec.CommandContext(t.Context(), "kubectl", append([]string{"--kubeconfig", config}, args...)...).CombinedOutput()
			if err != nil {
				t.Logf("kubectl %v: %v\n%s", args, err, out)
			}
			return strings.TrimSpace(string(out))
		}
		t.Cleanup(func() {
			// What is left of a test that failed; a failure to take it away is none of the test's.
			_ = exec.CommandContext(context.WithoutCancel(t.Context()), "kubectl", "--kubeconfig", config, "delete", "--ignore-not-found", "namespace/"+ns, "crd/trains."+ns+".example.org").Run()
		})
		as := func(text string) string { return strings.ReplaceAll(text, "NS", ns) }
		g.policy("labels", "plan", `warn[m] {
  i := input.kubernetes.items[_]
  i.after.metadata.labels["forbidden"]
  m := i.id
}`, "")
		reach := "  files: [{path: kubeconfig, secretRef: default/kubeconfig}]\n"
		files := map[string]string{"all.yaml": as(manifests), "kind.yaml": as(ownKind)}
		id := g.tool("shop", "  vendor: {kubernetes: {}}\n"+reach, files)
		g.wantRun(g.rests(id), "unconfirmed", "6 to create; waits for somebody to confirm it")
		if all := asJSON(t, g.plan(id)); strings.Contains(all, "a-word-nobody-sees") || strings.Contains(all, "YS13b3JkLW5vYm9keS1zZWVz") || !strings.Contains(all, `"address":"ConfigMap `+ns+`/settings"`) {
			t.Errorf("the plan is %s", all)
		}
		r := g.confirms(id)
		g.wantRun(r, "finished", "applied: 6 to create")
		if got := kubectl("get", "-n", ns, "configmap/settings", "-o", "jsonpath={.data.level} {.metadata.labels}"); got != `info {"roadbed.dev/stack":"default.shop"}` {
			t.Errorf("the ConfigMap has %s", got)
		}
		if got := kubectl("get", "-n", ns, "trains."+ns+".example.org/express", "-o", "jsonpath={.spec.cars}"); got != "3" {
			t.Errorf("the train has %s cars", got)
		}
		if s := g.stackNow("shop"); s.State == nil || s.State.Resources != 6 {
			t.Fatalf("the stack is %+v", s.State)
		}
		g.wantAddresses("admin", "?stack=default/shop",
			as("shop ConfigMap.NS/outputs"), as("shop ConfigMap.NS/settings"), as("shop Namespace.NS"), as("shop Secret.NS/key"),
			as("shop apiextensions.k8s.io/CustomResourceDefinition.trains.NS.example.org"), as("shop NS.example.org/Train.NS/express"))

		// Nothing has drifted, until somebody edits it by hand.
		g.wantRun(g.drifts("shop"), "finished", "no drift")
		kubectl("patch", "-n", ns, "configmap/settings", "--type=merge", "-p", `{"data":{"level":"debug"}}`, "--field-manager=roadbed")
		g.wantRun(g.drifts("shop"), "finished", "drifted: 1 to change")

		// What has no manifest any more goes, and nothing else.
		kubectl("create", "-n", ns, "configmap", "of-others")
		files["all.yaml"] = as(strings.ReplaceAll(strings.Split(manifests, "---\napiVersion: v1\nkind: Secret")[0], "info", "warn"))
		files["kind.yaml"] = as(ownKind)
		commit := g.pushTool("shop", files)
		id = g.stackRun("shop", commit)
		g.wantRun(g.rests(id), "unconfirmed", "1 to change, 2 to destroy")
		if all := asJSON(t, g.plan(id)); strings.Contains(all, "YS13b3JkLW5vYm9keS1zZWVz") {
			t.Errorf("the plan of a deletion has the Secret's data: %s", all)
		}
		g.wantRun(g.confirms(id), "finished", "applied: 1 to change, 2 to destroy")
		if got := kubectl("get", "-n", ns, "configmap,secret", "-o", "jsonpath={.items[*].metadata.name}"); strings.Contains(got, "key") || !strings.Contains(got, "of-others") || !strings.Contains(got, "settings") {
			t.Errorf("there are %s", got)
		}
		if s := g.stackNow("shop"); s.State.Resources != 4 {
			t.Errorf("the state has %d resources, want 4", s.State.Resources)
		}

		// An apply that fails may have done anything: the state has what is new, and what was there. Its outputs are not there.
		files["more.yaml"] = as("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: NS}\n")
		g.apply(toolDocument("shop", "  vendor: {kubernetes: {outputs: outputs}}\n"+reach))
		g.wantRun(g.rests(g.nth("shop", "tracked", 3)), "finished", "nothing to change")
		id = g.stackRun("shop", g.pushTool("shop", files))
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		g.wantRun(g.confirms(id), "failed", "applying: ")
		if s := g.stackNow("shop"); s.State.Resources != 5 {
			t.Errorf("after an apply that failed the state has %d resources, want all that may be there", s.State.Resources)
		}
		files["more.yaml"] = as("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: outputs}\ndata: {address: 'https://shop.example.org'}\n")
		g.apply(toolDocument("shop", as("  vendor: {kubernetes: {namespace: NS, outputs: outputs}}\n")+reach))
		g.wantRun(g.rests(g.nth("shop", "tracked", 5)), "finished", "nothing to change")
		id = g.stackRun("shop", g.pushTool("shop", files))
		g.wantRun(g.rests(id), "unconfirmed", "1 to create, 1 to destroy")
		g.wantRun(g.confirms(id), "finished", "applied")
		if got := g.output("shop", "address"); got != `"https://shop.example.org"` {
			t.Errorf("the output is %s", got)
		}

		destroy, err := g.begins("shop", "destroy")
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "unconfirmed", "5 to destroy")
		g.wantRun(g.confirms(destroy.ID), "finished", "applied: 5 to destroy")
		if got := kubectl("get", "namespace", ns, "--ignore-not-found", "-o", "name"); got != "" {
			t.Errorf("there is still %s", got)
		}
		if s := g.stackNow("shop"); s.State.Resources != 0 {
			t.Errorf("after the destruction the state has %+v", s.State)
		}
	})
}
