package node

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of one manifest.
const (
	maxContainers = 8   // init containers
	maxPorts      = 16  // of a container, of a service
	maxEnv        = 500 // of a container
	maxVolumes    = 32  // of a pod
	maxRules      = 64  // of an Ingress, and paths of a rule
)

// checker collects what is wrong with one object.
type checker struct {
	object  cluster.Object
	bounds  bounds
	details []fault.Detail
}

func (c *checker) fault(field, hint, format string, args ...any) {
	c.details = append(c.details, c.object.Fault(field, fmt.Sprintf(format, args...), hint))
}

// legal adds a fault for each message of one of Kubernetes' own name checks.
func (c *checker) legal(field, value string, messages []string) {
	if len(messages) > 0 {
		c.fault(field, "", "%q: %s", value, messages[0])
	}
}

func (c *checker) atMost(field string, n, limit int) bool {
	if n > limit {
		c.fault(field, "", "holds %d; the node takes at most %d", n, limit)
	}
	return n <= limit
}

// check gives what is wrong with a decoded object beyond its types.
func check(m manifest, b bounds) []fault.Detail {
	c := &checker{object: m.object, bounds: b}
	c.metadata(m)
	switch o := m.typed.(type) {
	case *appsv1.Deployment:
		c.deployment(o)
	case *corev1.Service:
		c.service(o)
	case *networkingv1.Ingress:
		c.ingress(o)
	case *corev1.ConfigMap:
		for key := range o.Data {
			c.legal("data", key, validation.IsConfigMapKey(key))
		}
		for key := range o.BinaryData {
			c.legal("binaryData", key, validation.IsConfigMapKey(key))
		}
	case *corev1.Secret:
		for key := range o.Data {
			c.legal("data", key, validation.IsConfigMapKey(key))
		}
		for key := range o.StringData {
			c.legal("stringData", key, validation.IsConfigMapKey(key))
		}
	}
	return c.details
}

func (c *checker) metadata(m manifest) {
	key := m.key
	if key.Name == "" {
		c.fault("metadata.name", "give the object a name", "is missing")
		return
	}
	switch key.Kind {
	case "Namespace":
		c.legal("metadata.name", key.Name, validation.IsDNS1123Label(key.Name))
		if key.Namespace != "" {
			c.fault("metadata.namespace", "remove it", "a Namespace is in no namespace")
		}
	case "Service":
		c.legal("metadata.name", key.Name, validation.IsDNS1035Label(key.Name))
	case "Deployment": // pods add a hash and a suffix of their own
		c.legal("metadata.name", key.Name, validation.IsDNS1123Subdomain(key.Name))
		if len(key.Name) > 200 {
			c.fault("metadata.name", "shorten it", "is longer than 200 letters")
		}
	default:
		c.legal("metadata.name", key.Name, validation.IsDNS1123Subdomain(key.Name))
	}
	if key.Namespace != "" {
		c.legal("metadata.namespace", key.Namespace, validation.IsDNS1123Label(key.Namespace))
	}
	c.labels("metadata.labels", m.object.Labels())
	for name := range m.object.Annotations() {
		c.legal("metadata.annotations", name, validation.IsQualifiedName(strings.ToLower(name)))
	}
}

func (c *checker) labels(field string, all map[string]string) {
	for name, value := range all {
		c.legal(field, name, validation.IsQualifiedName(name))
		c.legal(field+"["+name+"]", value, validation.IsValidLabelValue(value))
	}
}

