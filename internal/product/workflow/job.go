package workflow

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Annotations of a template's metadata, by which a container or script says what it needs of Roadbed. Argo leaves
// them alone, so the document still runs there.
const (
	AnnotationTools    = "roadbed.dev/tools"    // go,roadbed: read-only tools of the pool
	AnnotationCaches   = "roadbed.dev/caches"   // go-build=/cache/go-build,…: folders that the pool keeps between steps of a branch
	AnnotationCheckout = "roadbed.dev/checkout" // /work/src: the repository at the run's commit; also the working directory unless one is named
	AnnotationDoor     = "roadbed.dev/door"     // "true": the platform's API at $ROADBED_URL, with a token of the step
	AnnotationScopes   = "roadbed.dev/scopes"   // artifact:write,…: what that token may do; see grantable
	AnnotationNetwork  = "roadbed.dev/network"  // "true": the network, if the pool grants it
)

const stagingDir = ".roadbed" // below /work: what the platform itself puts there

var (
	toolName  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	cacheName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	envName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)
)

// step gives the run's step of a leaf, or says why it can't be.
func (s Start) step(r *run.Run, p *Plan) (run.Step, error) {
	step := run.Step{Key: s.Key, Title: s.Name, Group: s.Group}
	switch s.Type {
	case TypePlugin:
		job, err := s.pluginJob(r)
		step.Job = job
		return step, err
	}
	job, err := s.commandJob(r, p)
	if err == nil {
		step.Pool, err = s.pool(p)
	}
	step.Job = job
	return step, err
}

// Names of what a step puts out.
const (
	outputParameter = "parameter-"
	outputArtifact  = "artifact-"
	outputResult    = "result"
)

func (s Start) commandJob(r *run.Run, p *Plan) (worker.Job, error) {
	t := &s.Template
	c := t.Container
	if t.Script != nil {
		c = &t.Script.Container
	}
	b := &jobBuilder{start: s, run: r, plan: p, launch: launcher{capture: s.Capture}, job: worker.Job{
		Kind: worker.KindCommand, Image: c.Image, Dir: c.WorkingDir, SecretEnv: map[string]string{},
		Env: map[string]string{
			"CI": "true", "ROADBED_RUN": r.ID, "ROADBED_NODE": s.Key, "ROADBED_ATTEMPT": fmt.Sprint(s.Attempt),
			"ROADBED_REPOSITORY": r.Source.Repository, "ROADBED_COMMIT": r.Source.Commit, "ROADBED_REF": r.Source.Ref,
		},
	}}
	argv := append(append([]string{}, c.Command...), c.Args...)
	if t.Script != nil {
		file := stagingDir + "/script"
		b.job.Files = append(b.job.Files, worker.File{Path: file, Mode: 0o755, Content: t.Script.Source})
		argv = append(append([]string{}, c.Command...), path.Join(execute.WorkDir, file))
	}
	for _, build := range []func(*Container) error{b.environment, b.wishes, b.limits, b.inputs, b.outputs} {
		if err := build(c); err != nil {
			return worker.Job{}, err
		}
	}
	b.job.Argv = argv
	if script := b.launch.script(); script != "" {
		file := stagingDir + "/launch"
		b.job.Files = append(b.job.Files, worker.File{Path: file, Mode: 0o755, Content: script})
		b.job.Argv = append([]string{"/bin/sh", path.Join(execute.WorkDir, file)}, argv...)
	}
	b.job.Sealed = len(b.job.SecretEnv) > 0 || b.job.IDToken != nil
	if len(b.job.SecretEnv) == 0 {
		b.job.SecretEnv = nil
	}
	return b.job, nil
}

// jobBuilder turns a template whose tags are filled in into a job.
type jobBuilder struct {
	start  Start
	run    *run.Run
	plan   *Plan
	job    worker.Job
	launch launcher
}

func (b *jobBuilder) environment(c *Container) error {
	for _, v := range c.Env {
		if !envName.MatchString(v.Name) {
			return fault.Errorf(fault.Invalid, "env: %q is not the name of a variable", clip(v.Name, 50))
		}
		if v.ValueFrom == nil || v.ValueFrom.SecretKeyRef == nil {
			b.job.Env[v.Name] = v.Value
			continue
		}
		ref := v.ValueFrom.SecretKeyRef
		secret := b.run.Space + "/" + ref.Name
		if ref.Key != "" {
			secret += "#" + ref.Key
		}
		delete(b.job.Env, v.Name)
		b.job.SecretEnv[v.Name] = secret
	}
	return nil
}

