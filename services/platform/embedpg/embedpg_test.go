package embedpg

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const supervisorVariable = "EMBEDPG_TEST_SUPERVISOR"

// TestMain lets the test binary be a supervisor that a test can kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv(supervisorVariable); dir != "" {
		c, err := Start(context.Background(), Options{Dir: dir})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(c.PID())
		<-c.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// newDir is a place where the server's account can come: t.TempDir lies in a directory closed to others.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embedpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "pg")
}

func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func do(t *testing.T, c *Cluster, sql string) {
	t.Helper()
	conn := connect(t, c)
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, c *Cluster) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.AdminDSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func notes(t *testing.T, c *Cluster) int {
	t.Helper()
	var n int
	if err := connect(t, c).QueryRow(t.Context(), "select count(*) from note").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDataSurvives(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	first := start(t, Options{Dir: dir})
	do(t, first, "create table note (id int); insert into note values (1)")

	if _, err := Start(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second start beside the first: %v", err)
	}
	if err := Remove(dir); !errors.Is(err, ErrInUse) {
		t.Fatalf("removed while running: %v", err)
	}

	stop(t, first)
	stop(t, first) // twice is no error
	second := start(t, Options{Dir: dir})
	if second.AdminDSN("postgres") != first.AdminDSN("postgres") {
		t.Error("the address changed")
	}
	if n := notes(t, second); n != 1 {
		t.Errorf("%d notes", n)
	}

	// kill -9 of the server alone: its data is recovered.
	do(t, second, "insert into note values (2)")
	if err := syscall.Kill(second.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-second.Done()
	stop(t, second)
	if _, err := os.Stat(postmasterFile(second.data())); err != nil {
		t.Fatal("no stale file, so nothing is tested:", err)
	}
	third := start(t, Options{Dir: dir})
	if n := notes(t, third); n != 2 {
		t.Errorf("%d notes after a kill", n)
	}

	// A stop that may not wait is hard, says so, and costs no data.
	do(t, third, "insert into note values (3)")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := third.Stop(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	fourth := start(t, Options{Dir: dir})
	if n := notes(t, fourth); n != 3 {
		t.Errorf("%d notes after a hard stop", n)
	}

	stop(t, fourth)
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("not removed", err)
	}
}

func TestStaleFilesDoNotBlockTheStart(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	stop(t, start(t, Options{Dir: dir, FastUnsafe: true}))
	for name, text := range map[string]string{
		// Only a live process with the same number can stand in Postgres' way: this test.
		"number taken by another program": strconv.Itoa(os.Getpid()) + "\n" + filepath.Join(dir, "data") + "\n",
		"number of the first process":     "1\n",
		"nobody has the number":           "4194303\n",
		"torn":                            "12",
		"empty":                           "",
		"nonsense":                        "story\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(postmasterFile(filepath.Join(dir, "data")), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			stop(t, start(t, Options{Dir: dir, FastUnsafe: true}))
		})
	}
}

func TestHalfMadeDataDirectoryIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	left := filepath.Join(dir, "new-123", "data")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, Options{Dir: dir, FastUnsafe: true})
	if rest, _ := filepath.Glob(filepath.Join(dir, "new-*")); len(rest) != 0 {
		t.Error("left:", rest)
	}
}

func TestOtherMajorVersionIsRefused(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	stop(t, start(t, Options{Dir: dir, FastUnsafe: true}))
	file := filepath.Join(dir, "data", "PG_VERSION")
	if err := os.WriteFile(file, []byte("9.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "9.6") {
		t.Fatal(err)
	}
	if raw, _ := os.ReadFile(file); string(raw) != "9.6\n" {
		t.Fatal("touched")
	}
}

func TestNothingIsLeftWhenTheSupervisorIsKilled(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	pid, supervisor := superviseElsewhere(t, dir)
	if _, err := Start(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("started beside a live supervisor: %v", err)
	}
	if err := supervisor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = supervisor.Wait()
	// The old server is still shutting down: the start waits for it.
	c := start(t, Options{Dir: dir})
	if alive(pid) && isServerOf(pid, c.data()) {
		t.Error("the old server is still there")
	}
	do(t, c, "select 1")
}

func TestServerStartedByOtherMeansIsRefused(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	c := start(t, Options{Dir: dir, FastUnsafe: true})
	// Without our lock it looks like a server somebody started by hand.
	if err := c.lock.Close(); err != nil {
		t.Fatal(err)
	}
	c.lock = nil
	_, err := Start(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(c.PID())) {
		t.Fatal(err)
	}
	do(t, c, "select 1")
}

func superviseElsewhere(t *testing.T, dir string) (serverPID int, supervisor *exec.Cmd) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), supervisorVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	return pid, cmd
}

