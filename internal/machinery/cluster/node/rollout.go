package node

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// rollout is what decides how many pods each version of a Deployment should have. It is data; scale is pure.
type rollout struct {
	desired     int // pods that the Deployment asks for
	surge       int // how many more there may be for a while
	unavailable int // how many of the desired may be missing for a while
	recreate    bool
	paused      bool
	sets        []setCount // oldest revision first
	current     int        // index of the set with the Deployment's template; -1 while paused before it is made
}

// setCount is one version's pods. Those that end are in terminating alone.
type setCount struct {
	replicas    int // asked for
	pods        int
	ready       int
	available   int // ready for minReadySeconds
	terminating int
}

// newRollout reads the bounds of an update as Kubernetes does: surge is rounded up, unavailable down, and at
// least one of them is 1.
func newRollout(d *appsv1.Deployment) rollout {
	r := rollout{desired: 1, paused: d.Spec.Paused, current: -1}
	if d.Spec.Replicas != nil {
		r.desired = int(*d.Spec.Replicas)
	}
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		r.recreate = true
		return r
	}
	quarter := intstr.FromString("25%")
	surge, unavailable := &quarter, &quarter
	if u := d.Spec.Strategy.RollingUpdate; u != nil {
		if u.MaxSurge != nil {
			surge = u.MaxSurge
		}
		if u.MaxUnavailable != nil {
			unavailable = u.MaxUnavailable
		}
	}
	r.surge, _ = intstr.GetScaledValueFromIntOrPercent(surge, r.desired, true)
	r.unavailable, _ = intstr.GetScaledValueFromIntOrPercent(unavailable, r.desired, false)
	r.unavailable = min(r.unavailable, r.desired)
	if r.surge == 0 && r.unavailable == 0 {
		r.unavailable = 1
	}
	return r
}

// scale gives how many pods each set should be asked for now. Followed again and again while pods come up, it
// ends with all desired pods in the current set, and on the way never takes away an available pod when that
// would leave fewer than desired - unavailable, nor asks for more than desired + surge.
func (r rollout) scale() []int {
	want := make([]int, len(r.sets))
	for i, s := range r.sets {
		want[i] = s.replicas
	}
	switch {
	case r.paused:
		r.scalePaused(want)
	case r.current < 0:
	case r.recreate:
		r.scaleRecreate(want)
	default:
		r.scaleUp(want)
		r.scaleDown(want)
	}
	return want
}

// scalePaused follows a changed number of replicas where that is not a step of an update.
func (r rollout) scalePaused(want []int) {
	active := -1
	for i, n := range want {
		if n > 0 && active >= 0 {
			return
		}
		if n > 0 {
			active = i
		}
	}
	if active < 0 {
		active = len(want) - 1
	}
	if active >= 0 {
		want[active] = r.desired
	}
}

func (r rollout) scaleRecreate(want []int) {
	left := 0
	for i, s := range r.sets {
		if i != r.current {
			want[i] = 0
			left += s.pods + s.terminating
		}
	}
	if left == 0 {
		want[r.current] = r.desired
	} else {
		want[r.current] = min(want[r.current], r.desired)
	}
}

func (r rollout) scaleUp(want []int) {
	if want[r.current] >= r.desired {
		want[r.current] = r.desired
		return
	}
	if room := r.desired + r.surge - sum(want); room > 0 {
		want[r.current] += min(room, r.desired-want[r.current])
	}
}

func (r rollout) scaleDown(want []int) {
	least := r.desired - r.unavailable
	// Pods that are not available serve nobody: they go first, as far as the new version may still be missing.
	spare := sum(want) - least - max(0, want[r.current]-r.sets[r.current].available)
	for i := range want {
		if i == r.current || spare <= 0 {
			continue
		}
		gone := min(spare, max(0, want[i]-r.sets[i].available))
		want[i] -= gone
		spare -= gone
	}
	available := 0
	for _, s := range r.sets {
		available += s.available
	}
	for i := range want {
		if i == r.current {
			continue
		}
		gone := min(max(0, available-least), want[i])
		want[i] -= gone
		available -= gone
	}
}

func sum(all []int) int {
	n := 0
	for _, v := range all {
		n += v
	}
	return n
}

// counts is a Deployment's status in numbers.
type counts struct {
	desired, total, updated, ready, available, terminating int
}

func (r rollout) counts() counts {
	c := counts{desired: r.desired}
	for i, s := range r.sets {
		c.total += s.pods
		c.ready += s.ready
		c.available += s.available
		c.terminating += s.terminating
		if i == r.current {
			c.updated = s.pods
		}
	}
	return c
}

func (c counts) complete() bool {
	return c.updated == c.desired && c.total == c.desired && c.available >= c.desired
}

// progress watches whether an update gets anywhere, as Kubernetes does: more new, fewer old, or more ready pods.
type progress struct {
	since    time.Time // of the last step forward
	best     counts    // the furthest so far
	complete bool      // it has been all there; later losses are no matter of the update
	failed   bool      // the deadline has passed without a step
	of       int64     // generation of the Deployment that it is about
}

// observe gives the progress after a look at the pods; fresh says that the template has just changed.
func (p progress) observe(c counts, fresh bool, deadline time.Duration, now time.Time) progress {
	if fresh || p.since.IsZero() || c.desired != p.best.desired {
		p = progress{since: now, best: c}
	}
	old, bestOld := c.total-c.updated, p.best.total-p.best.updated
	if c.updated > p.best.updated || old < bestOld || c.ready > p.best.ready || c.available > p.best.available {
		p.since, p.failed = now, false
		p.best.updated, p.best.total = max(c.updated, p.best.updated), max(c.updated, p.best.updated)+min(old, bestOld)
		p.best.ready, p.best.available = max(c.ready, p.best.ready), max(c.available, p.best.available)
	}
	switch {
	case c.complete():
		p.complete, p.failed = true, false
	case !p.complete && deadline > 0 && !now.Before(p.since.Add(deadline)):
		p.failed = true
	}
	return p
}

// due gives when the deadline passes unless something happens; zero when it is not being waited for.
func (p progress) due(deadline time.Duration) time.Time {
	if p.complete || p.failed || deadline <= 0 || p.since.IsZero() {
		return time.Time{}
	}
	return p.since.Add(deadline)
}
