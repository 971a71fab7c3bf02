package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Vendor chooses what plans and applies a stack, by Spacelift's names: one of these, or none for OpenTofu and Terraform.
type Vendor struct {
	Terragrunt *Terragrunt `json:"terragrunt,omitempty"`
	Ansible    *Ansible    `json:"ansible,omitempty"`
	Kubernetes *Kubernetes `json:"kubernetes,omitempty"`
	Pulumi     *Pulumi     `json:"pulumi,omitempty"`
}

// Terragrunt has Terragrunt run the engine.
type Terragrunt struct {
	Version string `json:"terragruntVersion,omitempty"` // such as 0.99, a constraint or latest; "" for what the pool has
}

// Ansible runs a playbook.
type Ansible struct {
	Playbook  string `json:"playbook"`            // within the stack's folder, as all of these
	Inventory string `json:"inventory,omitempty"` // "" for what its ansible.cfg or the environment says
	Destroy   string `json:"destroy,omitempty"`   // the playbook that takes everything down; "" for none
	Outputs   string `json:"outputs,omitempty"`   // a file of JSON that the playbook leaves; "" for no outputs
}

// Kubernetes applies manifests to a cluster.
type Kubernetes struct {
	Namespace      string `json:"namespace,omitempty"`      // of all objects; "" for those that they name
	KubectlVersion string `json:"kubectlVersion,omitempty"` // such as 1.32, a constraint or latest; "" for what the pool has
	Outputs        string `json:"outputs,omitempty"`        // the name of a ConfigMap; "" for no outputs
}

// Pulumi runs a program of Pulumi's.
type Pulumi struct {
	StackName string `json:"stackName"`
	LoginURL  string `json:"loginUrl,omitempty"` // of a backend that keeps the state; "" for the platform

	PulumiVersion string `json:"pulumiVersion,omitempty"` // as of kubectl
}

// Words for vendors, as policies and people see them.
const (
	vendorEngine     = "terraform"
	vendorTerragrunt = "terragrunt"
	vendorAnsible    = "ansible"
	vendorKubernetes = "kubernetes"
	vendorPulumi     = "pulumi"
)

// Word names the vendor of a stack: terraform, which is OpenTofu too, terragrunt, ansible, kubernetes or pulumi.
func (v Vendor) Word() string {
	switch {
	case v.Terragrunt != nil:
		return vendorTerragrunt
	case v.Ansible != nil:
		return vendorAnsible
	case v.Kubernetes != nil:
		return vendorKubernetes
	case v.Pulumi != nil:
		return vendorPulumi
	}
	return vendorEngine
}

// tool is what a stack's runs ask of a vendor. Locks, reviews, policies, hooks and the versions of states are the same for
// all. A run has a plan step, one that tells what is in the plan, where the plan does not tell itself, and one that applies
// what was judged. See docs/tools.md.
type tool interface {
	// planStep makes a plan: its artifact "plan".
	planStep(r *run.Run, in Input, m made, n int) run.Step
	// showStep tells what is in a plan, as the artifact "plan-json"; nil where the plan itself is to be read.
	showStep(r *run.Run, in Input, m made, n int) *run.Step
	// applyStep applies a plan. It has one attempt.
	applyStep(r *run.Run, in Input, m made, n int) run.Step
	// taskStep runs a command beside the configuration.
	taskStep(r *run.Run, in Input, m made, n int) run.Step
	// read puts what was told of a plan into the form of an engine's plan; nil where it has it.
	read(in Input, told []byte) (*reading, error)
	// keeper writes the state for a tool that does not do that by itself, at the platform's door; nil for one that does.
	keeper(in Input) keeper
}

// tool gives the body of the contract for a run.
func (in Input) tool() tool {
	switch in.Vendor.Word() {
	case vendorTerragrunt:
		return terragruntTool{}
	case vendorAnsible:
		return ansibleTool{}
	case vendorKubernetes:
		return kubernetesTool{}
	case vendorPulumi:
		return pulumiTool{}
	}
	return engineTool{}
}

// engineTool is OpenTofu and Terraform.
type engineTool struct{}

func (engineTool) planStep(r *run.Run, in Input, m made, n int) run.Step {
	if n > 1 { // not what failed in a round before
		in.Given.Init = m.init
	}
	return planStep(r, in, n)
}

