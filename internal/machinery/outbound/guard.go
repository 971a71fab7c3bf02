package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Options say what a guard lets through.
type Options struct {
	// Allow lists what may be reached although it is not public, with commas: networks, addresses, names of hosts.
	Allow string
	// Upstream tells which proxy leads to an address, such as http.ProxyFromEnvironment; nil for none.
	Upstream func(*http.Request) (*url.URL, error)
	Resolver *net.Resolver // the machine's own when nil
}

const (
	dialTime = 30 * time.Second
	idleTime = 90 * time.Second // of a connection that is kept for the next request
)

// Guard dials what may be reached. It is safe for concurrent use.
type Guard struct {
	allowed  allowed
	upstream func(*http.Request) (*url.URL, error)
	resolver *net.Resolver
}

// New gives a guard. Invalid when something of Options.Allow is neither a network nor an address nor a name.
func New(o Options) (*Guard, error) {
	a, err := readAllowed(o.Allow)
	if err != nil {
		return nil, err
	}
	g := &Guard{allowed: a, upstream: o.Upstream, resolver: o.Resolver}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	return g, nil
}

// check refuses an address (IP:PORT) that is about to be dialled for a host.
func (g *Guard) check(host string, address netip.Addr) error {
	what := whatIs(address)
	if what == "" || g.allowed.have(host, address, what) {
		return nil
	}
	if literal, err := netip.ParseAddr(host); err == nil && literal == address {
		return fault.Errorf(fault.Invalid, "%s is a %s address, which this server does not reach; its operator can allow it by --allow-private", host, what)
	}
	return fault.Errorf(fault.Invalid, "%s is at the %s address %s, which this server does not reach; its operator can allow it by --allow-private", host, what, address.Unmap())
}

// Check tells why an address (HOST:PORT) would be refused, for the sake of the message: what dials by a Proxy learns only
// that it was. A name that is not resolved is no error here.
func (g *Guard) Check(ctx context.Context, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fault.Errorf(fault.Invalid, "%.200q is not HOST:PORT", address)
	}
	if literal, err := netip.ParseAddr(host); err == nil {
		return g.check(host, literal)
	}
	if via, err := g.via(address); via != nil || err != nil {
		return err
	}
	found, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil //nolint:nilerr // who dials will say so
	}
	var first error
	for _, a := range found {
		err := g.check(host, a)
		if err == nil {
			return nil
		}
		first = errors.Join(first, err)
	}
	var known *fault.Error
	if errors.As(first, &known) {
		return known
	}
	return nil
}

// via gives the proxy that leads to an address; nil for none.
func (g *Guard) via(address string) (*url.URL, error) {
	if g.upstream == nil {
		return nil, nil
	}
	proxy, err := g.upstream(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "the proxy that HTTPS_PROXY names: %w", err)
	}
	return proxy, nil
}

// DialContext dials HOST:PORT by TCP. It fails with fault.Invalid for what may not be reached.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, fault.Errorf(fault.Invalid, "%.20q %.200q is not HOST:PORT to be reached by TCP", network, address)
	}
	via, err := g.via(address)
	if err != nil {
		return nil, err
	}
	if via != nil {
		if literal, err := netip.ParseAddr(host); err == nil {
			if err := g.check(host, literal); err != nil {
				return nil, err
			}
		}
		return tunnel(ctx, via, address)
	}
	d := net.Dialer{Timeout: dialTime, Resolver: g.resolver, ControlContext: func(_ context.Context, _, dialled string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(dialled)
		if err != nil {
			return fault.Errorf(fault.Invalid, "%.200q is not an address", dialled)
		}
		return g.check(host, at.Addr())
	}}
	return d.DialContext(ctx, network, address)
}

// Transport gives what asks by HTTP.
func (g *Guard) Transport() *http.Transport {
	return &http.Transport{
		DialContext: g.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConns: 200, MaxIdleConnsPerHost: 10, IdleConnTimeout: idleTime, MaxResponseHeaderBytes: 1 << 20,
	}
}

// tunnel asks a proxy that the operator has named to connect.
func tunnel(ctx context.Context, via *url.URL, address string) (net.Conn, error) {
	port := via.Port()
	secure := via.Scheme == "https"
	switch {
	case via.Scheme != "http" && !secure:
		return nil, fault.Errorf(fault.Unavailable, "HTTPS_PROXY is a %s proxy; only http and https are known", via.Scheme)
	case port == "" && secure:
		port = "443"
	case port == "":
		port = "80"
	}
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(via.Hostname(), port))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if secure {
		conn = tls.Client(conn, &tls.Config{ServerName: via.Hostname(), MinVersion: tls.VersionTLS12})
	}
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u := via.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	fail := func(err error) (net.Conn, error) {
		_ = conn.Close() // what matters is err
		return nil, fault.Errorf(fault.Unavailable, "the proxy %s: %w", via.Host, err)
	}
	if err := r.Write(conn); err != nil {
		return fail(err)
	}
	from := bufio.NewReader(conn)
	answer, err := http.ReadResponse(from, r) //nolint:bodyclose // what follows is the connection, which is given or closed
	switch {
	case err != nil:
		return fail(err)
	case answer.StatusCode != http.StatusOK:
		return fail(fault.Errorf(fault.Unavailable, "does not connect to %s: %s", address, answer.Status))
	case from.Buffered() > 0: // nobody speaks before the one who asked
		return fail(fault.Errorf(fault.Unavailable, "speaks before it was asked"))
	case !stop():
		return fail(ctx.Err())
	}
	return conn, nil
}