// wishes reads the annotations.
func (b *jobBuilder) wishes(*Container) error {
	w, err := readWishes(b.start.Template.Metadata.Annotations)
	if err != nil {
		return err
	}
	b.job.Tools, b.job.Caches, b.job.Door, b.job.Network = w.tools, w.caches, w.door, w.network
	for i := range b.job.Caches {
		b.job.Caches[i].Scope = b.cacheScope()
	}
	b.identify(w)
	own := b.run.Source.Repository
	if b.job.Scopes, err = b.plan.given(w.scopes, own); err != nil {
		return err
	}
	if w.checkout == "" {
		return nil
	}
	if own == "" || b.run.Source.Commit == "" {
		return fault.Errorf(fault.Invalid, "%s wants the repository, but the run was submitted without one", AnnotationCheckout)
	}
	b.job.Sources = append(b.job.Sources, worker.Source{Path: relative(w.checkout), Repository: own, Commit: b.run.Source.Commit})
	if b.job.Dir == "" {
		b.job.Dir = w.checkout
	}
	return nil
}

// cacheScope keeps caches apart that are filled by whom others need not trust: each branch of a repository has its own,
// and so has each person who submits what nobody has pushed.
func (b *jobBuilder) cacheScope() string {
	if b.plan.Limited {
		return "submitted by " + b.run.Actor
	}
	return b.run.Source.Repository + " " + b.run.Source.Ref
}

// wishes is what a template's annotations say.
type wishes struct {
	tools         []string
	caches        []worker.Cache
	checkout      string
	scopes        []string
	audience      string
	door, network bool
}

// wishError is what is wrong with one annotation.
type wishError struct {
	name string
	error
}

func (e *wishError) Unwrap() error { return e.error }

func readWishes(annotations map[string]string) (wishes, error) {
	var w wishes
	bad := func(name, format string, args ...any) (wishes, error) {
		return w, &wishError{name, fault.Errorf(fault.Invalid, name+": "+format, args...)}
	}
	for _, tool := range fields(annotations[AnnotationTools]) {
		if !toolName.MatchString(tool) {
			return bad(AnnotationTools, "%q is not the name of a tool", clip(tool, 50))
		}
		w.tools = append(w.tools, tool)
	}
	for _, text := range fields(annotations[AnnotationCaches]) {
		name, at, found := strings.Cut(text, "=")
		if !found || !cacheName.MatchString(name) || !path.IsAbs(at) || path.Clean(at) != at || at == "/" {
			return bad(AnnotationCaches, "%q is not a cache; write NAME=/absolute/path", clip(text, 80))
		}
		w.caches = append(w.caches, worker.Cache{Name: name, Path: at})
	}
	if w.checkout = annotations[AnnotationCheckout]; w.checkout != "" && (path.Clean(w.checkout) != w.checkout || !below(w.checkout, execute.WorkDir)) {
		return bad(AnnotationCheckout, "%q is not a path below %s, such as /work/src", clip(w.checkout, 80), execute.WorkDir)
	}
	for name, flag := range map[string]*bool{AnnotationDoor: &w.door, AnnotationNetwork: &w.network} {
		switch text := annotations[name]; text {
		case "", "false", "true":
			*flag = text == "true"
		default:
			return bad(name, `%q is neither "true" nor "false"`, clip(text, 50))
		}
	}
	if w.audience = annotations[AnnotationOIDC]; w.audience != "" {
		if err := checkAudience(w.audience); err != nil {
			return bad(AnnotationOIDC, "%s", fault.Message(err))
		}
	}
	if _, err := poolOf(annotations); err != nil {
		return w, err
	}
	for _, scope := range fields(annotations[AnnotationScopes]) {
		action, _, _ := strings.Cut(scope, "=")
		if !grantable[action] {
			return bad(AnnotationScopes, "%q can't be given to a step; it may have %s", clip(scope, 80), strings.Join(sortedKeys(grantable), ", "))
		}
		if !w.door {
			return bad(AnnotationScopes, "scopes are of no use without %s", AnnotationDoor)
		}
		w.scopes = append(w.scopes, scope)
	}
	if err := access.CheckScopes(w.scopes); err != nil {
		return bad(AnnotationScopes, "%s", fault.Message(err))
	}
	return w, nil
}

