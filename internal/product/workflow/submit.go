package workflow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	maxArgument = 256 << 10 // bytes of one argument
	maxRefs     = 50        // WorkflowTemplates that one workflow uses
)

// Report is what a linter says of a file that is right.
type Report struct {
	Names    []string // of the workflows in it, as KIND/NAME
	Warnings []fault.Detail
}

// Lint checks a file of Workflows and WorkflowTemplates without a catalog: templates that the file itself doesn't
// hold are taken to be right. Invalid with the line of each mistake.
func (s *Service) Lint(file string, data []byte) (Report, error) {
	documents, err := document.Parse(file, data, documentLimits)
	if err != nil {
		return Report{}, err
	}
	here := map[string]*Spec{}
	for _, d := range documents {
		if def, wrong := read(d); len(wrong) == 0 && def.template() {
			here[d.Metadata.Name] = &def.spec
		}
	}
	var report Report
	var wrong []fault.Detail
	for _, d := range documents {
		def, details := s.check(d, func(name string) (*Spec, bool) { return here[name], here[name] != nil }, nil)
		wrong = append(wrong, details...)
		if def != nil {
			report.Names = append(report.Names, d.Kind+"/"+nameOf(d))
			report.Warnings = append(report.Warnings, def.warnings...)
		}
	}
	if len(documents) == 0 {
		wrong = append(wrong, fault.Detail{File: file, Message: "there is no document in it"})
	}
	if len(wrong) > 0 {
		return report, fault.At(fmt.Sprintf("%s is not a workflow that can run", orDocument(file)), wrong...)
	}
	return report, nil
}

func orDocument(file string) string {
	if file == "" {
		return "the document"
	}
	return file
}

func nameOf(d document.Document) string {
	if d.Metadata.Name != "" {
		return d.Metadata.Name
	}
	if prefix, ok := d.Metadata.Rest["generateName"].(string); ok {
		return strings.TrimRight(prefix, "-")
	}
	return ""
}

// check reads a document and lints it as a whole; with what is given, when it is submitted.
func (s *Service) check(d document.Document, refs references, given *Submission) (*definition, []fault.Detail) {
	def, wrong := read(d)
	if len(wrong) > 0 {
		return def, wrong
	}
	l := &linter{def: def, refs: refs, plugins: map[string]bool{}, given: given, most: s.Most}
	for name := range s.Plugins {
		l.plugins[name] = true
	}
	l.run()
	wrong = append(l.wrong, s.checkPlugins(def)...)
	def.warnings = append(def.warnings, l.warn...)
	return def, wrong
}

func (s *Service) checkPlugins(def *definition) []fault.Detail {
	var wrong []fault.Detail
	for i := range def.spec.Templates {
		for name, args := range def.spec.Templates[i].Plugin {
			p, found := s.Plugins[strings.TrimPrefix(name, pluginPrefix)]
			if !found || p.Check == nil {
				continue
			}
			if err := p.Check(args); err != nil {
				wrong = append(wrong, def.At(fault.Message(err), "", "spec", "templates", fmt.Sprint(i), "plugin", name))
			}
		}
	}
	return wrong
}

