//go:build linux && (amd64 || arm64)

package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	docker "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process/sandbox"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where our own things are inside. No image has them, and no Spec may.
const (
	ours        = "/.roadbed"
	insideFirst = ours + "/first"
	insideCall  = ours + "/call"
	socket      = "server"
)

// session is the server's side of one container.
type session struct {
	executor *Executor
	id       string // of the container
	pid      int
	control  *group.Control
	killed   atomic.Bool
}

// Launch starts a container and the command in it; see group.Body.
func (e *Executor) Launch(life context.Context, q *group.Request) (_ *group.Launched, err error) {
	for _, m := range q.Mounts {
		if m.Target == ours || strings.HasPrefix(m.Target, ours+"/") {
			return nil, fault.Errorf(fault.Invalid, "%s is the platform's own inside a container", m.Target)
		}
	}
	image, err := e.images.take(q.Image)
	if err != nil {
		return nil, err
	}
	variables, err := e.ready(life, image, q)
	if err != nil {
		return nil, err
	}
	if err := e.give(q); err != nil {
		return nil, err
	}
	calls, err := e.listen(q)
	if err != nil {
		return nil, err
	}
	defer calls.Close()
	inbound, err := group.ListenUnix(q.Listen)
	if err != nil {
		return nil, err
	}
	s := &session{executor: e}
	outbound, err := s.begin(life, q, calls, image, variables)
	if err != nil {
		group.CloseAll(inbound)
		return nil, err
	}
	for i, l := range inbound {
		q.Forwards.Serve(l, s.control.Dial(q.Listen[i].Port))
	}
	for i, l := range outbound {
		q.Forwards.Serve(l, group.DialUnix(q.Dial[i].Socket))
	}
	return &group.Launched{PID: s.pid, Term: s.term, Kill: s.kill, Wait: s.wait}, nil
}

// give makes the folders of a command its own, and the places in them at which others are mounted.
func (e *Executor) give(q *group.Request) error {
	for _, m := range q.Mounts {
		for target, dir := range map[string]string{execute.WorkDir: q.Workspace, "/tmp": q.Tmp} {
			if rest, ok := strings.CutPrefix(m.Target, target+"/"); ok {
				if err := makeTarget(dir, rest, m.Source); err != nil {
					return fault.Errorf(fault.Invalid, "mount %s: %w", m.Target, err)
				}
			}
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	err := errors.Join(group.Give(q.Tmp, e.uid, e.gid, true), group.Give(q.Workspace, e.uid, e.gid, true))
	if err != nil {
		return fmt.Errorf("give the workspace to the step: %w", err)
	}
	for _, m := range q.Mounts {
		if !m.ReadOnly {
			if err := group.Give(m.Source, e.uid, e.gid, false); err != nil {
				return fault.Errorf(fault.Invalid, "give %s to the step: %w", m.Source, err)
			}
		}
	}
	return nil
}

// makeTarget makes the place in a folder of the host at which source is to be seen. No part of it may be a link: the
// engine would follow it.
func makeTarget(dir, target, source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	parts := strings.Split(target, "/")
	for i := range parts {
		at := filepath.Join(parts[:i+1]...)
		folder := i < len(parts)-1 || info.IsDir()
		is, err := root.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && folder:
			err = root.Mkdir(at, 0o755)
		case errors.Is(err, fs.ErrNotExist):
			var f *os.File
			if f, err = root.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err == nil {
				err = f.Close()
			}
		case err == nil && is.Mode()&fs.ModeSymlink != 0:
			err = fmt.Errorf("%s is a symbolic link", at)
		case err == nil && is.IsDir() != folder:
			err = fmt.Errorf("%s is in the way", at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listen opens the socket at which the first process of the container calls.
func (e *Executor) listen(q *group.Request) (net.Listener, error) {
	dir := filepath.Join(q.Home, "call")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", q.ID, err)
	}
	l, err := group.ListenAt(filepath.Join(dir, socket))
	if err != nil {
		return nil, fmt.Errorf("listen for the container of %s: %w", q.ID, err)
	}
	if os.Geteuid() == 0 {
		err = errors.Join(group.Give(dir, e.uid, e.gid, true), os.Chmod(filepath.Join(dir, socket), 0o600))
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("give the socket to the container of %s: %w", q.ID, err)
	}
	return l, nil
}

// begin makes and starts the container, and the command in it.
func (s *session) begin(life context.Context, q *group.Request, calls net.Listener, image string, variables []string) (_ []net.Listener, err error) {
	e := s.executor
	ctx, cancel := context.WithTimeout(life, startTime)
	defer cancel()
	if s.id, err = e.create(ctx, q, image); err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		if s.control != nil {
			_ = s.control.Conn.Close() // it is no step
		}
		if gone := e.remove(life, s.id); gone != nil {
			e.Log().Warn("a container is left until the next start", "step", q.ID, "error", gone)
		}
	}()
	if _, err := e.api.ContainerStart(ctx, s.id, client.ContainerStartOptions{}); err != nil {
		return nil, e.unavailable(err, "start a container of %s", image)
	}
	if s.control, err = s.answer(ctx, calls); err != nil {
		return nil, err
	}
	s.pid = s.state(ctx).Pid
	base := sandbox.Base{Isolated: true, Held: true, Network: q.Network, UID: e.uid, GID: e.gid}
	if err := s.control.Send(base.Encode()); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "set up the container: %w", err)
	}
	unwatch := context.AfterFunc(life, func() { _ = s.control.Conn.Close() })
	defer unwatch()
	listeners, err := s.control.Begin(e.config(q, variables), int(q.In.Fd()), int(q.Out.Fd()))
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "set up the container: %w", err)
	}
	return listeners, nil
}

