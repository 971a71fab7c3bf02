package stack

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
)

// ToolTerragrunt is the pool's tool that is terragrunt.
const ToolTerragrunt = "terragrunt"

// terragruntTool is the engine, run by Terragrunt: each phase is the engine's, of one unit, and the state is at the
// platform's door as ever.
type terragruntTool struct{}

// terragruntBegin puts Terragrunt in the engine's place, and tells it of the engine. Nothing is known of what it fetches, so
// that a plan is read and applied with all of it.
var terragruntBegin = `
if ! terragrunt=$(command -v terragrunt); then
  echo "no terragrunt: this pool has none; install terragrunt on its machine" >&2
  exit 90
fi
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
	job.Tools = append(job.Tools, ToolTerragrunt)
	job.Env["ROADBED_TOOL_VERSION"] = in.Vendor.Terragrunt.Version
	step.Title = title
	return step
}

func (t terragruntTool) planStep(r *run.Run, in Input, _ made, n int) run.Step {
	return t.by(in, planStep(r, in, n), "Plan by Terragrunt")
}

func (t terragruntTool) showStep(r *run.Run, in Input, m made, n int) *run.Step {
	m.alone = false
	step := t.by(in, showStep(r, in, m, n), "Read the plan")
	return &step
}

func (t terragruntTool) applyStep(r *run.Run, in Input, m made, n int) run.Step {
	m.alone = false
	return t.by(in, applyStep(r, in, m, n), "Apply by Terragrunt")
}

func (t terragruntTool) taskStep(r *run.Run, in Input, _ made, n int) run.Step {
	step := t.by(in, taskStep(r, in, n), "Run the command")
	return step
}

func (terragruntTool) read(Input, []byte) (*reading, error) { return nil, nil }
func (terragruntTool) keeper(Input) keeper                  { return nil }
