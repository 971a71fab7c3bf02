package server

import (
	"os"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/kubernetestest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

const manifests = `apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NS}
data: {level: info, color: red}
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

// workload has what people mostly apply, in little: the server adds much to it.
const workload = `apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: web}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: registry.example.org/web:1, ports: [{containerPort: 8080}], resources: {requests: {cpu: 1000m, memory: 1024Mi}}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: store, image: registry.example.org/store:1}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{host: shop.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: store}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: store}, maxReplicas: 3}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: once, image: registry.example.org/once:1}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: 0 3 * * *
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: once, image: registry.example.org/once:1}]}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`

// clusterGround is a ground with a cluster that others use too: the names of its namespaces begin with a word of its own.
type clusterGround struct {
	*ground
	cluster *kubernetestest.Cluster
	ns      string
}

// reach mounts the kubeconfig.
const reach = "  files: [{path: kubeconfig, secretRef: default/kubeconfig}]\n"

func (c *clusterGround) as(text string) string { return strings.ReplaceAll(text, "NS", c.ns) }

func (c *clusterGround) kubectl(args ...string) string {
	c.t.Helper()
	return c.cluster.Run(c.t, args...)
}

// pushes has Alice push manifests, and gives the rest of their run.
func (c *clusterGround) pushes(name string, files map[string]string) client.RunDetail {
	c.t.Helper()
	return c.rests(c.stackRun(name, c.pushTool(name, files)))
}

// TestManifestsArePlannedReviewedAndApplied tells the life of stacks of manifests in a real cluster: the API server is
// Kubernetes' own, and nothing runs pods.
func TestManifestsArePlannedReviewedAndApplied(t *testing.T) {
	t.Parallel()
	cluster := kubernetestest.Start(t)
	kubeconfig, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Network = database, true
		h, server := openWith(t, o)
		c := &clusterGround{newGround(t, h, server), cluster, "shop-" + strings.ToLower(string(h.DB.Dialect()))}
		if err := c.admin.Do(t.Context(), "PUT", "/secrets/default/kubeconfig", nil, map[string]any{"value": string(kubeconfig)}, nil); err != nil {
			t.Fatal(err)
		}
		cluster.Delete(t, "namespace/"+c.ns, "namespace/"+c.ns+"-work", "crd/trains."+c.ns+".example.org")
		c.policy("labels", "plan", `deny[m] {
  i := input.kubernetes.items[_]
  i.after.metadata.labels["forbidden"]
  m := i.id
}`, "")
		files := map[string]string{"all.yaml": c.as(manifests), "kind.yaml": c.as(ownKind)}
		c.created(files)
		c.edited()
		c.removed(files)
		c.refused(files)
		if h.DB.Dialect() == store.SQLite { // what the cluster says is the same on all databases
			c.asked()
			c.admitted()
			c.versions()
			c.silent()
		}
		c.workloads()
		c.destroyed("shop", c.ns, "5 to destroy")
		if got := c.kubectl("get", "crd", "-o", "name"); strings.Contains(got, c.ns) {
			t.Errorf("there is still %s", got)
		}
	})
}

// created applies all for the first time: what it stands in and is of is made by the same run.
func (c *clusterGround) created(files map[string]string) {
	t := c.t
	id := c.tool("shop", "  vendor: {kubernetes: {}}\n"+reach, files)
	c.wantRun(c.rests(id), "unconfirmed", "6 to create; waits for somebody to confirm it")
	if all := asJSON(t, c.plan(id)); tellsSecret(all) || !strings.Contains(all, c.as(`"address":"ConfigMap NS/settings"`)) {
		t.Errorf("the plan is %s", all)
	}
	c.wantRun(c.confirms(id), "finished", "applied: 6 to create")
	if got := c.kubectl("get", "-n", c.ns, "configmap/settings", "-o", "jsonpath={.data} {.metadata.labels}"); got != `{"color":"red","level":"info"} {"roadbed.dev/stack":"default.shop"}` {
		t.Errorf("the ConfigMap has %s", got)
	}
	if got := c.kubectl("get", "-n", c.ns, c.as("trains.NS.example.org/express"), "-o", "jsonpath={.spec.cars}"); got != "3" {
		t.Errorf("the train has %s cars", got)
	}
	if s := c.stackNow("shop"); s.State == nil || s.State.Resources != 6 {
		t.Fatalf("the stack is %+v", s.State)
	}
	c.wantAddresses("admin", "?stack=default/shop",
		c.as("shop ConfigMap NS/outputs"), c.as("shop ConfigMap NS/settings"), c.as("shop Namespace NS"), c.as("shop Secret NS/key"),
		c.as("shop apiextensions.k8s.io/CustomResourceDefinition trains.NS.example.org"), c.as("shop NS.example.org/Train NS/express"))
}

// tellsSecret tells whether there is what the Secret holds, or held.
func tellsSecret(all string) bool {
	for _, word := range []string{"a-word-nobody-sees", "YS13b3JkLW5vYm9keS1zZWVz", "another", "YW5vdGhlcg=="} {
		if strings.Contains(all, word) {
			return true
		}
	}
	return false
}

// edited has people change what is there by hand. What the manifests name comes back, and what others have added stays.
func (c *clusterGround) edited() {
	t := c.t
	c.kubectl("patch", "-n", c.ns, "configmap/settings", "--type=merge", "-p", `{"data":{"of-others":"1"}}`)
	c.wantRun(c.drifts("shop"), "finished", "no drift")

	c.kubectl("patch", "-n", c.ns, "configmap/settings", "--type=merge", "-p", `{"data":{"level":"debug"}}`)
	c.kubectl("patch", "-n", c.ns, "secret/key", "--type=merge", "-p", `{"data":{"password":"YW5vdGhlcg=="}}`)
	c.kubectl("patch", "-n", c.ns, c.as("trains.NS.example.org/express"), "--type=merge", "-p", `{"spec":{"cars":4}}`)
	c.kubectl("delete", "-n", c.ns, "configmap/outputs")
	found := c.drifts("shop")
	c.wantRun(found, "finished", "drifted: 1 to create, 3 to change")
	all := asJSON(t, c.plan(found.ID))
	if tellsSecret(all) {
		t.Errorf("the plan of a Secret that somebody has changed is %s", all)
	}
	for _, want := range []string{`"level":"debug"`, `"level":"info"`, `"cars":4`, `"cars":3`} {
		if !strings.Contains(all, want) {
			t.Errorf("the plan does not tell %s: %s", want, all)
		}
	}
	if err := eventually(t.Context(), func() (bool, error) {
		d := c.stackNow("shop").Drift
		return d != nil && d.Found && d.Run == found.ID, nil
	}); err != nil {
		t.Errorf("the stack's drift is %+v", c.stackNow("shop").Drift)
	}

	marked := map[string]int{}
	for _, action := range c.marks("?drifted=true") {
		marked[action]++
	}
	if marked["create"] != 1 || marked["update"] != 3 || len(marked) != 2 {
		t.Errorf("marked is %v", c.marks("?drifted=true"))
	}

	again, err := client.Post[client.RunDetail](t.Context(), c.alice, "/stacks/default/shop/runs", map[string]any{"type": "drift", "reconcile": true})
	if err != nil {
		t.Fatal(err)
	}
	c.wantRun(c.rests(again.ID), "finished", "drifted: 1 to create, 3 to change")
	id := c.nth("shop", "tracked", 2)
	c.wantRun(c.rests(id), "unconfirmed", "1 to create, 3 to change")
	c.wantRun(c.confirms(id), "finished", "applied: 1 to create, 3 to change")
	if got := c.kubectl("get", "-n", c.ns, "configmap/settings", "configmap/outputs", "-o", "jsonpath={.items[*].data}"); got != `{"color":"red","level":"info","of-others":"1"} {"address":"https://shop.example.org"}` {
		t.Errorf("after it was reconciled there is %s", got)
	}
	if got := c.kubectl("get", "-n", c.ns, "secret/key", "-o", "jsonpath={.data.password}"); got != "YS13b3JkLW5vYm9keS1zZWVz" {
		t.Errorf("after it was reconciled the Secret has %s", got)
	}
	c.wantRun(c.drifts("shop"), "finished", "no drift")
}

// removed takes manifests out, and a field of one.
func (c *clusterGround) removed(files map[string]string) {
	t := c.t
	c.kubectl("create", "-n", c.ns, "configmap", "of-others")
	few := strings.ReplaceAll(strings.Split(manifests, "---\napiVersion: v1\nkind: Secret")[0], "level: info, color: red", "level: warn")
	files["all.yaml"] = c.as(few)
	r := c.pushes("shop", files)
	c.wantRun(r, "unconfirmed", "1 to change, 2 to destroy")
	if all := asJSON(t, c.plan(r.ID)); tellsSecret(all) {
		t.Errorf("the plan of a deletion has the Secret's data: %s", all)
	}
	c.wantRun(c.confirms(r.ID), "finished", "applied: 1 to change, 2 to destroy")
	if got := c.kubectl("get", "-n", c.ns, "configmap,secret", "-o", "jsonpath={.items[*].metadata.name}"); strings.Contains(got, "key") || strings.Contains(got, "outputs") || !strings.Contains(got, "of-others") || !strings.Contains(got, "settings") {
		t.Errorf("there are %s", got)
	}
	if got := c.kubectl("get", "-n", c.ns, "configmap/settings", "-o", "jsonpath={.data}"); got != `{"level":"warn","of-others":"1"}` {
		t.Errorf("the ConfigMap has %s", got)
	}
	if s := c.stackNow("shop"); s.State.Resources != 4 {
		t.Errorf("the state has %d resources, want 4", s.State.Resources)
	}
}

// refused pushes what can't be applied, or is not to be: all but the last is told by the plan.
func (c *clusterGround) refused(files map[string]string) {
	t := c.t
	for _, wrong := range []struct{ manifest, reason, log string }{
		{"{apiVersion: v1, kind: ConfigMap, metadata: {name: more, namespace: nowhere}}", "ConfigMap nowhere/more can't be applied: the cluster has no namespace nowhere", ""},
		{"{apiVersion: NS.example.org/v1, kind: Tram, metadata: {name: more, namespace: NS}}", "the cluster has no kind Tram in NS.example.org/v1", ""},
		{"{apiVersion: v1, kind: ConfigMap, metadata: {name: more, namespace: NS, labels: {forbidden: here}}}", "a plan policy denies: ConfigMap NS/more", ""},
		{"{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS}}", "ConfigMap NS/settings is in the manifests twice", ""},
		{"{apiVersion: v1, kind: Service, metadata: {name: more, namespace: NS}, spec: {ports: [{port: 80000}]}}", `the cluster refuses Service NS/more: The Service "more" is invalid: spec.ports[0].port: Invalid value: 80000`, "must be between 1 and 65535"},
		{"{apiVersion: v1, kind: Service, metadata: {name: more, namespace: NS}, spec: {port: 80}}", "reading the plan: the cluster refuses Service NS/more: ", ".spec.port"},
		{"{apiVersion: v1, kind: ConfigMap, metadata: [}", "planning: the manifests can't be read: ", ""},
	} {
		files["more.yaml"] = c.as(wrong.manifest) + "\n"
		r := c.pushes("shop", files)
		c.wantRun(r, "failed", c.as(wrong.reason))
		if wrong.log == "" {
			continue
		}
		if log := c.log(r.ID, "show"); !strings.Contains(log, wrong.log) {
			t.Errorf("the log of a plan of %s is\n%s\nwant %s", wrong.manifest, log, wrong.log)
		}
	}

	// An apply that fails may have done anything: the state has what is new, and what was there. Its outputs are not there.
	files["more.yaml"] = c.as("{apiVersion: v1, kind: ConfigMap, metadata: {name: more, namespace: NS}}\n")
	commit := c.pushTool("shop", files)
	c.wantRun(c.rests(c.stackRun("shop", commit)), "unconfirmed", "1 to create")
	if _, err := c.act("bob", c.stackRun("shop", commit), "discard"); err != nil {
		t.Fatal(err)
	}
	n := len(c.runsOf("shop", "tracked"))
	c.apply(toolDocument("shop", "  vendor: {kubernetes: {outputs: outputs}}\n"+reach))
	id := c.nth("shop", "tracked", n+1)
	c.wantRun(c.rests(id), "unconfirmed", "1 to create")
	c.wantRun(c.confirms(id), "failed", "applying: all is applied, and the ConfigMap outputs of outputs can't be read: ")
	if s := c.stackNow("shop"); s.State.Resources != 5 {
		t.Errorf("after an apply that failed the state has %d resources, want all that may be there", s.State.Resources)
	}
	c.apply(toolDocument("shop", c.as("  vendor: {kubernetes: {namespace: NS, outputs: outputs}}\n")+reach))
	c.wantRun(c.rests(c.nth("shop", "tracked", n+2)), "finished", "nothing to change")
	files["more.yaml"] = "{apiVersion: v1, kind: ConfigMap, metadata: {name: outputs}, data: {address: 'https://shop.example.org'}}\n"
	r := c.pushes("shop", files)
	c.wantRun(r, "unconfirmed", "1 to create, 1 to destroy")
	c.wantRun(c.confirms(r.ID), "finished", "applied: 1 to create, 1 to destroy")
	if got := c.output("shop", "address"); got != `"https://shop.example.org"` {
		t.Errorf("the output is %s", got)
	}
}

// workloads applies what a kustomization makes of common kinds. What the server adds to them is no drift.
func (c *clusterGround) workloads() {
	t, ns := c.t, c.ns+"-work"
	files := map[string]string{
		"kustomization.yaml": "namespace: " + ns + "\nresources: [all.yaml]\nimages: [{name: registry.example.org/web, newTag: '2'}]\n",
		"all.yaml":           strings.ReplaceAll(workload, "NS", ns),
	}
	id := c.tool("work", "  vendor: {kubernetes: {}}\n"+reach, files)
	c.wantRun(c.rests(id), "unconfirmed", "13 to create")
	c.wantRun(c.confirms(id), "finished", "applied: 13 to create")
	if got := c.kubectl("get", "-n", ns, "deployment/web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"); got != "registry.example.org/web:2" {
		t.Errorf("the image is %s", got)
	}
	c.wantRun(c.drifts("work"), "finished", "no drift")
	c.kubectl("scale", "-n", ns, "deployment/web", "--replicas=5")
	c.kubectl("scale", "-n", ns, "statefulset/store", "--replicas=5") // whose replicas no manifest names
	c.kubectl("set", "image", "-n", ns, "cronjob/nightly", "once=registry.example.org/once:2")
	c.wantRun(c.drifts("work"), "finished", "drifted: 2 to change")

	// Nobody takes another stack's.
	files["theirs.yaml"] = c.as("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS}, data: {level: mine}}\n")
	files["kustomization.yaml"] = "resources: [theirs.yaml]\n"
	c.wantRun(c.pushes("work", files), "failed", c.as("ConfigMap NS/settings is of the stack default.shop"))

	// What somebody has taken out of the stack, by its label, is left alone.
	c.kubectl("label", "-n", ns, "service/web", "roadbed.dev/stack-")
	files["kustomization.yaml"] = "namespace: " + ns + "\nresources: [all.yaml]\n"
	files["all.yaml"] = strings.ReplaceAll(strings.Split(workload, "---\napiVersion: autoscaling/v2")[0], "NS", ns)
	r := c.pushes("work", files)
	c.wantRun(r, "unconfirmed", "1 to change, 3 to destroy")
	c.wantRun(c.confirms(r.ID), "finished", "applied: 1 to change, 3 to destroy")
	if got := c.kubectl("get", "-n", ns, "deployment,service,hpa,job,cronjob", "-o", "name"); got != "deployment.apps/web\nservice/web" {
		t.Errorf("there are %s", got)
	}
	c.destroyed("work", ns, "9 to destroy")
}

// destroyed destroys a stack, with the namespace that it has made.
func (c *clusterGround) destroyed(name, ns, summary string) {
	t := c.t
	destroy, err := c.begins(name, "destroy")
	if err != nil {
		t.Fatal(err)
	}
	c.wantRun(c.rests(destroy.ID), "unconfirmed", summary)
	c.wantRun(c.confirms(destroy.ID), "finished", "applied: "+summary)
	if got := c.kubectl("get", "namespace", ns, "--ignore-not-found", "-o", "name"); got != "" {
		t.Errorf("there is still %s", got)
	}
	if s := c.stackNow(name); s.State.Resources != 0 {
		t.Errorf("after the destruction the state has %+v", s.State)
	}
}