// answer takes the call of the container's first process. Nobody else is inside yet.
func (s *session) answer(ctx context.Context, calls net.Listener) (*group.Control, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { calls.Close() })
	defer stop()
	// A container whose first process can't even begin ends at once.
	ended := make(chan struct{})
	defer func() { cancel(); <-ended }()
	go func() {
		defer close(ended)
		wait := s.executor.api.ContainerWait(ctx, s.id, client.ContainerWaitOptions{Condition: docker.WaitConditionNotRunning})
		select {
		case <-wait.Result:
			calls.Close()
		case <-wait.Error: //nolint:errcheck // the end is what is waited for
		case <-ctx.Done():
		}
	}()
	conn, err := calls.Accept()
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "the first process of the container did not begin%s", told(s.state(context.WithoutCancel(ctx))))
	}
	return group.ControlOf(conn.(*net.UnixConn)), nil
}

// config is the command as the first process needs it.
func (e *Executor) config(q *group.Request, image []string) sandbox.Config {
	c := sandbox.Config{Argv: q.Argv, Dir: q.Dir, Env: environment(q.Env, image)}
	if c.Dir == "" {
		c.Dir = execute.WorkDir
	}
	for _, f := range q.Dial {
		c.Ports = append(c.Ports, f.Port)
	}
	c.Rlimits = []sandbox.Rlimit{{Resource: unix.RLIMIT_CORE}, {Resource: unix.RLIMIT_NOFILE, Value: 65536}} // or what the engine gives, if that is less
	if q.Limits.Disk > 0 {
		c.Rlimits = append(c.Rlimits, sandbox.Rlimit{Resource: unix.RLIMIT_FSIZE, Value: uint64(q.Limits.Disk)})
	}
	return c
}

// create makes the container of a command. The name may still be that of one whose folder is gone.
func (e *Executor) create(ctx context.Context, q *group.Request, image string) (string, error) {
	name := e.Prefix() + q.ID
	config, host := e.describe(q, image)
	options := client.ContainerCreateOptions{Name: name, Config: config, HostConfig: host}
	made, err := e.api.ContainerCreate(ctx, options)
	if errdefs.IsConflict(err) {
		if err := e.remove(ctx, name); err != nil {
			return "", err
		}
		made, err = e.api.ContainerCreate(ctx, options)
	}
	if err != nil {
		return "", e.unavailable(err, "make a container of %s", image)
	}
	return made.ID, nil
}

