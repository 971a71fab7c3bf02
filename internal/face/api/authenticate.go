package api

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// CSRFHeader carries a session's second proof on unsafe methods.
const CSRFHeader = "X-CSRF-Token"

type csrfKey struct{}

// Authenticate puts whoever a request proves to be into its context, by token or by session. A request without any
// proof goes on as nobody; one with a wrong proof is refused.
func (a *API) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := a.identify(r)
		if err != nil {
			a.WriteProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (a *API) identify(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := bearer(r, header)
		if !ok {
			return nil, fault.Errorf(fault.Unauthenticated, "the header Authorization must be: Bearer TOKEN")
		}
		p, err := a.Identity.Authenticate(ctx, token)
		if err != nil {
			return nil, err
		}
		return actor.With(ctx, p), nil
	}
	cookie := identity.CookieOf(r, overTLS(ctx))
	if cookie == "" {
		return ctx, nil
	}
	p, csrf, err := a.Identity.AuthenticateSession(ctx, cookie)
	if fault.Is(err, fault.Unauthenticated) {
		return ctx, nil // the session has ended: the portal shows how to sign in again
	}
	if err != nil {
		return nil, err
	}
	if unsafe(r.Method) && subtle.ConstantTimeCompare([]byte(r.Header.Get(CSRFHeader)), []byte(csrf)) != 1 {
		return nil, fault.Errorf(fault.Denied, "a change from a browser's session must carry the header %s; reload the page", CSRFHeader)
	}
	return context.WithValue(actor.With(ctx, p), csrfKey{}, csrf), nil
}

// bearer takes the token of a bearer header, or the password of a basic one, which is how git, container and
// Terraform clients send it.
func bearer(r *http.Request, header string) (string, bool) {
	if token, ok := strings.CutPrefix(header, "Bearer "); ok {
		return strings.TrimSpace(token), true
	}
	_, password, ok := r.BasicAuth()
	return password, ok
}

func unsafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // the client is gone when this can't be written
}
