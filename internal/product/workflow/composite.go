package workflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// dag evaluates tasks that depend on one another.
type dag struct {
	engine  *engine
	at      place
	tmpl    *Template
	inputs  Values
	limits  *limits
	tasks   map[string]*Task
	depends map[string]*depends
	states  map[string]*state
	order   []string // as they were evaluated
	visits  map[string]bool
}

func (e *engine) dag(at place, t *Template, inputs Values) *state {
	index := e.node(Node{Key: at.key, Name: at.name, Type: TypeDAG, Template: t.Name, Parent: at.parent, Depends: at.depends, Inputs: inputs.Parameters})
	d := &dag{
		engine: e, at: at, tmpl: t, inputs: inputs, limits: &limits{most: t.Parallelism, active: map[string]bool{}},
		tasks: map[string]*Task{}, depends: map[string]*depends{}, states: map[string]*state{}, visits: map[string]bool{},
	}
	s := d.evaluate()
	e.settle(index, s)
	return s
}

func (d *dag) evaluate() *state {
	bad := func(err error) *state {
		return &state{key: d.at.key, phase: Error, message: fault.Message(err), settled: true}
	}
	for i := range d.tmpl.DAG.Tasks {
		t := &d.tmpl.DAG.Tasks[i]
		dep, err := dependsOf(t)
		if err != nil {
			return bad(fault.Wrap(err, "task %s", t.Name))
		}
		d.tasks[t.Name], d.depends[t.Name] = t, dep
	}
	targets, err := d.targets()
	if err != nil {
		return bad(err)
	}
	for _, name := range targets {
		if err := d.visit(name, 0); err != nil {
			return bad(err)
		}
	}
	return d.assess(targets)
}

// targets gives the tasks that the dag is for: those it names, or those on which no other depends.
func (d *dag) targets() ([]string, error) {
	if d.tmpl.DAG.Target != "" {
		sc := d.engine.inner(d.tmpl, d.inputs)
		text, err := sc.must(d.tmpl.DAG.Target)
		return strings.Fields(text), err
	}
	needed := map[string]bool{}
	for _, dep := range d.depends {
		for _, name := range dep.tasks() {
			needed[name] = true
		}
	}
	var targets []string
	for i := range d.tmpl.DAG.Tasks {
		if name := d.tmpl.DAG.Tasks[i].Name; !needed[name] {
			targets = append(targets, name)
		}
	}
	return targets, nil
}

// visit evaluates a task after all that it depends on.
func (d *dag) visit(name string, depth int) error {
	if d.states[name] != nil {
		return nil
	}
	t := d.tasks[name]
	switch {
	case t == nil:
		return fault.Errorf(fault.Invalid, "there is no task %q", name)
	case d.visits[name]:
		return fault.Errorf(fault.Invalid, "task %q depends on itself", name)
	}
	d.visits[name] = true
	dep := d.depends[name]
	place := d.at.below(d.at.key+"."+name, name)
	place.gate = &gate{limits: d.limits, child: place.key, up: d.at.gate}
	settled := true
	for _, before := range dep.tasks() {
		if err := d.visit(before, depth+1); err != nil {
			return err
		}
		settled = settled && d.states[before].settled
		place.depends = append(place.depends, d.states[before].key)
	}
	var s *state
	switch {
	case !settled:
		d.engine.node(Node{Key: place.key, Name: name, Type: d.engine.typeOf(d.at.home, t), Template: t.Template, Parent: d.at.key, Depends: place.depends, Phase: Pending})
		s = &state{key: place.key, phase: Pending}
	case !dep.holds(d.result):
		s = d.engine.passed(place, t.Template, Omitted, "depends is false")
	default:
		s = d.engine.task(place, t, d.scope(name), d.inputs.Artifacts)
	}
	if s.running() && !s.isGroup {
		d.limits.active[place.key] = true
	}
	d.states[name] = s
	d.order = append(d.order, name)
	return nil
}

func (d *dag) result(name string) taskResult {
	s := d.states[name]
	return taskResult{phase: s.phase, continueOn: d.tasks[name].ContinueOn, anySucceeded: s.anySucceeded, allFailed: s.isGroup && s.allFailed}
}

// scope gives what the texts of a task may name: the tasks before it.
func (d *dag) scope(name string) *scope {
	sc := d.engine.inner(d.tmpl, d.inputs)
	sc.kind, sc.self = "tasks", name
	sc.lazy = func() map[string]*peer {
		peers := map[string]*peer{}
		var walk func(string)
		walk = func(n string) {
			for _, before := range d.depends[n].tasks() {
				if _, seen := peers[before]; !seen && d.states[before] != nil {
					peers[before] = d.states[before].peer()
					walk(before)
				}
			}
		}
		walk(name)
		return peers
	}
	return sc
}

// branch gives the phase with which a path to a task ends: its own when it ran, else the worst of those before it.
// Argo: what is skipped or omitted inherits, so that a failure is not hidden by the tasks that it kept from running.
func (d *dag) branch(name string, memo map[string]Phase) Phase {
	if p, ok := memo[name]; ok {
		return p
	}
	p := Succeeded
	if s := d.states[name]; s.phase.Completed() {
		p = s.phase
	} else {
		for _, before := range d.depends[name].tasks() {
			if b := d.branch(before, memo); b.Bad() && p != Error {
				p = b
			}
		}
	}
	memo[name] = p
	return p
}

