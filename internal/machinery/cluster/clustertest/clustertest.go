// Package clustertest is the suite that every body of cluster.Cluster passes, with the program that its pods run.
package clustertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
)

// patience bounds a wait for something that must happen: only a broken body uses it up.
const patience = 60 * time.Second

// Harness is a body under test.
type Harness struct {
	Cluster cluster.Cluster
	Image   string            // an image whose entrypoint is the program (see Build), listening at 8080
	Ingress http.RoundTripper // sends a request for a host to the cluster's Ingress; nil skips what needs it
}

// Run runs the suite. open gives a body without objects; it is called once for each test.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"apply is idempotent":               applyIsIdempotent,
		"a dry run changes nothing":         dryRun,
		"apply is all or nothing":           allOrNothing,
		"owners are kept apart":             owners,
		"prune":                             prune,
		"delete":                            deletes,
		"secrets stay hidden":               secrets,
		"a deployment becomes healthy":      healthy,
		"a bad version is degraded":         degraded,
		"logs":                              logs,
		"restart replaces pods":             restart,
		"watch wakes":                       watch,
		"requests survive a rolling update": rollingUpdate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Build compiles the program statically to dir/app.
func Build(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "app"))
	if err == nil {
		return nil
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "app"), "github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
}

// Parse reads a YAML stream of objects.
func Parse(t testing.TB, text string) []cluster.Object {
	t.Helper()
	var out []cluster.Object
	line := 1
	for _, part := range strings.SplitAfter(text, "\n---\n") {
		o := cluster.Object{File: "deploy/app.yaml", Line: line}
		if err := yaml.Unmarshal([]byte(part), &o.Raw); err != nil {
			t.Fatal(err)
		}
		line += strings.Count(part, "\n")
		out = append(out, o)
	}
	return out
}

// App gives a Deployment web with its Service and Ingress in namespace shop. Each of more replaces or adds a line of
// the container's env, as NAME=value.
func App(t testing.TB, image, host string, replicas int, env ...string) []cluster.Object {
	t.Helper()
	var lines strings.Builder
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&lines, "        - {name: %s, value: %q}\n", name, value)
	}
	return Parse(t, fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: %d
  progressDeadlineSeconds: 600
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
      - name: web
        image: %s
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
        env:
        - {name: ALWAYS, value: "yes"}
%s
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules:
  - host: %q
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
`, replicas, image, lines.String(), host))
}

// Apply applies objects for an owner and makes namespaces.
func Apply(t testing.TB, c cluster.Cluster, owner string, objects []cluster.Object) []cluster.Change {
	t.Helper()
	changes, err := c.Apply(t.Context(), objects, cluster.ApplyOptions{Owner: owner, CreateNamespaces: true})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return changes
}

// Await waits until a look at the owner's tree is satisfied, looking again whenever the cluster wakes it.
func Await(t testing.TB, c cluster.Cluster, owner, what string, satisfied func([]cluster.Node) bool) []cluster.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	wake, err := c.Watch(ctx, owner)
	if err != nil {
		t.Fatal(err)
	}
	var last []cluster.Node
	for range wake {
		if last, err = c.Tree(ctx, owner); err != nil {
			if ctx.Err() != nil {
				break
			}
			t.Fatal(err)
		}
		if satisfied(last) {
			return last
		}
	}
	t.Fatalf("never: %s; the tree is\n%s", what, Text(last))
	return nil
}

// AwaitHealthy waits until everything of an owner is healthy and no pod is ending.
func AwaitHealthy(t testing.TB, c cluster.Cluster, owner string) []cluster.Node {
	t.Helper()
	return Await(t, c, owner, "all healthy", AllHealthy)
}

// AllHealthy tells whether a tree has something in it, all of it healthy.
func AllHealthy(nodes []cluster.Node) bool {
	for _, n := range nodes {
		if n.Health != cluster.Healthy {
			return false
		}
	}
	return len(nodes) > 0
}

// Kind gives the nodes of one kind.
func Kind(nodes []cluster.Node, kind string) []cluster.Node {
	var out []cluster.Node
	for _, n := range nodes {
		if n.Key.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// Text shows a tree.
func Text(nodes []cluster.Node) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "%s (of %s) %s %s %s\n", n.Key, n.Parent, n.Health, n.Ready, n.Message)
	}
	return b.String()
}

// Ask sends a GET through the Ingress and gives status and body. A path may begin with another method and a space.
func (h Harness) Ask(t testing.TB, host, path string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	status, body, err := h.ask(ctx, host, path)
	if err != nil {
		t.Fatalf("GET %s%s: %v", host, path, err)
	}
	return status, body
}

func (h Harness) ask(ctx context.Context, host, path string) (int, string, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if before, after, ok := strings.Cut(path, " "); ok {
		method, path, body = before, after, strings.NewReader("the body of a "+before)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, body)
	if err != nil {
		return 0, "", err
	}
	response, err := h.Ingress.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}
