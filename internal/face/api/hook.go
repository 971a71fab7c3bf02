package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
)

func (a *API) hookRoutes() {
	const one = "/integrations/{namespace}/{name}"
	const noun = "integrations"
	register(a, operation("getWebhook", http.MethodGet, one+"/webhook", noun, "Where the forge sends what happens, and what came of that"), a.getWebhook)
	register(a, operation("registerWebhook", http.MethodPost, one+"/webhook", noun, "Have the forge send what happens in a repository or an organization"), a.registerWebhook)
	register(a, operation("listDeliveries", http.MethodGet, one+"/deliveries", noun, "What the forge sent, the newest first"), a.listDeliveries)
	register(a, operation("getDelivery", http.MethodGet, one+"/deliveries/{number}", noun, "One delivery"), a.getDelivery)
	register(a, operation("getDeliveryPayload", http.MethodGet, one+"/deliveries/{number}/payload", noun, "What a delivery said"), a.getDeliveryPayload)
	register(a, operation("redeliver", http.MethodPost, one+"/deliveries/{number}/redeliver", noun, "Have a delivery handled again"), a.redeliver)
}

// integration names one as core/hook does.
func (n Named) integration() string { return strings.ToLower(n.Namespace + "/" + n.Name) }

func wireDelivery(d hook.Delivery) Delivery {
	return Delivery{
		Number: d.Number, Delivery: d.ID, State: d.State, Kind: string(d.Kind), Name: d.Name, Repository: d.Repository, Sender: d.Sender, Size: d.Size, Kept: d.Kept,
		Received: d.Received, Handled: moment(d.Handled), Attempts: d.Attempts, Next: moment(d.Due), Outcome: d.Outcome, Repeats: d.Repeats, Repeated: moment(d.Repeated),
	}
}

func (a *API) getWebhook(ctx context.Context, in *Named) (*body[Webhook], error) {
	name := in.integration()
	t, err := a.Hooks.Traffic(ctx, name)
	if err != nil {
		return nil, err
	}
	w := Webhook{
		URL: a.Hooks.AddressOf(name), Last: moment(t.Last), Waiting: t.Waiting, Can: []string{},
		Refused: Refusals{Count: t.Refused.Count, Last: moment(t.Refused.Last), Reason: t.Refused.Reason, Client: t.Refused.Client},
	}
	if a.Hooks.Manages(ctx, name) {
		w.Can = []string{"register", "redeliver", "payload"}
	} else {
		w.Refused.Client = ""
	}
	return answer(w), nil
}

type registerWebhookInput struct {
	Named
	Body struct {
		Repository   string `json:"repository,omitempty" maxLength:"500" doc:"OWNER/NAME."`
		Organization string `json:"organization,omitempty" maxLength:"500" doc:"Instead of a repository: all that an organization has."`
	}
}

func (a *API) registerWebhook(ctx context.Context, in *registerWebhookInput) (*body[RegisteredWebhook], error) {
	h, err := a.Hooks.Register(ctx, in.integration(), forge.HookTarget{Repository: in.Body.Repository, Organization: in.Body.Organization})
	if err != nil {
		return nil, err
	}
	kinds := []string{}
	for _, k := range h.Kinds {
		if k != "" && !slices.Contains(kinds, string(k)) {
			kinds = append(kinds, string(k))
		}
	}
	return answer(RegisteredWebhook{ID: h.ID, URL: h.URL, Kinds: kinds, Active: h.Active}), nil
}

type listDeliveriesInput struct {
	Named
	Paging
	State string `query:"state" enum:"received,done,ignored,failed"`
	Kind  string `query:"kind" enum:"ping,push,proposal,comment,review,check,repository,other"`
}

func (a *API) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*body[List[Delivery]], error) {
	part, err := a.Hooks.List(ctx, in.integration(), hook.Query{State: in.State, Kind: in.Kind}, in.part())
	return listPart(part, wireDelivery), err
}

type deliveryInput struct {
	Named
	Number int64 `path:"number" minimum:"1"`
}

func (a *API) getDelivery(ctx context.Context, in *deliveryInput) (*body[Delivery], error) {
	d, err := a.Hooks.Get(ctx, in.integration(), in.Number)
	return answer(wireDelivery(d)), err
}

// payloadShown bounds what is shown of a payload, in bytes.
const payloadShown = 1 << 20

func (a *API) getDeliveryPayload(ctx context.Context, in *deliveryInput) (*body[DeliveryPayload], error) {
	p, err := a.Hooks.Payload(ctx, in.integration(), in.Number)
	if err != nil {
		return nil, err
	}
	out := DeliveryPayload{Headers: map[string]string{}}
	for name := range p.Headers {
		out.Headers[name] = p.Headers.Get(name)
	}
	if len(p.Body) <= payloadShown && utf8.Valid(p.Body) && json.Valid(p.Body) {
		out.JSON = p.Body
		return answer(out), nil
	}
	out.Cut = len(p.Body) > payloadShown
	out.Text = strings.ToValidUTF8(string(p.Body[:min(len(p.Body), payloadShown)]), "\uFFFD")
	return answer(out), nil
}

func (a *API) redeliver(ctx context.Context, in *deliveryInput) (*body[Delivery], error) {
	d, err := a.Hooks.Redeliver(ctx, in.integration(), in.Number)
	return answer(wireDelivery(d)), err
}
