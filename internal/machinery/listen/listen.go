package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// Patience is how long a client may take to send its first byte.
	Patience = 10 * time.Second
	// handover is how long Open waits for its address: a child that an earlier life was just starting when it was
	// killed holds it for a moment longer.
	handover = 3 * time.Second
	// handshake is the first byte of a TLS connection.
	handshake = 0x16
)

// Open listens on a TCP address, HOST:PORT. One that is taken is waited for a moment.
func Open(ctx context.Context, address string) (net.Listener, error) {
	for end := time.Now().Add(handover); ; {
		l, err := net.Listen("tcp", address)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return l, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Both takes TLS and clear connections from one listener. What it accepts is a *tls.Conn or a plain connection, so that
// http.Server speaks HTTP/2 with those that ask for it.
func Both(l net.Listener, config *tls.Config) net.Listener {
	config = config.Clone()
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	b := &both{Listener: l, config: config, ready: make(chan net.Conn), ended: make(chan struct{})}
	go b.take()
	return b
}

type both struct {
	net.Listener
	config *tls.Config
	ready  chan net.Conn
	ended  chan struct{}
	end    sync.Once
	err    error // why it ended; set before ended is closed
}

// take accepts until the listener ends; what went wrong for one connection alone is tried again.
func (b *both) take() {
	for {
		conn, err := b.Listener.Accept()
		if err == nil {
			go b.sort(conn)
			continue
		}
		if refused := (net.Error)(nil); errors.As(err, &refused) && refused.Timeout() || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-b.ended:
				return
			}
		}
		b.finish(err)
		return
	}
}

// sort reads the first byte and hands the connection on.
func (b *both) sort(conn net.Conn) {
	first := make([]byte, 1)
	_ = conn.SetReadDeadline(time.Now().Add(Patience))
	if n, err := conn.Read(first); n == 0 || err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	var sorted net.Conn = &begun{Conn: conn, first: first}
	if first[0] == handshake {
		sorted = tls.Server(sorted, b.config)
	}
	select {
	case b.ready <- sorted:
	case <-b.ended:
		_ = conn.Close()
	}
}

func (b *both) finish(err error) {
	b.end.Do(func() {
		b.err = err
		close(b.ended)
	})
}

func (b *both) Accept() (net.Conn, error) {
	select {
	case conn := <-b.ready:
		return conn, nil
	case <-b.ended:
		return nil, b.err
	}
}

func (b *both) Close() error {
	err := b.Listener.Close()
	b.finish(net.ErrClosed)
	return err
}

// begun is a connection whose first byte was read already. One goroutine reads at a time, as http.Server does.
type begun struct {
	net.Conn
	first []byte
}

func (c *begun) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
