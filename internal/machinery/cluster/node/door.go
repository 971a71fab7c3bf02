package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxTunnels bounds the CONNECT tunnels of one namespace.
const maxTunnels = 256

// doors are the ways by which pods reach services: an HTTP proxy on a unix socket for each namespace.
type doors struct {
	mu   sync.Mutex
	all  map[string]*door
	work sync.WaitGroup
}

type door struct {
	node      *Node
	namespace string
	socket    string
	server    *http.Server
	tunnels   chan struct{}
	ctx       context.Context // ends with the door
	end       context.CancelFunc
}

// open gives the socket of a namespace's door.
func (d *doors) open(n *Node, namespace string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if one := d.all[namespace]; one != nil {
		return one.socket, nil
	}
	sum := sha256.Sum256([]byte(namespace))
	one := &door{node: n, namespace: namespace, socket: filepath.Join(n.sockets, "door-"+hex.EncodeToString(sum[:5])), tunnels: make(chan struct{}, maxTunnels)}
	one.ctx, one.end = context.WithCancel(context.Background())
	l, err := net.Listen("unix", one.socket)
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, "open the door of namespace %s: %w", namespace, err)
	}
	one.server = &http.Server{
		Handler: one, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
	d.work.Go(func() {
		if err := one.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("pods of a namespace can't reach services any more", "namespace", namespace, "error", err)
		}
	})
	if d.all == nil {
		d.all = map[string]*door{}
	}
	d.all[namespace] = one
	return one.socket, nil
}

// close ends all doors.
func (d *doors) close() {
	d.mu.Lock()
	for _, one := range d.all {
		one.end()
		one.server.Close()
	}
	d.all = nil
	d.mu.Unlock()
	d.work.Wait()
}

// ServeHTTP takes a request for http://SERVICE… from a pod, as a proxy or by its Host, and CONNECT SERVICE:PORT.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := r.Host
	if r.URL.Host != "" {
		address = r.URL.Host
	}
	port := 80
	if _, text, err := net.SplitHostPort(address); err == nil {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > 65535 {
			http.Error(w, "not a port: "+text, http.StatusBadRequest)
			return
		}
		port = number
	}
	b := d.node.routes.Load().service(hostName(address), d.namespace)
	if b == nil {
		http.Error(w, hostName(address)+" is not a service that namespace "+d.namespace+" reaches: NAME for its own, NAME.NAMESPACE for one that lets it in by the annotation "+AllowFrom, http.StatusBadGateway)
		return
	}
	to := target{namespace: b.key.Namespace, service: b.key.Name, port: servicePort{number: port}}
	if r.Method == http.MethodConnect {
		d.tunnel(w, to)
		return
	}
	d.node.proxy.serve(w, r, to)
}

// tunnel joins a pod's connection with one to a service, whatever is spoken on it.
func (d *door) tunnel(w http.ResponseWriter, to target) {
	select {
	case d.tunnels <- struct{}{}:
		defer func() { <-d.tunnels }()
	default:
		http.Error(w, "too many tunnels from this namespace", http.StatusServiceUnavailable)
		return
	}
	e, err := d.node.proxy.enter(to, nil)
	if err != nil {
		http.Error(w, fault.Message(err), http.StatusServiceUnavailable)
		return
	}
	e.pod.gate.leave() // a long talk: the program ends it when it is asked to end itself
	var dialer net.Dialer
	far, err := dialer.DialContext(d.ctx, "unix", e.socket)
	if err != nil {
		http.Error(w, "the pod does not take connections", http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection can't become a tunnel", http.StatusInternalServerError)
		return
	}
	defer near.Close()
	defer context.AfterFunc(d.ctx, func() { near.Close(); far.Close() })()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { pass(far, buffered) })
	both.Go(func() { pass(near, far) })
	both.Wait()
}

// pass copies until the end and hands the end on.
func pass(to net.Conn, from io.Reader) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// socketDir gives the folder of the node's unix sockets, which is there while the node runs. Their paths may have 107
// bytes, so that a long folder gets a short one of its own beside other temporary files, which only this user may enter.
func socketDir(dir string) (string, error) {
	if len(dir) <= 60 {
		return filepath.Join(dir, "sockets"), nil
	}
	sum := sha256.Sum256([]byte(dir))
	short := filepath.Join(os.TempDir(), "roadbed-"+hex.EncodeToString(sum[:8]))
	if len(short) > 75 {
		return "", fault.Errorf(fault.Invalid, "the node's folder %s and TMPDIR are too long for unix sockets; choose a shorter folder", dir)
	}
	return short, nil
}
