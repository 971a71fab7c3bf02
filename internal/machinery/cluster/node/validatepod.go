package node

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

func (c *checker) pod(at string, p *corev1.PodSpec) {
	switch {
	case len(p.Containers) == 0:
		c.fault(at+".containers", "", "is missing")
	case len(p.Containers) > 1:
		c.fault(at+".containers", "make a Deployment of each", "holds %d; the node runs one container in a pod", len(p.Containers))
	}
	if !c.atMost(at+".initContainers", len(p.InitContainers), maxContainers) || !c.atMost(at+".volumes", len(p.Volumes), maxVolumes) {
		return
	}
	if s := p.TerminationGracePeriodSeconds; s != nil && (*s < 0 || *s > 3600) {
		c.fault(at+".terminationGracePeriodSeconds", "", "is %d; the node waits 0 to 3600 seconds", *s)
	}
	volumes := c.volumes(at+".volumes", p.Volumes)
	names := map[string]bool{}
	for i := range p.InitContainers {
		c.container(fmt.Sprintf("%s.initContainers[%d]", at, i), &p.InitContainers[i], names, volumes)
	}
	for i := range p.Containers {
		c.container(fmt.Sprintf("%s.containers[%d]", at, i), &p.Containers[i], names, volumes)
	}
}

func (c *checker) volumes(at string, all []corev1.Volume) map[string]bool {
	names := map[string]bool{}
	for i, v := range all {
		here := fmt.Sprintf("%s[%d]", at, i)
		c.legal(here+".name", v.Name, validation.IsDNS1123Label(v.Name))
		if names[v.Name] {
			c.fault(here+".name", "", "repeats %q", v.Name)
		}
		names[v.Name] = true
		var items []corev1.KeyToPath
		kind := "configMap"
		switch {
		case v.ConfigMap != nil:
			items = v.ConfigMap.Items
			if v.ConfigMap.Name == "" {
				c.fault(here+".configMap.name", "", "is missing")
			}
		case v.Secret != nil:
			items, kind = v.Secret.Items, "secret"
			if v.Secret.SecretName == "" {
				c.fault(here+".secret.secretName", "", "is missing")
			}
		case v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil && v.EmptyDir.SizeLimit.Sign() < 0:
			c.fault(here+".emptyDir.sizeLimit", "write such as 1Gi; M and Mi are megabytes, m are thousandths", "is %s", v.EmptyDir.SizeLimit)
		}
		for j, item := range items {
			if item.Key == "" || !localPath(item.Path) {
				c.fault(fmt.Sprintf("%s.%s.items[%d]", here, kind, j), "write a key, and a relative path without ..", "has key %q and path %q", item.Key, item.Path)
			}
		}
	}
	return names
}

// localPath tells whether p is a clean relative path that stays where it is.
func localPath(p string) bool {
	return p != "" && !path.IsAbs(p) && path.Clean(p) == p && p != "." && p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsRune(p, 0)
}

func (c *checker) container(at string, k *corev1.Container, names, volumes map[string]bool) {
	c.legal(at+".name", k.Name, validation.IsDNS1123Label(k.Name))
	if names[k.Name] {
		c.fault(at+".name", "", "repeats %q", k.Name)
	}
	names[k.Name] = true
	if k.Image == "" || k.Image != strings.TrimSpace(k.Image) || len(k.Image) > 1024 {
		c.fault(at+".image", "write the image's reference", "is %q", k.Image)
	}
	switch k.ImagePullPolicy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		c.fault(at+".imagePullPolicy", "write IfNotPresent", "is %q", k.ImagePullPolicy)
	}
	if k.WorkingDir != "" && (!path.IsAbs(k.WorkingDir) || path.Clean(k.WorkingDir) != k.WorkingDir) {
		c.fault(at+".workingDir", "write a clean absolute path", "is %q", k.WorkingDir)
	}
	if c.atMost(at+".ports", len(k.Ports), maxPorts) {
		c.ports(at+".ports", k.Ports)
	}
	if c.atMost(at+".env", len(k.Env), maxEnv) && c.atMost(at+".envFrom", len(k.EnvFrom), maxVolumes) {
		c.env(at, k)
	}
	c.limits(at+".resources.limits", k.Resources.Limits)
	c.mounts(at+".volumeMounts", k.VolumeMounts, volumes)
	c.probe(at+".startupProbe", k.StartupProbe, k, true)
	c.probe(at+".readinessProbe", k.ReadinessProbe, k, false)
	c.probe(at+".livenessProbe", k.LivenessProbe, k, true)
}

