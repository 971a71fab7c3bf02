package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	idleLook  = time.Minute // the safety net; every change wakes Run by itself
	retryLook = time.Second // after a write that did not succeed
)

// restartedAt is the annotation by which a restart makes a new template, as kubectl does.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// reconcile makes one step towards what should run and gives when to look again.
func (n *Node) reconcile(ctx context.Context) time.Duration {
	n.changing.Lock()
	defer n.changing.Unlock()
	n.mu.Lock()
	var keys []cluster.Key
	for key, o := range n.objects {
		if o.deployment() != nil {
			keys = append(keys, key)
		}
	}
	n.orphansLocked()
	n.mu.Unlock()
	slices.SortFunc(keys, cluster.Key.Compare)
	next := idleLook
	for _, key := range keys {
		due, err := n.reconcileOne(ctx, key)
		if err != nil && ctx.Err() == nil {
			n.log.Error("a deployment can't be reconciled; it is tried again", "deployment", key, "error", err)
			due = retryLook
		}
		next = min(next, due)
	}
	return max(next, time.Millisecond)
}

// orphansLocked ends the pods whose Deployment or revision is gone.
func (n *Node) orphansLocked() {
	ended := false
	for _, p := range n.pods {
		if !p.terminating && !slices.Contains(n.revisions[p.set.deployment], p.set) {
			n.terminateLocked(p)
			ended = true
		}
	}
	if ended {
		n.rerouteLocked()
	}
}

// scaling is what one look at a Deployment decided.
type scaling struct {
	save, drop []*revision
	fresh      bool // the template is a new one
}

// reconcileOne looks at one Deployment: makes the revision of a new template, scales the revisions, durably, and then
// starts and ends pods.
func (n *Node) reconcileOne(ctx context.Context, key cluster.Key) (time.Duration, error) {
	n.mu.Lock()
	o := n.objects[key]
	revisions, change, err := n.decideLocked(o)
	n.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if len(change.save)+len(change.drop) > 0 {
		if err := n.saveScaling(ctx, change); err != nil {
			return 0, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range change.save {
		r.dirty = false
	}
	n.revisions[key] = revisions
	if change.fresh {
		delete(n.progress, key)
	}
	changed := n.followLocked(o, revisions)
	due := n.observeLocked(o)
	if changed || len(change.save)+len(change.drop) > 0 {
		n.rerouteLocked()
		n.watchers.notify(o.owner)
	}
	return due, nil
}

func (n *Node) saveScaling(ctx context.Context, change scaling) error {
	return fault.Wrap(n.db.Write(ctx, func(tx *store.Tx) error {
		var err error
		for _, r := range change.save {
			err = errors.Join(err, n.saveRevision(ctx, tx, r))
		}
		for _, r := range change.drop {
			err = errors.Join(err, n.removeRevision(ctx, tx, r))
		}
		return err
	}), "write revisions")
}

// decideLocked gives the revisions of a Deployment as they should be, oldest number first. What it changes in one is
// marked dirty until it is in the database, so that a write that did not succeed is done at the next look.
func (n *Node) decideLocked(o *object) ([]*revision, scaling, error) {
	d := o.deployment()
	template, hash, err := o.template()
	if err != nil {
		return nil, scaling{}, err
	}
	var change scaling
	revisions := slices.Clone(n.revisions[o.key])
	current := slices.IndexFunc(revisions, func(r *revision) bool { return r.hash == hash })
	switch {
	case current < 0 && !d.Spec.Paused:
		r := &revision{deployment: o.key, hash: hash, uid: ref.NewID("rst", n.now()), number: 1, template: template, created: n.now()}
		if len(revisions) > 0 {
			r.number = revisions[len(revisions)-1].number + 1
		}
		revisions, current = append(revisions, r), len(revisions)
		r.dirty, change.fresh = true, true
	case current >= 0 && current < len(revisions)-1 && !d.Spec.Paused: // back to an older template: it becomes the newest
		r := revisions[current]
		r.number = revisions[len(revisions)-1].number + 1
		revisions = append(slices.Delete(revisions, current, current+1), r)
		current = len(revisions) - 1
		r.dirty, change.fresh = true, true
	}
	plan := n.countLocked(o, revisions, current)
	for i, want := range plan.scale() {
		if r := revisions[i]; r.replicas != want {
			r.replicas, r.dirty = want, true
		}
	}
	revisions, change.drop = n.trimLocked(o, revisions, current)
	for _, r := range revisions {
		if r.dirty {
			change.save = append(change.save, r)
		}
	}
	return revisions, change, nil
}

// countLocked gives a Deployment's pods in numbers.
func (n *Node) countLocked(o *object, revisions []*revision, current int) rollout {
	d := o.deployment()
	plan := newRollout(d)
	plan.current = current
	now, minReady := n.now(), time.Duration(d.Spec.MinReadySeconds)*time.Second
	for _, r := range revisions {
		s := setCount{replicas: r.replicas}
		for _, p := range n.pods {
			switch {
			case p.set != r:
			case p.terminating:
				s.terminating++
			default:
				s.pods++
				if p.ready {
					s.ready++
				}
				if p.ready && !now.Before(p.availableAt(minReady)) {
					s.available++
				}
			}
		}
		plan.sets = append(plan.sets, s)
	}
	return plan
}

// trimLocked drops the oldest revisions beyond the history that is kept; never one that has or wants pods.
func (n *Node) trimLocked(o *object, revisions []*revision, current int) (kept, dropped []*revision) {
	limit := 10
	if l := o.deployment().Spec.RevisionHistoryLimit; l != nil {
		limit = int(*l)
	}
	idle := 0
	for i := len(revisions) - 1; i >= 0; i-- {
		r := revisions[i]
		busy := i == current || r.replicas > 0
		for _, p := range n.pods {
			busy = busy || p.set == r
		}
		if !busy {
			idle++
		}
		if !busy && idle > limit {
			dropped = append(dropped, r)
		} else {
			kept = append(kept, r)
		}
	}
	slices.Reverse(kept)
	return kept, dropped
}

// template gives the template that a Deployment's pods should have, and its hash. Call it with Node.mu held.
func (o *object) template() (*corev1.PodTemplateSpec, string, error) {
	if o.pods != nil {
		return o.pods, o.hash, nil
	}
	template := o.deployment().Spec.Template.DeepCopy()
	if !o.restarted.IsZero() {
		if template.Annotations == nil {
			template.Annotations = map[string]string{}
		}
		template.Annotations[restartedAt] = o.restarted.UTC().Format(time.RFC3339Nano)
	}
	text, err := json.Marshal(template)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(text)
	o.pods, o.hash = template, strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:10])
	return o.pods, o.hash, nil
}

