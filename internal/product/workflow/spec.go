package workflow

import (
	"encoding/json"
	"fmt"
)

// APIVersion is the version of all of Argo's documents.
const APIVersion = "argoproj.io/v1alpha1"

// Spec is the spec of a Workflow or WorkflowTemplate, as far as it is supported; see unsupported.go for the rest.
type Spec struct {
	Entrypoint            string          `json:"entrypoint,omitempty"`
	Arguments             Arguments       `json:"arguments,omitzero"`
	Templates             []Template      `json:"templates,omitempty"`
	OnExit                string          `json:"onExit,omitempty"`
	Hooks                 map[string]Hook `json:"hooks,omitempty"` // exit alone
	Parallelism           int             `json:"parallelism,omitempty"`
	ActiveDeadlineSeconds int64           `json:"activeDeadlineSeconds,omitempty"`
	WorkflowTemplateRef   *TemplateRef    `json:"workflowTemplateRef,omitempty"`
	Priority              int             `json:"priority,omitempty"`
}

// exit gives what runs after the workflow.
func (s *Spec) exit() (Hook, bool) { return exitOf(s.OnExit, s.Hooks) }

func exitOf(onExit string, hooks map[string]Hook) (Hook, bool) {
	if onExit != "" {
		return Hook{Template: onExit}, true
	}
	h, found := hooks["exit"]
	return h, found
}

// Arguments are what a caller gives.
type Arguments struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

func (a Arguments) empty() bool { return len(a.Parameters)+len(a.Artifacts) == 0 }

// Parameter is declared, given, or put out.
type Parameter struct {
	Name        string     `json:"name"`
	Value       *Text      `json:"value,omitempty"`
	Default     *Text      `json:"default,omitempty"`
	ValueFrom   *ValueFrom `json:"valueFrom,omitempty"`
	Enum        []Text     `json:"enum,omitempty"`
	Description string     `json:"description,omitempty"`
}

// ValueFrom says where a parameter's value is found.
type ValueFrom struct {
	Path       string `json:"path,omitempty"`       // of an output: a file of the step
	Default    *Text  `json:"default,omitempty"`    // when there is nothing
	Parameter  string `json:"parameter,omitempty"`  // of an output of steps or a dag: a tag
	Expression string `json:"expression,omitempty"` // likewise: an expression
}

// Artifact is a file or folder that a step takes or leaves.
type Artifact struct {
	Name     string          `json:"name"`
	Path     string          `json:"path,omitempty"`
	From     string          `json:"from,omitempty"` // a tag that names another artifact
	Raw      *Raw            `json:"raw,omitempty"`
	Optional bool            `json:"optional,omitempty"`
	Mode     *int32          `json:"mode,omitempty"`
	Archive  json.RawMessage `json:"archive,omitempty"` // artifacts are kept by the platform in its own form
}

// Raw is an artifact's content, given in the document.
type Raw struct {
	Data string `json:"data"`
}

// Template is one piece of work: exactly one of Container, Script, DAG, Steps, Suspend and Plugin is set.
type Template struct {
	Name                  string                     `json:"name,omitempty"`
	Inputs                Inputs                     `json:"inputs,omitzero"`
	Outputs               Outputs                    `json:"outputs,omitzero"`
	Metadata              TemplateMetadata           `json:"metadata,omitzero"`
	Container             *Container                 `json:"container,omitempty"`
	Script                *Script                    `json:"script,omitempty"`
	DAG                   *DAG                       `json:"dag,omitempty"`
	Steps                 [][]Task                   `json:"steps,omitempty"`
	Suspend               *Suspend                   `json:"suspend,omitempty"`
	Plugin                map[string]json.RawMessage `json:"plugin,omitempty"`
	RetryStrategy         *RetryStrategy             `json:"retryStrategy,omitempty"`
	ActiveDeadlineSeconds Text                       `json:"activeDeadlineSeconds,omitempty"`
	Timeout               string                     `json:"timeout,omitempty"`
	FailFast              bool                       `json:"failFast,omitempty"`
	Parallelism           int                        `json:"parallelism,omitempty"`
}

// Inputs are what a template takes.
type Inputs struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// Outputs are what a template gives.
type Outputs struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
}

