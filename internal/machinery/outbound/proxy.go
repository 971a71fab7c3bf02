package outbound

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	maxTunnels = 500              // at the same time
	tunnelIdle = 10 * time.Minute // without a byte in either direction
)

// Proxy is an HTTP proxy on the loopback that dials by a guard. Only who knows its password is served: the port is open to
// every program of the machine.
type Proxy struct {
	guard    *Guard
	log      *slog.Logger
	listener net.Listener
	want     [sha256.Size]byte // digest of Proxy-Authorization
	url      *url.URL
	plain    http.Handler
	slots    chan struct{}
}

// Proxy gives a proxy that listens. Run serves, and ends it; Close ends one that was never run.
func (g *Guard) Proxy(log *slog.Logger) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "open a port for git's connections: %w", err)
	}
	password := rand.Text()
	p := &Proxy{
		guard: g, log: log, listener: listener, slots: make(chan struct{}, maxTunnels),
		url: &url.URL{Scheme: "http", User: url.UserPassword("roadbed", password), Host: listener.Addr().String()},
	}
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth("roadbed", password)
	p.want = sha256.Sum256([]byte(r.Header.Get("Authorization")))
	p.plain = &httputil.ReverseProxy{
		Transport: g.Transport(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Proxy-Authorization")
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// Environment gives the variables by which git and what is like it go through the proxy. They have its password, so they
// are for a program's environment, never for its arguments.
func (p *Proxy) Environment() []string {
	u := p.url.String()
	return []string{"http_proxy=" + u, "https_proxy=" + u, "HTTPS_PROXY=" + u, "all_proxy=" + u, "ALL_PROXY=" + u, "no_proxy=", "NO_PROXY="}
}

// URL gives the address of the proxy. It has its password in it, so it is for a program's environment, never for its
// arguments.
func (p *Proxy) URL() string { return p.url.String() }

// Close ends a proxy that Run does not.
func (p *Proxy) Close() error {
	if err := p.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Run serves until ctx ends, and with it all connections.
func (p *Proxy) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: p, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTime, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // the listener with it
	defer stop()
	err := server.Serve(p.listener)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.Errorf(fault.Unavailable, "serve git's connections: %w", err)
}

// ServeHTTP connects, or passes a plain request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given := sha256.Sum256([]byte(r.Header.Get("Proxy-Authorization")))
	if subtle.ConstantTimeCompare(given[:], p.want[:]) != 1 {
		w.Header().Set("Proxy-Authenticate", `Basic realm="roadbed"`)
		http.Error(w, "this proxy is the server's own", http.StatusProxyAuthRequired)
		return
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		http.Error(w, "too many connections at the same time; try again", http.StatusServiceUnavailable)
		return
	}
	switch {
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case r.URL.Scheme == "http" && r.URL.Host != "":
		p.plain.ServeHTTP(w, r)
	default:
		http.Error(w, "this is a proxy", http.StatusBadRequest)
	}
}

// refuse answers with why something could not be reached.
func refuse(w http.ResponseWriter, err error) {
	var known *fault.Error
	if errors.As(err, &known) && known.Kind == fault.Invalid {
		http.Error(w, known.Message, http.StatusForbidden)
		return
	}
	http.Error(w, err.Error(), http.StatusBadGateway)
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	far, err := p.guard.DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		refuse(w, err)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.log.Warn("a connection of git's could not be taken over", "error", err)
		return
	}
	defer near.Close()
	if _, err := near.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		return // it has gone
	}
	stop := context.AfterFunc(r.Context(), func() { _, _ = near.Close(), far.Close() })
	defer stop()
	join(near, buffered.Reader, far)
}

// join copies in both directions until both have ended, or nothing moves.
func join(near net.Conn, from *bufio.Reader, far net.Conn) {
	alive := func() {
		until := time.Now().Add(tunnelIdle)
		_, _ = near.SetDeadline(until), far.SetDeadline(until)
	}
	alive()
	pass := func(to net.Conn, from io.Reader) {
		_, err := io.Copy(writer{to, alive}, from)
		half, ok := to.(interface{ CloseWrite() error })
		if err == nil && ok && half.CloseWrite() == nil {
			return
		}
		_, _ = near.Close(), far.Close()
	}
	var both sync.WaitGroup
	both.Go(func() { pass(far, from) })
	pass(near, far)
	both.Wait()
}

// writer tells that something moved.
type writer struct {
	io.Writer
	moved func()
}

func (w writer) Write(b []byte) (int, error) {
	w.moved()
	return w.Writer.Write(b)
}
