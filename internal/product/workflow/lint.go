package workflow

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// references finds WorkflowTemplates by name. known is false when it can't be told whether there is one.
type references func(name string) (spec *Spec, known bool)

// linter checks one definition as a whole: what it names exists, and every tag means something where it stands.
type linter struct {
	def     *definition
	refs    references
	plugins map[string]bool // names that are there; nil is any
	given   *Submission     // with what it is to run; nil when nobody submits it
	wrong   []fault.Detail
	warn    []fault.Detail
	most    execute.Limits  // that a step may ask for
	exits   map[string]bool // templates that the exit handler reaches
}

func (l *linter) bad(at []string, hint, format string, args ...any) {
	l.wrong = append(l.wrong, l.def.At(fmt.Sprintf(format, args...), hint, at...))
}

// err notes an error that knows no place of its own.
func (l *linter) err(at []string, err error) {
	if err != nil {
		l.bad(at, "", "%s", fault.Message(err))
	}
}

// open tells whether somebody else brings arguments, labels and annotations later.
func (l *linter) open() bool { return l.def.template() && l.given == nil }

// argument tells whether the submission brings a parameter that the workflow need not declare.
func (l *linter) argument(name string) bool {
	if l.given == nil {
		return false
	}
	_, there := l.given.Arguments[name]
	return there
}

var workflowName = regexp.MustCompile(`^[a-zA-Z0-9]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$`)

func (l *linter) run() {
	spec := &l.def.spec
	at := []string{"spec"}
	l.document()
	l.header(spec, at)
	l.exits = map[string]bool{}
	for _, name := range []string{spec.OnExit, spec.Hooks["exit"].Template} {
		l.reach(name)
	}
	l.names(spec.Arguments.Parameters, join(at, "arguments", "parameters"))
	templates, _ := l.def.raw["templates"].([]any)
	seen := map[string]bool{}
	for i := range spec.Templates {
		t := &spec.Templates[i]
		here := join(at, "templates", strconv.Itoa(i))
		switch {
		case !workflowName.MatchString(t.Name):
			l.bad(join(here, "name"), "use letters, digits, '-' and '_'", "%q is not a name for a template", clip(t.Name, 50))
		case seen[t.Name]:
			l.bad(join(here, "name"), "give one of them another name", "a second template is named %q", t.Name)
		}
		seen[t.Name] = true
		raw, _ := templates[i].(map[string]any)
		l.template(t, raw, here)
	}
}

func (l *linter) header(spec *Spec, at []string) {
	if spec.WorkflowTemplateRef != nil {
		ref := spec.WorkflowTemplateRef
		if target, known := l.refs(ref.Name); known && target == nil {
			l.bad(join(at, "workflowTemplateRef", "name"), "apply it to the catalog first", "there is no WorkflowTemplate %q", ref.Name)
		} else if target != nil {
			l.exit(spec, target, at)
		}
		if len(spec.Templates) > 0 {
			l.bad(join(at, "templates"), "keep one of the two", "a workflow has either workflowTemplateRef or templates")
		}
		return
	}
	if len(spec.Templates) == 0 {
		l.bad(at, "add a template", "there are no templates")
		return
	}
	switch {
	case spec.Entrypoint == "" && !l.def.template():
		l.bad(at, "name the template to start with", "entrypoint is missing")
	case spec.Entrypoint != "" && find(spec, spec.Entrypoint) == nil:
		l.bad(join(at, "entrypoint"), templateNames(spec), "there is no template %q", spec.Entrypoint)
	case spec.Entrypoint != "":
		l.entry(spec, find(spec, spec.Entrypoint), join(at, "entrypoint"))
	}
	l.exit(spec, spec, at)
	if spec.Parallelism < 0 || spec.ActiveDeadlineSeconds < 0 {
		l.bad(at, "", "parallelism and activeDeadlineSeconds can't be negative")
	}
	if spec.Priority > maxPriority || spec.Priority < -maxPriority {
		l.bad(join(at, "priority"), "", "%d is no priority; it is at most %d, or %d below zero", spec.Priority, maxPriority, maxPriority)
	}
}

// maxPriority is what every database takes.
const maxPriority = math.MaxInt32

// exit checks what spec says of the workflow's exit handler; the names of its templates are those of home.
func (l *linter) exit(spec, home *Spec, at []string) {
	hook, has := spec.exit()
	if !has {
		return
	}
	at = join(at, "hooks", "exit")
	if spec.OnExit != "" {
		at = join(at[:len(at)-2], "onExit")
	}
	t := find(home, hook.Template)
	switch ref := hook.TemplateRef; {
	case ref != nil:
		task := &Task{TemplateRef: ref}
		found, known := l.target(task)
		if t = found; t == nil && known {
			l.missing(task, at)
		}
	case t == nil:
		l.bad(at, templateNames(home), "there is no template %q", hook.Template)
	}
	if hook.Arguments.empty() {
		l.entry(merged(home, spec), t, at)
		return
	}
	g := &globals{parameters: map[string]string{}, labels: l.def.Metadata.Labels, annotations: l.def.Metadata.Annotations, status: "Running", failures: "[]", duration: "0"}
	for _, p := range merged(home, spec).Arguments.Parameters {
		g.parameters[p.Name] = ""
	}
	l.arguments(&hook.Arguments, t, &scope{run: g}, join(at, "arguments"))
}

