package embedpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// initialise makes the data directory, once. initdb works in a directory beside it that is renamed
// when it is complete, so that a start cut short leaves nothing half made.
func (c *Cluster) initialise(ctx context.Context, bin binaries, account *account, fast bool) error {
	if _, err := os.Stat(filepath.Join(c.data(), "PG_VERSION")); err == nil {
		raw, err := os.ReadFile(c.passwordFile())
		if err != nil {
			return fmt.Errorf("the data is there but its password is not: %w", err)
		}
		c.password = strings.TrimSpace(string(raw))
		return nil
	}
	unfinished, err := filepath.Glob(filepath.Join(c.root, "new-*"))
	if err != nil {
		return err
	}
	for _, dir := range unfinished {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp(c.root, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := account.own(work); err != nil {
		return err
	}

	c.password = rand.Text()
	// initdb reads the password as the server's account, so it gets a copy of its own for a moment.
	handover := filepath.Join(work, "password")
	if err := os.WriteFile(handover, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := account.own(handover); err != nil {
		return err
	}
	data := filepath.Join(work, "data")
	if err := initdb(ctx, bin, account, data, handover, fast); err != nil {
		return err
	}
	if err := writeSynced(c.passwordFile(), c.password+"\n"); err != nil {
		return err
	}
	return os.Rename(data, c.data())
}

func initdb(ctx context.Context, bin binaries, account *account, data, passwordFile string, fast bool) error {
	// C.UTF-8 sorts by code point, the same on every machine and after every upgrade; a query that
	// needs Dutch order names its collation.
	locales := []string{"C.UTF-8"}
	if runtime.GOOS != "linux" {
		locales = append(locales, "en_US.UTF-8")
	}
	var failed error
	for _, locale := range append(locales, "C") {
		args := []string{"-D", data, "-U", superuser, "--pwfile", passwordFile, "-A", "scram-sha-256",
			"--encoding", "UTF8", "--locale", locale, "--no-instructions"}
		if fast {
			args = append(args, "--no-sync")
		}
		cmd := exec.CommandContext(ctx, bin.path("initdb"), args...)
		cmd.Dir = filepath.Dir(data)
		cmd.Env = environment()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account.credential(), Setpgid: true}
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, fmt.Errorf("initdb with locale %s: %w\n%s", locale, err, out))
		if ctx.Err() != nil {
			break
		}
		if err := os.RemoveAll(data); err != nil {
			return err
		}
	}
	return failed
}

// environment is the same on every machine; messages are in English, as this package reads some.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}
