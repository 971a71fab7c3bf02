package stack

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ToolAnsible is the pool's tool that is ansible-playbook.
const ToolAnsible = "ansible"

// ansibleTool runs playbooks. A plan is what a check of the playbook tells, by a program of Ansible's that is the platform's:
// the playbook is the repository's, and what it tells of itself is all that is known. An apply runs the playbook of the same
// commit with the same variables.
type ansibleTool struct{}

//go:embed ansible/roadbed.py
var ansibleTells string

const ansibleBegin = `set -eu
trap : TERM
beside="$ROADBED_WORK/engine"
` + failing + hearing + `
export HOME="${HOME:-$ROADBED_WORK/engine}" ANSIBLE_HOME="$ROADBED_WORK/engine/ansible" ANSIBLE_LOCAL_TEMP="$ROADBED_WORK/engine/ansible/tmp"
export ANSIBLE_CALLBACK_PLUGINS="$ROADBED_WORK/engine/callback" ROADBED_TOLD="$ROADBED_WORK/engine/told"
export ANSIBLE_CALLBACKS_ENABLED="roadbed${ANSIBLE_CALLBACKS_ENABLED:+,$ANSIBLE_CALLBACKS_ENABLED}"
export ANSIBLE_NOCOLOR=1 ANSIBLE_RETRY_FILES_ENABLED=0 ANSIBLE_LOCALHOST_WARNING=0 ANSIBLE_INVENTORY_UNPARSED_WARNING=0
command -v ansible-playbook > /dev/null || roadbed_fail 90 "no ansible: this pool has no ansible-playbook; install ansible-core on its machine"
ansible_fails() { # CODE WORDS: a playbook that has begun has told why by itself
  why=$(LC_ALL=C awk '` + clipping + `
    sub(/^ERROR! /, "") || sub(/^\[ERROR\]: /, "") { print clipped($0, 2000); exit }
  ' "$beside/said") || why=
  if [ -s "$ROADBED_WORK/why" ] || [ -z "$why" ]; then exit "$1"; fi
  roadbed_fail "$1" "$2$why"
}
play() {
  rm -f "$ROADBED_WORK/why"
  set -- "$@" --extra-vars "@$ROADBED_WORK/engine/variables.json"
  [ -z "$ROADBED_INVENTORY" ] || set -- "$@" --inventory "$ROADBED_INVENTORY"
  heard command ansible-playbook "$@" "$ROADBED_PLAYBOOK" || ansible_fails "$?" ""
}
`

// ansibleInit brings what the repository asks for of Ansible's collections and roles.
const ansibleInit = `
for wants in requirements.yml requirements.yaml; do
  [ ! -e "$wants" ] || heard ansible-galaxy install -r "$wants" || ansible_fails "$?" "$wants can't be installed: "
done
`

// ansiblePlan leaves nothing of what was there under the name of what is told.
const ansiblePlan = `
: > "$ROADBED_TOLD"
play --check --diff
`

const ansibleApply = `
: > "$ROADBED_TOLD"
play --diff
`

func (t ansibleTool) job(r *run.Run, in Input, script string) worker.Job {
	a := in.Vendor.Ansible
	playbook := a.Playbook
	if in.Type == Destroy {
		playbook = a.Destroy
	}
	variables := in.Variables
	if variables == nil {
		variables = map[string]any{}
	}
	text, err := json.Marshal(variables)
	if err != nil { // they were read from a document
		text = []byte("{}")
	}
	job := toolJob(r, in, ToolAnsible, script, map[string]string{"ROADBED_PLAYBOOK": playbook, "ROADBED_INVENTORY": a.Inventory},
		worker.File{Path: path.Join(aside, "callback", "roadbed.py"), Content: ansibleTells},
		worker.File{Path: path.Join(aside, "variables.json"), Content: string(text), Mode: 0o600})
	job.Env["ROADBED_HIDE"] = strings.Join(slices.Sorted(maps.Keys(job.SecretEnv)), " ")
	return job
}

func (t ansibleTool) planStep(r *run.Run, in Input, _ made, n int) run.Step {
	job := t.job(r, in, in.Given.laid(parts{begin: ansibleBegin, initialize: ansibleInit, do: ansiblePlan}, atBeforePlan, atAfterPlan))
	job.Outputs = append([]worker.Output{{Name: "plan", Path: "/work/engine/told", Kind: worker.OutputFile, MaxBytes: 64 << 20}},
		in.Given.toolOutputs(atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan)...)
	return run.Step{Key: stepKey("plan", n), Title: "Check the playbook", Group: "plan", Pool: in.Pool, Job: job}
}

func (ansibleTool) showStep(*run.Run, Input, made, int) *run.Step { return nil }

func (t ansibleTool) applyStep(r *run.Run, in Input, _ made, n int) run.Step {
	before, after := applyPhases(in)
	job := t.job(r, in, in.Given.laid(parts{begin: ansibleBegin, initialize: ansibleInit, do: ansibleApply}, before, after))
	in.give(r, &job, true)
	job.Outputs = []worker.Output{{Name: "told", Path: "/work/engine/told", Kind: worker.OutputFile, MaxBytes: 64 << 20, Optional: true}}
	if file := in.Vendor.Ansible.Outputs; file != "" {
		job.Outputs = append(job.Outputs, worker.Output{Name: "outputs", Path: path.Join("/work/source", in.Path, file), Kind: worker.OutputFile, MaxBytes: 1 << 20, Optional: in.Type == Destroy})
	}
	job.Outputs = append(job.Outputs, in.Given.toolOutputs(atBeforeInit, atAfterInit, before, after)...)
	return run.Step{Key: stepKey("apply", n), Title: "Run the playbook", Group: "apply", Pool: in.Pool, MaxAttempts: 1, Job: job}
}

