//go:build linux && (amd64 || arm64)

package process

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process/sandbox"
)

// stepUser is the user and group of steps when the server is root: above what systems give to people and
// services, below what container runtimes give to user namespaces by default.
const stepUser = 70000

//go:embed builtinit
var helpers embed.FS

// Helper gives the small program that is the first process of a sandbox; an error where it was not built.
func Helper() ([]byte, error) { return helpers.ReadFile("builtinit/init_linux_" + runtime.GOARCH) }

// platform is what this machine offers.
type platform struct {
	helper   *os.File // a sealed copy in memory of the embedded program; nil: the server's own program
	cgroups  *cgroups
	boot     string
	root     bool // the server is root
	isolated bool
	userNS   bool // the step gets a user namespace of its own

	mu       sync.Mutex
	spare    *session // ready and waiting for a step
	filling  bool
	closed   bool
	fillings sync.WaitGroup
}

// Child must be the first call of main, and of TestMain where executors are used: it does not return when this process
// is to be the first of a sandbox.
func Child() {
	if len(os.Args) > 0 && filepath.Base(os.Args[0]) == sandbox.Arg0 {
		sandbox.Main()
	}
}

func (e *Executor) openPlatform() error {
	p := &platform{root: os.Geteuid() == 0}
	e.platform = p
	e.caps.Name = "process"
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("read which boot of the machine this is: %w", err)
	}
	p.boot = strings.TrimSpace(string(boot))
	program, err := Helper()
	if err == nil {
		if p.helper, err = seal(program); err != nil {
			e.log.Warn("the server's own program starts the steps, a little slower", "error", err)
		}
	}
	var missing []string
	p.cgroups, missing = findCgroups(e.Prefix())
	e.caps.Cgroup = p.cgroups.version
	e.isolate()
	e.caps.Missing = append(e.caps.Missing, missing...)
	return nil
}

// isolate tries the strongest isolation first.
func (e *Executor) isolate() {
	p := e.platform
	p.isolated, p.userNS = true, true
	first := e.try()
	if first != nil {
		first = e.try() // a busy machine is no reason to run without isolation
	}
	if first != nil && p.root {
		p.userNS = false
		if e.try() == nil {
			e.caps.Missing = append(e.caps.Missing, "steps have no user namespace: "+first.Error())
			e.caps.Isolated = true
			return
		}
	}
	if first == nil {
		e.caps.Isolated = true
		return
	}
	p.isolated, p.userNS = false, false
	e.caps.Missing = append(e.caps.Missing, "steps are not isolated from this machine: "+first.Error())
}

// try runs a command that does nothing.
func (e *Executor) try() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	result, err := execute.Run(ctx, e, execute.Spec{ID: "probe", Argv: []string{"/bin/sh", "-c", ":"}}, nil)
	if err == nil && result.ExitCode != 0 && result.ExitCode != 127 {
		err = fmt.Errorf("a command that does nothing ended with %d", result.ExitCode)
	}
	return err
}

// seal keeps a program in memory where nobody can change it.
func seal(program []byte) (*os.File, error) {
	const executable = 0x10 // MFD_EXEC, of Linux 6.3
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("roadbed-sandbox", flags|executable)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("roadbed-sandbox", flags)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the sandbox's program in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "roadbed-sandbox")
	if _, err = f.Write(program); err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("keep the sandbox's program in memory: %w", err)
	}
	return f, nil
}

// command gives the sandbox's first process, not started yet.
func (p *platform) command(control *os.File, network bool) *exec.Cmd {
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{sandbox.Arg0}, Env: []string{"GOMAXPROCS=1"}, Dir: "/", ExtraFiles: []*os.File{control}}
	if p.helper != nil {
		cmd.Path = fmt.Sprintf("/proc/self/fd/%d", p.helper.Fd())
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if !p.isolated {
		return cmd
	}
	a := cmd.SysProcAttr
	if p.root {
		a.Credential = &syscall.Credential{Gid: stepUser, Groups: []uint32{}}
	}
	a.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	if !network {
		a.Cloneflags |= unix.CLONE_NEWNET
	}
	if !p.root {
		// Rights over the new namespaces, for as long as it takes to set them up.
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}
	}
	return cmd
}

// give makes a folder and what is in it the step's own, where the step is another user than the server. Links
// are changed themselves, not what they lead to.
func (p *platform) give(dir string, deep bool) error {
	if !p.root || !p.isolated {
		return nil
	}
	return group.Give(dir, stepUser, stepUser, deep)
}
