package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"gopkg.in/yaml.v3"

	"github.com/zijlicht/zijlicht/gateway"
	"github.com/zijlicht/zijlicht/services/platform/embedpg"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// circle is the one that the two organisations are in.
const circle = "leerkring-meting"

// world is what one run has: the program, a Postgres server, three nodes and two floors.
type world struct {
	dir, program, version string
	size                  int64
	cluster               *embedpg.Cluster
	anchor, owner, reader *node
	floor, hop            *child
	floorURL, hopURL      string
	children              []*child
}

// node is one organisation.
type node struct {
	name, url, file, dir, database string
	child                          *child
}

// begin builds the program and starts everything.
func (w *world) begin(ctx context.Context) (err error) {
	say("building")
	if w.program, w.size, err = build(ctx, w.dir); err != nil {
		return err
	}
	say("starting Postgres, the anchor and two nodes")
	if err := embedpg.Install(ctx, os.Stderr); err != nil {
		return err
	}
	if w.cluster, err = embedpg.Start(ctx, embedpg.Options{Dir: filepath.Join(w.dir, "postgres")}); err != nil {
		return err
	}
	if w.version, err = w.serverVersion(ctx); err != nil {
		return err
	}
	for _, n := range []struct {
		name string
		into **node
	}{{"anker", &w.anchor}, {"noord", &w.owner}, {"zuid", &w.reader}} {
		if *n.into, err = w.node(ctx, n.name); err != nil {
			return err
		}
	}
	if err := w.federate(ctx); err != nil {
		return err
	}
	for _, n := range []*node{w.anchor, w.owner, w.reader} {
		if _, err := w.start(ctx, n); err != nil {
			return err
		}
	}
	return w.startFloors(ctx)
}