// plan reads what is submitted and all that it names, and gives the plan and the entity that it is about.
func (s *Service) plan(ctx context.Context, tx *store.Tx, n Submission, spaces []string) (*Plan, string, error) {
	d, subject, err := s.submitted(ctx, tx, n, spaces)
	if err != nil {
		return nil, "", err
	}
	b := &binder{service: s, tx: tx, spaces: spaces, refs: map[string]*Spec{}, annotations: map[string]map[string]string{}}
	def, wrong := read(d)
	if len(wrong) == 0 {
		if err := b.fetch(ctx, referenced(&def.spec), 0); err != nil {
			return nil, "", err
		}
		def, wrong = s.check(d, func(name string) (*Spec, bool) { return b.refs[name], true }, &n)
	}
	if len(wrong) > 0 {
		return nil, "", fault.At(fmt.Sprintf("%s is not a workflow that can run", orDocument(d.Origin.File)), wrong...)
	}
	p := &Plan{
		Name: nameOf(d), Space: n.Space, Spec: def.spec, Refs: map[string]Spec{},
		Labels: d.Metadata.Labels, Annotations: d.Metadata.Annotations, File: d.Origin.File, Most: s.Most, Catalog: catalogName(n, d),
	}
	if ref := def.spec.WorkflowTemplateRef; ref != nil {
		p.Spec = merge(*b.refs[ref.Name], def.spec)
		if e, err := templateEntity(ref.Name); subject == "" && err == nil {
			subject = e.String()
		}
	}
	for name, spec := range b.refs {
		p.Refs[name] = *spec
	}
	if find(&p.Spec, p.Spec.Entrypoint) == nil {
		return nil, "", fault.At(fmt.Sprintf("%s can't be submitted", orDocument(d.Origin.File)), d.At("entrypoint is missing", "name the template to start with", "spec"))
	}
	if err := p.bind(n); err != nil {
		return nil, "", err
	}
	if err := s.pools(ctx, tx, p, def, b); err != nil {
		return nil, "", err
	}
	if n.may != nil {
		if err := p.grant(def, b.refs, n); err != nil {
			return nil, "", err
		}
	}
	return p, subject, nil
}

// submitted gives the document of a submission, and the entity that it is when it comes from the catalog.
func (s *Service) submitted(ctx context.Context, tx *store.Tx, n Submission, spaces []string) (document.Document, string, error) {
	if n.Template != "" {
		d, err := s.template(ctx, tx, n.Template, spaces)
		return d, d.Ref().String(), err
	}
	documents, err := document.Parse(n.File, n.Document, documentLimits)
	if err != nil {
		return document.Document{}, "", err
	}
	if len(documents) != 1 || documents[0].Kind == clusterTemplate {
		return document.Document{}, "", fault.Errorf(fault.Invalid, "%s: a submission is one Workflow or WorkflowTemplate", orDocument(n.File))
	}
	return documents[0], "", nil
}

// template gives a WorkflowTemplate of the run's space or one above it.
func (s *Service) template(ctx context.Context, tx *store.Tx, name string, spaces []string) (document.Document, error) {
	missing := fault.Errorf(fault.NotFound, "there is no WorkflowTemplate %q in this space or one above; apply it first", clip(name, 80))
	d, space, err := s.Templates.WorkflowTemplate(ctx, tx, name)
	if fault.Is(err, fault.NotFound) || err == nil && !slices.Contains(spaces, space) {
		return d, missing
	}
	return d, fault.Wrap(err, "read WorkflowTemplate %s", name)
}

// binder fetches the WorkflowTemplates that a workflow uses, and those that they use.
type binder struct {
	service *Service
	tx      *store.Tx
	spaces  []string
	refs    map[string]*Spec

	annotations map[string]map[string]string // of the same documents
}

