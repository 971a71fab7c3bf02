// Package cluster is the contract of a place where applications run: it applies Kubernetes objects, watches
// them, and tells how they are. It knows no product noun.
//
// The bodies are node (this machine as a tiny cluster) and, for real clusters, kube. Each passes
// clustertest.Run.
//
// What every body promises:
//
//   - Apply is all or nothing for what can be known beforehand: every object is validated and its owner
//     checked before anything changes. Applying the same objects again changes nothing.
//   - An object belongs to the owner that applied it first. Another owner's Apply or Delete of it is refused
//     with fault.Conflict. An object without an owner is adopted by the first owner that applies it.
//   - Values of Secrets go in and never come out: Get, List and diffs show only that there is a value.
//   - Watch is level-triggered: a receive says "look again", never what changed.
package cluster
