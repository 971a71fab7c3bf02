package node

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of one call.
const (
	maxApply = 500 // objects
	maxOwner = 253 // bytes
)

// step is one object of an Apply or Delete: what is, what will be, and what is said about it.
type step struct {
	change        cluster.Change
	before, after *object
}

// Apply implements cluster.Cluster. It returns when the new state is durable; pods follow.
func (n *Node) Apply(ctx context.Context, objects []cluster.Object, opts cluster.ApplyOptions) ([]cluster.Change, error) {
	switch {
	case len(objects) > maxApply:
		return nil, fault.Errorf(fault.TooLarge, "%d objects are over the node's limit of %d in one apply", len(objects), maxApply)
	case len(opts.Owner) > maxOwner || !utf8.ValidString(opts.Owner) || strings.ContainsRune(opts.Owner, 0):
		return nil, fault.Errorf(fault.Invalid, "the owner's id is longer than %d bytes or is not text", maxOwner)
	case opts.Prune && opts.Owner == "":
		return nil, fault.Errorf(fault.Invalid, "prune needs an owner")
	}
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	manifests, err := n.decodeAll(objects)
	if err != nil {
		return nil, err
	}
	n.changing.Lock()
	defer n.changing.Unlock()
	steps, err := n.plan(manifests, opts)
	if err != nil {
		return nil, err
	}
	if !opts.DryRun {
		err = n.carryOut(ctx, steps)
	}
	return changes(steps), err
}

// decodeAll reads all objects and gives everything that is wrong with any of them at once.
func (n *Node) decodeAll(objects []cluster.Object) ([]manifest, error) {
	var details []fault.Detail
	out := make([]manifest, 0, len(objects))
	seen := map[cluster.Key]bool{}
	for _, o := range objects {
		m, wrong := decode(o, n.bounds)
		for i := range wrong {
			if key := o.Key(); key.Name != "" {
				wrong[i].Message = key.Kind + "/" + key.Name + " " + wrong[i].Message
			}
		}
		details = append(details, wrong...)
		if len(wrong) == 0 && seen[m.key] {
			details = append(details, o.Fault("metadata.name", m.key.String()+" is there twice", "remove one of them"))
		}
		seen[m.key] = true
		out = append(out, m)
	}
	if len(details) > 0 {
		return nil, fault.At("the node refuses the objects", details...)
	}
	return out, nil
}

// plan compares the manifests with what is, and refuses what can't be. Nothing changes.
func (n *Node) plan(manifests []manifest, opts cluster.ApplyOptions) ([]step, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	var steps []step
	var invalid, conflicts []fault.Detail
	applied := map[cluster.Key]bool{}
	for _, m := range manifests {
		applied[m.key] = true
	}
	for _, m := range manifests {
		before := n.objects[m.key]
		if before != nil && before.owner != opts.Owner && before.owner != "" {
			conflicts = append(conflicts, m.object.Fault("metadata.name", fmt.Sprintf("%s belongs to %s", m.key, before.owner), "rename it, or remove it there first"))
			continue
		}
		if space := (cluster.Key{Kind: "Namespace", Name: m.key.Namespace}); m.key.Namespace != "" && !applied[space] && !n.namespaceLocked(space.Name) {
			if !opts.CreateNamespaces {
				invalid = append(invalid, m.object.Fault("metadata.namespace", fmt.Sprintf("there is no namespace %q", space.Name), "add the Namespace, or let namespaces be made"))
				continue
			}
			applied[space] = true
			steps = append(steps, n.namespaceStep(space.Name))
		}
		if before != nil {
			conflicts = append(conflicts, immutable(before, m)...)
		}
		steps = append(steps, newStep(before, m, opts.Owner, now))
	}
	if opts.Prune {
		for _, key := range n.keysLocked(cluster.ListOptions{Owner: opts.Owner}) {
			if !applied[key] {
				steps = append(steps, removal(n.objects[key]))
			}
		}
		conflicts = append(conflicts, n.namespaceConflictsLocked(steps)...)
	}
	conflicts = append(conflicts, n.hostConflictsLocked(steps)...) // what is pruned gives its hosts up
	switch {
	case len(invalid) > 0:
		return nil, fault.At("the node refuses the objects", invalid...)
	case len(conflicts) > 0:
		return nil, &fault.Error{Kind: fault.Conflict, Message: "the objects can't be applied", Details: conflicts}
	}
	return steps, nil
}

// immutable gives what may not change in an object that exists.
func immutable(before *object, m manifest) []fault.Detail {
	if was, now := before.deployment(), (&object{manifest: m}).deployment(); was != nil && now != nil && !reflect.DeepEqual(was.Spec.Selector, now.Spec.Selector) {
		return []fault.Detail{m.object.Fault("spec.selector", "can't be changed while the Deployment exists", "keep it, or give the Deployment another name")}
	}
	for _, field := range []string{"data", "binaryData", "stringData"} {
		was, _ := before.object.Field(field)
		now, _ := m.object.Field(field)
		if frozen, _ := before.object.Field("immutable"); frozen == true && !reflect.DeepEqual(was, now) {
			return []fault.Detail{m.object.Fault(field, m.key.String()+" is immutable", "make one with another name")}
		}
	}
	return nil
}