func (engineTool) showStep(r *run.Run, in Input, m made, n int) *run.Step {
	step := showStep(r, in, m, n)
	return &step
}
func (engineTool) applyStep(r *run.Run, in Input, m made, n int) run.Step {
	return applyStep(r, in, m, n)
}
func (engineTool) taskStep(r *run.Run, in Input, _ made, n int) run.Step { return taskStep(r, in, n) }
func (engineTool) read(Input, []byte) (*reading, error)                  { return nil, nil }
func (engineTool) keeper(Input) keeper                                   { return nil }

// base gives what the jobs of all tools have in common: the sources, what the run tells of itself, and the limits.
func base(r *run.Run, in Input, script string) worker.Job {
	memory := in.Limits.Memory
	if memory == 0 {
		memory = 2 << 30
	}
	limit, err := in.Limits.time()
	if err != nil { // its document was checked
		limit = time.Hour
	}
	return worker.Job{
		Kind: worker.KindCommand,
		Argv: []string{"/bin/sh", "-c", script},
		Dir:  path.Join("/work/source", in.Path),
		Env: map[string]string{
			"ROADBED_RUN":    r.ID,
			"ROADBED_STACK":  in.Stack,
			"ROADBED_COMMIT": r.Source.Commit,
			"ROADBED_WORK":   execute.WorkDir,
		},
		Sources: []worker.Source{in.source(r)},
		Network: in.Network,
		Sealed:  true, // a plan holds sensitive values in the clear
		Limits:  execute.Limits{Memory: memory, Time: limit, Processes: 512, Output: 64 << 20},
	}
}

// toolJob is the job of a step whose program keeps no state at the door.
func toolJob(r *run.Run, in Input, tool, script string, env map[string]string, files ...worker.File) worker.Job {
	job := base(r, in, script)
	maps.Copy(job.Env, env)
	job.Tools, job.Files = []string{in.Given.Tool.program(tool)}, files
	in.give(r, &job, false)
	in.inImage(&job)
	return job
}

// aside is where the things of a tool are, beside the sources.
const aside = "engine"

// parts is what a tool's step does, piece by piece.
type parts struct {
	begin      string // finds the program
	initialize string
	guard      string // before anything of hooks runs: keeps what was reviewed
	guarded    string // after what comes before the work
	do         string
}

// laid gives the script of a step, with hooks around its parts.
func (g Given) laid(p parts, before, after string) string {
	if !g.hooked(atBeforeInit, atAfterInit, before, after) {
		return phasing + p.begin + begun("init", p.initialize) + begun(phaseOf(before), p.do) + phaseDone
	}
	script := phasing + p.begin + p.guard + hooking + g.around(atBeforeInit) + begun("init", p.initialize) + g.around(atAfterInit) +
		g.around(before) + p.guarded + begun(phaseOf(before), p.do) + g.around(after)
	if before == atBeforeApply || before == atBeforeDestroy {
		script += "echo yes > \"$ROADBED_WORK/applied\"\n"
	}
	return script + phaseDone
}

// wantVersion has a program be of the version that was chosen for the run, and of what a distributor makes of that.
func wantVersion(program string) string {
	return `
if [ -n "${ROADBED_TOOL_PLANNED:-}" ]; then
  case $is in
  "$ROADBED_TOOL_PLANNED" | "$ROADBED_TOOL_PLANNED"-* | "$ROADBED_TOOL_PLANNED"+*) ;;
  *) roadbed_fail 96 "this run was planned by ` + program + ` $ROADBED_TOOL_PLANNED, and the pool has ${is:-one that does not tell} by now; start a new run" ;;
  esac
fi
if [ -n "$ROADBED_TOOL_VERSION" ]; then
  case $is in
  "$ROADBED_TOOL_VERSION" | "$ROADBED_TOOL_VERSION".* | "$ROADBED_TOOL_VERSION"-* | "$ROADBED_TOOL_VERSION"+*) ;;
  *) roadbed_fail 92 "this stack asks for ` + program + ` $ROADBED_TOOL_VERSION, and this pool has ${is:-one that does not tell}; start a new run, or change the version in spec.vendor" ;;
  esac
fi
if [ -n "$is" ]; then
  echo "roadbed: ` + program + ` $is"
  printf '%.100s' "$is" > "$ROADBED_WORK/tool-is"
fi
`
}

// reading is a plan as it was told, in the form of an engine's.
type reading struct {
	plan   planFile
	delete []byte // what the apply deletes, as a file beside its plan; nil for nothing
	keep   []byte // what is there when it is applied, for the keeper
}

// encode gives a plan as engines write it.
func (p planFile) encode() ([]byte, error) {
	p.FormatVersion = "1.2"
	return json.Marshal(p)
}