func (t ansibleTool) taskStep(r *run.Run, in Input, _ made, n int) run.Step {
	return toolTask(r, in, t.job(r, in, in.Given.laid(parts{begin: ansibleBegin, initialize: ansibleInit, do: performTask}, atBeforePerform, atAfterPerform)), n)
}

// performTask runs the command of a task, which may have set what it likes of the shell.
const performTask = `
eval "$ROADBED_TASK"
roadbed_code=$?
[ "$roadbed_code" = 0 ] || exit "$roadbed_code"
set -eu
`

// toolTask makes the step of a task of its job.
func toolTask(r *run.Run, in Input, job worker.Job, n int) run.Step {
	in.give(r, &job, true)
	job.Env["ROADBED_TASK"] = in.Command
	job.Outputs = append(job.Outputs, in.Given.toolOutputs(atBeforeInit, atAfterInit, atBeforePerform, atAfterPerform)...)
	return run.Step{Key: stepKey("task", n), Title: "Run the command", Group: "task", Pool: in.Pool, MaxAttempts: 1, Job: job}
}

// ansibleEvent is a line of what is told.
type ansibleEvent struct {
	Host    string          `json:"host"`
	Play    string          `json:"play"`
	Task    string          `json:"task"`
	Action  string          `json:"action"`
	Role    string          `json:"role"`
	Status  string          `json:"status"` // ok, skipped, failed, ignored or unreachable
	Changed bool            `json:"changed"`
	Checked bool            `json:"checked"` // whether the module could tell what it would do
	Diff    []ansibleDiff   `json:"diff"`
	Message string          `json:"message"`
	Stats   json.RawMessage `json:"stats"`
}

type ansibleDiff struct {
	Header string `json:"header"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// mostEvents bounds the tasks of a check, over all hosts.
const mostEvents = 100_000

// read shows each task of each host as a resource. What would be done by a module that can't be checked is not known, so
// that it counts as a change.
func (ansibleTool) read(in Input, told []byte) (*reading, error) {
	out := reading{plan: planFile{Vendor: vendorAnsible}}
	seen := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(told))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e ansibleEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fault.Errorf(fault.Invalid, "what was told of the playbook can't be read: %w", err)
		}
		if e.Stats != nil {
			out.plan.About = e.Stats
			continue
		}
		if e.Status == "skipped" && e.Checked || e.Action == "gather_facts" || e.Host == "" {
			continue
		}
		if len(out.plan.ResourceChanges) >= mostEvents {
			return nil, fault.Errorf(fault.TooLarge, "the playbook has more than %d tasks over its hosts; split it", mostEvents)
		}
		address := e.Host + ": " + e.Task
		if seen[address]++; seen[address] > 1 {
			address += fmt.Sprintf(" (%d)", seen[address])
		}
		out.plan.ResourceChanges = append(out.plan.ResourceChanges, e.change(address))
	}
	if err := lines.Err(); err != nil {
		return nil, fault.Wrap(err, "read what was told of the playbook")
	}
	if out.plan.About == nil {
		return nil, fault.Errorf(fault.Invalid, "the check of the playbook has not told how it ended; read its log")
	}
	return &out, nil
}

func (e ansibleEvent) change(address string) planChange {
	c := planChange{Address: cut(address, 2000), Mode: "managed", Type: e.Action, Name: e.Task, ModuleAddress: e.Role, ProviderName: vendorAnsible, Change: planDetail{Actions: []string{"no-op"}}}
	switch {
	case !e.Checked:
		c.ActionReason, c.Change.AfterUnknown = "not_checked", true
		c.Change.Actions = []string{"update"}
	case e.Changed:
		c.Change.Actions = []string{"update"}
	case e.Status != "ok":
		c.ActionReason = e.Status
	}
	before, after := map[string]any{}, map[string]any{}
	for i, d := range e.Diff {
		name := d.Header
		if _, there := before[name]; there || name == "" {
			name = fmt.Sprintf("%s%d", name, i+1)
		}
		before[name], after[name] = d.Before, d.After
	}
	if len(e.Diff) > 0 {
		c.Change.Before, c.Change.After = maps.Clone(before), maps.Clone(after)
	}
	return c
}

func (ansibleTool) keeper(in Input) keeper {
	if in.Vendor.Ansible.Outputs == "" {
		return nil
	}
	return ansibleKeeper{}
}

// ansibleKeeper keeps outputs: Ansible has no state.
type ansibleKeeper struct{}

func (ansibleKeeper) held(stateFile, []byte) ([]byte, error) { return nil, nil }

func (ansibleKeeper) state(in Input, before stateFile, a applied) (*keptState, error) {
	switch {
	case !a.done || in.Type == Task || a.outputs == nil && before.Lineage == "":
		return nil, nil
	case a.outputs == nil:
		return &keptState{}, nil
	}
	outputs, err := plainOutputs(a.outputs)
	return &keptState{Outputs: outputs}, err
}
