package node_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const owner = "application:default/shop"

var webKey = cluster.Key{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}

// container gives the container of a Deployment's manifest, to change it.
func container(o cluster.Object) map[string]any {
	pod, _ := o.Field("spec", "template", "spec")
	return pod.(map[string]any)["containers"].([]any)[0].(map[string]any)
}

func pod(o cluster.Object) map[string]any {
	pod, _ := o.Field("spec", "template", "spec")
	return pod.(map[string]any)
}

// merge reads YAML into a map.
func merge(t *testing.T, into map[string]any, text string) {
	t.Helper()
	for k, v := range clustertest.Parse(t, text)[0].Raw {
		into[k] = v
	}
}

func (b bundle) want(t *testing.T, host, path, want string) {
	t.Helper()
	if status, body := b.Ask(t, host, path); status != 200 || body != want {
		t.Errorf("%s%s gives %d %q, want %q", host, path, status, body, want)
	}
}

func TestPodsSeeTheirConfiguration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	objects := clustertest.App(t, "program:1", "config.test", 1)
	merge(t, pod(objects[0]), `
initContainers:
- {name: first, image: "program:1", env: [{name: EXIT, value: "0"}], volumeMounts: [{name: scratch, mountPath: /scratch}]}
volumes:
- {name: settings, configMap: {name: settings}}
- {name: keys, secret: {secretName: keys, items: [{key: password, path: deep/pass}]}}
- {name: scratch, emptyDir: {}}`)
	merge(t, container(objects[0]), `
args: ["$(COLOUR)"]
env:
- {name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}
- {name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}
- {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
envFrom: [{prefix: SET_, configMapRef: {name: settings}}]
resources: {limits: {memory: 128Mi, cpu: 500m}}
volumeMounts:
- {name: settings, mountPath: /settings}
- {name: settings, mountPath: /one, subPath: colour}
- {name: keys, mountPath: /keys, readOnly: true}
- {name: scratch, mountPath: /scratch}`)
	objects = append(objects, clustertest.Parse(t, `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: red}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop}
data: {password: aHVudGVyMg==}`)...)
	clustertest.Apply(t, b.Cluster, owner, objects)
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	for path, want := range map[string]string{
		"/env?name=COLOUR": "red", "/env?name=PASSWORD": "hunter2", "/env?name=NAMESPACE": "shop", "/env?name=SET_colour": "red", "/env?name=FROM_IMAGE": "yes",
		"/read?path=/settings/colour": "red", "/read?path=/one": "red", "/read?path=/keys/deep/pass": "hunter2",
		"/write?text=x%26path=/scratch/a": "", "/header?name=X-Forwarded-For": "config.test 192.0.2.1",
	} {
		path, _ = url.PathUnescape(path)
		b.want(t, "config.test", path, want)
	}
	b.want(t, "config.test", "/read?path=/scratch/a", "x")
	for _, forbidden := range []string{"/write?text=x&path=/settings/a", "/write?text=x&path=/keys/a", "/write?text=x&path=/app", "/read?path=/root/.profile"} {
		if status, body := b.Ask(t, "config.test", forbidden); status == 200 {
			t.Errorf("%s is allowed: %q", forbidden, body)
		}
	}
}

func TestProgramsMayListenAtLowPorts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	objects := clustertest.App(t, "program:1", "low.test", 1, "VERSION=low", "PORT=80")
	merge(t, container(objects[0]), "ports: [{name: http, containerPort: 80}]")
	clustertest.Apply(t, b.Cluster, owner, objects)
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	b.want(t, "low.test", "/", "low")
}

func TestImagesOfDistributions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:system", "system.test", 1, "VERSION=system"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	b.want(t, "system.test", "/", "system")
}

