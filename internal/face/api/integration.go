package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) integrationRoutes() {
	register(a, operation("listIntegrations", http.MethodGet, "/integrations", "integrations", "Outside forges, by name, and how they do"), a.listIntegrations)
	register(a, operation("getIntegration", http.MethodGet, "/integrations/{namespace}/{name}", "integrations", "One outside forge, and how it does"), a.getIntegration)
	op := operation("testIntegration", http.MethodPost, "/integrations/{namespace}/{name}/test", "integrations", "Try an outside forge and its credentials now")
	op.Description = "It takes as long as the forge does, at most a minute. What is found is in the answer, also when the forge does not answer."
	register(a, op, a.testIntegration)
}

type listIntegrationsInput struct {
	Paging
	Space string `query:"space" maxLength:"63" doc:"Only those of this space."`
}

func (a *API) listIntegrations(ctx context.Context, in *listIntegrationsInput) (*body[List[Integration]], error) {
	part, err := a.Integrations.List(ctx, in.Space, in.part())
	return listPart(part, func(i integration.Integration) Integration { return a.wireIntegration(ctx, i) }), err
}

func (a *API) getIntegration(ctx context.Context, in *Named) (*body[Integration], error) {
	i, err := a.Integrations.Get(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(a.wireIntegration(ctx, i)), nil
}

func (a *API) testIntegration(ctx context.Context, in *Named) (*body[Integration], error) {
	i, err := a.Integrations.Test(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(a.wireIntegration(ctx, i)), nil
}

func (a *API) wireIntegration(ctx context.Context, i integration.Integration) Integration {
	r, err := ref.Parse(i.Name, "integration", "")
	if err != nil { // a name that the catalog has taken
		r = ref.New("integration", "", i.Name)
	}
	w := Integration{
		Ref: r.String(), Namespace: r.Namespace, Name: r.Name, Space: i.Space, Forge: i.Spec.Forge, URL: i.Spec.URL, API: i.Spec.API,
		Owners: append([]string{}, i.Spec.Owners...), Poll: int64(i.Spec.Poll.Interval.Seconds()),
		Hook: baseURL(ctx) + "/hooks/" + i.Name, Hooked: i.Spec.Webhook != nil,
		State: string(i.State), Reason: i.Reason, Login: i.Health.Login, Version: i.Health.Version, Scopes: i.Health.Scopes,
		Missing: append([]string{}, i.Health.Missing...), Expires: moment(i.Health.Expires), Clone: i.Health.Clone,
		Looked: moment(i.Looked), Since: moment(i.Since), Can: []string{},
	}
	if i.Spec.App != nil {
		w.App = string(i.Spec.App.ID)
	}
	if rate := i.Health.Rate; rate.Limit > 0 {
		w.Rate = &Rate{Limit: rate.Limit, Left: rate.Left, Reset: moment(rate.Reset)}
	}
	if a.Access.May(ctx, integration.Right, i.Space) {
		w.Can = append(w.Can, "test")
		if a.Access.May(ctx, "entity:delete", i.Space) {
			w.Can = append(w.Can, "delete")
		}
	}
	return w
}
