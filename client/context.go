package client

import "time"

// Context is what runs of many stacks share: variables, files and hooks. GET /contexts gives those that the caller may see,
// without what they give (stack:read).
type Context struct {
	Ref         string    `json:"ref" example:"context:default/aws"`
	Namespace   string    `json:"namespace"`
	Name        string    `json:"name"`
	Space       string    `json:"space" doc:"It counts for stacks of this space and of those below."`
	Owner       string    `json:"owner,omitempty"`
	Description string    `json:"description,omitempty"`
	Labels      []string  `json:"labels" doc:"autoattach:LABEL attaches it to the stacks with that label, autoattach:* to all."`
	Priority    int       `json:"priority" doc:"Of two contexts that set the same, that with the greater number wins."`
	Attach      []string  `json:"attach" doc:"Stacks that it names."`
	Updated     time.Time `json:"updated"`
}

// ContextDetail is a context with what it gives. GET /contexts/{namespace}/{name} (stack:read).
type ContextDetail struct {
	Context
	Variables []SetVariable `json:"variables"`
	Files     []SetFile     `json:"files"`
	Hooks     []SetHook     `json:"hooks"`
}

// SetVariable is a variable of the environment of steps.
type SetVariable struct {
	Name      string   `json:"name"`
	Value     string   `json:"value" doc:"Empty for a secret, whose value nobody is shown."`
	SecretRef string   `json:"secretRef,omitempty" doc:"The secret that is its value, as SPACE/NAME."`
	Checksum  string   `json:"checksum,omitempty" doc:"Of the secret's value, for who may read secrets there: equal for equal values of one secret."`
	From      string   `json:"from,omitempty" doc:"A context, \"the stack\", or a file of the repository."`
	Over      []string `json:"over,omitempty" doc:"Whose values it takes the place of, the nearest first."`
}

// SetFile is a file that steps find in their workspace.
type SetFile struct {
	Path      string   `json:"path" doc:"Below the workspace; source/ is the repository."`
	Content   string   `json:"content,omitempty" doc:"Absent for a secret, and for a file of more than 64 KiB."`
	Size      int      `json:"size" doc:"Bytes; 0 for a secret."`
	SecretRef string   `json:"secretRef,omitempty"`
	Checksum  string   `json:"checksum,omitempty" doc:"As of variables."`
	From      string   `json:"from,omitempty"`
	Over      []string `json:"over,omitempty"`
}

// SetHook is a command that runs around a phase.
type SetHook struct {
	Phase   string `json:"phase" example:"beforePlan"`
	Command string `json:"command"`
	From    string `json:"from,omitempty"`
}

// ContextStack is a stack that has a context. GET /contexts/{namespace}/{name}/stacks (stack:read).
type ContextStack struct {
	Ref   string `json:"ref" example:"stack:default/shop-infra"`
	Space string `json:"space"`
	Why   string `json:"why" example:"autoattach:eu" doc:"The label that attaches it, or who names whom."`
}

// StackContext is a context that a stack has, in the order in which they are laid over one another: the last one wins.
type StackContext struct {
	Ref      string `json:"ref" example:"context:default/aws"`
	Space    string `json:"space"`
	Priority int    `json:"priority"`
	Why      string `json:"why" example:"autoattach:eu"`
}

// StackEnvironment is what a run of a stack would be given now, at the head of its branch, and where it is from.
// GET /stacks/{namespace}/{name}/environment (stack:read).
type StackEnvironment struct {
	Contexts  []StackContext `json:"contexts"`
	Variables []SetVariable  `json:"variables"`
	Files     []SetFile      `json:"files"`
	Hooks     []SetHook      `json:"hooks" doc:"In the order in which they run."`
	Path      string         `json:"path" doc:"The folder within the repository."`
	File      string         `json:"file,omitempty" doc:"The file of the repository that says how its stacks run, if it has one."`
	Engine    StackEngine    `json:"engine" doc:"Which engine runs would use now."`
	Tool      *StackEngine   `json:"tool,omitempty" doc:"Which kubectl, Terragrunt or Pulumi; absent where the stack has no such vendor."`
	Wrong     string         `json:"wrong,omitempty" doc:"Why a run would fail before it plans."`
	Warnings  []string       `json:"warnings,omitempty"`
}
