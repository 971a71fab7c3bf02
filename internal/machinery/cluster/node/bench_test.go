package node_test

import (
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
)

// From the call of Apply until the one pod of a new version is healthy and the old one has ended.
func BenchmarkUpdateUntilHealthy(b *testing.B) {
	one := setup(b)
	clustertest.Apply(b, one.Cluster, owner, clustertest.App(b, "program:1", "bench.test", 1, "VERSION=first"))
	clustertest.AwaitHealthy(b, one.Cluster, owner)
	version := 0
	for b.Loop() {
		version++
		objects := clustertest.App(b, "program:1", "bench.test", 1, fmt.Sprint("VERSION=", version))
		objects[0].Raw["spec"].(map[string]any)["revisionHistoryLimit"] = 1
		clustertest.Apply(b, one.Cluster, owner, objects)
		clustertest.Await(b, one.Cluster, owner, "the update", func(nodes []cluster.Node) bool {
			return clustertest.AllHealthy(nodes) && len(clustertest.Kind(nodes, "Pod")) == 1
		})
	}
}

// From the call of Apply until the first pod of a new Deployment is healthy.
func BenchmarkCreateUntilHealthy(b *testing.B) {
	one := setup(b)
	objects := clustertest.App(b, "program:1", "bench.test", 1, "VERSION=1")
	for b.Loop() {
		clustertest.Apply(b, one.Cluster, owner, objects)
		clustertest.AwaitHealthy(b, one.Cluster, owner)
		b.StopTimer()
		if _, err := one.Cluster.Delete(b.Context(), []cluster.Key{webKey}, cluster.DeleteOptions{}); err != nil {
			b.Fatal(err)
		}
		clustertest.Await(b, one.Cluster, owner, "its end", func(nodes []cluster.Node) bool { return len(clustertest.Kind(nodes, "Pod")) == 0 })
		b.StartTimer()
	}
}

// One request after the other through the Ingress to a pod.
func BenchmarkRequest(b *testing.B) {
	one := setup(b)
	clustertest.Apply(b, one.Cluster, owner, clustertest.App(b, "program:1", "bench.test", 1, "VERSION=1"))
	clustertest.AwaitHealthy(b, one.Cluster, owner)
	for b.Loop() {
		one.Ask(b, "bench.test", "/")
	}
}
