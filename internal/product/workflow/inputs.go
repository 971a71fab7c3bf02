package workflow

import (
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// inputs gives what a template takes: what the caller's arguments say in the caller's scope, else the template's own
// values and defaults. Argo: an argument that names an output which was not made counts as not given.
func (e *engine) inputs(t *Template, given *Arguments, caller *scope, artifacts map[string]ArtifactValue) (Values, error) {
	in := Values{Parameters: map[string]string{}, Artifacts: map[string]ArtifactValue{}}
	for i := range t.Inputs.Parameters {
		p := &t.Inputs.Parameters[i]
		value, err := e.input(p, given, caller)
		if err != nil {
			return in, fault.Wrap(err, "inputs.parameters.%s", p.Name)
		}
		if len(p.Enum) > 0 && !slices.Contains(p.Enum, Text(value)) {
			return in, fault.Errorf(fault.Invalid, "inputs.parameters.%s: %q is not one of %s", p.Name, clip(value, 50), joinTexts(p.Enum))
		}
		in.Parameters[p.Name] = value
	}
	for i := range t.Inputs.Artifacts {
		a := &t.Inputs.Artifacts[i]
		value, state, err := e.artifact(a, given, caller, artifacts)
		if err != nil {
			return in, fault.Wrap(err, "inputs.artifacts.%s", a.Name)
		}
		switch {
		case state == present:
			in.Artifacts[a.Name] = value
		case !a.Optional:
			return in, fault.Errorf(fault.Invalid, "inputs.artifacts.%s is not given, and it is not optional", a.Name)
		}
	}
	return in, nil
}

func (e *engine) input(p *Parameter, given *Arguments, caller *scope) (string, error) {
	for i := range given.Parameters {
		a := &given.Parameters[i]
		if a.Name != p.Name {
			continue
		}
		text, has := a.Value.text()
		if !has && a.ValueFrom != nil && a.ValueFrom.Expression != "" {
			text, has = "{{="+a.ValueFrom.Expression+"}}", true
		}
		if !has {
			break
		}
		value, state, err := caller.fill(text)
		if err != nil {
			return "", err
		}
		if state == present {
			return value, nil
		}
	}
	own := &scope{run: e.globals}
	if text, has := p.Value.text(); has {
		return own.must(text)
	}
	if text, has := p.Default.text(); has {
		return own.must(text)
	}
	return "", fault.Errorf(fault.Invalid, "no value is given, and there is no default")
}

func (e *engine) artifact(a *Artifact, given *Arguments, caller *scope, artifacts map[string]ArtifactValue) (ArtifactValue, found, error) {
	for i := range given.Artifacts {
		g := &given.Artifacts[i]
		switch {
		case g.Name != a.Name:
		case g.From != "":
			v, state := caller.artifact(g.From, artifacts)
			if state == unknown {
				return v, state, fault.Errorf(fault.Invalid, "from %q names no artifact that is known here", clip(g.From, 100))
			}
			return v, state, nil
		case g.Raw != nil:
			text, err := caller.must(g.Raw.Data)
			return ArtifactValue{Raw: text, IsRaw: true, Kind: "file"}, present, err
		}
	}
	if v, ok := artifacts[a.Name]; ok && caller.tmpl == nil && caller.kind == "" { // the workflow's own
		return v, present, nil
	}
	if a.Raw != nil {
		text, err := (&scope{run: e.globals}).must(a.Raw.Data)
		return ArtifactValue{Raw: text, IsRaw: true, Kind: "file"}, present, err
	}
	return ArtifactValue{}, absent, nil
}

// outputs gives what a steps or dag puts out, from what its children did.
func outputs(t *Template, sc *scope, inputs map[string]ArtifactValue) (Values, error) {
	out := Values{Parameters: map[string]string{}, Artifacts: map[string]ArtifactValue{}}
	for i := range t.Outputs.Parameters {
		p := &t.Outputs.Parameters[i]
		if p.ValueFrom == nil {
			continue
		}
		text := p.ValueFrom.Parameter
		if p.ValueFrom.Expression != "" {
			text = "{{=" + p.ValueFrom.Expression + "}}"
		}
		value, state, err := sc.fill(text)
		if err != nil {
			return out, fault.Wrap(err, "outputs.parameters.%s", p.Name)
		}
		if state != present {
			text, has := p.ValueFrom.Default.text()
			if !has {
				return out, fault.Errorf(fault.Invalid, "outputs.parameters.%s: %q has no value, and there is no default", p.Name, clip(text, 100))
			}
			value = text
		}
		out.Parameters[p.Name] = value
	}
	for i := range t.Outputs.Artifacts {
		a := &t.Outputs.Artifacts[i]
		if a.From == "" {
			continue
		}
		v, state := sc.artifact(a.From, inputs)
		switch {
		case state == present:
			out.Artifacts[a.Name] = v
		case !a.Optional:
			return out, fault.Errorf(fault.Invalid, "outputs.artifacts.%s: %q was not made, and it is not optional", a.Name, clip(a.From, 100))
		}
	}
	return out, nil
}

func joinTexts(texts []Text) string {
	list := make([]string, len(texts))
	for i, t := range texts {
		list[i] = string(t)
	}
	return strings.Join(list, ", ")
}
