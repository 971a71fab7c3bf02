package node

import (
	"fmt"
	"sort"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// verdict is what the node does with a field.
type verdict struct {
	acts   bool   // it acts on the field and on all below it
	moot   bool   // it means nothing on one machine, or always holds here; accepted without a word
	refuse string // why it is refused unless it is false or empty
	warn   string // what happens instead, for fields with a warning of their own
}

// fields says field by field, lists left out of the path, what the node does. A field that is not here, and above
// no field that is, is accepted with a warning.
var fields = map[string]map[string]verdict{
	"Namespace":  meta(nil),
	"ConfigMap":  meta(map[string]verdict{"data": {acts: true}, "binaryData": {acts: true}}),
	"Secret":     meta(map[string]verdict{"data": {acts: true}, "stringData": {acts: true}, "type": {moot: true}}),
	"Service":    meta(serviceFields),
	"Ingress":    meta(ingressFields),
	"Deployment": meta(deploymentFields()),
}

var serviceFields = map[string]verdict{
	"spec.selector": {acts: true}, "spec.ports": {acts: true}, "spec.type": {acts: true},
	"spec.ports.appProtocol": {moot: true}, "spec.internalTrafficPolicy": {moot: true}, "spec.ipFamilyPolicy": {moot: true}, "spec.ipFamilies": {moot: true},
	"spec.ports.nodePort": {warn: "the node gives no ports of the machine to services; use an Ingress"},
	"spec.clusterIP":      {warn: "services are reached by name, not by address"},
	"spec.externalName":   {refuse: "pods reach no place outside the node"},
	"spec.externalIPs":    {refuse: "services have no addresses of the machine"},
}

var ingressFields = map[string]verdict{
	"spec.rules": {acts: true}, "spec.ingressClassName": {moot: true},
	"spec.defaultBackend":                    {refuse: "the node finds an Ingress by host name alone; write a rule with a host"},
	"spec.rules.http.paths.backend.resource": {refuse: "a backend is a Service"},
	"spec.tls":                               {warn: "the server's own certificate is used"},
}

var podFields = map[string]verdict{
	"volumes.name": {acts: true}, "volumes.emptyDir": {acts: true}, "volumes.configMap": {acts: true}, "volumes.secret": {acts: true},
	"volumes.emptyDir.medium":       {warn: "it lies on the disk"},
	"volumes.hostPath":              {refuse: "pods see nothing of the machine"},
	"volumes.persistentVolumeClaim": {refuse: "the node keeps no volume beyond the life of a pod; use a database outside, or a Kubernetes cluster"},
	"restartPolicy":                 {acts: true}, "terminationGracePeriodSeconds": {acts: true},
	"affinity": {moot: true}, "tolerations": {moot: true}, "topologySpreadConstraints": {moot: true}, "schedulerName": {moot: true}, "dnsPolicy": {moot: true},
	"enableServiceLinks": {moot: true}, "automountServiceAccountToken": {moot: true}, "serviceAccount": {moot: true}, "preemptionPolicy": {moot: true},
	"hostNetwork":          {refuse: "pods have a network of their own"},
	"hostPID":              {refuse: "pods see nothing of the machine"},
	"hostIPC":              {refuse: "pods see nothing of the machine"},
	"hostUsers":            {moot: true},
	"ephemeralContainers":  {refuse: "the node runs one container in a pod"},
	"imagePullSecrets":     {warn: "images come from the platform's own registry"},
	"serviceAccountName":   {warn: "pods have no access to an API of the node"},
	"nodeSelector":         {warn: "there is one node"},
	"initContainers.ports": {moot: true},
}

// What a security context asks for mostly holds for every pod here: no privileges, a read-only root.
var securityFields = map[string]verdict{
	"runAsNonRoot": {moot: true}, "readOnlyRootFilesystem": {moot: true}, "allowPrivilegeEscalation": {refuse: "no process of a pod gains rights"},
	"privileged": {refuse: "no pod has privileges"}, "capabilities.drop": {moot: true}, "capabilities.add": {refuse: "no pod has capabilities"},
	"seccompProfile": {moot: true}, "appArmorProfile": {moot: true}, "seLinuxOptions": {moot: true},
	"procMount": {refuse: "/proc is always the pod's own"}, "sysctls": {refuse: "no pod changes the kernel's settings"},
	"runAsUser": {warn: "every pod runs as a user of its own without rights"}, "runAsGroup": {warn: "every pod runs as a group of its own without rights"},
	"fsGroup": {warn: "volumes belong to the pod's own user"},
}

var containerFields = map[string]verdict{
	"name": {acts: true}, "image": {acts: true}, "command": {acts: true}, "args": {acts: true}, "workingDir": {acts: true}, "imagePullPolicy": {acts: true},
	"ports.name": {acts: true}, "ports.containerPort": {acts: true}, "ports.protocol": {acts: true},
	"ports.hostPort":                 {refuse: "pods get no port of the machine; use a Service and an Ingress"},
	"env.name":                       {acts: true},
	"env.value":                      {acts: true},
	"env.valueFrom.configMapKeyRef":  {acts: true},
	"env.valueFrom.secretKeyRef":     {acts: true},
	"env.valueFrom.fieldRef":         {acts: true},
	"env.valueFrom.resourceFieldRef": {refuse: "write the value"},
	"env.valueFrom.fileKeyRef":       {refuse: "use a ConfigMap or a Secret"},
	"envFrom":                        {acts: true},
	"resources.limits":               {acts: true}, "resources.requests": {moot: true}, "resources.claims": {refuse: "the node has no devices to give"},
	"volumeMounts.name": {acts: true}, "volumeMounts.mountPath": {acts: true}, "volumeMounts.readOnly": {acts: true}, "volumeMounts.subPath": {acts: true},
	"volumeMounts.subPathExpr": {refuse: "write the path in subPath"},
	"volumeDevices":            {refuse: "the node has no devices to give"},
	"terminationMessagePath":   {moot: true},
	"terminationMessagePolicy": {moot: true},
	"lifecycle.preStop":        {warn: "not run; the node itself takes a pod out of its services and waits for running requests before SIGTERM"},
	"lifecycle.postStart":      {refuse: "do it at the program's start, or in an init container"},
	"lifecycle.stopSignal":     {warn: "the node sends SIGTERM"},
	"restartPolicy":            {refuse: "the restart policy of the pod holds for its container"},
	"restartPolicyRules":       {refuse: "the restart policy of the pod holds for its container"},
	"resizePolicy":             {moot: true},
}

var probeFields = map[string]verdict{
	"httpGet": {acts: true}, "httpGet.host": {refuse: "probes reach the pod alone"}, "tcpSocket": {acts: true}, "tcpSocket.host": {refuse: "probes reach the pod alone"},
	"exec": {refuse: "use httpGet or tcpSocket"}, "grpc": {refuse: "use httpGet or tcpSocket"},
	"initialDelaySeconds": {acts: true}, "timeoutSeconds": {acts: true}, "periodSeconds": {acts: true}, "successThreshold": {acts: true}, "failureThreshold": {acts: true},
}

func deploymentFields() map[string]verdict {
	out := map[string]verdict{
		"spec.replicas": {acts: true}, "spec.selector": {acts: true}, "spec.strategy": {acts: true}, "spec.minReadySeconds": {acts: true},
		"spec.revisionHistoryLimit": {acts: true}, "spec.paused": {acts: true}, "spec.progressDeadlineSeconds": {acts: true},
		"spec.template.metadata.name": {moot: true}, "spec.template.metadata.labels": {acts: true}, "spec.template.metadata.annotations": {acts: true},
		"spec.template.metadata.creationTimestamp": {moot: true},
	}
	add := func(prefix string, from map[string]verdict) {
		for name, v := range from {
			out[prefix+name] = v
		}
	}
	const pod = "spec.template.spec."
	add(pod, podFields)
	add(pod+"securityContext.", securityFields)
	for _, list := range []string{"containers", "initContainers"} {
		add(pod+list+".", containerFields)
		add(pod+list+".securityContext.", securityFields)
	}
	for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		add(pod+"containers."+probe+".", probeFields)
	}
	return out
}

