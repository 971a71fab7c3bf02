package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) entityRoutes() {
	const one = "/entities/{kind}/{namespace}/{name}"
	register(a, operation("listEntities", http.MethodGet, "/entities", "entities", "Entities of any kind, by reference"), a.listEntities)
	register(a, operation("listFacets", http.MethodGet, "/facets", "entities", "Values of fields and how many entities have each"), a.listFacets)
	register(a, operation("listKinds", http.MethodGet, "/kinds", "entities", "Kinds of documents"), a.listKinds)
	register(a, operation("getEntity", http.MethodGet, one, "entities", "One entity"), a.getEntity)
	register(a, operation("deleteEntity", http.MethodDelete, one, "entities", "Delete an entity that was applied"), a.deleteEntity)
}

// EntityInput names an entity.
type EntityInput struct {
	Kind      string `path:"kind" maxLength:"63"`
	Namespace string `path:"namespace" maxLength:"63"`
	Name      string `path:"name" maxLength:"63"`
}

func (in EntityInput) ref() ref.Entity { return ref.New(in.Kind, in.Namespace, in.Name) }

// EntityFilter narrows a list of entities. It is exported because huma passes over embedded structs that are not.
type EntityFilter struct {
	Kind      string `query:"kind" maxLength:"500" doc:"Names or plurals, with commas."`
	Space     string `query:"space" maxLength:"500" doc:"With commas."`
	Namespace string `query:"namespace" maxLength:"500" doc:"With commas."`
	Owner     string `query:"owner" maxLength:"2000" doc:"References, with commas; a bare name is a group."`
	Below     bool   `query:"below" doc:"With owner: also what the groups below have, however deep, as far as the caller may see them. Not of the past."`
	Type      string `query:"type" maxLength:"500" doc:"spec.type, with commas."`
	Lifecycle string `query:"lifecycle" maxLength:"500" doc:"spec.lifecycle, with commas."`
	System    string `query:"system" maxLength:"2000" doc:"References, with commas; a bare name is a system."`
	Tag       string `query:"tag" maxLength:"500" doc:"Tags that are all there, with commas."`
	Text      string `query:"text" maxLength:"200" doc:"Words that occur in name, title, description or tags."`
	Location  string `query:"location" maxLength:"64" doc:"Id: only what it brought, and what locations brought that it led to."`
	Mine      bool   `query:"mine" doc:"Only what the caller owns, or a group that the caller is in, nested ones included."`
	Starred   bool   `query:"starred" doc:"Only what the caller has starred."`
	Gap       string `query:"gap" maxLength:"200" doc:"Only what lacks one of these, with commas: no-owner, unknown-owner, empty-owner, no-lifecycle, no-system, no-description."`
	Failed    bool   `query:"failed" doc:"Only those whose source's newest text could not be taken."`
	Orphan    bool   `query:"orphan" doc:"Only those that no file declares any more."`
}

func (f EntityFilter) query() catalog.Query {
	q := catalog.Query{
		Kinds: words(f.Kind), Space: words(f.Space), Namespace: words(f.Namespace), Owner: words(f.Owner), Below: f.Below, Type: words(f.Type), Lifecycle: words(f.Lifecycle),
		System: words(f.System), Tags: words(f.Tag), Text: f.Text, Location: f.Location, Mine: f.Mine, Starred: f.Starred, Failed: f.Failed, Orphan: f.Orphan,
	}
	for _, gap := range words(f.Gap) {
		q.Gaps = append(q.Gaps, catalog.Gap(gap))
	}
	return q
}

type listEntitiesInput struct {
	Paging
	EntityFilter
	Sort string    `query:"sort" maxLength:"20" doc:"ref, name, title, owner, kind, type, lifecycle, created or updated, with - in front for downwards; ref unless it is given. What has no value comes last."`
	AsOf time.Time `query:"asOf" doc:"As the catalog was then, also what is gone by now; no total is counted. Location, gaps, stars, failed, orphan and sort are of now alone."`
}

// EntityList is a page of entities, with how many there are in all.
type EntityList struct {
	Items []Entity `json:"items"`
	Next  string   `json:"next,omitempty"`
	Total int      `json:"total" doc:"Of all pages; 0 with asOf."`
}

