package git

import (
	"syscall"

	kernel "golang.org/x/sys/unix"
)

// endWithParent lets the kernel send SIGTERM when the thread that starts the process ends, and with that when this
// process is killed; git then removes its locks and its quarantine. The caller keeps its thread until the process ends.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }

// limitMemory bounds what a process, and each that it starts, takes of the memory beside the files that it maps.
func limitMemory(pid int, bytes uint64) error {
	return kernel.Prlimit(pid, kernel.RLIMIT_DATA, &kernel.Rlimit{Cur: bytes, Max: bytes}, nil)
}
