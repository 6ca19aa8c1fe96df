package embedpg

import "syscall"

// endWithParent has the kernel ask the server for a fast shutdown when we die, kill -9 included.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
