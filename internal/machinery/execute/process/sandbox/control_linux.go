//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

// control is the sandbox's end of the socket to the server.
type control struct {
	fd int
	mu sync.Mutex // one frame is written at a time
}

// read gives the next frame and the descriptors that came with it; io.EOF when the server is gone.
func (c *control) read() ([]byte, []int, error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(4*64))
	n, oobn, _, _, err := recvmsg(c.fd, head[:], oob)
	if err != nil {
		return nil, nil, err
	}
	fds, err := rights(oob[:oobn])
	if err != nil {
		return nil, nil, err
	}
	if err := c.fill(head[n:]); err != nil {
		return nil, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > MaxFrame {
		return nil, nil, errors.New("the frame is too large")
	}
	body := make([]byte, size)
	return body, fds, c.fill(body)
}

func (c *control) fill(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(c.fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		default:
			b = b[n:]
		}
	}
	return nil
}

// write sends one frame with its descriptors.
func (c *control) write(f Frame, fds ...int) error {
	body := f.Encode()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, body...)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(b) > 0 {
		n, err := unix.SendmsgN(c.fd, b, oob, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b, oob = b[n:], nil
	}
	return nil
}

func recvmsg(fd int, p, oob []byte) (n, oobn, flags int, from unix.Sockaddr, err error) {
	for {
		n, oobn, flags, from, err = unix.Recvmsg(fd, p, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		return n, oobn, flags, from, err
	}
}

func rights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var fds []int
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}
