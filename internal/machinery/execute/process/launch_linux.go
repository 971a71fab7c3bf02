//go:build linux && (amd64 || arm64)

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process/sandbox"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Launch starts the sandbox of a command; see group.Body.
func (e *Executor) Launch(life context.Context, q *group.Request) (_ *group.Launched, err error) {
	p := e.platform
	if err := errors.Join(p.give(q.Tmp, false), p.give(q.Workspace, true)); err != nil {
		return nil, fmt.Errorf("give the workspace to the step: %w", err)
	}
	for _, m := range q.Mounts {
		if !m.ReadOnly {
			if err := p.give(m.Source, false); err != nil {
				return nil, fault.Errorf(fault.Invalid, "give %s to the step: %w", m.Source, err)
			}
		}
	}
	bounds, err := p.cgroups.create(q.ID, q.Limits)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "bound the step: %w", err)
	}
	defer func() {
		if err != nil {
			bounds.remove()
		}
	}()
	inbound, err := group.ListenUnix(q.Listen)
	if err != nil {
		return nil, err
	}
	s, err := e.take(q.Network)
	if err != nil {
		group.CloseAll(inbound)
		return nil, err
	}
	s.group = bounds
	outbound, err := s.begin(life, q)
	if err != nil {
		group.CloseAll(inbound)
		return nil, err
	}
	e.refill()
	for i, l := range inbound {
		q.Forwards.Serve(l, s.dial(q.Listen[i].Port, q.Network))
	}
	for i, l := range outbound {
		q.Forwards.Serve(l, group.DialUnix(q.Dial[i].Socket))
	}
	return &group.Launched{PID: s.cmd.Process.Pid, Term: s.term, Kill: s.kill, Wait: s.wait}, nil
}

// session is the server's side of one sandbox.
type session struct {
	executor *Executor
	group    *cgroup
	client   *group.Control
	cmd      *exec.Cmd
	stderr   *tail
	killed   atomic.Bool
}

// open starts the first process of a sandbox and tells it what all steps have in common.
func (e *Executor) open(network bool) (*session, error) {
	s := &session{executor: e, stderr: &tail{}, group: &cgroup{}}
	var theirs *os.File
	var err error
	if s.client, theirs, err = group.NewControl(); err != nil {
		return nil, err
	}
	s.cmd = e.platform.command(theirs, network)
	s.cmd.Stderr = s.stderr
	s.cmd.WaitDelay = 5 * time.Second
	err = s.cmd.Start()
	theirs.Close()
	if err != nil {
		_ = s.client.Conn.Close()
		return nil, fault.Errorf(fault.Unavailable, "start the sandbox: %w", err)
	}
	if err := s.client.Send(e.base(network).Encode()); err != nil {
		s.discard()
		return nil, fault.Errorf(fault.Unavailable, "start the sandbox: %w: %s", err, s.stderr)
	}
	return s, nil
}

