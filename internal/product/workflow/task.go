package workflow

import (
	"fmt"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// task evaluates a task or step, with all its items.
func (e *engine) task(at place, t *Task, sc *scope, artifacts map[string]ArtifactValue) *state {
	if !t.expands() {
		return e.once(at, t, sc, artifacts)
	}
	items, err := sc.items(t)
	if err != nil {
		return e.failed(at, t.Template, err)
	}
	if len(items) == 0 {
		return e.passed(at, t.Template, Skipped, "there are no items")
	}
	index := e.node(Node{Key: at.key, Name: at.name, Type: TypeTaskGroup, Template: t.Template, Parent: at.parent, Depends: at.depends})
	group := &state{key: at.key, phase: Succeeded, settled: true, isGroup: true, allFailed: true}
	for i, item := range items {
		one := *sc
		one.item, one.has = item, true
		// Each item is a child of its own to the limits of the steps or dag.
		place := at.below(fmt.Sprintf("%s(%d)", at.key, i), itemName(at.name, i, item))
		place.depth = at.depth
		if at.gate != nil {
			place.gate = &gate{limits: at.gate.limits, child: place.key, up: at.gate.up}
		}
		if len(e.nodes) >= maxNodes { // one says it for all that follow
			child := e.once(place, t, &one, artifacts)
			group.absorb(child)
			group.phase, group.message = child.phase, place.name+": "+child.message
			break
		}
		child := e.once(place, t, &one, artifacts)
		group.absorb(child)
		group.settled = group.settled && child.settled
		group.anySucceeded = group.anySucceeded || child.phase == Succeeded
		group.allFailed = group.allFailed && child.phase == Failed
		group.group = append(group.group, child.values)
		if child.running() {
			group.busy = true
			if at.gate != nil {
				at.gate.limits.active[place.key] = true
			}
		}
		switch {
		case !child.phase.Fulfilled():
			group.phase = Running
		case child.phase.Bad() && group.phase.Fulfilled():
			group.phase, group.message = child.phase, place.name+": "+child.message
		}
	}
	if group.phase == Running && !group.begun {
		group.phase = Pending
	}
	if !group.phase.Fulfilled() {
		group.settled, group.ended = false, time.Time{}
	}
	e.settle(index, group)
	return group
}

// settle writes what came of a composite into its node.
func (e *engine) settle(index int, s *state) {
	n := &e.nodes[index]
	n.Phase, n.Message, n.Outputs, n.Started, n.Ended = s.phase, s.message, s.values, s.started, s.ended
}

// once evaluates a task that stands for itself, or one of its items.
func (e *engine) once(at place, t *Task, sc *scope, artifacts map[string]ArtifactValue) *state {
	tmpl, home, err := e.find(at.home, t)
	if err != nil {
		return e.failed(at, t.Template, err)
	}
	if at.depth > maxDepth || len(e.nodes) >= maxNodes {
		return e.failed(at, tmpl.Name, fault.Errorf(fault.TooLarge, "templates call one another more than %d deep, or the run has over %d nodes", maxDepth, maxNodes))
	}
	if _, started := e.facts.Leaves[at.key]; started && !e.full { // its condition and inputs were looked at then
		return e.run(at, t, tmpl, home, Values{}, sc, artifacts)
	}
	if t.When != "" {
		when, err := sc.must(t.When)
		run := false
		if err == nil {
			run, err = evaluateWhen(when)
		}
		if err != nil {
			return e.failed(at, tmpl.Name, err)
		}
		if !run {
			return e.passed(at, tmpl.Name, Skipped, "when '"+clip(when, 200)+"' is false")
		}
	}
	inputs, err := e.inputs(tmpl, &t.Arguments, sc, artifacts)
	if err != nil {
		return e.failed(at, tmpl.Name, err)
	}
	return e.run(at, t, tmpl, home, inputs, sc, artifacts)
}

// run evaluates a task of which the template and the inputs are known, and its exit handler.
func (e *engine) run(at place, t *Task, tmpl *Template, home string, inputs Values, sc *scope, artifacts map[string]ArtifactValue) *state {
	caller := at.home
	at.home = home
	s := e.template(at, tmpl, inputs, t.Name)
	if hook, has := t.exit(); has && s.phase.Completed() {
		at.home = caller
		e.hook(at, s, hook, sc, artifacts)
	} else {
		s.settled = s.phase.Fulfilled()
	}
	return s
}

// hook evaluates a task's exit handler. Argo: what comes after waits for it, but doesn't look at how it ended.
func (e *engine) hook(at place, s *state, hook Hook, sc *scope, artifacts map[string]ArtifactValue) {
	own := *sc
	own.peers, own.lazy = make(map[string]*peer, len(sc.peers)+1), nil
	for name, p := range sc.beside() {
		own.peers[name] = p
	}
	own.peers[sc.self] = s.peer()
	place := at
	place.key, place.name, place.depends = at.key+exitSuffix, at.name+".onExit", []string{s.key}
	t := Task{Name: place.name, Template: hook.Template, TemplateRef: hook.TemplateRef, Arguments: hook.Arguments}
	handler := e.once(place, &t, &own, artifacts)
	s.settled = handler.settled
	s.begun = s.begun || handler.begun
}

// peer shows a state to the tags of others.
func (s *state) peer() *peer {
	return &peer{key: s.key, phase: s.phase, values: s.values, group: s.group, isGroup: s.isGroup, started: s.started, ended: s.ended}
}
