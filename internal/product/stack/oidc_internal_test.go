package stack

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// What a step shows a cloud says whether it may change something: only what was reviewed, and tasks, may.
func TestATokenSaysWhatItsStepDoes(t *testing.T) {
	t.Parallel()
	r := &run.Run{ID: "run_1", Space: "payments", Source: run.Source{Repository: "payments/shop", Commit: "c0ffee"}}
	in := Input{Stack: "stack:payments/net", OIDC: OIDC{Audience: "sts.amazonaws.com"}, Autodeploy: true, Command: "tofu state list"}
	for _, kind := range []string{Tracked, Proposed, Destroy, Drift, Task} {
		in.Type = kind
		steps := map[string]run.Step{"read": planStep(r, in, 1), "write": applyStep(r, in, made{plan: "x"}, 1)}
		if kind == Task {
			steps = map[string]run.Step{"write": taskStep(r, in, 1)}
		}
		for scope, step := range steps {
			got := step.Job.IDToken
			if got == nil || got.Audience != "sts.amazonaws.com" || got.Subject != "space:payments:stack:payments/net:run_type:"+kind+":scope:"+scope || got.Claims["scope"] != scope ||
				got.Claims["run_type"] != kind || got.Claims["stack"] != "payments/net" || got.Claims["repository"] != "payments/shop" || got.Claims["commit"] != "c0ffee" {
				t.Errorf("step %s of a %s run is given %+v", step.Key, kind, got)
			}
		}
		if step := showStep(r, in, made{plan: "x"}, 1); step.Job.IDToken != nil {
			t.Errorf("the step that reads a plan is given %+v", step.Job.IDToken)
		}
	}
	in.OIDC = OIDC{}
	for _, job := range []worker.Job{planStep(r, in, 1).Job, applyStep(r, in, made{plan: "x"}, 1).Job} {
		if job.IDToken != nil {
			t.Errorf("a stack that asks for none is given %+v", job.IDToken)
		}
	}
}

// Each command of a run is in its image, and a pool without images refuses it; what is judged is read in the pool's own.
func TestStepsRunInTheImageOfTheirRun(t *testing.T) {
	t.Parallel()
	r := &run.Run{ID: "run_1", Space: "payments"}
	in := Input{Stack: "stack:payments/net", Type: Tracked, Image: "registry.example.com/ci/base:1"}
	for _, step := range []run.Step{planStep(r, in, 1), applyStep(r, in, made{plan: "x"}, 1)} {
		if step.Job.Image != in.Image || !step.Job.OwnImage {
			t.Errorf("step %s runs in %q, %t", step.Key, step.Job.Image, step.Job.OwnImage)
		}
	}
	if job := showStep(r, in, made{plan: "x"}, 1).Job; job.Image != "" || job.OwnImage {
		t.Errorf("the plan is read in %q", job.Image)
	}
	in.Image = ""
	if job := planStep(r, in, 1).Job; job.Image != "" || job.OwnImage {
		t.Errorf("without an image it runs in %q, %t", job.Image, job.OwnImage)
	}
}

// The image that is nearest counts: the repository's for this stack, the stack's, the repository's for all; and with
// version 2 the repository's before the stack's.
func TestWhichImageCounts(t *testing.T) {
	t.Parallel()
	const both = "stack_defaults: {runner_image: of-all}\nstacks:\n  net: {runner_image: of-net}\n"
	own := stackOf(t, "")
	own.Spec.Image = "own"
	for text, want := range map[string]string{
		"version: \"1\"\n" + both: "of-net", "version: \"2\"\n" + both: "of-net",
		"version: \"1\"\nstack_defaults: {runner_image: of-all}\n": "own", "version: \"2\"\nstack_defaults: {}\n": "own",
	} {
		if e := combine(own, nil, configurationOf(t, ourConfiguration, text)); e.Image != want {
			t.Errorf("%s gives %q, want %q", text, e.Image, want)
		}
	}
	s := &Service{}
	e := Environment{Image: "x", ImageFrom: ourConfiguration}
	if s.settleImage(&e, ""); e.Image != "" || e.Wrong != "" || len(e.Warnings) != 1 {
		t.Errorf("where there are none, a repository's is %+v", e)
	}
	e = Environment{Image: "x", ImageFrom: fromStack}
	if s.settleImage(&e, ""); e.Wrong == "" {
		t.Errorf("where there are none, a stack's is %+v", e)
	}
}
