package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Limits bound the steps of a stack's runs.
type Limits struct {
	Memory int64  `json:"memory,omitempty"` // bytes; 0 means 2 GiB
	Time   string `json:"time,omitempty"`   // of each step, such as 30m; "" means one hour
}

func (l Limits) time() (time.Duration, error) {
	if l.Time == "" {
		return time.Hour, nil
	}
	d, err := time.ParseDuration(l.Time)
	if err == nil && (d < time.Minute || d > 24*time.Hour) {
		err = fault.Errorf(fault.Invalid, "%s is not between a minute and a day", l.Time)
	}
	return d, err
}

// over tells what a document asks for that no step gets here.
func (l Limits) over(d document.Document, most execute.Limits) (wrong []fault.Detail) {
	if most.Memory > 0 && l.Memory > most.Memory {
		wrong = append(wrong, d.At(fmt.Sprintf("%d bytes of memory are more than any step gets here", l.Memory),
			fmt.Sprintf("write at most %d (%d MiB), or have the administrator raise --step-memory", most.Memory, most.Memory>>20), "spec", "limits", "memory"))
	}
	if long, err := l.time(); err == nil && l.Time != "" && most.Time > 0 && long > most.Time {
		wrong = append(wrong, d.At(fmt.Sprintf("%s is longer than any step runs here", l.Time),
			fmt.Sprintf("write at most %s, or have the administrator raise --step-time", most.Time), "spec", "limits", "time"))
	}
	return wrong
}

// ToolEngine is the pool's tool that holds the engine; its environment names the program in ROADBED_ENGINE.
const ToolEngine = "engine"

// EngineIs is where that tool's environment says what its program is, as `version` begins: "OpenTofu v1.12.6". It may be
// missing.
const EngineIs = "ROADBED_ENGINE_IS"

// begin finds the engine, and has it keep its things beside the sources: programs that a repository brings along in its
// .terraform are not run as providers. Each process of an engine takes tens of milliseconds only to begin, so that what
// can be known without one is; and where no provider shares the step's memory, swift has the engine collect its garbage
// less often, which is a quarter of its time.
const begin = phasing + `set -eu
trap : TERM # a shell that ends would take the engine with it
export TF_DATA_DIR="$ROADBED_WORK/engine"
if [ -z "${ROADBED_ENGINE:-}" ] || [ ! -x "$ROADBED_ENGINE" ]; then
  echo "no engine: this pool has neither OpenTofu nor Terraform; put one on the server's PATH, name it with --engine, or run make tools" >&2
  exit 90
fi
case "${ROADBED_ENGINE_NAME:-}" in
tofu) wanted=OpenTofu ;;
terraform) wanted=Terraform ;;
*) wanted= ;;
esac
if [ -n "$wanted" ]; then
  is=${ROADBED_ENGINE_IS:-}
  [ -n "$is" ] || is=$("$ROADBED_ENGINE" version)
  is=${is%%"
"*}
  case $is in
  "$wanted "*) ;;
  *)
    echo "this stack asks for $ROADBED_ENGINE_NAME, and this pool has $is; change spec.engine, or the server's --engine" >&2
    exit 92
    ;;
  esac
fi
if [ -n "${ROADBED_ENGINE_IS:-}" ]; then
  if [ "${ROADBED_ENGINE_PLANNED:-$ROADBED_ENGINE_IS}" != "$ROADBED_ENGINE_IS" ]; then
    echo "this run was planned by $ROADBED_ENGINE_PLANNED, and the pool has $ROADBED_ENGINE_IS by now; start a new run" >&2
    exit 96
  fi
  echo "roadbed: $ROADBED_ENGINE_IS"
  printf '%s' "$ROADBED_ENGINE_IS" > "$ROADBED_WORK/engine-is"
fi
swift() { export GOGC="${GOGC:-400}" GOMEMLIMIT="${GOMEMLIMIT:-$ROADBED_ENGINE_MEMORY}"; }
` + mirroring + reach

