package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
)

func (a *API) locationRoutes() {
	register(a, operation("listLocations", http.MethodGet, "/locations", "locations", "Files that documents come from"), a.listLocations)
	op := operation("addLocation", http.MethodPost, "/locations", "locations", "Take documents from a hosted repository, now and at every push")
	op.DefaultStatus = 201
	register(a, op, a.addLocation)
	register(a, operation("getLocation", http.MethodGet, "/locations/{id}", "locations", "A location, and what of its files could not be taken"), a.getLocation)
	register(a, operation("refreshLocation", http.MethodPost, "/locations/{id}/refresh", "locations", "Read a location now"), a.refreshLocation)
	register(a, operation("trustLocation", http.MethodPut, "/locations/{id}/trust", "locations", "Restricted kinds that are taken from a location"), a.trustLocation)
	register(a, operation("ruleLocation", http.MethodPut, "/locations/{id}/rules", "locations", "What a location may bring, and what becomes of its orphans"), a.ruleLocation)
	register(a, operation("getLocationRules", http.MethodGet, "/spaces/{space}/location-rules", "locations", "What the locations of a space may bring"), a.getLocationRules)
	register(a, operation("setLocationRules", http.MethodPut, "/spaces/{space}/location-rules", "locations", "Say what the locations of a space may bring"), a.setLocationRules)
	register(a, operation("removeLocation", http.MethodDelete, "/locations/{id}", "locations", "Forget a location and delete what came from it"), a.removeLocation)
}

func wireLocation(l catalog.Location, entities []catalog.Entity) Location {
	w := Location{ID: l.ID, Space: l.Space, Repository: l.Repository, Path: l.Path, Ref: l.Branch, Commit: l.Commit, Error: l.Error, Trusted: append([]string{}, l.Trusted...), Problems: problems(l.Details), Entities: []string{}}
	w.Rules, w.InForce = wireRules(l.Rules), wireRules(catalog.Rules{})
	for _, e := range entities {
		w.Entities = append(w.Entities, e.Ref.String())
	}
	return w
}

func wireRules(r catalog.Rules) LocationRules {
	return LocationRules{Kinds: append([]string{}, r.Kinds...), Orphans: r.Orphans}
}

// location gives a location with what holds for it.
func (a *API) location(ctx context.Context, l catalog.Location, entities []catalog.Entity) (Location, error) {
	w := wireLocation(l, entities)
	r, err := a.Catalog.EffectiveRules(ctx, l)
	w.InForce = wireRules(r)
	return w, err
}

type listLocationsInput struct {
	Paging
	Space      string `query:"space" maxLength:"63"`
	Repository string `query:"repository" maxLength:"200" example:"payments/shop"`
}

func (a *API) listLocations(ctx context.Context, in *listLocationsInput) (*body[List[Location]], error) {
	part, err := a.Catalog.Locations(ctx, in.Space, in.Repository, in.part())
	return listPart(part, func(l catalog.Location) Location {
		l.Details = nil
		return wireLocation(l, nil)
	}), err
}

type addLocationInput struct {
	Body struct {
		Repository string `json:"repository" maxLength:"200" example:"payments/shop"`
		Path       string `json:"path,omitempty" maxLength:"1000" doc:"File or pattern; catalog-info.yaml when absent."`
		Ref        string `json:"ref,omitempty" maxLength:"250" doc:"Branch; the default one when absent."`
		Space      string `json:"space,omitempty" maxLength:"63" doc:"Space of what it declares; the repository's when absent."`
	}
}

func (a *API) addLocation(ctx context.Context, in *addLocationInput) (*body[Location], error) {
	space := in.Body.Space
	if space == "" {
		r, err := a.Repositories.Get(ctx, in.Body.Repository)
		if err != nil {
			return nil, err
		}
		space = r.Space
	}
	l, entities, err := a.Catalog.AddLocation(ctx, space, catalog.Target{Repository: in.Body.Repository, Path: in.Body.Path, Branch: in.Body.Ref})
	if err != nil {
		return nil, err
	}
	w, err := a.location(ctx, l, entities)
	return answer(w), err
}

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

func (a *API) removeLocation(ctx context.Context, in *LocationInput) (*struct{}, error) {
	return nil, a.Catalog.RemoveLocation(ctx, in.ID)
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

func (a *API) getLocationRules(ctx context.Context, in *SpaceRulesInput) (*body[LocationRules], error) {
	r, err := a.Catalog.LocationDefaults(ctx, in.Space)
	return answer(wireRules(r)), err
}

type setRulesInput struct {
	SpaceRulesInput
	Body LocationRules
}

func (a *API) setLocationRules(ctx context.Context, in *setRulesInput) (*struct{}, error) {
	return nil, a.Catalog.SetLocationDefaults(ctx, in.Space, catalog.Rules(in.Body))
}