func (d *dag) assess(targets []string) *state {
	s := &state{key: d.at.key, phase: Succeeded}
	running, open := false, false
	for _, name := range d.order {
		t := d.states[name]
		s.absorb(t)
		running = running || t.running()
		open = open || !t.settled
	}
	memo := map[string]Phase{}
	worst, why := Succeeded, ""
	for _, name := range targets {
		if !d.states[name].settled {
			continue
		}
		p := d.branch(name, memo)
		if p.Bad() && !d.tasks[name].ContinueOn.on(p) && worst == Succeeded {
			worst, why = p, d.blame(name, memo)
		}
	}
	failFast := d.tmpl.DAG.FailFast == nil || *d.tmpl.DAG.FailFast
	d.limits.blocked = failFast && worst.Bad()
	switch {
	case running, open && !d.limits.blocked:
		s.phase = Running
		if !s.begun {
			s.phase = Pending
		}
	case worst.Bad():
		s.phase, s.message = worst, why
	default:
		var err error
		if s.values, err = outputs(d.tmpl, d.all(), d.inputs.Artifacts); err != nil {
			s.phase, s.message = Error, fault.Message(err)
		}
	}
	return s
}

// blame names the task whose failure a target ends with.
func (d *dag) blame(name string, memo map[string]Phase) string {
	if s := d.states[name]; s.phase.Completed() {
		return strings.TrimSuffix(fmt.Sprintf("task %s: %s", name, s.message), ": ")
	}
	for _, before := range d.depends[name].tasks() {
		if memo[before].Bad() {
			return d.blame(before, memo)
		}
	}
	return "task " + name
}

// all gives a scope that names every task, for the dag's outputs.
func (d *dag) all() *scope {
	sc := d.engine.inner(d.tmpl, d.inputs)
	sc.kind, sc.peers = "tasks", map[string]*peer{}
	for name, s := range d.states {
		sc.peers[name] = s.peer()
	}
	for name := range d.tasks { // those that no target needs
		if sc.peers[name] == nil {
			sc.peers[name] = nil
		}
	}
	return sc
}

// typeOf gives what a task will be when it runs.
func (e *engine) typeOf(home string, t *Task) string {
	tmpl, _, err := e.find(home, t)
	switch {
	case err != nil:
		return TypeSkipped
	case t.expands():
		return TypeTaskGroup
	case tmpl.RetryStrategy != nil:
		return TypeRetry
	}
	switch tmpl.kind() {
	case "dag":
		return TypeDAG
	case "steps":
		return TypeSteps
	case "suspend":
		return TypeSuspend
	case "plugin":
		return TypePlugin
	}
	return TypePod
}

// inner gives the scope in which the body of a template stands.
func (e *engine) inner(t *Template, inputs Values) *scope {
	return &scope{run: e.globals, tmpl: t, inputs: inputs.Parameters}
}

// steps evaluates groups of steps, one group after the other.
func (e *engine) steps(at place, t *Template, inputs Values) *state {
	index := e.node(Node{Key: at.key, Name: at.name, Type: TypeSteps, Template: t.Name, Parent: at.parent, Depends: at.depends, Inputs: inputs.Parameters})
	s := &state{key: at.key, phase: Succeeded}
	sc := e.inner(t, inputs)
	sc.kind, sc.peers = "steps", map[string]*peer{}
	var before []string
	for i := range t.Steps {
		group, states := e.stepGroup(at, t, i, sc, inputs, before)
		s.absorb(group)
		if !group.settled {
			s.phase, s.ended = Running, group.ended
			if !s.begun {
				s.phase = Pending
			}
			break
		}
		if group.phase.Bad() {
			s.phase, s.message = Failed, group.message
			break
		}
		before = nil
		for j, child := range states {
			sc.peers[t.Steps[i][j].Name] = child.peer()
			before = append(before, child.key)
		}
	}
	if s.phase == Succeeded {
		for _, group := range t.Steps {
			for _, step := range group {
				if _, ran := sc.peers[step.Name]; !ran {
					sc.peers[step.Name] = nil
				}
			}
		}
		var err error
		if s.values, err = outputs(t, sc, inputs.Artifacts); err != nil {
			s.phase, s.message = Error, fault.Message(err)
		}
	}
	e.settle(index, s)
	return s
}

func (e *engine) stepGroup(at place, t *Template, i int, sc *scope, inputs Values, before []string) (*state, []*state) {
	key := fmt.Sprintf("%s[%d]", at.key, i)
	index := e.node(Node{Key: key, Name: fmt.Sprintf("[%d]", i), Type: TypeStepGroup, Parent: at.key, Depends: before})
	group := &state{key: key, phase: Succeeded, settled: true}
	limits := &limits{most: t.Parallelism, active: map[string]bool{}}
	var states []*state
	waiting, running := false, false
	for j := range t.Steps[i] {
		step := &t.Steps[i][j]
		own := *sc
		own.self = step.Name
		place := at.below(key+"."+step.Name, step.Name)
		place.parent, place.depends = key, slices.Clone(before)
		place.gate = &gate{limits: limits, child: place.key, up: at.gate}
		child := e.task(place, step, &own, inputs.Artifacts)
		states = append(states, child)
		group.absorb(child)
		if child.running() && !child.isGroup {
			limits.active[place.key] = true
		}
		running = running || child.running()
		waiting = waiting || !child.settled
		if child.phase.Bad() && !step.ContinueOn.on(child.phase) && group.phase == Succeeded {
			group.phase, group.message = Failed, strings.TrimSuffix(fmt.Sprintf("step %s: %s", step.Name, child.message), ": ")
		}
	}
	limits.blocked = t.FailFast && group.phase.Bad()
	if running || waiting && !limits.blocked {
		group.settled = false
		group.phase, group.message = Running, ""
		if !group.begun {
			group.phase = Pending
		}
	}
	e.settle(index, group)
	return group, states
}