func meta(more map[string]verdict) map[string]verdict {
	out := map[string]verdict{
		"apiVersion": {acts: true}, "kind": {acts: true},
		"metadata.name": {acts: true}, "metadata.namespace": {acts: true}, "metadata.labels": {acts: true}, "metadata.annotations": {acts: true},
		"metadata.generateName": {refuse: "give the object a name, so that it can be applied again"},
	}
	for name, v := range more {
		out[name] = v
	}
	return out
}

// review walks the fields that an object sets and gives a warning for each that the node does not act on, and a
// detail for each that it refuses.
func review(o cluster.Object) (warnings []string, refused []fault.Detail) {
	table := fields[o.GVK().Kind]
	above := map[string]bool{}
	for path := range table {
		for i, r := range path {
			if r == '.' {
				above[path[:i]] = true
			}
		}
	}
	w := walker{object: o, table: table, above: above, warned: map[string]bool{}}
	w.value("", "", o.Raw, false)
	sort.Strings(w.warnings)
	return w.warnings, w.refused
}

type walker struct {
	object   cluster.Object
	table    map[string]verdict
	above    map[string]bool // paths with an entry below them
	warned   map[string]bool
	warnings []string
	refused  []fault.Detail
}

// value looks at one field: path is its name in the table, shown is its name for a person.
func (w *walker) value(path, shown string, v any, covered bool) {
	switch verdict, known := w.table[path]; {
	case known && (verdict.refuse != "" || verdict.warn != ""):
		if empty(v) {
			return
		}
		if verdict.refuse != "" {
			w.refused = append(w.refused, w.object.Fault(shown, "is refused by the node", verdict.refuse))
		} else {
			w.warn(path, shown, verdict.warn)
		}
		return
	case known && verdict.moot:
		return
	case known && verdict.acts:
		covered = true
	case !known && path != "" && !w.above[path] && !covered:
		if strings.HasPrefix(path, "spec.template.spec.volumes.") { // a pod without one of its volumes is not that pod
			w.refused = append(w.refused, w.object.Fault(shown, "is refused by the node", "volumes are of kind emptyDir, configMap or secret"))
		} else if !empty(v) {
			w.warn(path, shown, "")
		}
		return
	}
	if !w.above[path] && path != "" {
		return
	}
	w.below(path, shown, v, covered)
}

func (w *walker) below(path, shown string, v any, covered bool) {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			w.value(dotted(path, name), dotted(shown, name), v[name], covered)
		}
	case []any:
		for i, item := range v {
			w.below(path, fmt.Sprintf("%s[%d]", shown, i), item, covered)
		}
	}
}

func (w *walker) warn(path, shown, why string) {
	if w.warned[path] {
		return
	}
	w.warned[path] = true
	if why == "" {
		why = "the node does not act on it"
	}
	w.warnings = append(w.warnings, shown+": "+why)
}

func dotted(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// empty tells whether a field says nothing: then it may be there whatever the node thinks of it.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
