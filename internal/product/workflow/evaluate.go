package workflow

import (
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	maxNodes = 5000 // of a run
	maxDepth = 100  // of templates within templates
)

// Plan is a workflow with all that it names, ready to be evaluated. It is a run's input and is stored as JSON.
type Plan struct {
	Name        string                   `json:"name"`
	Space       string                   `json:"space"`
	Spec        Spec                     `json:"spec"`
	Refs        map[string]Spec          `json:"refs,omitempty"`      // WorkflowTemplates that it names, by name
	Arguments   map[string]string        `json:"arguments,omitempty"` // every parameter of the workflow, with its value
	Artifacts   map[string]ArtifactValue `json:"artifacts,omitempty"`
	Labels      map[string]string        `json:"labels,omitempty"`
	Annotations map[string]string        `json:"annotations,omitempty"`
	File        string                   `json:"file,omitempty"`    // where it was read, for people
	Limited     bool                     `json:"limited,omitempty"` // its steps may have the scopes in Granted alone
	Granted     []string                 `json:"granted,omitempty"`
	Catalog     string                   `json:"catalog,omitempty"` // NAMESPACE/NAME of the WorkflowTemplate that was submitted, as the catalog has it
	Pool        string                   `json:"pool,omitempty"`    // worker pool of steps whose template and its document name none: that of what workflowTemplateRef names comes first; "" is the server's own
	Pools       map[string]string        `json:"pools,omitempty"`   // of the WorkflowTemplates that it names
	Most        execute.Limits           `json:"most,omitzero"`     // memory and time that a step may ask for; 0 for any
}

// place is where a node stands.
type place struct {
	key, name, parent string
	depends           []string
	home              string // the WorkflowTemplate in which names of templates are looked up; "" is the workflow itself
	gate              *gate
	depth             int
}

// below gives the place of a child.
func (p place) below(key, name string) place {
	return place{key: key, name: name, parent: p.key, home: p.home, gate: p.gate, depth: p.depth + 1}
}

// state is what came of evaluating a node.
type state struct {
	key            string
	phase          Phase
	message        string
	settled        bool // fulfilled, and its exit handler too
	begun          bool // some step of it exists
	values         Values
	group          []Values
	isGroup        bool
	busy           bool // of a group: some item is under way
	anySucceeded   bool
	allFailed      bool
	started, ended time.Time
}

// running tells whether a state is under way, so that its parent can't end yet.
func (s *state) running() bool {
	if s.isGroup {
		return s.busy
	}
	return s.begun && !s.settled
}

// absorb takes a child's times and beginning into its parent.
func (s *state) absorb(child *state) {
	s.begun = s.begun || child.begun
	if !child.started.IsZero() && (s.started.IsZero() || child.started.Before(s.started)) {
		s.started = child.started
	}
	if child.ended.After(s.ended) {
		s.ended = child.ended
	}
}

// limits of one steps or dag: how many of its children may be under way, and whether new ones may start at all.
type limits struct {
	most    int // 0 is any
	blocked bool
	active  map[string]bool // children under way
}

// gate is one link of the chain of limits above a leaf.
type gate struct {
	limits *limits
	child  string
	up     *gate
}

// candidate is a leaf that could start if the limits allow it.
type candidate struct {
	start Start
	scope *scope
	gate  *gate
	node  int // index of its node
}

// engine evaluates one plan with one set of facts.
type engine struct {
	plan       *Plan
	facts      Facts
	globals    *globals
	nodes      []Node
	candidates []candidate
	wake       time.Time
	full       bool
	captures   map[string]bool // names of tasks whose standard output is asked for
}

// Next says what follows from the facts. It is pure: the same plan and facts give the same outcome, and whatever
// has been started once stays as it is.
func Next(p *Plan, runID string, f Facts) Outcome { return evaluate(p, runID, f, false) }

// evaluate is Next; full says that the nodes' inputs are wanted too, of leaves that have started long ago.
func evaluate(p *Plan, runID string, f Facts, full bool) Outcome {
	e := &engine{plan: p, facts: f, full: full, captures: captureNames(p), globals: &globals{
		name: p.Name, space: p.Space, id: runID, entrypoint: p.Spec.Entrypoint, parameters: p.Arguments,
		labels: p.Labels, annotations: p.Annotations, created: f.Created, priority: p.Spec.Priority,
	}}
	main := e.root(p.Spec.Entrypoint, Hook{Template: p.Spec.Entrypoint})
	out := Outcome{Phase: main.phase, Message: main.message, Outputs: main.values}
	if deadline, set := e.deadline(); set && !main.phase.Fulfilled() {
		if f.Now.Before(deadline) {
			e.wakeAt(deadline)
		} else {
			e.candidates = nil
			out.Message = "the workflow took longer than its activeDeadlineSeconds"
			if open(p, f) {
				out.Phase = Running
				return e.finish(out)
			}
			out.Phase = Failed
		}
	}
	if out.Phase.Fulfilled() {
		e.exit(&out, main)
	} else {
		out.Phase = Running
	}
	return e.finish(out)
}

// Expired tells whether the workflow is over its deadline and has steps that are to be stopped for it.
func Expired(p *Plan, f Facts) bool {
	e := &engine{plan: p, facts: f}
	deadline, set := e.deadline()
	return set && !f.Now.Before(deadline) && open(p, f)
}

func (e *engine) deadline() (time.Time, bool) {
	if e.plan.Spec.ActiveDeadlineSeconds <= 0 || e.facts.Started.IsZero() {
		return time.Time{}, false
	}
	return e.facts.Started.Add(time.Duration(e.plan.Spec.ActiveDeadlineSeconds) * time.Second), true
}

