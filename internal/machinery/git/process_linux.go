package git

import (
	"io"
	"os"
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

// widen gives a pipe room for a whole piece of what is sent, so that git and the client wait for each other less often.
func widen(pipe io.Reader) io.Reader {
	file, ok := pipe.(*os.File)
	if !ok {
		return pipe
	}
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = kernel.FcntlInt(fd, kernel.F_SETPIPE_SZ, pumpBytes) }) // it stays as it is where there are many
	}
	return pipe
}
