package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zijlicht/zijlicht/services/platform/embedpg"
)

// atOnce is how many tests run side by side. Most of what they do is wait for
// another process, so it is not the number of processors.
const atOnce = 10

// world is what all tests of this binary share: the program, one Postgres server,
// the trust anchor, and a list of the processes they started.
type world struct {
	dir    string // everything lies in here
	binary string

	mu        sync.Mutex
	processes []*process
	clusters  []*embedpg.Cluster
}

var theWorld world

func TestMain(m *testing.M) { os.Exit(runWorld(m)) }

func runWorld(m *testing.M) (code int) {
	flag.Parse()
	if !isSet("test.parallel") {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	dir, err := os.MkdirTemp("", "zijlicht-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	theWorld.dir = dir
	defer func() {
		if err := theWorld.end(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			code = 1
		}
	}()
	return m.Run()
}

func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// end stops everything. A process that a test forgot is a failure, and so is one that
// this binary does not know of.
func (w *world) end() error {
	var errs []error
	if anchor, ok := theAnchor.made(); ok {
		errs = append(errs, anchor.stopAll())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.processes {
		if p.running() {
			errs = append(errs, fmt.Errorf("%s was left running", p.title))
			p.kill()
		}
	}
	errs = append(errs, w.strays())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, c := range w.clusters {
		errs = append(errs, c.Stop(ctx))
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// strays looks for processes of our program that nobody waits for.
func (w *world) strays() error {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	var errs []error
	for _, l := range links {
		if exe, err := os.Readlink(l); err == nil && w.binary != "" && strings.HasPrefix(exe, w.binary) {
			errs = append(errs, fmt.Errorf("process %s of %s is left", strings.Split(l, "/")[2], exe))
		}
	}
	return errors.Join(errs...)
}

// program builds the binary once.
var program = sync.OnceValues(func() (string, error) {
	theWorld.binary = filepath.Join(theWorld.dir, "zijlicht")
	out, err := exec.Command("go", "build", "-o", theWorld.binary, "github.com/zijlicht/zijlicht/services/cmd/zijlicht").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return theWorld.binary, nil
})

// sharedCluster is the Postgres server of all tests but those that stop it.
var sharedCluster = sync.OnceValues(func() (*embedpg.Cluster, error) { return theWorld.cluster("shared", 600) })

// cluster starts a private Postgres server. It stops at the end at the latest.
func (w *world) cluster(name string, connections int) (*embedpg.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := embedpg.Install(ctx, os.Stderr); err != nil {
		return nil, err
	}
	c, err := embedpg.Start(ctx, embedpg.Options{
		Dir: filepath.Join(w.dir, "postgres-"+name), MaxConnections: connections, FastUnsafe: true,
	})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clusters = append(w.clusters, c)
	return c, nil
}

// Ports lie below those that the system hands out by itself: a node that is started
// again must find its own port free.
const firstPort, ports = 12000, 18000

var nextPort atomic.Int64

func init() { nextPort.Store(rand.Int64N(ports)) }

// freePort gives an address on loopback that nothing listens on and that is given once.
func freePort(t testing.TB) string {
	t.Helper()
	for range 200 {
		address := net.JoinHostPort("127.0.0.1", strconv.FormatInt(firstPort+nextPort.Add(1)%ports, 10))
		if l, err := net.Listen("tcp4", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

var nodes atomic.Int64

// nodeName is short and unique: the database's roles belong to the whole server and carry it.
func nodeName() string { return fmt.Sprintf("e2e%d", nodes.Add(1)) }

// every is how often a condition is looked at.
const every = 50 * time.Millisecond

// eventually waits until ok says so.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %s: %s", within, what)
		case <-tick.C:
		}
	}
}

// ctxOf ends with the test.
func ctxOf(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
