package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func contextOf(t *testing.T, text string) attachment {
	t.Helper()
	all, err := document.Parse("context.yaml", []byte("apiVersion: roadbed.dev/v1\nkind: Context\n"+text), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	spec, wrong := readContext(all[0])
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	return attachment{Context: Context{Ref: all[0].Ref(), Space: "default", Spec: spec}}
}

func documentOf(t *testing.T, spec string) document.Document {
	t.Helper()
	all, err := document.Parse("stack.yaml", []byte("apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: net}\nspec:\n  owner: a\n  source: {repository: crew/net}\n"+spec), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func stackOf(t *testing.T, spec string) Stack {
	t.Helper()
	d := documentOf(t, spec)
	read, wrong := read(d)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	return Stack{Ref: d.Ref(), Space: "default", Spec: read, Path: read.Source.Path}
}

func configurationOf(t *testing.T, file, text string) configuration {
	t.Helper()
	c, err := parseConfiguration(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContextsAreAttachedByHandAndByLabel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ context, stack, why string }{
		"not at all":         {"metadata: {name: a}\nspec: {labels: [eu]}", "  labels: [eu]", ""},
		"by the stack":       {"metadata: {name: a}\nspec: {}", "  contexts: [a]", NamedByStack},
		"by the context":     {"metadata: {name: a}\nspec: {attach: [net]}", "", NamedByContext},
		"another namespace":  {"metadata: {name: a, namespace: other}\nspec: {attach: [net]}", "  contexts: [a]", ""},
		"by a label":         {"metadata: {name: a}\nspec: {labels: [\"autoattach:eu\"]}", "  labels: [prod, eu]", "autoattach:eu"},
		"by another label":   {"metadata: {name: a}\nspec: {labels: [\"autoattach:eu\"]}", "  labels: [us]", ""},
		"by all":             {"metadata: {name: a}\nspec: {labels: [\"autoattach:*\"]}", "", "autoattach:*"},
		"by hand and label":  {"metadata: {name: a}\nspec: {labels: [\"autoattach:*\"]}", "  contexts: [\"context:default/a\"]", NamedByStack},
		"a label with parts": {"metadata: {name: a}\nspec: {labels: [\"autoattach:team:shop\"]}", "  labels: [\"team:shop\"]", "autoattach:team:shop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := contextOf(t, c.context), stackOf(t, c.stack)
			if got := a.Spec.attaches(a.Ref, s.Ref, s.Spec); got != c.why {
				t.Errorf("%q, want %q", got, c.why)
			}
		})
	}
}

// The order: by priority, labels before what is attached by hand, the first of the alphabet last; then the file of the
// repository and the stack, as its version says.
func TestTheNearestValueWins(t *testing.T) {
	t.Parallel()
	contexts := []attachment{
		contextOf(t, "metadata: {name: low}\nspec:\n  variables: [{name: A, value: low}, {name: B, value: low}, {name: S, secretRef: default/s}, {name: TF_VAR_region, value: low}]\n  files: [{path: f, content: low}]\n  hooks: {beforePlan: [low], afterPlan: [low]}"),
		contextOf(t, "metadata: {name: high}\nspec:\n  priority: 5\n  variables: [{name: B, value: high}, {name: C, value: high}, {name: D, value: high}]\n  files: [{path: f, content: high}, {path: g, content: high}]\n  hooks: {beforePlan: [high], afterPlan: [high]}"),
	}
	stack := stackOf(t, "  variables: {region: own, size: 3}\n  environment: [{name: C, value: own}, {name: D, value: own}, {name: S, value: own}]\n  files: [{path: g, content: own}]\n  hooks: {beforePlan: [own], beforeInit: [own]}")
	const file = "stack_defaults:\n  environment: {D: defaults, E: defaults}\n  before_plan: [defaults]\n  before_init: []\nstacks:\n  net: {environment: {E: mine, TF_VAR_region: mine}}\n  other: {environment: {A: never}}\n"
	values := func(e Environment) string {
		var out []string
		for _, v := range e.Variables {
			out = append(out, v.Name+"="+v.Value+v.SecretRef)
		}
		return strings.Join(out, " ")
	}
	hooks := func(e Environment, phase string) string {
		var out []string
		for _, h := range e.Hooks[phase] {
			out = append(out, h.Command)
		}
		return strings.Join(out, " ")
	}
	inOrder(contexts)
	none := combine(stack, contexts, configuration{})
	if got, want := values(none), "A=low B=high C=own D=own S=own TF_VAR_region=own TF_VAR_size=3"; got != want {
		t.Errorf("without a file: %s\nwant %s", got, want)
	}
	if got, want := hooks(none, atBeforePlan)+"; "+hooks(none, atAfterPlan)+"; "+hooks(none, atBeforeInit), "low high own; high low; own"; got != want {
		t.Errorf("hooks are %s, want %s", got, want)
	}
	if f := none.Files; len(f) != 2 || f[0].Content != "high" || f[0].Over[0] != "context:default/low" || f[1].Content != "own" {
		t.Errorf("files are %+v", f)
	}
	if len(none.Terraform) != 2 {
		t.Errorf("the stack's variables are %v", none.Terraform)
	}
	second := combine(stack, contexts, configurationOf(t, ourConfiguration, file))
	if got, want := values(second), "A=low B=high C=own D=defaults E=mine S=own TF_VAR_region=mine TF_VAR_size=3"; got != want {
		t.Errorf("version 2: %s\nwant %s", got, want)
	}
	if got, want := hooks(second, atBeforePlan)+"; "+hooks(second, atBeforeInit), "low high defaults; "; got != want {
		t.Errorf("hooks of version 2 are %s, want %s", got, want)
	}
	if _, still := second.Terraform["region"]; still || len(second.Terraform) != 1 {
		t.Errorf("the stack's variables are %v", second.Terraform)
	}
	first := combine(stack, contexts, configurationOf(t, theirConfiguration, file))
	if got, want := values(first), "A=low B=high C=own D=own E=mine S=own TF_VAR_region=mine TF_VAR_size=3"; got != want {
		t.Errorf("version 1: %s\nwant %s", got, want)
	}
	if got, want := hooks(first, atBeforePlan), "low high own"; got != want {
		t.Errorf("hooks of version 1 are %s, want %s", got, want)
	}
}

// However contexts come out of a table, a run is given the same.
func TestTheOrderOfContextsIsOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []attachment
		for i := range rapid.IntRange(1, 6).Draw(t, "contexts") {
			a := attachment{Context: Context{Ref: ref.New("context", "default", fmt.Sprintf("c%d", i))}, Why: rapid.SampledFrom([]string{NamedByStack, Autoattach + "*"}).Draw(t, "why")}
			a.Spec.Priority = rapid.IntRange(0, 2).Draw(t, "priority")
			a.Spec.Variables = []Variable{{Name: "X", Value: a.Ref.Name}}
			all = append(all, a)
		}
		other := rapid.Permutation(all).Draw(t, "other")
		inOrder(all)
		inOrder(other)
		if one, two := combine(Stack{}, all, configuration{}), combine(Stack{}, other, configuration{}); one.Variables[0].Value != two.Variables[0].Value {
			t.Fatalf("%+v and %+v", one.Variables, two.Variables)
		}
		last := all[len(all)-1]
		for _, a := range all {
			if a.Spec.Priority > last.Spec.Priority || a.Spec.Priority == last.Spec.Priority && !a.byLabel() && last.byLabel() {
				t.Fatalf("%s wins over %s", last.Ref, a.Ref)
			}
		}
	})
}

func TestWhatAFileSaysWrongIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":            {"a: [", "can't be read"},
		"a list":             {"- a", "is not a mapping"},
		"an unknown field":   {"stack_default: {}", "stack_default"},
		"an unknown setting": {"stacks: {net: {befor_init: [a]}}", "befor_init"},
		"no list":            {"stack_defaults: {before_init: ls}", "before_init"},
		"a version":          {"version: 3", "version 3 is unknown"},
		"a root outside":     {"stacks: {net: {project_root: ../x}}", "leaves the repository"},
		"an absolute root":   {"stacks: {net: {project_root: /etc}}", "leaves the repository"},
		"a reserved name":    {"stack_defaults: {environment: {ROADBED_TOKEN: a}}", "set by the platform"},
		"a bad name":         {"stack_defaults: {environment: {a-b: a}}", "not the name of a variable"},
		"a mapping":          {"stack_defaults: {environment: {TF_VAR_a: {b: c}}}", "is no text"},
		"arguments":          {"stack_defaults: {environment: {TF_CLI_ARGS_plan: -out=x}}", "can't have -out"},
		"an empty hook":      {"stacks: {net: {after_run: ['']}}", "is empty"},
		"a stack so named":   {"stacks: {stack_defaults: {project_root: /x}}", "leaves the repository"},
		"many values":        {"a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d]", "can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseConfiguration(ourConfiguration, []byte(c.text))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), ourConfiguration) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	c := configurationOf(t, theirConfiguration, "version: \"1\"\nstack_defaults:\n  runner_image: x\n  environment: {N: 5, B: true}\nstacks:\n  a: &shared\n    terraform_version: 0.12.4\n    project_root: infra/\n  net: {<<: *shared}\nmodule_version: 1.0.0\n")
	e := combine(stackOf(t, ""), nil, c)
	if e.Path != "infra" || len(e.Warnings) != 0 || e.Image != "x" || e.ImageFrom != theirConfiguration || len(e.Variables) != 2 || e.Variables[0].Value != "true" {
		t.Errorf("%+v", e)
	}
}

