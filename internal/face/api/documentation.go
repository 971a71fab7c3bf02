package api

import (
	"context"
	"net/http"
	"path"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadbed-dev/roadbed/client"
	facegit "github.com/roadbed-dev/roadbed/internal/face/api/git"
	"github.com/roadbed-dev/roadbed/internal/product/docs"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) documentationRoutes() {
	const one, noun = "/entities/{kind}/{namespace}/{name}/docs", "docs"
	register(a, operation("listDocs", http.MethodGet, "/docs", noun, "Entities that have docs, by reference"), a.listDocs)
	register(a, operation("getDocs", http.MethodGet, one, noun, "The docs of an entity: their navigation and pages"), a.getDocs)
	register(a, operation("getDocsPage", http.MethodGet, one+"/page", noun, "A page of an entity's docs, rendered"), a.getDocsPage)
	register(a, operation("searchDocs", http.MethodGet, one+"/search", noun, "Look for words in an entity's docs"), a.searchDocs)
	register(a, operation("checkDocs", http.MethodGet, one+"/check", noun, "Links of an entity's docs that lead nowhere, and what can't be read"), a.checkDocs)
	file := operation("downloadDocsFile", http.MethodGet, one+"/file", noun, "A file that the docs of an entity show, such as an image")
	file.Responses = map[string]*huma.Response{"200": {Description: "The file; of a type that no browser runs", Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
	}}}
	register(a, file, a.downloadDocsFile)
	sent := operation("checkDocsFiles", http.MethodPost, "/docs/check", noun, "What is wrong with the docs in files that are sent")
	sent.MaxBodyBytes = sentLimit
	sent.Middlewares = huma.Middlewares{a.placeForCheck}
	register(a, sent, a.checkDocsFiles)
}

type listDocsInput struct {
	Paging
	Text   string `query:"text" maxLength:"200" doc:"A part of the entity's reference or of the title, in any case."`
	Broken bool   `query:"broken" doc:"Only those whose check found something."`
}

func (a *API) listDocs(ctx context.Context, in *listDocsInput) (*body[List[DocsListed]], error) {
	part, err := a.Docs.List(ctx, docs.Query{Text: in.Text, Broken: in.Broken}, in.part())
	return listPart(part, func(l docs.Listed) DocsListed {
		return DocsListed{Entity: l.Entity, Title: l.Title, Repository: l.Repository, Commit: l.Commit, Pages: l.Pages, Broken: l.Broken, Updated: l.Updated}
	}), err
}

// DocsInput names the docs of an entity.
type DocsInput struct {
	EntityInput
	Ref string `query:"ref" maxLength:"250" doc:"Branch, tag or commit; empty for the head of the branch that the docs are of."`
}

func (a *API) getDocs(ctx context.Context, in *DocsInput) (*body[Docs], error) {
	o, err := a.Docs.Site(ctx, in.ref(), in.Ref)
	if err != nil {
		return nil, err
	}
	out := Docs{
		Entity: in.ref().String(), Title: o.Title, Description: o.Description, Repository: o.Place.Repository.FullName(), Branch: o.Place.Branch,
		Folder: o.Place.Folder, Commit: o.Commit, Convention: o.Place.Convention, Start: o.Start, Nav: wireNav(o.Nav), Problems: wireProblems(o.Problems),
		Pages: make([]DocsPageRef, len(o.Pages)),
	}
	for i, p := range o.Pages {
		out.Pages[i] = DocsPageRef{Path: p.Path, Title: p.Title, File: p.File}
	}
	return answer(out), nil
}

func wireNav(items []docs.Item) []DocsItem {
	out := make([]DocsItem, len(items))
	for i, item := range items {
		out[i] = DocsItem{Title: item.Title, Path: item.Page, Address: item.Address}
		if len(item.Items) > 0 {
			out[i].Items = wireNav(item.Items)
		}
	}
	return out
}

func wireProblems(problems []docs.Problem) []DocsProblem {
	out := make([]DocsProblem, len(problems))
	for i, p := range problems {
		out[i] = DocsProblem{File: p.File, Line: p.Line, Target: p.Target, Message: p.Message}
	}
	return out
}

