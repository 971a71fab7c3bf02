package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/discovery"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const mostPreviewed = 500

func (a *API) discoveryRoutes() {
	const one, noun = "/discoveries/{namespace}/{name}", "discoveries"
	register(a, operation("listDiscoveries", http.MethodGet, "/discoveries", noun, "Organizations that come into the catalog, by name"), a.listDiscoveries)
	register(a, operation("getDiscovery", http.MethodGet, one, noun, "One organization, and how it does"), a.getDiscovery)
	register(a, operation("listDiscovered", http.MethodGet, one+"/repositories", noun, "Repositories that were found, by name, and what became of them"), a.listDiscovered)
	look := operation("lookAtDiscovery", http.MethodPost, one+"/look", noun, "Look at an organization now")
	look.Description = "It waits for at most 20 seconds: busy tells that the look is still under way. What is found is in the answer, also when the forge does not answer."
	register(a, look, a.lookAtDiscovery)
	preview := operation("previewDiscovery", http.MethodPost, "/discoveries/preview", noun, "What a Discovery document would find")
	preview.Description = "Nothing is written. At most 100 repositories are asked for their file; the others are pending."
	register(a, preview, a.previewDiscovery)
}

type listDiscoveriesInput struct {
	Paging
	Space string `query:"space" maxLength:"63" doc:"Only those of this space."`
}

func (a *API) listDiscoveries(ctx context.Context, in *listDiscoveriesInput) (*body[List[Discovery]], error) {
	part, err := a.Discovery.List(ctx, in.Space, in.part())
	return listPart(part, func(d discovery.Discovery) Discovery { return a.wireDiscovery(ctx, d) }), err
}

func (a *API) getDiscovery(ctx context.Context, in *Named) (*body[Discovery], error) {
	d, err := a.Discovery.Get(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(a.wireDiscovery(ctx, d)), nil
}

func (a *API) lookAtDiscovery(ctx context.Context, in *Named) (*body[Discovery], error) {
	d, err := a.Discovery.Look(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(a.wireDiscovery(ctx, d)), nil
}

type listDiscoveredInput struct {
	Named
	Paging
	State string `query:"state" enum:"registered,without,excluded,pending,failed" doc:"Only those in this state."`
}

func (a *API) listDiscovered(ctx context.Context, in *listDiscoveredInput) (*body[List[FoundRepository]], error) {
	part, err := a.Discovery.Found(ctx, in.Namespace+"/"+in.Name, in.State, in.part())
	return listPart(part, wireFound), err
}

type previewDiscoveryInput struct {
	Body struct {
		Document string `json:"document" maxLength:"65536" doc:"One document of kind Discovery, as YAML or JSON."`
		Space    string `json:"space,omitempty" maxLength:"63" doc:"That it would be applied to; the root space when empty."`
	}
}

func (a *API) previewDiscovery(ctx context.Context, in *previewDiscoveryInput) (*body[DiscoveryPreview], error) {
	docs, err := document.Parse("document", []byte(in.Body.Document), document.Limits{})
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, fault.Errorf(fault.Invalid, "there are %d documents; give one Discovery", len(docs))
	}
	counts, found, err := a.Discovery.Preview(ctx, in.Body.Space, docs[0])
	if err != nil {
		return nil, err
	}
	p := DiscoveryPreview{Found: DiscoveryCounts(counts), Repositories: []FoundRepository{}}
	for _, f := range found[:min(len(found), mostPreviewed)] {
		p.Repositories = append(p.Repositories, wireFound(f))
	}
	return answer(p), nil
}

func wireFound(f discovery.Found) FoundRepository {
	return FoundRepository{ID: f.ID, Name: f.Name, URL: f.URL, State: f.State, Reason: f.Reason, Repository: f.Repository, Location: f.Location}
}

func (a *API) wireDiscovery(ctx context.Context, d discovery.Discovery) Discovery {
	r := d.Ref()
	w := Discovery{
		Ref: r.String(), Namespace: r.Namespace, Name: r.Name, Space: d.Space, Integration: d.Spec.Integration, Organization: d.Spec.Organization,
		Interval: int64(d.Spec.Interval.Seconds()), State: string(d.State), Reason: d.Reason, Found: DiscoveryCounts(d.Counts),
		Since: moment(d.Since), Looked: moment(d.Looked), Next: moment(d.Next), Busy: d.Busy, Can: []string{},
	}
	if a.Access.May(ctx, "location:write", d.Space) {
		w.Can = append(w.Can, "look")
	}
	if a.Access.May(ctx, "space:admin", d.Space) && a.Access.May(ctx, "entity:delete", d.Space) {
		w.Can = append(w.Can, "delete")
	}
	return w
}
