//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a new process was doing when it could not go on.
const (
	stageStart = iota
	stageCgroup
	stageLimits
	stageUser
	stageFiles
	stageDir
	stageFilter
	stageExec
)

var stages = [...]string{
	"start", "join the cgroup", "set the limits", "give up rights", "set up its files", "enter its folder",
	"filter system calls", "start the program",
}

// launch is all that the new process needs, made ready before the fork: between fork and exec only the forking
// thread exists, so nothing may allocate, lock or be scheduled.
type launch struct {
	flags            uintptr
	path             *byte
	argv, envp       []*byte
	dir, score       *byte
	zero, points     []byte // "0" for the cgroups; the weight by which the kernel chooses whom to end when memory is short
	stdio            [3]int
	cgroups          []int
	limits           []Rlimit
	confine, become  bool
	uid, gid         int
	filter           *unix.SockFprog
	goAhead, failure [2]int // pipes: a byte that says "go on"; stage and errno when it can't
	mask             [8]byte
}

func prepare(b Base, c Config, path string, stdio [3]int, cgroups []int) (*launch, error) {
	l := &launch{
		stdio: stdio, cgroups: cgroups, limits: c.Rlimits, uid: b.UID, gid: b.GID,
		confine: b.Isolated, become: b.Become, zero: []byte("0"), points: []byte("500"),
	}
	if b.Held { // by whom only less can be taken
		for i, limit := range l.limits {
			var now unix.Rlimit
			if unix.Getrlimit(limit.Resource, &now) == nil {
				l.limits[i].Value = min(limit.Value, now.Max)
			}
		}
	}
	l.flags = uintptr(unix.SIGCHLD)
	if b.UserNS {
		l.flags |= unix.CLONE_NEWUSER
	}
	var err error
	if l.path, err = unix.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if l.dir, err = unix.BytePtrFromString(c.Dir); err != nil {
		return nil, err
	}
	if l.score, err = unix.BytePtrFromString("/proc/self/oom_score_adj"); err != nil {
		return nil, err
	}
	if l.argv, err = syscall.SlicePtrFromStrings(c.Argv); err != nil {
		return nil, err
	}
	if l.envp, err = syscall.SlicePtrFromStrings(c.Env); err != nil {
		return nil, err
	}
	program := filter()
	l.filter = &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Pipe2(l.goAhead[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	return l, unix.Pipe2(l.failure[:], unix.O_CLOEXEC)
}

// start forks the step and returns when its program runs. ready is called when the step exists but has not gone
// on yet. A stage other than 0 comes with the error of what the step could not do.
func (l *launch) start(ready func(pid int) error) (pid, stage int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, errno := l.fork()
	runtime.KeepAlive(l)
	if errno != 0 {
		return 0, stageStart, errno
	}
	unix.Close(l.goAhead[0])
	unix.Close(l.failure[1])
	if err := ready(pid); err != nil {
		return pid, stageStart, err
	}
	if _, err := unix.Write(l.goAhead[1], l.zero); err != nil {
		return pid, stageStart, err
	}
	unix.Close(l.goAhead[1])
	var report [8]byte
	c := control{fd: l.failure[0]}
	err = c.fill(report[:])
	unix.Close(l.failure[0])
	if err != nil {
		return pid, 0, nil // the pipe was closed by exec
	}
	stage = int(binary.NativeEndian.Uint32(report[:4]))
	return pid, stage, syscall.Errno(binary.NativeEndian.Uint32(report[4:]))
}

// fork is the step's process up to its program. The child runs nothing but raw system calls in this frame.
//
//go:noinline
//go:norace
//go:nocheckptr
func (l *launch) fork() (int, syscall.Errno) {
	var (
		pid, r, n uintptr
		errno     syscall.Errno
		all, old  uint64
		report    [2]uint32
		header    capHeader
		data      [2]capData
		limit     unix.Rlimit
		stage     uint32
		i         int
	)
	header.version = unix.LINUX_CAPABILITY_VERSION_3
	all = ^uint64(0)
	// A signal between fork and exec would run the runtime's handler in a process that has no runtime.
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, l.flags, 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
		return int(pid), errno
	}

	stage = stageStart
	syscall.RawSyscall(unix.SYS_CLOSE, uintptr(l.goAhead[1]), 0, 0)
	n, _, errno = syscall.RawSyscall(unix.SYS_READ, uintptr(l.goAhead[0]), uintptr(unsafe.Pointer(&l.mask[0])), 1)
	if errno != 0 || n != 1 {
		goto fail
	}
	stage = stageCgroup
	for i = 0; i < len(l.cgroups); i++ {
		_, _, errno = syscall.RawSyscall(unix.SYS_WRITE, uintptr(l.cgroups[i]), uintptr(unsafe.Pointer(&l.zero[0])), 1)
		if errno != 0 {
			goto fail
		}
	}
	_, _, errno = syscall.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
	if errno != 0 {
		goto fail
	}
	r, _, errno = syscall.RawSyscall6(unix.SYS_OPENAT, ^uintptr(99), uintptr(unsafe.Pointer(l.score)), unix.O_WRONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno == 0 {
		syscall.RawSyscall(unix.SYS_WRITE, r, uintptr(unsafe.Pointer(&l.points[0])), 3)
	}
	stage = stageLimits
	for i = 0; i < len(l.limits); i++ {
		limit.Cur, limit.Max = l.limits[i].Value, l.limits[i].Value
		_, _, errno = syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(l.limits[i].Resource), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		if errno != 0 {
			goto fail
		}
	}
	stage = stageUser
	if l.confine {
		// Each capability leaves the bounding set; EINVAL is past the last that this kernel knows.
		for i = 0; i < 64; i++ {
			_, _, errno = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(i), 0, 0, 0, 0)
			if errno != 0 {
				break
			}
		}
		syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
		if l.become {
			_, _, errno = syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
			if errno != 0 {
				goto fail
			}
			_, _, errno = syscall.RawSyscall(unix.SYS_SETRESGID, uintptr(l.gid), uintptr(l.gid), uintptr(l.gid))
			if errno != 0 {
				goto fail
			}
			_, _, errno = syscall.RawSyscall(unix.SYS_SETRESUID, uintptr(l.uid), uintptr(l.uid), uintptr(l.uid))
			if errno != 0 {
				goto fail
			}
		}
		_, _, errno = syscall.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
		if errno != 0 {
			goto fail
		}
	}
	stage = stageFiles
	for i = 0; i < 3; i++ {
		_, _, errno = syscall.RawSyscall(unix.SYS_DUP3, uintptr(l.stdio[i]), uintptr(i), 0)
		if errno != 0 {
			goto fail
		}
	}
	// Whatever else this process was given stays outside; older kernels rely on every file being close-on-exec.
	syscall.RawSyscall(unix.SYS_CLOSE_RANGE, 3, ^uintptr(0)>>32, unix.CLOSE_RANGE_CLOEXEC)
	stage = stageDir
	_, _, errno = syscall.RawSyscall(unix.SYS_CHDIR, uintptr(unsafe.Pointer(l.dir)), 0, 0)
	if errno != 0 {
		goto fail
	}
	stage = stageFilter
	_, _, errno = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 {
		goto fail
	}
	all = 0
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), 0, 8, 0, 0)
	if l.confine {
		_, _, errno = syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(l.filter)))
		if errno != 0 {
			goto fail
		}
	}
	stage = stageExec
	_, _, errno = syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(l.path)),
		uintptr(unsafe.Pointer(&l.argv[0])), uintptr(unsafe.Pointer(&l.envp[0])))
