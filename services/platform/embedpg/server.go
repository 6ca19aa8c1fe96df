package embedpg

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long each step of a hard stop may take.
const stopGrace = 5 * time.Second

// server is one run of the postgres program.
type server struct {
	pid  int
	done chan struct{} // closed when the process has been reaped
	log  *lastLines
}

// launch starts the server in a process group of its own, so that Ctrl-C in a terminal reaches only
// the supervisor, which then stops the server in order. On Linux the server is told to shut down
// when we die.
func launch(bin binaries, args []string, account *account, log io.Writer) (*server, error) {
	s := &server{done: make(chan struct{}), log: &lastLines{next: log}}
	cmd := exec.Command(bin.path("postgres"), args...)
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: account.credential()}
	// Backends of a killed server hold its log open until they notice.
	cmd.WaitDelay = stopGrace
	endWithParent(cmd.SysProcAttr)

	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent's death signal when the thread that forked ends, so this
		// thread stays as long as the server does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			s.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return s, nil
}

// stop asks for a fast shutdown and, when ctx ends, for an immediate one, then kills.
func (s *server) stop(ctx context.Context) error {
	if s.signalAndWait(ctx.Done(), syscall.SIGINT) {
		return nil
	}
	err := ctx.Err()
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		timer := time.NewTimer(stopGrace)
		expired := make(chan struct{})
		go func() { <-timer.C; close(expired) }()
		if s.signalAndWait(expired, sig) {
			return err
		}
	}
	return errors.Join(err, errors.New("Postgres does not end"))
}

func (s *server) signalAndWait(giveUp <-chan struct{}, sig syscall.Signal) bool {
	select {
	case <-s.done:
		return true
	default:
	}
	_ = syscall.Kill(s.pid, sig)
	select {
	case <-s.done:
		return true
	case <-giveUp:
		return false
	}
}

func (s *server) tail() string { return s.log.String() }

// lastLines passes the log on and keeps its end, for the error of a failed start.
type lastLines struct {
	mu   sync.Mutex
	next io.Writer
	kept []byte
}

const keptLog = 4 << 10

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, p...)
	if len(l.kept) > keptLog {
		l.kept = append(l.kept[:0], l.kept[len(l.kept)-keptLog:]...)
	}
	// A log that cannot be written must not block or end the server.
	_, _ = l.next.Write(p)
	return len(p), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}

func postmasterFile(data string) string { return filepath.Join(data, "postmaster.pid") }

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