// followLocked starts and ends pods so that each revision has as many as it should. It tells whether it did.
func (n *Node) followLocked(o *object, revisions []*revision) bool {
	changed := false
	for _, r := range revisions {
		var live []*pod
		for _, p := range n.pods {
			if p.set == r && !p.terminating {
				live = append(live, p)
			}
		}
		for ; len(live) < r.replicas; live = append(live, nil) {
			if n.running.Err() != nil {
				return changed
			}
			if len(n.pods) >= n.maxPods {
				n.events.add(o.owner, r.key(), true, "FailedCreate", "the node runs %d pods, as many as it may", n.maxPods)
				return changed
			}
			n.startPodLocked(o.owner, r)
			changed = true
		}
		if surplus := len(live) - r.replicas; surplus > 0 {
			slices.SortFunc(live, leastUseful)
			for _, p := range live[:surplus] {
				n.terminateLocked(p)
				changed = true
			}
		}
	}
	return changed
}

// leastUseful orders pods by which should go first: not ready, ready for a shorter time, restarted more, newer.
func leastUseful(a, b *pod) int {
	if a.ready != b.ready {
		if a.ready {
			return 1
		}
		return -1
	}
	return cmp.Or(b.readySince.Compare(a.readySince), cmp.Compare(b.main.restarts, a.main.restarts), b.created.Compare(a.created), strings.Compare(a.id, b.id))
}

// observeLocked follows the progress of an update, and gives when something is due by the clock.
func (n *Node) observeLocked(o *object) time.Duration {
	d := o.deployment()
	revisions := n.revisions[o.key]
	current := n.currentLocked(o)
	now, deadline := n.now(), deadlineOf(o)
	if !d.Spec.Paused {
		before := n.progress[o.key]
		// A changed spec begins anew, also one that goes back to a template that was there before.
		after := before.observe(n.countLocked(o, revisions, current).counts(), before.of != o.generation, deadline, now)
		after.of = o.generation
		n.progress[o.key] = after
		if after.failed && !before.failed {
			n.events.add(o.owner, o.key, true, "ProgressDeadlineExceeded", "no progress for %s", deadline)
			n.watchers.notify(o.owner)
		}
	}
	next := idleLook
	if due := n.progress[o.key].due(deadline); !due.IsZero() {
		next = min(next, due.Sub(now))
	}
	minReady := time.Duration(d.Spec.MinReadySeconds) * time.Second
	for _, p := range n.pods {
		if p.ready && p.set.deployment == o.key {
			if at := p.availableAt(minReady); now.Before(at) {
				next = min(next, at.Sub(now))
			}
		}
	}
	return next
}

// currentLocked gives the index of the revision of a Deployment's template, -1 when it has none yet.
func (n *Node) currentLocked(o *object) int {
	_, hash, err := o.template()
	if err != nil {
		return -1
	}
	return slices.IndexFunc(n.revisions[o.key], func(r *revision) bool { return r.hash == hash })
}

func deadlineOf(o *object) time.Duration {
	if s := o.deployment().Spec.ProgressDeadlineSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 600 * time.Second
}
