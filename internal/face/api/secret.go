package api

import (
	"context"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"net/http"
	"time"
)

func (a *API) secretRoutes() {
	register(a, operation("listSecrets", http.MethodGet, "/secrets/{space}", "secrets", "Secrets of a space, without their values"), a.listSecrets)
	register(a, operation("putSecret", http.MethodPut, "/secrets/{space}/{name}", "secrets", "Set a secret; its value can't be read again"), a.putSecret)
	register(a, operation("deleteSecret", http.MethodDelete, "/secrets/{space}/{name}", "secrets", "Forget a secret"), a.deleteSecret)
}

type listSecretsInput struct {
	SpaceInput
	Paging
}

func (a *API) listSecrets(ctx context.Context, in *listSecretsInput) (*body[List[SecretInfo]], error) {
	part, err := a.Secrets.List(ctx, in.Space, in.part())
	return listPart(part, func(s secret.Info) SecretInfo {
		return SecretInfo{Space: s.Space, Name: s.Name, Checksum: s.Checksum, Updated: s.Updated.UTC().Format(time.RFC3339)}
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
		Value string `json:"value" maxLength:"65536"`
	}
}

func (a *API) putSecret(ctx context.Context, in *putSecretInput) (*struct{}, error) {
	return nil, a.Secrets.Put(ctx, in.Space, in.Name, []byte(in.Body.Value), in.etag())
}

type deleteSecretInput struct {
	SecretInput
	Match
}

func (a *API) deleteSecret(ctx context.Context, in *deleteSecretInput) (*struct{}, error) {
	return nil, a.Secrets.Delete(ctx, in.Space, in.Name, in.etag())
}
