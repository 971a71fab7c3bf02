package api

import (
	"context"
	"net/http"
	"time"
)

func (a *API) secretRoutes() {
	register(a, operation("listSecrets", http.MethodGet, "/secrets/{space}", "secrets", "Secrets of a space, without their values"), a.listSecrets)
	register(a, operation("putSecret", http.MethodPut, "/secrets/{space}/{name}", "secrets", "Set a secret; its value can't be read again"), a.putSecret)
	register(a, operation("deleteSecret", http.MethodDelete, "/secrets/{space}/{name}", "secrets", "Forget a secret"), a.deleteSecret)
}

func (a *API) listSecrets(ctx context.Context, in *SpaceInput) (*body[List[SecretInfo]], error) {
	infos, err := a.Secrets.List(ctx, in.Space)
	if err != nil {
		return nil, err
	}
	items := make([]SecretInfo, len(infos))
	for i, s := range infos {
		items[i] = SecretInfo{Space: s.Space, Name: s.Name, Checksum: s.Checksum, Updated: s.Updated.UTC().Format(time.RFC3339)}
	}
	return list(items, ""), nil
}

// SecretInput names a secret.
type SecretInput struct {
	SpaceInput
	Name string `path:"name" maxLength:"127"`
}

type putSecretInput struct {
	SecretInput
	Body struct {
		Value string `json:"value" maxLength:"65536"`
	}
}

func (a *API) putSecret(ctx context.Context, in *putSecretInput) (*struct{}, error) {
	return nil, a.Secrets.Put(ctx, in.Space, in.Name, []byte(in.Body.Value))
}

func (a *API) deleteSecret(ctx context.Context, in *SecretInput) (*struct{}, error) {
	return nil, a.Secrets.Delete(ctx, in.Space, in.Name)
}
