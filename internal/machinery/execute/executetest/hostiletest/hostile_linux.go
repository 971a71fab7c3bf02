//go:build linux && (amd64 || arm64)

package hostiletest

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Play does what a role says; false when there is no such role.
func Play(role string) bool {
	switch role {
	case "attacker":
		Attack()
	case "hog":
		Hog()
	case "bomb":
		Bomb()
	default:
		return false
	}
	return true
}

// Attack tries system calls that a step must not have, and tells which worked.
func Attack() {
	var buffer [4096]byte
	at := uintptr(unsafe.Pointer(&buffer[0]))
	path, _ := unix.BytePtrFromString("/tmp")
	p := uintptr(unsafe.Pointer(path))
	for _, c := range []struct {
		name    string
		number  uintptr
		a, b, c uintptr
	}{
		{"unshare user", unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0},
		{"unshare mount", unix.SYS_UNSHARE, unix.CLONE_NEWNS, 0, 0},
		{"clone user", unix.SYS_CLONE, unix.CLONE_NEWUSER | uintptr(unix.SIGCHLD), 0, 0},
		{"clone3", unix.SYS_CLONE3, at, 88, 0},
		{"ptrace", unix.SYS_PTRACE, unix.PTRACE_ATTACH, 1, 0},
		{"keyctl", unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID, ^uintptr(2), 1},
		{"bpf", unix.SYS_BPF, 0, at, 64},
		{"userfaultfd", unix.SYS_USERFAULTFD, 1, 0, 0},
		{"io_uring", unix.SYS_IO_URING_SETUP, 1, at, 0},
		{"perf", unix.SYS_PERF_EVENT_OPEN, at, 0, 0},
		{"mount", unix.SYS_MOUNT, p, p, 0},
		{"umount", unix.SYS_UMOUNT2, p, unix.MNT_DETACH, 0},
		{"pivot", unix.SYS_PIVOT_ROOT, p, p, 0},
		{"chroot", unix.SYS_CHROOT, p, 0, 0},
		{"open tree", unix.SYS_OPEN_TREE, ^uintptr(99), p, unix.OPEN_TREE_CLONE},
		{"setns", unix.SYS_SETNS, 0, 0, 0},
		{"setuid root", unix.SYS_SETUID, 0, 0, 0},
		{"setgid root", unix.SYS_SETGID, 0, 0, 0},
		{"setgroups", unix.SYS_SETGROUPS, 1, at, 0},
		{"hostname", unix.SYS_SETHOSTNAME, at, 4, 0},
		{"device", unix.SYS_MKNODAT, ^uintptr(99), p, unix.S_IFCHR},
		{"raw socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP},
		{"packet socket", unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0},
		{"socket to the host of a virtual machine", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0},
		{"socket of the kernel's ciphers", unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
		{"read first process", unix.SYS_PROCESS_VM_READV, 1, at, 1},
		{"clock", unix.SYS_CLOCK_SETTIME, 0, at, 0},
		{"module", unix.SYS_INIT_MODULE, at, 1, at},
		{"reboot", unix.SYS_REBOOT, 0, 0, 0},
		{"handle", unix.SYS_NAME_TO_HANDLE_AT, ^uintptr(99), p, at},
		{"priority", unix.SYS_SETPRIORITY, 0, 0, ^uintptr(18)},
		{"more open files", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}))},
	} {
		r, _, errno := syscall.RawSyscall(c.number, c.a, c.b, c.c)
		if errno == 0 {
			if c.name == "clone user" && r == 0 {
				syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
			fmt.Printf("%s WORKED\n", c.name)
			continue
		}
		fmt.Printf("%s: %v\n", c.name, errno)
	}
}

// Hog takes memory until it is ended.
func Hog() {
	var all [][]byte
	for {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		if len(all) > 2000 {
			fmt.Println("took 2 GB")
			return
		}
	}
}

// Bomb starts processes until it may not, and tells how many there were.
func Bomb() {
	for n := range 10_000 {
		pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			fmt.Printf("started %d, then %v\n", n, errno)
			return
		}
		if pid == 0 {
			for {
				syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
	}
	fmt.Println("started 10000")
}