// open tells whether a leaf has not ended, those of the workflow's exit handler aside.
func open(p *Plan, f Facts) bool {
	for key, l := range f.Leaves {
		if !l.Phase.Fulfilled() && !strings.HasPrefix(key, p.Spec.Entrypoint+exitSuffix) {
			return true
		}
	}
	return false
}

func (e *engine) wakeAt(t time.Time) {
	if e.wake.IsZero() || t.Before(e.wake) {
		e.wake = t
	}
}

// root evaluates a template that the workflow starts by itself, with the workflow's own arguments unless the hook has some.
func (e *engine) root(key string, hook Hook) *state {
	name := hook.Template
	if hook.TemplateRef != nil {
		name = hook.TemplateRef.Template
	}
	task := Task{Name: name, Template: hook.Template, TemplateRef: hook.TemplateRef, Arguments: hook.Arguments}
	artifacts := e.plan.Artifacts
	if !hook.Arguments.empty() { // Argo: then these are all
		artifacts = nil
	} else {
		for _, p := range e.plan.Spec.Arguments.Parameters {
			value := Text(e.plan.Arguments[p.Name])
			task.Arguments.Parameters = append(task.Arguments.Parameters, Parameter{Name: p.Name, Value: &value})
		}
	}
	return e.once(place{key: key, name: name}, &task, &scope{run: e.globals}, artifacts)
}

// exit evaluates the workflow's exit handler and says how the workflow ended.
func (e *engine) exit(out *Outcome, main *state) {
	hook, has := e.plan.Spec.exit()
	if !has {
		return
	}
	g := *e.globals
	g.status, g.failures = string(out.Phase), e.failures()
	g.duration = "0"
	if !main.started.IsZero() {
		g.duration = strconv.FormatFloat(main.ended.Sub(main.started).Seconds(), 'f', 6, 64)
	}
	e.globals = &g
	handler := e.root(e.plan.Spec.Entrypoint+exitSuffix, hook)
	switch {
	case !handler.phase.Fulfilled():
		out.Phase = Running
	case handler.phase.Bad() && !out.Phase.Bad():
		out.Phase, out.Message = handler.phase, "the exit handler failed: "+handler.message
	}
}

// exitSuffix marks the key of an exit handler; no name of a task holds it.
const exitSuffix = "~exit"

func (e *engine) failures() string {
	list := []map[string]string{}
	for _, n := range e.nodes {
		if n.Phase.Bad() && n.Step != "" {
			list = append(list, map[string]string{
				"displayName": n.Name, "message": n.Message, "templateName": n.Template, "phase": string(n.Phase),
				"podName": n.Key, "finishedAt": n.Ended.UTC().Format(time.RFC3339),
			})
		}
	}
	return toJSON(list)
}

// finish chooses what starts, and sums up.
func (e *engine) finish(out Outcome) Outcome {
	running, waiting := 0, 0
	for _, l := range e.facts.Leaves {
		switch {
		case l.Phase.Fulfilled():
		case l.Suspended:
			waiting++
		default:
			running++
		}
	}
	for _, c := range e.candidates {
		if most := e.plan.Spec.Parallelism; most > 0 && running >= most && c.start.Type != TypeSuspend {
			e.nodes[c.node].Message = "waits: the workflow's parallelism is reached"
			continue
		}
		if !c.gate.admit() {
			e.nodes[c.node].Message = "waits: a limit of its template is reached"
			continue
		}
		if c.start.Type != TypeSuspend {
			running++
		}
		out.Starts = append(out.Starts, c.start.filled(c.scope))
	}
	out.Nodes, out.Wake = e.nodes, e.wake
	out.Waiting = waiting > 0 && running == 0 && !out.Phase.Fulfilled()
	return out
}

// admit takes a place in every limit above a leaf, if all have one.
func (g *gate) admit() bool {
	for at := g; at != nil; at = at.up {
		l := at.limits
		if l.active[at.child] {
			continue
		}
		if l.blocked || l.most > 0 && len(l.active) >= l.most {
			return false
		}
	}
	for at := g; at != nil; at = at.up {
		at.limits.active[at.child] = true
	}
	return true
}

// node notes a node of the graph and gives its index.
func (e *engine) node(n Node) int {
	e.nodes = append(e.nodes, n)
	return len(e.nodes) - 1
}

// failed notes a node that can't be run as it is.
func (e *engine) failed(at place, template string, err error) *state {
	e.node(Node{Key: at.key, Name: at.name, Type: TypeSkipped, Template: template, Parent: at.parent, Depends: at.depends, Phase: Error, Message: fault.Message(err)})
	return &state{key: at.key, phase: Error, message: fault.Message(err), settled: true}
}

// passed notes a node that doesn't run.
func (e *engine) passed(at place, template string, phase Phase, why string) *state {
	e.node(Node{Key: at.key, Name: at.name, Type: TypeSkipped, Template: template, Parent: at.parent, Depends: at.depends, Phase: phase, Message: why})
	return &state{key: at.key, phase: phase, message: why, settled: true}
}

// find gives a template and the home of the names in it.
func (e *engine) find(home string, t *Task) (*Template, string, error) {
	if t.Inline != nil {
		return t.Inline, home, nil
	}
	name := t.Template
	if t.TemplateRef != nil {
		home, name = t.TemplateRef.Name, t.TemplateRef.Template
	}
	spec := e.plan.Spec
	if home != "" {
		var ok bool
		if spec, ok = e.plan.Refs[home]; !ok {
			return nil, "", fault.Errorf(fault.Invalid, "there is no WorkflowTemplate %s", home)
		}
	}
	for i := range spec.Templates {
		if spec.Templates[i].Name == name {
			return &spec.Templates[i], home, nil
		}
	}
	return nil, "", fault.Errorf(fault.Invalid, "there is no template %q", name)
}
