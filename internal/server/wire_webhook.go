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

// outbox has webhooks send what notification policies say.
type outbox struct{ hooks *webhook.Service }

func (o outbox) Webhooks(ctx context.Context, space string) (stack.Webhooks, error) {
	b, err := o.hooks.Book(ctx, space)
	return book{b}, err
}

// book is the webhooks of a space as stacks see them.
type book struct{ webhook.Book }

func (b book) Endpoints() (all []stack.Endpoint) {
	for _, w := range b.Book.Webhooks() {
		all = append(all, stack.Endpoint{ID: w.ID(), Labels: w.Spec.Labels})
	}
	return all
}

func (b book) Addressed(policySpace, id, channel string) (name, owner string, err error) {
	w, err := b.Book.Addressed(policySpace, id, channel)
	if err != nil {
		return "", "", err
	}
	return w.Ref.String(), w.Space, nil
}

func (o outbox) Send(ctx context.Context, tx *store.Tx, m stack.Message) error {
	_, err := o.hooks.Send(ctx, tx, webhook.Message{
		Key: m.Key, Webhook: m.Webhook, Owner: m.Owner, Space: m.Space, Run: m.Run, Subject: m.Subject, Policy: m.Policy, Decision: m.Decision, Method: m.Method, Headers: m.Headers, Body: m.Body,
	})
	return err
}