func (c *checker) deployment(d *appsv1.Deployment) {
	if d.Spec.Selector == nil {
		c.fault("spec.selector", "write the labels of the template as matchLabels", "is missing")
	} else if selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector); err != nil {
		c.fault("spec.selector", "", "%v", err)
	} else if selector.Empty() {
		c.fault("spec.selector", "write the labels of the template as matchLabels", "matches every pod")
	} else if !selector.Matches(labels.Set(d.Spec.Template.Labels)) {
		c.fault("spec.template.metadata.labels", "give the template the labels that spec.selector asks for", "does not match spec.selector (%s)", selector)
	}
	c.labels("spec.template.metadata.labels", d.Spec.Template.Labels)
	if n := d.Spec.Replicas; n != nil && (*n < 0 || int(*n) > c.bounds.replicas) {
		c.fault("spec.replicas", "", "is %d; the node runs 0 to %d pods of one Deployment", *n, c.bounds.replicas)
	}
	if d.Spec.MinReadySeconds < 0 {
		c.fault("spec.minReadySeconds", "", "is negative")
	}
	if n := d.Spec.RevisionHistoryLimit; n != nil && (*n < 0 || *n > 100) {
		c.fault("spec.revisionHistoryLimit", "", "is %d; the node keeps 0 to 100", *n)
	}
	if p := d.Spec.ProgressDeadlineSeconds; p != nil && *p <= d.Spec.MinReadySeconds {
		c.fault("spec.progressDeadlineSeconds", "make it longer", "is not longer than minReadySeconds")
	}
	c.strategy(d.Spec.Strategy)
	if restart := d.Spec.Template.Spec.RestartPolicy; restart != "" && restart != corev1.RestartPolicyAlways {
		c.fault("spec.template.spec.restartPolicy", "write Always", "is %s; the pods of a Deployment are always restarted", restart)
	}
	c.pod("spec.template.spec", &d.Spec.Template.Spec)
}

func (c *checker) strategy(s appsv1.DeploymentStrategy) {
	switch s.Type {
	case "", appsv1.RollingUpdateDeploymentStrategyType:
		if s.RollingUpdate == nil {
			return
		}
		surge, ok1 := c.share("spec.strategy.rollingUpdate.maxSurge", s.RollingUpdate.MaxSurge)
		unavailable, ok2 := c.share("spec.strategy.rollingUpdate.maxUnavailable", s.RollingUpdate.MaxUnavailable)
		if ok1 && ok2 && surge == 0 && unavailable == 0 {
			c.fault("spec.strategy.rollingUpdate", "let one of them be at least 1", "maxSurge and maxUnavailable are both 0, so no update could happen")
		}
	case appsv1.RecreateDeploymentStrategyType:
		if s.RollingUpdate != nil {
			c.fault("spec.strategy.rollingUpdate", "remove it", "has no meaning for the strategy Recreate")
		}
	default:
		c.fault("spec.strategy.type", "write RollingUpdate or Recreate", "is %q", s.Type)
	}
}

// share reads a count or percentage, of 100 pods.
func (c *checker) share(field string, v *intstr.IntOrString) (int, bool) {
	if v == nil {
		return 25, true
	}
	if v.Type == intstr.String {
		c.legal(field, v.StrVal, validation.IsValidPercent(v.StrVal))
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, 100, true)
	if err != nil || n < 0 || (v.Type == intstr.String && n > 100) {
		c.fault(field, `write a count such as 1 or a percentage such as "25%"`, "is %q", v.String())
		return 0, false
	}
	return n, true
}

func (c *checker) service(s *corev1.Service) {
	switch s.Spec.Type {
	case "", corev1.ServiceTypeClusterIP:
	case corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
	default:
		c.fault("spec.type", "write ClusterIP", "is %s, which the node does not do", s.Spec.Type)
	}
	if len(s.Spec.Selector) == 0 {
		c.fault("spec.selector", "write the labels of the pods", "is missing; the node has no other endpoints")
	}
	c.labels("spec.selector", s.Spec.Selector)
	if len(s.Spec.Ports) == 0 {
		c.fault("spec.ports", "", "is missing")
	}
	if !c.atMost("spec.ports", len(s.Spec.Ports), maxPorts) {
		return
	}
	names, numbers := map[string]bool{}, map[int32]bool{}
	for i, p := range s.Spec.Ports {
		at := fmt.Sprintf("spec.ports[%d]", i)
		c.port(at+".port", int(p.Port))
		c.protocol(at+".protocol", p.Protocol)
		switch {
		case p.Name == "" && len(s.Spec.Ports) > 1:
			c.fault(at+".name", "name each port", "is missing; a service with several ports names them")
		case p.Name != "":
			c.legal(at+".name", p.Name, validation.IsDNS1123Label(p.Name))
		}
		if names[p.Name] || numbers[p.Port] {
			c.fault(at, "", "repeats the name or number of another port")
		}
		names[p.Name], numbers[p.Port] = true, true
		c.target(at+".targetPort", p.TargetPort)
	}
}