type docsPageInput struct {
	DocsInput
	Path string `query:"path" maxLength:"1000" doc:"Of the page; empty for the first one."`
}

func (a *API) getDocsPage(ctx context.Context, in *docsPageInput) (*body[DocsPage], error) {
	p, _, err := a.Docs.Page(ctx, in.ref(), in.Ref, in.Path)
	if err != nil {
		return nil, err
	}
	out := DocsPage{
		DocsPageRef: DocsPageRef{Path: p.Path, Title: p.Title, File: p.File}, Description: p.Description, HTML: p.HTML, Headings: make([]DocsHeading, len(p.Headings)),
		Mermaid: p.Mermaid, Commit: p.Commit, Edit: p.Edit, Source: p.Source, Problems: wireProblems(p.Problems),
	}
	for i, h := range p.Headings {
		out.Headings[i] = DocsHeading{Level: h.Level, ID: h.ID, Text: h.Text}
	}
	if p.Previous != nil {
		out.Previous = &DocsPageRef{Path: p.Previous.Path, Title: p.Previous.Title, File: p.Previous.File}
	}
	if p.Next != nil {
		out.Next = &DocsPageRef{Path: p.Next.Path, Title: p.Next.Title, File: p.Next.File}
	}
	return answer(out), nil
}

type searchDocsInput struct {
	DocsInput
	Paging
	Text string `query:"text" required:"true" minLength:"1" maxLength:"200" doc:"Words that all occur in a section."`
}

func (a *API) searchDocs(ctx context.Context, in *searchDocsInput) (*body[List[DocsFound]], error) {
	part, err := a.Docs.Search(ctx, in.ref(), in.Ref, in.Text, in.part())
	return listPart(part, func(f docs.Found) DocsFound {
		return DocsFound{Path: f.Path, Title: f.Title, Anchor: f.Anchor, Heading: f.Heading, Excerpt: f.Excerpt}
	}), err
}

func (a *API) checkDocs(ctx context.Context, in *DocsInput) (*body[DocsReport], error) {
	report, err := a.Docs.Check(ctx, in.ref(), in.Ref)
	if err != nil {
		return nil, err
	}
	return answer(wireReport(report)), nil
}

func wireReport(r docs.Report) DocsReport {
	return DocsReport{Commit: r.Commit, Pages: r.Pages, Links: r.Links, Problems: wireProblems(r.Problems), More: r.More}
}

type docsFileInput struct {
	DocsInput
	Path string `query:"path" required:"true" maxLength:"1000" doc:"From the root of the repository."`
}

func (a *API) downloadDocsFile(ctx context.Context, in *docsFileInput) (*huma.StreamResponse, error) {
	file, err := a.Docs.File(ctx, in.ref(), in.Ref, in.Path)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer file.Close()
		r, w := humago.Unwrap(hc)
		if err := facegit.ServeFile(w, r, path.Base(in.Path), file.Hash, file.Size, file, false); err != nil {
			a.broken(ctx, w, err)
		}
	}}, nil
}

// sentLimit bounds the files whose docs are checked, in bytes as they are sent.
const sentLimit = 32 << 20

// placeForCheck sends a request away before its files are read where enough others are checked or wait.
func (a *API) placeForCheck(c huma.Context, next func(huma.Context)) {
	leave, err := a.Docs.PlaceForCheck()
	if err != nil {
		c.SetHeader("Retry-After", "5")
		_ = huma.WriteErr(a.huma, c, HTTPStatus(err), fault.Message(err)) // the client is gone when this can't be written
		return
	}
	defer leave()
	next(c)
}

func (a *API) checkDocsFiles(ctx context.Context, in *struct{ Body client.DocsFiles }) (*body[DocsReport], error) {
	files := make(map[string][]byte, len(in.Body.Pages)+len(in.Body.Others))
	for _, name := range in.Body.Others {
		files[name] = nil
	}
	for name, text := range in.Body.Pages {
		files[name] = []byte(text)
	}
	report, err := a.Docs.CheckFiles(ctx, files)
	if err != nil {
		return nil, err
	}
	return answer(wireReport(report)), nil
}