// TemplateMetadata carries Roadbed's own wishes of a template; see the annotations in job.go.
type TemplateMetadata struct {
	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// Container is a command.
type Container struct {
	Image      string    `json:"image,omitempty"`
	Command    []string  `json:"command,omitempty"`
	Args       []string  `json:"args,omitempty"`
	Env        []EnvVar  `json:"env,omitempty"`
	WorkingDir string    `json:"workingDir,omitempty"`
	Resources  Resources `json:"resources,omitzero"`
}

// Script is a command that is given its source as a file.
type Script struct {
	Container
	Source string `json:"source"`
}

// EnvVar is one variable of a step's environment.
type EnvVar struct {
	Name      string     `json:"name"`
	Value     string     `json:"value,omitempty"`
	ValueFrom *EnvSource `json:"valueFrom,omitempty"`
}

// EnvSource names a secret of the run's space, or one above it.
type EnvSource struct {
	SecretKeyRef *SecretKeyRef `json:"secretKeyRef,omitempty"`
}

// SecretKeyRef names one value of a secret.
type SecretKeyRef struct {
	Name string `json:"name"`
	Key  string `json:"key,omitempty"`
}

// Resources bound a step.
type Resources struct {
	Limits   map[string]Text `json:"limits,omitempty"`
	Requests map[string]Text `json:"requests,omitempty"`
}

// DAG is tasks that depend on one another.
type DAG struct {
	Target   string `json:"target,omitempty"`
	Tasks    []Task `json:"tasks"`
	FailFast *bool  `json:"failFast,omitempty"`
}

// Task is one task of a dag or one step of steps.
type Task struct {
	Name         string          `json:"name,omitempty"`
	Template     string          `json:"template,omitempty"`
	TemplateRef  *TemplateRef    `json:"templateRef,omitempty"`
	Inline       *Template       `json:"inline,omitempty"`
	Arguments    Arguments       `json:"arguments,omitzero"`
	When         string          `json:"when,omitempty"`
	WithItems    []any           `json:"withItems,omitempty"`
	WithParam    string          `json:"withParam,omitempty"`
	WithSequence *Sequence       `json:"withSequence,omitempty"`
	ContinueOn   ContinueOn      `json:"continueOn,omitzero"`
	OnExit       string          `json:"onExit,omitempty"`
	Hooks        map[string]Hook `json:"hooks,omitempty"` // exit alone
	Dependencies []string        `json:"dependencies,omitempty"`
	Depends      string          `json:"depends,omitempty"`
}

// expands tells whether the task stands for many.
func (t *Task) expands() bool {
	return t.WithItems != nil || t.WithParam != "" || t.WithSequence != nil
}

// exit gives what runs after the task has completed.
func (t *Task) exit() (Hook, bool) { return exitOf(t.OnExit, t.Hooks) }

// Hook names a template that runs at an event.
type Hook struct {
	Template    string       `json:"template,omitempty"`
	TemplateRef *TemplateRef `json:"templateRef,omitempty"`
	Arguments   Arguments    `json:"arguments,omitzero"`
}

// TemplateRef names a WorkflowTemplate of the catalog, and one template in it.
type TemplateRef struct {
	Name     string `json:"name"`
	Template string `json:"template,omitempty"`
}

// Sequence counts.
type Sequence struct {
	Count  Text   `json:"count,omitempty"`
	Start  Text   `json:"start,omitempty"`
	End    Text   `json:"end,omitempty"`
	Format string `json:"format,omitempty"`
}

// ContinueOn says which ends of a task are no failure of its parent.
type ContinueOn struct {
	Error  bool `json:"error,omitempty"`
	Failed bool `json:"failed,omitempty"`
}

// on tells whether a phase is one to go on after.
func (c ContinueOn) on(p Phase) bool { return c.Error && p == Error || c.Failed && p == Failed }

// Suspend waits: for a duration, or for a person.
type Suspend struct {
	Duration Text `json:"duration,omitempty"`
}

// RetryStrategy says when a failed leaf is tried again.
type RetryStrategy struct {
	Limit       Text     `json:"limit,omitempty"` // how often again; "" is without end
	RetryPolicy string   `json:"retryPolicy,omitempty"`
	Backoff     *Backoff `json:"backoff,omitempty"`
}

// Backoff is the wait between attempts.
type Backoff struct {
	Duration    Text `json:"duration,omitempty"`
	Factor      Text `json:"factor,omitempty"`
	MaxDuration Text `json:"maxDuration,omitempty"`
	Cap         Text `json:"cap,omitempty"`
}

// Text is text that a document may also write as a number or a boolean.
type Text string

// UnmarshalJSON takes any scalar.
func (t *Text) UnmarshalJSON(data []byte) error {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*t = Text(v)
	case nil:
		*t = ""
	case bool, float64:
		*t = Text(data)
	default:
		return fmt.Errorf("must be text, a number or a boolean")
	}
	return nil
}

// text gives the value of an optional text.
func (t *Text) text() (string, bool) {
	if t == nil {
		return "", false
	}
	return string(*t), true
}

// leaf tells whether a template is done by one step, rather than by others.
func (t *Template) leaf() bool { return t.DAG == nil && t.Steps == nil }

// kind names what a template is.
func (t *Template) kind() string {
	switch {
	case t.Container != nil:
		return "container"
	case t.Script != nil:
		return "script"
	case t.DAG != nil:
		return "dag"
	case t.Steps != nil:
		return "steps"
	case t.Suspend != nil:
		return "suspend"
	case t.Plugin != nil:
		return "plugin"
	}
	return ""
}
