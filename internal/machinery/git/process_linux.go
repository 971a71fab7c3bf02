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

// limit bounds what a process, and each that it starts, takes of the memory beside the files that it maps, and how large
// a file it writes (0: as large as it wants). What writes more is ended by the kernel.
func limit(pid int, memory uint64, file int64) error {
	if file > 0 {
		if err := kernel.Prlimit(pid, kernel.RLIMIT_FSIZE, &kernel.Rlimit{Cur: uint64(file), Max: uint64(file)}, nil); err != nil {
			return err
		}
	}
	return kernel.Prlimit(pid, kernel.RLIMIT_DATA, &kernel.Rlimit{Cur: memory, Max: memory}, nil)
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

// diskSpace gives the size of the file system that a folder is on, and what is free of it, in bytes.
func diskSpace(dir string) (total, free uint64, err error) {
	var s kernel.Statfs_t
	if err := kernel.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Blocks * uint64(s.Bsize), s.Bavail * uint64(s.Bsize), nil
}
