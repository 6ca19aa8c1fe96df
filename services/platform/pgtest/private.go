package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/zijlicht/zijlicht/services/platform/embedpg"
)

// private is the server that all test processes of one user share. It lives in base:
//
//	use.lock    each test process holds it shared for as long as it lives
//	start.lock  held by the process that starts the server
//	dsn         its address, while it runs
//	cluster/    its data
//
// A keeper process owns the server: the test binary itself, started again with the variable below.
// It stops and removes everything when nobody has held use.lock for idle. Locks are the kernel's
// and go with their process, so no crash of a test leaves a claim behind.
type private struct {
	base string
	idle time.Duration
}

const (
	keeperVariable = "ZIJLICHT_PGTEST_KEEPER"
	ready          = "ready\n"
	testConns      = 400
)

func defaultPrivate() private {
	return private{
		base: filepath.Join(os.TempDir(), "zijlicht-pgtest-"+strconv.Itoa(os.Geteuid())),
		idle: 30 * time.Second,
	}
}

// A test binary has no other place where it can become the keeper before its tests run.
func init() {
	value := os.Getenv(keeperVariable)
	if value == "" {
		return
	}
	idle, base, _ := strings.Cut(value, " ")
	d, err := time.ParseDuration(idle)
	if err == nil {
		err = private{base: base, idle: d}.keep()
	}
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (p private) file(name string) string { return filepath.Join(p.base, name) }

// join returns the address of the running server, started if need be, and the claim that keeps it running.
func (p private) join(ctx context.Context) (dsn string, use *os.File, err error) {
	if err := p.makeBase(); err != nil {
		return "", nil, err
	}
	if use, err = lock(p.file("use.lock"), syscall.LOCK_SH); err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			_ = use.Close()
		}
	}()
	start, err := lock(p.file("start.lock"), syscall.LOCK_EX)
	if err != nil {
		return "", nil, err
	}
	defer start.Close()
	if dsn, err := p.running(ctx); err == nil {
		return dsn, use, nil
	}
	if err := embedpg.Install(ctx, os.Stderr); err != nil {
		return "", nil, err
	}
	if _, err := p.startKeeper(); err != nil {
		return "", nil, err
	}
	dsn, err = p.running(ctx)
	return dsn, use, err
}

// makeBase is safe in a shared temporary directory: a name that somebody else made is refused.
func (p private) makeBase() error {
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the server's own account passes through
	}
	if err := os.MkdirAll(p.base, mode); err != nil {
		return err
	}
	info, err := os.Lstat(p.base)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a directory of this user", p.base)
	}
	return os.Chmod(p.base, mode)
}

// running returns the address if a server answers there. One that answers with a refusal, because it
// is full or starting, is there too and is asked again.
func (p private) running(ctx context.Context) (string, error) {
	raw, err := os.ReadFile(p.file("dsn"))
	if err != nil {
		return "", err
	}
	dsn := strings.TrimSpace(string(raw))
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return dsn, conn.Close(ctx)
		}
		var answer *pgconn.PgError
		if !errors.As(err, &answer) || ctx.Err() != nil {
			return "", err
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return "", err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startKeeper starts the keeper in a session of its own, so that neither Ctrl-C nor the end of go
// test reaches it, and waits for its word.
func (p private) startKeeper() (*os.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), keeperVariable+"="+p.idle.String()+" "+p.base)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said, err := io.ReadAll(out)
	if err != nil {
		return nil, err
	}
	if string(said) != ready {
		_ = cmd.Wait()
		return nil, errors.New(strings.TrimSpace(string(said)))
	}
	go func() { _ = cmd.Wait() }() // it usually outlives us; if not, it is reaped
	return cmd.Process, nil
}

// keep is the keeper's life.
func (p private) keep() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := p.removeCluster(ctx); err != nil {
		return err
	}
	pg, err := embedpg.Start(ctx, embedpg.Options{Dir: p.file("cluster"), MaxConnections: testConns, FastUnsafe: true})
	if err != nil {
		return err
	}
	if err := writeAtomically(p.file("dsn"), pg.AdminDSN("postgres")+"\n"); err != nil {
		return errors.Join(err, pg.Stop(ctx))
	}
	fmt.Fprint(os.Stdout, ready)
	_ = os.Stdout.Close()

	claim := p.untilIdle(pg.Done())
	_ = os.Remove(p.file("dsn"))
	stop, cancelStop := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancelStop()
	err = errors.Join(pg.Stop(stop), embedpg.Remove(p.file("cluster")))
	if claim != nil {
		// Who comes now waits for our claim, then finds the lock file gone and makes a new one, so
		// it goes last, and nothing a newcomer makes is touched.
		_ = os.Remove(p.file("start.lock"))
		_ = os.Remove(p.file("use.lock"))
		_ = os.Remove(p.base)
		_ = claim.Close()
	}
	return err
}

// untilIdle returns when nobody has used the server for the idle time, with the exclusive claim
// on it, or without one when the server ended or its files were removed.
func (p private) untilIdle(ended <-chan struct{}) (claim *os.File) {
	tick := time.NewTicker(max(p.idle/30, 10*time.Millisecond))
	defer tick.Stop()
	lastUse := time.Now()
	for {
		select {
		case <-ended:
			return nil
		case <-tick.C:
		}
		if _, err := os.Stat(p.file("dsn")); err != nil {
			return nil
		}
		claim, err := lock(p.file("use.lock"), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			lastUse = time.Now()
			continue
		}
		if time.Since(lastUse) >= p.idle {
			return claim
		}
		_ = claim.Close()
	}
}

// removeCluster clears what a killed keeper left: data written without fsync is not worth recovering.
func (p private) removeCluster(ctx context.Context) error {
	for {
		err := embedpg.Remove(p.file("cluster"))
		if !errors.Is(err, embedpg.ErrInUse) {
			return err
		}
		if wait(ctx, 100*time.Millisecond) != nil { // the keeper before us is still stopping
			return err
		}
	}
}

// lock opens and locks the file, and starts again if the file was removed in between.
func lock(path string, how int) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := flock(f, how); err != nil {
			_ = f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(mine, now) {
			return f, nil
		}
		_ = f.Close()
	}
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func writeAtomically(path, text string) error {
	part := path + ".part"
	if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
