package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// few is what the node of these tests gives.
var few = bounds{replicas: 20, most: execute.Limits{Memory: 4 << 30, Disk: 1 << 30}}

func read(t testing.TB, text string) cluster.Object {
	t.Helper()
	o := cluster.Object{File: "deploy/web.yaml", Line: 7}
	if err := yaml.Unmarshal([]byte(text), &o.Raw); err != nil {
		t.Fatal(err)
	}
	return o
}

// deployment gives a manifest with lines of the pod's spec and of its container; both may be empty.
func deployment(pod, container string) string {
	indent := func(text, by string) string {
		if text == "" {
			return ""
		}
		return by + strings.ReplaceAll(text, "\n", "\n"+by) + "\n"
	}
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
` + indent(pod, "      ") + `      containers:
      - name: web
        image: program:1
        ports: [{name: http, containerPort: 8080}]
` + indent(container, "        ")
}

func TestWrongManifestsAreRefusedWithTheField(t *testing.T) {
	t.Parallel()
	service := func(spec string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: " + spec
	}
	ingress := func(rule string) string {
		return "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [" + rule + "]}"
	}
	for name, c := range map[string]struct{ manifest, want string }{
		"unknown field":          {strings.Replace(deployment("", ""), "  selector:", "  replica: 2\n  selector:", 1), "spec.replica: is not a field of Deployment (did you mean replicas?)"},
		"unknown deep field":     {deployment("", "readinesProbe: {}"), "spec.template.spec.containers[0].readinesProbe: is not a field of Deployment (did you mean readinessProbe?)"},
		"unknown and far":        {deployment("", "zzz: 1"), "spec.template.spec.containers[0].zzz: is not a field of Deployment (remove it)"},
		"wrong type":             {strings.Replace(deployment("", ""), "  selector:", "  replicas: two\n  selector:", 1), "spec.replicas: is a string (write a whole number)"},
		"number for a string":    {deployment("", "env: [{name: A, value: 1}]"), "is a number (write a string; quote it"},
		"wrong quantity":         {deployment("", "resources: {limits: {memory: lots}}"), "quantities must match"},
		"unknown kind":           {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}", "kind: the node does not run Job (send it to a Kubernetes cluster"},
		"a bare pod":             {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}", "(write a Deployment)"},
		"old version":            {"apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}", "apiVersion: the node does not know Ingress of extensions/v1beta1 (write networking.k8s.io/v1)"},
		"nothing at all":         {"{}", "kind: has no apiVersion or no kind"},
		"no name":                {"apiVersion: v1\nkind: ConfigMap", "metadata.name: is missing"},
		"wrong name":             {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_b}", `metadata.name: "A_b": a lowercase RFC 1123`},
		"generated name":         {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, generateName: a-}", "metadata.generateName: is refused by the node"},
		"privileged":             {deployment("", "securityContext: {privileged: true}"), "containers[0].securityContext.privileged: is refused by the node (no pod has privileges)"},
		"host network":           {deployment("hostNetwork: true", ""), "spec.template.spec.hostNetwork: is refused"},
		"host path":              {deployment("volumes: [{name: a, hostPath: {path: /etc}}]", ""), "volumes[0].hostPath: is refused by the node (pods see nothing of the machine)"},
		"volume of another kind": {deployment("volumes: [{name: a, nfs: {server: a, path: /}}]", ""), "volumes[0].nfs: is refused by the node (volumes are of kind emptyDir"},
		"claim":                  {deployment("volumes: [{name: a, persistentVolumeClaim: {claimName: a}}]", ""), "persistentVolumeClaim: is refused"},
		"exec probe":             {deployment("", "livenessProbe: {exec: {command: [a]}}"), "livenessProbe.exec: is refused by the node (use httpGet or tcpSocket)"},
		"probe of nothing":       {deployment("", "livenessProbe: {periodSeconds: 1}"), "livenessProbe: tries nothing"},
		"probe of no port":       {deployment("", "livenessProbe: {tcpSocket: {port: grpc}}"), `livenessProbe.port: is "grpc" (write a number, or the name`},
		"two containers":         {deployment("", "") + "      - {name: b, image: b:1}", "containers: holds 2; the node runs one"},
		"selector":               {strings.Replace(deployment("", ""), "labels: {app: web}}\n    spec", "labels: {app: shop}}\n    spec", 1), "spec.template.metadata.labels: does not match spec.selector (app=web)"},
		"too many replicas":      {strings.Replace(deployment("", ""), "  selector:", "  replicas: 21\n  selector:", 1), "spec.replicas: is 21; the node runs 0 to 20"},
		"no way to update":       {strings.Replace(deployment("", ""), "  selector:", "  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}\n  selector:", 1), "so no update could happen"},
		"strange strategy":       {strings.Replace(deployment("", ""), "  selector:", "  strategy: {type: BlueGreen}\n  selector:", 1), `spec.strategy.type: is "BlueGreen"`},
		"restart policy":         {deployment("restartPolicy: Never", ""), "spec.template.spec.restartPolicy: is Never"},
		"no such volume":         {deployment("", "volumeMounts: [{name: a, mountPath: /a}]"), `volumeMounts[0].name: is "a", which is no volume`},
		"mount on the system":    {deployment("volumes: [{name: a, emptyDir: {}}]", "volumeMounts: [{name: a, mountPath: /etc/a}]"), "volumeMounts[0].mountPath: is \"/etc/a\", where nothing can be mounted"},
		"path out of a volume":   {deployment("volumes: [{name: a, configMap: {name: a, items: [{key: a, path: ../b}]}}]", ""), "volumes[0].configMap.items[0]"},
		"too much memory":        {deployment("", "resources: {limits: {memory: 4097Mi}}"), "containers[0].resources.limits.memory: is 4097Mi; a pod gets at most 4Gi here"},
		"too much disk":          {deployment("", "resources: {limits: {ephemeral-storage: 2Gi}}"), "containers[0].resources.limits.ephemeral-storage: is 2Gi; a pod gets at most 1Gi here"},
		"no size":                {deployment("volumes: [{name: a, emptyDir: {sizeLimit: -1Mi}}]", ""), "volumes[0].emptyDir.sizeLimit: is -1Mi"},
		"door's port":            {strings.Replace(deployment("", ""), "8080", "15001", 1), "is the port at which pods reach services"},
		"udp":                    {service("{selector: {a: b}, ports: [{port: 53, protocol: UDP}]}"), "spec.ports[0].protocol: is UDP; the node carries TCP"},
		"external name":          {service("{type: ExternalName, externalName: example.com, selector: {a: b}, ports: [{port: 1}]}"), "spec.externalName: is refused"},
		"service of nothing":     {service("{ports: [{port: 80}]}"), "spec.selector: is missing"},
		"unnamed ports":          {service("{selector: {a: b}, ports: [{port: 80}, {port: 81}]}"), "spec.ports[0].name: is missing"},
		"ingress without host":   {ingress("{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 1}}}}]}}"), "spec.rules[0].host: is missing"},
		"ingress path":           {ingress("{host: a.test, http: {paths: [{path: a, pathType: Prefix, backend: {service: {name: a, port: {number: 1}}}}]}}"), "spec.rules[0].http.paths[0].path"},
		"ingress path type":      {ingress("{host: a.test, http: {paths: [{path: /, backend: {service: {name: a, port: {number: 1}}}}]}}"), "pathType: is missing (write Prefix or Exact)"},
		"secret not base64":      {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: '%%%'}", "can't be read: illegal base64"},
	} {
		_, details := decode(read(t, c.manifest), few)
		var all []string
		for _, d := range details {
			all = append(all, d.String())
		}
		if !slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, "deploy/web.yaml:7: ") && strings.Contains(s, c.want) }) {
			t.Errorf("%s: details are %q, want %q", name, all, c.want)
		}
	}
}

func TestWarningsNameWhatTheNodeDoesNotActOn(t *testing.T) {
	t.Parallel()
	m, details := decode(read(t, deployment(`serviceAccountName: shop
hostNetwork: false
affinity: {}
hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]
securityContext: {runAsNonRoot: true, runAsUser: 1000}
imagePullSecrets: [{name: a}]`, `securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
resources: {requests: {cpu: 10m}, limits: {cpu: 1, memory: 64Mi}}
lifecycle: {preStop: {sleep: {seconds: 5}}}
stdin: true`)), few)
	want := []string{
		"spec.template.spec.containers[0].lifecycle.preStop: not run; the node itself takes a pod out of its services and waits for running requests before SIGTERM",
		"spec.template.spec.containers[0].stdin: the node does not act on it",
		"spec.template.spec.hostAliases: the node does not act on it",
		"spec.template.spec.imagePullSecrets: images come from the platform's own registry",
		"spec.template.spec.securityContext.runAsUser: every pod runs as a user of its own without rights",
		"spec.template.spec.serviceAccountName: pods have no access to an API of the node",
	}
	if len(details) > 0 || !slices.Equal(m.warnings, want) {
		t.Errorf("warnings are\n%s\ndetails %v", strings.Join(m.warnings, "\n"), details)
	}
	m, details = decode(read(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: x, managedFields: []}\ndata: {a: b}\nstatus: {}"), few)
	if len(details)+len(m.warnings) > 0 || string(m.json) != `{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"name":"a","namespace":"default"}}` {
		t.Errorf("what a server sets is not dropped: %s %v %v", m.json, m.warnings, details)
	}
}

// The manifests of real projects must be read or refused in words, never break.
func TestManifestsOfTheCorpus(t *testing.T) {
	t.Parallel()
	root := lacktest.Corpus(t, "")
	read, refused := 0, 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, part := range strings.Split(string(text), "\n---") {
			var o cluster.Object
			if yaml.Unmarshal([]byte(part), &o.Raw) != nil || kinds[o.GVK()].fresh == nil {
				continue
			}
			if _, details := decode(o, few); len(details) > 0 {
				refused++
				for _, detail := range details {
					if detail.Message == "" {
						t.Errorf("%s: a fault without words: %+v", path, detail)
					}
				}
				continue
			}
			read++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d read, %d refused", read, refused)
	if read == 0 {
		t.Error("no manifest of the corpus was read")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"b"}}`))
	f.Add([]byte(`{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"a"},"spec":{"rules":[{"host":"a.test"}]}}`))
	text, err := yaml.YAMLToJSON([]byte(deployment("volumes: [{name: a, emptyDir: {}}]", "livenessProbe: {tcpSocket: {port: http}}\nvolumeMounts: [{name: a, mountPath: /a}]")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := cluster.ParseObject(data)
		if err != nil {
			return
		}
		m, details := decode(o, few)
		if len(details) > 0 {
			return
		}
		again, details := decode(m.object, few)
		if len(details) > 0 || string(again.json) != string(m.json) || !json.Valid(m.json) {
			t.Errorf("%s is read once, and then %v, %s", data, details, again.json)
		}
	})
}
