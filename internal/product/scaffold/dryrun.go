package scaffold

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// dryRunTime is how long a dry run may take.
const dryRunTime = time.Minute

// dryRunID stands where a run's id would.
const dryRunID = "dry-run"

// DryRun is what to try out: a template of the catalog, or one that is not in it yet, with the files beside it.
type DryRun struct {
	Template string // reference; or
	File     string // name of the template's file, such as template.yaml
	Data     []byte // of the template's file
	Files    []File // beside it, paths relative to the template's folder

	Values  map[string]any
	Secrets map[string]any
	Space   string
}

// File is a file that a dry run takes or gives.
type File struct {
	Path       string
	Content    []byte
	Executable bool
	Link       bool // Content is its target
}

// DryRunResult is what the run would have done.
type DryRunResult struct {
	Log    string
	Files  []File
	Output map[string]any
	Steps  []DryRunStep
}

// DryRunStep is a step of a dry run.
type DryRunStep struct {
	ID, Name, Action string
	Skipped          bool // by its condition, or since it can't be tried out
	Output           map[string]any
}

// DryRun renders a template with values and gives the files, and makes nothing.
// Permission: template:use in the space; entity:read for a template of the catalog.
func (s *Service) DryRun(ctx context.Context, d DryRun) (DryRunResult, error) {
	ctx, cancel := context.WithTimeout(ctx, dryRunTime)
	defer cancel()
	t, template, err := s.prepareDryRun(ctx, d)
	if err != nil {
		return DryRunResult{}, err
	}
	var log limited
	masked := t.Hidden.masking(&log)
	e, err := s.newExecution(ctx, t, template, masked)
	if err != nil {
		return DryRunResult{}, err
	}
	defer e.Close()
	e.dryRun, e.keeper = true, noKeeper{}
	var out DryRunResult
	for i, step := range template.Steps {
		fmt.Fprintf(e.log, "step %s\n", step.Name)
		output, skipped, err := e.step(ctx, i)
		if err != nil {
			return DryRunResult{}, fault.Wrap(err, "step %s", step.ID)
		}
		e.outputs[step.ID] = map[string]any{"output": output}
		shown, _ := t.Hidden.redactValue(output).(map[string]any)
		out.Steps = append(out.Steps, DryRunStep{step.ID, step.Name, step.Action, skipped, shown})
	}
	outcome, err := e.outcome(ctx)
	if err != nil {
		return DryRunResult{}, err
	}
	out.Output, _ = t.Hidden.redactValue(outcome).(map[string]any)
	for _, name := range e.space.names() {
		f := e.space.files[name]
		out.Files = append(out.Files, File{name, f.data, f.mode == modeExec, f.mode == modeLink})
	}
	_ = masked.Close() // it is in memory
	out.Log = log.String()
	return out, nil
}

func (s *Service) prepareDryRun(ctx context.Context, d DryRun) (*task, Template, error) {
	if d.Template != "" {
		t, _, err := s.prepare(ctx, NewRun{Template: d.Template, Values: d.Values, Secrets: d.Secrets, Space: d.Space})
		if err != nil {
			return nil, Template{}, err
		}
		template, _ := readTemplate(t.Document)
		t.Run, t.Created = dryRunID, s.Now()
		return t, template, nil
	}
	space := d.Space
	if space == "" {
		space = access.Root
	}
	if err := s.Access.Authorize(ctx, "template:use", space); err != nil {
		return nil, Template{}, err
	}
	if err := checkSize(NewRun{Values: d.Values, Secrets: d.Secrets}); err != nil {
		return nil, Template{}, err
	}
	template, err := s.templateIn(ctx, d)
	if err != nil {
		return nil, Template{}, err
	}
	t := &task{
		Run: dryRunID, Template: template.Ref.String(), Space: space, Path: "template.yaml", Document: template.Document,
		Created: s.Now(), Principal: principal{ID: actor.From(ctx).ID}, files: newWorkspace(),
	}
	if t.Values, t.Hidden, err = template.accept(NewRun{Values: d.Values, Secrets: d.Secrets}); err != nil {
		return nil, Template{}, err
	}
	for _, f := range d.Files {
		mode := modeFile
		if f.Executable {
			mode = modeExec
		}
		if err := t.files.put(f.Path, file{mode, f.Content}); err != nil {
			return nil, Template{}, err
		}
	}
	return t, template, nil
}

// templateIn gives the one template of a dry run's file.
func (s *Service) templateIn(ctx context.Context, d DryRun) (Template, error) {
	name := d.File
	if name == "" {
		name = "template.yaml"
	}
	if len(d.Data) > maxTemplateFile {
		return Template{}, fault.Errorf(fault.TooLarge, "%s has over %d bytes", name, maxTemplateFile)
	}
	documents, err := document.Parse(name, d.Data, document.Limits{})
	if err != nil {
		return Template{}, err
	}
	for _, doc := range documents {
		if strings.EqualFold(doc.Kind, "Template") && doc.APIVersion == APIVersion {
			return s.usable(ctx, doc)
		}
	}
	return Template{}, fault.At(name+" has no template", fault.Detail{File: name, Message: "no document of kind Template and version " + APIVersion})
}

// limited keeps the first megabyte of a log.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 1<<20 - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

var _ io.Writer = (*limited)(nil)