// newStep gives what applying m does to before, which may be nil.
func newStep(before *object, m manifest, owner string, now time.Time) step {
	after := &object{manifest: m, owner: owner, uid: ref.NewID("obj", now), generation: 1, created: now, updated: now}
	s := step{before: before, after: after, change: cluster.Change{Key: m.key, Action: cluster.Created, Warnings: m.warnings}}
	if before == nil {
		s.change.Diff = cluster.Diff(cluster.Object{}, m.object)
		return s
	}
	after.uid, after.generation, after.created, after.restarted = before.uid, before.generation, before.created, before.restarted
	if bytes.Equal(before.json, m.json) {
		s.change.Action = cluster.Unchanged
		after.updated = before.updated
		if before.owner == owner {
			s.after = before
		}
		return s
	}
	was, _ := before.object.Field("spec")
	if is, _ := m.object.Field("spec"); !reflect.DeepEqual(was, is) {
		after.generation++
	}
	s.change.Action, s.change.Diff = cluster.Updated, cluster.Diff(before.object, m.object)
	return s
}

// namespaceStep makes a namespace that nobody wrote down.
func (n *Node) namespaceStep(name string) step {
	m, _ := decode(cluster.Object{Raw: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}, bounds{})
	return newStep(nil, m, "", n.now())
}

func removal(o *object) step {
	return step{before: o, change: cluster.Change{Key: o.key, Action: cluster.Deleted, Diff: cluster.Diff(o.object, cluster.Object{})}}
}

// namespaceLocked tells whether a namespace exists; "default" always does.
func (n *Node) namespaceLocked(name string) bool {
	return name == defaultNamespace || n.objects[cluster.Key{Kind: "Namespace", Name: name}] != nil
}

// hostConflictsLocked refuses an Ingress whose host lies below no domain of applications, is the platform's own or has a
// path in another namespace, and whose host and path another Ingress has. A host is one namespace's: whoever may serve a path of it may read and set
// what browsers keep for all of it.
func (n *Node) hostConflictsLocked(steps []step) []fault.Detail {
	taken := map[string]cluster.Key{}
	hosts := map[string]cluster.Key{}
	gone := map[cluster.Key]bool{}
	for _, s := range steps {
		gone[s.change.Key] = true
	}
	for key, o := range n.objects {
		if !gone[key] {
			eachRule(o, func(_ int, host, rule string) { taken[rule], hosts[host] = key, key })
		}
	}
	var out []fault.Detail
	for _, s := range steps {
		eachRule(s.after, func(i int, host, rule string) {
			field := fmt.Sprintf("spec.rules[%d]", i)
			if theirs := overlapping(hosts, host, s.change.Key.Namespace); theirs != "" {
				out = append(out, s.after.object.Fault(field+".host", theirs+" belongs to another namespace", "choose another host"))
			} else if other, ok := taken[rule]; ok && other != s.change.Key {
				out = append(out, s.after.object.Fault(field, rule+" belongs to "+other.String(), "choose another host or path"))
			}
			taken[rule], hosts[host] = s.change.Key, s.change.Key
			if slices.ContainsFunc(n.reserved, func(r string) bool { return r == host || wildcard(r) == host }) {
				out = append(out, s.after.object.Fault(field+".host", host+" is the platform's own address", "choose another host"))
			} else if !n.below(host) {
				out = append(out, s.after.object.Fault(field+".host", host+" is not below a domain of applications",
					"choose a name below "+strings.Join(n.domains, " or ")+", or have an administrator add a domain"))
			}
		})
	}
	return out
}

// below tells whether a host lies below a domain of applications. A wildcard may not cover a whole domain.
func (n *Node) below(host string) bool {
	return len(n.domains) == 0 || slices.ContainsFunc(n.domains, func(domain string) bool {
		name, ok := strings.CutSuffix(host, "."+domain)
		return ok && name != "*"
	})
}

// overlapping gives a host of another namespace that is the same as host, or that one of the two covers as *.
func overlapping(hosts map[string]cluster.Key, host, namespace string) string {
	for other, key := range hosts {
		if key.Namespace != namespace && (other == host || other == wildcard(host) || wildcard(other) == host) {
			return other
		}
	}
	return ""
}

// eachRule gives the host of each rule of an Ingress, and the host with each path.
func eachRule(o *object, fn func(i int, host, rule string)) {
	if o == nil {
		return
	}
	in, ok := o.typed.(*networkingv1.Ingress)
	if !ok {
		return
	}
	for i, r := range in.Spec.Rules {
		for _, p := range r.HTTP.Paths {
			kind := "prefix"
			if *p.PathType == networkingv1.PathTypeExact {
				kind = "exact"
			}
			fn(i, r.Host, r.Host+cmp.Or(p.Path, "/")+" ("+kind+")")
		}
	}
}

