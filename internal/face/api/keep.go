package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (a *API) keepRoutes() {
	const star, view = "/stars/{kind}/{namespace}/{name}", "/views/{id}"
	register(a, operation("listStars", http.MethodGet, "/stars", "entities", "References that the caller has starred"), a.listStars)
	register(a, operation("star", http.MethodPut, star, "entities", "Star an entity"), a.star)
	register(a, operation("unstar", http.MethodDelete, star, "entities", "Take the star from an entity"), a.unstar)
	register(a, operation("listViews", http.MethodGet, "/views", "entities", "Saved lists of entities: the caller's own, and those that are shared"), a.listViews)
	register(a, operation("saveView", http.MethodPost, "/views", "entities", "Save a list of entities under a name"), a.saveView)
	register(a, operation("updateView", http.MethodPut, view, "entities", "Change a saved list"), a.updateView)
	register(a, operation("deleteView", http.MethodDelete, view, "entities", "Forget a saved list"), a.deleteView)
}

func (a *API) listStars(ctx context.Context, in *Paging) (*body[List[Star]], error) {
	refs, err := a.Catalog.Stars(ctx)
	if err != nil {
		return nil, err
	}
	stars := make([]Star, len(refs))
	for i, r := range refs {
		stars[i] = Star{Ref: r.String()}
	}
	part := page.From(stars, in.part(), func(s Star) string { return s.Ref })
	return listPart(part, func(s Star) Star { return s }), nil
}

func (a *API) star(ctx context.Context, in *EntityInput) (*struct{}, error) {
	return nil, a.Catalog.Star(ctx, in.ref(), true)
}

func (a *API) unstar(ctx context.Context, in *EntityInput) (*struct{}, error) {
	return nil, a.Catalog.Star(ctx, in.ref(), false)
}

func (a *API) wireViews(ctx context.Context, all ...catalog.SavedView) ([]View, error) {
	var ids []string
	for _, v := range all {
		ids = append(ids, v.Author)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]View, len(all))
	for i, v := range all {
		out[i] = View{ID: v.ID, Name: v.Name, Space: v.Space, Query: v.Query, Author: who(v.Author), Etag: v.Etag(), Created: v.Created, Updated: v.Updated}
	}
	return out, nil
}

func (a *API) listViews(ctx context.Context, in *Paging) (*body[List[View]], error) {
	part, err := a.Catalog.Views(ctx, in.part())
	if err != nil {
		return nil, err
	}
	items, err := a.wireViews(ctx, part.Items...)
	if err != nil {
		return nil, err
	}
	return list(items, part.Next), nil
}

// ViewBody is what a view says.
type ViewBody struct {
	Name  string `json:"name" minLength:"1" maxLength:"100"`
	Query string `json:"query" maxLength:"4000" doc:"Parameters of a list, such as kind=component&owner=team; columns are those of the portal."`
	Space string `json:"space,omitempty" maxLength:"63" doc:"That it is shared with; empty for the caller alone."`
}

type saveViewInput struct{ Body ViewBody }

func (a *API) saveView(ctx context.Context, in *saveViewInput) (*tagged[View], error) {
	return a.keepView(ctx, catalog.SavedView{Name: in.Body.Name, Query: in.Body.Query, Space: in.Body.Space}, "")
}

// ViewInput names a view.
type ViewInput struct {
	ID string `path:"id" maxLength:"40"`
}

type updateViewInput struct {
	ViewInput
	Match
	Body ViewBody
}

func (a *API) updateView(ctx context.Context, in *updateViewInput) (*tagged[View], error) {
	return a.keepView(ctx, catalog.SavedView{ID: in.ID, Name: in.Body.Name, Query: in.Body.Query, Space: in.Body.Space}, in.etag())
}

func (a *API) keepView(ctx context.Context, v catalog.SavedView, match string) (*tagged[View], error) {
	saved, err := a.Catalog.SaveView(ctx, v, match)
	if err != nil {
		return nil, err
	}
	items, err := a.wireViews(ctx, saved)
	if err != nil {
		return nil, err
	}
	return withTag(saved.Etag(), items[0]), nil
}

type deleteViewInput struct {
	ViewInput
	Match
}

func (a *API) deleteView(ctx context.Context, in *deleteViewInput) (*struct{}, error) {
	return nil, a.Catalog.DeleteView(ctx, in.ID, in.etag())
}
