package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// dropIn keeps Debian's packages from making and starting a cluster "main" of their own.
const dropIn = "/etc/postgresql-common/createcluster.d/zijlicht.conf"

// Install installs a Postgres server with apt, as root, if none is there; progress goes to w. It
// leaves no cluster of Debian's own behind and no setting: the next Postgres an operator installs
// behaves as usual. Elsewhere the error is ErrNoPostgres.
func Install(ctx context.Context, w io.Writer) error {
	if Available() == nil {
		return nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return ErrNoPostgres
	}
	// Several test programs may find out at once; apt waits for its own lock in some places and not in others.
	turn, err := os.Open(apt)
	if err != nil {
		return err
	}
	defer func() { _ = turn.Close() }()
	if err := syscall.Flock(int(turn.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if Available() == nil {
		return nil
	}
	remove, err := withoutMainCluster()
	if err != nil {
		return err
	}
	defer remove()
	fmt.Fprintln(w, "installing a Postgres server: apt-get update")
	if err := runApt(ctx, w, apt, "update", "-q"); err != nil {
		return err
	}
	fmt.Fprintln(w, "installing a Postgres server: apt-get install postgresql")
	if err := runApt(ctx, w, apt, "install", "-y", "-q", "--no-install-recommends", "postgresql"); err != nil {
		return err
	}
	return Available()
}

func withoutMainCluster() (remove func(), err error) {
	if err := os.MkdirAll(filepath.Dir(dropIn), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(dropIn, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		return nil, err
	}
	return func() {
		_ = os.Remove(dropIn)
		_ = os.Remove(filepath.Dir(dropIn)) // only when empty
	}, nil
}

func runApt(ctx context.Context, w io.Writer, apt string, args ...string) error {
	args = append([]string{"-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"}, args...)
	cmd := exec.CommandContext(ctx, apt, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Run(); err != nil {
		return errors.Join(ErrNoPostgres, fmt.Errorf("apt-get: %w", err))
	}
	return nil
}
