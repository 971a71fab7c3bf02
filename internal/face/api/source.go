package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) sourceRoutes() {
	const one = "/sources/{name}"
	register(a, operation("listSources", http.MethodGet, "/sources", "sources", "Outside systems that push documents"), a.listSources)
	register(a, operation("getSource", http.MethodGet, one, "sources", "A source, and what of its last push could not be taken"), a.getSource)
	register(a, operation("deleteSource", http.MethodDelete, one, "sources", "Forget a source and delete what it has pushed"), a.deleteSource)
	whole := operation("replaceSourceEntities", http.MethodPut, one+"/entities", "sources", "Push all that a source has; what is not among it goes")
	part := operation("updateSourceEntities", http.MethodPatch, one+"/entities", "sources", "Push what has changed at a source")
	whole.MaxBodyBytes, part.MaxBodyBytes = 2*catalog.PushBytes, 2*catalog.PushBytes
	register(a, whole, a.replaceSource)
	register(a, part, a.updateSource)
}

func (a *API) wireSource(ctx context.Context, all ...catalog.Source) ([]Source, error) {
	var ids []string
	for _, s := range all {
		ids = append(ids, s.CreatedBy, s.PushedBy)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Source, len(all))
	for i, s := range all {
		out[i] = Source{Name: s.Name, Space: s.Space, Etag: s.Etag(), Entities: s.Entities, Created: s.Created, CreatedBy: who(s.CreatedBy),
			Pushed: s.Pushed, PushedBy: who(s.PushedBy), Ended: s.Ended, Last: wireBrought(s.Last), Problems: problems(s.Details)}
	}
	return out, nil
}

func wireBrought(b catalog.Brought) Brought {
	return Brought{Created: b.Created, Updated: b.Updated, Unchanged: b.Unchanged, Deleted: b.Deleted, Wrong: b.Wrong}
}

func problems(details []fault.Detail) []FileProblem {
	all := []FileProblem{}
	for _, d := range details {
		all = append(all, FileProblem{File: d.File, Line: d.Line, Column: d.Column, Field: d.Field, Message: d.Message, Hint: d.Hint})
	}
	return all
}

type listSourcesInput struct {
	Paging
	Space string `query:"space" maxLength:"63"`
}

func (a *API) listSources(ctx context.Context, in *listSourcesInput) (*body[List[Source]], error) {
	part, err := a.Catalog.Sources(ctx, in.Space, in.part())
	if err != nil {
		return nil, err
	}
	items, err := a.wireSource(ctx, part.Items...)
	if err != nil {
		return nil, err
	}
	for i := range items {
		items[i].Problems = []FileProblem{}
	}
	return list(items, part.Next), nil
}

// SourceInput names a source.
type SourceInput struct {
	Name string `path:"name" maxLength:"63"`
}

func (a *API) getSource(ctx context.Context, in *SourceInput) (*tagged[Source], error) {
	s, err := a.Catalog.GetSource(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	items, err := a.wireSource(ctx, s)
	if err != nil {
		return nil, err
	}
	return withTag(s.Etag(), items[0]), nil
}

type deleteSourceInput struct {
	SourceInput
	Match
}

func (a *API) deleteSource(ctx context.Context, in *deleteSourceInput) (*struct{}, error) {
	return nil, a.Catalog.DeleteSource(ctx, in.Name, in.etag())
}

type replaceSourceInput struct {
	SourceInput
	Match
	Body struct {
		Documents string `json:"documents" maxLength:"16777216" doc:"YAML, JSON or JSON lines: all that the source has."`
		Space     string `json:"space,omitempty" maxLength:"63" doc:"Of a new source; empty for the root space."`
	}
}

func (a *API) replaceSource(ctx context.Context, in *replaceSourceInput) (*tagged[Source], error) {
	return a.push(ctx, catalog.Push{Name: in.Name, Space: in.Body.Space, Whole: true, IfMatch: in.etag()}, in.Body.Documents, nil)
}

type updateSourceInput struct {
	SourceInput
	Match
	Body struct {
		Documents string   `json:"documents,omitempty" maxLength:"16777216" doc:"YAML, JSON or JSON lines: what is new or has changed."`
		Delete    []string `json:"delete,omitempty" maxItems:"20000" doc:"References that the source has no more."`
		Space     string   `json:"space,omitempty" maxLength:"63" doc:"Of a new source; empty for the root space."`
	}
}

func (a *API) updateSource(ctx context.Context, in *updateSourceInput) (*tagged[Source], error) {
	return a.push(ctx, catalog.Push{Name: in.Name, Space: in.Body.Space, IfMatch: in.etag()}, in.Body.Documents, in.Body.Delete)
}

func (a *API) push(ctx context.Context, in catalog.Push, documents string, gone []string) (*tagged[Source], error) {
	if _, err := a.Catalog.MayPush(ctx, in.Name, in.Space); err != nil {
		return nil, err // before anything is read
	}
	var err error
	if in.Documents, err = document.Parse("documents", []byte(documents), document.Limits{Bytes: catalog.PushBytes}); err != nil {
		return nil, err
	}
	for _, name := range gone {
		r, err := ref.Parse(name, "component", ref.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		in.Remove = append(in.Remove, r)
	}
	s, _, err := a.Catalog.Push(ctx, in)
	if err != nil {
		return nil, err
	}
	items, err := a.wireSource(ctx, s)
	if err != nil {
		return nil, err
	}
	return withTag(s.Etag(), items[0]), nil
}
