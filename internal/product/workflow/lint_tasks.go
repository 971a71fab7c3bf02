package workflow

import (
	"slices"
	"strconv"
	"strings"
)

// inner gives a scope in which everything that a template's body may name has some value.
func (l *linter) inner(t *Template) *scope {
	spec := &l.def.spec
	g := &globals{parameters: map[string]string{}, labels: l.def.Metadata.Labels, annotations: l.def.Metadata.Annotations, status: "Running", failures: "[]"}
	for _, p := range spec.Arguments.Parameters {
		g.parameters[p.Name] = ""
	}
	if l.exits[t.Name] {
		g.duration = "0"
	}
	sc := &scope{run: g, tmpl: t, inputs: map[string]string{}}
	for _, p := range t.Inputs.Parameters {
		sc.inputs[p.Name] = ""
	}
	return sc
}

// dag checks the tasks of a dag.
func (l *linter) dag(t *Template, raw map[string]any, at []string) {
	at = join(at, "dag")
	tasks := map[string]*Task{}
	depends := map[string]*depends{}
	if len(t.DAG.Tasks) == 0 {
		l.bad(at, "add one", "the dag has no tasks")
	}
	for i := range t.DAG.Tasks {
		task := &t.DAG.Tasks[i]
		here := join(at, "tasks", strconv.Itoa(i))
		if !workflowName.MatchString(task.Name) || tasks[task.Name] != nil {
			l.bad(join(here, "name"), "use letters, digits, '-' and '_', each name once", "%q is not a name for a task, or is there twice", clip(task.Name, 50))
		}
		tasks[task.Name] = task
		if task.Depends != "" && len(task.Dependencies) > 0 {
			l.bad(here, "write depends alone", "a task has either depends or dependencies")
		}
		d, err := dependsOf(task)
		if err != nil {
			l.err(join(here, "depends"), err)
			d = always()
		}
		depends[task.Name] = d
	}
	for i := range t.DAG.Tasks {
		for _, name := range depends[t.DAG.Tasks[i].Name].tasks() {
			if tasks[name] == nil {
				field := "depends"
				if t.DAG.Tasks[i].Depends == "" {
					field = "dependencies"
				}
				l.bad(join(at, "tasks", strconv.Itoa(i), field), "there are: "+clip(strings.Join(sortedKeys(tasks), ", "), 200), "there is no task %q", name)
			}
		}
	}
	if cycle := cycleOf(depends); cycle != nil {
		l.bad(join(at, "tasks"), "take one of them out", "tasks depend on one another in a circle: %s", strings.Join(cycle, " → "))
		return
	}
	if target := t.DAG.Target; !strings.Contains(target, "{{") {
		for _, name := range strings.Fields(target) {
			if tasks[name] == nil {
				l.bad(join(at, "target"), "there are: "+clip(strings.Join(sortedKeys(tasks), ", "), 200), "there is no task %q", name)
			}
		}
	} else {
		l.text(target, l.inner(t), join(at, "target"))
	}
	list, _ := raw["tasks"].([]any)
	for i := range t.DAG.Tasks {
		task := &t.DAG.Tasks[i]
		sc := l.inner(t)
		sc.kind, sc.self, sc.peers = "tasks", task.Name, l.peers(ancestors(task.Name, depends), tasks)
		m, _ := list[i].(map[string]any)
		l.task(task, m, sc, join(at, "tasks", strconv.Itoa(i)))
	}
	all := l.inner(t)
	all.kind, all.peers = "tasks", l.peers(sortedKeys(tasks), tasks)
	l.outputs(t, all, at[:len(at)-1])
}

// always stands in for a depends that can't be read.
func always() *depends { return &depends{op: "&&"} }

// ancestors gives the tasks before a task, near and far.
func ancestors(name string, depends map[string]*depends) []string {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(n string) {
		d := depends[n]
		if d == nil {
			return
		}
		for _, before := range d.tasks() {
			if !seen[before] {
				seen[before] = true
				walk(before)
			}
		}
	}
	walk(name)
	return sortedKeys(seen)
}

