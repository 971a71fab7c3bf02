package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// pod is one instance of a Deployment's program. Its goroutine (live) carries it out; what is below the line is
// guarded by Node.mu.
type pod struct {
	id       string // of its folder, and the beginning of its processes' ids
	key      cluster.Key
	uid      string
	owner    string
	set      *revision
	template *corev1.PodTemplateSpec
	dir      string
	created  time.Time
	gate     gate
	logs     map[string]*logFile // by container; filled before the goroutine starts
	asking   context.Context     // ends when the pod is to end
	endIt    context.CancelFunc  // ends asking
	tries    map[string]*tries   // by container; filled before the goroutine starts, and its own

	terminating bool
	ending      time.Time // since when it is terminating
	ready       bool
	readySince  time.Time
	why         string // why it is not ready
	main        containerState
	inits       []containerState
	images      map[string]bool // folders of the images in use
	ports       map[string]int  // named ports
	listening   map[int]string  // sockets by port, of the start that runs
}

// tries is how often a container was started, and how long is waited before the next time.
type tries struct {
	attempt int
	delay   time.Duration
}

// containerState is how one container is, in Kubernetes' words.
type containerState struct {
	name, image string
	phase       string // waiting, running, terminated
	reason      string
	message     string
	exitCode    int
	restarts    int
	started     time.Time
	finished    time.Time
	last        *containerState // how it ended the time before
}

// Phases of a container.
const (
	waiting    = "waiting"
	running    = "running"
	terminated = "terminated"
)

// startPodLocked makes a pod of a revision and starts its goroutine.
func (n *Node) startPodLocked(owner string, r *revision) {
	now := n.now()
	uid := ref.NewID("pod", now)
	p := &pod{
		id: n.podPrefix() + uid[4:], uid: uid, owner: owner, set: r, template: r.template, created: now,
		logs: map[string]*logFile{}, ports: map[string]int{}, listening: map[int]string{}, images: map[string]bool{}, tries: map[string]*tries{},
	}
	name := r.key().Name + "-" + suffix()
	p.key = cluster.Key{Kind: "Pod", Namespace: r.deployment.Namespace, Name: name}
	p.dir = filepath.Join(n.dir, "pods", p.id)
	spec := &r.template.Spec
	for i := range spec.InitContainers {
		p.inits = append(p.inits, containerState{name: spec.InitContainers[i].Name, image: spec.InitContainers[i].Image, phase: waiting, reason: "PodInitializing"})
		p.logs[spec.InitContainers[i].Name] = newLogFile(filepath.Join(p.dir, "logs", spec.InitContainers[i].Name), n.logBytes)
	}
	k := &spec.Containers[0]
	p.main = containerState{name: k.Name, image: k.Image, phase: waiting, reason: "ContainerCreating"}
	p.logs[k.Name] = newLogFile(filepath.Join(p.dir, "logs", k.Name), n.logBytes)
	for name := range p.logs {
		p.tries[name] = &tries{}
	}
	for _, port := range k.Ports {
		if port.Name != "" {
			p.ports[port.Name] = int(port.ContainerPort)
		}
	}
	p.asking, p.endIt = context.WithCancel(context.WithoutCancel(n.running))
	n.pods[p.key] = p
	n.events.add(owner, r.key(), false, "SuccessfulCreate", "made pod %s", name)
	n.work.Go(func() { n.live(p) })
}

// suffix gives five letters without vowels, as Kubernetes ends its names.
func suffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	raw := make([]byte, 5)
	rand.Read(raw)
	for i := range raw {
		raw[i] = letters[int(raw[i])%len(letters)]
	}
	return string(raw)
}

// terminateLocked asks a pod to end. It is out of its services when this returns and the routes were made anew.
func (n *Node) terminateLocked(p *pod) {
	if p.terminating {
		return
	}
	p.terminating, p.ready, p.ending = true, false, n.now()
	p.gate.set(false)
	n.events.add(p.owner, p.key, false, "Killing", "ending the pod")
	p.endIt()
}

// live carries out a pod until it was asked to end, and takes away what it leaves.
func (n *Node) live(p *pod) {
	defer n.bury(p)
	// A pod outlives Run's context, and its being asked to end, by its grace, but never the node.
	own, kill := context.WithCancel(n.life)
	defer kill()
	if err := os.MkdirAll(filepath.Join(p.dir, "logs"), 0o700); err != nil {
		n.update(p, func() { p.main.reason, p.main.message = "CreateContainerError", "make the pod's folder: "+err.Error() })
		<-p.asking.Done()
		return
	}
	for n.begin(own, p) == full {
		if err := p.empty(); err != nil {
			n.log.Warn("what an evicted pod has written can't be removed; it counts on", "pod", p.key, "error", err)
		}
	}
}

// begin starts the init containers one after the other, and then the container.
func (n *Node) begin(ctx context.Context, p *pod) end {
	spec := &p.template.Spec
	for i := range spec.InitContainers {
		if why := n.keepRunning(ctx, p, &spec.InitContainers[i], &p.inits[i], true); why != over {
			return why
		}
	}
	return n.keepRunning(ctx, p, &spec.Containers[0], &p.main, false)
}

