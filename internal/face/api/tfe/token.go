package tfe

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Tokens are those of whoever asks; others have theirs by the native API. Those of pools are at the same place by their ids.
func (h *Handler) tokenRoutes() {
	h.handle("users/{user}/authentication-tokens", h.listTokens)
	h.handle("POST users/{user}/authentication-tokens", h.createToken)
	h.handle("authentication-tokens/{token}", h.readToken)
	h.handle("DELETE authentication-tokens/{token}", h.deleteToken)
}

const tokenKind = "at"

// wireToken gives a token; with its secret for who has just made it.
func wireToken(t identity.Token, secret any) object {
	_, own, _ := strings.Cut(t.ID, "_")
	return resource("authentication-tokens", tokenKind+"-"+own, object{
		"created-at": moment(t.Created), "last-used-at": moment(t.Used), "description": t.Name, "token": secret, "expired-at": moment(t.Expires),
	}, object{"created-by": to("users", t.CreatedBy)})
}

// asMyself tells whether a path names whoever asks.
func asMyself(r *http.Request) error {
	if id := r.PathValue("user"); id != actor.From(r.Context()).ID {
		return access.NotFound("user " + id)
	}
	return nil
}

// tokens gives those of the caller that are good, newest first.
func (h *Handler) tokens(ctx context.Context) (all []identity.Token, err error) {
	for part := (page.Request{Limit: page.Most}); ; {
		some, err := h.Identity.ListTokens(ctx, ref.Entity{}, part)
		if err != nil {
			return nil, err
		}
		for _, t := range some.Items {
			if t.Revoked.IsZero() && t.Expires.After(h.Now()) {
				all = append(all, t)
			}
		}
		if part.Cursor = some.Next; part.Cursor == "" || len(all) >= mostTokens {
			return all, nil
		}
	}
}

// mostTokens bounds how many are looked at; nobody has more that are good.
const mostTokens = 1000

func (h *Handler) listTokens(w http.ResponseWriter, r *http.Request) error {
	if err := asMyself(r); err != nil {
		return err
	}
	tokens, err := h.tokens(r.Context())
	if err != nil {
		return err
	}
	var all []object
	for _, t := range tokens {
		all = append(all, wireToken(t, nil))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all)
}

func (h *Handler) createToken(w http.ResponseWriter, r *http.Request) error {
	if err := asMyself(r); err != nil {
		return err
	}
	in := struct {
		Description string    `json:"description"`
		Expires     time.Time `json:"expired-at"`
	}{}
	if _, err := read(w, r, bodyLimit, &in); err != nil {
		return err
	}
	if in.Description == "" {
		in.Description = "terraform"
	}
	t, secret, err := h.Identity.CreateToken(r.Context(), identity.NewToken{Name: in.Description, Expires: in.Expires})
	if err != nil {
		return err
	}
	return one(w, http.StatusCreated, wireToken(t, secret))
}

// token gives the one of the caller that a path names.
func (h *Handler) token(r *http.Request) (identity.Token, error) {
	all, err := h.tokens(r.Context())
	if err != nil {
		return identity.Token{}, err
	}
	id := houseID(r.PathValue("token"), tokenKind, ref.Token)
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	return identity.Token{}, access.NotFound("token " + r.PathValue("token"))
}

func (h *Handler) readToken(w http.ResponseWriter, r *http.Request) error {
	if strings.HasPrefix(r.PathValue("token"), poolTokenKind) {
		return h.readPoolToken(w, r)
	}
	t, err := h.token(r)
	if err != nil {
		return err
	}
	return one(w, http.StatusOK, wireToken(t, nil))
}

func (h *Handler) deleteToken(w http.ResponseWriter, r *http.Request) error {
	if strings.HasPrefix(r.PathValue("token"), poolTokenKind) {
		return h.deletePoolToken(w, r)
	}
	t, err := h.token(r)
	if err == nil {
		err = h.Identity.RevokeToken(r.Context(), t.ID)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
