package git

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
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
	files  []*os.File    // descriptors from 3 on
	limit  int64         // bytes of output; more is fault.TooLarge
	lines  bool          // records end with a newline rather than a NUL
	forks  bool          // it starts processes of its own
	time   time.Duration // commandTime when 0
	file   int64         // bytes of each file that it writes; unbounded when 0
	hears  func(string)  // is told what the remote says; may be nil
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

// process is one command. Whoever starts it waits for it, in the same goroutine.
type process struct {
	*exec.Cmd
	memory uint64
	file   int64
	guard  *exec.Cmd // nil for one that starts no others
}

// guard ends a group of processes when its standard input ends, and with that when this process is killed. What the
// kernel sends then reaches the leader of the group only.
const guard = `trap '' TERM; read -r _; kill -TERM 0; sleep 3; kill -KILL 0`

// command prepares a process in a group of its own; the end of ctx ends the group, and so does that of this process.
func (g *Git) command(ctx context.Context, c call) *process {
	cmd := exec.CommandContext(ctx, g.binary, c.args...)
	cmd.Dir = c.dir
	cmd.Env = g.with(c.env, c.config)
	cmd.Stdin = c.stdin
	cmd.ExtraFiles = append(slices.Clip(c.files), g.hold...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	p := &process{Cmd: cmd, memory: g.memory, file: c.file}
	if c.forks {
		p.guard = exec.Command("/bin/sh", "-c", guard)
		p.guard.Env = g.env
	}
	return p
}

// start starts the process. The goroutine keeps its thread until wait: it is what endWithParent takes for the parent.
func (p *process) start() error {
	runtime.LockOSThread()
	if err := p.Start(); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	// What a client sends, which may unpack to a thousand times its size, comes to git only after this.
	err := limit(p.Process.Pid, p.memory, p.file)
	if err == nil && p.guard != nil {
		p.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: p.Process.Pid}
		if _, err = p.guard.StdinPipe(); err == nil {
			err = p.guard.Start()
		}
		if err != nil {
			p.guard = nil
		}
	}
	if err != nil {
		_ = p.Process.Kill()
		_ = p.wait()
		return fmt.Errorf("bound git: %w", err)
	}
	return nil
}

// wait waits for the end of the process and ends what is left of its group.
func (p *process) wait() error {
	defer runtime.UnlockOSThread()
	err := p.Wait()
	_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL) // ESRCH when all of it has ended, as it should
	if p.guard != nil {
		_ = p.guard.Wait()
	}
	return err
}

// turn waits until not too many short commands run at the same time. None of them waits for another.
func (g *Git) turn(ctx context.Context) (leave func(), err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, fault.Errorf(fault.Canceled, "git was not started: %w", ctx.Err())
	}
	select {
	case g.running <- struct{}{}:
		return func() { <-g.running }, nil
	case <-ctx.Done():
		return nil, fault.Errorf(fault.Unavailable, "%d commands of git run at the same time already; try again in a moment: %w", commandsAtOnce, ctx.Err())
	}
}

// output runs a command and gives its standard output.
func (g *Git) output(ctx context.Context, c call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.time, commandTime))
	defer cancel()
	leave, err := g.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	p := g.command(ctx, c)
	out := &bounded{limit: c.limit, full: cancel}
	complaint := &bounded{limit: errorBytes}
	p.Stdout, p.Stderr = out, complaint
	if err = p.start(); err == nil {
		err = p.wait()
	}
	if out.over {
		return nil, fault.Errorf(fault.TooLarge, "git %s gave more than %d bytes: %w", c.args[0], c.limit, errOutputLimit)
	}
	return out.Bytes(), g.problem(ctx, p, err, complaint)
}

// pipe runs a command and lets read have its standard output as it comes. An error of read ends the command and is given
// back.
func (g *Git) pipe(ctx context.Context, c call, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.time, commandTime))
	defer cancel()
	leave, err := g.turn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	p := g.command(ctx, c)
	complaint := &bounded{limit: errorBytes}
	p.Stderr = complaint
	stdout, err := p.StdoutPipe()
	if err == nil {
		err = p.start()
	}
	if err != nil {
		return g.problem(ctx, p, err, complaint)
	}
	failed := read(stdout)
	if failed != nil {
		cancel() // nobody reads on
	}
	err = p.wait()
	if failed != nil {
		return failed
	}
	return g.problem(ctx, p, err, complaint)
}

// records runs a command whose output is records that each end with a NUL, and gives them to fn as they come. An error
// of fn ends the command and is given back.
func (g *Git) records(ctx context.Context, c call, fn func(record string) error) error {
	return g.pipe(ctx, c, func(stdout io.Reader) error {
		in := bufio.NewScanner(stdout)
		in.Buffer(nil, recordBytes)
		in.Split(atNUL)
		if c.lines {
			in.Split(bufio.ScanLines)
		}
		left := c.limit
		for in.Scan() {
			if left -= int64(len(in.Bytes())) + 1; left < 0 {
				return fault.Errorf(fault.TooLarge, "git %s gave more than %d bytes: %w", c.args[0], c.limit, errOutputLimit)
			}
			if err := fn(in.Text()); err != nil {
				return err
			}
		}
		if errors.Is(in.Err(), bufio.ErrTooLong) {
			return fault.Errorf(fault.TooLarge, "git %s gave a name of more than %d bytes", c.args[0], recordBytes)
		}
		return nil
	})
}

// atNUL splits records; what comes after the last NUL is none.
func atNUL(data []byte, _ bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil
}

// problem tells what went wrong with a command that was waited for.
func (g *Git) problem(ctx context.Context, cmd *process, err error, complaint *bounded) error {
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
	if strings.Contains(said, "No space left on device") || strings.Contains(said, "Out of diskspace") {
		return fault.Errorf(fault.Unavailable, "git %s: the disk of the server is full", cmd.Args[1])
	}
	return &exitError{cmd.Args[1], exit.ExitCode(), said}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// bounded keeps up to limit bytes. At the first byte over it calls full, when there is one, and takes no more;
// without full the rest is dropped. The buffer is not embedded: its ReadFrom would take all that comes.
type bounded struct {
	kept  bytes.Buffer
	limit int64
	over  bool
	full  func()
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - int64(b.kept.Len())
	if int64(len(p)) <= room {
		return b.kept.Write(p)
	}
	b.over = true
	b.kept.Write(p[:max(room, 0)])
	if b.full != nil {
		b.full()
		return 0, errOutputLimit
	}
	return len(p), nil
}

func (b *bounded) Bytes() []byte  { return b.kept.Bytes() }
func (b *bounded) String() string { return b.kept.String() }