// backend tells the engine where its state is.
const backend = `
export TF_HTTP_PASSWORD="$ROADBED_TOKEN" TF_HTTP_ADDRESS="$ROADBED_URL$ROADBED_STATE"
export TF_HTTP_LOCK_ADDRESS="$TF_HTTP_ADDRESS" TF_HTTP_UNLOCK_ADDRESS="$TF_HTTP_ADDRESS"
`

// showScript tells what is in a plan, in a folder that nothing of the planning has touched: what programs did there,
// such as those of external data, can't change what is judged and reviewed. showAlone does so in a sandbox of the same step, where
// no init is needed for it: a plan holds all of the configuration.
const (
	showScript = begin + `
unset TF_CLI_ARGS TF_CLI_ARGS_init TF_CLI_ARGS_show # they could name another plan
roadbed_phase init
GOGC="${GOGC:-400}" "$ROADBED_ENGINE" init -input=false -no-color -backend=false
roadbed_phase show
` + showIt
	showAlone = `set -eu
trap : TERM # as above
` + linking + `
if [ ! -s engine.links ]; then
  export GOGC="${GOGC:-400}" GOMEMLIMIT="${GOMEMLIMIT:-$ROADBED_ENGINE_MEMORY}"
elif ! linking < engine.links; then
  echo "roadbed: a provider of this plan is not shown here any more; another step fetches it to read the plan"
  exit 0
else
  mkdir shown
  cd shown
  cat ../engine.lock > .terraform.lock.hcl
fi
` + showIt
	showIt = `"$ROADBED_ENGINE" show -json "$ROADBED_WORK/plan.bin" > "$ROADBED_WORK/plan.json"
`
)

// applyScript begins without the file in which an engine leaves a state that it could not write: one that the repository
// brings along is nobody's. A plan names its backend, which was looked at before it was made. Where there are locked
// providers, applying wants to see the file as planning left it.
const applyScript = applyBegin + begin + backend + applyPrepare + applyIt + phaseDone

const applyBegin = `rm -rf errored.tfstate
roadbed_into=$PWD
` + leaving

const applyIt = `
roadbed_phase apply
` + nothingLeft + `roadbed_engine apply -input=false -no-color -auto-approve -lock-timeout=10m "$ROADBED_WORK/plan.bin"
`

// override puts the platform's own backend in place of any that the configuration names.
const override = `{"terraform":{"backend":{"http":{}}}}` + "\n"

// engineConfig keeps the engine from running programs of the repository as providers, as it would those that lie in its
// terraform.d/plugins: planning must not do what nobody has reviewed.
const engineConfig = `disable_checkpoint = true
provider_installation {
  direct {}
}
`

func planStep(r *run.Run, in Input, n int) run.Step {
	job := engineJob(r, in, in.Given.planning())
	job.Scopes = in.scopes(mayReadState)
	if in.Type == Destroy {
		job.Env["ROADBED_PLAN_ARGS"] = "-destroy"
	}
	if onlyPlans(in.Type) { // it changes nothing, and must not hold up what does, whatever its configuration runs
		job.Env["ROADBED_PLAN_ARGS"] = "-lock=false"
	} else {
		job.Scopes = append(job.Scopes, mayLockState+"="+stackName(in.Stack))
	}
	in.Upload.chosen(replanOf(r)).planArgs(&job)
	job.Outputs = []worker.Output{
		{Name: "plan", Path: "/work/plan.bin", Kind: "file", MaxBytes: 256 << 20},
		engineSaid,
		{Name: outputLock, Path: "/work/" + in.lockPath(), Kind: worker.OutputFile, MaxBytes: 16 << 20, Optional: true},
	}
	job.Outputs = append(job.Outputs, initOutputs()...)
	job.Outputs = append(job.Outputs, in.Given.hookOutputs(atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan)...)
	if !in.Given.hooked(atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan) {
		in.Given.Init.give(&job)
	}
	if !in.asksInfracost() { // else a step reads the plan that has what the stack gives it
		job.Then = readAlone(job)
	}
	return run.Step{Key: stepKey("plan", n), Title: "Plan", Group: "plan", Pool: in.Pool, Job: job}
}