// merged gives a spec with what another one that refers to it says besides.
func merged(base, over *Spec) *Spec {
	if base == over {
		return base
	}
	m := merge(*base, *over)
	return &m
}

// entry checks that the workflow's own arguments suffice for a template that it starts by itself; nil when that isn't known.
func (l *linter) entry(spec *Spec, t *Template, at []string) {
	if l.open() || t == nil {
		return
	}
	for _, p := range t.Inputs.Parameters {
		if p.Value == nil && p.Default == nil && !l.argument(p.Name) && !slices.ContainsFunc(spec.Arguments.Parameters, func(a Parameter) bool { return a.Name == p.Name }) {
			l.bad(at, "declare it in spec.arguments.parameters", "template %s takes the parameter %q, which the workflow doesn't have", t.Name, p.Name)
		}
	}
}

func find(spec *Spec, name string) *Template {
	for i := range spec.Templates {
		if spec.Templates[i].Name == name {
			return &spec.Templates[i]
		}
	}
	return nil
}

// templateNames lists the names of templates, for hints.
func templateNames(spec *Spec) string {
	var names []string
	for i := range spec.Templates {
		names = append(names, spec.Templates[i].Name)
	}
	return "there are: " + clip(strings.Join(names, ", "), 200)
}

// reach notes the templates of this document that run as parts of the exit handler.
func (l *linter) reach(name string) {
	t := find(&l.def.spec, name)
	if t == nil || l.exits[name] {
		return
	}
	l.exits[name] = true
	for _, task := range tasksOf(t) {
		l.reach(task.Template)
	}
}

func (l *linter) names(list []Parameter, at []string) {
	seen := map[string]bool{}
	for i, p := range list {
		if !workflowName.MatchString(p.Name) || seen[p.Name] {
			l.bad(join(at, strconv.Itoa(i)), "use letters, digits, '-' and '_', each name once", "%q is not a name for a parameter, or is there twice", clip(p.Name, 50))
		}
		seen[p.Name] = true
	}
}