func TestWhatAContextMayNotSay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ spec, want string }{
		"out of the workspace": {"files: [{path: ../x, content: a}]", "spec.files.0.path"},
		"below and out":        {"files: [{path: a/../../x, content: a}]", "spec.files.0.path"},
		"an absolute path":     {"files: [{path: /etc/passwd, content: a}]", "spec.files.0.path"},
		"the sources":          {"files: [{path: source, content: a}]", "a file of the platform"},
		"the plan":             {"files: [{path: plan.bin, content: a}]", "a file of the platform"},
		"the engine's folder":  {"files: [{path: engine/terraform.tfstate, content: a}]", "a file of the platform"},
		"the backend":          {"files: [{path: source/infra/roadbed_backend_override.tf.json, content: a}]", "a file of the platform"},
		"a file twice":         {"files: [{path: a, content: a}, {path: a, content: b}]", "is there twice"},
		"two contents":         {"files: [{path: a, content: a, secretRef: b/c}]", "keep one of them"},
		"two values":           {"variables: [{name: A, value: a, secretRef: b/c}]", "keep one of them"},
		"a reserved name":      {"variables: [{name: ro_LD_PRELOAD, value: a}]", "set by the platform"},
		"all arguments":        {"variables: [{name: TF_CLI_ARGS, value: a}]", "TF_CLI_ARGS can't be set"},
		"a plugin folder":      {"variables: [{name: TF_CLI_ARGS_init, value: -plugin-dir=x}]", "can't have -plugin-dir=x"},
		"a help":               {"variables: [{name: TF_CLI_ARGS_apply, value: -help}]", "can't have -help"},
		"another plan":         {"variables: [{name: wo_TF_CLI_ARGS_apply, value: other.bin}]", "can't have other.bin"},
		"a phase":              {"hooks: {beforeShow: [a]}", "beforeShow"},
		"no stack":             {"attach: [\"component:default/a\"]", "is not a stack"},
		"a label":              {"labels: [\"a,b\"]", "is not a label"},
		"no label to attach":   {"labels: [\"autoattach:\"]", "names no label"},
		"a priority":           {"priority: -1", "not between"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := document.Parse("c.yaml", []byte("apiVersion: roadbed.dev/v1\nkind: Context\nmetadata: {name: a}\nspec: {"+c.spec+"}\n"), document.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			_, wrong := readContext(all[0])
			if !strings.Contains(fmt.Sprint(wrong), c.want) {
				t.Errorf("%v, want %s", wrong, c.want)
			}
		})
	}
	for _, fine := range []string{"-parallelism=3", `-var "a=b"`, "-target=module.x -refresh=false", "-var-file=x.tfvars -lock-timeout=1m"} {
		if wrong, _ := arguments(Variable{Name: "TF_CLI_ARGS_plan", Value: fine}); wrong != "" {
			t.Errorf("%s: %s", fine, wrong)
		}
	}
}

