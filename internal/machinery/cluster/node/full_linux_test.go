package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/disktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

func TestAFullDiskEndsNoService(t *testing.T) {
	t.Parallel()
	o := options(t, storetest.SQLite(t, node.Migrations()))
	disktest.Small(t, o.Dir, "64m")
	b := start(t, o)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "full.test", 1, "VERSION=1"))
	before := clustertest.Kind(clustertest.AwaitHealthy(t, b.Cluster, owner), "Pod")[0]
	free := disktest.Fill(t, o.Dir, 0)
	b.Ask(t, "full.test", "/say?what="+strings.Repeat("x", 20<<10))
	dropped := func() bool {
		events, err := b.Cluster.Events(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(fmt.Sprint(events), "LogDropped some of what it wrote is not in its log: no space left on device")
	}
	for !dropped() && !t.Failed() {
		b.want(t, "full.test", "/", "1")
	}
	free()
	b.Ask(t, "full.test", "/say?what=again")
	b.want(t, "full.test", "/", "1")
	after := clustertest.Kind(clustertest.AwaitHealthy(t, b.Cluster, owner), "Pod")[0]
	if after.Key != before.Key || after.Restarts != 0 {
		t.Errorf("the pod was %s and is %s after %d restarts", before.Key, after.Key, after.Restarts)
	}
}