func (c *checker) ports(at string, all []corev1.ContainerPort) {
	names, numbers := map[string]bool{}, map[int32]bool{}
	for i, p := range all {
		here := fmt.Sprintf("%s[%d]", at, i)
		c.port(here+".containerPort", int(p.ContainerPort))
		c.protocol(here+".protocol", p.Protocol)
		if p.ContainerPort == doorPort {
			c.fault(here+".containerPort", "choose another port", "is the port at which pods reach services")
		}
		if p.Name != "" {
			c.legal(here+".name", p.Name, validation.IsValidPortName(p.Name))
		}
		if (p.Name != "" && names[p.Name]) || numbers[p.ContainerPort] {
			c.fault(here, "", "repeats the name or number of another port")
		}
		names[p.Name], numbers[p.ContainerPort] = true, true
	}
}

func (c *checker) env(at string, k *corev1.Container) {
	for i, e := range k.Env {
		here := fmt.Sprintf("%s.env[%d]", at, i)
		c.legal(here+".name", e.Name, validation.IsRelaxedEnvVarName(e.Name))
		if e.ValueFrom == nil {
			continue
		}
		if e.Value != "" {
			c.fault(here, "write one of value and valueFrom", "has two values")
		}
		switch from := e.ValueFrom; {
		case from.ConfigMapKeyRef != nil && (from.ConfigMapKeyRef.Name == "" || from.ConfigMapKeyRef.Key == ""):
			c.fault(here+".valueFrom.configMapKeyRef", "write name and key", "is incomplete")
		case from.SecretKeyRef != nil && (from.SecretKeyRef.Name == "" || from.SecretKeyRef.Key == ""):
			c.fault(here+".valueFrom.secretKeyRef", "write name and key", "is incomplete")
		case from.FieldRef != nil:
			if _, ok := podField(podFacts{}, from.FieldRef.FieldPath); !ok {
				c.fault(here+".valueFrom.fieldRef.fieldPath", "write metadata.name, metadata.namespace, metadata.uid, metadata.labels['KEY'], metadata.annotations['KEY'], spec.nodeName, status.podIP or status.hostIP", "is %q", from.FieldRef.FieldPath)
			}
		case from.ConfigMapKeyRef == nil && from.SecretKeyRef == nil && from.ResourceFieldRef == nil && from.FileKeyRef == nil:
			c.fault(here+".valueFrom", "write configMapKeyRef, secretKeyRef or fieldRef", "names no source")
		}
	}
	for i, f := range k.EnvFrom {
		here := fmt.Sprintf("%s.envFrom[%d]", at, i)
		if (f.ConfigMapRef == nil) == (f.SecretRef == nil) || (f.ConfigMapRef != nil && f.ConfigMapRef.Name == "") || (f.SecretRef != nil && f.SecretRef.Name == "") {
			c.fault(here, "write the name of one configMapRef or secretRef", "names no source, or two")
		}
	}
}

func (c *checker) limits(at string, limits corev1.ResourceList) {
	for name, quantity := range limits {
		switch {
		case name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage:
			c.fault(at+"."+string(name), "write cpu, memory or ephemeral-storage", "is not something that the node measures out")
		case quantity.Sign() <= 0:
			c.fault(at+"."+string(name), "", "is %s; a limit is more than 0", quantity.String())
		case name == corev1.ResourceMemory && quantity.Value() < 4<<20:
			c.fault(at+".memory", "write at least 4Mi; M and Mi are megabytes, m are thousandths", "is %s, with which nothing starts", quantity.String())
		}
		most := map[corev1.ResourceName]int64{corev1.ResourceMemory: c.bounds.most.Memory, corev1.ResourceEphemeralStorage: c.bounds.most.Disk}[name]
		if most > 0 && quantity.Value() > most {
			c.fault(at+"."+string(name), "", "is %s; a pod gets at most %s here", quantity.String(), resource.NewQuantity(most, resource.BinarySI))
		}
	}
}

