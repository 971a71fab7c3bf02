package server

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/outbound"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// proxies are the addresses of proxies that are believed.
type proxies []netip.Prefix

func readProxies(text string) (proxies, error) {
	var all proxies
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := outbound.Network(one)
		if err != nil {
			return nil, fault.Wrap(err, "trusted-proxies")
		}
		all = append(all, prefix)
	}
	return all, nil
}

func (p proxies) have(address netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// believe takes a client's address, and whether it spoke TLS, from the headers of a proxy that is trusted. From anybody
// else those headers mean nothing.
func (p proxies) believe(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !p.have(from.Addr()) {
			next.ServeHTTP(w, r)
			return
		}
		told := new(http.Request)
		*told = *r
		if client, ok := p.client(r.Header.Values("X-Forwarded-For")); ok {
			told.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		if r.TLS == nil && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
			told.TLS = &tls.ConnectionState{}
		}
		next.ServeHTTP(w, told)
	})
}

// client gives the last address that no trusted proxy has: what stands before it anybody may have written.
func (p proxies) client(headers []string) (netip.Addr, bool) {
	hops := strings.Split(strings.Join(headers, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		address, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return netip.Addr{}, false
		}
		if !p.have(address) {
			return address.Unmap(), true
		}
	}
	return netip.Addr{}, false
}
