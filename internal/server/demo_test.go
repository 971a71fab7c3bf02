package server

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stagedDemo is `roadbed demo` in a process of its own, with a folder for temporary files of its own.
type stagedDemo struct {
	command *exec.Cmd
	out     io.ReadCloser
	problem bytes.Buffer
	temp    string
}

func newDemo(t *testing.T, args ...string) *stagedDemo {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(stop)
	dir, err := os.MkdirTemp("", "demo-") // a short path, for the sockets below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "roadbed") // by this name, this binary is the whole program
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(self, program); err != nil { // on another disk
		copyFile(t, self, program)
	}
	d := &stagedDemo{command: exec.CommandContext(ctx, program, append([]string{"demo"}, args...)...), temp: filepath.Join(dir, "tmp")}
	if err := os.Mkdir(d.temp, 0o755); err != nil {
		t.Fatal(err)
	}
	d.command.Env = append(os.Environ(), "TMPDIR="+d.temp)
	d.command.Stderr = &d.problem
	if d.out, err = d.command.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	return d
}

// copyFile copies a program. No child begins meanwhile: it would hold the copy open for writing, and that is not started.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tells reads until the demo has said something, and gives the address of its server.
func (d *stagedDemo) tells(t *testing.T, what string) (server string) {
	t.Helper()
	told := ""
	for lines := bufio.NewScanner(d.out); lines.Scan(); {
		told += lines.Text() + "\n"
		if m := regexp.MustCompile(`ready at http://(\S+),`).FindStringSubmatch(lines.Text()); m != nil {
			server = m[1]
		}
		if strings.Contains(lines.Text(), what) {
			return server
		}
	}
	_ = d.command.Wait()
	t.Fatalf("the demo did not come to %q:\n%s%s", what, told, d.problem.String())
	return ""
}

// ends waits for the end: with an exit code, words on standard error, and nothing left.
func (d *stagedDemo) ends(t *testing.T, code int, says string) {
	t.Helper()
	_, _ = io.Copy(io.Discard, d.out) // it may be closed
	_ = d.command.Wait()
	if got := d.command.ProcessState.ExitCode(); got != code || !strings.Contains(d.problem.String(), says) {
		t.Errorf("the demo ended with %s, want exit code %d and %q:\n%s", d.command.ProcessState, code, says, d.problem.String())
	}
	left, err := os.ReadDir(d.temp)
	if err != nil || len(left) > 0 {
		t.Errorf("the demo left %v: %v", left, err)
	}
}

// TestAStoppedDemoLeavesNothing stops the demo by each way in which it ends early. Settings of the user that are meant
// for other servers and repositories are in its way meanwhile.
func TestAStoppedDemoLeavesNothing(t *testing.T) {
	t.Parallel()
	realEngine(t)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[commit]\n\tgpgSign = true\n[http]\n\tproxy = http://127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	interrupt := func(s syscall.Signal) func(t *testing.T, d *stagedDemo) {
		return func(t *testing.T, d *stagedDemo) {
			if err := d.command.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 20)) // too long for sockets, which then lie elsewhere
	for _, c := range []struct {
		way, stage string
		end        func(t *testing.T, d *stagedDemo)
		args       []string
	}{
		{"Ctrl-C at its start", "1. A server", interrupt(syscall.SIGINT), nil},
		{"Ctrl-C while a pipeline runs", "pipeline of", interrupt(syscall.SIGINT), []string{"--dir", long}},
		{"the terminal is closed", "2. An administrator", interrupt(syscall.SIGHUP), nil},
		{"its reader goes away", "2. An administrator", func(t *testing.T, d *stagedDemo) {
			if err := d.out.Close(); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			d := newDemo(t, c.args...)
			d.command.Env = append(d.command.Env, "ROADBED_DATABASE=postgres://nobody@127.0.0.1:1/none", "ROADBED_BASE_URL=https://elsewhere.example.com",
				"GIT_CONFIG_GLOBAL="+filepath.Join(home, ".gitconfig"), "http_proxy=http://127.0.0.1:1", "GIT_DIR=/nowhere")
			if err := d.command.Start(); err != nil {
				t.Fatal(err)
			}
			server := d.tells(t, c.stage)
			c.end(t, d)
			d.ends(t, 130, "stopped")
			if server == "" {
				return
			}
			if connection, err := net.Dial("tcp", server); err == nil {
				connection.Close()
				t.Errorf("the server at %s still answers", server)
			}
		})
	}
}

// TestADemoThatCannotBeginSaysWhy looks at what a machine may lack, before anything has been done.
func TestADemoThatCannotBeginSaysWhy(t *testing.T) {
	t.Parallel()
	realEngine(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why, says string
		args      []string
		env       string
	}{
		{"no git", "needs git, and there is none on the PATH", nil, "PATH=" + full},
		{"an engine that is none", "the configured engine can't be used", nil, "ROADBED_ENGINE=" + full},
		{"the port is taken", "choose another address with --listen", []string{"--exit", "--listen", taken.Addr().String()}, "A=b"},
		{"a folder with something in it", "is not empty", []string{"--dir", full}, "A=b"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			d := newDemo(t, c.args...)
			d.command.Env = append(d.command.Env, c.env)
			if err := d.command.Start(); err != nil {
				t.Fatal(err)
			}
			d.ends(t, 1, c.says)
		})
	}
}
