package pgtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/embedpg"
)

const giveUp = 30 * time.Second

func newPrivate(t *testing.T) private {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the server's own account passes through
		t.Fatal(err)
	}
	p := private{base: filepath.Join(dir, "shared"), idle: 300 * time.Millisecond}
	t.Cleanup(func() {
		eventually(t, "the server is gone", func() bool {
			_, err := os.Stat(p.file("cluster"))
			return errors.Is(err, os.ErrNotExist)
		})
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	for !is() {
		if wait(ctx, 10*time.Millisecond) != nil {
			t.Fatal("never: ", what)
		}
	}
}

func join(t *testing.T, p private) (string, *os.File) {
	t.Helper()
	dsn, use, err := p.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = use.Close() })
	return dsn, use
}

func ask(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestOneServerForAllUntilNobodyUsesIt(t *testing.T) {
	t.Parallel()
	p := newPrivate(t)
	var group sync.WaitGroup
	dsns := make([]string, 4)
	claims := make([]*os.File, len(dsns))
	for i := range dsns {
		group.Go(func() {
			var err error
			if dsns[i], claims[i], err = p.join(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	if len(slices.Compact(slices.Clone(dsns))) != 1 {
		t.Error("several servers")
	}
	for _, claim := range claims[1:] {
		_ = claim.Close()
	}
	ask(t, dsns[0], "select pg_sleep(1)") // several times the idle time, and one claim is left
	_ = claims[0].Close()
	eventually(t, "nothing is left", func() bool {
		_, err := os.Stat(p.base)
		return errors.Is(err, os.ErrNotExist)
	})
	again, _ := join(t, p)
	if again == dsns[0] {
		t.Error("the same server, which is gone")
	}
	ask(t, again, "select 1")
}

// Who comes while the keeper is leaving gets a new server, or the old one alive: never a dying one.
func TestJoinWhileTheKeeperLeaves(t *testing.T) {
	t.Parallel()
	p := newPrivate(t)
	p.idle = 10 * time.Millisecond
	for range 6 {
		dsn, use := join(t, p)
		ask(t, dsn, "select 1")
		_ = use.Close()
		// From now on the keeper may leave at any moment.
		dsn, use = join(t, p)
		ask(t, dsn, "select pg_sleep(0.1)")
		_ = use.Close()
	}
}

func TestServerThatDied(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(t *testing.T, p private, keeper *os.Process, dsn string){
		"keeper killed": func(t *testing.T, _ private, keeper *os.Process, _ string) {
			if err := keeper.Kill(); err != nil {
				t.Fatal(err)
			}
		},
		"server killed": func(t *testing.T, p private, _ *os.Process, _ string) {
			where, err := embedpg.Location(p.file("cluster"))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join(where, "data", "postmaster.pid"))
			if err != nil {
				t.Fatal(err)
			}
			pid := 0
			for _, digit := range strings.SplitN(string(raw), "\n", 2)[0] {
				pid = pid*10 + int(digit-'0')
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrivate(t)
			if err := p.makeBase(); err != nil {
				t.Fatal(err)
			}
			use, err := lock(p.file("use.lock"), syscall.LOCK_SH)
			if err != nil {
				t.Fatal(err)
			}
			defer use.Close()
			keeper, err := p.startKeeper()
			if err != nil {
				t.Fatal(err)
			}
			dsn, err := p.running(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			kill(t, p, keeper, dsn)
			eventually(t, "the server is away", func() bool {
				conn, err := pgx.Connect(t.Context(), dsn)
				if err == nil {
					_ = conn.Close(t.Context())
				}
				return err != nil
			})
			again, _ := join(t, p)
			ask(t, again, "select 1")
		})
	}
}

// Two test binaries, as in go test ./..., start at once without a server; a third uses a given one.
func TestSeveralTestBinaries(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	given := theServer(t).dsn
	var group sync.WaitGroup
	for _, environment := range []string{"TMPDIR=" + dir, "TMPDIR=" + dir, urlVariable + "=" + given} {
		group.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestEachDatabaseIsItsOwn$", "-test.count=3")
			cmd.Env = append(os.Environ(), environment)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", environment, err, out)
			}
		})
	}
	group.Wait()
	servers, err := filepath.Glob(filepath.Join(dir, "zijlicht-pgtest-*", "dsn"))
	if err != nil || len(servers) != 1 {
		t.Error("servers:", servers, err)
	}
	for _, file := range servers {
		// Its keeper leaves as soon as its address is away, so that this test need not wait half a minute.
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
		eventually(t, "the server is gone", func() bool {
			_, err := os.Stat(filepath.Join(filepath.Dir(file), "cluster"))
			return errors.Is(err, os.ErrNotExist)
		})
	}
}

func TestSweepDropsOnlyWhatTheDeadLeft(t *testing.T) {
	t.Parallel()
	s := theServer(t)
	mine, dead := s.next(databasePrefix), databasePrefix+"00000000_1"
	for _, name := range []string{mine, dead} {
		if _, err := s.admin.Exec(t.Context(), "create database "+quote(name)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.drop(context.Background(), name) })
	}
	if err := s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := s.admin.Query(t.Context(), "select datname from pg_database where datname = any ($1)", []string{mine, dead})
	if err != nil {
		t.Fatal(err)
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(left) != 1 || left[0] != mine {
		t.Error(left, err)
	}
}

func TestLeakedConnectionDoesNotHangTheCleanup(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("leaks", func(t *testing.T) {
		db := New(t)
		name = db.Name()
		if _, err := db.Admin().Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	var there bool
	if err := theServer(t).admin.QueryRow(t.Context(), "select exists (select from pg_database where datname = $1)", name).Scan(&there); err != nil || there {
		t.Error(there, err)
	}
}
