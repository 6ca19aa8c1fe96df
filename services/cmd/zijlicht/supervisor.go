package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// supervisor runs each node as a process of its own, and leaves none behind.
type supervisor struct {
	dir    string
	failed chan error

	mu       sync.Mutex
	stopping bool
	children []*child
}

type child struct {
	node *demoNode
	cmd  *exec.Cmd
	done chan struct{}
}

func newSupervisor(dir string) *supervisor { return &supervisor{dir: dir, failed: make(chan error, 8)} }

// start runs one node. Ctrl-C goes to the supervisor only, and when the
// supervisor is killed its children are told to end by the kernel.
func (s *supervisor) start(n *demoNode) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, n.Node+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, "serve", "--config", n.file)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "ZIJLICHT_") || strings.HasPrefix(e, "PGPASS")
	})
	if f := os.Getenv("ZIJLICHT_FAILPOINT_" + strings.ToUpper(n.Node)); f != "" {
		cmd.Env = append(cmd.Env, "ZIJLICHT_FAILPOINT="+f)
	}
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	c := &child{node: n, cmd: cmd, done: make(chan struct{})}
	s.mu.Lock()
	s.children = append(s.children, c)
	s.mu.Unlock()
	go func() {
		_ = cmd.Wait() // the state says how it ended
		close(c.done)
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.stopping {
			s.failed <- fmt.Errorf("%s is gestopt (%s); kijk in %s", n.title, cmd.ProcessState, log.Name())
		}
	}()
	return nil
}

// stop ends every child, politely first.
func (s *supervisor) stop() {
	s.mu.Lock()
	s.stopping = true
	children := slices.Clone(s.children)
	s.mu.Unlock()
	for _, c := range slices.Backward(children) {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
	}
	deadline := time.After(15 * time.Second)
	for _, c := range children {
		select {
		case <-c.done:
		case <-deadline:
			_ = c.cmd.Process.Kill()
			<-c.done
		}
	}
}

// waitHealthy waits until a node can answer.
func waitHealthy(ctx context.Context, s *supervisor, n *demoNode) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answers := healthy(ctx, client, n.EntityURL)
		select {
		case err := <-s.failed: // whoever answered, it was not this node
			return err
		default:
		}
		if answers {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s komt niet op gang; kijk in %s", n.title, filepath.Join(s.dir, n.Node+".log"))
		case err := <-s.failed:
			return err
		case <-tick.C:
		}
	}
}

func healthy(ctx context.Context, c *http.Client, entityURL string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, entityURL+"/healthz", nil)
	if err != nil {
		return false
	}
	res, err := c.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode == http.StatusOK
}

// marker remembers what the demo made, so that a second start makes nothing twice.
type marker struct {
	Accounts map[string]string `json:"accounts"` // account id by person
	Loaded   bool              `json:"loaded"`
}

func (d *demo) readMarker() (marker, error) {
	m := marker{Accounts: map[string]string{}}
	raw, err := os.ReadFile(filepath.Join(d.dir, "demo.json"))
	if errors.Is(err, os.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(raw, &m)
}

func (d *demo) writeMarker(m marker) error {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(d.dir, "demo.json.new")
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(d.dir, "demo.json"))
}