// readAlone is the second command of a step that plans, which tells what is in the plan: see showAlone.
func readAlone(job worker.Job) *worker.Then {
	then := &worker.Then{
		If: outputAlone, Argv: []string{"/bin/sh", "-c", showAlone}, Takes: []string{"plan.bin", "engine.links", "engine.lock"}, Tools: job.Tools, Outputs: []worker.Output{planJSON},
		Files: []worker.File{{Path: "engine.rc", Content: engineConfig, Mode: 0o600}}, Env: map[string]string{},
	}
	then.Outputs[0].Optional = true
	for _, name := range []string{"TF_IN_AUTOMATION", "TF_CLI_CONFIG_FILE", "CHECKPOINT_DISABLE", "ROADBED_WORK", "ROADBED_ENGINE_MEMORY"} {
		then.Env[name] = job.Env[name]
	}
	then.Env["TF_DATA_DIR"] = "/work/engine"
	return then
}

// planJSON is what is in a plan, as the engine tells it.
var planJSON = worker.Output{Name: "plan-json", Path: "/work/plan.json", Kind: "file", MaxBytes: 256 << 20}

// planRead gives the step that has told what is in a plan; nil while none has.
func planRead(steps ...*run.Step) *run.Step {
	for _, s := range steps {
		if s != nil && s.State == run.StepSucceeded && s.Result.Artifacts[planJSON.Name].Digest != "" {
			return s
		}
	}
	return nil
}

// engineSaid is where a step says what its engine is, such as "OpenTofu v1.12.6"; missing where the pool does not know.
var engineSaid = worker.Output{Name: OutputEngine, Path: "/work/engine-is", Kind: worker.OutputText, MaxBytes: 200, Optional: true}

// OutputEngine is the name of that output.
const OutputEngine = "engine"

// outputLock is the lock file of providers as planning leaves it. The steps after it get that one: each would find other
// versions or hashes else, and an engine applies no plan that was made with others.
// Of Pulumi it is the stack's configuration with its salt: see pulumiInit.
const outputLock = "lock"

// lockPath is where it stands in the workspace.
func (in Input) lockPath() string { return path.Join("source", in.Path, lockFile) }

// made is what a plan step has left for the steps after it.
type made struct {
	plan   string // digest
	alone  bool
	links  string // providers that are linked to; see linking
	init   *Init  // of the plan before; nil for none
	engine string // as it calls itself; "" when it is not known
	tool   string // the version of the vendor's program; "" when it is not known
	held   string // digest of what the platform keeps for the tool; "" for nothing
	delete string // digest of what is deleted besides, by what was judged; "" for nothing
	lock   string // digest; "" for none
}

func madeBy(plan *run.Step) made {
	said := func(output string) string { return strings.TrimSpace(plan.Result.Outputs[output]) }
	m := made{
		plan: plan.Result.Artifacts["plan"].Digest, alone: said(outputAlone) == "yes" && said(outputAfresh) == "",
		engine: said(OutputEngine), tool: said(toolSaid.Name), lock: plan.Result.Artifacts[outputLock].Digest,
	}
	if m.alone {
		m.links = said(outputLinks)
	}
	return m
}

// madeIn gives what the steps of a round have left so far.
func madeIn(v *run.View, n int) made {
	m := made{}
	if plan := v.Step(stepKey("plan", n)); plan != nil {
		m = madeBy(plan)
	}
	m.held = heldFor(v, n).held
	if verdict, err := verdictOf(v, n); err == nil {
		m.delete = verdict.Delete
	}
	return m
}

