package node

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// runOnce starts a container and waits for its end. An error says that it could not be started.
func (n *Node) runOnce(ctx context.Context, p *pod, k *corev1.Container, state *containerState, once bool, attempt int) (execute.Result, error) {
	img, err := n.images.get(p.asking, k.Image, k.ImagePullPolicy)
	if err != nil {
		reason := "ErrImagePull"
		if attempt > 0 {
			reason = "ImagePullBackOff"
		}
		return execute.Result{}, &startFault{reason, err}
	}
	spec, sockets, err := n.spec(p, k, img, once, attempt)
	if err != nil {
		return execute.Result{}, &startFault{"CreateContainerConfigError", err}
	}
	if p.asked() {
		return execute.Result{}, nil
	}
	process, err := n.exec.Start(ctx, spec, podLog{n, p, p.logs[k.Name]})
	if err != nil {
		return execute.Result{}, &startFault{"RunContainerError", err}
	}
	n.update(p, func() {
		state.phase, state.reason, state.message, state.started = running, "", "", n.now()
		p.images[img.root] = true
		if !once {
			p.listening = sockets
			p.why = "has just started"
		}
	})
	n.events.add(p.owner, p.key, false, "Started", "started container %s", k.Name)
	return n.supervise(ctx, p, k, state, once, process, sockets)
}

// supervise probes a running container and ends it when it must: because the pod is to end, or it is not alive.
func (n *Node) supervise(ctx context.Context, p *pod, k *corev1.Container, state *containerState, once bool, process execute.Process, sockets map[int]string) (execute.Result, error) {
	grace := graceOf(&p.template.Spec)
	ended := make(chan struct{})
	var result execute.Result
	var failed error
	var group sync.WaitGroup
	group.Go(func() {
		defer close(ended)
		result, failed = process.Wait(context.WithoutCancel(ctx)) // when ctx ends, it is killed
	})
	probing, stopProbing := context.WithCancel(ctx)
	dead := make(chan string, 1)
	if !once {
		group.Go(func() {
			if why := n.probe(probing, p, k, sockets); why != "" {
				dead <- why
			}
		})
	}
	killed := ""
	select {
	case <-ended:
	case <-p.asking.Done():
		stopProbing()
		n.drain(ctx, p, &grace)
		process.Stop(grace)
	case killed = <-dead:
		n.setReady(p, false, killed)
		n.events.add(p.owner, p.key, true, "Unhealthy", "container %s is ended: %s", k.Name, killed)
		process.Stop(grace)
	}
	<-ended
	stopProbing()
	group.Wait()
	if !once {
		n.setReady(p, false, "the container has ended")
	}
	n.update(p, func() {
		state.phase, state.finished, state.exitCode = terminated, n.now(), result.ExitCode
		state.reason, state.message = verdictOf(result, failed, killed)
		if state.reason == evicted {
			state.message = n.tooFull(p, k, result.Full)
			n.events.add(p.owner, p.key, true, evicted, "container %s is ended: %s", k.Name, state.message)
		}
	})
	if failed != nil {
		n.log.Warn("a container's output could not be kept", "pod", p.key, "container", k.Name, "error", failed)
	}
	return result, nil
}

// verdictOf tells why a container ended.
func verdictOf(r execute.Result, failed error, killed string) (reason, message string) {
	switch {
	case failed != nil:
		return "ContainerStatusUnknown", failed.Error()
	case killed != "":
		return "Unhealthy", killed
	case r.Reason == execute.ReasonMemory:
		return "OOMKilled", "it used more memory than its limit"
	case r.Reason == execute.ReasonDisk:
		return evicted, ""
	case r.Signal != "":
		return "Error", "signal " + r.Signal
	case r.ExitCode == 0:
		return "Completed", "exit code 0"
	}
	return "Error", fmt.Sprintf("exit code %d", r.ExitCode)
}

// evicted is why a container ended that filled its disk.
const evicted = "Evicted"

// tooFull tells what held too much: a volume by the path of its folder, or all that a pod may write to.
func (n *Node) tooFull(p *pod, k *corev1.Container, folder string) string {
	for _, v := range p.template.Spec.Volumes {
		if folder == p.volume(v.Name) {
			return fmt.Sprintf("volume %s held more than its sizeLimit, %s", v.Name, v.EmptyDir.SizeLimit)
		}
	}
	return fmt.Sprintf("it held more than its limit of ephemeral-storage, %s", resource.NewQuantity(n.limitsOf(k).Disk, resource.BinarySI))
}

// graceOf is how long a pod gets to end.
func graceOf(s *corev1.PodSpec) time.Duration {
	if s.TerminationGracePeriodSeconds == nil {
		return 30 * time.Second
	}
	return time.Duration(*s.TerminationGracePeriodSeconds) * time.Second
}

// drain waits for the requests in a pod, for half of its grace at most, and takes the time off the grace. When the
// whole node stops, the grace is the node's.
func (n *Node) drain(ctx context.Context, p *pod, grace *time.Duration) {
	n.mu.Lock()
	stopping := n.running.Err() != nil
	n.mu.Unlock()
	if stopping {
		*grace = min(*grace, n.shutdown)
	}
	begun := n.now()
	waiting, cancel := context.WithTimeout(ctx, *grace/2)
	defer cancel()
	if !p.gate.drained(waiting) {
		n.events.add(p.owner, p.key, true, "DrainTimeout", "%d requests were still running when the pod was ended", p.gate.load())
	}
	*grace = max(*grace-n.now().Sub(begun), *grace/2)
}