// namespaceConflictsLocked refuses to delete a namespace while others have something in it.
func (n *Node) namespaceConflictsLocked(steps []step) []fault.Detail {
	gone := map[cluster.Key]bool{}
	for _, s := range steps {
		gone[s.change.Key] = s.after == nil
	}
	var out []fault.Detail
	for _, s := range steps {
		if _, ok := typedOf(s.before).(*corev1.Namespace); !ok || s.after != nil {
			continue
		}
		for _, key := range n.keysLocked(cluster.ListOptions{Namespace: s.change.Key.Name}) {
			if o := n.objects[key]; !gone[key] && o.owner != s.before.owner {
				out = append(out, fault.Detail{Field: s.change.Key.String(), Message: "still holds " + key.String() + " of " + cmp.Or(o.owner, "no owner"), Hint: "delete that first"})
			}
		}
	}
	return out
}

func typedOf(o *object) any {
	if o == nil {
		return nil
	}
	return o.typed
}

// carryOut makes the steps durable, then true in memory, and wakes who needs to know.
func (n *Node) carryOut(ctx context.Context, steps []step) error {
	err := n.db.Write(ctx, func(tx *store.Tx) error {
		for _, s := range steps {
			var err error
			switch {
			case s.after == nil:
				err = n.removeObject(ctx, tx, s.change.Key)
			case s.after != s.before:
				err = n.saveObject(ctx, tx, s.after)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fault.Wrap(err, "write the node's objects")
	}
	n.mu.Lock()
	owners := map[string]bool{}
	for _, s := range steps {
		if s.before != nil {
			owners[s.before.owner] = true
		}
		if s.after == nil {
			delete(n.objects, s.change.Key)
			delete(n.revisions, s.change.Key)
			delete(n.progress, s.change.Key)
			// At once, so that nobody takes how they were for how the owner's objects are.
			for _, p := range n.podsLocked(func(p *pod) bool { return p.set.deployment == s.change.Key }) {
				n.terminateLocked(p)
			}
			continue
		}
		owners[s.after.owner] = true
		n.objects[s.change.Key] = s.after
	}
	n.rerouteLocked()
	close(n.applied)
	n.applied = make(chan struct{})
	n.mu.Unlock()
	n.poke()
	for owner := range owners {
		n.watchers.notify(owner)
	}
	return nil
}

func changes(steps []step) []cluster.Change {
	out := make([]cluster.Change, 0, len(steps))
	for _, s := range steps {
		out = append(out, s.change)
	}
	return out
}

// Delete implements cluster.Cluster. Pods of a deleted Deployment end by themselves soon after.
func (n *Node) Delete(ctx context.Context, keys []cluster.Key, opts cluster.DeleteOptions) ([]cluster.Change, error) {
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	n.changing.Lock()
	defer n.changing.Unlock()
	steps, err := n.planDelete(keys, opts)
	if err == nil && !opts.DryRun {
		err = n.carryOut(ctx, steps)
	}
	return changes(steps), err
}

// planDelete takes a namespace's objects along with it.
func (n *Node) planDelete(keys []cluster.Key, opts cluster.DeleteOptions) ([]step, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var steps []step
	var conflicts []fault.Detail
	seen := map[cluster.Key]bool{}
	for i := 0; i < len(keys); i++ {
		key := keys[i]
		o := n.objects[key]
		if o == nil || seen[key] {
			continue
		}
		seen[key] = true
		if opts.Owner != "" && o.owner != opts.Owner {
			conflicts = append(conflicts, fault.Detail{Field: key.String(), Message: "belongs to " + cmp.Or(o.owner, "no owner"), Hint: "delete it there"})
			continue
		}
		steps = append(steps, removal(o))
		if key.Kind == "Namespace" {
			inside := n.keysLocked(cluster.ListOptions{Namespace: key.Name})
			for _, k := range inside {
				if opts.Owner == "" || n.objects[k].owner == opts.Owner {
					keys = append(slices.Clone(keys), k)
				}
			}
		}
	}
	if opts.Owner != "" {
		conflicts = append(conflicts, n.namespaceConflictsLocked(steps)...)
	}
	if len(conflicts) > 0 {
		return nil, &fault.Error{Kind: fault.Conflict, Message: "the objects can't be deleted", Details: conflicts}
	}
	return steps, nil
}

// keysLocked gives the keys of matching objects in order.
func (n *Node) keysLocked(opts cluster.ListOptions) []cluster.Key {
	var out []cluster.Key
	for key, o := range n.objects {
		if (opts.Owner == "" || o.owner == opts.Owner) && (opts.Namespace == "" || key.Namespace == opts.Namespace) && (len(opts.Kinds) == 0 || slices.Contains(opts.Kinds, key.Kind)) {
			out = append(out, key)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Compare(out[j]) < 0 })
	return out
}
