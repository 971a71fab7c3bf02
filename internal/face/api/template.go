package api

import (
	"context"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/machinery/once"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) templateRoutes() {
	const one = "/templates/{namespace}/{name}"
	register(a, operation("getTemplateSchema", http.MethodGet, one+"/schema", "templates", "The form of a golden path"), a.getTemplateSchema)
	op := operation("useTemplate", http.MethodPost, one+"/runs", "templates", "Use a golden path")
	op.DefaultStatus = 201
	register(a, op, a.useTemplate)
	register(a, operation("previewTemplate", http.MethodPost, one+"/preview", "templates", "The files that a golden path would make, without making anything"), a.previewTemplate)
	register(a, operation("lintTemplate", http.MethodPost, "/templates/lint", "templates", "Check a golden path's file"), a.lintTemplate)
	register(a, operation("undoScaffold", http.MethodPost, "/runs/{id}/undo", "runs", "Delete what a golden path's run has made"), a.undoScaffold)
}

func (a *API) getTemplateSchema(ctx context.Context, in *Named) (*body[TemplateSchema], error) {
	f, err := a.Scaffold.ParameterSchema(ctx, in.ref("template").String())
	if err != nil {
		return nil, err
	}
	out := TemplateSchema{Ref: f.Template, Title: f.Title, Description: f.Description, Steps: []TemplatePage{}}
	for _, p := range f.Pages {
		schema, err := json.Marshal(p.Schema)
		if err != nil {
			return nil, err
		}
		out.Steps = append(out.Steps, TemplatePage{Title: p.Title, Description: p.Description, Schema: schema})
	}
	if f.Secrets != nil {
		if out.Secrets, err = json.Marshal(f.Secrets); err != nil {
			return nil, err
		}
	}
	return answer(out), nil
}

type templateValues struct {
	Values  map[string]any `json:"values"`
	Secrets map[string]any `json:"secrets,omitempty" doc:"By the names by which the steps read them: secrets.NAME. Secret fields of the form may be among the values."`
	Space   string         `json:"space,omitempty" maxLength:"63" doc:"Where what is made belongs; the form's field space when absent."`
}

type useTemplateInput struct {
	Named
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"A second use with the same key gives the run of the first."`
	Body templateValues
}

func (a *API) useTemplate(ctx context.Context, in *useTemplateInput) (*tagged[RunDetail], error) {
	id, err := a.Scaffold.Start(once.Unmarked(ctx), scaffold.NewRun{
		Template: in.ref("template").String(), Values: in.Body.Values, Secrets: in.Body.Secrets, Space: in.Body.Space, Key: in.Key,
	})
	if err != nil {
		return nil, err
	}
	return a.getRun(ctx, &RunInput{id})
}

type previewTemplateInput struct {
	Named
	Body templateValues
}

func (a *API) previewTemplate(ctx context.Context, in *previewTemplateInput) (*body[List[PreviewFile]], error) {
	r, err := a.Scaffold.DryRun(ctx, scaffold.DryRun{Template: in.ref("template").String(), Values: in.Body.Values, Secrets: in.Body.Secrets, Space: in.Body.Space})
	if err != nil {
		return nil, err
	}
	items := make([]PreviewFile, len(r.Files))
	for i, f := range r.Files {
		items[i] = PreviewFile{Path: f.Path, Text: "(binary)"}
		if utf8.Valid(f.Content) {
			items[i].Text = string(f.Content)
		}
	}
	return list(items, ""), nil
}

type lintInput struct {
	Body struct {
		File     string `json:"file" maxLength:"500"`
		Document string `json:"document" maxLength:"2097152"`
	}
}

func (a *API) lintTemplate(ctx context.Context, in *lintInput) (*body[LintReport], error) {
	l, err := a.Scaffold.Lint(ctx, in.Body.File, []byte(in.Body.Document), scaffold.LintOptions{})
	if err != nil {
		return nil, err
	}
	if len(l.Errors) > 0 {
		return nil, fault.At(in.Body.File+" can't be used", l.Errors...)
	}
	return lintReport(l.Warnings), nil
}

func lintReport(warnings []fault.Detail) *body[LintReport] {
	report := LintReport{Warnings: make([]LintWarning, len(warnings))}
	for i, w := range warnings {
		report.Warnings[i] = LintWarning{Location: location(w), Message: message(w)}
	}
	return answer(report)
}

func (a *API) undoScaffold(ctx context.Context, in *RunInput) (*tagged[RunDetail], error) {
	if err := a.Scaffold.Undo(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.getRun(ctx, in)
}
