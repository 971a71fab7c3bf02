package clustertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const owner = "application:default/shop"

var (
	configKey     = cluster.Key{Kind: "ConfigMap", Namespace: "shop", Name: "settings"}
	deploymentKey = cluster.Key{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
)

func config(t testing.TB, value string) []cluster.Object {
	return Parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {colour: "+value+"}\n")
}

// action gives what a change list says of an object.
func action(changes []cluster.Change, key cluster.Key) cluster.Action {
	for _, c := range changes {
		if c.Key == key {
			return c.Action
		}
	}
	return ""
}

func applyIsIdempotent(t *testing.T, h Harness) {
	if got := action(Apply(t, h.Cluster, owner, config(t, "red")), configKey); got != cluster.Created {
		t.Errorf("first apply: %s", got)
	}
	changes := Apply(t, h.Cluster, owner, config(t, "red"))
	if got := action(changes, configKey); got != cluster.Unchanged || changes[0].Diff != "" {
		t.Errorf("second apply: %s, diff %q", got, changes[0].Diff)
	}
	changes = Apply(t, h.Cluster, owner, config(t, "blue"))
	if got := action(changes, configKey); got != cluster.Updated || !strings.Contains(changes[0].Diff, "-  colour: red\n+  colour: blue") {
		t.Errorf("changed apply: %s, diff %s", got, changes[0].Diff)
	}
	o, err := h.Cluster.Get(t.Context(), configKey)
	if err != nil || o.Text("data", "colour") != "blue" || o.UID() == "" {
		t.Errorf("get = %v, %v", o.Raw, err)
	}
}

func dryRun(t *testing.T, h Harness) {
	changes, err := h.Cluster.Apply(t.Context(), config(t, "red"), cluster.ApplyOptions{Owner: owner, DryRun: true, CreateNamespaces: true})
	if err != nil || action(changes, configKey) != cluster.Created {
		t.Fatalf("dry run = %v, %v", changes, err)
	}
	if _, err := h.Cluster.Get(t.Context(), configKey); !fault.Is(err, fault.NotFound) {
		t.Errorf("after a dry run: %v, want not found", err)
	}
}

func allOrNothing(t *testing.T, h Harness) {
	objects := append(config(t, "red"), Parse(t, "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}, prots: [{port: 80}]}\n")...)
	_, err := h.Cluster.Apply(t.Context(), objects, cluster.ApplyOptions{Owner: owner, CreateNamespaces: true})
	if !fault.Is(err, fault.Invalid) || len(fault.Details(err)) == 0 {
		t.Fatalf("apply of a wrong object = %v", err)
	}
	if d := fault.Details(err)[0]; d.File != "deploy/app.yaml" || !strings.Contains(d.String(), "spec.prots") {
		t.Errorf("detail = %s", d)
	}
	if _, err := h.Cluster.Get(t.Context(), configKey); !fault.Is(err, fault.NotFound) {
		t.Errorf("the right one of the objects was applied: %v", err)
	}
	if _, err := h.Cluster.Apply(t.Context(), config(t, "red"), cluster.ApplyOptions{Owner: owner}); !fault.Is(err, fault.Invalid) {
		t.Errorf("apply into a namespace that does not exist = %v", err)
	}
}

func owners(t *testing.T, h Harness) {
	Apply(t, h.Cluster, owner, config(t, "red"))
	objects := append(Parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n"), config(t, "blue")...)
	if _, err := h.Cluster.Apply(t.Context(), objects, cluster.ApplyOptions{Owner: "another"}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), owner) {
		t.Errorf("apply of another's object = %v, want a conflict that names the owner", err)
	}
	if _, err := h.Cluster.Get(t.Context(), cluster.Key{Kind: "ConfigMap", Namespace: "shop", Name: "other"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("something of a refused apply is there: %v", err)
	}
	if _, err := h.Cluster.Delete(t.Context(), []cluster.Key{configKey}, cluster.DeleteOptions{Owner: "another"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("delete of another's object = %v", err)
	}
	// What belongs to nobody is adopted.
	orphan := Parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: orphan, namespace: shop}\n")
	Apply(t, h.Cluster, "", orphan)
	Apply(t, h.Cluster, owner, orphan)
	if _, err := h.Cluster.Apply(t.Context(), orphan, cluster.ApplyOptions{Owner: "another"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("apply of an adopted object = %v", err)
	}
	list, err := h.Cluster.List(t.Context(), cluster.ListOptions{Owner: "another"})
	if err != nil || len(list) != 0 {
		t.Errorf("the other owner has %v, %v", list, err)
	}
}

func prune(t *testing.T, h Harness) {
	keep := Parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, namespace: shop}\n")
	Apply(t, h.Cluster, owner, append(config(t, "red"), keep...))
	Apply(t, h.Cluster, "another", Parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: another, namespace: shop}\n"))
	changes, err := h.Cluster.Apply(t.Context(), keep, cluster.ApplyOptions{Owner: owner, Prune: true})
	if err != nil || action(changes, configKey) != cluster.Deleted || len(changes) != 2 {
		t.Fatalf("prune = %v, %v", changes, err)
	}
	list, err := h.Cluster.List(t.Context(), cluster.ListOptions{Namespace: "shop", Kinds: []string{"ConfigMap"}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range list {
		if !strings.HasSuffix(o.Name(), ".crt") { // a cluster's own
			names = append(names, o.Name())
		}
	}
	if !slices.Equal(names, []string{"another", "kept"}) {
		t.Errorf("left: %v", names)
	}
}

func deletes(t *testing.T, h Harness) {
	Apply(t, h.Cluster, owner, App(t, h.Image, "delete.test", 1, "VERSION=1"))
	AwaitHealthy(t, h.Cluster, owner)
	changes, err := h.Cluster.Delete(t.Context(), []cluster.Key{deploymentKey, configKey}, cluster.DeleteOptions{Owner: owner})
	if err != nil || len(changes) != 1 || changes[0].Action != cluster.Deleted {
		t.Fatalf("delete = %v, %v", changes, err)
	}
	Await(t, h.Cluster, owner, "no pods", func(nodes []cluster.Node) bool {
		return len(Kind(nodes, "Pod")) == 0 && len(Kind(nodes, "Deployment")) == 0
	})
}

func secrets(t *testing.T, h Harness) {
	secret := func(value string) []cluster.Object {
		return Parse(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: "+value+"}\n")
	}
	changes := append(Apply(t, h.Cluster, owner, secret("hunter2")), Apply(t, h.Cluster, owner, secret("hunter3"))...)
	o, err := h.Cluster.Get(t.Context(), cluster.Key{Kind: "Secret", Namespace: "shop", Name: "db"})
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprint(changes, o.Raw); strings.Contains(shown, "hunter") || strings.Contains(shown, "aHVudGVy") {
		t.Errorf("a value is shown: %s", shown)
	}
	if last := changes[len(changes)-1]; last.Action != cluster.Updated || last.Diff == "" {
		t.Errorf("a changed secret is %s, diff %q", last.Action, last.Diff)
	}
}

func healthy(t *testing.T, h Harness) {
	Apply(t, h.Cluster, owner, App(t, h.Image, "healthy.test", 2, "VERSION=one"))
	nodes := AwaitHealthy(t, h.Cluster, owner)
	deployment, sets, pods := Kind(nodes, "Deployment")[0], Kind(nodes, "ReplicaSet"), Kind(nodes, "Pod")
	if deployment.Ready != "2/2" || deployment.Image != h.Image || len(sets) != 1 || sets[0].Parent != deployment.Key || len(pods) != 2 || pods[0].Parent != sets[0].Key {
		t.Errorf("tree:\n%s", Text(nodes))
	}
	o, err := h.Cluster.Get(t.Context(), deploymentKey)
	if err != nil || o.Int(0, "status", "availableReplicas") != 2 {
		t.Errorf("deployment = %v, %v", o.Raw, err)
	}
	if health, message := h.Cluster.Health(o); health != cluster.Healthy {
		t.Errorf("health = %s %s", health, message)
	}
	if pod, err := h.Cluster.Get(t.Context(), pods[0].Key); err != nil || pod.Text("status", "phase") != "Running" {
		t.Errorf("pod = %v, %v", pod.Raw, err)
	}
	if h.Ingress != nil {
		if status, body := h.Ask(t, "healthy.test", "/"); status != 200 || body != "one" {
			t.Errorf("the service answers %d %q", status, body)
		}
	}
}

func degraded(t *testing.T, h Harness) {
	objects := App(t, h.Image, "degraded.test", 1, "VERSION=good")
	Apply(t, h.Cluster, owner, objects)
	AwaitHealthy(t, h.Cluster, owner)
	bad := App(t, h.Image, "degraded.test", 1, "VERSION=bad", "HEALTH=500")
	bad[0].Raw["spec"].(map[string]any)["progressDeadlineSeconds"] = 1
	Apply(t, h.Cluster, owner, bad)
	nodes := Await(t, h.Cluster, owner, "the deployment is degraded", func(nodes []cluster.Node) bool {
		return Kind(nodes, "Deployment")[0].Health == cluster.Degraded
	})
	if message := Kind(nodes, "Deployment")[0].Message; message == "" {
		t.Error("it does not say why")
	}
	if h.Ingress != nil {
		if status, body := h.Ask(t, "degraded.test", "/"); status != 200 || body != "good" {
			t.Errorf("meanwhile the service answers %d %q", status, body)
		}
	}
	Apply(t, h.Cluster, owner, objects)
	AwaitHealthy(t, h.Cluster, owner)
}

func logs(t *testing.T, h Harness) {
	Apply(t, h.Cluster, owner, App(t, h.Image, "logs.test", 1, "VERSION=1"))
	pod := Kind(AwaitHealthy(t, h.Cluster, owner), "Pod")[0].Key
	r, err := h.Cluster.Logs(t.Context(), pod, cluster.LogOptions{Tail: 1})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	r.Close()
	if err != nil || string(text) != "starting version 1\n" {
		t.Errorf("log = %q, %v", text, err)
	}
	if _, err := h.Cluster.Logs(t.Context(), pod, cluster.LogOptions{Container: "other"}); err == nil {
		t.Error("a container that does not exist has a log")
	}
	if _, err := h.Cluster.Logs(t.Context(), cluster.Key{Kind: "Pod", Namespace: "shop", Name: "none"}, cluster.LogOptions{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("the log of no pod = %v", err)
	}
	if h.Ingress == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	follow, err := h.Cluster.Logs(ctx, pod, cluster.LogOptions{Follow: true, Offset: int64(len(text))})
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	h.Ask(t, "logs.test", "/say?what=hello")
	line, err := bufio.NewReader(follow).ReadString('\n')
	if err != nil || line != "hello\n" {
		t.Errorf("followed %q, %v", line, err)
	}
}

func restart(t *testing.T, h Harness) {
	objects := App(t, h.Image, "restart.test", 1, "VERSION=1")
	Apply(t, h.Cluster, owner, objects)
	before := Kind(AwaitHealthy(t, h.Cluster, owner), "Pod")[0].Key
	if err := h.Cluster.Restart(t.Context(), deploymentKey); err != nil {
		t.Fatal(err)
	}
	replaced := func(nodes []cluster.Node) bool {
		pods := Kind(nodes, "Pod")
		return AllHealthy(nodes) && len(pods) == 1 && pods[0].Key != before
	}
	before = Kind(Await(t, h.Cluster, owner, "another pod", replaced), "Pod")[0].Key
	if got := action(Apply(t, h.Cluster, owner, objects), deploymentKey); got != cluster.Unchanged {
		t.Errorf("after a restart the manifest is %s", got)
	}
	if err := h.Cluster.Restart(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	Await(t, h.Cluster, owner, "a third pod", replaced)
	if err := h.Cluster.Restart(t.Context(), configKey); err == nil {
		t.Error("a ConfigMap that does not exist was restarted")
	}
}

func watch(t *testing.T, h Harness) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	wake, err := h.Cluster.Watch(ctx, owner)
	if err != nil {
		t.Fatal(err)
	}
	<-wake // the first is there at once
	Apply(t, h.Cluster, owner, config(t, "red"))
	if _, ok := <-wake; !ok {
		t.Error("no wake after a change")
	}
	cancel()
	for range wake { // ends because the channel is closed
	}
}

func rollingUpdate(t *testing.T, h Harness) {
	if h.Ingress == nil {
		t.Skip("no Ingress to send requests through")
	}
	Apply(t, h.Cluster, owner, App(t, h.Image, "rolling.test", 2, "VERSION=1"))
	AwaitHealthy(t, h.Cluster, owner)
	load := h.Load(t, "rolling.test", 4, "/", "/slow?for=30ms", "POST /echo")
	for _, version := range []string{"2", "3", "4"} {
		Apply(t, h.Cluster, owner, App(t, h.Image, "rolling.test", 2, "VERSION="+version))
		Await(t, h.Cluster, owner, "version "+version, func(nodes []cluster.Node) bool { return AllHealthy(nodes) && len(Kind(nodes, "Pod")) == 2 })
		if _, body := h.Ask(t, "rolling.test", "/"); body != version {
			t.Errorf("after the update to %s it answers %q", version, body)
		}
	}
	requests, failures := load()
	if len(failures) > 0 || requests == 0 {
		t.Errorf("%d of %d requests went wrong: %q", len(failures), requests, failures[:min(len(failures), 3)])
		events, err := h.Cluster.Events(t.Context(), owner)
		if err != nil {
			t.Error(err)
		}
		for _, e := range events {
			if e.Warning {
				t.Logf("%s: %s: %s", e.Key, e.Reason, e.Message)
			}
		}
	}
}

// Load sends requests one after the other from several clients, until the function that it gives is called; that
// gives how many there were, and what went wrong.
func (h Harness) Load(t testing.TB, host string, clients int, paths ...string) (stop func() (int, []string)) {
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var requests atomic.Int64
	var mu sync.Mutex
	var failures []string
	for client := range clients {
		group.Go(func() {
			for i := client; ctx.Err() == nil; i++ {
				status, body, err := h.ask(t.Context(), host, paths[i%len(paths)])
				requests.Add(1)
				if err != nil || status != 200 {
					mu.Lock()
					failures = append(failures, fmt.Sprintf("%d %q %v", status, body, err))
					mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { cancel(); group.Wait() })
	return func() (int, []string) {
		cancel()
		group.Wait()
		return int(requests.Load()), failures
	}
}
