//go:build !linux

package embedpg

import "syscall"

// endWithParent does nothing where the kernel offers no such signal: there a server outlives a
// supervisor that is killed -9, and the next Start refuses and names its process.
func endWithParent(*syscall.SysProcAttr) {}
