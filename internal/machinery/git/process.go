package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// call is one command in one repository.
type call struct {
	dir    string
	args   []string
	env    []string
	config [][2]string
	stdin  io.Reader
	limit  int64 // bytes of output; more is fault.TooLarge
}

// exitError is a command that ended with another code than 0.
type exitError struct {
	command string
	code    int
	stderr  string
}

func (e *exitError) Error() string {
	return fmt.Sprintf("git %s: exit %d: %s", e.command, e.code, e.stderr)
}

// exitCode gives the code with which a command ended, or -1 when err is something else.
func exitCode(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return -1
}

var errOutputLimit = errors.New("output limit")

// grace is how long git may remove its lock files after SIGTERM.
const grace = 3 * time.Second

// command prepares a process in a group of its own; the end of ctx ends the group.
func (g *Git) command(ctx context.Context, c call) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.binary, c.args...)
	cmd.Dir = c.dir
	cmd.Env = g.with(c.env, c.config)
	cmd.Stdin = c.stdin
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd
}

// reap kills what may be left of the group of a process that was waited for.
func reap(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ESRCH when all of it has ended, as it should
	}
}

// output runs a command and gives its standard output.
func (g *Git) output(ctx context.Context, c call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := g.command(ctx, c)
	out := &bounded{limit: c.limit, full: cancel}
	complaint := &bounded{limit: errorBytes}
	cmd.Stdout, cmd.Stderr = out, complaint
	err := cmd.Run()
	reap(cmd)
	if out.over {
		return nil, fault.Errorf(fault.TooLarge, "git %s gave more than %d bytes: %w", c.args[0], c.limit, errOutputLimit)
	}
	return out.Bytes(), g.problem(ctx, cmd, err, complaint)
}

// problem tells what went wrong with a command that was waited for.
func (g *Git) problem(ctx context.Context, cmd *exec.Cmd, err error, complaint *bounded) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fault.Errorf(fault.Canceled, "git %s was stopped: %w", cmd.Args[1], ctx.Err())
	}
	if errors.Is(err, fs.ErrNotExist) && !exists(cmd.Dir) {
		return fault.Errorf(fault.NotFound, "there is no repository on disk: %w", err)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("run git %s: %w", cmd.Args[1], err)
	}
	said := strings.TrimSpace(complaint.String())
	if strings.Contains(said, "No space left on device") {
		return fault.Errorf(fault.Unavailable, "git %s: the disk of the server is full", cmd.Args[1])
	}
	return &exitError{cmd.Args[1], exit.ExitCode(), said}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// bounded keeps up to limit bytes. At the first byte over it calls full, when there is one, and takes no more;
// without full the rest is dropped.
type bounded struct {
	bytes.Buffer
	limit int64
	over  bool
	full  func()
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - int64(b.Len())
	if int64(len(p)) <= room {
		return b.Buffer.Write(p)
	}
	b.over = true
	if b.full != nil {
		b.full()
		return 0, errOutputLimit
	}
	b.Buffer.Write(p[:max(room, 0)])
	return len(p), nil
}