// keepRunning starts a container again and again, waiting longer after each crash. It returns when an init container
// has succeeded (over), when the pod was asked to end, and when the pod is to begin anew without what it has written:
// its disk is full.
func (n *Node) keepRunning(ctx context.Context, p *pod, k *corev1.Container, state *containerState, once bool) end {
	t := p.tries[k.Name]
	for ; ; t.attempt++ {
		begun, applied := n.now(), n.nextApply()
		ended, err := n.runOnce(ctx, p, k, state, once, t.attempt)
		if p.asked() {
			return asked
		}
		if once && err == nil && ended.ExitCode == 0 {
			return over
		}
		if n.now().Sub(begun) > 60*n.crashDelay { // it ran well for long: this is not a loop
			t.delay = 0
		}
		if err == nil {
			applied = nil // a crash is not mended by another object
			n.crashed(p, state, t.delay)
		} else {
			n.refused(p, state, err)
			t.delay = max(t.delay, n.crashDelay/5)
		}
		switch pause(p, t.delay, applied) {
		case asked:
			return asked
		case woken:
			t.delay = 0
			continue
		}
		t.delay = min(max(n.crashDelay, t.delay*2), 30*n.crashDelay)
		if ended.Reason == execute.ReasonDisk {
			t.attempt++
			return full
		}
	}
}

// crashed notes that a container ended by itself and is started again after a delay.
func (n *Node) crashed(p *pod, state *containerState, delay time.Duration) {
	said := p.logs[state.name].lastLine()
	n.update(p, func() {
		last := *state
		last.last = nil
		state.last = &last
		message := fmt.Sprintf("%s (%s)", last.reason, last.message)
		if said != "" {
			message += "; it last wrote: " + said
		}
		state.restarts++
		state.phase, state.reason, state.message = waiting, "ContainerCreating", message
		if delay > 0 {
			state.reason = "CrashLoopBackOff"
			state.message = fmt.Sprintf("started again in %s; before: %s", delay, message)
		}
		p.why = "container " + state.name + " ended: " + message
		n.events.add(p.owner, p.key, true, "BackOff", "container %s ended: %s", state.name, message)
	})
}

// startFault is why a container could not be started, in the word that Kubernetes has for it.
type startFault struct {
	reason string
	err    error
}

func (e *startFault) Error() string { return e.err.Error() }
func (e *startFault) Unwrap() error { return e.err }

// refused notes that a container could not be started.
func (n *Node) refused(p *pod, state *containerState, err error) {
	reason := "RunContainerError"
	if f := (*startFault)(nil); errors.As(err, &f) {
		reason = f.reason
	}
	message := fault.Message(err)
	if fault.Is(err, fault.Internal) { // the owner of the manifest can't mend it, but should know where it stands
		message = err.Error()
		n.log.Error("a container can't be started", "pod", p.key, "container", state.name, "error", err)
	}
	n.update(p, func() {
		state.phase, state.reason, state.message = waiting, reason, message
		p.why = reason + ": " + message
		n.events.add(p.owner, p.key, true, reason, "container %s: %s", state.name, message)
	})
}

// bury takes away a pod that has ended.
func (n *Node) bury(p *pod) {
	for _, l := range p.logs {
		l.close()
	}
	if err := os.RemoveAll(p.dir); err != nil {
		n.log.Warn("a pod's folder can't be removed; the next start of the node does it", "pod", p.key, "error", err)
	}
	n.mu.Lock()
	delete(n.pods, p.key)
	n.forgetLocked(p.owner)
	owners := n.ownersLocked(p)
	n.mu.Unlock()
	n.poke()
	n.watchers.notify(owners...)
}

// update changes what is known of a pod and wakes who looks at it.
func (n *Node) update(p *pod, change func()) {
	n.mu.Lock()
	change()
	owners := n.ownersLocked(p)
	n.mu.Unlock()
	n.poke()
	n.watchers.notify(owners...)
}

// setReady lets requests into a pod or keeps them out.
func (n *Node) setReady(p *pod, ready bool, why string) {
	n.mu.Lock()
	if p.terminating {
		ready = false
	}
	changed := p.ready != ready || p.why != why
	if ready && !p.ready {
		p.readySince = n.now()
	}
	p.ready, p.why = ready, why
	p.gate.set(ready)
	if changed {
		n.rerouteLocked()
	}
	owners := n.ownersLocked(p)
	n.mu.Unlock()
	if changed {
		n.poke()
		n.watchers.notify(owners...)
	}
}

// availableAt gives when a ready pod counts as available.
func (p *pod) availableAt(minReady time.Duration) time.Time { return p.readySince.Add(minReady) }

func (p *pod) asked() bool { return p.asking.Err() != nil }

// end is why a pause, or the keeping of a container, ended.
type end int

const (
	over  end = iota // the time, or the container's work
	asked            // the pod is to end
	woken            // objects were applied
	full             // the disk
)

// pause waits before a container is started again. applied may be nil.
func pause(p *pod, d time.Duration, applied <-chan struct{}) end {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return over
	case <-applied:
		return woken
	case <-p.asking.Done():
		return asked
	}
}

// nextApply gives a channel that is closed when objects are applied or deleted.
func (n *Node) nextApply() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.applied
}

// ownersLocked gives who is to be woken for a pod: its owner, and that of a Deployment which was adopted since.
func (n *Node) ownersLocked(p *pod) []string {
	if o := n.objects[p.set.deployment]; o != nil && o.owner != p.owner {
		return []string{p.owner, o.owner}
	}
	return []string{p.owner}
}
