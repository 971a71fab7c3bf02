package server

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/product/webhook"
)

// wireWebhooks joins webhooks with what looks at each address that is dialled.
func (h *House) wireWebhooks() *webhook.Service {
	return webhook.New(webhook.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Access: h.Access, Secrets: h.Secrets, Dial: h.Outbound.Transport(), Now: time.Now, Log: h.Log,
	})
}

// outbox has webhooks send what notification policies say of stacks.
type outbox struct{ hooks *webhook.Service }

func (o outbox) Endpoints(ctx context.Context, space string) (all []stack.Endpoint, err error) {
	found, err := o.hooks.For(ctx, space)
	for _, w := range found {
		all = append(all, stack.Endpoint{ID: w.ID(), Labels: w.Spec.Labels})
	}
	return all, err
}

func (o outbox) Addressed(ctx context.Context, policySpace, space, id, channel string) (webhook, owner string, err error) {
	w, err := o.hooks.Addressed(ctx, policySpace, space, id, channel)
	return w.Ref.String(), w.Space, err
}

func (o outbox) Send(ctx context.Context, tx *store.Tx, m stack.Message) error {
	_, err := o.hooks.Send(ctx, tx, webhook.Message{
		Key: m.Key, Webhook: m.Webhook, Owner: m.Owner, Space: m.Space, Run: m.Run, Subject: m.Subject, Policy: m.Policy, Decision: m.Decision, Method: m.Method, Headers: m.Headers, Body: m.Body,
	})
	return err
}
