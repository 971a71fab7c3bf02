package node

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Get implements cluster.Cluster.
func (n *Node) Get(ctx context.Context, key cluster.Key) (cluster.Object, error) {
	if err := n.load(ctx); err != nil {
		return cluster.Object{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if o := n.objects[key]; o != nil {
		return n.liveLocked(o), nil
	}
	if p := n.pods[key]; p != nil {
		return n.podObject(p), nil
	}
	for _, all := range n.revisions {
		for _, r := range all {
			if r.key() == key {
				return n.replicaSetLocked(r), nil
			}
		}
	}
	return cluster.Object{}, fault.Errorf(fault.NotFound, "the node has no %s", key)
}

// List implements cluster.Cluster; with what Deployments made.
func (n *Node) List(ctx context.Context, opts cluster.ListOptions) ([]cluster.Object, error) {
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []cluster.Object
	wanted := func(key cluster.Key, owner string) bool {
		return (opts.Owner == "" || owner == opts.Owner) && (opts.Namespace == "" || key.Namespace == opts.Namespace) && (len(opts.Kinds) == 0 || slices.Contains(opts.Kinds, key.Kind))
	}
	for _, key := range n.keysLocked(opts) {
		out = append(out, n.liveLocked(n.objects[key]))
	}
	for key, all := range n.revisions {
		for _, r := range all {
			if wanted(r.key(), n.objects[key].owner) {
				out = append(out, n.replicaSetLocked(r))
			}
		}
	}
	for key, p := range n.pods {
		if wanted(key, p.owner) {
			out = append(out, n.podObject(p))
		}
	}
	slices.SortFunc(out, func(a, b cluster.Object) int { return a.Key().Compare(b.Key()) })
	return out, nil
}

// Logs implements cluster.Cluster. The reader also tells its Offset, for going on later.
func (n *Node) Logs(ctx context.Context, key cluster.Key, opts cluster.LogOptions) (io.ReadCloser, error) {
	n.mu.Lock()
	p := n.pods[key]
	n.mu.Unlock()
	if p == nil {
		return nil, fault.Errorf(fault.NotFound, "the node has no pod %s/%s; pods that have ended leave no logs", key.Namespace, key.Name)
	}
	l := p.logs[cmp.Or(opts.Container, p.main.name)]
	if l == nil {
		return nil, fault.Errorf(fault.NotFound, "pod %s has no container %q; it has %s", key.Name, opts.Container, strings.Join(slices.Sorted(maps.Keys(p.logs)), ", "))
	}
	offset := max(opts.Offset, 0)
	if opts.Tail > 0 {
		var err error
		if offset, err = l.tail(opts.Tail); err != nil {
			return nil, fault.Errorf(fault.Unavailable, "read the log of %s: %w", key.Name, err)
		}
	}
	reading, stop := context.WithCancel(ctx)
	return &logReader{ctx: reading, stop: stop, log: l, offset: offset, follow: opts.Follow}, nil
}

// Restart implements cluster.Cluster.
func (n *Node) Restart(ctx context.Context, key cluster.Key) error {
	if err := n.load(ctx); err != nil {
		return err
	}
	n.changing.Lock()
	defer n.changing.Unlock()
	n.mu.Lock()
	o, p := n.objects[key], n.pods[key]
	if p != nil {
		n.terminateLocked(p)
		n.rerouteLocked()
	}
	n.mu.Unlock()
	switch {
	case p != nil:
		n.poke()
		n.watchers.notify(p.owner)
		return nil
	case o == nil:
		return fault.Errorf(fault.NotFound, "the node has no %s", key)
	case o.deployment() == nil:
		return fault.Errorf(fault.Invalid, "a %s has no pods to restart; name a Deployment or a Pod", key.Kind)
	}
	after := &object{manifest: o.manifest, owner: o.owner, uid: o.uid, generation: o.generation + 1, created: o.created, updated: o.updated, restarted: n.now()}
	return n.carryOut(ctx, []step{{change: cluster.Change{Key: key, Action: cluster.Updated}, before: o, after: after}})
}

// Tree implements cluster.Cluster.
func (n *Node) Tree(ctx context.Context, owner string) ([]cluster.Node, error) {
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []cluster.Node
	seen := map[*pod]bool{}
	for _, key := range n.keysLocked(cluster.ListOptions{Owner: owner}) {
		o := n.objects[key]
		out = append(out, n.nodeLocked(o))
		if o.deployment() == nil {
			continue
		}
		for _, r := range slices.Backward(n.revisions[key]) {
			out = append(out, n.revisionNodeLocked(r))
			for _, p := range n.podsLocked(func(p *pod) bool { return p.set == r }) {
				out = append(out, n.podNode(p, r.key()))
				seen[p] = true
			}
		}
	}
	// Pods whose Deployment was deleted are there until they have ended.
	for _, p := range n.podsLocked(func(p *pod) bool { return (owner == "" || p.owner == owner) && !seen[p] }) {
		out = append(out, n.podNode(p, cluster.Key{}))
	}
	return out, nil
}

// podsLocked gives matching pods, oldest first.
func (n *Node) podsLocked(match func(*pod) bool) []*pod {
	var out []*pod
	for _, p := range n.pods {
		if match(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *pod) int { return strings.Compare(a.uid, b.uid) })
	return out
}

func (n *Node) nodeLocked(o *object) cluster.Node {
	live := n.liveLocked(o)
	node := cluster.Node{Key: o.key, UID: o.uid, Created: o.created}
	node.Health, node.Message = n.Health(live)
	switch t := o.typed.(type) {
	case *corev1.Service:
		ready := map[*pod]bool{}
		for _, port := range n.routes.Load().services[o.key.Namespace+"/"+o.key.Name].ports {
			for _, e := range port.endpoints {
				ready[e.pod] = true
			}
		}
		all := n.podsLocked(func(p *pod) bool { return !p.terminating && selects(t, p) })
		node.Ready = fmt.Sprintf("%d/%d", len(ready), len(all))
	case *networkingv1.Ingress:
		for _, r := range t.Spec.Rules {
			for _, p := range r.HTTP.Paths {
				node.URLs = append(node.URLs, r.Host+cmp.Or(p.Path, "/"))
			}
		}
	}
	if d := o.deployment(); d != nil {
		node.Image = d.Spec.Template.Spec.Containers[0].Image
		node.Ready = fmt.Sprintf("%d/%d", live.Int(0, "status", "readyReplicas"), live.Int(1, "spec", "replicas"))
		node.Restarts = n.restartsLocked(func(p *pod) bool { return p.set.deployment == o.key })
	}
	return node
}

func (n *Node) restartsLocked(match func(*pod) bool) int {
	sum := 0
	for _, p := range n.podsLocked(match) {
		sum += p.main.restarts
	}
	return sum
}

func (n *Node) revisionNodeLocked(r *revision) cluster.Node {
	live := n.replicaSetLocked(r)
	node := cluster.Node{
		Key: r.key(), Parent: r.deployment, UID: r.uid, Created: r.created, Revision: r.number, Image: r.template.Spec.Containers[0].Image,
		Ready:    fmt.Sprintf("%d/%d", live.Int(0, "status", "readyReplicas"), r.replicas),
		Restarts: n.restartsLocked(func(p *pod) bool { return p.set == r }),
	}
	node.Health, node.Message = n.Health(live)
	return node
}

func (n *Node) podNode(p *pod, parent cluster.Key) cluster.Node {
	node := cluster.Node{Key: p.key, Parent: parent, UID: p.uid, Created: p.created, Image: p.main.image, Restarts: p.main.restarts, Ready: "0/1"}
	if p.ready {
		node.Ready = "1/1"
	}
	node.Health, node.Message = n.Health(n.podObject(p))
	return node
}

// stamp is a time as Kubernetes writes it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
