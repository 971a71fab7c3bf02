package node

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// fleet plays a Deployment's pods: follow makes and ends them as scale says, and the test makes them ready or not.
type fleet struct {
	r    rollout
	pods [][]bool // of each set: is it available
}

func (f *fleet) count() {
	for i := range f.r.sets {
		s := setCount{replicas: f.r.sets[i].replicas, pods: len(f.pods[i])}
		for _, ok := range f.pods[i] {
			if ok {
				s.ready, s.available = s.ready+1, s.available+1
			}
		}
		f.r.sets[i] = s
	}
}

func (f *fleet) available() int {
	n := 0
	for _, s := range f.r.sets {
		n += s.available
	}
	return n
}

// follow does what scale says and tells whether that changed anything. Pods that are not available end first.
func (f *fleet) follow() bool {
	changed := false
	for i, n := range f.r.scale() {
		changed = changed || n != f.r.sets[i].replicas
		f.r.sets[i].replicas = n
		for len(f.pods[i]) < n {
			f.pods[i] = append(f.pods[i], false)
			changed = true
		}
		for len(f.pods[i]) > n {
			at := 0
			for j, ok := range f.pods[i] {
				if !ok {
					at = j
				}
			}
			f.pods[i] = append(f.pods[i][:at], f.pods[i][at+1:]...)
			changed = true
		}
	}
	f.count()
	return changed
}

func TestRolloutKeepsItsBoundsAndConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		desired := rapid.IntRange(0, 8).Draw(t, "desired")
		r := rollout{desired: desired, surge: rapid.IntRange(0, 4).Draw(t, "surge"), unavailable: rapid.IntRange(0, desired).Draw(t, "unavailable")}
		if r.surge == 0 && r.unavailable == 0 {
			r.surge = 1
		}
		f := fleet{r: r}
		for i := range rapid.IntRange(1, 4).Draw(t, "sets") {
			n := 0
			if i == 0 {
				n = desired
			}
			f.r.sets = append(f.r.sets, setCount{replicas: n})
			f.pods = append(f.pods, make([]bool, n))
			for j := range n {
				f.pods[i][j] = rapid.Bool().Draw(t, "old is available")
			}
		}
		f.r.current = len(f.r.sets) - 1
		f.count()
		steps := 0
		for f.step(t) {
			if steps++; steps > 300 {
				t.Fatalf("still not settled: %+v", f.r)
			}
		}
		for i, s := range f.r.sets {
			want := 0
			if i == f.r.current {
				want = desired
			}
			if s.replicas != want || s.pods != want {
				t.Fatalf("settled at %+v, want %d pods in set %d", f.r.sets, want, i)
			}
		}
		if f.follow() {
			t.Fatal("a settled rollout is scaled again")
		}
	})
}

// step does one reconcile and, when that changed nothing, lets a pod of the current set become available. It tells
// whether anything was left to do.
func (f *fleet) step(t *rapid.T) bool {
	before, least := f.available(), f.r.desired-f.r.unavailable
	moved := f.follow()
	if after := f.available(); after < min(before, least) {
		t.Fatalf("%d available pods became %d; at least %d must stay", before, after, least)
	}
	if total := f.total(); total > max(f.r.desired+f.r.surge, 0) {
		t.Fatalf("%d pods are over %d + %d", total, f.r.desired, f.r.surge)
	}
	for j, ok := range f.pods[f.r.current] {
		if !ok && (!moved || rapid.Bool().Draw(t, "comes up")) {
			f.pods[f.r.current][j], moved = true, true
			break
		}
	}
	f.count()
	return moved
}

func (f *fleet) total() int {
	n := 0
	for _, p := range f.pods {
		n += len(p)
	}
	return n
}

