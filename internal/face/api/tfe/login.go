package tfe

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where programs sign in: by OAuth's authorization code with PKCE, which `terraform login` speaks.
const (
	Authorize = "/oauth/authorize"
	TokenPath = "/oauth/token"

	clientID            = "terraform-cli"
	firstPort, lastPort = 10000, 10010 // of the machine on which the program waits for its code
)

//go:embed login.html
var loginPage string

// ask is what a program asks for.
type ask struct {
	redirect         *url.URL
	state, challenge string
}

// askOf reads what a program asks. The code goes to a port of the person's own machine and nowhere else.
func askOf(q url.Values) (a ask, err error) {
	bad := func(format string, args ...any) (ask, error) {
		return ask{}, fault.Errorf(fault.Invalid, format, args...)
	}
	a = ask{state: q.Get("state"), challenge: q.Get("code_challenge")}
	if q.Get("client_id") != clientID || q.Get("response_type") != "code" {
		return bad("this page is for programs that ask for a code as %s", clientID)
	}
	if q.Get("code_challenge_method") != "S256" || a.challenge == "" {
		return bad("the program must prove itself by PKCE, method S256")
	}
	if len(a.state) > 1000 {
		return bad("the state has more than 1000 characters")
	}
	a.redirect, err = url.Parse(q.Get("redirect_uri"))
	if err != nil || a.redirect.Scheme != "http" || a.redirect.User != nil || a.redirect.Fragment != "" || a.redirect.RawQuery != "" {
		return bad("redirect_uri must be an address of this machine, such as http://localhost:10000/login")
	}
	port, err := strconv.Atoi(a.redirect.Port())
	if host := a.redirect.Hostname(); err != nil || host != "localhost" && (net.ParseIP(host) == nil || !net.ParseIP(host).IsLoopback()) || port < 1024 {
		return bad("redirect_uri must be a port of this machine, such as http://localhost:10000/login")
	}
	return a, nil
}

// Login serves the page on which a person lets a program in, and the exchange of its code.
func (h *Handler) Login() http.Handler {
	page := template.Must(template.New("login").Parse(loginPage))
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Authorize, func(w http.ResponseWriter, r *http.Request) { h.authorize(w, r, page) })
	mux.HandleFunc("POST "+Authorize, func(w http.ResponseWriter, r *http.Request) { h.authorize(w, r, page) })
	mux.HandleFunc("POST "+TokenPath, h.exchange)
	return mux
}

// shown is what the page has to tell.
type shown struct {
	Problem, Name, Host, CSRF, Action string
	Ask                               url.Values
	SignedIn                          bool
}

const formLimit = 64 << 10 // bytes

func (h *Handler) authorize(w http.ResponseWriter, r *http.Request, page *template.Template) {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form can't be read", http.StatusBadRequest)
		return
	}
	a, err := askOf(r.Form)
	if err != nil {
		h.show(w, page, h.Status(err), shown{Problem: fault.Message(err)})
		return
	}
	to := shown{Host: r.Host, Action: Authorize, Ask: url.Values{}}
	for _, name := range []string{"client_id", "response_type", "code_challenge", "code_challenge_method", "state", "redirect_uri"} {
		to.Ask.Set(name, r.Form.Get(name))
	}
	p, csrf, err := h.Identity.AuthenticateSession(r.Context(), identity.CookieOf(r, h.TLS(r.Context())))
	if fault.Is(err, fault.Unauthenticated) {
		to.Action = Authorize + "?" + to.Ask.Encode()
		h.show(w, page, http.StatusUnauthorized, to)
		return
	}
	if err != nil {
		h.show(w, page, h.Status(err), shown{Problem: fault.Message(err)})
		return
	}
	to.SignedIn, to.Name, to.CSRF = true, p.Name, csrf
	if r.Method == http.MethodGet {
		h.show(w, page, http.StatusOK, to)
		return
	}
	if !identity.SameCSRF(csrf, r.PostForm.Get("csrf")) {
		h.show(w, page, http.StatusForbidden, shown{Problem: "this form is not of your session; go back to the terminal and begin again"})
		return
	}
	answer := url.Values{"state": {a.state}}
	if r.PostForm.Get("answer") == "allow" {
		code, err := h.Identity.AllowProgram(actor.With(r.Context(), p), identity.Grant{Challenge: a.challenge, Redirect: a.redirect.String(), Name: "terraform login " + h.Now().UTC().Format(time.DateOnly)})
		if err != nil {
			h.show(w, page, h.Status(err), shown{Problem: fault.Message(err)})
			return
		}
		answer.Set("code", code)
	} else {
		answer.Set("error", "access_denied")
	}
	at := *a.redirect
	at.RawQuery = answer.Encode()
	http.Redirect(w, r, at.String(), http.StatusSeeOther)
}

func (h *Handler) show(w http.ResponseWriter, page *template.Template, status int, what shown) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	// Browsers hold the way on from a form to this too: the program waits on this machine.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' http://localhost:* http://127.0.0.1:*")
	w.WriteHeader(status)
	_ = page.Execute(w, what) // the client is gone when this can't be written
}

// exchange gives a program its token for its code (RFC 6749, 5).
func (h *Handler) exchange(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	answer := func(status int, v object) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "authorization_code" {
		answer(http.StatusBadRequest, object{"error": "unsupported_grant_type", "error_description": "send grant_type authorization_code"})
		return
	}
	client := r.PostForm.Get("client_id")
	if user, _, ok := r.BasicAuth(); ok { // as some send it
		client, _ = url.QueryUnescape(user)
	}
	if client != clientID {
		answer(http.StatusUnauthorized, object{"error": "invalid_client"})
		return
	}
	_, secret, err := h.Identity.ExchangeGrant(r.Context(), r.PostForm.Get("code"), r.PostForm.Get("code_verifier"), r.PostForm.Get("redirect_uri"))
	switch {
	case fault.Is(err, fault.Unauthenticated):
		answer(http.StatusBadRequest, object{"error": "invalid_grant", "error_description": fault.Message(err)})
	case err != nil:
		h.Log.ErrorContext(r.Context(), "exchange a program's code", "error", err)
		answer(h.Status(err), object{"error": "server_error", "error_description": fault.Message(err)})
	default:
		answer(http.StatusOK, object{"access_token": secret, "token_type": "bearer"})
	}
}