// fields splits a list at commas and white space.
func fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
}

// limits reads what the document sets; the pool sets the rest, and holds all to its most.
func (b *jobBuilder) limits(c *Container) (err error) {
	b.job.Limits, err = readLimits(&b.start.Template, c, b.plan.Most)
	return err
}

func (b *jobBuilder) inputs(*Container) error {
	for i, a := range b.start.Template.Inputs.Artifacts {
		value, given := b.start.Inputs.Artifacts[a.Name]
		if !given || a.Path == "" {
			continue
		}
		if err := checkPath(a.Path); err != nil {
			return fault.Wrap(err, "inputs.artifacts.%s", a.Name)
		}
		at := relative(a.Path)
		if !below(a.Path, execute.WorkDir) {
			at = fmt.Sprintf("%s/in/%d", stagingDir, i)
			b.launch.in = append(b.launch.in, [2]string{path.Join(execute.WorkDir, at), a.Path})
		}
		mode := uint32(0o644)
		if a.Mode != nil {
			mode = uint32(*a.Mode) & 0o777
		}
		switch {
		case value.IsRaw:
			b.job.Files = append(b.job.Files, worker.File{Path: at, Mode: mode, Content: value.Raw})
		case value.Kind == "tree":
			b.job.Sources = append(b.job.Sources, worker.Source{Path: at, Blob: value.Digest, Sealed: value.Sealed})
		default:
			b.job.Files = append(b.job.Files, worker.File{Path: at, Mode: mode, Blob: value.Digest, Sealed: value.Sealed})
		}
	}
	return nil
}

func (b *jobBuilder) outputs(*Container) error {
	out := &b.start.Template.Outputs
	add := func(name, kind, at string, optional bool) error {
		if err := checkPath(at); err != nil {
			return fault.Wrap(err, "outputs: %s", name)
		}
		if !below(at, execute.WorkDir) {
			staged := path.Join(execute.WorkDir, stagingDir, "out", name)
			b.launch.out = append(b.launch.out, [2]string{at, staged})
			at = staged
		}
		b.job.Outputs = append(b.job.Outputs, worker.Output{Name: name, Path: at, Kind: kind, Optional: optional})
		return nil
	}
	for _, p := range out.Parameters {
		if p.ValueFrom == nil || p.ValueFrom.Path == "" {
			continue
		}
		if err := add(outputParameter+p.Name, worker.OutputText, p.ValueFrom.Path, p.ValueFrom.Default != nil); err != nil {
			return err
		}
	}
	for _, a := range out.Artifacts {
		if err := add(outputArtifact+a.Name, worker.OutputAny, strings.TrimSuffix(a.Path, "/"), a.Optional); err != nil {
			return err
		}
	}
	if b.start.Capture {
		b.job.Outputs = append(b.job.Outputs, worker.Output{Name: outputResult, Path: path.Join(execute.WorkDir, resultFile), Kind: worker.OutputText, Optional: true})
	}
	return nil
}

// checkPath holds a path of a step to what it may write.
func checkPath(p string) error {
	if !path.IsAbs(p) || !below(path.Clean(p), execute.WorkDir) && !below(path.Clean(p), "/tmp") {
		return fault.Errorf(fault.Invalid, "path %q is not below %s or /tmp, which are all that a step may write", clip(p, 100), execute.WorkDir)
	}
	return nil
}

func below(p, dir string) bool { return strings.HasPrefix(p, dir+"/") }

// relative gives a path below /work relative to it.
func relative(p string) string {
	return strings.TrimPrefix(path.Clean(p), execute.WorkDir+"/")
}

// values reads what a step left, as it was.
func values(result worker.Result) Values {
	result = result.Given()
	v := Values{Parameters: map[string]string{}, Artifacts: map[string]ArtifactValue{}, ExitCode: fmt.Sprint(result.ExitCode)}
	for name, text := range result.Outputs {
		// Argo: one newline at the end is left out.
		text = strings.TrimSuffix(text, "\n")
		if name == outputResult {
			v.Result = &text
			continue
		}
		v.Parameters[strings.TrimPrefix(name, outputParameter)] = text
	}
	for name, a := range result.Artifacts {
		v.Artifacts[strings.TrimPrefix(name, outputArtifact)] = ArtifactValue{Digest: a.Digest, Size: a.Size, Kind: a.Kind, Sealed: a.Sealed}
	}
	return v
}
