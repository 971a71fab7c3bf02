package server

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *House) wireHook() *hook.Service {
	return hook.New(hook.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Blob: h.Blob, Access: h.Access, Sources: hookSources{h.Integrations, h},
		Address:   strings.TrimSuffix(h.baseURL(), "/"),
		Retention: hook.Retention{Payloads: h.Options.HookKeep, Space: int64(h.Options.HookSpace) << 20},
		Now:       time.Now, Log: h.Log,
	})
}

// hookSources tells core/hook of the integrations.
type hookSources struct {
	*integration.Service
	house *House
}

func (s hookSources) SpaceOf(ctx context.Context, name string) (string, error) {
	i, err := s.Lookup(ctx, name)
	return i.Space, err
}

// HookSecret makes the secret that the document names, as whoever asks, when it does not exist.
func (s hookSources) HookSecret(ctx context.Context, name string) (string, error) {
	i, err := s.Lookup(ctx, name)
	if err != nil {
		return "", err
	}
	if i.Spec.Webhook == nil {
		return "", fault.Errorf(fault.Conflict, "integration %s takes no webhooks; write spec: {webhook: {secretRef: %s/NAME}} in its document, and the secret is made for you", name, i.Space)
	}
	of := i.Spec.Webhook.SecretRef
	err = s.house.DB.Read(ctx, func(tx *store.Tx) error {
		_, err := s.house.Secrets.Resolve(ctx, tx, i.Space, []string{of})
		return err
	})
	if space, key, _ := strings.Cut(of, "/"); fault.Is(err, fault.NotFound) && !strings.Contains(key, "#") {
		noRun := true
		err = s.house.Secrets.Put(ctx, space, key, secret.Change{Value: []byte(rand.Text()), Platform: &noRun})
	}
	if err != nil {
		return "", err
	}
	_, secrets, err := s.Hooks(ctx, name)
	if err != nil {
		return "", err
	}
	return secrets[0], nil
}