func TestRolloutSteps(t *testing.T) {
	t.Parallel()
	set := func(replicas, available int) setCount {
		return setCount{replicas: replicas, pods: replicas, ready: available, available: available}
	}
	for name, c := range map[string]struct {
		r    rollout
		want []int
	}{
		"first":                      {rollout{desired: 3, surge: 1, sets: []setCount{{}}}, []int{3}},
		"surge first":                {rollout{desired: 3, surge: 1, sets: []setCount{set(3, 3), {}}, current: 1}, []int{3, 1}},
		"new one is up":              {rollout{desired: 3, surge: 1, sets: []setCount{set(3, 3), set(1, 1)}, current: 1}, []int{2, 1}},
		"new one never comes up":     {rollout{desired: 3, surge: 1, sets: []setCount{set(3, 3), set(1, 0)}, current: 1}, []int{3, 1}},
		"broken old ones go at once": {rollout{desired: 2, surge: 1, unavailable: 1, sets: []setCount{set(2, 0), {}}, current: 1}, []int{1, 1}},
		"unavailable first":          {rollout{desired: 2, unavailable: 1, sets: []setCount{set(2, 2), {}}, current: 1}, []int{1, 0}},
		"back to an old version":     {rollout{desired: 2, surge: 1, sets: []setCount{set(2, 2), set(1, 0)}, current: 0}, []int{2, 0}},
		"scaled to nothing":          {rollout{desired: 0, surge: 1, sets: []setCount{set(1, 1), set(2, 2)}, current: 1}, []int{0, 0}},
		"recreate stops the old":     {rollout{desired: 2, recreate: true, sets: []setCount{set(2, 2), {}}, current: 1}, []int{0, 0}},
		"recreate waits for the end": {rollout{desired: 2, recreate: true, sets: []setCount{{terminating: 1}, {}}, current: 1}, []int{0, 0}},
		"recreate then starts":       {rollout{desired: 2, recreate: true, sets: []setCount{{}, {}}, current: 1}, []int{0, 2}},
		"paused scales one version":  {rollout{desired: 4, paused: true, sets: []setCount{set(2, 2)}, current: -1}, []int{4}},
		"paused in the middle":       {rollout{desired: 4, paused: true, sets: []setCount{set(2, 2), set(1, 1)}, current: 1}, []int{2, 1}},
	} {
		got := c.r.scale()
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("%s: scale = %v, want %v", name, got, c.want)
				break
			}
		}
	}
}

func TestBoundsOfAnUpdate(t *testing.T) {
	t.Parallel()
	text, whole := func(s string) *intstr.IntOrString { v := intstr.FromString(s); return &v }, func(n int) *intstr.IntOrString { v := intstr.FromInt(n); return &v }
	for _, c := range []struct {
		replicas                   int32
		update                     *appsv1.RollingUpdateDeployment
		wantSurge, wantUnavailable int
	}{
		{1, nil, 1, 0},
		{10, nil, 3, 2},
		{10, &appsv1.RollingUpdateDeployment{MaxSurge: text("50%"), MaxUnavailable: whole(0)}, 5, 0},
		{2, &appsv1.RollingUpdateDeployment{MaxSurge: whole(0), MaxUnavailable: text("10%")}, 0, 1},
		{2, &appsv1.RollingUpdateDeployment{MaxSurge: whole(1), MaxUnavailable: whole(9)}, 1, 2},
	} {
		d := &appsv1.Deployment{}
		d.Spec.Replicas, d.Spec.Strategy.RollingUpdate = &c.replicas, c.update
		if r := newRollout(d); r.surge != c.wantSurge || r.unavailable != c.wantUnavailable {
			t.Errorf("%d replicas, %v: surge %d, unavailable %d; want %d, %d", c.replicas, c.update, r.surge, r.unavailable, c.wantSurge, c.wantUnavailable)
		}
	}
}

func TestProgressDeadline(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	const deadline = 10 * time.Second
	p := progress{}.observe(counts{desired: 2, total: 2, updated: 0, available: 2, ready: 2}, true, deadline, at(0))
	p = p.observe(counts{desired: 2, total: 3, updated: 1, available: 2, ready: 2}, false, deadline, at(8))
	if p.failed || !p.due(deadline).Equal(at(18)) {
		t.Fatalf("a new pod is progress: %+v", p)
	}
	p = p.observe(counts{desired: 2, total: 3, updated: 1, available: 1, ready: 1}, false, deadline, at(12))
	p = p.observe(counts{desired: 2, total: 3, updated: 1, available: 2, ready: 2}, false, deadline, at(15))
	if !p.due(deadline).Equal(at(18)) {
		t.Fatalf("a pod that comes and goes counts as progress: %+v", p)
	}
	p = p.observe(counts{desired: 2, total: 3, updated: 1, available: 2, ready: 2}, false, deadline, at(18))
	if !p.failed || !p.due(deadline).IsZero() {
		t.Fatalf("the deadline has passed: %+v", p)
	}
	p = p.observe(counts{desired: 2, total: 2, updated: 2, available: 2, ready: 2}, false, deadline, at(20))
	if p.failed || !p.complete {
		t.Fatalf("it is complete after all: %+v", p)
	}
	p = p.observe(counts{desired: 2, total: 2, updated: 2, available: 1, ready: 1}, false, deadline, at(100))
	if p.failed {
		t.Fatalf("a pod lost after completion fails the update: %+v", p)
	}
	p = p.observe(counts{desired: 2, total: 2, updated: 0, available: 2, ready: 2}, true, deadline, at(101))
	if p.complete || !p.due(deadline).Equal(at(111)) {
		t.Fatalf("a new template starts anew: %+v", p)
	}
}
