package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// origin is how a request reached the server.
type origin struct {
	base string // http://127.0.0.1:8080, without a slash at the end
	tls  bool   // as the browser sees it, also behind a proxy that ends TLS
}

type originKey struct{}

// WithOrigin keeps in the context how the request reached the server, for the few routes that set cookies or give
// addresses. Where the server was told how browsers reach it, that is what counts.
func (a *API) WithOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := origin{base: a.BaseURL, tls: r.TLS != nil || strings.HasPrefix(a.BaseURL, "https://")}
		if o.base == "" {
			o.base = "http://" + r.Host
			if o.tls {
				o.base = "https://" + r.Host
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), originKey{}, o)))
	})
}

func originOf(ctx context.Context) origin {
	o, _ := ctx.Value(originKey{}).(origin)
	return o
}

func overTLS(ctx context.Context) bool { return originOf(ctx).tls }

func baseURL(ctx context.Context) string { return originOf(ctx).base }

// BaseOf gives how the client reached the server, without a slash at the end, to faces that stand behind WithOrigin.
func BaseOf(ctx context.Context) string { return baseURL(ctx) }

// SecureOf tells such faces whether it did so by TLS, as browsers see it.
func SecureOf(ctx context.Context) bool { return overTLS(ctx) }

// hostOf is the server's address as the client knows it, with its port.
func hostOf(ctx context.Context) string {
	_, host, _ := strings.Cut(originOf(ctx).base, "://")
	return host
}

func (a *API) sessionRoutes() {
	register(a, open(operation("signIn", http.MethodPost, "/session", "session", "Exchange the code of a sign-in link for a session")), a.signIn)
	register(a, operation("signOut", http.MethodDelete, "/session", "session", "End the caller's session"), a.signOut)
	register(a, operation("signOutEverywhere", http.MethodDelete, "/sessions", "session", "End all sessions and sign-in links of the caller, or of another user"), a.signOutEverywhere)
	register(a, operation("whoami", http.MethodGet, "/whoami", "session", "Who the caller is"), a.whoami)
	register(a, operation("createSignInLink", http.MethodPost, "/signin-links", "session", "A link that signs a user in once, within ten minutes"), a.signInLink)
}

