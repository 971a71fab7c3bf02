//go:build !linux

package git

import (
	"io"
	"syscall"
)

// endWithParent does nothing: a command that starts no others, and whose server was killed, ends at its closed pipes.
func endWithParent(*syscall.SysProcAttr) {}

// limit does nothing: only Linux bounds a process that runs.
func limit(int, uint64, int64) error { return nil }

// widen does nothing: only Linux lets the size of a pipe be set.
func widen(pipe io.Reader) io.Reader { return pipe }

// diskSpace knows nothing here: the disk itself says when it is full.
func diskSpace(string) (total, free uint64, err error) { return 0, 1 << 62, nil }
