package stack

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func vendorRun(v Vendor) (*run.Run, Input) {
	return &run.Run{ID: "run_1", Source: run.Source{Repository: "crew/net", Commit: "c"}},
		Input{Type: Tracked, Stack: "stack:default/net", Path: "infra", Vendor: v, Network: v.needsNetwork()}
}

// all are the vendors that are no engines.
func all() map[string]Vendor {
	return map[string]Vendor{
		vendorTerragrunt: {Terragrunt: &Terragrunt{Version: "0.99"}},
		vendorAnsible:    {Ansible: &Ansible{Playbook: "site.yml", Destroy: "undo.yml"}},
		vendorKubernetes: {Kubernetes: &Kubernetes{Namespace: "team"}},
		vendorPulumi:     {Pulumi: &Pulumi{StackName: "prod"}},
	}
}

// TestStepsOfAllToolsAreTheSameInWhatCounts: an apply has one attempt, steps that only plan may not write a state, secrets
// for writing are the apply's, and each script is one that a shell reads.
func TestStepsOfAllToolsAreTheSameInWhatCounts(t *testing.T) {
	t.Parallel()
	for word, v := range all() {
		r, in := vendorRun(v)
		in.Env = map[string]string{"wo_KEY": "writes", "ro_KEY": "reads"}
		in.Given.Hooks = map[string][]Hook{}
		for _, hooked := range []bool{false, true} {
			for _, phase := range Phases() {
				if hooked {
					in.Given.Hooks[phase] = []Hook{{From: "the stack", Command: "echo " + phase}}
				}
			}
			tool, m := in.tool(), made{plan: "sha256:p", held: "sha256:h", delete: "sha256:d"}
			plan, apply, task := tool.planStep(r, in, m, 2), tool.applyStep(r, in, m, 2), tool.taskStep(r, in, m, 2)
			if in.Vendor.Word() != word || plan.Key != "plan-2" || apply.Key != "apply-2" || task.Key != "task-2" {
				t.Errorf("%s is %s, with the steps %s, %s and %s", word, in.Vendor.Word(), plan.Key, apply.Key, task.Key)
			}
			if apply.MaxAttempts != 1 || task.MaxAttempts != 1 {
				t.Errorf("%s applies %d times, and does tasks %d times", word, apply.MaxAttempts, task.MaxAttempts)
			}
			steps := []run.Step{plan, apply, task}
			if show := tool.showStep(r, in, m, 2); show != nil {
				steps = append(steps, *show)
				if strings.Contains(show.Job.Argv[2], "roadbed_hook") {
					t.Errorf("%s reads a plan with hooks", word)
				}
			}
			for _, step := range steps {
				script := step.Job.Argv[2]
				if out, err := exec.CommandContext(t.Context(), "/bin/sh", "-n", "-c", script).CombinedOutput(); err != nil {
					t.Errorf("the shell can't read %s of %s: %v\n%s", step.Key, word, err, out)
				}
				writes := slices.ContainsFunc(step.Job.Scopes, func(s string) bool { return strings.HasPrefix(s, mayWriteState+"=") })
				applies := step.Key == "apply-2" || step.Key == "task-2"
				if writes && !applies || !step.Job.Sealed || step.Job.Network != in.Network {
					t.Errorf("%s of %s has the scopes %v, sealed %v, network %v", step.Key, word, step.Job.Scopes, step.Job.Sealed, step.Job.Network)
				}
				if want := map[bool]string{true: "writes", false: "reads"}[applies]; step.Job.Env["KEY"] != want {
					t.Errorf("%s of %s has the key that %s", step.Key, word, step.Job.Env["KEY"])
				}
			}
		}
	}
}

func TestALabelOfAStackIsOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`stack:[a-z]{1,63}/[a-z0-9][a-z0-9._-]{0,60}[a-z0-9]`).Draw(t, "name")
		value := labelValue(name)
		if len(value) > 63 || strings.ContainsAny(value, "/:") || strings.ContainsAny(value[len(value)-1:], "-._") {
			t.Fatalf("%s has the label %s", name, value)
		}
		if other := labelValue(name + "x"); other == value {
			t.Fatalf("%s and %sx have one label, %s", name, name, value)
		}
	})
}

