package cluster

import (
	"fmt"
)

// Health is how an object is, in Argo CD's words.
type Health string

// The healths.
const (
	Healthy     Health = "Healthy"     // it is as it should be
	Progressing Health = "Progressing" // not yet, but it may get there by itself
	Degraded    Health = "Degraded"    // it will not get there, or fell back
	Suspended   Health = "Suspended"   // paused by someone
	Missing     Health = "Missing"     // it should exist and does not
	Unknown     Health = "Unknown"     // nobody can tell
)

// rank orders healths from good to bad, as Argo CD does.
func (h Health) rank() int {
	switch h {
	case Healthy:
		return 0
	case Suspended:
		return 1
	case Progressing:
		return 2
	case Missing:
		return 3
	case Degraded:
		return 4
	}
	return 5
}

// Worst gives the worst of healths; of none it is Healthy.
func Worst(healths ...Health) Health {
	worst := Healthy
	for _, h := range healths {
		if h.rank() > worst.rank() {
			worst = h
		}
	}
	return worst
}

// Assess judges a live object of the kinds that every body knows, from its spec and status alone.
// A kind without a known status is Healthy because it exists.
func Assess(o Object) (Health, string) {
	if o.Raw == nil {
		return Missing, "the object does not exist"
	}
	if o.Text("metadata", "deletionTimestamp") != "" {
		return Progressing, "is being deleted"
	}
	switch gvk := o.GVK(); {
	case gvk.Group == "apps" && gvk.Kind == "Deployment":
		return assessDeployment(o)
	case gvk.Group == "apps" && gvk.Kind == "ReplicaSet":
		return assessReplicaSet(o)
	case gvk.Group == "" && gvk.Kind == "Pod":
		return assessPod(o)
	case gvk.Group == "" && gvk.Kind == "Service" && o.Text("spec", "type") == "LoadBalancer", gvk.Group == "networking.k8s.io" && gvk.Kind == "Ingress":
		if balancers, _ := o.Field("status", "loadBalancer", "ingress"); !nonEmpty(balancers) {
			return Progressing, "has no address yet"
		}
	}
	return Healthy, ""
}

func assessDeployment(o Object) (Health, string) {
	if paused, _ := o.Field("spec", "paused"); paused == true {
		return Suspended, "the Deployment is paused"
	}
	if o.Int(0, "metadata", "generation") > o.Int(0, "status", "observedGeneration") {
		return Progressing, "the newest spec has not been looked at yet"
	}
	if c, ok := o.Condition("Progressing"); ok && c.Reason == "ProgressDeadlineExceeded" {
		return Degraded, c.Message
	}
	var (
		desired   = o.Int(1, "spec", "replicas")
		updated   = o.Int(0, "status", "updatedReplicas")
		total     = o.Int(0, "status", "replicas")
		available = o.Int(0, "status", "availableReplicas")
	)
	var message string
	switch {
	case updated < desired:
		message = fmt.Sprintf("%d of %d pods have the new version", updated, desired)
	case total > updated:
		message = fmt.Sprintf("%d pods of an older version are still to go", total-updated)
	case available < updated:
		message = fmt.Sprintf("%d of %d new pods are available", available, updated)
	default:
		return Healthy, ""
	}
	if c, ok := o.Condition("Progressing"); ok && c.Message != "" {
		message += ": " + c.Message
	}
	return Progressing, message
}

func assessReplicaSet(o Object) (Health, string) {
	if c, ok := o.Condition("ReplicaFailure"); ok && c.Status == "True" {
		return Degraded, c.Message
	}
	desired, available := o.Int(1, "spec", "replicas"), o.Int(0, "status", "availableReplicas")
	if available < desired {
		return Progressing, fmt.Sprintf("%d of %d pods are available", available, desired)
	}
	return Healthy, ""
}

// failing are the reasons of a waiting container that time alone rarely mends.
var failing = map[string]bool{
	"CrashLoopBackOff": true, "ImagePullBackOff": true, "ErrImagePull": true, "InvalidImageName": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true,
}

func assessPod(o Object) (Health, string) {
	statuses, _ := o.Field("status", "containerStatuses")
	list, _ := statuses.([]any)
	for _, s := range list {
		m, _ := s.(map[string]any)
		c := Object{Raw: m}
		if reason := c.Text("state", "waiting", "reason"); failing[reason] {
			return Degraded, join(reason, c.Text("state", "waiting", "message"))
		}
	}
	switch o.Text("status", "phase") {
	case "Succeeded":
		return Healthy, ""
	case "Failed":
		return Degraded, join(o.Text("status", "reason"), o.Text("status", "message"))
	case "Running":
		if c, ok := o.Condition("Ready"); ok && c.Status == "True" {
			return Healthy, ""
		} else if ok {
			return Progressing, join(c.Reason, c.Message)
		}
	}
	return Progressing, o.Text("status", "message")
}

// Condition is one of an object's status.conditions.
type Condition struct{ Type, Status, Reason, Message string }

// Condition gives the status condition of a type.
func (o Object) Condition(kind string) (Condition, bool) {
	all, _ := o.Field("status", "conditions")
	list, _ := all.([]any)
	for _, item := range list {
		m, _ := item.(map[string]any)
		if c := (Object{Raw: m}); c.Text("type") == kind {
			return Condition{Type: kind, Status: c.Text("status"), Reason: c.Text("reason"), Message: c.Text("message")}, true
		}
	}
	return Condition{}, false
}

func nonEmpty(v any) bool {
	list, ok := v.([]any)
	return ok && len(list) > 0
}

func join(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}