func TestProcessAndAccess(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	// So long a path does not fit a socket's address.
	dir := filepath.Join(newDir(t), strings.Repeat("long-", 20), "pg")
	c := start(t, Options{Dir: dir, FastUnsafe: true, Log: &log, MaxConnections: 17})

	if group, err := syscall.Getpgid(c.PID()); err != nil || group != c.PID() {
		t.Errorf("Ctrl-C would reach the server: group %d of process %d, %v", group, c.PID(), err)
	}
	info, err := os.Stat(c.data())
	if err != nil {
		t.Fatal(err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if os.Geteuid() == 0 && owner == 0 {
		t.Error("the server would run as root")
	}
	if os.Geteuid() != 0 && owner != os.Geteuid() {
		t.Error("not ours")
	}
	if info.Mode().Perm() != 0o700 {
		t.Error("data is open to others:", info.Mode())
	}
	if info, err := os.Stat(c.passwordFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Error("password file:", info, err)
	}

	conn := connect(t, c)
	for setting, want := range map[string]string{
		"listen_addresses": "127.0.0.1", "max_connections": "17", "TimeZone": "UTC",
		"password_encryption": "scram-sha-256", "server_encoding": "UTF8", "fsync": "off",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), "select current_setting($1)", setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", setting, got, want, err)
		}
	}

	socket := fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres password=", c.socketDir, c.Port())
	viaSocket, err := pgx.Connect(t.Context(), socket+c.password)
	if err != nil {
		t.Fatal(err)
	}
	defer viaSocket.Close(t.Context())
	for name, dsn := range map[string]string{
		"socket": socket + "wrong",
		"tcp":    strings.Replace(c.AdminDSN("postgres"), c.password, "wrong", 1),
	} {
		if _, err := pgx.Connect(t.Context(), dsn); err == nil {
			t.Error("wrong password accepted over", name)
		}
	}

	// What people write stays out of the log, also when a statement fails on it.
	const secret = "mevrouw-verhaal"
	_, err = conn.Exec(t.Context(), "create table s (body text unique check (body <> '"+secret+"'))")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = conn.Exec(t.Context(), "insert into s values ('"+secret+"')"); err == nil {
		t.Fatal("the check did not work")
	}
	if _, err = conn.Exec(t.Context(), "insert into s values ($1)", secret); err == nil {
		t.Fatal("the check did not work")
	}
	stop(t, c)
	if !strings.Contains(log.String(), "violates check constraint") {
		t.Error("the log does not tell of the failure")
	}
	if strings.Contains(log.String(), secret) {
		t.Error("the log holds what was written")
	}
	if _, err := os.Stat(c.socketDir); !errors.Is(err, os.ErrNotExist) {
		t.Error("socket directory left behind")
	}
}

func TestStartThatIsCalledOffLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	stop(t, start(t, Options{Dir: dir, FastUnsafe: true}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := os.Stat(postmasterFile(filepath.Join(dir, "data"))); !errors.Is(err, os.ErrNotExist) {
		t.Error("a server is running or was killed:", err)
	}
	start(t, Options{Dir: dir, FastUnsafe: true})
}

func TestWantedPortThatIsTaken(t *testing.T) {
	t.Parallel()
	first := start(t, Options{Dir: newDir(t), FastUnsafe: true})
	_, err := Start(t.Context(), Options{Dir: newDir(t), FastUnsafe: true, Port: first.Port()})
	if err == nil || !strings.Contains(err.Error(), "could not bind") {
		t.Fatal(err)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