func TestCrashLoopSaysWhyAndEndsWithAGoodVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "crash.test", 1, "VERSION=1", "EXIT=7"))
	nodes := clustertest.Await(t, b.Cluster, owner, "a crash loop", func(nodes []cluster.Node) bool {
		pods := clustertest.Kind(nodes, "Pod")
		return len(pods) == 1 && pods[0].Health == cluster.Degraded && pods[0].Restarts > 1
	})
	pod := clustertest.Kind(nodes, "Pod")[0]
	if !strings.HasPrefix(pod.Message, "CrashLoopBackOff: started again in ") || !strings.HasSuffix(pod.Message, "before: Error (exit code 7); it last wrote: told to exit with 7") {
		t.Errorf("message = %q", pod.Message)
	}
	if message := clustertest.Kind(nodes, "Deployment")[0].Message; !strings.Contains(message, "told to exit with 7") {
		t.Errorf("the deployment says %q", message)
	}
	events, err := b.Cluster.Events(t.Context(), owner)
	if err != nil || !strings.Contains(fmt.Sprint(events), "BackOff") {
		t.Errorf("events = %v, %v", events, err)
	}
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "crash.test", 1, "VERSION=2"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	b.want(t, "crash.test", "/", "2")
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range [][2]string{{"nowhere:1", "there is no image nowhere:1"}, {"program:1", `there is no ConfigMap "missing"`}} {
		image, want := c[0], c[1]
		objects := clustertest.App(t, image, "bad.test", 1)
		merge(t, container(objects[0]), "envFrom: [{configMapRef: {name: missing}}]")
		clustertest.Apply(t, b.Cluster, owner, objects)
		clustertest.Await(t, b.Cluster, owner, want, func(nodes []cluster.Node) bool {
			for _, n := range clustertest.Kind(nodes, "Pod") {
				if n.Image == image && n.Health == cluster.Degraded && strings.Contains(n.Message, want) {
					return true
				}
			}
			return false
		})
	}
	// When the ConfigMap comes, the pod starts by itself.
	clustertest.Apply(t, b.Cluster, owner, clustertest.Parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: missing, namespace: shop}"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
}

func TestLivenessRestarts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	objects := clustertest.App(t, "program:1", "live.test", 1, "VERSION=1")
	merge(t, container(objects[0]), `
readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
startupProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
livenessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, failureThreshold: 1}`)
	clustertest.Apply(t, b.Cluster, owner, objects)
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	b.want(t, "live.test", "/health?status=500", "")
	nodes := clustertest.Await(t, b.Cluster, owner, "restarted and healthy", func(nodes []cluster.Node) bool {
		return clustertest.AllHealthy(nodes) && clustertest.Kind(nodes, "Pod")[0].Restarts == 1
	})
	o, err := b.Cluster.Get(t.Context(), clustertest.Kind(nodes, "Pod")[0].Key)
	if text := fmt.Sprint(o.Raw["status"]); err != nil || !strings.Contains(text, "liveness probe: GET /healthz gave HTTP 500") {
		t.Errorf("status = %s, %v", text, err)
	}
}

func TestRecreateNeverRunsTwoVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	objects := func(version string) []cluster.Object {
		all := clustertest.App(t, "program:1", "recreate.test", 2, "VERSION="+version)
		all[0].Raw["spec"].(map[string]any)["strategy"] = map[string]any{"type": "Recreate"}
		return all
	}
	clustertest.Apply(t, b.Cluster, owner, objects("1"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	clustertest.Apply(t, b.Cluster, owner, objects("2"))
	clustertest.Await(t, b.Cluster, owner, "all healthy with the new version", func(nodes []cluster.Node) bool {
		parents := map[cluster.Key]bool{}
		for _, p := range clustertest.Kind(nodes, "Pod") {
			parents[p.Parent] = true
		}
		if len(parents) > 1 {
			t.Errorf("two versions at a time:\n%s", clustertest.Text(nodes))
		}
		return clustertest.AllHealthy(nodes) && len(clustertest.Kind(nodes, "ReplicaSet")) == 2
	})
	b.want(t, "recreate.test", "/", "2")
}

func TestAnOldVersionIsKeptForTheWayBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	apply := func(version string) []cluster.Node {
		objects := clustertest.App(t, "program:1", "back.test", 1, "VERSION="+version)
		objects[0].Raw["spec"].(map[string]any)["revisionHistoryLimit"] = 1
		clustertest.Apply(t, b.Cluster, owner, objects)
		return clustertest.Await(t, b.Cluster, owner, "version "+version, func(nodes []cluster.Node) bool {
			return clustertest.AllHealthy(nodes) && len(clustertest.Kind(nodes, "Pod")) == 1 && len(clustertest.Kind(nodes, "ReplicaSet")) <= 2
		})
	}
	first := clustertest.Kind(apply("1"), "ReplicaSet")[0]
	apply("2")
	again := clustertest.Kind(apply("1"), "ReplicaSet")[0]
	if again.Key != first.Key || first.Revision != 1 || again.Revision != 3 {
		t.Errorf("the way back gives %+v, it was %+v", again, first)
	}
	apply("3")
	apply("4")
}

