//go:build linux && (amd64 || arm64)

package sandbox

import (
	"time"

	"golang.org/x/sys/unix"
)

// raiseLoopback brings up lo, the only interface of a new network namespace.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return failure("open a socket for loopback", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return failure("name loopback", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return failure("bring up loopback", err)
	}
	freeLowPorts()
	return nil
}

// freeLowPorts lets the step, which has no rights, listen at ports below 1024 of its own network: programs made for
// containers do so. Where the kernel has no such setting they can't, as before.
func freeLowPorts() {
	fd, err := unix.Open("/proc/sys/net/ipv4/ip_unprivileged_port_start", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_, _ = unix.Write(fd, []byte("0"))
}

// listen gives a listener on 127.0.0.1:port. The server accepts on it: a socket stays in the network
// namespace in which it was made.
func listen(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// connect gives a connection to the port on 127.0.0.1, or on ::1 where a program listens only there.
func connect(port int) (int, error) {
	fd, err := connectTo(unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == unix.ECONNREFUSED {
		if fd6, err6 := connectTo(unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}); err6 == nil {
			return fd6, nil
		}
	}
	return fd, err
}

// connectWait bounds a connection that a full backlog holds up: each holds a thread meanwhile.
const connectWait = 5 * time.Second

func connectTo(family int, to unix.Sockaddr) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.Connect(fd, to); err == unix.EINPROGRESS || err == unix.EINTR {
		err = connected(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// connected waits for a connection that was begun. A connect with a time limit of the socket's own would end with EINTR
// at any signal (signal(7)), and the runtime sends some to a thread that it wants to take away from its goroutine.
func connected(fd int) error {
	for end := time.Now().Add(connectWait); ; {
		left := time.Until(end)
		if left <= 0 {
			return unix.ETIMEDOUT
		}
		limit := unix.NsecToTimespec(int64(left))
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, &limit, nil)
		switch {
		case err == unix.EINTR || err == nil && n == 0:
			continue
		case err != nil:
			return err
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		return err
	}
}