// A credential for writing is not given to what nobody has reviewed.
func TestVariablesForReadingAndWriting(t *testing.T) {
	t.Parallel()
	in := Input{
		Type: Tracked, Stack: "stack:default/net", Variables: map[string]any{"tags": map[string]any{"a": "${b}"}},
		Env:       map[string]string{"PLAIN": "p", "ro_TOKEN": "reads", "BOTH": "plain", "wo_BOTH": "writes"},
		SecretEnv: map[string]string{"wo_TOKEN": "default/writes", "ro_ONLY": "default/reads"},
		Given:     Given{Files: []Mount{{Path: "kubeconfig", SecretRef: "default/k"}}, Labels: []string{"eu", "prod"}},
	}
	r := &run.Run{ID: "run_1", Space: "shop", Source: run.Source{Repository: "crew/net", Commit: "abc", Ref: "refs/heads/main"}}
	plan, apply := planStep(r, in, 1).Job, applyStep(r, in, made{}, 1).Job
	if e := plan.Env; e["TOKEN"] != "reads" || e["BOTH"] != "plain" || e["PLAIN"] != "p" || len(plan.SecretEnv) != 1 || plan.SecretEnv["ONLY"] != "default/reads" {
		t.Errorf("to plan: %v %v", e, plan.SecretEnv)
	}
	if e := apply.Env; e["TOKEN"] != "" || e["BOTH"] != "writes" || e["PLAIN"] != "p" || len(apply.SecretEnv) != 1 || apply.SecretEnv["TOKEN"] != "default/writes" {
		t.Errorf("to apply: %v %v", e, apply.SecretEnv)
	}
	for name, want := range map[string]string{
		"TF_VAR_spacelift_stack_id": "net", "TF_VAR_spacelift_space_id": "shop", "TF_VAR_spacelift_run_type": "TRACKED", "TF_VAR_spacelift_run_id": "run_1",
		"TF_VAR_spacelift_commit_branch": "main", "TF_VAR_spacelift_stack_labels": "eu,prod", "TF_VAR_spacelift_stack_labels_list": `["eu","prod"]`,
		"TF_VAR_spacelift_workspace_root": "/work", "TF_VAR_tags": `{"a":"$${b}"}`, "ROADBED_BRANCH": "main",
		"TFC_RUN_ID": "run-1", "TFC_WORKSPACE_NAME": "net", "TFC_WORKSPACE_SLUG": "shop/net", "TFC_PROJECT_NAME": "Default Project",
		"TFC_CONFIGURATION_VERSION_GIT_BRANCH": "main", "TF_VAR_TFC_CONFIGURATION_VERSION_GIT_COMMIT_SHA": "abc", "TFC_CONFIGURATION_VERSION_GIT_TAG": "",
	} {
		if plan.Env[name] != want || apply.Env[name] != want {
			t.Errorf("%s is %q and %q, want %q", name, plan.Env[name], apply.Env[name], want)
		}
	}
	if f := apply.Files[0]; f.Path != "kubeconfig" || f.Secret != "default/k" || len(apply.Files) != 4 {
		t.Errorf("files are %+v", apply.Files)
	}
	if read := showStep(r, in, made{}, 1).Job; slices.Sorted(maps.Keys(read.SecretEnv))[0] != "ONLY" {
		t.Errorf("what reads a plan is given %+v", read.SecretEnv)
	}
	if then := plan.Then; len(then.Files) != 1 || then.Files[0].Content != engineConfig || len(then.Env) != 6 || !slices.Equal(then.Takes, []string{"plan.bin", "engine.links", "engine.lock"}) {
		t.Errorf("what reads a plan of the engine alone is given %+v", then)
	}
}

// FuzzConfiguration: whatever a repository says is read or refused, and what is read can be laid over a stack.
func FuzzConfiguration(f *testing.F) {
	for _, seed := range []string{
		"version: \"2\"\nstack_defaults: {before_init: [a], environment: {A: 1}}\nstacks: {net: {project_root: infra, after_run: [b]}}\n",
		"stacks:\n  a: &a {environment: {TF_CLI_ARGS_plan: -parallelism=3}}\n  net: {<<: *a}\n", "version: 1\nstacks: {default/net: {before_plan: []}}\n", "[", "{}", "a: b",
	} {
		f.Add(seed)
	}
	stack := Stack{Ref: ref.New("stack", "default", "net"), Path: "infra"}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConfiguration(theirConfiguration, []byte(text))
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
				t.Fatalf("%v", err)
			}
			return
		}
		e := combine(stack, nil, c)
		if strings.HasPrefix(e.Path, "..") || strings.HasPrefix(e.Path, "/") {
			t.Fatalf("its folder is %q", e.Path)
		}
		for _, v := range e.Variables {
			if isReserved(bare(v.Name)) || choosesPrices(v.Name) {
				t.Fatalf("it sets %s", v.Name)
			}
		}
	})
}