const clusterSaid = `{"kubectl":"1.32.4"}
{"part":"after"}
{"apiVersion":"v1","kind":"List","items":[
 {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"n","resourceVersion":"7","managedFields":[{}]},"data":{"x":"1"}},
 {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"n","labels":{"roadbed.dev/stack":"default.net"}},"spec":{"replicas":3}},
 {"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"n"},"data":{"password":"aGlkZGVu"}}]}
{"part":"live"}
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"n","resourceVersion":"6","uid":"u"},"data":{"x":"1"}}
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"n","labels":{"roadbed.dev/stack":"default.net"}},"spec":{"replicas":2},"status":{"x":1}}
{"part":"held"}
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n","labels":{"roadbed.dev/stack":"default.net"}}}
{"apiVersion":"apps/v1beta1","kind":"Deployment","metadata":{"name":"web","namespace":"n","labels":{"roadbed.dev/stack":"default.net"}}}
{"apiVersion":"v1","kind":"Secret","metadata":{"name":"old","namespace":"n","labels":{"roadbed.dev/stack":"default.net"}},"data":{"password":"aGlkZGVu"}}
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"taken","namespace":"n","labels":{"roadbed.dev/stack":"default.other"}}}
`

func TestAPlanOfManifestsTellsWhatComesAndGoes(t *testing.T) {
	t.Parallel()
	_, in := vendorRun(Vendor{Kubernetes: &Kubernetes{}})
	is, err := kubernetesTool{}.read(in, []byte(clusterSaid))
	if err != nil {
		t.Fatal(err)
	}
	data, err := is.plan.encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadPlan(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Summary.String(); got != "1 to create, 1 to change, 2 to destroy" || p.Vendor != vendorKubernetes || p.Engine != "1.32.4" {
		t.Errorf("the plan of %s %s is %s", p.Vendor, p.Engine, got)
	}
	said, err := json.Marshal(p.Changes)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(said), "aGlkZGVu") {
		t.Errorf("the plan shows what a Secret holds: %s", said)
	}
	if want := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"old","namespace":"n"}}` + "\n" + `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}` + "\n"; string(is.delete) != want {
		t.Errorf("what goes is\n%s\nwant\n%s", is.delete, want)
	}
	items, ok := p.beside()[vendorKubernetes].(map[string]any)["items"].([]any)
	if !ok || len(items) != 5 || items[1].(map[string]any)["id"] != "apps/Deployment n/web" {
		t.Errorf("policies see %v", p.beside())
	}

	// What is kept tells the next plan what the stack has; after a failure, all that may be there.
	k := kubernetesKeeper{}
	before := stateFile{}
	for _, done := range []bool{true, false} {
		next, err := k.state(in, before, applied{keep: is.keep, done: done})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(next)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &before); err != nil {
			t.Fatal(err)
		}
		if len(before.Resources) != 3 {
			t.Errorf("done %v: %d resources are kept", done, len(before.Resources))
		}
		is.keep = []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"n"}}` + "\n")
	}
	held, err := k.held(before, nil)
	if err != nil || strings.Count(string(held), "\n") != 3 || !strings.Contains(string(held), `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"n"}}`) {
		t.Errorf("the next plan is told %s: %v", held, err)
	}
}

// TestWhatAClusterCantKnowYetHasItsNamespace plans objects whose kind and namespace come with them.
func TestWhatAClusterCantKnowYetHasItsNamespace(t *testing.T) {
	t.Parallel()
	_, in := vendorRun(Vendor{Kubernetes: &Kubernetes{}})
	is, err := kubernetesTool{}.read(in, []byte(`{"kubectl":"1.32","namespace":"n"}{"part":"after"}
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"m"}}
{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"trains.x.org"},"spec":{"group":"x.org","scope":"Namespaced","names":{"kind":"Train"},"versions":[{"name":"v1","served":true},{"name":"v1alpha1","served":false}]}}
{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"planets.x.org"},"spec":{"group":"x.org","scope":"Cluster","names":{"kind":"Planet"},"versions":[{"name":"v1","served":true}]}}
{"lacks":"kind"}{"apiVersion":"x.org/v1","kind":"Train","metadata":{"name":"express"}}
{"lacks":"kind"}{"apiVersion":"x.org/v1","kind":"Planet","metadata":{"name":"earth"}}
{"lacks":"namespace"}{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}
{"lacks":"namespace"}{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"m"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, c := range is.plan.ResourceChanges {
		said = append(said, c.Address)
	}
	want := []string{"Namespace n", "Namespace m", "apiextensions.k8s.io/CustomResourceDefinition trains.x.org", "apiextensions.k8s.io/CustomResourceDefinition planets.x.org", "x.org/Train n/express", "x.org/Planet earth", "ConfigMap n/a", "ConfigMap m/a"}
	if !slices.Equal(said, want) {
		t.Errorf("the plan has %q, want %q", said, want)
	}
}

func TestAPlanOfManifestsIsRefusedWhereItIsNone(t *testing.T) {
	t.Parallel()
	_, in := vendorRun(Vendor{Kubernetes: &Kubernetes{}})
	twice := `{"part":"after"}` + strings.Repeat(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`, 2)
	for told, want := range map[string]string{
		"{":   "can't be read",
		"[]":  "can't be read",
		twice: "twice",
		`{"part":"after"}{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"a-"}}`:          "generateName",
		`{"part":"after"}{"lacks":"kind"}{"apiVersion":"x.org/v1","kind":"Train","metadata":{"name":"a"}}`: "the cluster has no kind Train in x.org/v1",
		`{"part":"after"}{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"trains.x.org"},"spec":{"group":"x.org","scope":"Cluster","names":{"kind":"Train"},"versions":[{"name":"v2","served":true},{"name":"v1","served":false}]}}{"lacks":"kind"}{"apiVersion":"x.org/v1","kind":"Train","metadata":{"name":"a"}}`: "the cluster has no kind Train in x.org/v1",
		`{"namespace":"n"}{"part":"after"}{"lacks":"namespace"}{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`:                                                                                       "the cluster has no namespace n",
		`{"part":"after"}{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}{"part":"live"}{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"roadbed.dev/stack":"default.other"}}}`: "of the stack default.other",
	} {
		if _, err := (kubernetesTool{}).read(in, []byte(told)); err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) == fault.Internal {
			t.Errorf("%s gives %v, want %s", told, err, want)
		}
	}
}

