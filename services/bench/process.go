package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// child is one process that this run started.
type child struct {
	title, log string
	cmd        *exec.Cmd
	begun      time.Time
	done       chan struct{}
}

// start runs a program; what it writes goes to its log.
func start(title, log string, stdin io.Reader, program string, args ...string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	c := &child{title: title, log: log, cmd: exec.Command(program, args...), done: make(chan struct{})}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = stdin, out, out
	c.cmd.Env, c.cmd.SysProcAttr = environment(), childAttributes()
	started := make(chan error, 1)
	go func() {
		defer func() { _ = out.Close() }()
		// The kernel sends the parent's death signal when the thread that forked ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c.begun = time.Now()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait()
			close(c.done)
		}
	}()
	return c, <-started
}

// environment of a child: the settings of this shell are not what is measured.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ZIJLICHT_") && !strings.HasPrefix(e, "OTEL_") && !strings.HasPrefix(e, "GO") {
			env = append(env, e)
		}
	}
	return env
}

func (c *child) stop() error {
	select {
	case <-c.done:
		return nil
	default:
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	patience := time.NewTimer(20 * time.Second)
	defer patience.Stop()
	select {
	case <-c.done:
		return nil
	case <-patience.C:
		_ = c.cmd.Process.Kill()
		<-c.done
		return fmt.Errorf("%s did not end when asked to", c.title)
	}
}

// up waits until the process can answer and tells how long after its start that was.
func (c *child) up(ctx context.Context, base string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	probe := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil); err != nil {
			return 0, err
		} else if res, err := probe.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(c.begun), nil
			}
		}
		select {
		case <-c.done:
			return 0, fmt.Errorf("%s ended while starting", c.title)
		case <-ctx.Done():
			return 0, fmt.Errorf("%s does not answer", c.title)
		case <-tick.C:
		}
	}
}

// tail of the log.
func (c *child) tail() string {
	raw, err := os.ReadFile(c.log)
	if err != nil {
		return ""
	}
	return string(raw[max(0, len(raw)-2<<10):])
}

// build makes the program as `make build` does.
func build(ctx context.Context, dir string) (program string, size int64, err error) {
	program = filepath.Join(dir, "zijlicht")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "github.com/zijlicht/zijlicht/services/cmd/zijlicht")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", 0, err
	}
	return program, info.Size(), nil
}

// command runs a command of the program that ends by itself.
func (w *world) command(ctx context.Context, args ...string) (string, error) {
	var out, errOut strings.Builder
	cmd := exec.CommandContext(ctx, w.program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(), &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("zijlicht %s: %w", args[0], err), errors.New(errOut.String()))
	}
	return out.String(), nil
}