// discard ends a sandbox that has no step.
func (s *session) discard() {
	_ = s.client.Conn.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// begin starts the step of a request and gives the listeners that were opened for it inside.
func (s *session) begin(life context.Context, q *group.Request) ([]net.Listener, error) {
	unwatch := context.AfterFunc(life, s.kill)
	defer unwatch()
	listeners, err := s.configure(q)
	s.group.release()
	if err == nil {
		return listeners, nil
	}
	s.discard()
	if words := s.stderr.String(); words != "" {
		err = fmt.Errorf("%w: %s", err, words)
	}
	return nil, fault.Errorf(fault.Unavailable, "set up the sandbox: %w", err)
}

func (s *session) configure(q *group.Request) ([]net.Listener, error) {
	if err := s.executor.remember(q.ID, s.cmd.Process.Pid, s.group); err != nil {
		return nil, err
	}
	fds := []int{int(q.In.Fd()), int(q.Out.Fd())}
	for _, f := range s.group.files {
		fds = append(fds, int(f.Fd()))
	}
	return s.client.Begin(s.executor.config(q, len(s.group.files)), fds...)
}

// base is what all steps have in common.
func (e *Executor) base(network bool) sandbox.Base {
	p := e.platform
	b := sandbox.Base{
		Isolated: p.isolated, Become: p.isolated && p.root, UserNS: p.isolated && p.root && p.userNS, Network: network,
		UID: os.Getuid(), GID: os.Getgid(), Root: filepath.Join(e.dir, "root"),
	}
	if b.Become {
		b.UID, b.GID = stepUser, stepUser
	}
	return b
}

// config is the Spec as the sandbox needs it.
func (e *Executor) config(q *group.Request, cgroups int) sandbox.Config {
	p := e.platform
	c := sandbox.Config{
		Workspace: q.Workspace, Tmp: q.Tmp, Argv: q.Argv, Dir: q.Dir, Cgroups: cgroups, Rlimits: e.rlimits(q.Limits),
	}
	if c.Dir == "" {
		c.Dir = execute.WorkDir
	}
	for _, m := range q.Mounts {
		c.Mounts = append(c.Mounts, sandbox.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	slices.SortStableFunc(c.Mounts, func(a, b sandbox.Mount) int { return len(a.Target) - len(b.Target) })
	for _, f := range q.Dial {
		c.Ports = append(c.Ports, f.Port)
	}
	env := environment(q.Spec)
	if !p.isolated {
		c.Argv, c.Dir, env = onHost(q, c.Dir, env)
		env[marker] = e.Prefix() + q.ID
	}
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	slices.Sort(c.Env)
	return c
}

// rlimits stand in for cgroups where there are none, and bound what cgroups do not.
func (e *Executor) rlimits(l execute.Limits) []sandbox.Rlimit {
	limits := []sandbox.Rlimit{{Resource: unix.RLIMIT_CORE}, {Resource: unix.RLIMIT_NOFILE, Value: 65536}, {Resource: unix.RLIMIT_MEMLOCK, Value: 8 << 20}}
	if l.Disk > 0 {
		limits = append(limits, sandbox.Rlimit{Resource: unix.RLIMIT_FSIZE, Value: uint64(l.Disk)})
	}
	if e.platform.cgroups.parents["pids"] == "" && e.platform.isolated {
		processes := l.Processes
		if processes == 0 {
			processes = execute.DefaultProcesses
		}
		limits = append(limits, sandbox.Rlimit{Resource: unix.RLIMIT_NPROC, Value: uint64(processes)})
	}
	if l.Memory > 0 && e.platform.cgroups.parents["memory"] == "" {
		limits = append(limits, sandbox.Rlimit{Resource: unix.RLIMIT_DATA, Value: uint64(l.Memory)})
	}
	for i := range limits {
		var own unix.Rlimit
		if unix.Getrlimit(limits[i].Resource, &own) == nil && own.Max < limits[i].Value {
			limits[i].Value = own.Max
		}
	}
	return limits
}

// dial gives a function that connects to a port of the step.
func (s *session) dial(port int, network bool) func(context.Context) (net.Conn, error) {
	if network || !s.executor.platform.isolated {
		return group.DialHost(port)
	}
	return s.client.Dial(port)
}

func (s *session) term() { _ = s.cmd.Process.Signal(syscall.SIGTERM) }

// kill ends the sandbox: its first process, and with it, by the kernel, all others. Without a process namespace it
// is that first process that ends the others, when its control socket is closed.
func (s *session) kill() {
	s.killed.Store(true)
	if s.executor.platform.isolated {
		_ = s.cmd.Process.Kill()
		return
	}
	_ = s.client.Conn.CloseWrite()
	s.group.kill()
}

// wait reads what the sandbox tells until it is gone.
func (s *session) wait() (execute.Result, bool, error) {
	exit, failed := s.client.Serve()
	_ = s.client.Conn.Close()
	err := s.cmd.Wait()
	memory := s.group.outOfMemory()
	result := execute.Result{MaxMemory: s.group.maxMemory(), CPUTime: s.group.cpuTime()}
	s.group.remove()
	if exit == nil {
		// It was killed, or killed itself; then the kernel ended the step.
		result.ExitCode, result.Signal = 128+int(syscall.SIGKILL), "SIGKILL"
		if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !s.killed.Load() && ok && status.Exited() {
			return result, memory, fault.Errorf(fault.Unavailable, "the sandbox broke: %s%s (%v)", failed, s.stderr, err)
		}
		return result, memory, nil
	}
	result.ExitCode = exit.Code
	if exit.Signal != 0 {
		result.Signal = signalName(exit.Signal)
	}
	if result.MaxMemory == 0 {
		result.MaxMemory = exit.MaxRSS
	}
	if result.CPUTime == 0 {
		result.CPUTime = time.Duration(exit.CPU)
	}
	return result, memory, nil
}

func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}

// tail keeps the first words of the sandbox's own complaints.
type tail struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 2048 - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
