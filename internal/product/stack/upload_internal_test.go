package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestWhatARunOfAnUploadIsAskedReachesTheEngine as one word each, whatever is in it.
func TestWhatARunOfAnUploadIsAskedReachesTheEngine(t *testing.T) {
	t.Parallel()
	r := run.Run{ID: "run_1"}
	up := &Upload{Blob: "sha256:x", VariablesBlob: "sha256:v", Targets: []string{`a.b["it's $(x)"]`}, Replace: []string{"c.d"}, NoRefresh: true, RefreshOnly: true, Destroy: true}
	in := Input{Type: Proposed, Stack: "stack:default/net", Path: "infra", Upload: up, Env: map[string]string{"TF_CLI_ARGS_plan": "-parallelism=3"}}
	job := planStep(&r, in, 1).Job
	if want := `-parallelism=3 -destroy -refresh-only -refresh=false '-target=a.b["it'\''s $(x)"]' '-replace=c.d'`; job.Env["TF_CLI_ARGS_plan"] != want {
		t.Errorf("the arguments are %s, want %s", job.Env["TF_CLI_ARGS_plan"], want)
	}
	if want := []worker.Source{{Path: "source", Blob: "sha256:x", Sealed: true}}; !slices.Equal(job.Sources, want) {
		t.Errorf("the sources are %+v, want %+v", job.Sources, want)
	}
	if f := job.Files[0]; f.Path != "source/infra/zzz_roadbed_run.auto.tfvars" || f.Blob != "sha256:v" || !f.Sealed {
		t.Errorf("the variables are %+v", f)
	}
	if apply := applyStep(&r, in, made{plan: "sha256:p"}, 1).Job; apply.Env["TF_CLI_ARGS_plan"] != "-parallelism=3" {
		t.Errorf("an apply has the arguments %s", apply.Env["TF_CLI_ARGS_plan"])
	}
}

func TestWhatARunOfAnUploadMayBeAsked(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		up   Upload
		kind fault.Kind
	}{
		"too many addresses": {Upload{Targets: slices.Repeat([]string{"a"}, 1001)}, fault.TooLarge},
		"no address":         {Upload{Replace: []string{""}}, fault.Invalid},
		"two lines":          {Upload{Targets: []string{"a\n-x"}}, fault.Invalid},
		"no name":            {Upload{Variables: map[string]string{"a = 1\nb": "1"}}, fault.Invalid},
		"a long value":       {Upload{Variables: map[string]string{"a": strings.Repeat("x", 65<<10)}}, fault.TooLarge},
		"much":               {Upload{Message: strings.Repeat("x", 2<<20)}, fault.TooLarge},
	} {
		if err := c.up.check(); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := (Upload{Targets: []string{`module.a["x"].b.c`}, Variables: map[string]string{"a": `"x"`}}).check(); err != nil {
		t.Error(err)
	}
}

// TestASavedPlanWaitsForItsConfirmation also where the stack, or who began the run, asks for no review.
func TestASavedPlanWaitsForItsConfirmation(t *testing.T) {
	t.Parallel()
	for _, in := range []Input{{Type: Tracked, Autodeploy: true}, {Type: Tracked}, {Type: Destroy}} {
		up := Upload{AutoApply: !in.Autodeploy}
		in.Upload = &up
		if in.unreviewed(1) == "" {
			t.Errorf("a %s run with %+v waits", in.Type, up)
		}
		if up.Save = true; in.unreviewed(1) != "" {
			t.Errorf("a saved plan of a %s run with %+v is %s", in.Type, up, in.unreviewed(1))
		}
	}
}