func TestAScaledDeploymentAndTheNodesBound(t *testing.T) {
	t.Parallel()
	o := options(t, storetest.SQLite(t, node.Migrations()))
	o.MaxPods = 3
	b := start(t, o)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "scale.test", 1, "VERSION=1"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "scale.test", 5, "VERSION=1"))
	clustertest.Await(t, b.Cluster, owner, "three pods and a word", func(nodes []cluster.Node) bool {
		d := clustertest.Kind(nodes, "Deployment")[0]
		return d.Ready == "3/5" && strings.Contains(d.Message, "the node runs 3 pods, as many as it may")
	})
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "scale.test", 0, "VERSION=1"))
	clustertest.Await(t, b.Cluster, owner, "no pods", func(nodes []cluster.Node) bool {
		return clustertest.AllHealthy(nodes) && len(clustertest.Kind(nodes, "Pod")) == 0
	})
}

func TestDesiredStateIsInTheDatabaseAndSecretsAreSealed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := options(t, db)
		first, err := node.New(o)
		if err != nil {
			t.Fatal(err)
		}
		objects := append(clustertest.App(t, "program:1", "db.test", 1), clustertest.Parse(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: hunter2}")...)
		clustertest.Apply(t, first, owner, objects)
		if err := first.Restart(t.Context(), webKey); err != nil {
			t.Fatal(err)
		}
		second, err := node.New(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range clustertest.Apply(t, second, owner, objects) {
			if c.Action != cluster.Unchanged {
				t.Errorf("%s is %s after a restart", c.Key, c.Action)
			}
		}
		got, err := second.Get(t.Context(), webKey)
		if err != nil || got.Int(0, "metadata", "generation") != 2 {
			t.Errorf("deployment = %v, %v", got.Raw, err)
		}
		var stored string
		err = db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT manifest FROM node_objects WHERE object_key = $1`, "core/Secret/shop/db").Scan(&stored)
		})
		if err != nil || stored == "" || strings.Contains(stored, "hunter2") {
			t.Errorf("stored %q, %v", stored, err)
		}
		if _, err := second.Delete(t.Context(), []cluster.Key{{Kind: "Namespace", Name: "shop"}}, cluster.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		third, err := node.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := third.List(t.Context(), cluster.ListOptions{}); err != nil || len(left) != 0 {
			t.Errorf("after deleting the namespace there are %v, %v", left, err)
		}
	}, node.Migrations())
}

func TestANamespaceWithOthersObjectsStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := func(name string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: shop}\n"
	}
	clustertest.Apply(t, b.Cluster, owner, clustertest.Parse(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"+config("mine")))
	clustertest.Apply(t, b.Cluster, "other", clustertest.Parse(t, config("theirs")))
	_, err := b.Cluster.Apply(t.Context(), clustertest.Parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}"), cluster.ApplyOptions{Owner: owner, Prune: true})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "still holds core/ConfigMap/shop/theirs of other") {
		t.Errorf("pruning the namespace = %v", err)
	}
	if _, err := b.Cluster.Delete(t.Context(), []cluster.Key{{Kind: "Namespace", Name: "shop"}}, cluster.DeleteOptions{Owner: owner}); !fault.Is(err, fault.Conflict) {
		t.Errorf("deleting the namespace = %v", err)
	}
}
