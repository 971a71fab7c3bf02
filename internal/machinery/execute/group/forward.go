package group

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxConnections bounds the open connections of one forward; more wait in the listener's backlog.
const maxConnections = 256

// Forwards are the open doors of one command. They end with it.
type Forwards struct {
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	mu     sync.Mutex
	open   map[interface{ Close() error }]struct{}
	closed bool
}

// NewForwards gives none that is open yet.
func NewForwards() *Forwards {
	ctx, cancel := context.WithCancel(context.Background())
	return &Forwards{ctx: ctx, cancel: cancel, open: map[interface{ Close() error }]struct{}{}}
}

// keep remembers what is to be closed at the end; false when the end has come.
func (f *Forwards) keep(c interface{ Close() error }) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		_ = c.Close()
		return false
	}
	f.open[c] = struct{}{}
	return true
}

func (f *Forwards) drop(c interface{ Close() error }) {
	_ = c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

// Serve joins each connection that l accepts with one that dial gives. It takes l over.
func (f *Forwards) Serve(l net.Listener, dial func(context.Context) (net.Conn, error)) {
	if !f.keep(l) {
		return
	}
	slots := make(chan struct{}, maxConnections)
	f.group.Go(func() {
		defer f.drop(l)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case slots <- struct{}{}:
			case <-f.ctx.Done():
				conn.Close()
				return
			}
			f.group.Go(func() {
				defer func() { <-slots }()
				f.join(conn, dial)
			})
		}
	})
}

func (f *Forwards) join(conn net.Conn, dial func(context.Context) (net.Conn, error)) {
	if !f.keep(conn) {
		return
	}
	defer f.drop(conn)
	other, err := dial(f.ctx)
	if err != nil || !f.keep(other) {
		return
	}
	defer f.drop(other)
	a, okA := conn.(halfCloser)
	b, okB := other.(halfCloser)
	if okA && okB {
		relay(a, b)
	}
}

// Close ends all connections and waits for what serves them.
func (f *Forwards) Close() {
	f.cancel()
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.group.Wait()
}

// ListenUnix listens at the sockets of a Spec. A socket that an earlier life left is replaced.
func ListenUnix(list []execute.Forward) (listeners []net.Listener, err error) {
	defer func() {
		if err != nil {
			CloseAll(listeners)
		}
	}()
	for _, f := range list {
		if info, err := os.Lstat(f.Socket); err == nil && info.Mode()&fs.ModeSocket != 0 {
			os.Remove(f.Socket)
		}
		l, err := ListenAt(f.Socket)
		if err != nil {
			return listeners, fault.Errorf(fault.Invalid, "listen at the socket %s: %w", f.Socket, err)
		}
		listeners = append(listeners, l)
		if err := os.Chmod(f.Socket, 0o600); err != nil {
			return listeners, fmt.Errorf("protect the socket %s: %w", f.Socket, err)
		}
	}
	return listeners, nil
}

// ListenAt listens at a socket that is removed with the listener.
func ListenAt(path string) (net.Listener, error) {
	address, release, err := unixAddress(path)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.Listen("unix", address)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return socketFile{l, path}, nil
}

type socketFile struct {
	net.Listener
	path string
}

func (s socketFile) Close() error {
	os.Remove(s.path)
	return s.Listener.Close()
}

// CloseAll closes listeners that nothing serves yet.
func CloseAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// DialUnix gives a function that connects to a host's socket.
func DialUnix(socket string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		address, release, err := unixAddress(socket)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", socket, err)
		}
		defer release()
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", address)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", socket, err)
		}
		return conn, nil
	}
}

// DialHost gives a function that connects to a port of this host, for commands without a network of their own.
func DialHost(port int) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}
}

var errGone = errors.New("the sandbox has ended")
