package api

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/secret"
)

func (a *API) secretRoutes() {
	register(a, operation("listSecrets", http.MethodGet, "/secrets/{space}", "secrets", "Secrets of a space, without their values"), a.listSecrets)
	register(a, operation("putSecret", http.MethodPut, "/secrets/{space}/{name}", "secrets", "Set a secret, whose value can't be read again, or who is given it"), a.putSecret)
	register(a, operation("deleteSecret", http.MethodDelete, "/secrets/{space}/{name}", "secrets", "Forget a secret"), a.deleteSecret)
}

type listSecretsInput struct {
	SpaceInput
	Paging
}

func (a *API) listSecrets(ctx context.Context, in *listSecretsInput) (*body[List[SecretInfo]], error) {
	part, err := a.Secrets.List(ctx, in.Space, in.part())
	return listPart(part, func(s secret.Info) SecretInfo {
		return SecretInfo{Space: s.Space, Name: s.Name, Checksum: s.Checksum, Updated: s.Updated.UTC().Format(time.RFC3339), Shared: s.Shared, Platform: s.Platform}
	}), err
}

// SecretInput names a secret.
type SecretInput struct {
	SpaceInput
	Name string `path:"name" maxLength:"127"`
}

type putSecretInput struct {
	SecretInput
	Match // a checksum
	Body  struct {
		Value    *string `json:"value,omitempty" maxLength:"65536" doc:"Absent to keep the value that it has."`
		Shared   *bool   `json:"shared,omitempty" doc:"Work in the spaces below is given it too. Absent to leave that as it is; a new secret is not."`
		Platform *bool   `json:"platform,omitempty" doc:"No run is given it, only what the platform itself connects to, such as a forge. Absent to leave that as it is; a new secret is not."`
	}
}

func (a *API) putSecret(ctx context.Context, in *putSecretInput) (*struct{}, error) {
	c := secret.Change{Shared: in.Body.Shared, Platform: in.Body.Platform, IfMatch: in.etag()}
	if in.Body.Value != nil {
		c.Value = []byte(*in.Body.Value)
	}
	return nil, a.Secrets.Put(ctx, in.Space, in.Name, c)
}

type deleteSecretInput struct {
	SecretInput
	Match
}

func (a *API) deleteSecret(ctx context.Context, in *deleteSecretInput) (*struct{}, error) {
	return nil, a.Secrets.Delete(ctx, in.Space, in.Name, in.etag())
}
