package node

import (
	"cmp"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
)

// routes is where requests go. It is made anew at each change and never changed itself, so readers take no lock.
type routes struct {
	hosts    map[string][]route  // by host, or "*.…"; the first that matches serves
	services map[string]*backend // by "namespace/name"
}

// route is one path of a host.
type route struct {
	path    string
	exact   bool
	backend *backend
	port    servicePort
}

// servicePort names a port of a service.
type servicePort struct {
	name   string
	number int
}

// backend is a service with the pods that can take its requests.
type backend struct {
	key   cluster.Key
	ports []backendPort
	allow []string // namespaces beside its own whose pods may come
}

type backendPort struct {
	name      string
	number    int
	endpoints []endpoint
}

// endpoint is one port of one ready pod.
type endpoint struct {
	pod    *pod
	socket string
}

// selects tells whether a pod belongs to a service.
func selects(s *corev1.Service, p *pod) bool {
	if s.Namespace != p.key.Namespace && !(s.Namespace == "" && p.key.Namespace == defaultNamespace) {
		return false
	}
	for name, value := range s.Spec.Selector {
		if got, ok := p.template.Labels[name]; !ok || got != value {
			return false
		}
	}
	return len(s.Spec.Selector) > 0
}

// rerouteLocked makes the routes anew from the objects and the pods that are ready.
func (n *Node) rerouteLocked() {
	r := &routes{hosts: map[string][]route{}, services: map[string]*backend{}}
	for key, o := range n.objects {
		if s, ok := o.typed.(*corev1.Service); ok {
			r.services[key.Namespace+"/"+key.Name] = n.backendLocked(key, s)
		}
	}
	for key, o := range n.objects {
		in, ok := o.typed.(*networkingv1.Ingress)
		if !ok {
			continue
		}
		for _, rule := range in.Spec.Rules {
			for _, p := range rule.HTTP.Paths {
				s := p.Backend.Service
				to := r.services[key.Namespace+"/"+s.Name]
				if to == nil {
					to = &backend{key: cluster.Key{Kind: "Service", Namespace: key.Namespace, Name: s.Name}}
				}
				r.hosts[rule.Host] = append(r.hosts[rule.Host], route{
					path: cmp.Or(p.Path, "/"), exact: *p.PathType == networkingv1.PathTypeExact, backend: to, port: servicePort{name: s.Port.Name, number: int(s.Port.Number)},
				})
			}
		}
	}
	for _, list := range r.hosts {
		slices.SortFunc(list, func(a, b route) int { // exact before prefix, long before short
			if a.exact != b.exact {
				if a.exact {
					return -1
				}
				return 1
			}
			return cmp.Or(len(b.path)-len(a.path), strings.Compare(a.path, b.path))
		})
	}
	n.routes.Store(r)
}

func (n *Node) backendLocked(key cluster.Key, s *corev1.Service) *backend {
	b := &backend{key: key}
	for _, namespace := range strings.Split(s.Annotations[AllowFrom], ",") {
		b.allow = append(b.allow, strings.TrimSpace(namespace))
	}
	for _, port := range s.Spec.Ports {
		to := backendPort{name: port.Name, number: int(port.Port)}
		for _, p := range n.pods {
			if !p.ready || p.terminating || !selects(s, p) {
				continue
			}
			target := targetOf(port)
			number := int(target.IntVal)
			if target.StrVal != "" {
				number = p.ports[target.StrVal]
			}
			if socket, ok := p.listening[number]; ok {
				to.endpoints = append(to.endpoints, endpoint{pod: p, socket: socket})
			}
		}
		slices.SortFunc(to.endpoints, func(a, b endpoint) int { return strings.Compare(a.socket, b.socket) })
		b.ports = append(b.ports, to)
	}
	return b
}

// at gives the endpoints of a port; false when the service has no such port.
func (b *backend) at(p servicePort) ([]endpoint, bool) {
	for _, port := range b.ports {
		if (p.name != "" && port.name == p.name) || (p.name == "" && port.number == p.number) {
			return port.endpoints, true
		}
	}
	return nil, false
}

// ingress finds the route of a request; false for a host that no Ingress has.
func (r *routes) ingress(host, path string) (found route, ok, known bool) {
	list, known := r.hosts[host]
	if !known {
		list, known = r.hosts[wildcard(host)]
	}
	for _, one := range list {
		if one.exact && path == one.path || !one.exact && underPath(path, one.path) {
			return one, true, true
		}
	}
	return route{}, false, known
}

// wildcard gives the host of the rules that stand for this one and its siblings.
func wildcard(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	return "*." + rest
}

// underPath tells whether a path is prefix or lies below it, element by element.
func underPath(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// service finds a service by the name that a pod of a namespace uses: NAME, NAME.NAMESPACE, NAME.NAMESPACE.svc and
// NAME.NAMESPACE.svc.cluster.local. One of another namespace is found only if it lets this one in.
func (r *routes) service(host, namespace string) *backend {
	host = strings.TrimSuffix(strings.TrimSuffix(host, ".cluster.local"), ".svc")
	name, in, ok := strings.Cut(host, ".")
	if !ok || in == namespace {
		return r.services[namespace+"/"+name]
	}
	if b := r.services[in+"/"+name]; b != nil && b.admits(namespace) {
		return b
	}
	return nil
}

// AllowFrom is the annotation by which a Service lets pods of other namespaces in: their names, with commas, or *.
const AllowFrom = "roadbed.dev/allow-from"

func (b *backend) admits(namespace string) bool {
	return slices.Contains(b.allow, namespace) || slices.Contains(b.allow, "*")
}

// hostName gives the host of an address without its port, in lower case.
func hostName(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(address, "[]"), "."))
}
