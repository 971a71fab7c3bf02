package git

import "syscall"

// endWithParent lets the kernel send SIGTERM when this process is killed. It is sent when the thread that started the
// process ends, which is no harm here: threads end only with the process or after being locked to a goroutine, and git
// cleans up at SIGTERM.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
