package git

import "syscall"

// endWithParent lets the kernel send SIGTERM when the thread that starts the process ends, and with that when this
// process is killed; git then removes its locks and its quarantine. The caller keeps its thread until the process ends.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
