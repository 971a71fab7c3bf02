package identity

import (
	"net/http"
	"time"
)

// CookieName gives the name of the session's cookie. Over TLS the browser itself holds it to this host, path and TLS
// by the prefix of its name.
func CookieName(tls bool) string {
	if tls {
		return "__Host-roadbed"
	}
	return "roadbed"
}

// Cookie gives the cookie of a new session.
func Cookie(value string, tls bool) *http.Cookie {
	return &http.Cookie{
		Name: CookieName(tls), Value: value, Path: "/", MaxAge: int(sessionLife / time.Second),
		HttpOnly: true, Secure: tls, SameSite: http.SameSiteLaxMode,
	}
}

// EndCookie gives the cookie that makes a browser forget the session.
func EndCookie(tls bool) *http.Cookie {
	c := Cookie("", tls)
	c.MaxAge = -1
	return c
}

// CookieOf gives the session's cookie of a request, or "".
func CookieOf(r *http.Request, tls bool) string {
	c, err := r.Cookie(CookieName(tls))
	if err != nil {
		return ""
	}
	return c.Value
}
