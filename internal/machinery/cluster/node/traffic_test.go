package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
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
		"http://example.com/":    "is not a service of this node",
		"http://web.other/":      "is not a service of this node",
		"http://web:81/":         "has no port 81",
		"http://169.254.169.254": "is not a service of this node",
	} {
		if _, body := b.Ask(t, "door.test", "/fetch?url="+target); !strings.Contains(body, want) {
			t.Errorf("%s gives %q, want %q", target, body, want)
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
		"mine.test":   "mine.test/ (prefix) belongs to networking.k8s.io/Ingress/shop/web",
		"portal.test": "portal.test is the platform's own address",
		"*.test":      "*.test is the platform's own address",
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
