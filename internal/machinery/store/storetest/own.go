package storetest

import (
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// Server is a PostgreSQL of a test's own, which the test may take away and bring back.
type Server struct {
	URL      string // of a database on it, as a server is given it
	Address  string // the same for pgx
	bin, dir string
	uid, gid int
	life     io.Closer // the server ends with it, and so with this process, however that ends
	run      *exec.Cmd
}

// Own makes and starts a server that ends with the test. Unlike the shared one it has a commit on the disk before it says
// so, as the servers of users do: it is there to be ended in the middle. Without PostgreSQL the test is skipped; where CI
// is set it fails.
func Own(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	var err error
	if s.bin, err = programs(); err == nil {
		s.uid, s.gid, err = account()
	}
	if err != nil {
		lacktest.Skip(t, "no PostgreSQL of one's own: %v", err)
	}
	lacktest.Programs()
	// Not in the test's folder: the server's user can't get there, and the name of a socket is short.
	if s.dir, err = os.MkdirTemp("", "roadbed-own-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop(t)
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chown(s.dir, s.uid, s.gid); err != nil {
		t.Fatal(err)
	}
	made, err := s.command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-A", "trust", "-U", "roadbed", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("make a PostgreSQL: %v\n%s", err, made)
	}
	s.Address = "postgres://roadbed@/postgres?" + url.Values{"host": {s.dir}}.Encode()
	if s.URL, err = address(s.Address, "postgres"); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	return s
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command runs a program as the server's user.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(program, args...)
	c.Dir, c.Env = s.dir, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.uid != os.Getuid() {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.gid)}
	}
	return c
}

// Start brings the server back, and returns when it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.run = s.command("/bin/sh", "-c", `"$@" & read -r _; kill -QUIT $!; wait $!`, "own", filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=60")
	s.run.Stdout, s.run.Stderr = log, log
	if s.life, err = s.run.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.run.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(startTime); answers(s.Address) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("PostgreSQL does not answer after %v:\n%s", startTime, text)
		}
	}
}

// Stop takes the server away at once, as its power does: what it had not committed is lost, and its connections break.
func (s *Server) Stop(testing.TB) {
	if s.run == nil || s.run.Process == nil {
		return
	}
	_ = s.life.Close() // the shell ends the server
	_ = s.run.Wait()   // killed
	s.run = nil
}
