package stack

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// ToolTerragrunt is the pool's tool that is terragrunt.
const ToolTerragrunt = "terragrunt"

// terragruntTool is the engine, run by Terragrunt: each phase is the engine's, of one unit, and the state is at the
// platform's door as ever.
type terragruntTool struct{}

// terragruntBegin puts Terragrunt in the engine's place, and tells it of the engine. Nothing is known of what it fetches, so
// that a plan is read and applied with all of it.
var terragruntBegin = failing + `
terragrunt=$(command -v terragrunt) || roadbed_fail 90 "no terragrunt: this pool has none; install terragrunt on its machine"
is=$("$terragrunt" --version | sed -n 's/.*version v\{0,1\}\([0-9][^ ]*\).*/\1/p')
` + wantVersion("terragrunt") + `
export TG_TF_PATH="$ROADBED_ENGINE" TG_NON_INTERACTIVE=true TG_NO_AUTO_INIT=true TG_NO_COLOR=true TG_TF_FORWARD_STDOUT=true
export TG_DOWNLOAD_DIR="$ROADBED_WORK/engine/terragrunt"
ROADBED_ENGINE=$terragrunt
ROADBED_ENGINE_IS=
`

// by has a step of the engine's run by Terragrunt.
func (terragruntTool) by(in Input, step run.Step, title string) run.Step {
	job := &step.Job
	script := &job.Argv[len(job.Argv)-1]
	*script = strings.Replace(*script, begin, begin+terragruntBegin, 1)
	job.Tools = append(job.Tools, in.Given.Tool.program(ToolTerragrunt))
	job.Env["ROADBED_TOOL_VERSION"], job.Env["ROADBED_TOOL_PLANNED"] = in.toolVersion(), in.planned
	job.Outputs = telling(job.Outputs)
	step.Title = title
	return step
}

func (t terragruntTool) planStep(r *run.Run, in Input, _ made, n int) run.Step {
	step := t.by(in, planStep(r, in, n), "Plan by Terragrunt")
	step.Job.Outputs = append(step.Job.Outputs, toolSaid)
	return step
}

// lockedOnly prepares an engine for the providers of a lock file, and for nothing else.
const lockedOnly = `
mkdir -p "$ROADBED_WORK/shown"
cd "$ROADBED_WORK/shown"
{
  echo 'terraform {'
  echo '  required_providers {'
  [ ! -e .terraform.lock.hcl ] ||
    sed -n 's/^provider "\([^"]*\)" {$/\1/p' .terraform.lock.hcl | awk '{printf "    p%d = { source = \"%s\" }\n", NR, $1}'
  echo '  }'
  echo '}'
} > main.tf
roadbed_phase init
GOGC="${GOGC:-400}" "$ROADBED_ENGINE" init -input=false -no-color -backend=false
`

// showStep is the engine's own, with nothing of the repository: Terragrunt would run programs that it names, and what they
// did would be judged in place of the plan. A plan has its configuration; to be read it needs its providers alone.
func (terragruntTool) showStep(r *run.Run, in Input, m made, n int) *run.Step {
	step := showStep(r, in, m, n)
	job := &step.Job
	job.Argv[len(job.Argv)-1] = in.showing(begin + "unset TF_CLI_ARGS TF_CLI_ARGS_init TF_CLI_ARGS_show\n" + lockedOnly + "roadbed_phase show\n" + showIt)
	job.Dir, job.Sources = execute.WorkDir, nil
	job.Files = []worker.File{
		{Path: "engine.rc", Content: engineConfig, Mode: 0o600}, {Path: "plan.bin", Blob: m.plan, Sealed: true, Mode: 0o600},
	}
	if m.lock != "" {
		job.Files = append(job.Files, worker.File{Path: "shown/.terraform.lock.hcl", Blob: m.lock, Sealed: true, Mode: 0o600})
	}
	return &step
}

func (t terragruntTool) applyStep(r *run.Run, in Input, m made, n int) run.Step {
	m.alone, m.links = false, ""
	return t.by(in, applyStep(r, in, m, n), "Apply by Terragrunt")
}

func (t terragruntTool) taskStep(r *run.Run, in Input, _ made, n int) run.Step {
	step := t.by(in, taskStep(r, in, n), "Run the command")
	return step
}

func (terragruntTool) read(Input, []byte) (*reading, error) { return nil, nil }
func (terragruntTool) keeper(Input) keeper                  { return nil }