func (w *world) serverVersion(ctx context.Context) (v string, err error) {
	c, err := pgx.Connect(ctx, w.cluster.AdminDSN("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close(ctx) }()
	var durable bool
	if err := c.QueryRow(ctx, `select current_setting('server_version'),
		current_setting('fsync') = 'on' and current_setting('synchronous_commit') = 'on'`).Scan(&v, &durable); err != nil {
		return "", err
	}
	if !durable {
		return "", errors.New("this Postgres does not keep what it acknowledges: what it costs to keep a record cannot be measured")
	}
	v, _, _ = strings.Cut(v, " ")
	return v, nil
}

// node makes an organisation's configuration, keys and database, through the command.
func (w *world) node(ctx context.Context, name string) (*node, error) {
	listen, err := freePort()
	if err != nil {
		return nil, err
	}
	n := &node{name: name, url: "http://" + listen, dir: filepath.Join(w.dir, name), database: w.cluster.AdminDSN(name)}
	n.file = filepath.Join(n.dir, "zijlicht.yaml")
	issuer, keys := n.url, "anchor-keys.json"
	if w.anchor != nil {
		issuer, keys = w.anchor.url, filepath.Join(w.anchor.dir, "anchor-keys.json")
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, err
	}
	if err := pgdb.EnsureDatabase(ctx, w.cluster.AdminDSN("postgres"), name); err != nil {
		return nil, err
	}
	admin := filepath.Join(n.dir, "admin-database")
	if err := os.WriteFile(admin, []byte(w.cluster.AdminDSN(name)), 0o600); err != nil {
		return nil, err
	}
	address, err := pgdb.Address(w.cluster.AdminDSN(name), name)
	if err != nil {
		return nil, err
	}
	raw, err := yaml.Marshal(map[string]any{
		"node": name, "entity_url": n.url, "listen": listen, "database": address, "secrets": "secrets",
		"anchor":        map[string]any{"issuer": issuer, "keys": keys, "serve": w.anchor == nil},
		"thinking_time": "0s",
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(n.file, raw, 0o600); err != nil {
		return nil, err
	}
	for _, c := range [][]string{{"init", "--config", n.file}, {"migrate", "--config", n.file, "--admin", admin}} {
		if _, err := w.command(ctx, c...); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// federate admits the two organisations to the federation and to one circle.
func (w *world) federate(ctx context.Context) error {
	anchor := func(args ...string) error {
		_, err := w.command(ctx, append([]string{"anchor", "--config", w.anchor.file, "--by", "bench"}, args...)...)
		return err
	}
	if err := anchor("circle", "add", "--id", circle, "--name", "Leerkring"); err != nil {
		return err
	}
	for _, n := range []*node{w.owner, w.reader} {
		set, err := gateway.EnsureKey(n.secret("oauth.jwk"))
		if err != nil {
			return err
		}
		raw, err := json.Marshal(set)
		if err != nil {
			return err
		}
		public := filepath.Join(n.dir, "public.jwks")
		if err := os.WriteFile(public, raw, 0o600); err != nil {
			return err
		}
		if err := errors.Join(
			anchor("member", "add", "--id", n.url, "--name", "Wijkteams "+n.name, "--kind", "wijkteam", "--keys", public),
			anchor("mark", "grant", n.url, "lateral-review"),
			anchor("circle", "join", circle, n.url),
		); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) secret(name string) string { return filepath.Join(n.dir, "secrets", name) }

// role gives the address of the node's database for the login role of a service.
func (n *node) role(service string) (string, error) {
	password, err := os.ReadFile(n.secret(filepath.Join("database-role", service)))
	if err != nil {
		return "", err
	}
	return pgdb.DSN(n.database, pgdb.RoleName(n.name, service), string(password), "")
}

// start runs a node and tells how long it took until it answered.
func (w *world) start(ctx context.Context, n *node) (time.Duration, error) {
	c, err := start(n.name, filepath.Join(w.dir, n.name+".log"), nil, w.program, "serve", "--config", n.file)
	if err != nil {
		return 0, err
	}
	n.child = c
	w.children = append(w.children, c)
	return c.up(ctx, n.url)
}

// restart gives a node a fresh process.
func (w *world) restart(ctx context.Context, n *node) (time.Duration, error) {
	if err := n.child.stop(); err != nil {
		return 0, err
	}
	w.children = slices.DeleteFunc(w.children, func(c *child) bool { return c == n.child })
	return w.start(ctx, n)
}

// startFloors runs the handler without policy and record, and one hop to it, each
// in a process of its own, as the nodes are.
func (w *world) startFloors(ctx context.Context) error {
	dsn, err := w.owner.role("cases")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	one := func(title string, c floorConfig, into **child) (string, error) {
		if c.Listen, err = freePort(); err != nil {
			return "", err
		}
		raw, err := json.Marshal(c)
		if err != nil {
			return "", err
		}
		p, err := start(title, filepath.Join(w.dir, title+".log"), bytes.NewReader(raw), self, floorCommand)
		if err != nil {
			return "", err
		}
		*into = p
		w.children = append(w.children, p)
		_, err = p.up(ctx, "http://"+c.Listen)
		return "http://" + c.Listen, err
	}
	w.floorURL, err = one("floor", floorConfig{Database: dsn, MasterKey: w.owner.secret("master.key"), Node: w.owner.url}, &w.floor)
	if err != nil {
		return err
	}
	w.hopURL, err = one("hop", floorConfig{Upstream: w.floorURL}, &w.hop)
	return err
}

// end stops everything that was started.
func (w *world) end() error {
	var errs []error
	for _, c := range slices.Backward(w.children) {
		errs = append(errs, c.stop())
	}
	if w.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		errs = append(errs, w.cluster.Stop(ctx))
	}
	return errors.Join(errs...)
}

// explain adds what the processes last wrote.
func (w *world) explain(err error) error {
	for _, c := range w.children {
		if t := c.tail(); t != "" {
			err = fmt.Errorf("%w\n--- %s\n%s", err, c.title, t)
		}
	}
	return err
}

// freePort is below those that the system hands out by itself: a node that is
// started again must find its own port free.
func freePort() (string, error) {
	for range 200 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(12000+rand.IntN(18000)))
		if l, err := net.Listen("tcp4", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port")
}
