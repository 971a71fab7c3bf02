package cluster

import (
	"context"
	"io"
	"time"
)

// Cluster is a place where applications run. All methods may be called at the same time.
type Cluster interface {
	// Apply makes the objects so and gives one change for each, in the order of objects; a namespace that had
	// to be made comes before the first object in it, what was pruned comes last. Errors: Invalid with a Detail per fault (file, line, field), Conflict when an object
	// belongs to another owner or an immutable field would change, TooLarge over the body's bounds.
	Apply(ctx context.Context, objects []Object, opts ApplyOptions) ([]Change, error)
	// Delete takes objects away; those that do not exist are skipped. Errors: Conflict when one belongs to
	// another owner, or when a namespace still holds another owner's objects.
	Delete(ctx context.Context, keys []Key, opts DeleteOptions) ([]Change, error)
	// Get gives the live object with its status. Errors: NotFound.
	Get(ctx context.Context, key Key) (Object, error)
	// List gives live objects, ordered by key.
	List(ctx context.Context, opts ListOptions) ([]Object, error)
	// Tree gives the owner's objects and what they made (Deployment → ReplicaSet → Pod), parents before
	// children, each with its health.
	Tree(ctx context.Context, owner string) ([]Node, error)
	// Events gives what happened to the owner's objects lately, oldest first. It is bounded and may be empty
	// after a restart.
	Events(ctx context.Context, owner string) ([]Event, error)
	// Watch wakes its reader after something of the owner's changed (spec, status or health); owner "" is
	// everything. Wakes that nobody has taken yet become one. The channel is closed when ctx ends. The first
	// wake is there at once, so that a loop over the channel starts with a look.
	Watch(ctx context.Context, owner string) (<-chan struct{}, error)
	// Logs reads what a pod has written. Errors: NotFound for an unknown pod or container.
	Logs(ctx context.Context, pod Key, opts LogOptions) (io.ReadCloser, error)
	// Restart replaces the pods of a Deployment by a rolling update, or ends a pod so that a new one takes
	// its place. Errors: NotFound, Invalid for other kinds.
	Restart(ctx context.Context, key Key) error
	// Health judges a live object as Get gives it.
	Health(obj Object) (Health, string)
}

// ApplyOptions say for whom and how objects are applied.
type ApplyOptions struct {
	Owner            string // tracking id of the application, at most 253 bytes; "" leaves objects without an owner
	DryRun           bool   // validate and compare; change nothing
	Prune            bool   // delete the owner's objects that are not among those applied; needs an Owner
	CreateNamespaces bool   // make missing namespaces, without an owner, instead of refusing
}

// DeleteOptions say for whom objects are deleted.
type DeleteOptions struct {
	Owner  string // "" may delete objects of any owner: for an administrator's hand
	DryRun bool
}

// ListOptions narrow a list; empty fields do not.
type ListOptions struct {
	Owner     string
	Namespace string
	Kinds     []string // such as "Deployment"
}

// LogOptions choose a part of a pod's log.
type LogOptions struct {
	Container string // may be empty when the pod has one
	Follow    bool   // wait for more until the pod is gone or ctx ends
	Tail      int    // the last lines; 0 means all that is kept
	Offset    int64  // start at this byte of all that was ever written; what is no longer kept is skipped
}

// Action is what Apply or Delete did, or would do.
type Action string

// The actions of a change.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	Deleted   Action = "deleted"
)

// Change is what happened, or would happen, to one object.
type Change struct {
	Key      Key
	Action   Action
	Diff     string   // unified diff of the YAML from what is to what will be, secrets hidden; "" when unchanged
	Warnings []string // fields that are valid and that this cluster does not act on
}

// Node is one object in an owner's tree.
type Node struct {
	Key      Key
	Parent   Key // zero for what the owner applied
	UID      string
	Health   Health
	Message  string // why it is not healthy, for a person
	Image    string // of pods, and of what makes pods
	Ready    string // "1/2" of pods or endpoints; "" where that means nothing
	Restarts int
	Revision int64    // of ReplicaSets
	URLs     []string // of Ingresses: host and path
	Created  time.Time
}

// Event is something that happened to an object. Equal ones are counted, not repeated.
type Event struct {
	Key         Key
	Warning     bool
	Reason      string // one word in camel case, such as BackOff
	Message     string
	Count       int
	First, Last time.Time
}
