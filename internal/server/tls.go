package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/listen"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *House) scheme() string {
	if h.Options.TLSCert != "" {
		return "https"
	}
	return "http"
}

// ownAuthority says whether the server makes its own certificate: clients that insist on HTTPS can then be tried out
// without one.
func (h *House) ownAuthority() bool { return h.Options.Dev && h.Options.TLSCert == "" }

func (h *House) authorityFile() string { return h.path("ca.pem") }

// secure makes the listener speak TLS too, with the certificate that was given or, with --dev, one of its own.
func (h *House) secure(l net.Listener) (net.Listener, error) {
	switch {
	case h.Options.TLSCert != "":
		config, err := listen.Files(h.Options.TLSCert, h.Options.TLSKey, func(err error) {
			h.Log.Error("the new certificate can't be used; the earlier one stays", "error", err)
		})
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "tls-cert: %w", err)
		}
		return listen.Both(l, config), nil
	case h.ownAuthority():
		config, err := listen.Own(h.authorityFile(), h.path("keys", "ca.key"), h.ownNames(), time.Now)
		if err != nil {
			return nil, fault.Errorf(fault.Unavailable, "make a certificate for HTTPS: %w", err)
		}
		return listen.Both(l, config), nil
	}
	return l, nil
}

// ownNames are the names and addresses under which clients on this machine reach the server.
func (h *House) ownNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	for _, address := range []string{h.baseURL(), h.addressBy("http")} {
		if u, err := url.Parse(address); err == nil && u.Hostname() != "" && !slices.Contains(names, u.Hostname()) {
			names = append(names, u.Hostname())
		}
	}
	return names
}

// onlySecured sends whoever comes in clear to HTTPS, where there is a certificate for it. What would change something is
// refused instead, so that nobody goes on sending secrets in clear unnoticed.
func (h *House) onlySecured(next http.Handler) http.Handler {
	if h.Options.TLSCert == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.TLS != nil:
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			http.Redirect(w, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusPermanentRedirect) //nolint:gosec // to the host that the client itself named
		default:
			http.Error(w, "this server speaks HTTPS only; use https:// in its address", http.StatusForbidden)
		}
	})
}
