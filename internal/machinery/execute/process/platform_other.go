//go:build !linux || !(amd64 || arm64)

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

type platform struct{}

// Child is for systems with sandboxes; here it returns.
func Child() {}

func (e *Executor) openPlatform() error {
	e.platform = &platform{}
	e.caps = execute.Capabilities{Name: "process", Missing: []string{
		"steps are not isolated from this machine: " + runtime.GOOS + " on " + runtime.GOARCH + " has no sandbox here",
		"memory, processes and processor time are not bounded",
		"a step that outlives a killed server in a session of its own is not found",
	}}
	return nil
}

// Launch starts a command as a process group of its own.
func (e *Executor) Launch(life context.Context, q *group.Request) (*group.Launched, error) {
	dir := q.Dir
	if dir == "" {
		dir = execute.WorkDir
	}
	argv, dir, env := onHost(q, dir, environment(q.Spec))
	env[marker] = e.Prefix() + q.ID
	program, err := lookPath(argv[0], env["PATH"])
	if err != nil {
		return e.refuse(q, err), nil
	}
	cmd := &exec.Cmd{Path: program, Args: argv, Dir: dir, Stdin: q.In, Stdout: q.Out, Stderr: q.Out,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	cmd.Env = []string{}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	inbound, err := group.ListenUnix(q.Listen)
	if err != nil {
		return nil, err
	}
	for i, l := range inbound {
		q.Forwards.Serve(l, group.DialHost(q.Listen[i].Port))
	}
	for _, f := range q.Dial {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", f.Port))
		if err != nil {
			return nil, fault.Errorf(fault.Unavailable, "listen for the step: %w", err)
		}
		q.Forwards.Serve(l, group.DialUnix(f.Socket))
	}
	if err := cmd.Start(); err != nil {
		return e.refuse(q, err), nil
	}
	pid := cmd.Process.Pid
	if err := e.remember(q.ID, pid); err != nil {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		_ = cmd.Wait()
		return nil, err
	}
	return &group.Launched{
		PID:  pid,
		Term: func() { _ = syscall.Kill(-pid, syscall.SIGTERM) },
		Kill: func() { _ = syscall.Kill(-pid, syscall.SIGKILL) },
		Wait: func() (execute.Result, bool, error) {
			err := cmd.Wait()
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			return outcome(cmd.ProcessState), false, unlessExit(err)
		},
	}, nil
}

func unlessExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

func outcome(s *os.ProcessState) execute.Result {
	r := execute.Result{ExitCode: s.ExitCode(), CPUTime: s.SystemTime() + s.UserTime()}
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.Signal, r.ExitCode = status.Signal().String(), 128+int(status.Signal())
	}
	return r
}

// refuse ends a command that can't be started, with the reason in its output.
func (e *Executor) refuse(q *group.Request, err error) *group.Launched {
	code := 126
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		code = 127
	}
	fmt.Fprintf(q.Out, "roadbed: %s: %v\n", q.Argv[0], err)
	none := func() {}
	return &group.Launched{Term: none, Kill: none, Wait: func() (execute.Result, bool, error) {
		return execute.Result{ExitCode: code}, false, nil
	}}
}

func lookPath(name, list string) (string, error) {
	if filepath.Base(name) != name {
		return name, nil
	}
	for _, dir := range filepath.SplitList(list) {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", exec.ErrNotFound
}

type state struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

func (e *Executor) remember(id string, pid int) error {
	b, err := json.Marshal(state{PID: pid, Started: time.Now()})
	if err == nil {
		err = os.WriteFile(filepath.Join(e.Home(id), "state.json"), b, 0o600)
	}
	return fault.Wrap(err, "remember %s", id)
}

// Leftovers gives the ids of which something may be left.
func (e *Executor) Leftovers(context.Context) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(e.dir, "run"))
	ids := make([]string, 0, len(entries))
	for _, entry := range entries {
		ids = append(ids, entry.Name())
	}
	return ids, err
}

// Clear kills the process group that an earlier life left, if its leader still has that id and started no later.
func (e *Executor) Clear(ctx context.Context, id string) error {
	home := e.Home(id)
	b, err := os.ReadFile(filepath.Join(home, "state.json"))
	var s state
	if err == nil && json.Unmarshal(b, &s) == nil && s.PID > 1 && e.leads(ctx, id, s.PID) {
		_ = syscall.Kill(-s.PID, syscall.SIGKILL)
	}
	return fault.Wrap(os.RemoveAll(home), "remove what is left of %s", id)
}

// leads tells whether a process carries the marker of a step.
func (e *Executor) leads(ctx context.Context, id string, pid int) bool {
	out, err := exec.CommandContext(ctx, "ps", "-E", "-ww", "-o", "command=", "-p", fmt.Sprint(pid)).Output()
	return err == nil && slices.Contains(strings.Fields(string(out)), marker+"="+e.Prefix()+id)
}

// Close is for systems that keep something ready for the next step.
func (e *Executor) Close() {}