type signInInput struct {
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"200"`
	}
}

type cookieOutput[T any] struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      T
}

func (a *API) signIn(ctx context.Context, in *signInInput) (*cookieOutput[Me], error) {
	cookie, csrf, p, err := a.Identity.SignIn(ctx, in.Body.Code)
	if err != nil {
		return nil, err
	}
	me, err := a.me(actor.With(ctx, p))
	me.CSRF = csrf
	return &cookieOutput[Me]{*identity.Cookie(cookie, overTLS(ctx)), me}, err
}

type signOutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (a *API) signOut(ctx context.Context, _ *none) (*signOutOutput, error) {
	return &signOutOutput{*identity.EndCookie(overTLS(ctx))}, a.Identity.SignOut(ctx)
}

type signOutEverywhereInput struct {
	User string `query:"user" maxLength:"200" doc:"Another user; empty for oneself."`
}

func (a *API) signOutEverywhere(ctx context.Context, in *signOutEverywhereInput) (*struct{}, error) {
	who, err := principalRef(in.User)
	if err != nil {
		return nil, err
	}
	return nil, a.Identity.SignOutEverywhere(ctx, who)
}

func (a *API) whoami(ctx context.Context, _ *none) (*body[Me], error) {
	me, err := a.me(ctx)
	return answer(me), err
}

func (a *API) me(ctx context.Context) (Me, error) {
	p := actor.From(ctx)
	me := Me{ID: p.ID, Ref: p.Ref.String(), Name: p.Name, Kind: string(p.Kind), Groups: p.Groups, Scopes: p.Scopes, Spaces: []string{}}
	if me.Groups == nil {
		me.Groups = []string{}
	}
	for _, l := range p.Lent {
		me.Lent = append(me.Lent, client.Lent{Role: l.Role, Space: l.Space, Group: l.Group, Policy: l.Policy})
	}
	me.CSRF, _ = ctx.Value(csrfKey{}).(string)
	me.Admin = a.Access.May(ctx, "space:admin", "default")
	spaces, err := a.Access.ListSpaces(ctx)
	for _, s := range spaces {
		me.Spaces = append(me.Spaces, s.Name)
	}
	return me, err
}

type signInLinkInput struct {
	Body struct {
		User string `json:"user" example:"user:default/alice" maxLength:"200"`
	}
}

func (a *API) signInLink(ctx context.Context, in *signInLinkInput) (*created[SignInLink], error) {
	user, err := ref.Parse(in.Body.User, "user", ref.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	code, err := a.Identity.SignInLink(ctx, user)
	if err != nil {
		return nil, err
	}
	return &created[SignInLink]{201, SignInLink{URL: SignInURL(baseURL(ctx), code), Code: code, Expires: a.Now().Add(10 * time.Minute).UTC()}}, nil
}

// SignInURL is the portal's page that exchanges a code. The code stands behind the #, so that it is in no log.
func SignInURL(base, code string) string { return base + "/signin#" + code }

func (a *API) tokenRoutes() {
	register(a, operation("listTokens", http.MethodGet, "/tokens", "tokens", "Tokens of the caller, or of another principal"), a.listTokens)
	op := operation("createToken", http.MethodPost, "/tokens", "tokens", "A new token; its secret is shown this once")
	op.DefaultStatus = 201
	register(a, op, a.createToken)
	register(a, operation("revokeToken", http.MethodDelete, "/tokens/{id}", "tokens", "End a token at once"), a.revokeToken)
}

type listTokensInput struct {
	Paging
	Owner string `query:"owner" maxLength:"200" doc:"Another principal's; empty for one's own."`
}

func (a *API) listTokens(ctx context.Context, in *listTokensInput) (*body[List[Token]], error) {
	who, err := principalRef(in.Owner)
	if err != nil {
		return nil, err
	}
	part, err := a.Identity.ListTokens(ctx, who, in.part())
	return listPart(part, wireToken), err
}

func principalRef(text string) (ref.Entity, error) {
	if text == "" {
		return ref.Entity{}, nil
	}
	return ref.Parse(text, "user", ref.DefaultNamespace)
}

func wireToken(t identity.Token) Token {
	return Token{
		ID: t.ID, Name: t.Name, Owner: t.Ref.String(), Scopes: t.Scopes, Created: t.Created,
		Expires: moment(t.Expires), Used: moment(t.Used), Revoked: moment(t.Revoked),
	}
}

type createTokenInput struct {
	Body struct {
		Name    string     `json:"name" minLength:"1" maxLength:"100"`
		Owner   string     `json:"owner,omitempty" maxLength:"200" doc:"Another principal; empty for oneself."`
		Scopes  []string   `json:"scopes,omitempty" minItems:"1" maxItems:"100" doc:"Actions (run:confirm, run:*); absent for all rights of the owner."`
		Expires *time.Time `json:"expires,omitempty" doc:"At most 366 days ahead; 90 days when absent."`
	}
}

func (a *API) createToken(ctx context.Context, in *createTokenInput) (*body[NewToken], error) {
	who, err := principalRef(in.Body.Owner)
	if err != nil {
		return nil, err
	}
	n := identity.NewToken{Principal: who, Name: in.Body.Name, Scopes: in.Body.Scopes}
	if in.Body.Expires != nil {
		n.Expires = *in.Body.Expires
	}
	t, secret, err := a.Identity.CreateToken(ctx, n)
	if err != nil {
		return nil, err
	}
	return answer(NewToken{Token: wireToken(t), Secret: secret}), nil
}

type tokenInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) revokeToken(ctx context.Context, in *tokenInput) (*struct{}, error) {
	return nil, a.Identity.RevokeToken(ctx, in.ID)
}
