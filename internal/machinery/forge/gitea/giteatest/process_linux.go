package giteatest

import (
	"os/exec"
	"syscall"
)

// endWithParent ends a process when the test's own ends, however that comes.
func endWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