func (c *checker) mounts(at string, all []corev1.VolumeMount, volumes map[string]bool) {
	targets := map[string]bool{}
	for i, m := range all {
		here := fmt.Sprintf("%s[%d]", at, i)
		if !volumes[m.Name] {
			c.fault(here+".name", "name one of spec.template.spec.volumes", "is %q, which is no volume of the pod", m.Name)
		}
		if targets[m.MountPath] {
			c.fault(here+".mountPath", "", "repeats %q", m.MountPath)
		}
		targets[m.MountPath] = true
		probe := execute.Spec{ID: "x", Argv: []string{"x"}, Mounts: []execute.Mount{{Source: "x", Target: m.MountPath}}}
		if err := probe.Check(); err != nil {
			c.fault(here+".mountPath", "write a clean absolute path outside the system's folders, such as /config", "is %q, where nothing can be mounted", m.MountPath)
		}
		if m.SubPath != "" && !localPath(m.SubPath) {
			c.fault(here+".subPath", "write a relative path without ..", "is %q", m.SubPath)
		}
	}
}

func (c *checker) probe(at string, p *corev1.Probe, k *corev1.Container, once bool) {
	if p == nil {
		return
	}
	for name, n := range map[string]int32{"initialDelaySeconds": p.InitialDelaySeconds, "timeoutSeconds": p.TimeoutSeconds, "periodSeconds": p.PeriodSeconds, "successThreshold": p.SuccessThreshold, "failureThreshold": p.FailureThreshold} {
		if n < 0 || n > 86400 {
			c.fault(at+"."+name, "", "is %d", n)
		}
	}
	if once && p.SuccessThreshold > 1 {
		c.fault(at+".successThreshold", "write 1", "is %d; only a readiness probe may need several successes", p.SuccessThreshold)
	}
	var port intstr.IntOrString
	switch {
	case p.HTTPGet != nil && p.TCPSocket == nil:
		port = p.HTTPGet.Port
		if s := p.HTTPGet.Scheme; s != "" && s != corev1.URISchemeHTTP && s != corev1.URISchemeHTTPS {
			c.fault(at+".httpGet.scheme", "write HTTP or HTTPS", "is %q", s)
		}
		for i, h := range p.HTTPGet.HTTPHeaders {
			c.legal(fmt.Sprintf("%s.httpGet.httpHeaders[%d].name", at, i), h.Name, validation.IsHTTPHeaderName(h.Name))
			if strings.ContainsAny(h.Value, "\r\n\x00") {
				c.fault(fmt.Sprintf("%s.httpGet.httpHeaders[%d].value", at, i), "", "holds a line break")
			}
		}
	case p.TCPSocket != nil && p.HTTPGet == nil:
		port = p.TCPSocket.Port
	case p.Exec != nil || p.GRPC != nil: // refused by name already
		return
	default:
		c.fault(at, "write one of httpGet and tcpSocket", "tries nothing, or two things")
		return
	}
	if number, ok := portNumber(k.Ports, port); !ok {
		c.fault(at+".port", "write a number, or the name of one of the container's ports", "is %q", port.String())
	} else {
		c.port(at+".port", number)
	}
}

// portNumber finds the number of a port that is given by number or name.
func portNumber(ports []corev1.ContainerPort, p intstr.IntOrString) (int, bool) {
	if p.Type == intstr.Int {
		return int(p.IntVal), true
	}
	for _, known := range ports {
		if known.Name == p.StrVal {
			return int(known.ContainerPort), true
		}
	}
	return 0, false
}
