package node_test

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// repositories have their images by digest; only that of ours has this one.
type repositories struct{ folders }

func (r repositories) Unpack(ctx context.Context, image, dest string) (node.ImageConfig, error) {
	if !strings.HasPrefix(image, "ours@") {
		return node.ImageConfig{}, fault.Errorf(fault.NotFound, "there is no image %s", image)
	}
	return r.folders.Unpack(ctx, "program:1", dest)
}

// What one repository has is nobody's who knows its digest and may use another one.
func TestAnImageIsOfTheRepositoryThatHasIt(t *testing.T) {
	t.Parallel()
	o := options(t, storetest.SQLite(t, node.Migrations()))
	o.Images = repositories{}
	b := start(t, o)
	digest := "@sha256:" + strings.Repeat("1", 64)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "ours"+digest, "ours.test", 1, "VERSION=ours"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	theirs := clustertest.App(t, "theirs"+digest, "theirs.test", 1)
	for _, object := range theirs {
		object.Raw["metadata"].(map[string]any)["namespace"] = "theirs"
	}
	clustertest.Apply(t, b.Cluster, "theirs", theirs)
	clustertest.Await(t, b.Cluster, "theirs", "a pod without an image", func(nodes []cluster.Node) bool {
		pods := clustertest.Kind(nodes, "Pod")
		return len(pods) == 1 && pods[0].Health == cluster.Degraded && strings.Contains(pods[0].Message, "there is no image theirs@")
	})
}
