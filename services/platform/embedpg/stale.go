package embedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// orphanNotices is how long a server whose supervisor died may take to begin its shutdown.
	orphanNotices = 3 * time.Second
	// orphanStops is how long that shutdown may take.
	orphanStops = 30 * time.Second
)

// clearStalePID deals with postmaster.pid of an earlier run. We hold the lock, so no supervisor is
// alive. The file then names a process that is gone, or a number that another program has by now,
// or a server that is just shutting down because its supervisor died, or one that somebody
// started by other means. Postgres itself cannot tell the second case and would refuse to start.
func clearStalePID(ctx context.Context, data string) error {
	start := time.Now()
	stopping := 0
	for {
		pid, status, err := readPID(data)
		if errors.Is(err, os.ErrNotExist) && stopping != 0 && alive(stopping) && isServerOf(stopping, data) {
			// It takes its file away shortly before it ends.
			pid, status, err = stopping, statusStopping, nil
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if pid <= 1 || !alive(pid) || !isServerOf(pid, data) {
			return removeIfThere(postmasterFile(data))
		}
		patience := orphanNotices
		if status == statusStopping {
			patience, stopping = orphanStops, pid
		}
		if time.Since(start) > patience {
			return fmt.Errorf("%w: process %d", ErrInUse, pid)
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

// Words on line 8 of postmaster.pid.
const (
	statusReady    = "ready"
	statusStopping = "stopping"
)

// readPID reads the process id (line 1) and the status (line 8) of postmaster.pid.
func readPID(data string) (pid int, status string, err error) {
	raw, err := os.ReadFile(postmasterFile(data))
	if err != nil {
		return 0, "", err
	}
	lines := strings.Split(string(raw), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return 0, "", nil // empty or torn by a crash: nobody's
	}
	if len(lines) > 7 {
		status = strings.TrimSpace(lines[7])
	}
	return pid, status, nil
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// isServerOf reports whether the process is a Postgres server that works in data, as it always does
// with its own directory. Where the kernel does not tell, the name alone decides, on the safe side.
func isServerOf(pid int, data string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if name, err := os.ReadFile(filepath.Join(proc, "comm")); err == nil {
		if !strings.HasPrefix(strings.TrimSpace(string(name)), "postgres") {
			return false
		}
		cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
		if errors.Is(err, os.ErrNotExist) {
			return false // ended, only not yet collected by its parent
		}
		if err != nil {
			return true
		}
		real, err := filepath.EvalSymlinks(data)
		return err != nil || cwd == real
	}
	out, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "postgres")
}
