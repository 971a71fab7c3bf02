package client

import (
	"encoding/json"
	"time"
)

// Stack is infrastructure as code: a folder of a repository that is planned, judged, reviewed and applied.
// GET /stacks and GET /stacks/{namespace}/{name} (stack:read). POST /stacks/{namespace}/{name}/runs begins a run (stack:plan for
// a proposed one and for drift, stack:apply for a tracked one, stack:destroy for one that destroys, stack:task for a command); POST
// /stacks/{namespace}/{name}/unlock frees a state that nobody holds any more (stack:state and stack:unlock; with mine=true the
// caller's own lock, for which stack:state is enough), POST /stacks/{namespace}/{name}/lock takes the lock, with a reason.
type Stack struct {
	Ref        string        `json:"ref" example:"stack:default/shop-infra"`
	Namespace  string        `json:"namespace"`
	Name       string        `json:"name"`
	Space      string        `json:"space"`
	Owner      string        `json:"owner"`
	Component  string        `json:"component,omitempty"`
	Repository string        `json:"repository"`
	Branch     string        `json:"branch"`
	Path       string        `json:"path"`
	Vendor     string        `json:"vendor" enum:"terraform,terragrunt,ansible,kubernetes,pulumi" doc:"What plans and applies it; terraform is OpenTofu too."`
	Autodeploy bool          `json:"autodeploy"`
	WorkerPool string        `json:"workerPool,omitempty" doc:"Where its runs run; absent for the server itself." example:"payments/eu"`
	Message    string        `json:"message,omitempty" doc:"Why its branch can't be read, if it can't."`
	LastRun    *Run          `json:"lastRun,omitempty" doc:"Newest tracked or destroy run."`
	Lock       string        `json:"lock,omitempty" doc:"The engine's information on the lock of the state; absent when it is free."`
	State      *StateVersion `json:"state,omitempty"`
	Can        []string      `json:"can" doc:"What the caller may do with it now, as far as rights go: plan, apply, destroy, task, unlock, state (write its state), state-read (read it)."`

	Drift *StackDrift `json:"drift,omitempty" doc:"What the newest look found, or the newest run that applied; absent before the first."`
	Next  *time.Time  `json:"next,omitempty" doc:"When the first of its schedules is due."`

	Queued int `json:"queued,omitempty" doc:"Runs that wait for the stack, or for a worker."`

	Set *StackMembership `json:"set,omitempty" doc:"The stack set that made it; of one stack, not in lists."`

	DependsOn  []StackNeighbour `json:"dependsOn,omitempty" doc:"Stacks whose runs go first; of one stack, not in lists."`
	Dependents []StackNeighbour `json:"dependents,omitempty" doc:"Stacks that depend on it, as far as they may be read; of one stack, not in lists."`
}

// StackDrift is how what is there differs from what is applied. GET /stacks/{namespace}/{name} (stack:read).
type StackDrift struct {
	Checked time.Time `json:"checked"`
	Found   bool      `json:"found"`
	Run     string    `json:"run" doc:"That looked, or that applied."`
	Summary string    `json:"summary,omitempty" doc:"What a plan would change."`
}

// StackNeighbour is a stack on which another one depends, or which depends on it. GET /stacks/{namespace}/{name} (stack:read).
type StackNeighbour struct {
	Stack   string           `json:"stack" example:"stack:default/net"`
	Outputs []StackOutputUse `json:"outputs" doc:"That are used."`
	Always  bool             `json:"always,omitempty" doc:"A run follows each run, also when no output has changed."`
	Unused  bool             `json:"unused,omitempty" doc:"There is a newer state than the last run that finished was given."`
}

// StackOutputUse is an output of a stack as a variable of another one's runs.
type StackOutputUse struct {
	Output string `json:"output"`
	As     string `json:"as" example:"TF_VAR_vpc_id"`
}

// StateVersion is one version of a stack's state. GET /stacks/{namespace}/{name}/states lists them, the newest first, and GET
// /stacks/{namespace}/{name}/states/{id} gives one by its id, its serial, or "latest" (stack:read). POST
// /stacks/{namespace}/{name}/states/{id}/rollback makes its content the newest version (stack:state). The state itself is what
// PullState gives.
type StateVersion struct {
	ID        string           `json:"id"`
	Serial    int64            `json:"serial"`
	Lineage   string           `json:"lineage" doc:"What it descends from: states of two lineages are of two things."`
	Resources int              `json:"resources"`
	Size      int64            `json:"size" doc:"Bytes."`
	Run       string           `json:"run,omitempty"`
	Actor     Actor            `json:"actor"`
	Outputs   map[string]Value `json:"outputs" doc:"Sensitive ones without their value."`
	Created   time.Time        `json:"created"`
}

// Plan is what a run would change. GET /runs/{id}/plan (run:read). Sensitive values are taken out.
type Plan struct {
	Vendor  string       `json:"vendor" enum:"terraform,ansible,kubernetes,pulumi" doc:"Whose plan it is. Of all but terraform it was put into the form of an engine's plan."`
	Summary Summary      `json:"summary"`
	Changes []PlanChange `json:"changes"`
	Outputs []PlanChange `json:"outputs"`
	Refresh bool         `json:"refresh,omitempty" doc:"It changes the state alone: its changes are what was changed outside, and is taken up."`

	Outside     []PlanChange `json:"outside,omitempty" doc:"What was changed outside since the state was written, as far as it is not among the changes; at most 500."`
	OutsideMore int          `json:"outsideMore,omitempty" doc:"How many of these are left out."`

	Cost *PlanCost `json:"cost,omitempty" doc:"Absent where no price list counts, and infracost has not told it."`
}

// PlanChange is what a plan would do to one resource or output.
type PlanChange struct {
	Address         string `json:"address"`
	PreviousAddress string `json:"previousAddress,omitempty"`
	Type            string `json:"type,omitempty"`
	Name            string `json:"name,omitempty"`
	Module          string `json:"module,omitempty"`
	Action          string `json:"action" enum:"create,update,delete,replace,read,no-op,import,move,forget"`
	Reason          string `json:"reason,omitempty"`
	Before          any    `json:"before,omitempty"`
	After           any    `json:"after,omitempty"`
	AfterUnknown    any    `json:"afterUnknown,omitempty" doc:"True where a value is known only after apply."`
	Sensitive       bool   `json:"sensitive,omitempty" doc:"Some value was taken out. One that becomes another is (sensitive value, changed) after."`

	ReplacePaths []string `json:"replacePaths,omitempty" doc:"Attributes that force the replacement, such as disk[0].size."`
}

// Value is one output of a stack.
type Value struct {
	Value     json.RawMessage `json:"value,omitempty" doc:"Absent when it is sensitive."`
	Type      json.RawMessage `json:"type,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

// Summary counts what a plan would do.
type Summary struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Delete  int `json:"delete"`
	Replace int `json:"replace"`
	NoOp    int `json:"noop"`
	Import  int `json:"import,omitempty"`
	Move    int `json:"move,omitempty"`
	Forget  int `json:"forget,omitempty"`
	Refresh int `json:"refresh,omitempty" doc:"Resources whose change outside is taken up into the state."`
	Outputs int `json:"outputs" doc:"Outputs that change."`
}