fail:
	report[0], report[1] = stage, uint32(errno)
	syscall.RawSyscall(unix.SYS_WRITE, uintptr(l.failure[1]), uintptr(unsafe.Pointer(&report[0])), 8)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 127, 0, 0)
	}
}

type capHeader struct {
	version uint32
	pid     int32
}

type capData struct{ effective, permitted, inheritable uint32 }

// mapUser lets only the sandbox's user and group exist in the step's user namespace.
func mapUser(pid, uid, gid int) error {
	proc := "/proc/" + strconv.Itoa(pid)
	for _, m := range [...]struct {
		name string
		id   int
	}{{"/uid_map", uid}, {"/gid_map", gid}} {
		id := strconv.Itoa(m.id)
		if err := os.WriteFile(proc+m.name, []byte(id+" "+id+" 1"), 0); err != nil {
			return failure("map the user of the step", err)
		}
	}
	return nil
}

// giveUp leaves this process, all its threads, with no right but to signal the step and to use what is open.
// A process that is to become another user was started without root's groups, and loses its capabilities by that change:
// a single call for all threads, each of which costs a signal.
func giveUp(b Base) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return failure("refuse new rights", err)
	}
	if b.Become {
		if err := syscall.Setresuid(b.UID, b.UID, b.UID); err != nil {
			return failure("change the user", err)
		}
	} else {
		header, data := &capHeader{version: unix.LINUX_CAPABILITY_VERSION_3}, &[2]capData{}
		_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)), 0)
		// A program that is linked with cgo, as tests with the race detector are, can't change all its threads so.
		if errno != 0 && errno != unix.ENOTSUP {
			return failure("drop the capabilities", errno)
		}
	}
	return failure("hide from the step", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}

// findProgram looks a name up in the PATH of env as a shell would. Without an answer it gives the name itself, for
// the kernel to say what is wrong.
func findProgram(name string, env []string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, v := range env {
		list, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(list, ":") {
			if !strings.HasPrefix(dir, "/") {
				continue
			}
			p := dir + "/" + name
			var st unix.Stat_t
			if unix.Stat(p, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 != 0 {
				return p
			}
		}
	}
	return ""
}
