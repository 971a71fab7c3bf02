package demo

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// server is a Roadbed server in a process of its own.
type server struct {
	url, token string
	log        string
	command    *exec.Cmd
	ended      chan struct{} // closed when the process is gone
	err        error         // how it ended
}

// start runs `roadbed server` on a data folder and waits until it is ready.
func start(ctx context.Context, o Options, dir string) (*server, error) {
	address, err := freeAddress(o.Listen)
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + reached(address), token: rand.Text(), log: filepath.Join(dir, "server.log"), ended: make(chan struct{})}
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	args := []string{"server", "--listen", address, "--data", filepath.Join(dir, "data"), "--isolation", "prefer", "--drain", "1s"}
	if o.Database != "" {
		args = append(args, "--database", o.Database)
	}
	s.command = exec.Command(o.Program, args...)
	s.command.Env = append(environment("ROADBED_", "ROADBED_ENGINE"), "ROADBED_ADMIN_TOKEN="+s.token)
	s.command.Stdout, s.command.Stderr = out, out
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the demo to pass on
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	go func() {
		defer close(s.ended)
		s.err = s.command.Wait()
	}()
	if err := s.ready(ctx); err != nil {
		s.stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w; its log, %s, ends with:\n%s", err, s.log, tail(s.log, 15))
	}
	return s, nil
}

func (s *server) ready(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	asking := &http.Client{Timeout: 5 * time.Second}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return err
		}
		if response, err := asking.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended at once: %w", s.err)
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop asks the server to end, and makes it after a while.
func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		_ = s.command.Process.Kill()
		<-s.ended
	}
}

// environment is that of this process without what begins with a prefix, save the names kept: what a user has set for
// a server or a repository of their own is not meant for those of the demo.
func environment(prefix string, kept ...string) []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, prefix) && !slices.Contains(kept, name)
	})
}

// reached is an address of this machine for what listens on all of them.
func reached(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || (ip != nil && ip.IsUnspecified())) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// freeAddress gives an address on which nothing listens, with a port in the place of port 0.
func freeAddress(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w; choose another address with --listen", address, err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return "  " + err.Error()
	}
	defer f.Close()
	var last []string
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		if last = append(last, "  "+scanner.Text()); len(last) > lines {
			last = last[1:]
		}
	}
	if len(last) == 0 {
		return "  nothing: is there space left for it?"
	}
	return strings.Join(last, "\n")
}