func (b *binder) fetch(ctx context.Context, names []string, depth int) error {
	for _, name := range names {
		if _, done := b.refs[name]; done {
			continue
		}
		if len(b.refs) >= maxRefs || depth > maxRefs {
			return fault.Errorf(fault.TooLarge, "the workflow uses more than %d WorkflowTemplates", maxRefs)
		}
		d, err := b.service.template(ctx, b.tx, name, b.spaces)
		if fault.Is(err, fault.NotFound) {
			continue // the linter points at who names it
		}
		if err != nil {
			return err
		}
		def, wrong := read(d)
		if len(wrong) > 0 {
			return fault.At("WorkflowTemplate "+name+" can't be used", wrong...)
		}
		b.refs[name], b.annotations[name] = &def.spec, d.Metadata.Annotations
		if err := b.fetch(ctx, referenced(&def.spec), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// merge gives a template's spec with what a workflow that refers to it says besides.
func merge(base, over Spec) Spec {
	if over.Entrypoint != "" {
		base.Entrypoint = over.Entrypoint
	}
	if over.OnExit != "" {
		base.OnExit = over.OnExit
	}
	if over.Parallelism != 0 {
		base.Parallelism = over.Parallelism
	}
	if over.ActiveDeadlineSeconds != 0 {
		base.ActiveDeadlineSeconds = over.ActiveDeadlineSeconds
	}
	if over.Priority != 0 {
		base.Priority = over.Priority
	}
	if len(over.Hooks) > 0 {
		base.Hooks = over.Hooks
	}
	base.Arguments.Parameters = overlay(base.Arguments.Parameters, over.Arguments.Parameters)
	for _, a := range over.Arguments.Artifacts {
		base.Arguments.Artifacts = slices.DeleteFunc(slices.Clone(base.Arguments.Artifacts), func(b Artifact) bool { return b.Name == a.Name })
		base.Arguments.Artifacts = append(base.Arguments.Artifacts, a)
	}
	return base
}

func overlay(base, over []Parameter) []Parameter {
	merged := slices.Clone(base)
	for _, p := range over {
		i := slices.IndexFunc(merged, func(m Parameter) bool { return m.Name == p.Name })
		if i < 0 {
			merged = append(merged, p)
			continue
		}
		if p.Value != nil {
			merged[i].Value = p.Value
		}
	}
	return merged
}

// sourceParameters are parameters that the run's source fills in when a workflow declares them without a value.
func sourceParameters(n Submission) map[string]string {
	return map[string]string{"repository": n.Source.Repository, "commit": n.Source.Commit, "ref": n.Source.Ref}
}

// bind gives every parameter of the workflow its value.
func (p *Plan) bind(n Submission) error {
	p.Arguments = map[string]string{}
	var wrong []fault.Detail
	bad := func(name, message, hint string) {
		wrong = append(wrong, fault.Detail{File: p.File, Field: "spec.arguments.parameters." + name, Message: message, Hint: hint})
	}
	declared := map[string]bool{}
	for _, a := range p.Spec.Arguments.Parameters {
		declared[a.Name] = true
		value, given := n.Arguments[a.Name]
		if !given {
			value, given = a.Value.text()
		}
		if !given {
			value, given = a.Default.text()
		}
		if !given {
			value = sourceParameters(n)[a.Name]
			given = value != ""
		}
		switch {
		case !given:
			bad(a.Name, "no value is given, and there is no default", "give it as an argument")
		case len(value) > maxArgument:
			bad(a.Name, fmt.Sprintf("the value is over %d bytes", maxArgument), "")
		case len(a.Enum) > 0 && !slices.Contains(a.Enum, Text(value)):
			bad(a.Name, fmt.Sprintf("%q is not one of %s", clip(value, 50), joinTexts(a.Enum)), "")
		}
		p.Arguments[a.Name] = value
	}
	for _, name := range sortedKeys(n.Arguments) {
		if declared[name] {
			continue
		}
		if !workflowName.MatchString(name) || len(n.Arguments[name]) > maxArgument {
			bad(clip(name, 50), "it is not a parameter", "")
			continue
		}
		// Argo: an argument that the workflow does not declare is known as workflow.parameters.NAME.
		value := Text(n.Arguments[name])
		p.Spec.Arguments.Parameters = append(p.Spec.Arguments.Parameters, Parameter{Name: name, Value: &value})
		p.Arguments[name] = string(value)
	}
	for _, a := range p.Spec.Arguments.Artifacts {
		switch {
		case a.Raw != nil:
			if p.Artifacts == nil {
				p.Artifacts = map[string]ArtifactValue{}
			}
			p.Artifacts[a.Name] = ArtifactValue{Raw: a.Raw.Data, IsRaw: true, Kind: "file"}
		case !a.Optional:
			wrong = append(wrong, fault.Detail{File: p.File, Field: "spec.arguments.artifacts." + a.Name, Message: "it has no content", Hint: "give it as raw"})
		}
	}
	if len(wrong) > 0 {
		return fault.At("the arguments are wrong", wrong...)
	}
	return nil
}
