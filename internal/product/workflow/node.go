package workflow

import "time"

// Phase is where a node stands, in Argo's words.
type Phase string

const (
	Pending   Phase = "Pending"   // it could start, but a limit or a wait holds it back; or it waits for others
	Running   Phase = "Running"   // under way
	Succeeded Phase = "Succeeded" //
	Skipped   Phase = "Skipped"   // its when is false, or it has no items
	Failed    Phase = "Failed"    // its command failed
	Error     Phase = "Error"     // it could not be run as it is
	Omitted   Phase = "Omitted"   // its depends came out false
)

// Fulfilled tells whether nothing more comes of it.
func (p Phase) Fulfilled() bool { return p != Pending && p != Running && p != "" }

// Completed tells whether it ran to an end.
func (p Phase) Completed() bool { return p == Succeeded || p == Failed || p == Error }

// Bad tells whether it ended badly.
func (p Phase) Bad() bool { return p == Failed || p == Error }

// Types of nodes, in Argo's words.
const (
	TypePod       = "Pod" // a container or script: one step of the run
	TypePlugin    = "Plugin"
	TypeSuspend   = "Suspend"
	TypeSteps     = "Steps"
	TypeStepGroup = "StepGroup"
	TypeDAG       = "DAG"
	TypeTaskGroup = "TaskGroup"
	TypeRetry     = "Retry"
	TypeSkipped   = "Skipped" // it never became a node of another type
)

// Node is one node of the graph of a run, computed from the document and from the leaves.
type Node struct {
	Key      string   // unique within the run; a leaf's is that of its step
	Name     string   // as the document calls it
	Type     string   //
	Template string   // name of its template; "" when inline
	Parent   string   // key of the node that holds it; "" for a root
	Depends  []string // keys of the nodes that come before it
	Phase    Phase
	Message  string
	Step     string // key of the run's step that does it; "" when none does yet, or it is no leaf
	Inputs   map[string]string
	Outputs  Values
	Started  time.Time
	Ended    time.Time
}

// Values are what a node put out.
type Values struct {
	Parameters map[string]string
	Artifacts  map[string]ArtifactValue
	Result     *string // standard output, when something asks for it
	ExitCode   string  // "" when there is none
}

// ArtifactValue is a stored artifact, or one whose content the document gives.
type ArtifactValue struct {
	Digest string `json:"digest,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Kind   string `json:"kind,omitempty"` // file or tree
	Sealed bool   `json:"sealed,omitempty"`
	Raw    string `json:"raw,omitempty"`
	IsRaw  bool   `json:"isRaw,omitempty"`
}

// Leaf is what is known of one step of the run.
type Leaf struct {
	Phase     Phase
	Message   string
	Values    Values
	Started   time.Time // when it became ready
	Ended     time.Time
	Suspended bool
}

// Facts are all that changes while a run goes on.
type Facts struct {
	Leaves  map[string]Leaf // by key
	Now     time.Time
	Created time.Time // of the run
	Started time.Time // zero until the first step is leased
}

// Start is a leaf that shall start now.
type Start struct {
	Key      string
	Name     string
	Group    string // key of the node that holds it
	Type     string // TypePod, TypePlugin or TypeSuspend
	Template Template
	Inputs   Values // of which artifacts are used
	Capture  bool   // standard output is asked for
	Attempt  int    // of its retry strategy, from 0
	Err      error  // why it can't start after all; it then ends as Error

	home string // the WorkflowTemplate in which the template stands; "" is the workflow itself
}

// Outcome is what follows from the facts.
type Outcome struct {
	Phase   Phase // of the workflow: Running, Succeeded, Failed or Error
	Message string
	Nodes   []Node
	Starts  []Start
	Wake    time.Time // when to look again though nothing happens; zero for never
	Waiting bool      // all that is open waits for a person
	Outputs Values    // of the entrypoint
}
