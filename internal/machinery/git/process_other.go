//go:build !linux

package git

import "syscall"

// endWithParent does nothing: a command that starts no others, and whose server was killed, ends at its closed pipes.
func endWithParent(*syscall.SysProcAttr) {}