var (
	objectName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	namespaceOf  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	pulumiStack  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}(/[A-Za-z0-9._-]{1,100}){0,2}$`)
	loginAddress = regexp.MustCompile(`^(https?|s3|gs|azblob|postgres)://[^\s"']{1,500}$`)
)

// checkVendor tells what is wrong with the choice of a vendor.
func (s Spec) checkVendor(bad func(message, hint string, at ...string)) {
	v, chosen := s.Vendor, []string{}
	file := func(value string, needed bool, at ...string) {
		clean := path.Clean(value)
		switch {
		case value == "" && !needed:
		case value == "" || path.IsAbs(value) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(clean, "-") || len(value) > 500 || strings.ContainsAny(value, "\x00\n"):
			bad(fmt.Sprintf("%q is not a file within the stack's folder", value), "write a path such as site.yml", append([]string{"spec", "vendor"}, at...)...)
		}
	}
	fits := func(pattern *regexp.Regexp, value, what, hint string, at ...string) {
		if value != "" && !pattern.MatchString(value) {
			bad(fmt.Sprintf("%q is not %s", value, what), hint, append([]string{"spec", "vendor"}, at...)...)
		}
	}
	version := func(name, value string, at ...string) {
		if _, err := toolchain.ParseFor(name, value); err != nil {
			bad(fault.Message(err), "or the first numbers of a version, such as 1.32", append([]string{"spec", "vendor"}, at...)...)
		}
	}
	if t := v.Terragrunt; t != nil {
		chosen = append(chosen, vendorTerragrunt)
		version(ToolTerragrunt, t.Version, vendorTerragrunt, "terragruntVersion")
	}
	if a := v.Ansible; a != nil {
		chosen = append(chosen, vendorAnsible)
		file(a.Playbook, true, vendorAnsible, "playbook")
		file(a.Inventory, false, vendorAnsible, "inventory")
		file(a.Destroy, false, vendorAnsible, "destroy")
		file(a.Outputs, false, vendorAnsible, "outputs")
	}
	if k := v.Kubernetes; k != nil {
		chosen = append(chosen, vendorKubernetes)
		fits(namespaceOf, k.Namespace, "the name of a namespace", "write small letters, digits and -", vendorKubernetes, "namespace")
		version(ToolKubectl, k.KubectlVersion, vendorKubernetes, "kubectlVersion")
		fits(objectName, k.Outputs, "the name of a ConfigMap", "write small letters, digits, - and .", vendorKubernetes, "outputs")
		if len(s.Variables) > 0 {
			bad("manifests have no variables", "write environment for the programs of hooks, or use a kustomization", "spec", "variables")
		}
	}
	if p := v.Pulumi; p != nil {
		chosen = append(chosen, vendorPulumi)
		if p.StackName == "" {
			bad("is missing", "write the name of Pulumi's stack, such as prod", "spec", "vendor", vendorPulumi, "stackName")
		}
		fits(pulumiStack, p.StackName, "the name of a stack of Pulumi's", "write NAME, or ORGANIZATION/PROJECT/NAME", vendorPulumi, "stackName")
		version(ToolPulumi, p.PulumiVersion, vendorPulumi, "pulumiVersion")
		fits(loginAddress, p.LoginURL, "the address of a backend of Pulumi's", "write https://…, s3://… and the like, or leave it out: then the platform keeps the state", vendorPulumi, "loginUrl")
	}
	switch {
	case len(chosen) > 1:
		bad(strings.Join(chosen, " and ")+" can't plan and apply one stack", "keep one of them, and make a stack for each other", "spec", "vendor")
	case len(chosen) == 1 && chosen[0] != vendorTerragrunt && s.Engine.Name != "":
		bad(fmt.Sprintf("%s has no engine", chosen[0]), "take engine out, or vendor", "spec", "engine")
	case len(chosen) == 1 && s.Source.Upload:
		bad(chosen[0]+" needs a repository", "name it in source; what is uploaded is for OpenTofu and Terraform", "spec", "source", "upload")
	}
}

// can tells why a stack has no runs of a type; nil when it has.
func (v Vendor) can(kind string) error {
	if a := v.Ansible; a != nil && a.Destroy == "" && kind == Destroy {
		return fault.Errorf(fault.Conflict, "a playbook can't be taken back; name one that takes everything down in spec.vendor.ansible.destroy")
	}
	return nil
}

// inits tells whether a vendor has an init of an engine.
func (v Vendor) inits() bool { return v.Ansible == nil && v.Kubernetes == nil && v.Pulumi == nil }

// needsNetwork tells whether a vendor does nothing without a network.
func (v Vendor) needsNetwork() bool { return v.Kubernetes != nil }