// cycleOf gives tasks that depend on one another in a circle, or nil.
func cycleOf(depends map[string]*depends) []string {
	const open, done = 1, 2
	state := map[string]int{}
	var stack, cycle []string
	var walk func(string) bool
	walk = func(n string) bool {
		switch state[n] {
		case open:
			cycle = append(slices.Clone(stack[slices.Index(stack, n):]), n)
			return true
		case done:
			return false
		}
		state[n], stack = open, append(stack, n)
		if d := depends[n]; d != nil {
			for _, before := range d.tasks() {
				if walk(before) {
					return true
				}
			}
		}
		state[n], stack = done, stack[:len(stack)-1]
		return false
	}
	for _, n := range sortedKeys(depends) {
		if walk(n) {
			return cycle
		}
	}
	return nil
}

// peers gives tasks as the tags of others see them, with every output that their templates declare.
func (l *linter) peers(names []string, tasks map[string]*Task) map[string]*peer {
	peers := map[string]*peer{}
	for _, name := range names {
		if task := tasks[name]; task != nil {
			peers[name] = l.peer(task)
		}
	}
	return peers
}

// peer gives nil for a task of which the template isn't known.
func (l *linter) peer(task *Task) *peer {
	t, _ := l.target(task)
	if t == nil {
		return nil
	}
	p := &peer{isGroup: task.expands(), values: Values{ExitCode: "0", Parameters: map[string]string{}, Artifacts: map[string]ArtifactValue{}}}
	if t.leaf() {
		p.values.Result = new(string)
	}
	for _, o := range t.Outputs.Parameters {
		p.values.Parameters[o.Name] = ""
	}
	for _, a := range t.Outputs.Artifacts {
		p.values.Artifacts[a.Name] = ArtifactValue{}
	}
	return p
}

// target gives the template that a task names, and whether it can be told that there is none.
func (l *linter) target(task *Task) (t *Template, known bool) {
	if task.Inline != nil {
		return task.Inline, true
	}
	if task.TemplateRef == nil {
		return find(&l.def.spec, task.Template), true
	}
	spec, known := l.refs(task.TemplateRef.Name)
	if spec == nil {
		return nil, known
	}
	return find(spec, task.TemplateRef.Template), true
}

// steps checks the groups of steps.
func (l *linter) steps(t *Template, raw map[string]any, at []string) {
	at = join(at, "steps")
	sc := l.inner(t)
	sc.kind, sc.peers = "steps", map[string]*peer{}
	groups, _ := raw["steps"].([]any)
	for i, group := range t.Steps {
		done := map[string]*peer{}
		for j := range group {
			step := &t.Steps[i][j]
			here := join(at, strconv.Itoa(i), strconv.Itoa(j))
			_, before := sc.peers[step.Name]
			_, beside := done[step.Name]
			if !workflowName.MatchString(step.Name) || before || beside {
				l.bad(join(here, "name"), "use letters, digits, '-' and '_', each name once", "%q is not a name for a step, or is there twice", clip(step.Name, 50))
			}
			if step.Depends != "" || len(step.Dependencies) > 0 {
				l.bad(here, "write a dag instead", "a step can't have depends: it waits for the group before")
			}
			own := *sc
			own.self = step.Name
			list, _ := groups[i].([]any)
			m, _ := list[j].(map[string]any)
			l.task(step, m, &own, here)
			done[step.Name] = l.peer(step)
		}
		for name, p := range done {
			sc.peers[name] = p
		}
	}
	l.outputs(t, sc, at[:len(at)-1])
}

func (l *linter) outputs(t *Template, sc *scope, at []string) {
	for i, p := range t.Outputs.Parameters {
		if p.ValueFrom != nil {
			here := join(at, "outputs", "parameters", strconv.Itoa(i), "valueFrom")
			l.text(p.ValueFrom.Parameter, sc, join(here, "parameter"))
			l.expression(p.ValueFrom.Expression, join(here, "expression"))
		}
	}
	for i, a := range t.Outputs.Artifacts {
		l.from(a.From, t, sc, join(at, "outputs", "artifacts", strconv.Itoa(i), "from"))
	}
}