// describe gives the container of a command: what it sees, and what it is held to.
func (e *Executor) describe(q *group.Request, image string) (*docker.Config, *docker.HostConfig) {
	config := &docker.Config{
		Image: image, User: e.inside, WorkingDir: "/", Hostname: "step",
		Entrypoint: []string{insideFirst + "/" + sandbox.Arg0, insideCall + "/" + socket}, Cmd: []string{},
		Env:         []string{"GOMAXPROCS=1"}, // of the first process; the command's comes by the socket
		Healthcheck: &docker.HealthConfig{Test: []string{"NONE"}},
		Labels:      map[string]string{labelExecutor: e.Prefix(), labelStep: q.ID},
	}
	host := &docker.HostConfig{
		NetworkMode: "none", IpcMode: "private", CgroupnsMode: "private",
		ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		LogConfig: docker.LogConfig{Type: "none"},
		Tmpfs:     map[string]string{"/run": "rw,nosuid,nodev,size=16m,mode=1777", "/var/tmp": "rw,nosuid,nodev,size=256m,mode=1777"},
		Mounts: []mount.Mount{
			{Type: mount.TypeBind, Source: e.helper, Target: insideFirst, ReadOnly: true},
			{Type: mount.TypeBind, Source: filepath.Join(q.Home, "call"), Target: insideCall, ReadOnly: true},
			{Type: mount.TypeBind, Source: q.Workspace, Target: execute.WorkDir},
			{Type: mount.TypeBind, Source: q.Tmp, Target: "/tmp"},
		},
	}
	if q.Network {
		host.NetworkMode, config.Hostname = "host", ""
	}
	if e.selinux {
		host.SecurityOpt = append(host.SecurityOpt, "label=disable")
	}
	mounts := slices.Clone(q.Mounts)
	slices.SortStableFunc(mounts, func(a, b execute.Mount) int { return len(a.Target) - len(b.Target) })
	for _, m := range mounts {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	host.Resources = resources(q.Limits)
	return config, host
}

// ownThreads is how many processes the first one is counted as.
const ownThreads = 16

func resources(l execute.Limits) docker.Resources {
	processes := int64(l.Processes)
	if processes == 0 {
		processes = execute.DefaultProcesses
	}
	processes += ownThreads
	return docker.Resources{Memory: l.Memory, MemorySwap: l.Memory, NanoCPUs: int64(l.CPU) * 1e6, PidsLimit: &processes}
}

func (s *session) term() { _ = s.control.Send(sandbox.Frame{Kind: sandbox.FrameTerm}.Encode()) }

// kill ends the first process, and with it, by the kernel, all others: it does not outlive the socket. What does not end so is
// ended by the engine, in wait.
func (s *session) kill() {
	s.killed.Store(true)
	_ = s.control.Conn.Close()
}

// wait reads what the first process tells until it is gone, and removes the container.
func (s *session) wait() (execute.Result, bool, error) {
	e := s.executor
	exit, failed := s.control.Serve()
	_ = s.control.Conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	memory, why := false, ""
	if exit == nil { // engines notice an end a moment later, which is not waited for where the first process has told it
		memory, why = s.end(ctx)
	}
	if err := e.remove(ctx, s.id); err != nil {
		e.Log().Warn("a container is left until the next start", "container", s.id, "error", err)
	}
	if exit == nil {
		result := execute.Result{ExitCode: 128 + int(syscall.SIGKILL), Signal: "SIGKILL"}
		if !s.killed.Load() && !memory {
			return result, false, fault.Errorf(fault.Unavailable, "the container broke: %s%s", failed, why)
		}
		return result, memory, nil
	}
	result := execute.Result{ExitCode: exit.Code, MaxMemory: exit.MaxRSS, CPUTime: time.Duration(exit.CPU)}
	if exit.Signal != 0 {
		result.Signal = signalName(exit.Signal)
	}
	return result, exit.Short > 0, nil
}

// ending is how long a first process may take to end when all is told.
const ending = 5 * time.Second

// end waits for the container's end and tells whether memory was short, and how it ended.
func (s *session) end(ctx context.Context) (memory bool, why string) {
	waiting, cancel := context.WithTimeout(ctx, ending)
	defer cancel()
	wait := s.executor.api.ContainerWait(waiting, s.id, client.ContainerWaitOptions{Condition: docker.WaitConditionNotRunning})
	select {
	case <-wait.Result:
	case <-wait.Error: //nolint:errcheck // the end is what is waited for
	case <-waiting.Done():
	}
	state := s.state(ctx)
	return state.OOMKilled, told(state)
}

// state is what the engine knows of the container.
func (s *session) state(ctx context.Context) docker.State {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	found, err := s.executor.api.ContainerInspect(ctx, s.id, client.ContainerInspectOptions{})
	if err != nil || found.Container.State == nil {
		return docker.State{}
	}
	return *found.Container.State
}

// told gives the end of a container in words to be added to others.
func told(state docker.State) string {
	return strings.TrimSuffix(fmt.Sprintf(": it ended with %d: %s", state.ExitCode, state.Error), ": ")
}

func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}