// spec gives what execute is to start, and the sockets of its ports.
func (n *Node) spec(p *pod, k *corev1.Container, img image, once bool, attempt int) (execute.Spec, map[int]string, error) {
	from := n.values(p.key.Namespace)
	facts := podFacts{name: p.key.Name, namespace: p.key.Namespace, uid: p.uid, node: n.name, labels: p.template.Labels, annotations: p.template.Annotations}
	env, err := environment(k, img.config, facts, from)
	if err != nil {
		return execute.Spec{}, nil, err
	}
	argv, err := img.command(k, env)
	if err != nil {
		return execute.Spec{}, nil, err
	}
	mounts, hidden, err := img.mounts()
	if err != nil {
		return execute.Spec{}, nil, err
	}
	if len(hidden) > 0 {
		n.events.add(p.owner, p.key, true, "ImageFoldersHidden", "%s of image %s are shown below %s only; the system's own stay in their place", strings.Join(hidden, ", "), k.Image, imageMount)
	}
	if err := p.fillVolumes(from); err != nil {
		return execute.Spec{}, nil, err
	}
	volumes, err := p.volumeMounts(k)
	if err != nil {
		return execute.Spec{}, nil, err
	}
	mounts = slices.DeleteFunc(mounts, func(m execute.Mount) bool { // a volume takes the place of what the image has there
		return slices.ContainsFunc(volumes, func(v execute.Mount) bool { return v.Target == m.Target })
	})
	workspace := filepath.Join(p.dir, "work", k.Name)
	if err := os.MkdirAll(workspace, 0o777); err != nil {
		return execute.Spec{}, nil, err
	}
	door, err := n.doors.open(n, p.key.Namespace)
	if err != nil {
		return execute.Spec{}, nil, err
	}
	s := execute.Spec{
		ID: fmt.Sprintf("%s-%d", p.id, attempt%1000), Argv: argv, Env: env, Dir: img.dir(k, volumes), Workspace: workspace, Mounts: append(mounts, volumes...),
		Dial: []execute.Forward{{Socket: door, Port: doorPort}}, Limits: n.limitsOf(k), Owns: p.scratch(),
	}
	if once {
		s.ID = fmt.Sprintf("%s-i%d-%d", p.id, slices.IndexFunc(p.inits, func(c containerState) bool { return c.name == k.Name }), attempt%1000)
		return s, nil, nil
	}
	sockets := map[int]string{}
	for _, port := range n.portsOf(p, k, img) {
		sockets[port] = filepath.Join(n.sockets, fmt.Sprintf("%s-%d", p.uid[len(p.uid)-12:], port))
		s.Listen = append(s.Listen, execute.Forward{Socket: sockets[port], Port: port})
	}
	return s, sockets, nil
}

// dir gives where the program starts: the container's folder, the image's, or /. One that is neither in the image nor
// in a volume becomes the workspace.
func (i image) dir(k *corev1.Container, volumes []execute.Mount) string {
	dir := path.Clean(cmp.Or(k.WorkingDir, i.config.WorkingDir, "/"))
	if dir == "/" {
		return dir
	}
	for _, v := range volumes {
		if dir == v.Target || strings.HasPrefix(dir, v.Target+"/") {
			return dir
		}
	}
	root, err := os.OpenRoot(i.root)
	if err != nil {
		return execute.WorkDir
	}
	defer root.Close()
	if info, err := root.Stat(strings.TrimPrefix(dir, "/")); err != nil || !info.IsDir() {
		return execute.WorkDir
	}
	return i.inside(dir)
}

// portsOf gives the ports of a container that are to be reached: its own, the image's, those of its probes and of
// the services that point at it by number.
func (n *Node) portsOf(p *pod, k *corev1.Container, img image) []int {
	ports := map[int]bool{}
	for _, port := range k.Ports {
		ports[int(port.ContainerPort)] = true
	}
	for _, port := range img.config.Ports {
		ports[port] = true
	}
	for _, probe := range []*corev1.Probe{k.StartupProbe, k.ReadinessProbe, k.LivenessProbe} {
		if port, ok := portNumber(k.Ports, probePort(probe)); ok {
			ports[port] = true
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, o := range n.objects {
		s, ok := o.typed.(*corev1.Service)
		if !ok || !selects(s, p) {
			continue
		}
		for _, port := range s.Spec.Ports {
			if number, ok := portNumber(k.Ports, targetOf(port)); ok {
				ports[number] = true
			}
		}
	}
	delete(ports, 0)
	delete(ports, doorPort)
	return slices.Sorted(maps.Keys(ports))
}

// targetOf gives the port of the pods behind a service's port; not given, it is the same.
func targetOf(p corev1.ServicePort) intstr.IntOrString {
	if p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal == 0 {
		return intstr.FromInt32(p.Port)
	}
	return p.TargetPort
}

// limitsOf gives a container's limits; those that it does not set are the node's own.
func (n *Node) limitsOf(k *corev1.Container) execute.Limits {
	limits := execute.Limits{Memory: n.limits.Memory, CPU: n.limits.CPU, Processes: n.limits.Processes, Disk: n.limits.Disk}
	if q, ok := k.Resources.Limits[corev1.ResourceMemory]; ok {
		limits.Memory = q.Value()
	}
	if q, ok := k.Resources.Limits[corev1.ResourceCPU]; ok {
		limits.CPU = int(q.MilliValue())
	}
	if q, ok := k.Resources.Limits[corev1.ResourceEphemeralStorage]; ok {
		limits.Disk = q.Value()
	}
	return limits
}