func (c *checker) target(field string, p intstr.IntOrString) {
	if p.Type == intstr.String {
		c.legal(field, p.StrVal, validation.IsValidPortName(p.StrVal))
	} else if p.IntVal != 0 {
		c.port(field, int(p.IntVal))
	}
}

func (c *checker) port(field string, n int) {
	if n < 1 || n > 65535 {
		c.fault(field, "", "is %d; a port is from 1 to 65535", n)
	}
}

func (c *checker) protocol(field string, p corev1.Protocol) {
	if p != "" && p != corev1.ProtocolTCP {
		c.fault(field, "write TCP", "is %s; the node carries TCP", p)
	}
}

func (c *checker) ingress(in *networkingv1.Ingress) {
	if len(in.Spec.Rules) == 0 {
		c.fault("spec.rules", "", "is missing")
	}
	if !c.atMost("spec.rules", len(in.Spec.Rules), maxRules) {
		return
	}
	for i, r := range in.Spec.Rules {
		at := fmt.Sprintf("spec.rules[%d]", i)
		switch {
		case r.Host == "":
			c.fault(at+".host", "write a host name, such as shop.localhost", "is missing; the node finds an Ingress by host name alone")
		case strings.HasPrefix(r.Host, "*."):
			c.legal(at+".host", r.Host, validation.IsWildcardDNS1123Subdomain(r.Host))
		default:
			c.legal(at+".host", r.Host, validation.IsDNS1123Subdomain(r.Host))
		}
		if r.HTTP == nil || len(r.HTTP.Paths) == 0 {
			c.fault(at+".http.paths", "", "is missing")
			continue
		}
		if !c.atMost(at+".http.paths", len(r.HTTP.Paths), maxRules) {
			continue
		}
		for j, p := range r.HTTP.Paths {
			c.ingressPath(fmt.Sprintf("%s.http.paths[%d]", at, j), p)
		}
	}
}

func (c *checker) ingressPath(at string, p networkingv1.HTTPIngressPath) {
	switch {
	case p.PathType == nil:
		c.fault(at+".pathType", "write Prefix or Exact", "is missing")
	case *p.PathType != networkingv1.PathTypeExact && *p.PathType != networkingv1.PathTypePrefix && *p.PathType != networkingv1.PathTypeImplementationSpecific:
		c.fault(at+".pathType", "write Prefix or Exact", "is %q", *p.PathType)
	case *p.PathType != networkingv1.PathTypeImplementationSpecific && p.Path == "":
		c.fault(at+".path", "write a path, such as /", "is missing")
	}
	if p.Path != "" && (!strings.HasPrefix(p.Path, "/") || strings.Contains(p.Path, "//") || strings.Contains(p.Path+"/", "/../") || strings.Contains(p.Path+"/", "/./")) {
		c.fault(at+".path", "write an absolute path without //, . and ..", "is %q", p.Path)
	}
	s := p.Backend.Service
	if s == nil {
		c.fault(at+".backend.service", "", "is missing")
		return
	}
	c.legal(at+".backend.service.name", s.Name, validation.IsDNS1035Label(s.Name))
	if (s.Port.Name == "") == (s.Port.Number == 0) {
		c.fault(at+".backend.service.port", "write one of name and number", "names no port, or two")
	}
}
