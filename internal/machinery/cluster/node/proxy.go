package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of requests to pods.
const (
	maxTries       = 4               // pods that one request is offered to
	answerWait     = 5 * time.Minute // until the first byte of an answer
	idleConnection = time.Second     // kept connections: shorter than what programs themselves keep them
	connsOfPod     = 120             // at a time, of one port, of each of the two transports; more wait. The relay takes 256
	maxAnswerHead  = 256 << 10
)

// proxy hands requests to the pods of a service.
type proxy struct {
	node    *Node
	reverse *httputil.ReverseProxy
	kept    *http.Transport // for what may be tried again: reuses connections
	fresh   *http.Transport // for what may not: a kept connection might end just as it is used
	turn    atomic.Uint64
}

func newProxy(n *Node) *proxy {
	transport := func(keep bool) *http.Transport {
		return &http.Transport{
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				name, _, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				var d net.Dialer
				return d.DialContext(ctx, "unix", filepath.Join(n.sockets, name))
			},
			DisableKeepAlives: !keep, DisableCompression: true, MaxConnsPerHost: connsOfPod, MaxIdleConnsPerHost: 64, IdleConnTimeout: idleConnection,
			ResponseHeaderTimeout: answerWait, MaxResponseHeaderBytes: maxAnswerHead,
		}
	}
	p := &proxy{node: n, kept: transport(true), fresh: transport(false)}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "pod"
			r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came: its meaning is the program's
			r.Out.Host = r.In.Host
			for name := range r.Out.Header { // only what the node says itself of where a request comes from
				if strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
					r.Out.Header.Del(name)
				}
			}
			r.SetXForwarded()
		},
		Transport:    p,
		ErrorHandler: p.failed,
		ErrorLog:     slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
	return p
}

// close ends the connections that nobody uses.
func (p *proxy) close() {
	p.kept.CloseIdleConnections()
	p.fresh.CloseIdleConnections()
}

// Serves tells whether an Ingress has the host of a request (with or without a port), so that a server can hand the
// request to Ingress.
func (n *Node) Serves(host string) bool {
	_, _, known := n.routes.Load().ingress(hostName(host), "/")
	return known
}

// Ingress gives the handler of all Ingresses: it finds the pods by the request's host and path. The server around it
// sets the bounds of the request's head and the time in which it must come.
func (n *Node) Ingress() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostName(r.Host)
		to, ok, known := n.routes.Load().ingress(host, r.URL.Path)
		switch {
		case !known:
			http.Error(w, "no Ingress has the host "+host, http.StatusNotFound)
		case !ok:
			http.Error(w, "no Ingress of "+host+" has this path", http.StatusNotFound)
		default:
			n.proxy.serve(w, r, target{namespace: to.backend.key.Namespace, service: to.backend.key.Name, port: to.port})
		}
	})
}

// target is the service port that a request is for. It is looked up at each try, so that a try sees what is ready then.
type target struct {
	namespace, service string
	port               servicePort
}

type targetKey struct{}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request, to target) {
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, to)))
}

// endpoints gives what is ready behind a target now. Errors: NotFound, Unavailable when nothing is ready.
func (p *proxy) endpoints(to target) ([]endpoint, error) {
	b := p.node.routes.Load().services[to.namespace+"/"+to.service]
	if b == nil {
		return nil, fault.Errorf(fault.NotFound, "there is no service %s in %s", to.service, to.namespace)
	}
	all, ok := b.at(to.port)
	if !ok {
		return nil, fault.Errorf(fault.NotFound, "service %s/%s has no port %s", to.namespace, to.service, to.port)
	}
	return all, nil
}

func (p servicePort) String() string {
	if p.name != "" {
		return p.name
	}
	return fmt.Sprint(p.number)
}