// template checks one template; raw is the same as it was decoded.
func (l *linter) template(t *Template, raw map[string]any, at []string) {
	var kinds []string
	for _, kind := range []string{"container", "script", "dag", "steps", "suspend", "plugin"} {
		if raw[kind] != nil || kind == "suspend" && t.Suspend != nil {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		l.bad(at, "give it exactly one of container, script, dag, steps, suspend, plugin", "a template is one thing, not %d", len(kinds))
		return
	}
	l.names(t.Inputs.Parameters, join(at, "inputs", "parameters"))
	l.retry(t, join(at, "retryStrategy"))
	sc := l.inner(t)
	for i, p := range t.Inputs.Parameters { // their own values see the workflow alone
		for key, text := range map[string]*Text{"value": p.Value, "default": p.Default} {
			if value, has := text.text(); has {
				l.text(value, &scope{run: sc.run}, join(at, "inputs", "parameters", strconv.Itoa(i), key))
			}
		}
	}
	if t.Container == nil && t.Script == nil {
		l.forCommands(t.Metadata.Annotations, t.kind(), at)
	}
	switch {
	case t.DAG != nil:
		l.dag(t, child(raw, "dag"), at)
	case t.Steps != nil:
		l.steps(t, raw, at)
	default:
		l.leaf(t, raw, sc, at)
		return
	}
	if t.ActiveDeadlineSeconds != "" || t.Timeout != "" {
		l.bad(at, "give them to the containers and scripts", "activeDeadlineSeconds and timeout are for leaves")
	}
	for i, p := range t.Outputs.Parameters {
		if p.ValueFrom == nil || (p.ValueFrom.Parameter == "") == (p.ValueFrom.Expression == "") {
			l.bad(join(at, "outputs", "parameters", strconv.Itoa(i)), "", "an output of %s wants valueFrom with parameter or expression", t.kind())
		}
	}
	for i, a := range t.Outputs.Artifacts {
		if a.From == "" {
			l.bad(join(at, "outputs", "artifacts", strconv.Itoa(i)), "", "an output artifact of %s wants from", t.kind())
		}
	}
}

func (l *linter) leaf(t *Template, raw map[string]any, sc *scope, at []string) {
	sc.extra = map[string]string{"node.name": "", "pod.name": "", "retries": ""}
	if t.RetryStrategy != nil {
		for _, name := range []string{"exitCode", "status", "duration", "message"} {
			sc.extra["lastRetry."+name] = ""
		}
	}
	l.leafTexts(raw, sc, at)
	switch {
	case t.Container != nil:
		if len(t.Container.Command) == 0 {
			l.bad(join(at, "container"), "write the command that the image would run", "command is missing: steps are processes, so an image's own entrypoint isn't known")
		}
		l.command(t, t.Container, join(at, "container"))
	case t.Script != nil:
		if len(t.Script.Command) == 0 {
			l.bad(join(at, "script"), "write what runs the source, such as [sh] or [python3]", "command is missing")
		}
		l.command(t, &t.Script.Container, join(at, "script"))
	case t.Suspend != nil:
		l.duration(string(t.Suspend.Duration), join(at, "suspend", "duration"))
		if len(t.Outputs.Parameters)+len(t.Outputs.Artifacts) > 0 {
			l.bad(join(at, "outputs"), "ask for the value before, as an argument", "a suspend gives nothing")
		}
	case t.Plugin != nil:
		l.plugin(t, join(at, "plugin"))
	}
}

func (l *linter) plugin(t *Template, at []string) {
	if len(t.Plugin) != 1 {
		l.bad(at, "", "a plugin template names one plugin")
		return
	}
	for name := range t.Plugin {
		short, own := strings.CutPrefix(name, pluginPrefix)
		if !own || l.plugins != nil && !l.plugins[short] {
			hint := "executor plugins of pods can't run here"
			if len(l.plugins) > 0 {
				hint = "there are: " + pluginPrefix + strings.Join(sortedKeys(l.plugins), ", "+pluginPrefix)
			}
			l.bad(join(at, name), hint, "there is no plugin %q", clip(name, 80))
		}
	}
}

func (l *linter) command(t *Template, c *Container, at []string) {
	template := at[:len(at)-1]
	for i, v := range c.Env {
		here := join(at, "env", strconv.Itoa(i))
		if !envName.MatchString(v.Name) {
			l.bad(here, "", "%q is not the name of a variable", clip(v.Name, 50))
		}
		if v.ValueFrom != nil && (v.ValueFrom.SecretKeyRef == nil || v.ValueFrom.SecretKeyRef.Name == "") {
			l.bad(here, "write secretKeyRef with name and key", "valueFrom names no secret")
		}
	}
	if _, err := readLimits(t, c, l.most); err != nil {
		var limit *limitError
		errors.As(err, &limit)
		l.err(join(template, limit.at...), limit.error)
	}
	l.wishes(t.Metadata.Annotations, join(template, "metadata", "annotations"))
	for i, p := range t.Outputs.Parameters {
		here := join(template, "outputs", "parameters", strconv.Itoa(i))
		if p.ValueFrom == nil || p.ValueFrom.Path == "" {
			l.bad(here, "name the file that the step writes", "an output parameter of a %s wants valueFrom.path", t.kind())
			continue
		}
		l.path(p.ValueFrom.Path, join(here, "valueFrom", "path"))
	}
	for part, list := range map[string][]Artifact{"inputs": t.Inputs.Artifacts, "outputs": t.Outputs.Artifacts} {
		for i, a := range list {
			here := join(template, part, "artifacts", strconv.Itoa(i))
			switch {
			case !workflowName.MatchString(a.Name):
				l.bad(here, "", "%q is not a name for an artifact", clip(a.Name, 50))
			case a.Path == "":
				l.bad(here, "say where the step has it", "path is missing")
			default:
				l.path(a.Path, join(here, "path"))
			}
		}
	}
}

func (l *linter) wishes(annotations map[string]string, at []string) {
	_, err := readWishes(annotations)
	var wish *wishError
	if errors.As(err, &wish) {
		l.err(join(at, wish.name), wish.error)
	}
}

func (l *linter) path(p string, at []string) {
	if !strings.Contains(p, "{{") {
		l.err(at, checkPath(path.Clean(p)))
	}
}

func (l *linter) duration(text string, at []string) {
	if text != "" && !strings.Contains(text, "{{") {
		_, err := parseDuration(text)
		l.err(at, err)
	}
}

func (l *linter) retry(t *Template, at []string) {
	r := t.RetryStrategy
	if r == nil {
		return
	}
	if t.Suspend != nil {
		l.bad(at, "", "a suspend can't be tried again")
	}
	if !slices.Contains([]string{"", "Always", "OnFailure", "OnError", "OnTransientError"}, r.RetryPolicy) {
		l.bad(join(at, "retryPolicy"), "write Always, OnFailure or OnError", "%q is not a policy", clip(r.RetryPolicy, 50))
	}
	if n, err := strconv.Atoi(string(r.Limit)); r.Limit != "" && !strings.Contains(string(r.Limit), "{{") && (err != nil || n < 0) {
		l.bad(join(at, "limit"), "", "%q is not a number", clip(string(r.Limit), 50))
	}
	if r.Backoff != nil {
		for name, text := range map[string]Text{"duration": r.Backoff.Duration, "maxDuration": r.Backoff.MaxDuration, "cap": r.Backoff.Cap} {
			l.duration(string(text), join(at, "backoff", name))
		}
	}
}
