package chart

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const folder = "../../deploy/chart"

// render gives the objects that an installation makes, each read as strictly as Kubernetes reads it: a field that it
// doesn't know is an error.
func render(t *testing.T, given string) (objects []runtime.Object, notes string, err error) {
	t.Helper()
	chart, err := loader.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	values, err := loader.LoadValues(strings.NewReader(given))
	if err != nil {
		t.Fatal(err)
	}
	release := common.ReleaseOptions{Name: "platform", Namespace: "tools", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, "", err
	}
	files, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return nil, "", err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if filepath.Base(path) == "NOTES.txt" {
			notes = files[path]
			continue
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(files[path])))
		for {
			document, err := documents.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if len(bytes.TrimSpace(document)) == 0 {
				continue
			}
			object, _, err := strict.Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v\n%s", path, err, document)
			}
			objects = append(objects, object)
		}
	}
	return objects, notes, nil
}

// one gives the only object of a type.
func one[T runtime.Object](t *testing.T, objects []runtime.Object) (found T) {
	t.Helper()
	n := 0
	for _, o := range objects {
		if o, ok := o.(T); ok {
			found = o
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d objects are a %T", n, found)
	}
	return found
}

const token = "adminToken: {value: 0123456789abcdef0123456789abcdef}\n"

func TestTheChartInstallsOneServerOnAVolume(t *testing.T) {
	t.Parallel()
	objects, notes, err := render(t, token)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 4 {
		t.Errorf("%d objects, not a StatefulSet, a Service, a Secret and a ServiceAccount", len(objects))
	}
	set, service, secret := one[*appsv1.StatefulSet](t, objects), one[*corev1.Service](t, objects), one[*corev1.Secret](t, objects)
	pod := set.Spec.Template
	container := pod.Spec.Containers[0]
	if *set.Spec.Replicas != 1 || len(set.Spec.VolumeClaimTemplates) != 1 || set.Spec.ServiceName != service.Name {
		t.Errorf("the set: %+v", set.Spec)
	}
	for _, selector := range []map[string]string{set.Spec.Selector.MatchLabels, service.Spec.Selector} {
		for k, v := range selector {
			if pod.Labels[k] != v {
				t.Errorf("the pod's labels %v lack %s=%s", pod.Labels, k, v)
			}
		}
	}
	for name, probe := range map[string]*corev1.Probe{"/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != name || probe.HTTPGet.Port.StrVal != container.Ports[0].Name {
			t.Errorf("the probe of %s: %+v", name, probe)
		}
	}
	if service.Spec.Ports[0].TargetPort.StrVal != container.Ports[0].Name {
		t.Errorf("the service leads to %v", service.Spec.Ports[0].TargetPort)
	}
	if !strings.Contains(notes, "https://roadbed.example.com") || !strings.Contains(notes, "port-forward service/"+service.Name) {
		t.Errorf("the notes:\n%s", notes)
	}
	reads := map[string]bool{}
	for _, e := range container.Env {
		if e.ValueFrom != nil {
			from := e.ValueFrom.SecretKeyRef
			if _, ok := secret.StringData[from.Key]; !ok || from.Name != secret.Name {
				t.Errorf("%s reads %s of %s, and the Secret %s has %v", e.Name, from.Key, from.Name, secret.Name, secret.StringData)
			}
			reads[from.Key] = true
		}
	}
	if !reads["admin-token"] || reads["database"] {
		t.Errorf("the server reads %v of the Secret", reads)
	}
}

// TestTheChartIsolatesOrKeepsToTheStandard looks at the two kinds of pods: one that can isolate steps, and one that every
// namespace takes.
func TestTheChartIsolatesOrKeepsToTheStandard(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"require", "prefer"} {
		objects, _, err := render(t, token+"isolation: "+isolation)
		if err != nil {
			t.Fatal(err)
		}
		pod := one[*appsv1.StatefulSet](t, objects).Spec.Template.Spec
		inside := pod.Containers[0].SecurityContext
		required := isolation == "require"
		ownUsers := pod.HostUsers != nil && !*pod.HostUsers
		wholeProc := inside.ProcMount != nil && *inside.ProcMount == corev1.UnmaskedProcMount
		unfiltered := pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeUnconfined
		if ownUsers != required || wholeProc != required || unfiltered != required {
			t.Errorf("%s: a user namespace %t, a whole /proc %t, no filter %t", isolation, ownUsers, wholeProc, unfiltered)
		}
		if !*pod.SecurityContext.RunAsNonRoot || *inside.AllowPrivilegeEscalation || !slices.Contains(inside.Capabilities.Drop, "ALL") || *pod.AutomountServiceAccountToken {
			t.Errorf("%s: %+v, %+v", isolation, pod.SecurityContext, inside)
		}
	}
}

