//go:build linux && (amd64 || arm64)

package process

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process/sandbox"
)

// client is the server's end of a sandbox's control socket.
type client struct {
	conn  *net.UnixConn
	write sync.Mutex
	mu    sync.Mutex
	next  int
	wait  map[int]chan answer // connections asked for
	gone  bool
}

type answer struct {
	conn net.Conn
	err  error
}

// newClient makes the socket and gives its other end for the sandbox.
func newClient() (*client, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a control socket: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "control")
	ours := os.NewFile(uintptr(fds[0]), "control")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("open the control socket: %w", err)
	}
	return &client{conn: conn.(*net.UnixConn), wait: map[int]chan answer{}}, theirs, nil
}

func (c *client) send(body []byte, fds ...int) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, body...)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	c.write.Lock()
	defer c.write.Unlock()
	n, _, err := c.conn.WriteMsgUnix(b, oob, nil)
	for err == nil && n < len(b) {
		var more int
		more, err = c.conn.Write(b[n:])
		n += more
	}
	return err
}

// read gives the next frame and the descriptors that came with it.
func (c *client) read() (sandbox.Frame, []int, error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(4*64))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(head[:], oob)
	if err != nil {
		return sandbox.Frame{}, nil, err
	}
	if n == 0 {
		return sandbox.Frame{}, nil, errGone
	}
	var fds []int
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return sandbox.Frame{}, nil, err
		}
		fds = append(fds, got...)
	}
	if err == nil {
		err = c.fill(head[n:])
	}
	if err != nil {
		closeFDs(fds)
		return sandbox.Frame{}, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > sandbox.MaxFrame {
		closeFDs(fds)
		return sandbox.Frame{}, nil, errors.New("the sandbox sent a frame that is too large")
	}
	body := make([]byte, size)
	if err := c.fill(body); err != nil {
		closeFDs(fds)
		return sandbox.Frame{}, nil, err
	}
	f, err := sandbox.DecodeFrame(body)
	if err != nil {
		closeFDs(fds)
	}
	return f, fds, err
}

func (c *client) fill(b []byte) error {
	for len(b) > 0 {
		n, err := c.conn.Read(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// serve reads frames until the sandbox is gone, and gives the last that told how the step ended.
func (c *client) serve() (exit *sandbox.Frame, failed string) {
	defer c.hangUp()
	for {
		f, fds, err := c.read()
		if err != nil {
			return exit, failed
		}
		switch f.Kind {
		case sandbox.FrameExit:
			exit = &f
		case sandbox.FrameFailed:
			failed = f.Text
		case sandbox.FrameConnected:
			c.deliver(f, fds)
			continue
		}
		closeFDs(fds)
	}
}

func (c *client) deliver(f sandbox.Frame, fds []int) {
	c.mu.Lock()
	waiting, ok := c.wait[f.ID]
	delete(c.wait, f.ID)
	c.mu.Unlock()
	switch {
	case !ok:
		closeFDs(fds)
	case f.Code != 0 || len(fds) != 1:
		closeFDs(fds)
		waiting <- answer{err: syscall.Errno(f.Code)}
	default:
		conn, err := fileConn(fds[0])
		waiting <- answer{conn, err}
	}
}

// hangUp tells all who wait for a connection that none will come.
func (c *client) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for id, waiting := range c.wait {
		waiting <- answer{err: errGone}
		delete(c.wait, id)
	}
}

// dial gives a function that connects to a port of the sandbox's loopback.
func (c *client) dial(port int) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		waiting := make(chan answer, 1)
		c.mu.Lock()
		if c.gone {
			c.mu.Unlock()
			return nil, errGone
		}
		c.next++
		id := c.next
		c.wait[id] = waiting
		c.mu.Unlock()
		if err := c.send(sandbox.Frame{Kind: sandbox.FrameConnect, ID: id, Code: port}.Encode()); err != nil {
			c.mu.Lock()
			delete(c.wait, id)
			c.mu.Unlock()
			return nil, err
		}
		select {
		case a := <-waiting:
			return a.conn, a.err
		case <-ctx.Done():
			c.abandon(id, waiting)
			return nil, ctx.Err()
		}
	}
}

// abandon takes back a wait; a connection that came meanwhile is closed.
func (c *client) abandon(id int, waiting chan answer) {
	c.mu.Lock()
	_, pending := c.wait[id]
	delete(c.wait, id)
	c.mu.Unlock()
	if !pending {
		if a := <-waiting; a.conn != nil {
			a.conn.Close()
		}
	}
}

func fileConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "connection")
	defer f.Close()
	return net.FileConn(f)
}

func fileListener(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	return net.FileListener(f)
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// peekEmpty tells whether a socket is open and has nothing to read.
func peekEmpty(fd int) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == unix.EAGAIN
}
