package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zijlicht/zijlicht/services/platform/failpoint"
)

// process is one run of `zijlicht serve`.
type process struct {
	title string
	cmd   *exec.Cmd
	log   string // file
	done  chan struct{}
	state *os.ProcessState // after done
}

// startProcess runs the program. What it writes is appended to the log.
func startProcess(title, log string, env []string, args ...string) (*process, error) {
	binary, err := program()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p := &process{title: title, log: log, cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(environment(), env...)
	p.cmd.SysProcAttr = childAttributes()
	started := make(chan error, 1)
	go func() {
		defer func() { _ = out.Close() }()
		// The kernel sends the parent's death signal when the thread that forked ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			p.state = p.cmd.ProcessState
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	theWorld.mu.Lock()
	defer theWorld.mu.Unlock()
	theWorld.processes = append(theWorld.processes, p)
	return p, nil
}

// environment of a child: nothing of this test run's own settings.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ZIJLICHT_") && !strings.HasPrefix(e, "OTEL_") {
			env = append(env, e)
		}
	}
	return env
}

func failAt(place string) []string { return []string{failpoint.Variable + "=" + place} }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop ends the process as an operator does, and expects it to end in order.
func (p *process) stop() error {
	if !p.running() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		if code := p.state.ExitCode(); code != 0 {
			return fmt.Errorf("%s ended with %s", p.title, p.state)
		}
		return nil
	case <-time.After(20 * time.Second):
		p.kill()
		return fmt.Errorf("%s did not end when asked to", p.title)
	}
}

// kill is a power cut.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// killed waits until the process is dead by SIGKILL of its own making.
func (p *process) killed(t testing.TB) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		t.Fatalf("%s did not reach its failpoint", p.title)
	}
	if status, ok := p.state.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("%s ended with %s, want a kill", p.title, p.state)
	}
}

// tail of the log, for a failed test.
func (p *process) tail() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 6 << 10
	if len(raw) > most {
		raw = raw[len(raw)-most:]
	}
	return string(raw)
}

// command runs a command of the program that ends by itself, and gives what it printed.
func command(args ...string) (string, error) {
	binary, err := program()
	if err != nil {
		return "", err
	}
	var out, errOut strings.Builder
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(), &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("zijlicht %s", strings.Join(args, " ")), err, errors.New(errOut.String()))
	}
	return out.String(), nil
}