// task checks one task or step; raw is the same as it was decoded.
func (l *linter) task(task *Task, raw map[string]any, sc *scope, at []string) {
	ways := 0
	for _, is := range []bool{task.Template != "", task.TemplateRef != nil, task.Inline != nil} {
		if is {
			ways++
		}
	}
	with := 0
	for _, is := range []bool{task.WithItems != nil, task.WithParam != "", task.WithSequence != nil} {
		if is {
			with++
		}
	}
	if ways != 1 {
		l.bad(at, "give it exactly one of them", "a task names its template by template, templateRef or inline")
		return
	}
	if with > 1 {
		l.bad(at, "keep one of them", "a task has one of withItems, withParam and withSequence")
	}
	if q := task.WithSequence; q != nil && (q.Count == "") == (q.End == "") {
		l.bad(join(at, "withSequence"), "", "withSequence wants either count or end")
	}
	t, sure := l.target(task)
	if t == nil && sure {
		l.missing(task, at)
		return
	}
	outer := *sc
	for _, key := range []string{"withItems", "withParam", "withSequence"} {
		l.texts(raw[key], &outer, join(at, key))
	}
	if with > 0 {
		sc.item, sc.has = map[string]any{}, true
	}
	l.text(task.When, sc, join(at, "when"))
	if task.When != "" && !strings.Contains(task.When, "{{") {
		_, err := evaluateWhen(task.When)
		l.err(join(at, "when"), err)
	}
	l.arguments(&task.Arguments, t, sc, join(at, "arguments"))
	if task.Inline != nil {
		l.template(task.Inline, child(raw, "inline"), join(at, "inline"))
	}
	if hook, has := task.exit(); has {
		l.hook(task, hook, sc, at)
	}
}

func (l *linter) missing(task *Task, at []string) {
	if ref := task.TemplateRef; ref != nil {
		l.bad(join(at, "templateRef"), "apply it to the catalog, in this space or one above", "there is no template %q of a WorkflowTemplate %q", ref.Template, ref.Name)
		return
	}
	l.bad(join(at, "template"), templateNames(&l.def.spec), "there is no template %q", task.Template)
}

func (l *linter) hook(task *Task, hook Hook, sc *scope, at []string) {
	own := *sc
	own.peers = map[string]*peer{}
	for name, p := range sc.peers {
		own.peers[name] = p
	}
	own.peers[task.Name] = l.peer(task)
	stand := Task{Template: hook.Template, TemplateRef: hook.TemplateRef}
	field := join(at, "hooks", "exit")
	if task.OnExit != "" {
		field = join(at, "onExit")
	}
	t, sure := l.target(&stand)
	if t == nil && sure {
		l.bad(field, templateNames(&l.def.spec), "there is no template %q", hook.Template)
		return
	}
	l.arguments(&hook.Arguments, t, &own, field)
}

// arguments checks what a caller gives against what the template takes; t is nil when that isn't known.
func (l *linter) arguments(a *Arguments, t *Template, sc *scope, at []string) {
	l.names(a.Parameters, join(at, "parameters"))
	for i, p := range a.Parameters {
		here := join(at, "parameters", strconv.Itoa(i))
		if value, has := p.Value.text(); has {
			l.text(value, sc, join(here, "value"))
		}
		if p.ValueFrom != nil {
			l.expression(p.ValueFrom.Expression, join(here, "valueFrom", "expression"))
		}
	}
	for i, g := range a.Artifacts {
		here := join(at, "artifacts", strconv.Itoa(i))
		if g.From != "" {
			l.from(g.From, sc.tmpl, sc, join(here, "from"))
		}
		if g.Raw != nil {
			l.text(g.Raw.Data, sc, join(here, "raw", "data"))
		}
	}
	if t == nil {
		return
	}
	for _, p := range t.Inputs.Parameters {
		given := slices.ContainsFunc(a.Parameters, func(g Parameter) bool { return g.Name == p.Name && (g.Value != nil || g.ValueFrom != nil) })
		if !given && p.Value == nil && p.Default == nil {
			l.bad(at, "give it in arguments.parameters, or give the input a default", "template %s wants the parameter %q", t.Name, p.Name)
		}
	}
	for _, art := range t.Inputs.Artifacts {
		given := slices.ContainsFunc(a.Artifacts, func(g Artifact) bool { return g.Name == art.Name })
		if !given && !art.Optional && art.Raw == nil {
			l.bad(at, "give it in arguments.artifacts", "template %s wants the artifact %q", t.Name, art.Name)
		}
	}
}
