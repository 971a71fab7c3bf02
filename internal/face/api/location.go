package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) locationRoutes() {
	register(a, operation("listLocations", http.MethodGet, "/locations", "locations", "Files that documents come from"), a.listLocations)
	op := operation("addLocation", http.MethodPost, "/locations", "locations", "Take documents from a repository, now and at every push")
	op.Description = "A dry run answers 200 with what it would bring and what could not be taken, and writes nothing."
	op.DefaultStatus = 201
	register(a, op, a.addLocation)
	register(a, operation("suggestEntity", http.MethodGet, "/locations/suggestion", "locations", "A document for a repository that declares nothing yet"), a.suggestEntity)
	register(a, operation("getLocation", http.MethodGet, "/locations/{id}", "locations", "A location, and what of its files could not be taken"), a.getLocation)
	register(a, operation("refreshLocation", http.MethodPost, "/locations/{id}/refresh", "locations", "Read a location now"), a.refreshLocation)
	register(a, operation("trustLocation", http.MethodPut, "/locations/{id}/trust", "locations", "Restricted kinds that are taken from a location"), a.trustLocation)
	register(a, operation("ruleLocation", http.MethodPut, "/locations/{id}/rules", "locations", "What a location may bring, and what becomes of its orphans"), a.ruleLocation)
	register(a, operation("getLocationRules", http.MethodGet, "/spaces/{space}/location-rules", "locations", "What the locations of a space may bring"), a.getLocationRules)
	register(a, operation("setLocationRules", http.MethodPut, "/spaces/{space}/location-rules", "locations", "Say what the locations of a space may bring"), a.setLocationRules)
	register(a, operation("removeLocation", http.MethodDelete, "/locations/{id}", "locations", "Forget a location and delete what came from it"), a.removeLocation)
}

func wireLocation(l catalog.Location, entities []catalog.Entity) Location {
	w := Location{ID: l.ID, Space: l.Space, Repository: l.Repository, Path: l.Path, Ref: l.Branch, Commit: l.Commit, Error: l.Error, Trusted: append([]string{}, l.Trusted...), Problems: problems(l.Details), Entities: []string{}, Total: l.Total, Existed: l.Existed, Can: []string{}}
	w.Rules, w.InForce = wireRules(l.Rules), wireRules(catalog.Rules{})
	for _, e := range entities {
		w.Entities = append(w.Entities, e.Ref.String())
	}
	return w
}

func wireRules(r catalog.Rules) LocationRules {
	return LocationRules{Kinds: append([]string{}, r.Kinds...), Orphans: r.Orphans}
}

// location gives a location with what holds for it, and what the caller may do with it.
func (a *API) location(ctx context.Context, l catalog.Location, entities []catalog.Entity) (Location, error) {
	w := wireLocation(l, entities)
	r, err := a.Catalog.EffectiveRules(ctx, l)
	w.InForce = wireRules(r)
	if l.ID != "" {
		w.Etag = l.Etag()
	}
	if l.ID != "" && a.Access.May(ctx, "location:write", l.Space) {
		w.Can = append(w.Can, "refresh")
	}
	if l.ID != "" && a.Access.May(ctx, "space:admin", l.Space) {
		w.Can = append(w.Can, "trust", "rule")
	}
	return w, err
}

type listLocationsInput struct {
	Paging
	Space      string `query:"space" maxLength:"63"`
	Repository string `query:"repository" maxLength:"200" example:"payments/shop"`
	Text       string `query:"text" maxLength:"200" doc:"A part of NAMESPACE/NAME:PATH, in any case."`
	Failed     bool   `query:"failed" doc:"Only those of which something could not be taken."`
}

func (a *API) listLocations(ctx context.Context, in *listLocationsInput) (*body[List[Location]], error) {
	part, err := a.Catalog.Locations(ctx, catalog.LocationQuery{Space: in.Space, Repository: in.Repository, Text: in.Text, Failed: in.Failed}, in.part())
	return listPart(part, func(l catalog.Location) Location {
		l.Details = nil
		return wireLocation(l, nil)
	}), err
}

type addLocationInput struct {
	Body struct {
		Target     string `json:"target,omitempty" maxLength:"2000" example:"https://github.com/acme/shop/blob/main/catalog-info.yaml" doc:"Address of a file, as one copies it from where it is looked at: at the forge of a repository that is connected, or that you may connect by one integration (it is connected then), or here. That of a folder or a repository is of the catalog-info.yaml in it. Instead of repository, path and ref."`
		Repository string `json:"repository,omitempty" maxLength:"200" example:"payments/shop"`
		Path       string `json:"path,omitempty" maxLength:"1000" doc:"File or pattern; catalog-info.yaml when absent."`
		Ref        string `json:"ref,omitempty" maxLength:"250" doc:"Branch; the default one when absent."`
		Space      string `json:"space,omitempty" maxLength:"63" doc:"Space of what it declares; the repository's when absent."`
		DryRun     bool   `json:"dryRun,omitempty" doc:"Only tell what it would bring."`
	}
}

