package stack

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// TestWhichVersionOfAVendorsProgram has the machine's own taken where it will do, else what there is besides.
func TestWhichVersionOfAVendorsProgram(t *testing.T) {
	t.Parallel()
	usual := shelf{
		name: "tofu", version: "1.12.6", own: map[string]string{"kubectl": "1.32.4"},
		more: map[string][]string{"kubectl": {"1.31.14", "1.32.9", "1.37.1"}, "pulumi": {"3.274.1"}},
	}
	for name, c := range map[string]struct {
		spec, tool, held, wrong string
		agents                  bool
	}{
		"no vendor":                       {},
		"a vendor without":                {spec: "  vendor: {ansible: {playbook: a.yml}}"},
		"the machine's":                   {spec: "  vendor: {kubernetes: {}}", tool: "kubectl"},
		"the machine's will do":           {spec: "  vendor: {kubernetes: {kubectlVersion: '1.32'}}", tool: "kubectl@1.32.4", held: "1.32.4"},
		"it will not":                     {spec: "  vendor: {kubernetes: {kubectlVersion: ~1.31}}", tool: "kubectl@1.31.14", held: "1.31.14"},
		"the newest":                      {spec: "  vendor: {kubernetes: {kubectlVersion: latest}}", tool: "kubectl@1.37.1", held: "1.37.1"},
		"the machine has none":            {spec: "  vendor: {pulumi: {stackName: a}}", tool: "pulumi@3.274.1", held: "3.274.1"},
		"there is none":                   {spec: "  vendor: {terragrunt: {}}", tool: "terragrunt", wrong: "a program that can't be had: there is no terragrunt"},
		"there is no such":                {spec: "  vendor: {pulumi: {stackName: a, pulumiVersion: '2'}}", tool: "pulumi@2", wrong: "there is no pulumi 2"},
		"agents find theirs":              {spec: "  vendor: {terragrunt: {terragruntVersion: '>= 0.98, < 1'}}", tool: "terragrunt@>= 0.98, < 1", agents: true},
		"agents, where nothing was asked": {spec: "  vendor: {kubernetes: {}}", tool: "kubectl", agents: true},
	} {
		s := &Service{Deps: Deps{Engines: usual}}
		stack := stackOf(t, c.spec)
		var e Environment
		if err := s.chooseProgram(t.Context(), &e, stack.Spec.Vendor, c.agents); err != nil {
			t.Fatal(err)
		}
		in := Input{Vendor: stack.Spec.Vendor, Given: Given{Tool: e.Tool}}
		tool, _ := stack.Spec.Vendor.program()
		if got := e.Tool.program(tool); got != c.tool || in.toolVersion() != c.held {
			t.Errorf("%s: %q, held to %q; want %q, %q", name, got, in.toolVersion(), c.tool, c.held)
		}
		if !strings.Contains(e.Wrong, c.wrong) || (e.Wrong == "") != (c.wrong == "") {
			t.Errorf("%s: wrong is %q; want %q", name, e.Wrong, c.wrong)
		}
		if c.tool == "" {
			continue
		}
		program, wanted, ok := ParseProgram(c.tool)
		if !ok || program != tool || c.held != "" && wanted.Exact() != c.held {
			t.Errorf("%s: %s is read as %s %s, %v", name, c.tool, program, wanted, ok)
		}
	}
	for _, bad := range []string{"engine", "engine:tofu@1.0.0", "tofu@1.9.0", "kubectl@../x", "kubectl@newest", "sh@1.0.0", ""} {
		if name, _, ok := ParseProgram(bad); ok {
			t.Errorf("%q is %s", bad, name)
		}
	}
}

// TestStepsAfterAPlanHaveItsProgram: what was chosen nowhere, as on agents, is asked for as the plan had it, if it is one that will do.
func TestStepsAfterAPlanHaveItsProgram(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ version, wanted, said, tool, planned string }{
		{"", "~1.31", "1.31.4", "kubectl@1.31.4", "1.31.4"},
		{"", "latest", "1.37.1+k3s1", "kubectl@1.37.1", "1.37.1"},
		{"", "~1.31", "6.6.6", "kubectl@~1.31", ""}, // which a hook has written
		{"", "~1.31", "../../x", "kubectl@~1.31", ""},
		{"", "~1.31", "", "kubectl@~1.31", ""},
		{"", "", "1.32.4", "kubectl", "1.32.4"}, // whose machine has another one stops
		{"1.31.14", "~1.31", "1.31.14", "kubectl@1.31.14", ""},
	} {
		r, in := vendorRun(Vendor{Kubernetes: &Kubernetes{KubectlVersion: c.wanted}})
		in.Given.Tool = EngineChoice{Name: ToolKubectl, Version: c.version, Wanted: c.wanted}
		m := made{plan: "sha256:p", tool: c.said}
		plan, after := in.tool().planStep(r, in, made{}, 1), in.plannedBy(m)
		for _, job := range []*struct{ tools, env string }{
			{after.tool().applyStep(r, after, m, 1).Job.Tools[0], after.tool().applyStep(r, after, m, 1).Job.Env["ROADBED_TOOL_PLANNED"]},
			{after.tool().showStep(r, after, m, 1).Job.Tools[0], after.tool().showStep(r, after, m, 1).Job.Env["ROADBED_TOOL_PLANNED"]},
		} {
			if job.tools != c.tool || job.env != c.planned {
				t.Errorf("%+v: it has %s, planned by %q", c, job.tools, job.env)
			}
		}
		if plan.Job.Env["ROADBED_TOOL_PLANNED"] != "" || !slices.ContainsFunc(plan.Job.Outputs, func(o worker.Output) bool { return o.Name == toolSaid.Name }) {
			t.Errorf("%+v: the plan has %v, and tells %v", c, plan.Job.Env, plan.Job.Outputs)
		}
	}
	if _, in := vendorRun(Vendor{Kubernetes: &Kubernetes{}}); in.plannedBy(made{tool: "1.2.3"}).planned != "" { // where nobody keeps programs
		t.Error("a program is held to that was not chosen")
	}
	for is, want := range map[string]string{"1.32.4": "", "1.32.4+k3s1": "", "1.32.4-eks-1": "", "1.32.40": "1.32.40 by now", "1.33.0": "this run was planned by kubectl 1.32.4, and the pool has 1.33.0 by now; start a new run", "": "has one that does not tell"} {
		why, _, code := sh(t, "set -eu\n"+failing+"is='"+is+"'\n"+wantVersion("kubectl"), os.Getenv("PATH"), nil, "ROADBED_TOOL_PLANNED=1.32.4", "ROADBED_TOOL_VERSION=")
		if (code == 96) != (want != "") || !strings.Contains(why, want) {
			t.Errorf("of %q: %d, %s", is, code, why)
		}
	}
}
