package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
)

func (a *API) outsideRoutes() {
	const offers = "/integrations/{namespace}/{name}/repositories"
	register(a, operation("listOffers", http.MethodGet, offers, "repositories", "Repositories of a forge that can be connected, and those that are"), a.listOffers)
	op := operation("connectRepository", http.MethodPost, offers, "repositories", "Connect a repository of a forge; nothing changes there")
	op.DefaultStatus = 201
	op.Description = "It is looked at right after; outside.fetched tells when it was for the first time."
	register(a, op, a.connectRepository)
	op = operation("fetchRepository", http.MethodPost, "/repositories/{namespace}/{name}/fetch", "repositories", "Look now whether something has moved at the forge")
	op.Description = "It does not wait for the fetch: outside.fetching and outside.looked of the repository tell how it goes."
	register(a, op, a.fetchRepository)
}

type listOffersInput struct {
	Named
	Paging
	Owner string `query:"owner" maxLength:"200" doc:"Only those of an owner at the forge; empty for all that the integration is for."`
}

func (a *API) listOffers(ctx context.Context, in *listOffersInput) (*body[List[Offer]], error) {
	part, err := a.Repositories.Offers(ctx, in.full(), in.Owner, in.part())
	return listPart(part, func(o repository.Offer) Offer {
		return Offer{
			Remote: o.Name, Description: o.Description, URL: o.URL, Private: o.Private, Archived: o.Archived, Changed: o.Changed,
			Connected: o.Taken, Repository: o.Connected,
		}
	}), err
}

type connectRepositoryInput struct {
	Named
	Body struct {
		Remote    string `json:"remote" minLength:"3" maxLength:"300" doc:"OWNER/NAME at the forge."`
		Space     string `json:"space,omitempty" maxLength:"63" doc:"Empty for the root space."`
		Namespace string `json:"namespace,omitempty" maxLength:"63" doc:"Empty for default."`
		Name      string `json:"name,omitempty" maxLength:"100" doc:"Empty for its name at the forge."`
		Content   string `json:"content,omitempty" enum:"clone,api" doc:"How it is read: clone, when empty, has it cloned now; api reads its files by the forge's API, and clones it when somebody needs its history."`
	}
}

func (a *API) connectRepository(ctx context.Context, in *connectRepositoryInput) (*body[Repository], error) {
	b := in.Body
	r, err := a.Repositories.Connect(ctx, repository.NewOutside{
		Integration: in.full(), Remote: b.Remote, Space: b.Space, Namespace: b.Namespace, Name: b.Name, Content: b.Content,
	})
	if err != nil {
		return nil, err
	}
	return answer(a.wireRepository(ctx, r)), nil
}

func (a *API) fetchRepository(ctx context.Context, in *Named) (*body[Repository], error) {
	r, err := a.Repositories.FetchSoon(ctx, in.full())
	if err != nil {
		return nil, err
	}
	return answer(a.wireRepository(ctx, r)), nil
}

// wireOutside tells where a repository lives; nil for one that is hosted here.
func (a *API) wireOutside(r repository.Repository) *Outside {
	o := r.Outside
	if o == nil {
		return nil
	}
	f := a.Repositories.Following(r)
	return &Outside{
		Integration: o.Integration, Remote: o.Remote, URL: o.URL, Private: o.Private, Content: o.Content, Cloned: f.Cached, Fetched: moment(o.Fetched), Looked: moment(f.Looked),
		Next: moment(f.Next), Fetching: f.Busy, Phase: f.Progress.Phase, Done: f.Progress.Done, Total: f.Progress.Total, Behind: f.Behind,
		Trouble: o.Trouble, TroubleKind: o.TroubleKind, TroubleSince: moment(o.TroubleSince),
	}
}