func (a *API) listEntities(ctx context.Context, in *listEntitiesInput) (*body[EntityList], error) {
	q := in.query()
	q.Limit, q.Cursor, q.Sort, q.At = in.Limit, in.Cursor, in.Sort, in.AsOf
	page, err := a.Catalog.List(ctx, q)
	if err != nil {
		return nil, err
	}
	items, err := a.wireEntities(ctx, page.Items)
	if err != nil {
		return nil, err
	}
	return answer(EntityList{items, page.Next, page.Total}), nil
}

func (a *API) wireEntities(ctx context.Context, entities []catalog.Entity) ([]Entity, error) {
	ids := make([]string, 0, 2*len(entities))
	for _, e := range entities {
		ids = append(ids, e.CreatedBy, e.UpdatedBy)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Entity, len(entities))
	for i, e := range entities {
		out[i] = wireEntity(e, who)
	}
	return out, nil
}

func wireEntity(e catalog.Entity, who func(string) Actor) Entity {
	d := e.Document
	lifecycle, _ := d.Spec["lifecycle"].(string)
	w := Entity{
		Ref: e.Ref.String(), APIVersion: d.APIVersion, Kind: d.Kind, Namespace: e.Ref.Namespace, Name: d.Metadata.Name, Title: d.Metadata.Title,
		Description: d.Metadata.Description, Type: e.Type, Lifecycle: lifecycle, Owner: e.Owner.String(), Tags: d.Metadata.Tags, Space: e.Space,
		Source: source(e), Location: e.File.Location, Origin: e.Origin.Location, Commit: e.Commit, Etag: e.Etag, Version: e.Version, Relations: make([]Relation, len(e.Relations)), Cut: e.Cut, Status: e.Status, Error: e.Error, Orphan: e.Orphan,
		Document: e.Text(), Created: e.Created, Updated: e.Updated, CreatedBy: who(e.CreatedBy), UpdatedBy: who(e.UpdatedBy),
	}
	for i, r := range e.Relations {
		w.Relations[i] = Relation{Type: r.Type, Target: r.Target.String()}
	}
	return w
}

// source tells where an entity comes from: a file of a repository, or the name of an apply.
func source(e catalog.Entity) string {
	switch {
	case e.File.Repository != "" && e.File.Path == "": // of the past, which knows no files
		return e.File.Repository
	case e.File.Repository != "":
		return e.File.Repository + "/" + e.File.Path
	}
	return e.Source
}

type getEntityInput struct {
	EntityInput
	AsOf time.Time `query:"asOf" doc:"As it was then, also when it is gone by now, with its relations of then."`
}

func (a *API) getEntity(ctx context.Context, in *getEntityInput) (*tagged[Entity], error) {
	get := a.Catalog.Get
	if !in.AsOf.IsZero() {
		get = func(ctx context.Context, r ref.Entity) (catalog.Entity, error) {
			return a.Catalog.GetAt(ctx, r, in.AsOf)
		}
	}
	e, err := get(ctx, in.ref())
	if err != nil {
		return nil, err
	}
	items, err := a.wireEntities(ctx, []catalog.Entity{e})
	if err != nil {
		return nil, err
	}
	if in.AsOf.IsZero() {
		a.around(ctx, e, &items[0])
	}
	return withTag(e.Etag, items[0]), nil
}

// around adds what lies around an entity, as far as the caller may see it. It is no part of it: where it can't be had the entity is
// given without.
func (a *API) around(ctx context.Context, e catalog.Entity, into *Entity) {
	var noCode error
	into.Repository, noCode = a.Catalog.CodeOf(ctx, e)
	if err := errors.Join(noCode, a.markMissing(ctx, into.Relations)); err != nil {
		a.Log.WarnContext(ctx, "what lies around an entity was not found out", "entity", into.Ref, "error", err)
	}
}

// markMissing says which targets the caller can't see, whether or not they are there.
func (a *API) markMissing(ctx context.Context, relations []Relation) error {
	refs := make([]string, len(relations))
	for i, r := range relations {
		refs[i] = r.Target
	}
	found, err := a.Catalog.Lookup(ctx, refs)
	for i := range found {
		relations[i].Missing = found[i].Ref == ""
	}
	return err
}

