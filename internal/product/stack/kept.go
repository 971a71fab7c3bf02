package stack

import (
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// An apply begins in a fresh folder, on a worker that may be another. What planning has made or changed beside the plan, such
// as archives of data sources and files of hooks, is kept sealed in between, and is in that folder again.

// outputMade is where a plan step keeps what it has made.
const outputMade = "made"

// Bounds of what is kept between a plan and its apply.
const (
	mostMadeBytes   = 256 << 20
	mostMadeEntries = 20_000
)

// notMade are names of what is the platform's, or is made anew where it is needed.
var notMade = []string{
	".terraform", ".terragrunt-cache", lockFile, "errored.tfstate", "crash.log", "roadbed_backend_override.tf.json", "zzz_roadbed_run.auto.tfvars",
	"node_modules", "__pycache__", ".git",
}

// keeping has a plan step keep what it makes, where that is applied.
func (in Input) keeping(step run.Step) run.Step {
	if !onlyPlans(in.Type) && in.Vendor.Pulumi == nil { // whose own files of a stack are kept as it wants them
		step.Job.Outputs = append(step.Job.Outputs, worker.Output{
			Name: outputMade, Path: "/work/source", Kind: worker.OutputNew, Optional: true, MaxBytes: mostMadeBytes, MaxEntries: mostMadeEntries, Without: notMade,
		})
	}
	return step
}

// takeMade puts what the plan step of a round has made into an apply step, over the sources and below the platform's files.
func takeMade(v *run.View, n int, step run.Step) run.Step {
	plan := v.Step(stepKey("plan", n))
	if plan == nil {
		return step
	}
	if digest := plan.Result.Artifacts[outputMade].Digest; digest != "" {
		step.Job.Sources = append(step.Job.Sources, worker.Source{Path: "source", Blob: digest, Sealed: true})
	}
	return step
}

// saving has a step that changes what is there save what it did when it must end early.
func saving(step run.Step) run.Step {
	step.Job.Changes = true
	return step
}
