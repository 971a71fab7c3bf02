package api

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/oidc"
)

func (a *API) oidcRoutes() {
	register(a, operation("listOIDCKeys", http.MethodGet, "/oidc/keys", "tokens", "Keys that sign the tokens which clouds are shown, the newest first"), a.listOIDCKeys)
	rotate := operation("rotateOIDCKey", http.MethodPost, "/oidc/keys", "tokens", "A new key for the tokens which clouds are shown; those that are signed stay valid")
	rotate.DefaultStatus = 201
	register(a, rotate, a.rotateOIDCKey)
}

func wireOIDCKey(k oidc.Key) OIDCKey {
	moment := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	return OIDCKey{ID: k.ID, Created: k.Created.UTC(), Replaced: moment(k.Replaced), Ends: moment(k.Ends())}
}

func (a *API) listOIDCKeys(ctx context.Context, in *Paging) (*body[List[OIDCKey]], error) {
	part, err := a.OIDC.Keys(ctx, in.part())
	return listPart(part, wireOIDCKey), err
}

func (a *API) rotateOIDCKey(ctx context.Context, _ *none) (*body[OIDCKey], error) {
	k, err := a.OIDC.Rotate(ctx)
	if err != nil {
		return nil, err
	}
	return answer(wireOIDCKey(k)), nil
}
