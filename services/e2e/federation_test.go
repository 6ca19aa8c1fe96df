package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gopkg.in/yaml.v3"

	"github.com/zijlicht/zijlicht/gateway"
	"github.com/zijlicht/zijlicht/services/platform/embedpg"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// layout says which parts of a node share a process; each entry is a --target.
type layout []string

var (
	allInOne    = layout{"all"}
	gatewayAlso = layout{"audit,deid,consent,cases,review", "gateway"} // the gateway apart from the rest
	apart       = layout{"audit", "deid", "consent", "cases", "review", "gateway"}
)

var services = []string{"audit", "deid", "consent", "cases", "review", "gateway"}

// node is one organisation: a configuration, a database and its processes.
type node struct {
	name, title, url, listen, dir, file string
	cluster                             *embedpg.Cluster
	layout                              layout
	addresses                           map[string]string // of its services, when they are apart

	mu    sync.Mutex
	procs []*process // as in layout
	logs  []string
}

// newNode makes a node's configuration, keys and database, through the command.
func newNode(dir, listen string, l layout, cluster *embedpg.Cluster, addresses map[string]string, anchor *node) (*node, error) {
	n := &node{name: nodeName(), listen: listen, url: "http://" + listen, layout: l, cluster: cluster, addresses: addresses}
	n.dir = filepath.Join(dir, n.name)
	n.file = filepath.Join(n.dir, "zijlicht.yaml")
	n.title = "Wijkteams " + n.name
	issuer, keys := n.url, "anchor-keys.json"
	if anchor != nil {
		issuer, keys = anchor.url, filepath.Join(anchor.dir, "anchor-keys.json")
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := pgdb.EnsureDatabase(ctx, cluster.AdminDSN("postgres"), n.name); err != nil {
		return nil, err
	}
	admin := filepath.Join(n.dir, "admin-database")
	if err := os.WriteFile(admin, []byte(cluster.AdminDSN(n.name)), 0o600); err != nil {
		return nil, err
	}
	address, err := pgdb.Address(cluster.AdminDSN(n.name), n.name)
	if err != nil {
		return nil, err
	}
	raw, err := yaml.Marshal(map[string]any{
		"node": n.name, "entity_url": n.url, "listen": n.listen, "database": address, "secrets": "secrets",
		"anchor":        map[string]any{"issuer": issuer, "keys": keys, "serve": anchor == nil},
		"thinking_time": "0s", "services": addresses,
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(n.file, raw, 0o600); err != nil {
		return nil, err
	}
	for _, c := range [][]string{{"init", "--config", n.file}, {"migrate", "--config", n.file, "--admin", admin}} {
		if _, err := command(c...); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// publicKeys writes the node's public keys to a file, as the administrator of the federation gets them.
func (n *node) publicKeys() (file string, err error) {
	set, err := gateway.EnsureKey(filepath.Join(n.dir, "secrets", "oauth.jwk"))
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(set)
	if err != nil {
		return "", err
	}
	file = filepath.Join(n.dir, "public.jwks")
	return file, os.WriteFile(file, raw, 0o600)
}

// launch starts one process of the layout.
func (n *node) launch(i int, env ...string) error {
	target := n.layout[i]
	log := filepath.Join(n.dir, strings.ReplaceAll(target, ",", "+")+".log")
	p, err := startProcess(n.name+"/"+target, log, env, "serve", "--config", n.file, "--target", target)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.procs) < len(n.layout) {
		n.procs = append(n.procs, make([]*process, len(n.layout)-len(n.procs))...)
	}
	n.procs[i] = p
	if !slices.Contains(n.logs, log) {
		n.logs = append(n.logs, log)
	}
	return nil
}

// startAll starts every process. The environment is that of all of them.
func (n *node) startAll(env ...string) error {
	for i := range n.layout {
		if err := n.launch(i, env...); err != nil {
			return err
		}
	}
	return nil
}

// index of the process that runs a service.
func (n *node) index(service string) int {
	return slices.IndexFunc(n.layout, func(target string) bool {
		return target == "all" || slices.Contains(strings.Split(target, ","), service)
	})
}

// process that runs a service.
func (n *node) process(service string) *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.procs[n.index(service)]
}

func (n *node) processes() []*process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.procs)
}

func (n *node) stopAll() error {
	var errs []error
	for _, p := range slices.Backward(n.processes()) {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	return errors.Join(errs...)
}

// healthy tells whether the node answers and each of its services listens.
func (n *node) healthy() bool {
	for service, address := range n.addresses {
		if n.index(service) < 0 {
			continue
		}
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		_ = c.Close()
	}
	res, err := (&http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Get(n.url + "/healthz")
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode == http.StatusOK
}

// up waits until the node can answer.
func (n *node) up(t testing.TB) {
	t.Helper()
	eventually(t, 90*time.Second, n.name+" is healthy", func() bool {
		for _, p := range n.processes() {
			if p != nil && !p.running() {
				t.Fatalf("%s ended while starting:\n%s", p.title, p.tail())
			}
		}
		return n.healthy()
	})
}

// again starts what is not running, without a failpoint, and waits until the node can answer.
func (n *node) again(t testing.TB) {
	t.Helper()
	for i, p := range n.processes() {
		if p.running() {
			continue
		}
		if err := n.launch(i); err != nil {
			t.Fatal(err)
		}
	}
	n.up(t)
}

// admin logs in as the database's administrator: to look, and to break things.
func (n *node) admin(t testing.TB) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(ctxOf(t), n.cluster.AdminDSN(n.name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// role of one of the node's services in the database.
func (n *node) role(service string) string { return pgdb.RoleName(n.name, service) }

// lazyNode is made by the first test that needs it.
type lazyNode struct {
	once sync.Once
	node *node
	err  error
}

// theAnchor is the federation's trust anchor, one for all tests: each test brings its own organisations and circle.
var theAnchor lazyNode

func (l *lazyNode) made() (*node, bool) { return l.node, l.node != nil }

func (l *lazyNode) get(t testing.TB) *node {
	t.Helper()
	l.once.Do(func() {
		cluster, err := sharedCluster()
		if err != nil {
			l.err = err
			return
		}
		n, err := newNode(theWorld.dir, freePort(t), allInOne, cluster, nil, nil)
		if err != nil {
			l.err = err
			return
		}
		l.node, l.err = n, n.startAll()
	})
	if l.err != nil {
		t.Fatalf("trust anchor: %v", l.err)
	}
	l.node.up(t)
	return l.node
}

// federation is a circle of organisations of one test, under the trust anchor.
type federation struct {
	t       testing.TB
	anchor  *node
	circle  string
	members []*node

	mu     sync.Mutex
	secret map[string]string // what may be in no log: the text, by what it is
}

// options of a federation.
type options struct {
	members int // organisations; two when zero
	layout  layout
	cluster *embedpg.Cluster          // of its own; nil is the shared one
	env     func(member int) []string // of a member's first run
	perHTTP bool                      // the anchor fetches the keys at the nodes themselves
}

// newFederation makes organisations, admits them to the anchor and to one circle, and starts them.
func newFederation(t testing.TB, o options) *federation {
	t.Helper()
	if o.members == 0 {
		o.members = 2
	}
	if o.layout == nil {
		o.layout = allInOne
	}
	if o.cluster == nil {
		c, err := sharedCluster()
		if err != nil {
			t.Fatal(err)
		}
		o.cluster = c
	}
	f := &federation{t: t, anchor: theAnchor.get(t), secret: map[string]string{}}
	for range o.members {
		addresses := map[string]string{}
		if len(o.layout) > 1 {
			for _, s := range services {
				addresses[s] = freePort(t)
			}
		}
		n, err := newNode(theWorld.dir, freePort(t), o.layout, o.cluster, addresses, f.anchor)
		if err != nil {
			t.Fatal(err)
		}
		f.members = append(f.members, n)
	}
	t.Cleanup(f.end)
	f.circle = "kring-" + f.members[0].name
	f.Anchor("circle", "add", "--id", f.circle, "--name", "Leerkring "+f.members[0].name)
	if !o.perHTTP {
		f.admit(func(n *node) (string, error) { return n.publicKeys() })
	}
	for i, n := range f.members {
		var env []string
		if o.env != nil {
			env = o.env(i)
		}
		if err := n.startAll(env...); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range f.members {
		n.up(t)
	}
	if o.perHTTP {
		f.admit(func(n *node) (string, error) { return n.url + "/oauth2/jwks", nil })
	}
	return f
}

func (f *federation) admit(keys func(*node) (string, error)) {
	f.t.Helper()
	for _, n := range f.members {
		from, err := keys(n)
		if err != nil {
			f.t.Fatal(err)
		}
		f.Anchor("member", "add", "--id", n.url, "--name", n.title, "--kind", "wijkteam", "--keys", from)
		f.Anchor("mark", "grant", n.url, "lateral-review")
		f.Anchor("circle", "join", f.circle, n.url)
	}
}

// Anchor runs a command of the federation's administrator.
func (f *federation) Anchor(args ...string) {
	f.t.Helper()
	if _, err := command(append([]string{"anchor", "--config", f.anchor.file, "--by", "e2e"}, args...)...); err != nil {
		f.t.Fatal(err)
	}
}

// hide notes a text that no log may hold.
func (f *federation) hide(what, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if text != "" {
		f.secret[text] = what
	}
}

// end stops the nodes, in order, and looks through their logs.
func (f *federation) end() {
	for _, n := range f.members {
		if err := n.stopAll(); err != nil {
			f.t.Error(err)
		}
	}
	f.noSecretsInLogs()
	if f.t.Failed() {
		for _, n := range append([]*node{f.anchor}, f.members...) {
			for _, p := range n.processes() {
				f.t.Logf("--- the end of the log of %s\n%s", p.title, p.tail())
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, n := range f.members {
		if err := n.drop(ctx); err != nil {
			f.t.Error(err)
		}
	}
}

// drop removes the node's database, so that a run needs no more room than its tests side by side.
func (n *node) drop(ctx context.Context) error {
	select {
	case <-n.cluster.Done():
		return nil // its test stopped the server for good
	default:
	}
	c, err := pgx.Connect(ctx, n.cluster.AdminDSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	_, err = c.Exec(ctx, fmt.Sprintf("drop database %s with (force)", pgx.Identifier{n.name}.Sanitize()))
	return err
}
