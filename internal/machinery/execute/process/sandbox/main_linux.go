//go:build linux && (amd64 || arm64)

package sandbox

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Main is the life of a sandbox's first process. It never returns.
func Main() {
	fd := ControlFD
	if len(os.Args) > 1 {
		called, err := call(os.Args[1])
		if err != nil {
			_, _ = os.Stderr.WriteString("roadbed: reach the server at " + os.Args[1] + ": " + err.Error() + "\n")
			os.Exit(2)
		}
		fd = called
	}
	s := &sandbox{control: &control{fd: fd}, terminate: make(chan os.Signal, 1)}
	unix.CloseOnExec(fd)
	signal.Notify(make(chan os.Signal, 1)) // a step can send its first process any signal, which then has no effect
	signal.Notify(s.terminate, syscall.SIGTERM, syscall.SIGINT)
	code, err := s.run()
	if err != nil {
		_ = s.control.write(Frame{Kind: FrameFailed, Text: err.Error()})
		code = 2
	}
	os.Exit(code)
}

// call gives a connection to the server's socket.
func call(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return fd, unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

type sandbox struct {
	control   *control
	base      Base
	config    Config
	terminate chan os.Signal
}

// run gives the exit status of the step.
func (s *sandbox) run() (int, error) {
	body, _, err := s.control.read()
	if err != nil {
		return 2, nil // the server is gone
	}
	if s.base, err = DecodeBase(body); err != nil {
		return 0, err
	}
	if err := s.prepare(); err != nil {
		return 0, err
	}
	body, fds, err := s.control.read()
	if err != nil {
		return 2, nil
	}
	if s.config, err = DecodeConfig(body); err != nil {
		return 0, err
	}
	if len(fds) != 2+s.config.Cgroups {
		return 0, failure("take the step's files", syscall.EBADMSG)
	}
	if s.base.Isolated && !s.base.Held {
		if err := enterRoot(s.base, s.config); err != nil {
			return 0, err
		}
	}
	listeners, err := s.listeners()
	if err != nil {
		return 0, err
	}
	return s.launch(fds, listeners)
}

// prepare makes ready what does not depend on the step.
func (s *sandbox) prepare() error {
	if !s.base.Isolated {
		return failure("become the reaper", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	}
	if s.base.Held {
		unix.Umask(0o022)
		return nil
	}
	if err := unix.Sethostname([]byte("step")); err != nil {
		return failure("set the host name", err)
	}
	if !s.base.Network {
		if err := raiseLoopback(); err != nil {
			return err
		}
	}
	unix.Umask(0o022)
	return buildRoot(s.base)
}

// launch starts the step and stays with it until its end.
func (s *sandbox) launch(fds, listeners []int) (int, error) {
	c := s.config
	stdio := [3]int{fds[0], fds[1], fds[1]}
	path := findProgram(c.Argv[0], c.Env)
	if path == "" {
		return s.refuse(stdio[1], listeners, 127, c.Argv[0]+": there is no such program in PATH")
	}
	l, err := prepare(s.base, c, path, stdio, fds[2:])
	if err != nil {
		return 0, failure("prepare the step", err)
	}
	pid, stage, err := l.start(func(pid int) error {
		if s.base.UserNS {
			if err := mapUser(pid, s.base.UID, s.base.GID); err != nil {
				return err
			}
		}
		if s.base.Isolated {
			return giveUp(s.base)
		}
		return nil
	})
	switch {
	case stage == stageDir:
		return s.refuse(stdio[1], listeners, 127, c.Dir+": can't be entered: "+err.Error())
	case stage == stageExec && err == unix.ENOENT:
		return s.refuse(stdio[1], listeners, 127, c.Argv[0]+": there is no such program, or its interpreter is missing")
	case stage == stageExec:
		return s.refuse(stdio[1], listeners, 126, c.Argv[0]+": can't be started: "+err.Error())
	case err != nil:
		return 0, failure(stages[stage], err)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	return s.attend(pid, listeners)
}

func (s *sandbox) listeners() ([]int, error) {
	var fds []int
	for _, port := range s.config.Ports {
		fd, err := listen(port)
		if err != nil {
			return nil, failure("listen on 127.0.0.1:"+strconv.Itoa(port), err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// refuse ends a step that could not be started for a reason that its author can mend: it is told in its output.
func (s *sandbox) refuse(out int, listeners []int, code int, message string) (int, error) {
	_, _ = unix.Write(out, []byte("roadbed: "+message+"\n"))
	if err := s.control.write(Frame{Kind: FrameReady}, listeners...); err != nil {
		return code, nil
	}
	_ = s.control.write(Frame{Kind: FrameExit, Code: code})
	return code, nil
}

// attend serves the running step until it ends.
func (s *sandbox) attend(pid int, listeners []int) (int, error) {
	if err := s.control.write(Frame{Kind: FrameReady}, listeners...); err != nil {
		s.end(waitForOne)
		return 2, nil
	}
	for _, fd := range listeners {
		unix.Close(fd)
	}
	go s.serve()
	go func() {
		for range s.terminate {
			_ = unix.Kill(-pid, unix.SIGTERM)
		}
	}()
	status := reap(pid)
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_CHILDREN, &usage)
	f := Frame{Kind: FrameExit, Code: status.ExitStatus(), MaxRSS: usage.Maxrss << 10, CPU: usage.Utime.Nano() + usage.Stime.Nano()}
	if status.Signaled() {
		f.Signal, f.Code = int(status.Signal()), 128+int(status.Signal())
	}
	if s.base.Held {
		measure(&f)
	}
	s.end(waitForOne)
	_ = s.control.write(f)
	return f.Code, nil
}

// reap waits for every process that is or becomes a child, until the step itself has ended.
func reap(pid int) unix.WaitStatus {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		if got == pid && err == nil {
			return status
		}
		if err != nil && err != unix.EINTR {
			return 0xff00 // nobody else waits, so this can't be
		}
	}
}

// serve answers the server until it is gone; then nothing of the step may stay.
func (s *sandbox) serve() {
	slots := make(chan struct{}, 64)
	for {
		body, _, err := s.control.read()
		if err != nil {
			s.end(waitAWhile)
			os.Exit(2)
		}
		f, err := DecodeFrame(body)
		if err == nil && f.Kind == FrameTerm {
			select {
			case s.terminate <- syscall.SIGTERM:
			default: // it is asked already
			}
		}
		if err != nil || f.Kind != FrameConnect {
			continue
		}
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			answer := Frame{Kind: FrameConnected, ID: f.ID}
			fd, err := connect(f.Code)
			if err != nil {
				answer.Code = int(syscall.EIO)
				if errno, ok := err.(syscall.Errno); ok {
					answer.Code = int(errno)
				}
				_ = s.control.write(answer)
				return
			}
			_ = s.control.write(answer, fd)
			unix.Close(fd)
		}()
	}
}

// end kills all that the step started. In a process namespace of its own, the kernel does so when this process
// ends; without one, every orphan becomes a child of this process, so killing children until there are none ends all.
// Only the main goroutine waits for children, or another would take the step's status from it.
func (s *sandbox) end(wait func()) {
	if s.base.Isolated {
		return
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); wait() {
		children := children()
		if len(children) == 0 {
			return
		}
		for _, pid := range children {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func waitForOne() {
	var status unix.WaitStatus
	_, _ = unix.Wait4(-1, &status, 0, nil)
}

func waitAWhile() { time.Sleep(time.Millisecond) }

// children gives the direct children of all threads of this process that have not been waited for.
func children() []int {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	var pids []int
	for _, name := range files {
		b, _ := os.ReadFile(name)
		for n, i := 0, 0; i < len(b); i++ {
			if b[i] == ' ' {
				pids = append(pids, n)
				n = 0
			} else {
				n = n*10 + int(b[i]-'0')
			}
		}
	}
	return pids
}
