package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestAPodThatIsNotReadyGetsNoRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "ready.test", 1, "VERSION=1", "HEALTH=503"))
	clustertest.Await(t, b.Cluster, owner, "a pod that says why", func(nodes []cluster.Node) bool {
		pods := clustertest.Kind(nodes, "Pod")
		return len(pods) == 1 && strings.Contains(pods[0].Message, "readiness probe: GET /healthz gave HTTP 503")
	})
	if status, body := b.Ask(t, "ready.test", "/"); status != 503 || body != "no pod of service shop/web is ready\n" {
		t.Errorf("answer = %d %q", status, body)
	}
	if status, _ := b.Ask(t, "unknown.test", "/"); status != 404 {
		t.Errorf("an unknown host gives %d", status)
	}
	if !b.node.Serves("READY.test:8443") || b.node.Serves("unknown.test") {
		t.Error("Serves does not know the hosts")
	}
}

func TestPodsReachServices(t *testing.T) {
	t.Parallel()
	b := setup(t)
	objects := clustertest.App(t, "program:1", "door.test", 1, "VERSION=inside")
	delete(container(objects[0]), "readinessProbe") // ready when it listens
	clustertest.Apply(t, b.Cluster, owner, objects)
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	for _, host := range []string{"web", "web.shop", "web.shop.svc.cluster.local", "WEB.shop.svc:80"} {
		b.want(t, "door.test", "/fetch?url=http://"+host+"/", "inside")
	}
	for target, want := range map[string]string{
		"http://example.com/":    "is not a service that namespace shop reaches",
		"http://web.other/":      "is not a service that namespace shop reaches",
		"http://web:81/":         "has no port 81",
		"http://169.254.169.254": "is not a service that namespace shop reaches",
	} {
		if _, body := b.Ask(t, "door.test", "/fetch?url="+target); !strings.Contains(body, want) {
			t.Errorf("%s gives %q, want %q", target, body, want)
		}
	}
	// Another namespace's service lets pods in that it names, and those alone.
	other := clustertest.App(t, "program:1", "theirs.test", 1, "VERSION=theirs")
	for _, o := range other {
		o.Raw["metadata"].(map[string]any)["namespace"] = "other"
	}
	for _, c := range []struct{ allow, want string }{
		{"", "is not a service that namespace shop reaches"}, {"third", "is not a service that namespace shop reaches"},
		{"third, shop", "theirs"}, {"*", "theirs"}, {"", "is not a service that namespace shop reaches"},
	} {
		other[1].Raw["metadata"].(map[string]any)["annotations"] = map[string]any{node.AllowFrom: c.allow}
		clustertest.Apply(t, b.Cluster, "other", other)
		clustertest.AwaitHealthy(t, b.Cluster, "other")
		if _, body := b.Ask(t, "door.test", "/fetch?url=http://web.other/"); !strings.Contains(body, c.want) {
			t.Errorf("a service that allows %q gives %q, want %q", c.allow, body, c.want)
		}
	}
	if status, body := b.Ask(t, "door.test", "/fetch?url=https://web:80/"); status != 500 || !strings.Contains(body, "HTTP response to HTTPS client") {
		t.Errorf("a tunnel gives %d %q", status, body) // the tunnel stands: the far end does not speak TLS
	}
}

func TestUpgradedConnections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "upgrade.test", 1, "VERSION=1"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	server := httptest.NewServer(b.node.Ingress())
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /upgrade HTTP/1.1\r\nHost: upgrade.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := r.ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("echo = %q, %v", line, err)
	}
	// It does not hold up an update, and ends with its pod.
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "upgrade.test", 1, "VERSION=2"))
	if _, err := io.ReadAll(r); err != nil {
		t.Logf("the connection ended with %v", err)
	}
	clustertest.AwaitHealthy(t, b.Cluster, owner)
}

func TestHostsBelongToOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "mine.test", 0))
	for host, want := range map[string]string{
		"mine.test":   "mine.test belongs to another namespace",
		"portal.test": "portal.test is the platform's own address",
		"*.test":      "*.test is the platform's own address",
		"*.example":   "*.example is not below a domain of applications",
		"machine":     "machine is not below a domain of applications",
		"127.0.0.1":   "127.0.0.1 is not below a domain of applications",
		"example":     "choose a name below test or example",
	} {
		other := clustertest.App(t, "program:1", host, 0)
		for _, o := range other {
			o.Raw["metadata"].(map[string]any)["namespace"] = "other"
		}
		_, err := b.Cluster.Apply(t.Context(), other, cluster.ApplyOptions{Owner: "other", CreateNamespaces: true})
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", host, err, want)
		}
	}
	// A host is one namespace's with all its paths, and with those that a wildcard covers.
	elsewhere := func(host, path string) error {
		other := clustertest.App(t, "program:1", host, 0)
		for _, o := range other {
			o.Raw["metadata"].(map[string]any)["namespace"] = "other"
		}
		rules, _ := other[2].Field("spec", "rules")
		rules.([]any)[0].(map[string]any)["http"].(map[string]any)["paths"].([]any)[0].(map[string]any)["path"] = path
		_, err := b.Cluster.Apply(t.Context(), other, cluster.ApplyOptions{Owner: "other", CreateNamespaces: true})
		return err
	}
	clustertest.Apply(t, b.Cluster, "wide", clustertest.Parse(t, ingressOf("wide", "*.wide.example")))
	for host, taken := range map[string]string{"mine.test": "mine.test", "a.wide.example": "*.wide.example", "*.wide.example": "*.wide.example"} {
		if err := elsewhere(host, "/login"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), taken+" belongs to another namespace") {
			t.Errorf("%s/login in another namespace: %v", host, err)
		}
	}
	if err := elsewhere("a.b.wide.example", "/"); err != nil { // which a wildcard of one label does not cover
		t.Error(err)
	}
	// Within the namespace, only the same path of the same host is a conflict.
	if _, err := b.Cluster.Apply(t.Context(), clustertest.Parse(t, ingressOf("second", "mine.test")), cluster.ApplyOptions{Owner: "second"}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "mine.test/ (prefix) belongs to networking.k8s.io/Ingress/shop/web") {
		t.Errorf("the same path twice: %v", err)
	}
	clustertest.Apply(t, b.Cluster, "second", clustertest.Parse(t, strings.Replace(ingressOf("second", "mine.test"), "path: /", "path: /second", 1)))
}