func TestAPlanOfAPlaybookTellsItsTasks(t *testing.T) {
	t.Parallel()
	_, in := vendorRun(Vendor{Ansible: &Ansible{Playbook: "site.yml"}})
	is, err := ansibleTool{}.read(in, []byte(`{"host":"a","task":"copy","action":"copy","status":"ok","changed":true,"checked":true,"diff":[{"header":"/x","before":"1\n","after":"2\n"},{"header":"/x","before":"3","after":"4"}]}
{"host":"a","task":"copy","action":"copy","status":"ok","changed":false,"checked":true}
{"host":"b","task":"run","action":"command","status":"skipped","checked":false}
{"host":"b","task":"not here","action":"command","status":"skipped","checked":true}
{"host":"b","task":"Gathering Facts","action":"gather_facts","status":"ok","checked":true}
{"host":"b","task":"may fail","action":"fail","status":"ignored","checked":true,"message":"no"}
{"stats":{"ok":{"a":2},"dark":{}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	data, err := is.plan.encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadPlan(data)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, c := range p.Changes {
		said = append(said, c.Address+" "+c.Action+" "+c.Reason)
	}
	want := []string{"a: copy update ", "a: copy (2) no-op ", "b: run update not_checked", "b: may fail no-op ignored"}
	if !slices.Equal(said, want) {
		t.Errorf("the plan has %q, want %q", said, want)
	}
	if before, _ := p.Changes[0].Before.(map[string]any); before["/x"] != "1\n" || before["/x2"] != "3" {
		t.Errorf("before is %v", before)
	}
	if got := string(p.beside()[vendorAnsible].(json.RawMessage)); got != `{"ok":{"a":2},"dark":{}}` {
		t.Errorf("policies see %s", got)
	}
	for _, wrong := range []string{"{\n", "", `{"host":"a","task":"x","status":"ok","checked":true}`} { // the last has no end
		if _, err := (ansibleTool{}).read(in, []byte(wrong)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s gives %v", wrong, err)
		}
	}
}

func TestOutputsOfAFile(t *testing.T) {
	t.Parallel()
	got, err := plainOutputs([]byte(`{"a": 1, "b": {"value": "x", "sensitive": true}, "c": {"other": 2}, "d": {"value": 1, "other": 2}}`))
	if err != nil || string(got["a"].Value) != "1" || string(got["b"].Value) != `"x"` || !got["b"].Sensitive || string(got["c"].Value) != `{"other": 2}` || string(got["d"].Value) != `{"value": 1, "other": 2}` {
		t.Errorf("the outputs are %v: %v", got, err)
	}
	for _, wrong := range []string{"[]", "", `{"a b": 1}`, "{" + strings.Repeat(`"a":1,`, 3)} {
		if _, err := plainOutputs([]byte(wrong)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s gives %v", wrong, err)
		}
	}
}

// FuzzReadTold feeds anything as what steps tell of their plans.
func FuzzReadTold(f *testing.F) {
	f.Add([]byte(clusterSaid))
	f.Add([]byte(`{"host":"a","task":"x","status":"ok","changed":true,"checked":true,"diff":[{"header":"","before":[],"after":{}}]}`))
	f.Add([]byte(`{"lacks":"namespace"}{"apiVersion":"v1","kind":"List","items":[]}{"lacks":"kind"}{"apiVersion":"v1","kind":"A","metadata":{"name":"b"}}`))
	f.Add([]byte(`{"part":"after"}{"apiVersion":1,"kind":[],"metadata":{"name":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range all() {
			_, in := vendorRun(v)
			is, err := in.tool().read(in, data)
			if err != nil || is == nil {
				continue
			}
			plan, err := is.plan.encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ReadPlan(plan); err != nil {
				t.Fatalf("%s was read, and is no plan: %v", data, err)
			}
		}
	})
}
