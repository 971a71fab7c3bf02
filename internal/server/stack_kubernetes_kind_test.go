package server

import (
	"os/exec"
	"strings"

	"github.com/roadbed-dev/roadbed/client"
)

// tram defines a kind in some versions, of which the last is the one that is stored, beside a ConfigMap that is of no account.
func tram(group string, served ...string) string {
	versions := make([]string, len(served))
	for i, v := range served {
		name, gone := strings.CutPrefix(v, "-")
		is := map[bool]string{true: "true", false: "false"}
		versions[i] = "{name: " + name + ", served: " + is[!gone] + ", storage: " + is[i == len(served)-1] +
			", schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}"
	}
	return strings.ReplaceAll(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trams.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: Tram, plural: trams, singular: tram}
  versions: [`+strings.Join(versions, ", ")+`]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: of-GROUP}
`, "GROUP", group)
}

// line is an object of that kind.
func line(group, version, name string) string {
	return "---\napiVersion: " + group + "/" + version + "\nkind: Tram\nmetadata: {name: " + name + "}\nspec: {stops: 12}\n"
}

// comesTo waits until the cluster answers kubectl, or refuses to.
func (c *clusterGround) comesTo(answers bool, args ...string) {
	c.t.Helper()
	var said []byte
	if err := eventually(c.t.Context(), func() (bool, error) {
		p := exec.CommandContext(c.t.Context(), c.cluster.Kubectl, append([]string{"--kubeconfig", c.cluster.Kubeconfig}, args...)...)
		var err error
		said, err = p.CombinedOutput()
		return (err == nil) == answers, nil
	}); err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, said)
	}
}

// versions has a kind go from version to version: an object is the same in all of them.
func (c *clusterGround) versions() {
	t, group := c.t, "rails."+c.ns+".example.org"
	c.cluster.Delete(t, "crd/trams."+group)
	id := c.tool("rails", c.as("  vendor: {kubernetes: {namespace: NS}}\n")+reach, map[string]string{
		"all.yaml": tram(group, "v1alpha1") + line(group, "v1alpha1", "one") + line(group, "v1alpha1", "two"),
	})
	c.wantRun(c.rests(id), "unconfirmed", "4 to create")
	c.wantRun(c.confirms(id), "finished", "applied: 4 to create")

	// The version of the manifests comes with the same plan.
	push := func(all, summary string) client.RunDetail {
		t.Helper()
		r := c.pushes("rails", map[string]string{"all.yaml": all})
		c.wantRun(r, "unconfirmed", summary)
		c.wantRun(c.confirms(r.ID), "finished", "applied: "+summary)
		return r
	}
	r := push(tram(group, "v1alpha1", "v1")+line(group, "v1", "one")+line(group, "v1", "two"), "3 to change")
	if all := asJSON(t, c.plan(r.ID)); !strings.Contains(all, `"apiVersion":"`+group+`/v1alpha1"`) || !strings.Contains(all, `"apiVersion":"`+group+`/v1"`) {
		t.Errorf("the plan does not tell both versions: %s", all)
	}
	r = c.pushes("rails", map[string]string{"all.yaml": tram(group, "v1alpha1", "v1") + line(group, "v3", "one") + line(group, "v1", "two")})
	c.wantRun(r, "failed", "the cluster has no kind Tram in "+group+"/v3")

	// What goes does so in a version that the same plan has the cluster no longer serve, and in one that it has not served for long.
	push(tram(group, "-v1alpha1", "-v1", "v2")+line(group, "v2", "two"), "2 to change, 1 to destroy")
	if got := c.kubectl("get", "-n", c.ns, "trams."+group, "-o", "name"); got != "tram."+group+"/two" {
		t.Errorf("there are %s", got)
	}
	c.kubectl("patch", "crd/trams."+group, "--type=json", "-p", `[{"op":"replace","path":"/spec/versions/2/served","value":false},
 {"op":"replace","path":"/spec/versions/2/storage","value":false}, {"op":"add","path":"/spec/versions/3","value":{"name":"v3","served":true,"storage":true,
 "schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}]`)
	c.comesTo(false, "get", "--raw", "/apis/"+group+"/v2")
	push(tram(group, "-v1alpha1", "-v1", "-v2", "v3"), "1 to destroy")
	if got := c.kubectl("get", "-n", c.ns, "trams."+group, "-o", "name"); got != "" {
		t.Errorf("there is still %s", got)
	}

	// The last object goes in a version that the same plan has the cluster no longer serve, of which nothing that is applied tells.
	push(tram(group, "-v1alpha1", "-v1", "-v2", "v3")+line(group, "v3", "last"), "1 to create")
	push(tram(group, "-v1alpha1", "-v1", "-v2", "-v3", "v4"), "1 to change, 1 to destroy")
	if got := c.kubectl("get", "-n", c.ns, "trams."+group, "-o", "name"); got != "" {
		t.Errorf("there is still %s", got)
	}

	// A kind that is gone has taken its objects along.
	push(tram(group, "-v1alpha1", "-v1", "-v2", "-v3", "v4")+line(group, "v4", "three"), "1 to create")
	c.kubectl("delete", "crd/trams."+group)
	c.comesTo(false, "get", "--raw", "/apis/"+group)
	r = c.pushes("rails", map[string]string{"all.yaml": c.as("{apiVersion: v1, kind: ConfigMap, metadata: {name: of-rails.NS.example.org}}\n")})
	c.wantRun(r, "finished", "nothing to change")
	if log := c.log(r.ID, "show"); !strings.Contains(log, "taken for gone") {
		t.Errorf("the log of a plan after a kind is gone is\n%s", log)
	}
}

// silent has the server of an API be down: then nobody knows whether an object of it is there.
func (c *clusterGround) silent() {
	t, group := c.t, "silent."+c.ns+".example.org"
	c.cluster.Delete(t, "crd/trams."+group)
	with := tram(group, "v1") + line(group, "v1", "one")
	id := c.tool("silent", c.as("  vendor: {kubernetes: {namespace: NS}}\n")+reach, map[string]string{"all.yaml": with})
	c.wantRun(c.rests(id), "unconfirmed", "3 to create")
	c.wantRun(c.confirms(id), "finished", "applied: 3 to create")

	service := "apiservice/v1." + group
	c.kubectl("patch", service, "--type=merge", "-p",
		`{"metadata":{"labels":{"kube-aggregator.kubernetes.io/automanaged":null}},"spec":{"insecureSkipTLSVerify":true,"service":{"name":"nowhere","namespace":"default","port":443}}}`)
	c.comesTo(false, "get", "--raw", "/apis/"+group+"/v1")
	word := "can't tell whether " + group + "/Tram " + c.ns + "/one is in the cluster: its API " + group + "/v1 does not answer"
	c.wantRun(c.pushes("silent", map[string]string{"all.yaml": tram(group, "v1")}), "failed", "reading the plan: "+word)
	if s := c.stackNow("silent"); s.State.Resources != 3 {
		t.Errorf("while an API is down the state has %d resources, want 3", s.State.Resources)
	}
	c.wantRun(c.pushes("silent", map[string]string{"all.yaml": with}), "failed", strings.Replace(word, c.ns+"/", "", 1))
	destroy, err := c.begins("silent", "destroy")
	if err != nil {
		t.Fatal(err)
	}
	c.wantRun(c.rests(destroy.ID), "failed", word)
	c.wantRun(c.drifts("shop"), "finished", "no drift") // which has none of that API

	c.kubectl("delete", service) // the cluster makes it anew, as it was
	c.comesTo(true, "get", "--raw", "/apis/"+group+"/v1")
	r := c.pushes("silent", map[string]string{"all.yaml": tram(group, "v1")})
	c.wantRun(r, "unconfirmed", "1 to destroy")
	c.wantRun(c.confirms(r.ID), "finished", "applied: 1 to destroy")
	if destroy, err = c.begins("silent", "destroy"); err != nil {
		t.Fatal(err)
	}
	c.wantRun(c.rests(destroy.ID), "unconfirmed", "2 to destroy")
	c.wantRun(c.confirms(destroy.ID), "finished", "applied: 2 to destroy")
}

// law refuses ConfigMaps of a name.
const law = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: LAW}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}
  validations: [{expression: "object.metadata.name != 'unlawful'", message: nobody may call it that}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: LAW}