// ingressOf gives an Ingress of a host in the namespace shop.
func ingressOf(name, host string) string {
	return fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %s, namespace: shop}
spec: {rules: [{host: "%s", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
`, name, host)
}

func TestAnIngressCanBeRenamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"before", "after", "before"} {
		if _, err := b.Cluster.Apply(t.Context(), clustertest.Parse(t, ingressOf(name, "renamed.test")), cluster.ApplyOptions{Owner: owner, Prune: true, CreateNamespaces: true}); err != nil {
			t.Errorf("named %s: %v", name, err)
		}
	}
	// Without prune the former one is still there.
	if _, err := b.Cluster.Apply(t.Context(), clustertest.Parse(t, ingressOf("after", "renamed.test")), cluster.ApplyOptions{Owner: owner}); !fault.Is(err, fault.Conflict) {
		t.Errorf("without prune: %v", err)
	}
}

func TestStoppingIsBoundedWhateverTheGraceOfPods(t *testing.T) {
	t.Parallel()
	o := options(t, storetest.SQLite(t, node.Migrations()))
	o.Shutdown = 500 * time.Millisecond
	b := start(t, o)
	app := func(version string) []cluster.Object {
		objects := clustertest.App(t, "program:1", "slow.test", 1, "VERSION="+version)
		pod(objects[0])["terminationGracePeriodSeconds"] = int64(3600)
		return objects
	}
	clustertest.Apply(t, b.Cluster, owner, app("1"))
	nodes := clustertest.AwaitHealthy(t, b.Cluster, owner)
	r, err := b.Cluster.Logs(t.Context(), clustertest.Kind(nodes, "Pod")[0].Key, cluster.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		b.Ask(t, "slow.test", "/slow?for=1h&say=inside")
	}()
	for lines := bufio.NewScanner(r); lines.Scan() && lines.Text() != "inside"; {
	}
	// The old pod waits for its request, for half an hour, when the node is asked to stop.
	clustertest.Apply(t, b.Cluster, owner, app("2"))
	clustertest.Await(t, b.Cluster, owner, "the old pod is ending", func([]cluster.Node) bool {
		events, err := b.Cluster.Events(t.Context(), owner)
		return err == nil && strings.Contains(fmt.Sprint(events), "Killing")
	})
	b.stop()
	<-answered
}

func TestStoppingAnswersRunningRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "stop.test", 1, "VERSION=1"))
	nodes := clustertest.AwaitHealthy(t, b.Cluster, owner)
	r, err := b.Cluster.Logs(t.Context(), clustertest.Kind(nodes, "Pod")[0].Key, cluster.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	answer := make(chan string, 1)
	go func() {
		_, body := b.Ask(t, "stop.test", "/slow?for=300ms&say=inside")
		answer <- body
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() && lines.Text() != "inside" {
	}
	b.stop()
	if got := <-answer; got != "done" {
		t.Errorf("the running request got %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := b.Cluster.Tree(ctx, owner); err != nil {
		t.Errorf("a stopped node can't be looked at: %v", err)
	}
}

// A program may hang up after any answer, also on a connection that is about to be used again.
func TestAProgramMayHangUpAfterAnyAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "once.test", 1, "VERSION=1"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	for range 50 {
		for _, path := range []string{"/once", "POST /once", "PUT /once", "/", "POST /echo"} {
			if status, body := b.Ask(t, "once.test", path); status != 200 {
				t.Errorf("%s gives %d %q", path, status, body)
			}
		}
	}
}

// Where a request comes from is the node's word, whatever the client says of it.
func TestNoClientSaysWhereItsRequestComesFrom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "from.test", 1, "VERSION=1"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	for name, want := range map[string]string{
		"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "from.test", "X-Forwarded-Proto": "http",
		"Forwarded": "", "X-Real-Ip": "", "X-Forwarded-Prefix": "", "X-Forwarded-Port": "", "X-Other": "forged",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://from.test/header?name="+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(name, "forged")
		answer, err := ingress{b.node.Ingress()}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "from.test "+want {
			t.Errorf("%s arrives as %q, %v; want %q", name, body, err, want)
		}
	}
}
