//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestASignalEndsNoConnection sends a signal to a thread whose connection waits for a full backlog, as the runtime does to
// have it do something else.
func TestASignalEndsNoConnection(t *testing.T) {
	t.Parallel()
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 0); err != nil { // which lets one wait
		t.Fatal(err)
	}
	own, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	port := own.(*unix.SockaddrInet4).Port
	first, err := connect(port)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(first)
	threads, done := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		threads <- unix.Gettid()
		fd, err := connect(port)
		unix.Close(fd)
		done <- err
	}()
	thread := <-threads
	asking := regexp.MustCompile(fmt.Sprintf(` 0100007F:%04X 02 `, port)) // SYN_SENT
	for deadline := time.Now().Add(4 * time.Second); ; runtime.Gosched() {
		table, err := os.ReadFile("/proc/self/net/tcp")
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("nobody asks for a connection to port %d: %v", port, err)
		}
		if asking.Match(table) {
			break
		}
	}
	for range 10 {
		if err := unix.Tgkill(unix.Getpid(), thread, unix.SIGURG); err != nil {
			t.Fatal(err)
		}
	}
	fd, _, err := unix.Accept(listener) // now there is room; it asks again within a second
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if err := <-done; err != nil {
		t.Errorf("the connection ends with %v", err)
	}
	unix.Close(listener)
	if fd, err := connect(port); err != unix.ECONNREFUSED {
		t.Errorf("where nobody listens: %d, %v", fd, err)
	}
}
