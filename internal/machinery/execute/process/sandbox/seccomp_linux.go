//go:build linux && (amd64 || arm64)

package sandbox

import "golang.org/x/sys/unix"

// refused are the system calls that no build or deployment needs and that escapes are made of. They answer
// EPERM. Tracing is among them: debuggers do not work in a step.
var refused = [...]uint32{
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_SETNS, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN,
	unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SYSLOG,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_PERSONALITY,
}

// families are the kinds of sockets that a step may make. Others reach past its network, such as those between a
// virtual machine and its host, or load parts of the kernel that nobody else uses.
var families = [...]uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

const newNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// Offsets in struct seccomp_data; both architectures are little-endian.
const (
	dataNumber = 0
	dataArch   = 4
	dataArg0   = 16
	dataArg1   = 24
)

// filter gives the program that the kernel asks at every system call of the step. It is linear: each refused
// call costs one comparison, about 40 in all.
func filter() []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		any   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		least = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	unsupported := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)}
	deny := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	absent := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	allow := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	// Another architecture's numbers, such as 32 bit calls or x32, would slip past the list.
	program := []unix.SockFilter{
		{Code: load, K: dataArch}, {Code: equal, K: auditArch, Jt: 1}, absent,
		{Code: load, K: dataNumber}, {Code: least, K: 0x40000000, Jf: 1}, absent,
	}
	for _, number := range refused {
		program = append(program, unix.SockFilter{Code: equal, K: number, Jf: 1}, deny)
	}
	// clone3 keeps its flags in memory, where a filter can't look; C libraries fall back to clone.
	program = append(program, unix.SockFilter{Code: equal, K: unix.SYS_CLONE3, Jf: 1}, absent)
	for _, number := range [...]uint32{unix.SYS_CLONE, unix.SYS_UNSHARE} {
		program = append(program, unix.SockFilter{Code: equal, K: number, Jf: 4},
			unix.SockFilter{Code: load, K: dataArg0}, unix.SockFilter{Code: any, K: newNamespaces, Jf: 1}, deny, allow)
	}
	for _, number := range [...]uint32{unix.SYS_SOCKET, unix.SYS_SOCKETPAIR} {
		program = append(program, unix.SockFilter{Code: equal, K: number, Jf: uint8(len(families) + 3)}, unix.SockFilter{Code: load, K: dataArg0})
		for i, family := range families {
			program = append(program, unix.SockFilter{Code: equal, K: family, Jt: uint8(len(families) - i)})
		}
		program = append(program, unsupported, allow)
	}
	return append(program, unix.SockFilter{Code: equal, K: unix.SYS_IOCTL, Jf: 3},
		unix.SockFilter{Code: load, K: dataArg1}, unix.SockFilter{Code: equal, K: unix.TIOCSTI, Jf: 1}, deny, allow)
}