func TestTheChartTakesWhatIsThere(t *testing.T) {
	t.Parallel()
	objects, _, err := render(t, `
adminToken: {existingSecret: mine}
database: {existingSecret: mine}
persistence: {existingClaim: old}
image: {repository: registry.internal/roadbed, tag: "1.2", pullSecrets: [pull]}
baseURL: http://roadbed.internal:8080
appDomains: [apps.internal, apps.example.com]
ingress: {enabled: true, className: nginx, tlsSecret: wild, trustedProxies: [10.0.0.0/8], annotations: {a: b}}
env: {ROADBED_WORKERS: "8"}
service: {annotations: {c: d}}
serviceAccount: {annotations: {e: f}}
podAnnotations: {g: h}
podLabels: {i: j}
nodeSelector: {disk: fast}
tolerations: [{key: only, operator: Exists}]
affinity: {nodeAffinity: {}}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if _, ok := o.(*corev1.Secret); ok {
			t.Error("a Secret is made though both are there")
		}
	}
	set, ingress := one[*appsv1.StatefulSet](t, objects), one[*networkingv1.Ingress](t, objects)
	pod := set.Spec.Template.Spec
	var volumes, variables []string
	for _, v := range pod.Volumes {
		if v.PersistentVolumeClaim != nil {
			volumes = append(volumes, v.PersistentVolumeClaim.ClaimName)
		}
	}
	documented, err := os.ReadFile("../../docs/reference/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range pod.Containers[0].Env {
		variables = append(variables, e.Name+"="+e.Value)
		if !bytes.Contains(documented, []byte("`"+e.Name+"`")) {
			t.Errorf("%s is no option of the server", e.Name)
		}
	}
	for _, want := range []string{"ROADBED_BASE_URL=http://roadbed.internal:8080", "ROADBED_APP_DOMAINS=apps.internal,apps.example.com", "ROADBED_TRUSTED_PROXIES=10.0.0.0/8", "ROADBED_WORKERS=8", "ROADBED_DATABASE="} {
		if !slices.Contains(variables, want) {
			t.Errorf("the server has %v, not %s", variables, want)
		}
	}
	if len(set.Spec.VolumeClaimTemplates) != 0 || !slices.Equal(volumes, []string{"old"}) {
		t.Errorf("claims %v and %v", set.Spec.VolumeClaimTemplates, volumes)
	}
	if pod.Containers[0].Image != "registry.internal/roadbed:1.2" || pod.ImagePullSecrets[0].Name != "pull" {
		t.Errorf("the image is %s, pulled by %v", pod.Containers[0].Image, pod.ImagePullSecrets)
	}
	var hosts []string
	for _, r := range ingress.Spec.Rules {
		hosts = append(hosts, r.Host)
	}
	if want := []string{"roadbed.internal", "*.apps.internal", "*.apps.example.com"}; !slices.Equal(hosts, want) || !slices.Equal(ingress.Spec.TLS[0].Hosts, want) {
		t.Errorf("the Ingress has %v and TLS for %v, not %v", hosts, ingress.Spec.TLS, want)
	}
}

// TestTheChartRunsAgents beside the server, whose Service leads to none of them.
func TestTheChartRunsAgents(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"require", "prefer"} {
		objects, _, err := render(t, token+"baseURL: https://roadbed.internal\nagents: {replicas: 3, existingSecret: eu, args: [--parallel=4], drainSeconds: 90, isolation: "+isolation+"}\n")
		if err != nil {
			t.Fatal(err)
		}
		agents, service := one[*appsv1.Deployment](t, objects), one[*corev1.Service](t, objects)
		pod := agents.Spec.Template
		if *agents.Spec.Replicas != 3 || *pod.Spec.TerminationGracePeriodSeconds != 120 {
			t.Errorf("the agents: %+v", agents.Spec)
		}
		for k, v := range agents.Spec.Selector.MatchLabels {
			if pod.Labels[k] != v {
				t.Errorf("the pod's labels %v lack %s=%s", pod.Labels, k, v)
			}
		}
		leads := true
		for k, v := range service.Spec.Selector {
			leads = leads && pod.Labels[k] == v
		}
		if leads {
			t.Errorf("the server's Service leads to agents: %v", service.Spec.Selector)
		}
		c := pod.Spec.Containers[0]
		for _, want := range []string{"agent", "--server=https://roadbed.internal", "--token-file=/etc/roadbed-agent/token", "--isolation=" + isolation, "--drain=90s", "--parallel=4"} {
			if !slices.Contains(c.Args, want) {
				t.Errorf("the agent has %v, not %s", c.Args, want)
			}
		}
		mounted := slices.IndexFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name == "token" && m.MountPath == "/etc/roadbed-agent" && m.ReadOnly
		})
		kept := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "token" && v.Secret != nil && v.Secret.SecretName == "eu" })
		if mounted < 0 || kept < 0 {
			t.Errorf("the token is in %v, mounted by %v", pod.Spec.Volumes, c.VolumeMounts)
		}
		if own := pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers; own != (isolation == "require") || !*pod.Spec.SecurityContext.RunAsNonRoot || *c.SecurityContext.AllowPrivilegeEscalation {
			t.Errorf("%s: %+v, %+v", isolation, pod.Spec.SecurityContext, c.SecurityContext)
		}
	}
}

// TestTheChartRefusesWhatCannotWork looks at the schema of the values: what it refuses is told before anything is installed.
func TestTheChartRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ values, names string }{
		{"", "adminToken"},
		{"adminToken: {value: short}", "adminToken"},
		{token + "database: {url: mysql://db}", "url"},
		{token + "baseURL: roadbed.example.com", "baseURL"},
		{token + "baseURL: https://example.com/roadbed", "baseURL"},
		{token + "appDomains: []", "appDomains"},
		{token + "isolation: maybe", "isolation"},
		{token + "env: {ROADBED_WORKERS: 8}", "ROADBED_WORKERS"},
		{token + "replicas: 3", "replicas"},
		{token + "agents: {replicas: 3}", "existingSecret"},
		{token + "agents: {args: [server]}", "args"},
		{token + "persistence: {size: much}", "size"},
	} {
		if _, _, err := render(t, c.values); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s\nis refused with: %v", c.values, err)
		}
	}
}

func TestHelmHasNothingAgainstTheChart(t *testing.T) {
	t.Parallel()
	values, err := loader.LoadValues(strings.NewReader(token + "ingress: {enabled: true}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range lint.RunAll(folder, values, "tools").Messages {
		if !strings.Contains(m.Err.Error(), "icon is recommended") {
			t.Errorf("%s: %v", m.Path, m.Err)
		}
	}
}