// take gives a job what a plan step has made.
func (m made) take(in Input, job *worker.Job) {
	job.Files = append(job.Files, worker.File{Path: "plan.bin", Blob: m.plan, Sealed: true, Mode: 0o600})
	if m.lock != "" && len(job.Sources) > 0 {
		job.Files = append(job.Files, worker.File{Path: in.lockPath(), Blob: m.lock, Sealed: true, Mode: 0o600})
	}
	if job.Env["ROADBED_ALONE"] = ""; m.alone {
		job.Env["ROADBED_ALONE"] = "yes"
	}
	job.Env["ROADBED_LINKS"], job.Env["ROADBED_ENGINE_PLANNED"] = m.links, m.engine
}

// showStep reads no state: its token lets it install modules and providers, and nothing else.
func showStep(r *run.Run, in Input, m made, n int) run.Step {
	job := engineJob(r, in, in.showing(showScript))
	job.Scopes, job.IDToken = in.scopes(""), nil
	m.take(in, &job)
	job.Image, job.OwnImage = "", false // what the repository names is not asked what is in the plan
	job.Outputs = []worker.Output{planJSON}
	if in.asksInfracost() {
		job.Extras, job.Outputs = []string{ToolInfracost}, append(job.Outputs, infracostSaid)
	}
	return run.Step{Key: stepKey("show", n), Title: "Read the plan", Group: "plan", Pool: in.Pool, Job: job}
}

// applyStep has one attempt: an apply whose worker was lost may have changed something, so a person looks first.
func applyStep(r *run.Run, in Input, m made, n int) run.Step {
	before, after := applyPhases(in)
	job := engineJob(r, in, in.Given.applying(before, after))
	in.give(r, &job, true)
	m.take(in, &job)
	job.Outputs = append(leftIn(path.Join("/work/source", in.Path)), engineSaid)
	job.Outputs = append(job.Outputs, in.Given.hookOutputs(atBeforeInit, atAfterInit, before, after)...)
	return run.Step{Key: stepKey("apply", n), Title: "Apply", Group: "apply", Pool: in.Pool, MaxAttempts: 1, Job: job}
}

func engineJob(r *run.Run, in Input, script string) worker.Job {
	name := stackName(in.Stack)
	job := base(r, in, script)
	maps.Copy(job.Env, map[string]string{
		"TF_IN_AUTOMATION":       "1",
		"TF_INPUT":               "0",
		"CHECKPOINT_DISABLE":     "1",
		"ROADBED_PLAN_ARGS":      "",
		"ROADBED_ENGINE_NAME":    in.Engine,
		"ROADBED_ENGINE_MEMORY":  strconv.FormatInt(job.Limits.Memory/4*3, 10),
		"ROADBED_STATE":          "/api/state/" + name, // at the door
		"TF_HTTP_USERNAME":       "run",
		"TF_HTTP_RETRY_MAX":      "5",
		"TF_HTTP_RETRY_WAIT_MIN": "1",
		"TF_CLI_CONFIG_FILE":     "/work/engine.rc",
	})
	job.Files = append(append(in.files(), in.unshelled()...),
		worker.File{Path: path.Join("source", in.Path, "roadbed_backend_override.tf.json"), Content: override, Mode: 0o600},
		worker.File{Path: "engine.rc", Content: engineConfig, Mode: 0o600})
	job.Tools, job.Door, job.Scopes = []string{in.Given.Engine.Tool()}, true, in.scopes(mayWriteState)
	if in.Given.Mirror != nil {
		in.Given.Mirror.environment(job.Env)
	}
	in.give(r, &job, false)
	in.inImage(&job)
	return job
}

// scopes gives what the token of a step may do: install modules and providers, and something with its stack's state, ""
// for nothing.
func (in Input) scopes(state string) []string {
	all := registryScopes()
	if state != "" {
		all = append(all, state+"="+stackName(in.Stack))
	}
	if in.Given.Mirror != nil {
		all = append(all, scopeMirror)
	}
	return all
}

// templates keeps what looks like a template of HCL, in which an engine reads JSON, what it is.
var templates = strings.NewReplacer("${", "$${", "%{", "%%{")

// variable writes a value as an engine reads it from TF_VAR_: text as it is, anything else as JSON.
func variable(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return templates.Replace(string(b))
}