func (a *API) addLocation(ctx context.Context, in *addLocationInput) (*created[Location], error) {
	target := catalog.Target{Repository: in.Body.Repository, Path: in.Body.Path, Branch: in.Body.Ref}
	var err error
	switch {
	case in.Body.Target != "" && target != catalog.Target{}:
		return nil, fault.Errorf(fault.Invalid, "target names the file; leave repository, path and ref out")
	case in.Body.Target != "" && in.Body.DryRun:
		target, err = a.Catalog.TargetAt(ctx, in.Body.Target)
	case in.Body.Target != "":
		target, err = a.Catalog.TargetToAdd(ctx, in.Body.Space, in.Body.Target)
	case in.Body.Repository == "":
		err = fault.Errorf(fault.Invalid, "name a repository, or give the address of a file as target")
	}
	if err != nil {
		return nil, err
	}
	space := in.Body.Space
	if space == "" {
		r, err := a.Repositories.Get(ctx, target.Repository)
		if err != nil {
			return nil, err
		}
		space = r.Space
	}
	if in.Body.DryRun {
		return a.previewLocation(ctx, space, target)
	}
	l, entities, err := a.Catalog.AddLocation(ctx, space, target)
	if err != nil {
		return nil, err
	}
	w, err := a.location(ctx, l, entities)
	return &created[Location]{http.StatusCreated, w}, err
}

func (a *API) previewLocation(ctx context.Context, space string, target catalog.Target) (*created[Location], error) {
	p, err := a.Catalog.PreviewLocation(ctx, space, target)
	if err != nil {
		return nil, err
	}
	p.Location.Existed = p.Location.Existed && p.Location.Registered()
	p.Location.Details = append(p.Location.Details, p.Taken...)
	w, err := a.location(ctx, p.Location, p.Entities[:min(len(p.Entities), mostLocated)])
	return &created[Location]{http.StatusOK, w}, err
}

type suggestEntityInput struct {
	Target string `query:"target" required:"true" maxLength:"2000" example:"https://github.com/acme/shop" doc:"Address of the repository, or of a file or folder in it."`
}

func (a *API) suggestEntity(ctx context.Context, in *suggestEntityInput) (*body[Suggestion], error) {
	s, err := a.Catalog.Suggest(ctx, in.Target)
	return answer(Suggestion{Repository: s.Repository, Ref: s.Branch, Path: s.Path, Document: s.Document, Existing: append([]string{}, s.Existing...)}), err
}

// mostLocated is how many entities of a preview are told, as many as of a location that is there.
const mostLocated = 500

// LocationInput names a location.
type LocationInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) getLocation(ctx context.Context, in *LocationInput) (*tagged[Location], error) {
	l, entities, err := a.Catalog.ReadLocation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	w, err := a.location(ctx, l, entities)
	return withTag(l.Etag(), w), err
}

func (a *API) refreshLocation(ctx context.Context, in *LocationInput) (*body[Location], error) {
	l, entities, err := a.Catalog.RefreshLocation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	w, err := a.location(ctx, l, entities)
	return answer(w), err
}

type trustInput struct {
	LocationInput
	Match
	Body struct {
		Kinds []string `json:"kinds" maxItems:"50" doc:"None take the trust back."`
	}
}

func (a *API) trustLocation(ctx context.Context, in *trustInput) (*struct{}, error) {
	return nil, a.Catalog.TrustLocation(ctx, in.ID, in.Body.Kinds, in.etag())
}

type removeLocationInput struct {
	LocationInput
	Match
}

func (a *API) removeLocation(ctx context.Context, in *removeLocationInput) (*struct{}, error) {
	return nil, a.Catalog.RemoveLocation(ctx, in.ID, in.etag())
}

type ruleInput struct {
	LocationInput
	Match
	Body LocationRules
}

func (a *API) ruleLocation(ctx context.Context, in *ruleInput) (*struct{}, error) {
	return nil, a.Catalog.RuleLocation(ctx, in.ID, catalog.Rules(in.Body), in.etag())
}

// SpaceRulesInput names a space.
type SpaceRulesInput struct {
	Space string `path:"space" maxLength:"63"`
}

func (a *API) getLocationRules(ctx context.Context, in *SpaceRulesInput) (*tagged[LocationRules], error) {
	r, err := a.Catalog.LocationDefaults(ctx, in.Space)
	return withTag(r.Etag(), wireRules(r)), err
}

type setRulesInput struct {
	SpaceRulesInput
	Match
	Body LocationRules
}

func (a *API) setLocationRules(ctx context.Context, in *setRulesInput) (*tag, error) {
	r, err := a.Catalog.SetLocationDefaults(ctx, in.Space, catalog.Rules(in.Body), in.etag())
	return &tag{quoted(r.Etag())}, err
}