type deleteEntityInput struct {
	EntityInput
	Match
}

func (a *API) deleteEntity(ctx context.Context, in *deleteEntityInput) (*struct{}, error) {
	return nil, a.Catalog.Delete(ctx, in.ref(), in.etag())
}

type facetsInput struct {
	EntityFilter
	Facet string `query:"facet" required:"true" maxLength:"200" doc:"Fields, with commas: kind, namespace, space, owner, type, source, lifecycle, system, tag, state (failed, orphan), personal (mine, starred), gap."`
	Apart bool   `query:"apart" doc:"Count each field as if the list were not narrowed by it, so that its other values can be chosen."`

	AsOf time.Time `query:"asOf" doc:"As the catalog was then, also what is gone by now. State, gap, stars, location, failed and orphan are of now alone. Of more than 200,000 entities none is counted (413): name a kind or a space."`

	Contains string `query:"contains" maxLength:"200" doc:"Only values with this in them, without case: of owners and systems in the name, and in the whole reference when it has a colon or a slash. Of each field the 200 most frequent are given, so that the others are found by this."`
}

func (a *API) listFacets(ctx context.Context, in *facetsInput) (*body[List[Facet]], error) {
	fields := words(in.Facet)
	q := in.query()
	q.At = in.AsOf
	facets, err := a.Catalog.Facets(ctx, catalog.FacetQuery{Query: q, Fields: fields, Apart: in.Apart, Contains: in.Contains})
	if err != nil {
		return nil, err
	}
	items := []Facet{}
	for _, field := range fields {
		for _, f := range facets[field] {
			items = append(items, Facet{Field: field, Value: f.Value, Count: f.Count})
		}
	}
	return list(items, ""), nil
}

func (a *API) listKinds(_ context.Context, in *Paging) (*body[List[KindInfo]], error) {
	part := page.From(a.Kinds.List(), in.part(), func(k document.Kind) string { return k.Name })
	return listPart(part, func(k document.Kind) KindInfo {
		return KindInfo{Name: k.Name, Plural: k.Plural, APIVersions: k.APIVersions, Description: k.Description, Icon: k.Icon, Restricted: k.Restricted, Declared: k.Declared != ""}
	}), nil
}

func (a *API) applyRoutes() {
	register(a, operation("apply", http.MethodPost, "/apply", "entities", "Declare documents of any kind, all or none"), a.apply)
}

type applyInput struct {
	Match // of one document
	Body  struct {
		Documents string `json:"documents" maxLength:"4194304" doc:"YAML or JSON, one or several."`
		Space     string `json:"space,omitempty" maxLength:"63" doc:"Empty for the root space."`
		Source    string `json:"source,omitempty" maxLength:"100" doc:"Name under which they are kept together."`
		DryRun    bool   `json:"dryRun,omitempty" doc:"Only tell what would change."`
		Prune     bool   `json:"prune,omitempty" doc:"Delete what this source brought before and does not name now."`
	}
}

func (a *API) apply(ctx context.Context, in *applyInput) (*body[List[Applied]], error) {
	if err := a.Access.Authorize(ctx, "entity:write", cmp.Or(in.Body.Space, access.Root)); err != nil {
		return nil, err // before anything is read
	}
	docs, err := document.Parse("documents", []byte(in.Body.Documents), document.Limits{})
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 && !in.Body.Prune {
		return nil, fault.Errorf(fault.Invalid, "there is no document to apply")
	}
	out, err := a.Catalog.Apply(ctx, catalog.Apply{
		Space: in.Body.Space, Source: in.Body.Source, Documents: docs, DryRun: in.Body.DryRun, Prune: in.Body.Prune, IfMatch: in.etag(),
	})
	if err != nil {
		return nil, err
	}
	items := make([]Applied, len(out.Items))
	for i, x := range out.Items {
		items[i] = Applied{Ref: x.Ref.String(), Action: string(x.Action), Diff: differences(x.Diff) + x.Message}
	}
	return list(items, ""), nil
}