spec:
  policyName: LAW
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}}
`

// admitted has the cluster's own policies refuse a manifest: at first only once it is applied, then when it is planned.
func (c *clusterGround) admitted() {
	t, name := c.t, "law-"+c.ns
	c.cluster.Delete(t, "validatingadmissionpolicybinding/"+name, "validatingadmissionpolicy/"+name)
	files := map[string]string{"all.yaml": c.as("{apiVersion: v1, kind: ConfigMap, metadata: {name: lawful, namespace: NS}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: unlawful, namespace: NS}}\n")}
	id := c.tool("law", "  vendor: {kubernetes: {}}\n"+reach, files)
	c.wantRun(c.rests(id), "unconfirmed", "2 to create")
	c.kubectl("apply", "-f", c.file(strings.ReplaceAll(c.as(law), "LAW", name)))
	c.comesTo(false, "create", "configmap", "unlawful", "-n", c.ns, "--dry-run=server")
	r := c.confirms(id)
	c.wantRun(r, "failed", c.as("applying: the cluster refuses ConfigMap NS/unlawful: "))
	if !strings.Contains(r.Reason, "nobody may call it that") {
		t.Errorf("the reason is %s", r.Reason)
	}
	if s := c.stackNow("law"); s.State.Resources != 2 {
		t.Errorf("the state has %d resources, want all that may be there", s.State.Resources)
	}
	files["all.yaml"] += c.as("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: more, namespace: NS}}\n")
	c.wantRun(c.pushes("law", files), "failed", c.as("reading the plan: the cluster refuses ConfigMap NS/unlawful: "))
	destroy, err := c.begins("law", "destroy")
	if err != nil {
		t.Fatal(err)
	}
	c.wantRun(c.rests(destroy.ID), "unconfirmed", "1 to destroy")
	c.wantRun(c.confirms(destroy.ID), "finished", "applied: 1 to destroy")
}

// asked has people ask the cluster by tasks, which change nothing of the state.
func (c *clusterGround) asked() {
	before := c.stackNow("shop").State
	for command, want := range map[string]struct{ state, log string }{
		"kubectl get configmap --output=name": {"finished", "configmap/settings"},
		"kubectl get configmap nothing":       {"failed", `"nothing" not found`},
	} {
		task, err := client.Post[client.RunDetail](c.t.Context(), c.admin, "/stacks/default/shop/runs", map[string]any{"type": "task", "command": command + " --namespace=" + c.ns})
		if err != nil {
			c.t.Fatal(err)
		}
		c.wantRun(until(c.t, c.admin, task.ID, ended), want.state, "")
		if log := c.log(task.ID, "task"); !strings.Contains(log, want.log) {
			c.t.Errorf("%s says\n%s", command, log)
		}
	}
	if after := c.stackNow("shop").State; after.Serial != before.Serial {
		c.t.Errorf("tasks have made the state %+v of %+v", after, before)
	}
}
