package cluster_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) cluster.Object {
	t.Helper()
	var o cluster.Object
	if err := yaml.Unmarshal([]byte(text), &o.Raw); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestKeysReadBack(t *testing.T) {
	t.Parallel()
	for text, key := range map[string]cluster.Key{
		"apps/Deployment/shop/web":            {Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"},
		"core/Service/shop/web":               {Kind: "Service", Namespace: "shop", Name: "web"},
		"core/Namespace/shop":                 {Kind: "Namespace", Name: "shop"},
		"networking.k8s.io/Ingress/shop/main": {Group: "networking.k8s.io", Kind: "Ingress", Namespace: "shop", Name: "main"},
	} {
		got, err := cluster.ParseKey(text)
		if err != nil || got != key || key.String() != text {
			t.Errorf("%s reads as %+v (%v) and prints as %s", text, got, err, key)
		}
		stored, err := json.Marshal(map[cluster.Key]cluster.Key{key: key})
		var back map[cluster.Key]cluster.Key
		if err != nil || json.Unmarshal(stored, &back) != nil || back[key] != key {
			t.Errorf("%s is stored as %s (%v)", key, stored, err)
		}
	}
	for _, bad := range []string{"", "a", "a/b", "a/b/c/d/e", "a//c/d", "apps/Deployment/shop/"} {
		if k, err := cluster.ParseKey(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseKey(%q) = %+v, %v; want an invalid fault", bad, k, err)
		}
	}
}

func TestDiffShowsWhatChanges(t *testing.T) {
	t.Parallel()
	before := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 1}\nstatus: {replicas: 9}")
	after := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 3}")
	want := "--- apps/Deployment/shop/web\n+++ apps/Deployment/shop/web\n@@ -4,4 +4,4 @@\n   name: web\n   namespace: shop\n spec:\n-  replicas: 1\n+  replicas: 3\n"
	if got := cluster.Diff(before, after); got != want {
		t.Errorf("diff = %s\nwant %s", got, want)
	}
	if got := cluster.Diff(before, before); got != "" {
		t.Errorf("diff of equal objects = %q", got)
	}
	if got := cluster.Diff(cluster.Object{}, after); !strings.HasPrefix(got, "--- /dev/null\n+++ apps/Deployment/shop/web\n@@ -0,0 +1,7 @@\n+apiVersion") {
		t.Errorf("diff of a new object = %s", got)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	manifest := func(value string) cluster.Object {
		return object(t, `
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "hunter2"}
stringData: {password: `+value+`, user: hunter2}`)
	}
	diff := cluster.Diff(manifest("hunter2"), manifest("hunter22"))
	if strings.Contains(diff, "hunter2") || !strings.Contains(diff, "+  password: (hidden) changed") || strings.Contains(diff, "user: (hidden) changed") {
		t.Errorf("diff = %s", diff)
	}
	o := manifest("hunter2")
	text, err := cluster.Redact(o).JSON()
	if err != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("redacted = %s, %v", text, err)
	}
	if o.Text("stringData", "password") != "hunter2" {
		t.Error("redacting changed the object itself")
	}
}

func TestAssess(t *testing.T) {
	t.Parallel()
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop, generation: 2}\n"
	for name, c := range map[string]struct {
		manifest string
		want     cluster.Health
		message  string
	}{
		"all there":     {deployment + "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2}", cluster.Healthy, ""},
		"not looked at": {deployment + "status: {observedGeneration: 1}", cluster.Progressing, "newest spec"},
		"rolling":       {deployment + "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 3, updatedReplicas: 1}", cluster.Progressing, "1 of 2 pods have the new version"},
		"old pods":      {deployment + "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 3, updatedReplicas: 2, availableReplicas: 3}", cluster.Progressing, "1 pods of an older"},
		"starting":      {deployment + "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 1}", cluster.Progressing, "1 of 2 new pods"},
		"deadline":      {deployment + "status: {observedGeneration: 2, conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: took too long}]}", cluster.Degraded, "took too long"},
		"paused":        {deployment + "spec: {paused: true}", cluster.Suspended, "paused"},
		"deleted":       {"apiVersion: v1\nkind: Service\nmetadata: {name: a, deletionTimestamp: '2026-01-01T00:00:00Z'}", cluster.Progressing, "deleted"},
		"crash loop":    {"apiVersion: v1\nkind: Pod\nstatus: {phase: Running, containerStatuses: [{state: {waiting: {reason: CrashLoopBackOff, message: exit 1}}}]}", cluster.Degraded, "CrashLoopBackOff: exit 1"},
		"ready pod":     {"apiVersion: v1\nkind: Pod\nstatus: {phase: Running, conditions: [{type: Ready, status: 'True'}]}", cluster.Healthy, ""},
		"unready pod":   {"apiVersion: v1\nkind: Pod\nstatus: {phase: Running, conditions: [{type: Ready, status: 'False', reason: ContainersNotReady, message: HTTP 500}]}", cluster.Progressing, "HTTP 500"},
		"config":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", cluster.Healthy, ""},
		"no address":    {"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}", cluster.Progressing, "no address"},
	} {
		if got, message := cluster.Assess(object(t, c.manifest)); got != c.want || !strings.Contains(message, c.message) {
			t.Errorf("%s: %s %q, want %s %q", name, got, message, c.want, c.message)
		}
	}
	if got, _ := cluster.Assess(cluster.Object{}); got != cluster.Missing {
		t.Errorf("nothing is %s", got)
	}
	if got := cluster.Worst(cluster.Healthy, cluster.Degraded, cluster.Progressing); got != cluster.Degraded {
		t.Errorf("worst is %s", got)
	}
}
