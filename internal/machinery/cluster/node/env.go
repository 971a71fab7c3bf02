package node

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// doorPort is where a pod reaches services, on its own loopback.
const doorPort = 15001

// podFacts are what a pod may ask about itself.
type podFacts struct {
	name, namespace, uid, node string
	labels, annotations        map[string]string
}

// podField gives a field of the downward API; false when the node does not offer it.
func podField(f podFacts, field string) (string, bool) {
	if name, key, ok := strings.Cut(strings.TrimSuffix(field, "']"), "['"); ok && strings.HasSuffix(field, "']") {
		switch name {
		case "metadata.labels":
			return f.labels[key], true
		case "metadata.annotations":
			return f.annotations[key], true
		}
		return "", false
	}
	switch field {
	case "metadata.name":
		return f.name, true
	case "metadata.namespace":
		return f.namespace, true
	case "metadata.uid":
		return f.uid, true
	case "spec.nodeName":
		return f.node, true
	case "status.podIP", "status.hostIP":
		return "127.0.0.1", true
	}
	return "", false
}

// values gives the keys of a ConfigMap or Secret as bytes. Missing is false when there is no such object.
type values func(kind, name string) (all map[string][]byte, found bool)

// valuesLocked reads the ConfigMaps and Secrets of a namespace.
func (n *Node) values(namespace string) values {
	return func(kind, name string) (map[string][]byte, bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		o := n.objects[cluster.Key{Kind: kind, Namespace: namespace, Name: name}]
		out := map[string][]byte{}
		switch t := typedOf(o).(type) {
		case *corev1.ConfigMap:
			maps.Copy(out, t.BinaryData)
			for k, v := range t.Data {
				out[k] = []byte(v)
			}
		case *corev1.Secret:
			maps.Copy(out, t.Data)
			for k, v := range t.StringData {
				out[k] = []byte(v)
			}
		default:
			return nil, false
		}
		return out, true
	}
}

// one gives a single value. An optional one that is missing is not there and no error.
func (v values) one(kind, name, key string, optional *bool) (string, bool, error) {
	all, found := v(kind, name)
	value, ok := all[key]
	switch {
	case ok:
		return string(value), true, nil
	case optional != nil && *optional:
		return "", false, nil
	case !found:
		return "", false, fault.Errorf(fault.NotFound, "there is no %s %q", kind, name)
	}
	return "", false, fault.Errorf(fault.NotFound, "%s %q has no key %q", kind, name, key)
}

// environment gives what a container's program finds in its environment. Later ones win: the image's, the door's,
// envFrom, env; $(NAME) in a value stands for one before it.
func environment(k *corev1.Container, config ImageConfig, facts podFacts, from values) (map[string]string, error) {
	env := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/work", "HOSTNAME": facts.name}
	for _, pair := range config.Env {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	door := fmt.Sprintf("http://127.0.0.1:%d", doorPort)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		env[name] = door
	}
	env["NO_PROXY"], env["no_proxy"] = "localhost,127.0.0.1,::1", "localhost,127.0.0.1,::1"
	for _, f := range k.EnvFrom {
		if err := addAll(env, f, from); err != nil {
			return nil, err
		}
	}
	for _, e := range k.Env {
		value, ok, err := envValue(e, facts, from, env)
		if err != nil {
			return nil, fault.Wrap(err, "env %s", e.Name)
		}
		if ok {
			env[e.Name] = value
		}
	}
	return env, nil
}

func addAll(env map[string]string, f corev1.EnvFromSource, from values) error {
	var kind, name string
	var optional *bool
	if f.ConfigMapRef != nil {
		kind, name, optional = "ConfigMap", f.ConfigMapRef.Name, f.ConfigMapRef.Optional
	} else {
		kind, name, optional = "Secret", f.SecretRef.Name, f.SecretRef.Optional
	}
	all, found := from(kind, name)
	if !found && (optional == nil || !*optional) {
		return fault.Errorf(fault.NotFound, "envFrom: there is no %s %q", kind, name)
	}
	for key, value := range all {
		env[f.Prefix+key] = string(value)
	}
	return nil
}

func envValue(e corev1.EnvVar, facts podFacts, from values, env map[string]string) (string, bool, error) {
	switch v := e.ValueFrom; {
	case v == nil:
		return expand(e.Value, env), true, nil
	case v.ConfigMapKeyRef != nil:
		return from.one("ConfigMap", v.ConfigMapKeyRef.Name, v.ConfigMapKeyRef.Key, v.ConfigMapKeyRef.Optional)
	case v.SecretKeyRef != nil:
		return from.one("Secret", v.SecretKeyRef.Name, v.SecretKeyRef.Key, v.SecretKeyRef.Optional)
	case v.FieldRef != nil:
		value, _ := podField(facts, v.FieldRef.FieldPath)
		return value, true, nil
	}
	return "", false, nil
}

func expandAll(all []string, env map[string]string) []string {
	out := make([]string, 0, len(all))
	for _, s := range all {
		out = append(out, expand(s, env))
	}
	return out
}

// expand replaces $(NAME) by a variable; $$ is one $, and what is unknown stays as it is (the rules of Kubernetes).
func expand(s string, env map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			out.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				out.WriteString(s[i:])
				return out.String()
			}
			name := s[i+2 : i+end]
			if value, ok := env[name]; ok {
				out.WriteString(value)
			} else {
				out.WriteString(s[i : i+end+1])
			}
			i += end
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}
