//go:build linux && (amd64 || arm64)

package group

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process/sandbox"
)

// Control is the server's end of a sandbox's control socket.
type Control struct {
	Conn  *net.UnixConn
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

// NewControl makes the socket and gives its other end for the sandbox.
func NewControl() (*Control, *os.File, error) {
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
	return ControlOf(conn.(*net.UnixConn)), theirs, nil
}

// ControlOf is the end of a connection whose other end a sandbox has.
func ControlOf(conn *net.UnixConn) *Control {
	return &Control{Conn: conn, wait: map[int]chan answer{}}
}

// Send writes one frame with its descriptors.
func (c *Control) Send(body []byte, fds ...int) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, body...)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	c.write.Lock()
	defer c.write.Unlock()
	n, _, err := c.Conn.WriteMsgUnix(b, oob, nil)
	for err == nil && n < len(b) {
		var more int
		more, err = c.Conn.Write(b[n:])
		n += more
	}
	return err
}

// Read gives the next frame and the descriptors that came with it.
func (c *Control) Read() (sandbox.Frame, []int, error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(4*64))
	n, oobn, _, _, err := c.Conn.ReadMsgUnix(head[:], oob)
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

func (c *Control) fill(b []byte) error {
	for len(b) > 0 {
		n, err := c.Conn.Read(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Begin tells the sandbox what to run, and gives the listeners that were opened for it inside, one for each port.
func (c *Control) Begin(config sandbox.Config, fds ...int) ([]net.Listener, error) {
	if err := c.Send(config.Encode(), fds...); err != nil {
		return nil, fmt.Errorf("tell it what to do: %w", err)
	}
	if err := c.Conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	f, got, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("wait for it: %w", err)
	}
	if f.Kind != sandbox.FrameReady || len(got) != len(config.Ports) {
		closeFDs(got)
		return nil, errors.New(f.Text)
	}
	var listeners []net.Listener
	for i, fd := range got {
		l, err := fileListener(fd)
		if err != nil {
			closeFDs(got[i+1:])
			CloseAll(listeners)
			return nil, fmt.Errorf("take over a listener: %w", err)
		}
		listeners = append(listeners, l)
	}
	return listeners, c.Conn.SetReadDeadline(time.Time{})
}

// Serve reads frames until the sandbox is gone, and gives the last that told how the step ended.
func (c *Control) Serve() (exit *sandbox.Frame, failed string) {
	defer c.hangUp()
	for {
		f, fds, err := c.Read()
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

func (c *Control) deliver(f sandbox.Frame, fds []int) {
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
func (c *Control) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for id, waiting := range c.wait {
		waiting <- answer{err: errGone}
		delete(c.wait, id)
	}
}

// Dial gives a function that connects to a port of the sandbox's loopback.
func (c *Control) Dial(port int) func(context.Context) (net.Conn, error) {
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
		if err := c.Send(sandbox.Frame{Kind: sandbox.FrameConnect, ID: id, Code: port}.Encode()); err != nil {
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
func (c *Control) abandon(id int, waiting chan answer) {
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
