package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
)

// liveLocked gives an object as it is now: what was applied, what the node added, and its status.
func (n *Node) liveLocked(o *object) cluster.Object {
	live := cluster.Redact(o.object)
	raw := maps.Clone(live.Raw)
	meta, _ := raw["metadata"].(map[string]any)
	meta = maps.Clone(meta)
	meta["uid"], meta["generation"], meta["creationTimestamp"] = o.uid, o.generation, stamp(o.created)
	raw["metadata"] = meta
	switch o.typed.(type) {
	case *corev1.Namespace:
		raw["status"] = map[string]any{"phase": "Active"}
	case *corev1.Service:
		raw["status"] = map[string]any{"loadBalancer": balancer()}
	case *networkingv1.Ingress:
		raw["status"] = map[string]any{"loadBalancer": balancer()}
	}
	if o.deployment() != nil {
		raw["status"] = n.deploymentStatusLocked(o)
	}
	live.Raw = raw
	return live
}

// balancer is an address for those who look for one: the node answers by host name wherever the server listens.
func balancer() map[string]any {
	return map[string]any{"ingress": []any{map[string]any{"ip": "127.0.0.1"}}}
}

func (n *Node) deploymentStatusLocked(o *object) map[string]any {
	revisions := n.revisions[o.key]
	current := n.currentLocked(o)
	plan := n.countLocked(o, revisions, current)
	c := plan.counts()
	p := n.progress[o.key]
	observed := o.generation
	if !plan.paused && (current < 0 || p.of != o.generation) {
		observed-- // the newest spec has not been looked at
	}
	available := condition("Available", c.available >= plan.desired-plan.unavailable, "MinimumReplicasAvailable", "MinimumReplicasUnavailable", fmt.Sprintf("%d of %d pods are available", c.available, c.desired))
	moving := condition("Progressing", true, "ReplicaSetUpdated", "", n.troubleLocked(revisions, current))
	switch {
	case plan.paused:
		moving = condition("Progressing", true, "DeploymentPaused", "", "the Deployment is paused")
	case p.failed:
		message := fmt.Sprintf("no progress for %s", deadlineOf(o))
		if trouble := n.troubleLocked(revisions, current); trouble != "" {
			message += ": " + trouble
		}
		moving = condition("Progressing", false, "", "ProgressDeadlineExceeded", message)
	case p.complete:
		moving["reason"] = "NewReplicaSetAvailable"
	}
	return map[string]any{
		"observedGeneration": observed, "replicas": c.total, "updatedReplicas": c.updated, "readyReplicas": c.ready, "availableReplicas": c.available,
		"unavailableReplicas": max(0, c.desired-c.available), "terminatingReplicas": c.terminating, "conditions": []any{available, moving},
	}
}

func condition(kind string, holds bool, yes, no, message string) map[string]any {
	status, reason := "True", yes
	if !holds {
		status, reason = "False", no
	}
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": message}
}

// troubleLocked tells why pods of the current version are not ready, of the oldest that is not.
func (n *Node) troubleLocked(revisions []*revision, current int) string {
	if current < 0 {
		return ""
	}
	for _, p := range n.podsLocked(func(p *pod) bool { return p.set == revisions[current] && !p.terminating && !p.ready }) {
		if why := p.trouble(); why != "" {
			return "pod " + p.key.Name + ": " + why
		}
	}
	if have := len(n.podsLocked(func(p *pod) bool { return p.set == revisions[current] && !p.terminating })); have < revisions[current].replicas && len(n.pods) >= n.maxPods {
		return fmt.Sprintf("the node runs %d pods, as many as it may", n.maxPods)
	}
	return ""
}

// trouble tells why a pod is not ready.
func (p *pod) trouble() string {
	for _, c := range append(slices.Clone(p.inits), p.main) {
		if c.phase == waiting && c.message != "" {
			return c.reason + ": " + c.message
		}
	}
	return p.why
}

func (n *Node) replicaSetLocked(r *revision) cluster.Object {
	minReady := time.Duration(0)
	if o := n.objects[r.deployment]; o != nil {
		minReady = time.Duration(o.deployment().Spec.MinReadySeconds) * time.Second
	}
	pods, ready, available := 0, 0, 0
	for _, p := range n.pods {
		if p.set != r || p.terminating {
			continue
		}
		pods++
		if p.ready {
			ready++
			if !n.now().Before(p.availableAt(minReady)) {
				available++
			}
		}
	}
	return cluster.Object{Raw: map[string]any{
		"apiVersion": "apps/v1", "kind": "ReplicaSet",
		"metadata": map[string]any{
			"name": r.key().Name, "namespace": r.deployment.Namespace, "uid": r.uid, "creationTimestamp": stamp(r.created),
			"labels":          tree(r.template.Labels),
			"annotations":     map[string]any{"deployment.kubernetes.io/revision": fmt.Sprint(r.number)},
			"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": r.deployment.Name, "controller": true}},
		},
		"spec":   map[string]any{"replicas": r.replicas, "template": tree(r.template)},
		"status": map[string]any{"replicas": pods, "readyReplicas": ready, "availableReplicas": available},
	}}
}

// tree gives a typed value as a tree of maps.
func tree(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if json.Unmarshal(text, &out) != nil {
		return nil
	}
	return out
}

func (n *Node) podObject(p *pod) cluster.Object {
	meta := map[string]any{
		"name": p.key.Name, "namespace": p.key.Namespace, "uid": p.uid, "creationTimestamp": stamp(p.created),
		"labels": tree(p.template.Labels), "annotations": tree(p.template.Annotations),
		"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": p.set.key().Name, "controller": true}},
	}
	if p.terminating {
		meta["deletionTimestamp"] = stamp(p.ending)
	}
	phase := "Pending"
	if p.main.phase != waiting || p.main.restarts > 0 {
		phase = "Running"
	}
	readiness := condition("Ready", p.ready, "", "ContainersNotReady", "")
	if !p.ready {
		readiness["message"] = p.trouble()
	}
	var inits []any
	for _, c := range p.inits {
		inits = append(inits, c.status(false))
	}
	status := map[string]any{
		"phase": phase, "startTime": stamp(p.created), "podIP": "127.0.0.1",
		"conditions":        []any{readiness},
		"containerStatuses": []any{p.main.status(p.ready)},
	}
	if phase == "Pending" {
		status["message"] = p.trouble()
	}
	if inits != nil {
		status["initContainerStatuses"] = inits
	}
	return cluster.Object{Raw: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": tree(p.template.Spec), "status": status}}
}

// status gives a container's state as Kubernetes writes it.
func (c containerState) status(ready bool) map[string]any {
	out := map[string]any{"name": c.name, "image": c.image, "ready": ready, "restartCount": c.restarts, "started": c.phase == running, "state": c.state()}
	if c.last != nil {
		out["lastState"] = c.last.state()
	}
	return out
}

func (c containerState) state() map[string]any {
	switch c.phase {
	case running:
		return map[string]any{"running": map[string]any{"startedAt": stamp(c.started)}}
	case terminated:
		return map[string]any{"terminated": map[string]any{"exitCode": c.exitCode, "reason": c.reason, "message": c.message, "startedAt": stamp(c.started), "finishedAt": stamp(c.finished)}}
	}
	return map[string]any{"waiting": map[string]any{"reason": c.reason, "message": c.message}}
}
