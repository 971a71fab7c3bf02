package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/webhook"
)

func (a *API) webhookRoutes() {
	register(a, operation("listWebhookMessages", http.MethodGet, "/webhooks/{namespace}/{name}/messages", "webhooks", "What policies sent to a webhook, and what became of it, the newest first"), a.listWebhookMessages)
}

type webhookMessagesInput struct {
	Named
	Paging
}

func (a *API) listWebhookMessages(ctx context.Context, in *webhookMessagesInput) (*body[List[client.WebhookMessage]], error) {
	part, err := a.Webhooks.Messages(ctx, in.ref("webhook"), in.part())
	return listPart(part, func(m webhook.Message) client.WebhookMessage {
		return client.WebhookMessage{
			ID: m.ID, State: m.State, Policy: m.Policy, Decision: m.Decision, Run: m.Run, Subject: m.Subject, Attempts: m.Attempts, Status: m.Status,
			Reason: m.Reason, Created: m.Created, Ended: moment(m.Ended),
		}
	}), err
}