// enter chooses the least busy pod that has not been tried, in turn where several are, and goes in.
func (p *proxy) enter(to target, tried []*pod) (endpoint, error) {
	all, err := p.endpoints(to)
	if err != nil {
		return endpoint{}, err
	}
	for len(all) > 0 {
		start := int(p.turn.Add(1) % uint64(len(all)))
		best, least := -1, 0
		for i := range all {
			at := (start + i) % len(all)
			if slices.Contains(tried, all[at].pod) {
				continue
			}
			if busy := all[at].pod.gate.load(); best < 0 || busy < least {
				best, least = at, busy
			}
		}
		if best < 0 {
			break
		}
		if all[best].pod.gate.enter() {
			return all[best], nil
		}
		tried = append(slices.Clone(tried), all[best].pod) // it has just left the service
	}
	return endpoint{}, fault.Errorf(fault.Unavailable, "no pod of service %s/%s is ready", to.namespace, to.service)
}

// RoundTrip hands a request to a pod, and to another one when that could not take it.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	to, _ := r.Context().Value(targetKey{}).(target)
	body := &watchedBody{ReadCloser: r.Body}
	again := idempotent(r.Method)
	var tried []*pod
	var last error
	for range maxTries {
		e, err := p.enter(to, tried)
		if fault.Is(err, fault.Unavailable) && len(tried) > 0 && breathe(r.Context(), retryPause) {
			tried = nil // every ready pod broke off once, which may have passed; this request may be sent again
			e, err = p.enter(to, tried)
		}
		if err != nil {
			return nil, errors.Join(err, last)
		}
		answer, err := p.try(r, e, body)
		if err == nil {
			return answer, nil
		}
		last = err
		var dial *net.OpError
		unsent := errors.As(err, &dial) && dial.Op == "dial"
		if r.Context().Err() != nil || body.read.Load() || !(again || unsent) {
			return nil, err
		}
		tried = append(tried, e.pod)
	}
	return nil, last
}

// retryPause is what pods that broke off are given before they are asked again.
const retryPause = 20 * time.Millisecond

// breathe waits, and tells whether there is still somebody to wait for.
func breathe(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// try asks one pod; it has entered the pod's gate, which is left when the answer has been read.
func (p *proxy) try(r *http.Request, e endpoint, body *watchedBody) (*http.Response, error) {
	out := *r
	url := *r.URL
	url.Host = filepath.Base(e.socket)
	out.URL = &url
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = body
	}
	transport := p.fresh
	if idempotent(r.Method) && out.Body == r.Body {
		transport = p.kept
	}
	answer, err := transport.RoundTrip(&out)
	switch {
	case err != nil:
		e.pod.gate.leave()
		return nil, err
	case answer.StatusCode == http.StatusSwitchingProtocols: // a long talk: the program ends it when it is asked to end itself
		e.pod.gate.leave()
	default:
		answer.Body = &leavingBody{ReadCloser: answer.Body, leave: e.pod.gate.leave}
	}
	return answer, nil
}

// idempotent tells whether asking twice is the same as asking once (RFC 9110, 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// watchedBody remembers whether a request's body was begun; then it can't be sent again. It is closed by the server.
type watchedBody struct {
	io.ReadCloser
	read atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.ReadCloser.Read(p)
}

func (b *watchedBody) Close() error { return nil }

// leavingBody leaves the pod's gate when the answer is closed.
type leavingBody struct {
	io.ReadCloser
	left  atomic.Bool
	leave func()
}

func (b *leavingBody) Close() error {
	if !b.left.Swap(true) {
		defer b.leave()
	}
	return b.ReadCloser.Close()
}

// failed answers a request that no pod took.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case r.Context().Err() != nil: // the client is gone; nobody reads this
		w.WriteHeader(http.StatusBadGateway)
	case fault.Is(err, fault.NotFound):
		http.Error(w, fault.Message(err), http.StatusBadGateway)
	case fault.Is(err, fault.Unavailable):
		w.Header().Set("Retry-After", "1")
		http.Error(w, fault.Message(err), http.StatusServiceUnavailable)
	default:
		p.node.log.Debug("a request to a pod broke off", "host", r.Host, "path", r.URL.Path, "error", err)
		http.Error(w, "the program broke the connection off before it answered", http.StatusBadGateway)
	}
}
