package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
)

// A pod that fills its disk is evicted, with the reason: it begins anew with empty volumes, waiting longer each time.
func TestAPodThatFillsItsDiskIsEvicted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ volume, limits, bytes, want string }{
		"sizeLimit":         {"{sizeLimit: 1Mi}", "", "3000000", "volume scratch held more than its sizeLimit, 1Mi"},
		"ephemeral-storage": {"{}", "resources: {limits: {ephemeral-storage: 4Mi}}", "4190000", "it held more than its limit of ephemeral-storage, 4Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			objects := clustertest.App(t, "program:1", "full.test", 1, "VERSION=1")
			merge(t, pod(objects[0]), `
initContainers: [{name: first, image: "program:1", env: [{name: EXIT, value: "0"}]}]
volumes: [{name: other, emptyDir: {}}, {name: scratch, emptyDir: `+c.volume+`}]`)
			merge(t, container(objects[0]), "volumeMounts: [{name: other, mountPath: /other}, {name: scratch, mountPath: /scratch/sub, subPath: sub}]\n"+c.limits)
			for _, change := range clustertest.Apply(t, b.Cluster, owner, objects) {
				if len(change.Warnings) > 0 {
					t.Errorf("%s warns: %q", change.Key, change.Warnings)
				}
			}
			clustertest.AwaitHealthy(t, b.Cluster, owner)
			b.want(t, "full.test", "/fill?path=/other/a&bytes=100000", "")
			// What it leaves when it ends by itself is still there, and counts.
			b.Ask(t, "full.test", "/fill?path=/scratch/sub/a&exit=1&bytes="+c.bytes)
			nodes := clustertest.Await(t, b.Cluster, owner, "two restarts and healthy", func(nodes []cluster.Node) bool {
				return clustertest.AllHealthy(nodes) && clustertest.Kind(nodes, "Pod")[0].Restarts == 2
			})
			o, err := b.Cluster.Get(t.Context(), clustertest.Kind(nodes, "Pod")[0].Key)
			if text := fmt.Sprint(o.Raw["status"]); err != nil || !strings.Contains(text, "reason:Evicted") || !strings.Contains(text, c.want) {
				t.Errorf("status = %s, %v", text, err)
			}
			events, err := b.Cluster.Events(t.Context(), owner)
			if text := fmt.Sprint(events); err != nil || !strings.Contains(text, "Evicted container web is ended: "+c.want) || !strings.Contains(text, "started container first") {
				t.Errorf("events = %s, %v", text, err)
			}
			for _, gone := range []string{"/other/a", "/scratch/sub/a"} {
				if status, body := b.Ask(t, "full.test", "/read?path="+gone); status != 500 {
					t.Errorf("%s is still there: %.20q", gone, body)
				}
			}
		})
	}
}
